//! Benchmarks of the real programs against their peers, on the same machine and in the same run.
//!
//! **Purpose.** Figures that anybody can get again: `cargo run -p godwit-bench --release -- loopback` (and `memory`, `click`,
//! `sizes`, `all`). The programs measured are those of `GODWIT_BIN_DIR`, such as `dist/bin`; without it the release build
//! of this workspace. Results are a Markdown table on standard output and, with `--json FILE`, the same as JSON.
//!
//! **Must not know:** the insides of any room; like the process tests it drives the programs a user has.
//!
//! Rounds go over all contestants in turn, so that a busy minute of the machine hits all of them, and the median of the
//! rounds is reported. Every copy is compared with its source, outside the measured time.

#![allow(clippy::unwrap_used)]

mod click;
mod loopback;
mod memory;
mod nginx;
mod sizes;
mod table;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Measure Godwit against its peers
#[derive(Debug, Parser)]
struct Args {
    /// What to measure
    #[command(subcommand)]
    what: What,
    /// Size of the file that is moved, in MiB
    #[arg(long, global = true, default_value_t = 1024)]
    mebibytes: u64,
    /// Rounds; the median is reported
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Write the results to this file too, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The measurements.
#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// `godwit cp` over loopback against `cp` + `sha256sum` and against `curl` from nginx with TLS
    Loopback,
    /// Resident memory of host, agent, worker and server, at rest and in transfer
    Memory,
    /// Time from a page's start of a transfer to the first byte at the target
    Click,
    /// Sizes of the programs and of the extension's WebAssembly
    Sizes,
    /// All of these
    All,
}

fn main() {
    let args = Args::parse();
    let mut report = json!({"programs": godwit_tests::binaries::folder()});
    let bytes = args.mebibytes * 1024 * 1024;
    let rounds = args.rounds.max(1);
    let mut add = |name: &str, value: Value| {
        println!();
        report[name] = value;
    };
    if matches!(args.what, What::Loopback | What::All) {
        add("loopback", loopback::run(bytes, rounds));
    }
    if matches!(args.what, What::Memory | What::All) {
        add("memory", memory::run(bytes));
    }
    if matches!(args.what, What::Click | What::All) {
        add("click", click::run(rounds.max(5)));
    }
    if matches!(args.what, What::Sizes | What::All) {
        add("sizes", sizes::run());
    }
    if let Some(file) = args.json {
        std::fs::write(&file, format!("{report:#}\n")).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}
