//! A disk slower than the line: the sender is held to its speed, nothing piles up in memory, and all of it arrives.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Scratch, Server, ServerOptions, processes, tree};
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 384 * MIB;
/// What the disk takes in a second.
const SPEED: u64 = 48 * MIB;
/// What may be sent and not yet written: windows, open units and those that wait for the disk.
const UNDERWAY: u64 = 128 * MIB;

/// Slows the disk below a folder for one process, until it is dropped.
struct Brake(PathBuf);

impl Brake {
    /// `None`, with a line that says so, where the kernel does not let us.
    fn on(folder: &Path, pid: u32) -> Option<Self> {
        let device = std::fs::metadata(folder).unwrap().dev();
        let number = |device| format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        // Limits are of whole disks: that of a partition is the folder around it.
        let own = std::fs::canonicalize(format!("/sys/dev/block/{}", number(device))).ok()?;
        let disk = if own.join("partition").exists() { own.parent()?.to_owned() } else { own };
        let disk = std::fs::read_to_string(disk.join("dev")).ok()?;
        let group = PathBuf::from(format!("/sys/fs/cgroup/blkio/godwit-test-{pid}"));
        let set = || {
            std::fs::create_dir(&group)?;
            std::fs::write(group.join("blkio.throttle.write_bps_device"), format!("{} {SPEED}", disk.trim()))?;
            std::fs::write(group.join("cgroup.procs"), pid.to_string())
        };
        match set() {
            Ok(()) => Some(Self(group)),
            Err(error) => {
                eprintln!("left out: no process can be slowed at its disk here ({}: {error})", group.display());
                None
            }
        }
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        // Processes that still run go back to the group above.
        for pid in std::fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
            let _ = std::fs::write("/sys/fs/cgroup/blkio/cgroup.procs", pid);
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_disk_slower_than_the_line_holds_the_sender_back_and_little_waits_in_memory() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let Some(_brake) = Brake::on(server.docroot(), server.pid()) else { return };
    let source = scratch.path("source/big.bin");
    tree::file(&source, SIZE, 3);
    processes::forget_peak(server.pid());
    let before = processes::resident(server.pid());
    let mut command = scratch.command("godwit");
    command.env("GODWIT_PASSWORD", server.password());
    command.args([
        "cp",
        "--json",
        "--data-port",
        &server.data.port().to_string(),
        "--fingerprint",
        &server.fingerprint,
    ]);
    command.arg(&source).arg(format!("{}@127.0.0.1:/", server.user()));
    let begin = std::time::Instant::now();
    let out = processes::output(&mut command, LONG);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let fastest = (SIZE / SPEED) as f64 * 0.6;
    let took = begin.elapsed().as_secs_f64();
    assert!(took > fastest, "the disk was not slowed, so this shows nothing: {took:.1} s");
    let lines = String::from_utf8(out.stdout).unwrap();
    let stats = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ahead = stats
        .filter(|event| event["type"] == "stats")
        .map(|event| {
            event["bytes_transferred"].as_u64().unwrap().saturating_sub(event["bytes_written"].as_u64().unwrap())
        })
        .max()
        .unwrap();
    assert!(ahead <= UNDERWAY, "{} MiB were sent and not written", ahead / MIB);
    let peak = processes::peak(server.pid()).saturating_sub(before);
    assert!(peak <= 150 * MIB, "the server took {} MiB", peak / MIB);
    tree::assert_same_file(&source, &server.docroot().join("big.bin"));
    println!("{took:.1} s, at most {} MiB ahead of the disk, {} MiB of memory", ahead / MIB, peak / MIB);
}
