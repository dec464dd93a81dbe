//! `cargo xtask soak`: the long matrices, whole, one after another. The short forms of the same functions run in the
//! test command.

use crate::report::{Count, Report};
use crate::{Outcome, build, place, reproducible, run, test};
use std::path::PathBuf;
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to run
    matrix: Matrix,
    /// How often each part is repeated, each time with other random choices
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// How long each fuzz target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Repeats a run's random choices (it prints its seed first)
    #[arg(long)]
    seed: Option<u64>,
    /// Connections of a session, for `kills`
    #[arg(long)]
    sessions: Option<u32>,
    /// With optimised programs
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Matrix {
    /// Worker, server and agent die at random moments of a transfer of 2 GB
    Kills,
    /// The agent dies at 200 random moments under load, by SIGKILL and by a power cut
    AgentKills,
    /// The server dies 50 times while files come in by both its ports, are renamed and removed
    ServerKills,
    /// The server with 204 sessions, 5,000 silent connections and 1,000 wrong passwords a second
    ServerLoad,
    /// Folders of the server become links that lead out, and back, for ten minutes under all its operations
    Swaps,
    /// Peers that lie, flood, stall and send nonsense
    Hostile,
    /// Paths that go black, change, lose, double, delay and corrupt
    Black,
    /// Disks that are full, read-only, broken or taken away
    Disks,
    /// The installer upgrades Godwit in the middle of transfers of 1 GB, also in a clean root with both browsers (from dist/)
    Upgrade,
    /// Every parser and state machine that hears a peer, under libFuzzer and with random sessions
    Fuzz,
    /// The release compiled in two folders, and every file compared (half an hour on two cores)
    Reproducible,
    /// All of them
    All,
}

const ALL: [Matrix; 11] = [
    Matrix::Kills,
    Matrix::AgentKills,
    Matrix::ServerKills,
    Matrix::ServerLoad,
    Matrix::Swaps,
    Matrix::Hostile,
    Matrix::Black,
    Matrix::Disks,
    Matrix::Upgrade,
    Matrix::Fuzz,
    Matrix::Reproducible,
];

impl Matrix {
    fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::AgentKills => "agent-kills",
            Self::ServerKills => "server-kills",
            Self::ServerLoad => "server-load",
            Self::Swaps => "swaps",
            Self::Hostile => "hostile",
            Self::Black => "black",
            Self::Disks => "disks",
            Self::Upgrade => "upgrade",
            Self::Fuzz => "fuzz",
            Self::Reproducible => "reproducible",
            Self::All => "all",
        }
    }
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    let mut report = Report::default();
    let chosen = if options.matrix == Matrix::All { ALL.to_vec() } else { vec![options.matrix] };
    for matrix in chosen {
        report.step(&format!("soak: {}", matrix.name()), || match matrix {
            Matrix::Fuzz => crate::fuzz::run(&folder(), options.seconds),
            Matrix::Reproducible => reproducible::run(),
            Matrix::Upgrade => {
                let mut count = program(matrix, options)?;
                count.add(clean_root(options)?);
                Ok(count)
            }
            other => program(other, options),
        });
    }
    Ok(report.close())
}

/// Where the figures go.
fn folder() -> PathBuf {
    place::target().join("soak")
}

/// The matrices that need real processes are a program of the room `tests`.
fn program(matrix: Matrix, options: &Options) -> Outcome<Count> {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--package", "godwit-tests", "--bin", "godwit-soak"]);
    if options.release {
        command.arg("--release");
    }
    command.args(["--", matrix.name(), "--rounds", &options.rounds.to_string()]);
    for (name, value) in [("--seed", options.seed), ("--sessions", options.sessions.map(u64::from))] {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    command.arg("--out").arg(folder());
    count(&mut command)
}

/// From the stick to the last file that is gone, in a clean root, with both browsers.
fn clean_root(options: &Options) -> Outcome<Count> {
    build::run(&build::Options { release: options.release, ..build::Options::default() })?;
    let mut total = Count::default();
    for _ in 0..options.rounds {
        total.add(test::long_in_browsers("tests/browser/tests/clean-root.test.mjs")?);
    }
    Ok(total)
}

/// Counts the parts by the program's last line.
fn count(command: &mut Command) -> Outcome<Count> {
    let mut total = Count::default();
    let success = run::watch(command, |line| total.add(summary(line)))?;
    if !success && total.failed == 0 {
        total.failed = 1;
    }
    Ok(total)
}

/// What a line such as `kills: 6 passed, 0 failed` adds.
fn summary(line: &str) -> Count {
    let Some((_, rest)) = line.split_once(": ") else { return Count::default() };
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words.as_slice() {
        [passed, "passed,", failed, "failed"] => {
            Count { passed: passed.parse().unwrap_or(0), failed: failed.parse().unwrap_or(0) }
        }
        _ => Count::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_soak_program_is_counted_and_others_are_not() {
        assert_eq!(summary("kills: 5 passed, 1 failed"), Count { passed: 5, failed: 1 });
        assert_eq!(summary("kills Send: ok in 5.0 s {\"passed,\":1}"), Count::default());
        assert_eq!(summary("seed 5"), Count::default());
    }
}
