//! `godwit-soak MATRIX [--rounds N] [--seconds N] [--seed N] [--out FOLDER]`: the long forms of the matrices in
//! [`godwit_tests::soak`]. Exit code 0 if everything held. People run it as `cargo xtask soak`.

use godwit_tests::soak::{self, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;

struct Options {
    matrix: String,
    rounds: u32,
    seed: u64,
    out: PathBuf,
    sessions: Vec<u32>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("godwit-soak: {why}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}", options.seed);
    let outcomes: Vec<Outcome> = match options.matrix.as_str() {
        "kills" => soak::kills::long(options.rounds, options.seed, &options.sessions),
        "agent-kills" => soak::agent_kills::long(options.rounds, options.seed),
        "hosts" => soak::hosts::long(options.rounds),
        "black" => {
            let mut outcomes = soak::black::long(options.rounds, &options.sessions);
            outcomes.extend(soak::hosts::long(options.rounds));
            outcomes
        }
        "upgrade" => soak::upgrade::long(options.rounds),
        "disks" => soak::disks::long(options.rounds),
        "hostile" => soak::hostile::long(options.rounds, options.seed),
        "server-kills" => soak::server_kills::long(options.rounds, options.seed),
        "server-load" => soak::server_load::long(options.rounds),
        "swaps" => soak::swaps::long(options.rounds),
        other => {
            eprintln!("godwit-soak: no matrix is called {other}");
            return ExitCode::from(2);
        }
    };
    soak::write(&options.out, &options.matrix, options.seed, &outcomes);
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    println!("{}: {} passed, {failed} failed", options.matrix, outcomes.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let matrix = words.next().ok_or("which matrix?")?;
    let mut options =
        Options { matrix, rounds: 1, seed: soak::any_seed(), out: PathBuf::from("target/soak"), sessions: vec![1] };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{word} {value}: {e}"));
        match word.as_str() {
            "--rounds" => options.rounds = u32::try_from(number()?).map_err(|e| e.to_string())?,
            "--seed" => options.seed = number()?.max(1),
            "--sessions" => options.sessions = vec![u32::try_from(number()?).map_err(|e| e.to_string())?],
            "--out" => options.out = PathBuf::from(value),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(options)
}
