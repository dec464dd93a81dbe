//! Ends of sessions that no file and no firewall causes: the number and the words.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod raw;

use common::{Client, Gate, Relay, Server, content, rate, run};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Start;
use godwit_transport::server::ServerOptions;
use raw::Raw;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_transfer_is_20_before_anybody_is_called() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let nothing = Start { paths: Vec::new(), ..server.upload(temp.path()) };
    server.kill();
    assert_eq!(run(nothing).await.unwrap_err().code, ErrorCode::NothingToTransfer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_dies_in_mid_transfer_is_16_and_the_next_attempt_carries_the_rest_only() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("f");
    let bytes = content(3, 16_000_000);
    std::fs::write(&source, &bytes).unwrap();
    let server = Server::start(&docroot);
    let relay = Relay::start(server.address, 0).await;
    let mut job = Start { rate: rate(40_000), ..server.upload(&source) };
    job.server.data_port = relay.address.port();
    let mut client = Client::start(job.clone());
    client.until(|stats| stats.bytes_written > 4_000_000).await;
    drop(relay);
    let begin = Instant::now();
    let failure = client.end().await.0.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ConnectionLost, "{failure}");
    assert!(failure.code.is_retryable() && begin.elapsed() < Duration::from_secs(45), "{:?}", begin.elapsed());
    job.server.data_port = server.address.port();
    let stats = run(Start { attempt: 2, ..job }).await.unwrap();
    assert!(stats.bytes_transferred < 13_000_000, "{stats:?}");
    assert_eq!(std::fs::read(docroot.join("f")).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_silent_is_40_while_its_line_lives() {
    let temp = tempfile::tempdir().unwrap();
    let options = ServerOptions { stall_timeout: Duration::from_secs(1), ..ServerOptions::default() };
    let server = Server::with(Gate { root: temp.path().to_owned(), ..Gate::default() }, options);
    let raw = Raw::uploading(&server).await;
    assert_eq!(raw.error().await, ErrorCode::Stalled);
}
