//! What the measurements are told on the command line.

use crate::lines::Row;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Which way the content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// Settings of all measurements.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Rounds; the median is reported
    #[arg(long, global = true, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Only this line or task; may be repeated
    #[arg(long, global = true, value_name = "ROW")]
    pub(crate) row: Vec<String>,
    /// Godwit only this way [default: both]
    #[arg(long, global = true)]
    pub(crate) direction: Option<Direction>,
    /// Godwit alone
    #[arg(long, global = true)]
    pub(crate) no_peers: bool,
    /// A tenth of the sizes, one round, and peers are cut early: to see that all works, not to judge
    #[arg(long, global = true)]
    pub(crate) short: bool,
    /// Seconds after which a peer is cut; its goodput is that of what arrived till then
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    limit: u64,
    /// Size of the file that is moved over loopback, in MB
    #[arg(long, global = true, default_value_t = 4000)]
    megabytes: u32,
    /// Queue of the shared line, in milliseconds
    #[arg(long, global = true, value_name = "MS", default_value_t = 100)]
    pub(crate) queue: u32,
    /// Keep what the results file holds and measure only the rest
    #[arg(long = "continue", global = true)]
    pub(crate) go_on: bool,
    /// The results, written after every measurement [default: target/bench/PART.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The tables [default: target/bench/PART.md]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Where the files that are moved lie [default: target/bench]
    #[arg(long, global = true, value_name = "DIR")]
    work: Option<PathBuf>,
}

impl Options {
    /// What follows from `--short`.
    pub(crate) fn settled(mut self) -> Self {
        self.rounds = if self.short { 1 } else { self.rounds.max(1) };
        self
    }

    /// True if the row, or with no `--row` every one, shall be measured.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.row.is_empty() || self.row.iter().any(|row| row == id)
    }

    /// False for down, true for up.
    pub(crate) fn directions(&self) -> Vec<bool> {
        match self.direction {
            None => vec![false, true],
            Some(direction) => vec![direction == Direction::Up],
        }
    }

    /// When peers are cut.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(if self.short { self.limit.min(10) } else { self.limit })
    }

    /// The row with the size that is wanted; a line that changes needs its size.
    pub(crate) fn sized(&self, row: &Row) -> Row {
        let changes = !row.line.steps.is_empty() || row.line.black.is_some();
        let megabytes = if self.short && !changes { row.megabytes / 10 } else { row.megabytes };
        Row { megabytes, ..*row }
    }

    /// The size for loopback and memory, in MB.
    pub(crate) fn megabytes(&self) -> u32 {
        if self.short { self.megabytes / 10 } else { self.megabytes }
    }

    /// A number of files.
    pub(crate) fn files(&self, number: u32) -> u32 {
        if self.short { number / 10 } else { number }
    }

    /// A folder to work in, ours alone.
    pub(crate) fn folder(&self, part: &str) -> PathBuf {
        self.results().join(format!("{part}-{}", std::process::id()))
    }

    /// Where results go.
    pub(crate) fn results(&self) -> PathBuf {
        let folder = self.work.clone().unwrap_or_else(|| crate::contestants::target().join("bench"));
        std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        // Servers are told it, and they run elsewhere.
        folder.canonicalize().unwrap_or(folder)
    }
}
