//! Encryption at rest through real sessions: what is stored, what a broken session leaves, and what becomes of a download.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod raw;

use common::{Client, Gate, Server, content, rate, run, snapshot};
use godwit_protection::Opener;
use godwit_protocol::spec::{ContentProtection, OverwritePolicy, ResumePolicy};
use godwit_protocol::wire::{Control, SegmentHead, UNIT};
use godwit_protocol::worker::{Protection, Report, Start, Unlock, Unlocked};
use godwit_protocol::{ErrorCode, Secret};
use godwit_transport::hash::unit_value;
use godwit_transport::server::ServerOptions;
use raw::Raw;
use serde_json::json;
use std::fs::{create_dir, read, write};
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 40 * MIB + 100;

fn protect(job: &mut Start, mode: ContentProtection, passphrase: &str) {
    let scope = job.transfer_id.clone();
    job.protection = Some(Protection { mode, passphrase: Secret::new(passphrase), scope });
}

fn encrypting(mut job: Start) -> Start {
    protect(&mut job, ContentProtection::Encrypt, "swordfish");
    job
}

fn decrypting(mut job: Start, passphrase: &str) -> Start {
    protect(&mut job, ContentProtection::Decrypt, passphrase);
    job
}

fn opened(file: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    Opener::new(&Secret::new("swordfish")).open(&read(file).unwrap()[..], &mut out).unwrap();
    out
}

async fn unlocked(job: Start) -> Unlocked {
    let (result, reports) = Client::start(job).end().await;
    result.unwrap();
    let found = reports.into_iter().find_map(|report| match report {
        Report::Unlocked(unlocked) => Some(unlocked),
        _ => None,
    });
    found.unwrap()
}

