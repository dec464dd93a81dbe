//! One measurement: a contestant copies something; what arrived is compared with its source outside the time.

use crate::contestants::{Contestant, Field};
use crate::journal::Values;
use crate::processes::{self, Run};
use godwit_tests::{scratch, tree};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// From so many files on, removing them is felt by who comes next.
const MANY: usize = 1000;

/// What came out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    /// The run.
    pub(crate) run: Run,
    /// Bytes of content that arrived: all, or those till it was cut.
    pub(crate) bytes: u64,
    /// The highest resident memory of `godwit-server` meanwhile, and what it has right afterwards.
    pub(crate) server_memory: (u64, u64),
}

impl Copied {
    /// The figures every part reports.
    pub(crate) fn values(&self) -> Values {
        let gigabytes = self.bytes as f64 / 1e9;
        Values::from([
            ("seconds".to_owned(), self.run.seconds),
            ("mbit".to_owned(), self.bytes as f64 * 8e-6 / self.run.seconds),
            ("cpu".to_owned(), self.run.cpu),
            ("cpu_per_gb".to_owned(), self.run.cpu / gigabytes.max(1e-9)),
        ])
    }

    /// What a reader must know.
    pub(crate) fn note(&self, limit: Duration) -> String {
        match (self.run.cut, self.run.success) {
            (true, _) => format!("cut after {} s", limit.as_secs()),
            (false, true) => String::new(),
            (false, false) => "failed".to_owned(),
        }
    }
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Every byte of every file.
    Bytes,
    /// The number of files and their sizes: where all files are empty.
    Count,
}

/// Copies `item` to the contestant's target and away again. `None` if the contestant is not there.
pub(crate) fn copy(field: &Field, who: &Contestant, item: &str, limit: Duration, compare: Compare) -> Option<Copied> {
    let target = who.target(field);
    empty(&target);
    let commands = who.commands(field, item)?;
    // What others still have to write shall not be paid by this one.
    let _ = Command::new("sync").status();
    let server = field.godwit.service.pid();
    processes::forget_highest(server);
    let run = processes::run(commands, &field.servers(), limit);
    let server_memory = (processes::highest_resident(server), godwit_tests::processes::resident(server));
    let whole = run.success && !run.cut;
    if whole {
        let (source, found) = (field.here.join(item), target.join(item));
        match compare {
            Compare::Bytes if source.is_file() => tree::assert_same_file(&source, &found),
            Compare::Bytes => tree::assert_same(&source, &found),
            Compare::Count => assert_eq!(tree::size(&source), tree::size(&found), "files are missing"),
        }
    }
    let bytes = arrived(&target);
    put_away(field, &target);
    Some(Copied { run, bytes, server_memory })
}

/// Bytes that really lie in files below a folder: of one that was only announced, those that were written.
fn arrived(folder: &Path) -> u64 {
    let files = scratch::files_below(folder);
    let sizes = files.iter().filter_map(|file| std::fs::metadata(file).ok());
    sizes.map(|m| m.len().min(m.blocks() * 512)).sum()
}

/// Clears the target. Of many files the removal waits until the field is given up: for minutes ext4 looks at each number of a
/// removed file before it gives a new file one, which the next contestant would pay for.
fn put_away(field: &Field, target: &Path) {
    if scratch::files_below(target).len() < MANY {
        return empty(target);
    }
    let place = (0..).map(|n| field.folder.join(format!("old-{n}"))).find(|place| !place.exists());
    std::fs::rename(target, place.expect("there are numbers enough")).unwrap();
    std::fs::create_dir_all(target).unwrap();
}

fn empty(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).unwrap();
}
