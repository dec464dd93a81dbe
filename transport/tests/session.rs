//! Whole sessions over loopback, in both directions.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Client, Gate, Relay, Server, content, rate, run, snapshot, tree};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, OverwritePolicy};
use godwit_protocol::worker::{Command, Credential, FileOutcome, PathPair, RateSettings, Report};
use godwit_protocol::{ErrorCode, Secret};
use godwit_transport::rules::Rules;
use godwit_transport::server::ServerOptions;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const LARGE: usize = 64 * 1024 * 1024 + 12_345;

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_tree_of_every_kind_of_name_arrives_byte_for_byte_in_both_directions() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot, back] = ["source", "docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    tree(&source, 1_200, LARGE);
    let server = Server::start(&docroot);
    let begin = Instant::now();
    let (result, reports) = Client::start(server.upload(&source)).end().await;
    let stats = result.unwrap();
    eprintln!("up: {:?} {stats:?}", begin.elapsed());
    let sent = snapshot(&source);
    assert_eq!(snapshot(&docroot.join("source")), sent);
    let files = sent.values().filter(|v| v.is_some()).count() as u64;
    assert_eq!((stats.files_expected, stats.files_completed, stats.files_failed), (files, files, 0));
    assert!(stats.scan_complete && stats.bytes_expected == stats.bytes_written);
    assert_eq!(stats.bytes_transferred, stats.bytes_expected);
    assert!(stats.bytes_on_wire > stats.bytes_expected);
    let roots: BTreeMap<String, String> = reports
        .into_iter()
        .filter_map(|r| match r {
            Report::File(file) if file.outcome == FileOutcome::Completed => Some((file.path, file.blake3.unwrap())),
            _ => None,
        })
        .collect();
    for (path, hash) in &sent {
        if let Some(hash) = hash {
            assert_eq!(roots[&format!("source/{path}")], hash.to_hex().to_string(), "{path}");
        }
    }
    let begin = Instant::now();
    let stats = run(server.download("/source", &back)).await.unwrap();
    eprintln!("down: {:?} {stats:?}", begin.elapsed());
    assert_eq!(snapshot(&back.join("source")), sent);
    assert_eq!((stats.files_completed, stats.bytes_written), (files, stats.bytes_expected));
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_compared_and_not_sent_again() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = ["source", "docroot"].map(|n| temp.path().join(n));
    std::fs::create_dir(&docroot).unwrap();
    tree(&source, 50, 5_000_000);
    let server = Server::start(&docroot);
    let first = run(server.upload(&source)).await.unwrap();
    // Same size, other content, older: only the content tells.
    let changed = docroot.join("source/large");
    let mut bytes = std::fs::read(&changed).unwrap();
    bytes[4_000_000] ^= 1;
    std::fs::write(&changed, bytes).unwrap();
    let second = run(server.upload(&source)).await.unwrap();
    assert_eq!(second.bytes_transferred, 5_000_000);
    assert_eq!(second.files_skipped, first.files_completed - 1);
    assert_eq!(second.bytes_written, first.bytes_written);
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
    // `none` keeps whatever is there.
    std::fs::write(&changed, b"mine").unwrap();
    let mut keep = server.upload(&source);
    keep.options.overwrite = OverwritePolicy::None;
    assert_eq!(run(keep).await.unwrap().bytes_transferred, 0);
    assert_eq!(std::fs::read(&changed).unwrap(), b"mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_kept_if_asked_and_then_nothing_is_read_again() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = ["source", "docroot"].map(|n| temp.path().join(n));
    std::fs::create_dir(&docroot).unwrap();
    tree(&source, 5, 3_000_000);
    let server = Server::start(&docroot);
    for expected_skips in [0, 12] {
        let mut job = server.upload(&source);
        job.options.preserve_times = true;
        let stats = run(job).await.unwrap();
        assert_eq!(stats.files_skipped, expected_skips);
    }
    for name in ["large", "empty file", "dir00/file0000"] {
        let time = |root: &std::path::Path| root.join(name).metadata().unwrap().modified().unwrap();
        assert_eq!(time(&docroot.join("source")), time(&source), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lossy_line_delivers_everything() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot, back] = ["source", "docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    tree(&source, 100, 48 * 1024 * 1024);
    let server = Server::start(&docroot);
    let relay = Relay::start(server.address, 5).await;
    for mut job in [server.upload(&source), server.download("source", &back)] {
        job.server.data_port = relay.address.port();
        job.rate = rate(300_000);
        let stats = run(job).await.unwrap();
        eprintln!("{stats:?}");
        assert_eq!(stats.files_failed, 0);
    }
    assert!(relay.dropped.load(std::sync::atomic::Ordering::Relaxed) > 1_000);
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
    assert_eq!(snapshot(&back.join("source")), snapshot(&source));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_rate_is_kept_and_can_be_changed_in_both_directions() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    let source = temp.path().join("big");
    std::fs::write(&source, content(1, 40_000_000)).unwrap();
    let server = Server::start(&docroot);
    for mut job in [server.upload(&source), server.download("big", &back)] {
        job.rate = rate(80_000);
        let begin = Instant::now();
        let mut client = Client::start(job);
        client.until(|s| s.bytes_written >= 10_000_000).await;
        let slow = begin.elapsed();
        assert!(slow > Duration::from_millis(800), "10 MB at 10 MB/s took {slow:?}");
        client.commands.as_ref().unwrap().send(Command::SetRate(RateSettings::default())).await.unwrap();
        client.end().await.0.unwrap();
        let rest = begin.elapsed() - slow;
        assert!(rest < Duration::from_millis(2_500), "the rest took {rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_cap_holds_against_a_greedy_client() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(docroot.join("big"), content(1, 10_000_000)).unwrap();
    let rules = Rules { target_cap: Some(RateKbps(80_000)), ..Rules::default() };
    let server = Server::with(Gate { root: docroot.clone(), rules, ..Gate::default() }, ServerOptions::default());
    let begin = Instant::now();
    let client = Client::start(server.download("big", &back));
    client.commands.as_ref().unwrap().send(Command::SetRate(rate(10_000_000))).await.unwrap();
    client.end().await.0.unwrap();
    assert!(begin.elapsed() > Duration::from_millis(800), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_wrong_certificate_have_their_numbers() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("f"), b"x").unwrap();
    let server = Server::start(temp.path());
    let mut job = server.download("f", temp.path());
    job.server.credential = Credential::Password { password: Secret::new("wrong") };
    assert_eq!(run(job).await.unwrap_err().code, ErrorCode::Authentication);
    let mut job = server.download("f", temp.path());
    job.server.identity.fingerprint = Some("0".repeat(64));
    let failure = run(job).await.unwrap_err();
    assert_eq!((failure.code, failure.fingerprint), (ErrorCode::Insecure, Some(server.fingerprint.clone())));
    // Neither fingerprint nor pin, and no root knows it.
    let mut job = server.download("f", temp.path());
    job.server.identity.fingerprint = None;
    let failure = run(job).await.unwrap_err();
    assert_eq!((failure.code, failure.fingerprint), (ErrorCode::Insecure, Some(server.fingerprint.clone())));
    let mut job = server.download("f", temp.path());
    job.server.identity.pin = job.server.identity.fingerprint.take();
    job.paths[0].destination = Some("g".into());
    run(job).await.unwrap();
    assert_eq!(std::fs::read(temp.path().join("g")).unwrap(), b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_cannot_be_read_fail_alone() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = ["source", "docroot"].map(|n| temp.path().join(n));
    std::fs::create_dir(&docroot).unwrap();
    tree(&source, 10, 2_000_000);
    std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let server = Server::start(&docroot);
    let (result, reports) = Client::start(server.upload(&source)).end().await;
    assert_eq!(result.unwrap_err().code, ErrorCode::SomeFilesFailed);
    let failed: Vec<_> = reports
        .iter()
        .filter_map(|r| match r {
            Report::File(f) if f.outcome == FileOutcome::Failed => Some((f.path.as_str(), f.error.as_ref()?.code)),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [("source/socket", ErrorCode::NotRegular)]);
    std::fs::remove_file(source.join("socket")).unwrap();
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
    // One missing source alone has its own number.
    let missing = server.job(Direction::Send, &["/no/such/file"], "");
    assert_eq!(run(missing).await.unwrap_err().code, ErrorCode::NoSuchFile);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_out_of_the_root_and_clashing_names_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir_all(docroot.join("folder")).unwrap();
    std::os::unix::fs::symlink(temp.path(), docroot.join("out")).unwrap();
    std::fs::write(temp.path().join("secret"), b"x").unwrap();
    let server = Server::start(&docroot);
    let back = tempfile::tempdir().unwrap();
    for bad in ["../secret", "out/secret", "folder/../../secret"] {
        let failure = run(server.download(bad, back.path())).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::BadPath, "{bad}: {failure:?}");
    }
    assert!(snapshot(back.path()).is_empty());
    let source = temp.path().join("secret");
    let bad = server.job(Direction::Send, &[source.to_str().unwrap()], "../x");
    assert_eq!(run(bad).await.unwrap_err().code, ErrorCode::BadPath);
    let missing = server.job(Direction::Send, &[source.to_str().unwrap()], "new/deep");
    assert_eq!(run(missing.clone()).await.unwrap_err().code, ErrorCode::NoSuchFile);
    run(godwit_protocol::worker::Start { create_dir: true, ..missing }).await.unwrap();
    assert!(docroot.join("new/deep/secret").is_file());
    // A file over a folder, and one name twice.
    let mut clash = server.upload(&source);
    let pair = |to: &str| PathPair { source: source.to_str().unwrap().to_owned(), destination: Some(to.to_owned()) };
    clash.paths = vec![pair("folder"), pair("twice"), pair("twice"), pair("plain"), pair("plain/below")];
    let (result, reports) = Client::start(clash).end().await;
    assert_eq!(result.unwrap_err().code, ErrorCode::SomeFilesFailed);
    let failed: Vec<_> = reports
        .iter()
        .filter_map(|r| match r {
            Report::File(f) if f.outcome == FileOutcome::Failed => Some(f.path.as_str()),
            _ => None,
        })
        .collect();
    assert!(failed.contains(&"folder") && failed.contains(&"twice"), "{failed:?}");
    assert!(failed.contains(&"plain") != failed.contains(&"plain/below"), "{failed:?}");
    assert!(docroot.join("twice").is_file() && docroot.join("folder").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_lets_sessions_end_and_then_says_why() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("big"), content(1, 30_000_000)).unwrap();
    let back = tempfile::tempdir().unwrap();
    let options = ServerOptions { drain_timeout: Duration::from_millis(500), ..ServerOptions::default() };
    let server = Server::with(Gate { root: temp.path().to_owned(), ..Gate::default() }, options);
    let mut job = server.download("big", back.path());
    job.rate = rate(16_000);
    let late = job.clone();
    let mut client = Client::start(job);
    client.until(|s| s.bytes_written > 0).await;
    server.drain().await;
    assert_eq!(client.end().await.0.unwrap_err().code, ErrorCode::PeerAborted);
    assert!(run(late).await.is_err());
}
