//! A server that does not answer: the number, the words and the time they take.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Relay, Server, content, run};
use godwit_protocol::worker::Failure;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// In all, from the start to the words.
const SOON: Duration = Duration::from_secs(3);

async fn attempt(server: &Server, udp: u16, tcp: u16) -> (Failure, Duration) {
    let temp = tempfile::tempdir().unwrap();
    let mut job = server.upload(temp.path());
    (job.server.data_port, job.server.tcp_port) = (udp, tcp);
    let begin = Instant::now();
    let failure = run(job).await.unwrap_err();
    (failure, begin.elapsed())
}

/// A number on which nobody listens, neither over TCP nor over UDP.
async fn unused() -> u16 {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = udp.local_addr().unwrap().port();
    TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_udp_is_named_within_three_seconds_with_the_port_to_open() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let deaf = Relay::start(server.address, 100).await;
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = open.local_addr().unwrap().port();

    let udp = deaf.address.port();
    let (failure, time) = attempt(&server, udp, tcp).await;
    assert_eq!(failure.code.number(), 15, "{failure}");
    assert!(failure.message.contains(&format!("UDP port {udp} must be open")), "{failure}");
    assert!(time <= SOON, "{time:?}");

    let udp = unused().await;
    let (failure, time) = attempt(&server, udp, tcp).await;
    assert_eq!(failure.code.number(), 14, "{failure}");
    assert!(failure.message.contains(&format!("UDP port {udp} must be open")), "{failure}");
    assert!(time <= SOON, "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_12_and_nobody_answering_is_13() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let (failure, time) = attempt(&server, unused().await, unused().await).await;
    assert_eq!(failure.code.number(), 12, "{failure}");
    assert!(time <= SOON, "{time:?}");

    // A listener whose queue is full answers no further connection, as a firewall that drops would.
    let full = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&full, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = std::net::TcpListener::from(full);
    let address = (address.local_addr().unwrap(), address);
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address.0)).await {
        waiting.push(stream.unwrap());
    }
    let deaf = Relay::start(server.address, 100).await;
    let (failure, _) = attempt(&server, deaf.address.port(), address.0.port()).await;
    assert_eq!(failure.code.number(), 13, "{failure}");
    assert!(failure.message.contains("neither over TCP"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_loses_every_fifth_packet_still_connects_though_tcp_answers_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = ["source", "docroot"].map(|n| temp.path().join(n));
    std::fs::create_dir(&docroot).unwrap();
    std::fs::write(&source, content(1, 100_000)).unwrap();
    let server = Server::start(&docroot);
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = Relay::start(server.address, 20).await;
    for attempt in 0..10 {
        let mut job = server.upload(&source);
        job.server.data_port = relay.address.port();
        job.server.tcp_port = open.local_addr().unwrap().port();
        job.paths[0].destination = Some(format!("{attempt}"));
        // All four tries of UDP may be lost, once in some three hundred attempts; the agent tries again then.
        if let Err(failure) = run(job.clone()).await {
            assert!(failure.code.number() == 15 && failure.code.is_retryable(), "{failure}");
            run(job).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_nobody_knows_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let mut job = server.upload(temp.path());
    job.server.host = "no-such-host.invalid".into();
    let failure = run(job).await.unwrap_err();
    assert_eq!(failure.code.number(), 12, "{failure}");
    assert!(failure.message.contains("no-such-host.invalid"), "{failure}");
}
