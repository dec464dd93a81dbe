//! Benchmarks of the real programs against their peers, on the same machine and in the same run.
//!
//! **Purpose.** Figures that anybody can get again: `cargo xtask bench wan` (and `sharing`, `loopback`, `small-files`, `memory`,
//! `agent`, `server`, `click`, `sizes`). The programs measured are those of `GODWIT_BIN_DIR`, such as `dist/bin`; without it the build of this
//! workspace beside this program. Results are Markdown tables on standard output and in a file, and the same as JSON.
//! `docs/benchmarks.md` says what the columns mean.
//!
//! **Must not know:** the insides of any room; like the process tests it drives the programs a user has.
//!
//! Rounds go over all contestants in turn, so that a busy minute of the machine hits all of them, and the median of the
//! rounds is reported. Every copy is compared with its source, outside the measured time.

#![allow(clippy::unwrap_used)]

mod agent;
mod agent_memory;
mod click;
mod contestants;
mod copy;
mod journal;
mod lab;
mod lines;
mod loopback;
mod matrix;
mod memory;
mod node_api;
mod options;
mod processes;
mod report;
mod servers;
mod sharing;
mod sizes;
mod small_files;
mod table;

use clap::{Parser, Subcommand};
use journal::Journal;
use options::Options;
use report::Column;
use serde_json::{Value, json};

/// Measure Godwit against its peers
#[derive(Debug, Parser)]
struct Args {
    /// What to measure
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    options: Options,
}

/// The measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// One file over emulated wide-area lines, beside curl, aria2, rsync, scp and qcp (as root). Rows: near, long, lossy, fast,
    /// bad, satellite, shallow, deep, steps, black
    Wan,
    /// Two on one line: what each gets (as root). Rows: fair-cubic, fair-bbr, fair-fair, high-fair, low-cubic, low
    Sharing,
    /// One large file over loopback, beside curl, rsync, scp, qcp, sendme and cp
    Loopback,
    /// Many small files (the line as root). Rows: loopback, wan, empty
    SmallFiles,
    /// Resident memory at both ends (the line as root). Rows: wan, loopback, agent
    Memory,
    /// The agent: ten thousand transfers, twenty pages, and nothing to do. Rows: queue, idle
    Agent,
    /// The server's API: fifty clients that set transfers up, and a folder of 100,000 files. Rows: setup, browse
    Server,
    /// Time from a page's start of a transfer to the first byte at the target
    Click,
    /// Sizes of the programs and of the extension's WebAssembly
    Sizes,
}

/// A part whose measurements are kept in a [`Journal`].
struct Part {
    name: &'static str,
    columns: &'static [Column],
    estimate: fn(&Options) -> f64,
    run: fn(&Options, &mut Journal),
}

impl What {
    fn part(self) -> Option<Part> {
        Some(match self {
            Self::Wan => Part { name: "wan", columns: &matrix::COLUMNS, estimate: matrix::estimate, run: matrix::run },
            Self::Sharing => {
                Part { name: "sharing", columns: &sharing::COLUMNS, estimate: sharing::estimate, run: sharing::run }
            }
            Self::Loopback => {
                Part { name: "loopback", columns: &loopback::COLUMNS, estimate: loopback::estimate, run: loopback::run }
            }
            Self::SmallFiles => Part {
                name: "small-files",
                columns: &small_files::COLUMNS,
                estimate: small_files::estimate,
                run: small_files::run,
            },
            Self::Memory => {
                Part { name: "memory", columns: &memory::COLUMNS, estimate: memory::estimate, run: memory::run }
            }
            Self::Agent => Part { name: "agent", columns: &agent::COLUMNS, estimate: agent::estimate, run: agent::run },
            Self::Server => {
                Part { name: "server", columns: &node_api::COLUMNS, estimate: node_api::estimate, run: node_api::run }
            }
            Self::Click | Self::Sizes => return None,
        })
    }
}

fn main() {
    let Args { what, options } = Args::parse();
    let options = options.settled();
    processes::heed_signals();
    if let Some(part) = what.part() {
        return measure(&part, &options);
    }
    let result = if what == What::Click { click::run(options.rounds.max(5)) } else { sizes::run() };
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{result:#}\n")).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

fn measure(part: &Part, options: &Options) {
    let folder = options.results();
    let json_file = options.json.clone().unwrap_or_else(|| folder.join(format!("{}.json", part.name)));
    let markdown = options.markdown.clone().unwrap_or_else(|| folder.join(format!("{}.md", part.name)));
    eprintln!(
        "{}: about {:.0} minutes; results in {}",
        part.name,
        (part.estimate)(options) / 60.0,
        json_file.display()
    );
    let mut journal = Journal::open(&json_file, about(), options.go_on);
    (part.run)(options, &mut journal);
    let text = report::tables(journal.all(), part.name, part.columns);
    std::fs::write(&markdown, &text).unwrap_or_else(|e| panic!("{}: {e}", markdown.display()));
    println!("{text}");
}

/// What the figures depend on.
fn about() -> Value {
    let first = |file: &str, start: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find(|line| line.starts_with(start)).map(|line| line[start.len()..].trim().to_owned())
    };
    json!({
        "programs": godwit_tests::binaries::folder(),
        "kernel": first("/proc/sys/kernel/osrelease", ""),
        "processor": first("/proc/cpuinfo", "model name").map(|name| name.trim_start_matches([':', ' ']).to_owned()),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": first("/proc/meminfo", "MemTotal:"),
    })
}
