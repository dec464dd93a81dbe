//! Caps, locks and shares of a server, against clients that keep to them and clients that do not.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod raw;

use common::{Client, Gate, Server, content, rate, run};
use godwit_protocol::spec::RatePolicy;
use godwit_protocol::wire::{Control, RateLocks, SegmentHead, UNIT};
use godwit_protocol::worker::{Command, RateSettings, Report, Start};
use godwit_protocol::{ErrorCode, RateKbps};
use godwit_transport::rules::Rules;
use godwit_transport::server::ServerOptions;
use raw::Raw;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

fn kbps(n: u64) -> Option<RateKbps> {
    Some(RateKbps(n))
}

fn gate(root: &Path) -> Gate {
    Gate { root: root.to_owned(), ..Gate::default() }
}

/// Seconds that `bytes` take at `kbps`.
fn time(bytes: usize, kbps: u64) -> f64 {
    bytes as f64 * 8.0 / (kbps as f64 * 1_000.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_ignores_the_servers_cap_is_held_to_it_and_loses_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let rules = Rules { target_cap: kbps(40_000), ..Rules::default() };
    let server = Server::with(Gate { rules, ..gate(temp.path()) }, ServerOptions::default());
    let mut raw = Raw::uploading(&server).await;
    let units = 8;
    let bytes = content(7, units * UNIT as usize);
    raw.entries(json!([{"p": "f", "k": "f", "s": bytes.len()}])).await;
    raw.frame(&json!({"t": "entries-end", "count": 1, "bytes": bytes.len(), "failed": []})).await;
    raw.expect(|c| matches!(c, Control::Want { .. })).await;
    let begin = Instant::now();
    // As fast as the line allows, whatever was granted.
    for (n, unit) in bytes.chunks(UNIT as usize).enumerate() {
        let head = SegmentHead { offset: n as u64 * UNIT, length: UNIT };
        let mut hasher = blake3::Hasher::new();
        blake3::hazmat::HasherExt::set_input_offset(&mut hasher, head.offset);
        let value = blake3::hazmat::HasherExt::finalize_non_root(hasher.update(unit));
        raw.segment(head, unit, &value).await;
    }
    raw.expect(|c| matches!(c, Control::Result(r) if r.completed == 1)).await;
    let (took, least) = (begin.elapsed().as_secs_f64(), time(bytes.len(), 40_000));
    assert!(took > least * 0.9 && took < least * 2.0, "{took} s instead of {least} s");
    assert_eq!(std::fs::read(temp.path().join("f")).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_locks_no_client_changes_and_it_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    let size = 5_000_000;
    std::fs::write(docroot.join("f"), content(1, size)).unwrap();
    let locks = RateLocks { policy: true, target: true, minimum: false };
    let rules =
        Rules { target_default: kbps(40_000), policy_default: Some(RatePolicy::Low), locks, ..Rules::default() };
    let server = Server::with(Gate { rules, ..gate(&docroot) }, ServerOptions::default());
    std::fs::write(temp.path().join("up"), content(2, size)).unwrap();
    let greedy = RateSettings { policy: RatePolicy::Fixed, ..rate(10_000_000) };
    for job in [server.download("f", &back), server.upload(&temp.path().join("up"))] {
        let begin = Instant::now();
        let client = Client::start(Start { rate: greedy, ..job });
        client.commands.as_ref().unwrap().send(Command::SetRate(greedy)).await.unwrap();
        let (result, reports) = client.end().await;
        result.unwrap();
        let (took, least) = (begin.elapsed().as_secs_f64(), time(size, 40_000));
        assert!(took > least * 0.9, "{took} s instead of {least} s");
        let told = reports.iter().find_map(|report| match report {
            Report::Session { granted, locks, .. } => Some((granted.target, granted.policy, *locks)),
            _ => None,
        });
        assert_eq!(told.unwrap(), (kbps(40_000), RatePolicy::Low, locks));
    }
}

/// Mean rates of two clients over some seconds, kbit/s, after they have settled.
async fn rates(first: &mut Client, second: &mut Client) -> (f64, f64) {
    let begin = Instant::now();
    let (a, b) = tokio::join!(mean(first, begin), mean(second, begin));
    (a, b)
}

async fn mean(client: &mut Client, begin: Instant) -> f64 {
    let at = |seconds| move || begin.elapsed() > Duration::from_secs(seconds);
    let (from, until) = (at(5), at(9));
    let before = client.until(move |_| from()).await;
    let start = Instant::now();
    let after = client.until(move |_| until()).await;
    (after.bytes_on_wire - before.bytes_on_wire) as f64 * 8.0 / 1_000.0 / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_user_share_his_cap_by_their_policies_and_inherit_what_others_leave() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(docroot.join("f"), content(1, 60_000_000)).unwrap();
    let server = Server::with(Gate { rate_cap: kbps(30_000), ..gate(&docroot) }, ServerOptions::default());
    let job = |policy, name: &str| {
        let mut job = server.download("f", &back);
        job.paths[0].destination = Some(name.into());
        Client::start(Start { rate: RateSettings { policy, ..RateSettings::default() }, ..job })
    };
    let (mut high, mut fair) = (job(RatePolicy::High, "a"), job(RatePolicy::Fair, "b"));
    let (a, b) = rates(&mut high, &mut fair).await;
    assert!((1.6..2.5).contains(&(a / b)), "{a} and {b} kbit/s");
    assert!((24_000.0..33_000.0).contains(&(a + b)), "{a} and {b} kbit/s");
    high.kill().await;
    // The server notices the end of a killed client only later; one that says good-bye leaves its share at once.
    let mut third = job(RatePolicy::Fair, "c");
    third.until(|stats| stats.bytes_on_wire > 1_000_000).await;
    third.commands.take().unwrap().send(Command::Stop).await.unwrap();
    assert_eq!(third.end().await.0.unwrap_err().code, ErrorCode::UserCancel);
    let alone = mean(&mut fair, Instant::now()).await;
    assert!(alone > 24_000.0, "alone {alone} kbit/s");
    fair.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_downloads_each_have_the_whole_servers_cap_for_themselves() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    for path in [docroot.join("f"), temp.path().join("up")] {
        std::fs::write(path, content(1, 40_000_000)).unwrap();
    }
    let options = ServerOptions { rate_cap: kbps(24_000), ..ServerOptions::default() };
    let server = Server::with(gate(&docroot), options);
    let mut down = Client::start(server.download("f", &back));
    let mut up = Client::start(server.upload(&temp.path().join("up")));
    let (a, b) = rates(&mut down, &mut up).await;
    for rate in [a, b] {
        assert!((19_000.0..27_000.0).contains(&rate), "{a} and {b} kbit/s");
    }
    down.kill().await;
    up.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_a_user_and_an_address_have_no_more_sessions_than_they_may() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(docroot.join("f"), content(1, 20_000_000)).unwrap();
    let slow = |server: &Server| Client::start(Start { rate: rate(8_000), ..server.download("f", &back) });
    let server = Server::with(Gate { max_sessions: Some(1), ..gate(&docroot) }, ServerOptions::default());
    let mut first = slow(&server);
    first.until(|stats| stats.bytes_transferred > 0).await;
    let failure = run(server.download("f", &back)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::PeerAborted, "{failure}");
    assert!(failure.message.contains("1 sessions already"), "{failure}");
    first.kill().await;

    let options = ServerOptions { max_per_address: 1, ..ServerOptions::default() };
    let server = Server::with(gate(&docroot), options);
    let mut first = slow(&server);
    first.until(|stats| stats.bytes_transferred > 0).await;
    let failure = run(server.download("f", &back)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::PeerAborted, "{failure}");
    assert!(failure.message.contains("no more sessions"), "{failure}");
    first.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_a_client_that_connects_and_says_nothing_is_sent_away() {
    let temp = tempfile::tempdir().unwrap();
    let limit = Duration::from_secs(3);
    let options = ServerOptions { login_timeout: limit, ..ServerOptions::default() };
    let server = Server::with(gate(temp.path()), options);
    let mute = Raw::connect(&server).await;
    let reason = tokio::time::timeout(10 * limit, mute.connection.closed()).await;
    assert!(matches!(reason, Ok(quinn::ConnectionError::ApplicationClosed(_))), "{reason:?}");
    let mut half = Raw::connect(&server).await;
    half.login("secret").await;
    assert_eq!(half.error().await, ErrorCode::Stalled);
    // Each step in less than the time, all together in more.
    let mut late = Raw::connect(&server).await;
    tokio::time::sleep(limit * 2 / 3).await;
    late.login("secret").await;
    tokio::time::sleep(limit * 2 / 3).await;
    late.frame(&json!({"t": "request", "transfer_id": "x", "direction": "send"})).await;
    assert!(matches!(late.last().await, None | Some(Control::Error(_))), "time is counted from the first packet");
}