struct Place {
    temp: tempfile::TempDir,
    docroot: PathBuf,
    back: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let [docroot, back] = ["docroot", "back"].map(|name| temp.path().join(name));
        create_dir(&docroot).unwrap();
        create_dir(&back).unwrap();
        Self { temp, docroot, back }
    }

    /// Files of all sizes at the borders of chunks and units, in folders.
    fn tree(&self) -> PathBuf {
        let tree = self.temp.path().join("trip");
        std::fs::create_dir_all(tree.join("day 1/empty")).unwrap();
        for (number, size) in [0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 3_000_000].into_iter().enumerate() {
            write(tree.join(format!("day 1/file {number}.dat")), content(number as u64, size)).unwrap();
        }
        write(tree.join("letter.age"), b"its own name ends so").unwrap();
        tree
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_stored_encrypted_and_comes_back_as_it_was() {
    let place = Place::new();
    let tree = place.tree();
    let server = Server::start(&place.docroot);
    let mut up = encrypting(server.upload(&tree));
    up.options.preserve_times = true;
    run(up).await.unwrap();
    for number in 0..8 {
        let name = format!("day 1/file {number}.dat");
        let stored = place.docroot.join("trip").join(format!("{name}.age"));
        assert!(read(&stored).unwrap().starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert_eq!(opened(&stored), read(tree.join(&name)).unwrap(), "{name}");
    }
    assert_eq!(std::fs::read_dir(place.docroot.join("trip/day 1")).unwrap().count(), 9, "and nothing in clear");
    let mut down = decrypting(server.download("trip", &place.back), "swordfish");
    down.options.preserve_times = true;
    let told = unlocked(down).await;
    assert_eq!(told, Unlocked { opened: 9, ..Unlocked::default() });
    assert_eq!(snapshot(&place.back.join("trip")), snapshot(&tree));
    let time = |path: PathBuf| path.metadata().unwrap().modified().unwrap();
    assert_eq!(time(place.back.join("trip/letter.age")), time(tree.join("letter.age")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_upload_goes_on_where_it_was_cut() {
    let place = Place::new();
    let source = place.temp.path().join("big");
    write(&source, content(1, SIZE as usize)).unwrap();
    let server = Server::start(&place.docroot);
    let mut job = encrypting(server.upload(&source));
    job.rate = rate(400_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 16 * MIB).await;
    client.kill().await;
    job.attempt = 2;
    let stats = run(job.clone()).await.unwrap();
    assert!(stats.bytes_transferred <= SIZE + MIB - 16 * MIB, "{stats:?}");
    assert_eq!(opened(&place.docroot.join("big.age")), read(&source).unwrap());
    assert_eq!(snapshot(&place.docroot).len(), 1, "nothing but the file is left");

    // Changed meanwhile: the next attempt has another key for it, and nothing of the one before.
    let mut job = encrypting(server.upload(&source));
    (job.destination_root, job.create_dir) = ("again".into(), true);
    job.rate = rate(400_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 16 * MIB).await;
    client.kill().await;
    write(&source, content(2, SIZE as usize)).unwrap();
    job.attempt = 2;
    run(job).await.unwrap();
    assert_eq!(opened(&place.docroot.join("again/big.age")), read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_carry_one_encrypted_file() {
    let place = Place::new();
    let source = place.temp.path().join("big");
    write(&source, content(3, SIZE as usize)).unwrap();
    let server = Server::start(&place.docroot);
    let mut job = encrypting(server.upload(&source));
    job.sessions = 3;
    run(job).await.unwrap();
    assert_eq!(opened(&place.docroot.join("big.age")), read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_passphrase_the_files_stay_encrypted_and_the_transfer_is_no_failure() {
    let place = Place::new();
    let tree = place.tree();
    let server = Server::start(&place.docroot);
    run(encrypting(server.upload(&tree))).await.unwrap();
    write(place.docroot.join("trip/plain.txt"), b"never was encrypted").unwrap();
    write(place.docroot.join("trip/odd.age"), b"is not what its name says").unwrap();
    let told = unlocked(decrypting(server.download("trip", &place.back), "sawfish")).await;
    assert_eq!((told.opened, told.kept, told.wrong_passphrase), (0, 10, true), "{told:?}");
    assert!(told.why.unwrap().contains(": the passphrase is wrong"));
    assert_eq!(snapshot(&place.back.join("trip")), snapshot(&place.docroot.join("trip")));
    // The same again with the right one: nothing has to come a second time.
    let mut job = decrypting(server.download("trip", &place.back), "swordfish");
    job.options.overwrite = OverwritePolicy::Diff;
    let (result, reports) = Client::start(job).end().await;
    assert_eq!(result.unwrap().bytes_transferred, 0);
    let told =
        reports.into_iter().find_map(|r| if let Report::Unlocked(told) = r { Some(told) } else { None }).unwrap();
    assert_eq!((told.opened, told.kept, told.wrong_passphrase), (9, 1, false), "{told:?}");
    assert_eq!(
        told.why.as_deref(),
        Some("trip/odd.age: the file is not encrypted with a passphrase in the age format")
    );
    assert_eq!(read(place.back.join("trip/letter.age")).unwrap(), b"its own name ends so");
    assert_eq!(read(place.back.join("trip/odd.age")).unwrap(), b"is not what its name says");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_is_never_replaced_by_a_decrypted_one() {
    let place = Place::new();
    let source = place.temp.path().join("film.mov");
    write(&source, b"the film").unwrap();
    let server = Server::start(&place.docroot);
    run(encrypting(server.upload(&source))).await.unwrap();
    let fetch = || unlocked(decrypting(server.download("film.mov.age", &place.back), "swordfish"));
    let names = || snapshot(&place.back).into_keys().collect::<Vec<_>>();
    fetch().await;
    assert_eq!(names(), ["film.mov"]);
    // The same content again, as after a kill between the steps: one file is enough.
    fetch().await;
    assert_eq!(names(), ["film.mov"]);
    write(place.back.join("film.mov"), b"my own").unwrap();
    fetch().await;
    assert_eq!(names(), ["film (decrypted).mov", "film.mov"]);
    write(place.back.join("film (decrypted).mov"), b"also mine").unwrap();
    fetch().await;
    assert_eq!(names(), ["film (decrypted 2).mov", "film (decrypted).mov", "film.mov"]);
    assert_eq!(read(place.back.join("film.mov")).unwrap(), b"my own");
    assert_eq!(read(place.back.join("film (decrypted 2).mov")).unwrap(), b"the film");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_there_encrypted_is_decrypted_later_as_far_as_it_is_still_there() {
    let place = Place::new();
    let tree = place.tree();
    let server = Server::start(&place.docroot);
    run(encrypting(server.upload(&tree))).await.unwrap();
    run(server.download("trip", &place.back)).await.unwrap();
    let trip = place.back.join("trip");
    // One is gone, one was decrypted by somebody who was interrupted before he took the encrypted one away.
    std::fs::remove_file(trip.join("day 1/file 3.dat.age")).unwrap();
    write(trip.join("day 1/file 5.dat"), read(tree.join("day 1/file 5.dat")).unwrap()).unwrap();
    let mut paths: Vec<String> = (0..8).map(|number| format!("trip/day 1/file {number}.dat.age")).collect();
    paths.extend(["trip/letter.age.age", "../outside.age", "/etc/passwd.age"].map(str::to_owned));
    let unlock = |passphrase: &str| {
        let folder = place.back.to_str().unwrap().to_owned();
        let unlock = Unlock { folder, paths: paths.clone(), passphrase: Secret::new(passphrase) };
        let (reports_in, mut reports) = tokio::sync::mpsc::channel(1_000);
        let (commands, heard) = tokio::sync::mpsc::channel(1);
        async move {
            let result = godwit_transport::unlock::run(unlock, reports_in, heard).await;
            drop(commands);
            let mut told = None;
            while let Some(report) = reports.recv().await {
                if let Report::Unlocked(unlocked) = report {
                    told = Some(unlocked);
                }
            }
            (result, told)
        }
    };
    let (result, told) = unlock("sawfish").await;
    let told = told.unwrap();
    assert_eq!((told.opened, told.kept, told.wrong_passphrase), (0, 8, true), "{told:?}");
    assert!(result.unwrap().bytes_expected > 4 * MIB);
    let (result, told) = unlock("swordfish").await;
    let stats = result.unwrap();
    assert_eq!((stats.bytes_written, told.unwrap().opened), (stats.bytes_expected, 8));
    write(trip.join("day 1/file 3.dat"), read(tree.join("day 1/file 3.dat")).unwrap()).unwrap();
    assert_eq!(snapshot(&trip), snapshot(&tree));
    // Once more: nothing is there.
    let (result, told) = unlock("swordfish").await;
    assert_eq!((result.unwrap().bytes_expected, told), (0, Some(Unlocked::default())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_moves() {
    let place = Place::new();
    let source = place.temp.path().join("a");
    write(&source, b"a").unwrap();
    let server = Server::start(&place.docroot);
    for (mode, passphrase) in [
        (ContentProtection::Decrypt, "x".to_owned()),
        (ContentProtection::Encrypt, String::new()),
        (ContentProtection::Encrypt, "x".repeat(4097)),
    ] {
        let mut job = server.upload(&source);
        protect(&mut job, mode, &passphrase);
        assert_eq!(run(job).await.unwrap_err().code, ErrorCode::Usage);
    }
    assert_eq!(snapshot(&place.docroot).len(), 0);
}

/// A server that takes encrypted files only.
fn strict(docroot: &Path) -> Server {
    Server::with(Gate { root: docroot.to_owned(), encrypted_only: true, ..Gate::default() }, ServerOptions::default())
}

fn file(path: PathBuf, content: &[u8]) -> PathBuf {
    write(&path, content).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_encrypted_files_are_taken_others_are_refused_one_by_one_and_nothing_of_them_is_kept() {
    let place = Place::new();
    let server = strict(&place.docroot);
    run(encrypting(server.upload(&place.tree()))).await.unwrap();
    assert_eq!(snapshot(&place.docroot).values().flatten().count(), 9);
    let before = snapshot(&place.docroot);
    let lie = |name: &str, size: usize| file(place.temp.path().join(name), &content(3, size));
    let begin = [b"age-encryption.org/v2\n", &content(4, 3_000_000)[..]].concat();
    for (source, why) in [
        (lie("plain.txt", 100), "by its name"),
        (lie("large.mov", 9_000_000), "by its name"),
        (lie("x.age", 100), "by its content"),
        (lie("short.age", 5), "too short"),
        (lie("empty.age", 0), "empty"),
        (lie("large.age", 9_000_000), "by the content of its first unit"),
        (lie(".age", 100), "nothing but the ending"),
        (file(place.temp.path().join("v2.age"), &begin), "another format"),
    ] {
        let refused = run(server.upload(&source)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::FileEncryption, "{why}: {refused:?}");
        assert!(refused.message.contains("encrypted files only: send with a passphrase"), "{refused:?}");
        assert_eq!(snapshot(&place.docroot), before, "{why}");
    }
    // In one session: what is encrypted already arrives, the rest is told by name.
    let mixed = place.temp.path().join("mixed");
    create_dir(&mixed).unwrap();
    std::fs::copy(place.docroot.join("trip/day 1/file 7.dat.age"), mixed.join("good.age")).unwrap();
    write(mixed.join("bad.txt"), b"plain").unwrap();
    write(mixed.join("bad.age"), content(5, 9_000_000)).unwrap();
    let refused = run(server.upload(&mixed)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SomeFilesFailed, "{refused:?}");
    assert!(refused.message.contains("2 of 3") && refused.message.contains("send with a passphrase"), "{refused:?}");
    let names: Vec<_> =
        std::fs::read_dir(place.docroot.join("mixed")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["good.age"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_attempt_left_is_looked_at_too_where_only_encrypted_files_are_taken() {
    let place = Place::new();
    let source = file(place.temp.path().join("film.age"), &content(1, SIZE as usize));
    for resume in [ResumePolicy::Attributes, ResumePolicy::SparseChecksum, ResumePolicy::FullChecksum] {
        let lax = Server::start(&place.docroot);
        let mut job = lax.upload(&source);
        job.rate = rate(400_000);
        let mut client = Client::start(job);
        client.until(|s| s.bytes_written >= 16 * MIB).await;
        client.kill().await;
        lax.kill();
        assert!(place.docroot.join("film.age.partial").exists());
        let server = strict(&place.docroot);
        let mut job = server.upload(&source);
        (job.attempt, job.options.resume) = (2, resume);
        let refused = run(job).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::FileEncryption, "{resume:?}: {refused:?}");
        assert_eq!(snapshot(&place.docroot).len(), 0, "{resume:?}: nothing of it is left");
    }
    // An encrypted one goes on.
    let source = file(place.temp.path().join("big"), &content(2, SIZE as usize));
    let server = strict(&place.docroot);
    let mut job = encrypting(server.upload(&source));
    job.rate = rate(400_000);
    let mut client = Client::start(job.clone());
    client.until(|s| s.bytes_written >= 16 * MIB).await;
    client.kill().await;
    job.attempt = 2;
    let stats = run(job).await.unwrap();
    assert!(stats.bytes_transferred <= SIZE + MIB - 16 * MIB, "{stats:?}");
    assert_eq!(opened(&place.docroot.join("big.age")), read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lies_about_its_files_frame_by_frame_gets_none_in() {
    let place = Place::new();
    let server = strict(&place.docroot);
    let size = 2 * UNIT;
    // Refused by its name, then announced anew as if its source had changed.
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "x", "k": "f", "s": size}])).await;
    let told = raw.expect(|c| matches!(c, Control::Files { .. })).await;
    let Control::Files { files } = told else { unreachable!() };
    assert_eq!(files[0].failure.as_ref().unwrap().code, ErrorCode::FileEncryption);
    raw.frame(&json!({"t": "again", "replaces": 0, "entry": {"p": "x", "k": "f", "s": size}})).await;
    let told = raw.expect(|c| matches!(c, Control::Files { .. } | Control::Want { .. })).await;
    assert!(matches!(told, Control::Files { .. }), "{told:?}");
    // The second unit first, the one that tells afterwards.
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "y.age", "k": "f", "s": size}])).await;
    raw.frame(&json!({"t": "entries-end", "count": 1, "bytes": size, "failed": []})).await;
    raw.expect(|c| matches!(c, Control::Want { .. })).await;
    let data = content(6, size as usize);
    for (offset, part) in [(UNIT, &data[UNIT as usize..]), (0, &data[..UNIT as usize])] {
        let value = unit_value(size, offset / UNIT, part);
        raw.segment(SegmentHead { offset, length: UNIT }, part, &value).await;
    }
    let Control::Result(result) = raw.expect(|c| matches!(c, Control::Result(_))).await else { unreachable!() };
    assert_eq!((result.completed, result.failed), (0, 1));
    assert_eq!(snapshot(&place.docroot).len(), 0, "nothing of it is left");
}
