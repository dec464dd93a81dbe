//! Sessions that are cut, and what the next one sends.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Client, Relay, Server, content, rate, run, snapshot, tree};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Command, Failure, FileOutcome, Report};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 64 * MIB + 100;
/// What may have been under way, unverified, when the cut came.
const IN_FLIGHT: u64 = 24 * MIB;

fn units_told(journal: &Path) -> u64 {
    (journal.metadata().unwrap().len() - 64) / 48
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_in_mid_upload_goes_on_from_the_last_verified_unit() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(1, SIZE as usize)).unwrap();
    let server = Server::start(&docroot);
    let mut job = server.upload(&source);
    job.rate = rate(400_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 16 * MIB).await;
    client.kill().await;
    assert!(!docroot.join("big").exists());
    job.attempt = 2;
    let stats = run(job).await.unwrap();
    assert!(stats.bytes_transferred <= SIZE - 16 * MIB, "{stats:?}");
    assert!(stats.bytes_on_wire < SIZE - 16 * MIB + IN_FLIGHT, "{stats:?}");
    assert_eq!(stats.bytes_written, SIZE);
    assert_eq!(snapshot(&docroot).len(), 1, "nothing but the file is left");
    assert_eq!(std::fs::read(docroot.join("big")).unwrap(), std::fs::read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cut_in_mid_download_goes_on_and_a_damaged_unit_alone_comes_again() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(docroot.join("big"), content(2, SIZE as usize)).unwrap();
    let server = Server::start(&docroot);
    let mut job = server.download("big", &back);
    job.rate = rate(400_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 16 * MIB).await;
    client.commands.as_ref().unwrap().send(Command::Stop).await.unwrap();
    let (result, _) = client.end().await;
    assert_eq!(result.unwrap_err().code, ErrorCode::UserCancel);
    let [partial, journal] = ["big.partial", "big.aspera-ckpt"].map(|n| back.join(n));
    let told = units_told(&journal);
    assert!(told >= 16 && !back.join("big").exists());
    // A bit flips in a unit that is told of, and the journal loses its last bytes.
    let bytes = std::fs::read(&journal).unwrap();
    let unit = u64::from_le_bytes(bytes[64 + 48 * 3..64 + 48 * 3 + 8].try_into().unwrap());
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&partial).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, unit * MIB + 77).unwrap();
    file.write_all_at(&[byte[0] ^ 4], unit * MIB + 77).unwrap();
    std::fs::write(&journal, &bytes[..bytes.len() - 5]).unwrap();
    let (result, reports) = Client::start(job).end().await;
    let stats = result.unwrap();
    let kept = told - 2;
    assert!(stats.bytes_transferred <= SIZE - (kept - 1) * MIB, "{told} {stats:?}");
    assert!(stats.bytes_transferred >= SIZE - kept * MIB - MIB, "{told} {stats:?}");
    let file = reports.iter().find_map(|r| match r {
        Report::File(f) => Some(f),
        _ => None,
    });
    let file = file.unwrap();
    let hash = blake3::hash(&std::fs::read(docroot.join("big")).unwrap()).to_hex().to_string();
    assert_eq!((file.outcome, file.blake3.as_deref()), (FileOutcome::Completed, Some(hash.as_str())));
    assert_eq!(snapshot(&back), snapshot(&docroot));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_server_is_gone_the_upload_goes_on_at_its_successor() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    let source = temp.path().join("source");
    std::fs::create_dir(&docroot).unwrap();
    tree(&source, 300, SIZE as usize);
    let server = Server::start(&docroot);
    let mut job = server.upload(&source);
    // Slow enough that the small files' group is settled, on a busy disk too, long before the large file ends.
    job.rate = rate(100_000);
    let mut client = Client::start(job.clone());
    let before = client.until(|s| s.bytes_written >= 16 * MIB && s.files_completed > 100).await;
    server.kill();
    client.kill().await;
    let server = Server::start(&docroot);
    let again = server.upload(&source);
    let stats = run(again).await.unwrap();
    assert!(stats.bytes_transferred <= stats.bytes_expected - before.bytes_written, "{before:?} {stats:?}");
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanished_without_a_word_does_not_block_its_next_attempt() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(3, SIZE as usize)).unwrap();
    let server = Server::start(&docroot);
    // The relay goes away with all packets, as a killed client does.
    let relay = Relay::start(server.address, 0).await;
    let mut job = server.upload(&source);
    job.rate = rate(200_000);
    let mut through = job.clone();
    through.server.data_port = relay.address.port();
    let mut client = Client::start(through.clone());
    client.until(|s| s.bytes_written >= 8 * MIB).await;
    drop(relay);
    // The same transfer's next attempt takes over at once …
    let mut next = job.clone();
    next.attempt = 2;
    let relay = Relay::start(server.address, 0).await;
    next.server.data_port = relay.address.port();
    let mut second = Client::start(next);
    second.until(|s| s.bytes_written >= 16 * MIB).await;
    drop(relay);
    // … and another transfer of the same file after a silence.
    job.transfer_id = "another".into();
    let stats = run(job).await.unwrap();
    assert!(stats.bytes_transferred <= SIZE - 16 * MIB, "{stats:?}");
    assert_eq!(std::fs::read(docroot.join("big")).unwrap(), std::fs::read(&source).unwrap());
    client.kill().await;
    second.kill().await;
    assert_eq!(snapshot(&docroot).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_files_with_the_names_of_partials_are_never_touched() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(4, 5_000_000)).unwrap();
    for name in ["big.partial", "big.2.aspera-ckpt"] {
        std::fs::write(docroot.join(name), name).unwrap();
    }
    let server = Server::start(&docroot);
    let mut job = server.upload(&source);
    job.rate = rate(16_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 2 * MIB).await;
    client.kill().await;
    assert!(docroot.join("big.3.partial").exists());
    job.attempt = 2;
    let stats = run(job).await.unwrap();
    assert!(stats.bytes_transferred <= 5_000_000 - 2 * MIB);
    for name in ["big.partial", "big.2.aspera-ckpt"] {
        assert_eq!(std::fs::read_to_string(docroot.join(name)).unwrap(), name);
    }
    assert_eq!(snapshot(&docroot).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changed_between_attempts_is_sent_anew() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(5, 5_000_000)).unwrap();
    let server = Server::start(&docroot);
    let mut job = server.upload(&source);
    job.rate = rate(16_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 2 * MIB).await;
    client.kill().await;
    std::fs::write(&source, content(6, 5_000_000)).unwrap();
    job.attempt = 2;
    assert_eq!(run(job).await.unwrap().bytes_transferred, 5_000_000);
    assert_eq!(snapshot(&docroot).len(), 1);
    assert_eq!(std::fs::read(docroot.join("big")).unwrap(), std::fs::read(&source).unwrap());
}

