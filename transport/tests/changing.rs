//! Sources that change while they are sent: what arrives is one version, never a mixture.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::ends::Ends;
use common::{Client, content, rate, snapshot};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{FileOutcome, FileReport, Report, Stats};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// Large enough that a sender, which reads ahead of the line, has not read all when the change comes.
const SIZE: u64 = 40 * MIB;
/// What may have been on its way when a change was seen: as much as the receiver's window takes, on a machine that pauses.
const IN_FLIGHT: u64 = 24 * MIB;

fn reports(all: Vec<Report>) -> Vec<FileReport> {
    all.into_iter().filter_map(|r| if let Report::File(file) = r { Some(file) } else { None }).collect()
}

/// Sends a file at 160 Mbit/s and changes it after some of it has arrived.
async fn sent_while(ends: &Ends, change: impl Fn(&Path)) -> (Stats, Vec<FileReport>) {
    std::fs::write(ends.source("big"), content(1, SIZE as usize)).unwrap();
    let mut job = ends.job(&["big"]);
    job.rate = rate(160_000);
    let mut client = Client::start(job);
    client.until(|s| s.bytes_written >= 3 * MIB).await;
    change(&ends.source("big"));
    let (result, all) = client.end().await;
    let stats = result.unwrap();
    assert_eq!(snapshot(&ends.target()), [("big".into(), Some(hash(&ends.source("big"))))].into());
    let files = reports(all);
    assert_eq!(files.iter().map(|f| f.outcome).collect::<Vec<_>>(), [FileOutcome::Completed]);
    assert_eq!(files[0].blake3.as_deref(), Some(hash(&ends.source("big")).to_hex().as_str()));
    let size = std::fs::metadata(ends.source("big")).unwrap().len();
    assert_eq!((stats.bytes_expected, stats.bytes_written), (size, size));
    assert_eq!((stats.files_expected, stats.files_completed, stats.files_failed), (1, 1, 0));
    (stats, files)
}

fn hash(path: &Path) -> blake3::Hash {
    blake3::hash(&std::fs::read(path).unwrap())
}

