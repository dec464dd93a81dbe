//! Disks that fail under a transfer, at either end: full, without room for names, read-only, broken, taken away. The
//! session ends with the number that says so, nothing is claimed, and once the disk is well the next attempt completes
//! with what was there.

use super::MIB;
use crate::wait::LONG;
use crate::worker_pipe::start;
use crate::{Relay, Scratch, Server, ServerOptions, SmallDisk, WorkerPipe, tree};
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{Report, Stats};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Has room for half of the file.
    Full,
    /// Has room for bytes, but not for so many names.
    NoNames,
    /// Is mounted read-only.
    ReadOnly,
    /// Says that it has written, and at `fsync` that it has not.
    Broken,
    /// The folder is removed while files are written into it.
    Removed,
}

/// All of them.
pub const FAULTS: [Fault; 5] = [Fault::Full, Fault::NoNames, Fault::ReadOnly, Fault::Broken, Fault::Removed];

impl Fault {
    /// Where it can be shown: a broken disk must be unmounted, and a server keeps its folder open.
    #[must_use]
    pub fn directions(self) -> &'static [Direction] {
        if self == Self::Broken { &[Direction::Receive] } else { &[Direction::Send, Direction::Receive] }
    }

    /// The numbers that name it.
    fn codes(self) -> &'static [u16] {
        match self {
            Self::Full | Self::NoNames => &[25],
            Self::ReadOnly => &[26],
            // Which of the two depends on what the kernel makes of it.
            Self::Broken => &[25, 36],
            Self::Removed => &[4, 36, 64],
        }
    }
}

/// Bytes of the large file.
const SIZE: u64 = 24 * MIB;
/// Small files beside it.
const SMALL: u32 = 200;
const KBPS: u64 = 200_000;

struct Scene {
    direction: Direction,
    relay: Relay,
    server: Server,
    source: PathBuf,
    target: PathBuf,
    disk: SmallDisk,
    scratch: Scratch,
    attempt: u32,
}

impl Scene {
    /// `None` where this user may not mount.
    fn new(fault: Fault, direction: Direction) -> Option<Self> {
        let scratch = Scratch::new();
        // The disk that fails holds the receiver's folder.
        let place = match direction {
            Direction::Send => scratch.path("docroot"),
            Direction::Receive => scratch.path("here"),
        };
        let disk = match fault {
            Fault::Full => SmallDisk::mount(&place, 12)?,
            Fault::NoNames => SmallDisk::mount_with(&place, "size=96m,nr_inodes=100")?,
            Fault::Broken => SmallDisk::broken(&place, &scratch.folder("behind"), 12)?,
            Fault::ReadOnly | Fault::Removed => SmallDisk::mount(&place, 96)?,
        };
        let server = Server::start(&scratch, ServerOptions::default());
        let relay = Relay::to(server.data);
        let (here, there) = (scratch.folder("here"), server.docroot().to_owned());
        let (source, target) = match direction {
            Direction::Send => (scratch.path("source/tree"), there.join("in/tree")),
            Direction::Receive => (there.join("tree"), here.join("in/tree")),
        };
        tree::file(&source.join("big.bin"), SIZE, 8);
        for n in 0..SMALL {
            tree::file(&source.join(format!("small/{n}")), u64::from(n), u64::from(n));
        }
        Some(Self { direction, relay, server, source, target, disk, scratch, attempt: 0 })
    }

    fn worker(&mut self) -> WorkerPipe {
        self.attempt += 1;
        let mut job = match self.direction {
            Direction::Send => {
                let source = self.source.to_str().unwrap();
                start(&self.server, &self.relay, Direction::Send, source, Path::new("in"), KBPS)
            }
            Direction::Receive => {
                let folder = self.target.parent().unwrap();
                start(&self.server, &self.relay, Direction::Receive, "tree", folder, KBPS)
            }
        };
        job.attempt = self.attempt;
        WorkerPipe::started(&self.scratch, job)
    }

    /// What stands under final names is whole.
    fn assert_nothing_torn(&self) {
        let big = self.target.join("big.bin");
        if big.exists() {
            tree::assert_same_file(&self.source.join("big.bin"), &big);
        }
        for n in 0..SMALL {
            let small = self.target.join(format!("small/{n}"));
            if small.exists() {
                tree::assert_same_file(&self.source.join(format!("small/{n}")), &small);
            }
        }
    }
}

/// One fault at the receiver of a transfer in this direction, then the cure.
#[must_use]
pub fn disk(fault: Fault, direction: Direction) -> Value {
    let Some(mut scene) = Scene::new(fault, direction) else { return json!("skipped: no right to mount") };
    if fault == Fault::ReadOnly {
        scene.disk.read_only(true);
    }
    let mut worker = scene.worker();
    if fault == Fault::Removed {
        worker.until_written(SIZE / 4, LONG);
        std::fs::remove_dir_all(scene.target.parent().unwrap()).unwrap();
    }
    let (end, stats, status) = worker.until_end(LONG);
    let codes = codes(&end);
    assert!(!matches!(end, Report::Done(_)), "{fault:?}: it claims to be done");
    let named = codes.iter().any(|code| fault.codes().contains(code));
    // Part of a tree may have arrived; then the session says 27, and each file its own number.
    assert!(named || codes.contains(&27), "{fault:?}: {end:?}");
    assert!(matches!(status.code(), Some(0..=100)), "{status}");
    scene.assert_nothing_torn();
    match fault {
        Fault::Full | Fault::Broken => scene.disk.grow(160),
        Fault::NoNames => scene.disk.grow_names(10_000),
        Fault::ReadOnly => scene.disk.read_only(false),
        Fault::Removed => {}
    }
    let mut worker = scene.worker();
    let (end, again, _) = worker.until_end(LONG);
    assert!(matches!(end, Report::Done(_)), "{fault:?}, after the cure: {end:?}");
    tree::assert_same(&scene.source, &scene.target);
    if fault == Fault::Broken {
        // After a flush that failed the kernel's cache shows what the disk does not have. Nobody may be taken in by it.
        scene.disk.forget_cache();
        tree::assert_same(&scene.source, &scene.target);
    }
    figures(fault, &codes, &stats, &again)
}

fn codes(end: &Report) -> Vec<u16> {
    match end {
        Report::Error(failure) => vec![failure.code.number()],
        _ => Vec::new(),
    }
}

fn figures(fault: Fault, codes: &[u16], first: &Stats, again: &Stats) -> Value {
    json!({
        "fault": format!("{fault:?}"), "codes": codes, "carried_first": first.bytes_transferred,
        "carried_after_the_cure": again.bytes_transferred,
    })
}

/// The long form.
#[must_use]
pub fn long(rounds: u32) -> Vec<super::Outcome> {
    let mut outcomes = Vec::new();
    for _ in 0..rounds {
        for fault in FAULTS {
            for &direction in fault.directions() {
                outcomes.push(super::Outcome::of(&format!("disk {fault:?} {direction:?}"), || disk(fault, direction)));
            }
        }
    }
    outcomes
}