/// A small file system of its own, gone with this value.
struct SmallDisk(tempfile::TempDir);

fn command(name: &str, arguments: &[&str], at: &Path) -> bool {
    std::process::Command::new(name).args(arguments).arg(at).status().is_ok_and(|s| s.success())
}

impl SmallDisk {
    /// `None` without the privilege to mount.
    fn new(bytes: u64) -> Option<Self> {
        let temp = tempfile::tempdir().unwrap();
        let options = format!("size={bytes}");
        command("mount", &["-t", "tmpfs", "-o", &options, "none"], temp.path()).then_some(Self(temp))
    }

    fn grow(&self, bytes: u64) {
        assert!(command("mount", &["-o", &format!("remount,size={bytes}")], self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        command("umount", &["-l"], self.0.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_error_25_on_either_side_and_nothing_is_lost() {
    let Some(disk) = SmallDisk::new(20 * MIB) else {
        let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
        assert_ne!(uid, 0, "root must be able to mount, or this shows nothing");
        eprintln!("skipped: mounting needs root");
        return;
    };
    let temp = tempfile::tempdir().unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(9, 40 * MIB as usize)).unwrap();
    let full = |result: Result<_, Failure>| assert_eq!(result.map(drop).unwrap_err().code, ErrorCode::NoSpace);
    // The server is full.
    let server = Server::start(disk.0.path());
    full(run(server.upload(&source)).await.map(|s| s.bytes_written));
    assert!(!disk.0.path().join("big").exists());
    assert!(units_told(&disk.0.path().join("big.aspera-ckpt")) >= 8);
    // The client is full; then space appears and the rest comes.
    server.drain().await;
    let server = Server::start(temp.path());
    full(run(server.download("big", disk.0.path())).await.map(|s| s.bytes_written));
    assert!(!disk.0.path().join("big").exists());
    let kept = units_told(&disk.0.path().join("big.aspera-ckpt"));
    disk.grow(60 * MIB);
    let stats = run(server.download("big", disk.0.path())).await.unwrap();
    assert!(stats.bytes_transferred <= (40 - kept) * MIB + MIB, "{kept} {stats:?}");
    assert_eq!(std::fs::read(disk.0.path().join("big")).unwrap(), std::fs::read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_tells_clients_at_once_that_their_sessions_are_gone() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    std::fs::write(&source, content(10, 30_000_000)).unwrap();
    let server = Server::start(&docroot);
    let relay = Relay::start(server.address, 0).await;
    let mut job = server.upload(&source);
    job.server.data_port = relay.address.port();
    job.rate = rate(40_000);
    let mut client = Client::start(job);
    client.until(|s| s.bytes_written >= MIB).await;
    let successor = server.successor(&docroot);
    relay.server.send(successor.address).unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), client.end()).await;
    assert_eq!(ended.expect("the client waits").0.unwrap_err().code, ErrorCode::ConnectionLost);
}