fn append(path: &Path, bytes: &[u8]) {
    std::fs::File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_what_is_appended_meanwhile_arrives_too_and_little_is_sent_twice() {
    for ends in Ends::both() {
        let (stats, _) = sent_while(&ends, |path| append(path, &content(2, 3 * MIB as usize + 5))).await;
        // What was on its way when the change was seen comes twice, not what had arrived.
        assert!(stats.bytes_transferred < SIZE + 3 * MIB + 5 + IN_FLIGHT, "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_file_that_is_cut_meanwhile_arrives_short() {
    for ends in Ends::both() {
        for size in [5 * MIB + 7, MIB, 100, 0] {
            sent_while(&ends, |path| {
                std::fs::File::options().write(true).open(path).unwrap().set_len(size).unwrap();
            })
            .await;
            std::fs::remove_file(ends.target().join("big")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_rewritten_in_place_arrives_in_its_last_version_whatever_its_time_says() {
    for ends in Ends::both() {
        sent_while(&ends, |path| {
            let time = std::fs::metadata(path).unwrap().modified().unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            // One byte at the front, which has arrived, and one at the end, which has not.
            file.write_all_at(b"#", 5).unwrap();
            file.write_all_at(b"#", SIZE - 5).unwrap();
            file.set_modified(time).unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_replaced_under_its_name_arrives_as_the_new_one() {
    for ends in Ends::both() {
        sent_while(&ends, |path| {
            let new = path.with_extension("new");
            std::fs::write(&new, content(3, SIZE as usize)).unwrap();
            std::fs::rename(new, path).unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_alone_does_not_send_everything_again() {
    for ends in Ends::both() {
        let (stats, _) = sent_while(&ends, |path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        })
        .await;
        assert!(stats.bytes_transferred < SIZE + IN_FLIGHT, "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_rests_or_vanishes_fails_by_itself_and_leaves_no_mixture() {
    for ends in Ends::both() {
        for (name, size) in [("busy", SIZE), ("gone", SIZE), ("calm", 30)] {
            std::fs::write(ends.source(name), content(size, size as usize)).unwrap();
        }
        for name in ["busy", "gone"] {
            std::fs::write(ends.target().join(name), "old").unwrap();
        }
        let mut job = ends.job(&["busy", "gone", "calm"]);
        job.rate = rate(160_000);
        let mut client = Client::start(job);
        client.until(|s| s.bytes_written >= MIB).await;
        let stop = Arc::new(AtomicBool::new(false));
        let busy = std::thread::spawn({
            let (path, stop) = (ends.source("busy"), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    append(&path, b"more");
                    std::thread::park_timeout(Duration::from_millis(5));
                }
            }
        });
        std::fs::remove_file(ends.source("gone")).unwrap();
        let (result, all) = client.end().await;
        stop.store(true, Ordering::Relaxed);
        busy.join().unwrap();
        assert_eq!(result.unwrap_err().code, ErrorCode::SomeFilesFailed);
        let mut files = reports(all);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        // What was told of the calm one, the wait for the first bytes may have taken.
        files.retain(|f| f.path != "calm");
        let codes: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.error.as_ref().map(|e| e.code))).collect();
        assert_eq!(codes, [("busy", Some(ErrorCode::DiskRead)), ("gone", Some(ErrorCode::NoSuchFile))]);
        assert_eq!(std::fs::read(ends.target().join("calm")).unwrap(), content(30, 30));
        assert!(files[0].error.as_ref().unwrap().message.contains("keeps changing"));
        for name in ["busy", "gone"] {
            assert_eq!(std::fs::read(ends.target().join(name)).unwrap(), b"old");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_rewritten_again_and_again_arrives_as_one_version() {
    for ends in Ends::both() {
        let version = |n: u8| vec![n; 40 * MIB as usize + 9];
        std::fs::write(ends.source("big"), version(0)).unwrap();
        let mut job = ends.job(&["big"]);
        job.rate = rate(200_000);
        let client = Client::start(job);
        let path = ends.source("big");
        let writer = std::thread::spawn(move || {
            for n in 1..=3 {
                std::thread::park_timeout(Duration::from_millis(90));
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                for (at, part) in version(n).chunks(MIB as usize).enumerate() {
                    file.write_all_at(part, at as u64 * MIB).unwrap();
                }
            }
        });
        client.end().await.0.unwrap();
        writer.join().unwrap();
        let arrived = std::fs::read(ends.target().join("big")).unwrap();
        assert_eq!(arrived.len(), version(0).len());
        assert!(arrived.iter().all(|byte| *byte == arrived[0]), "a mixture of versions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_that_change_under_the_hand_arrive_whole() {
    for ends in Ends::both() {
        let names: Vec<String> = (0..2_000).map(|n| format!("f{n:04}")).collect();
        for name in &names {
            std::fs::write(ends.source(name), content(1, 20_000)).unwrap();
        }
        let mut job = ends.job(&names.iter().map(String::as_str).collect::<Vec<_>>());
        job.rate = rate(80_000);
        let mut client = Client::start(job);
        client.until(|s| s.bytes_written > 0).await;
        for name in &names {
            std::fs::write(ends.source(name), content(2, 15_000)).unwrap();
        }
        let stats = client.end().await.0.unwrap();
        assert_eq!((stats.files_expected, stats.files_completed, stats.files_failed), (2_000, 2_000, 0));
        let (old, new) = (blake3::hash(&content(1, 20_000)), blake3::hash(&content(2, 15_000)));
        let found = snapshot(&ends.target());
        assert_eq!(found.len(), 2_000);
        assert!(found.values().all(|hash| *hash == Some(old) || *hash == Some(new)));
        assert!(found.values().any(|hash| *hash == Some(new)));
    }
}
