//! Several connections in one session: they share the work, and the loss of one costs time but no byte.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod raw;

use common::{Client, Gate, Server, content, rate, run};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Start, Stats};
use godwit_transport::server::ServerOptions;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

const SIZE: usize = 24_000_000;

/// A relay that keeps its clients apart, and can cut one of them off.
struct Ways {
    address: SocketAddr,
    /// The client whose packets are dropped from now on, counted in the order in which they came; 0: nobody's.
    cut: Arc<AtomicUsize>,
    count: Arc<AtomicUsize>,
}

impl Ways {
    async fn to(server: SocketAddr) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&*front, 8 << 20);
        let address = front.local_addr().unwrap();
        let (cut, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (cutting, counting) = (cut.clone(), count.clone());
        tokio::spawn(async move {
            let mut backs: HashMap<SocketAddr, (usize, Arc<UdpSocket>)> = HashMap::new();
            let mut buffer = vec![0; 65_536];
            while let Ok((len, from)) = front.recv_from(&mut buffer).await {
                if !backs.contains_key(&from) {
                    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                    let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&*back, 8 << 20);
                    let number = backs.len() + 1;
                    counting.store(number, Ordering::SeqCst);
                    backs.insert(from, (number, back.clone()));
                    let (front, cutting) = (front.clone(), cutting.clone());
                    tokio::spawn(async move {
                        let mut buffer = vec![0; 65_536];
                        while let Ok(len) = back.recv(&mut buffer).await {
                            if cutting.load(Ordering::SeqCst) != number {
                                let _ = front.send_to(&buffer[..len], from).await;
                            }
                        }
                    });
                    backs[&from].1.connect(server).await.unwrap();
                }
                let (number, back) = &backs[&from];
                if cutting.load(Ordering::SeqCst) != *number {
                    let _ = back.send(&buffer[..len]).await;
                }
            }
        });
        Self { address, cut, count }
    }
}

struct Case {
    temp: tempfile::TempDir,
    server: Server,
}

impl Case {
    fn new(options: ServerOptions) -> Self {
        let temp = tempfile::tempdir().unwrap();
        for name in ["docroot", "back"] {
            std::fs::create_dir(temp.path().join(name)).unwrap();
        }
        for path in [temp.path().join("docroot/down"), temp.path().join("up")] {
            std::fs::write(path, content(9, SIZE)).unwrap();
        }
        let gate = Gate { root: temp.path().join("docroot"), ..Gate::default() };
        let server = Server::with(gate, options);
        Self { temp, server }
    }

    /// An upload and a download, each with what must be the same in the end.
    fn jobs(&self) -> [(Start, [std::path::PathBuf; 2]); 2] {
        let at = |name: &str| self.temp.path().join(name);
        let up = self.server.upload(&at("up"));
        let down = self.server.download("down", &at("back"));
        [(up, [at("up"), at("docroot/up")]), (down, [at("docroot/down"), at("back/down")])]
    }
}

fn assert_same(files: &[std::path::PathBuf; 2]) {
    let [a, b] = files.each_ref().map(|path| blake3::hash(&std::fs::read(path).unwrap()));
    assert_eq!(a, b);
}

fn assert_counted_once(stats: &Stats) {
    assert_eq!((stats.bytes_written, stats.bytes_transferred), (SIZE as u64, SIZE as u64));
    assert_eq!((stats.files_completed, stats.files_failed), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_share_the_work_under_the_sessions_limit_in_both_directions() {
    let case = Case::new(ServerOptions::default());
    for (job, files) in case.jobs() {
        let ways = Ways::to(case.server.address).await;
        let mut job = Start { sessions: 3, rate: rate(64_000), ..job };
        job.server.data_port = ways.address.port();
        let begin = Instant::now();
        let mut client = Client::start(job);
        let seen = client.until(|stats| stats.connections == 3 && stats.bytes_transferred > 0).await;
        assert_eq!(seen.limit_kbps, 64_000);
        let stats = client.end().await.0.unwrap();
        let (took, least) = (begin.elapsed().as_secs_f64(), SIZE as f64 * 8.0 / 64e6);
        assert!(took > least * 0.95 && took < least * 2.0, "{took} s instead of {least} s");
        assert_eq!(ways.count.load(Ordering::SeqCst), 3, "each from its own socket");
        assert!(stats.bytes_on_wire > SIZE as u64, "the wire of all connections is counted: {stats:?}");
        assert_counted_once(&stats);
        assert_same(&files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_a_further_connection_in_mid_transfer_loses_no_byte_and_counts_none_twice() {
    let case = Case::new(ServerOptions::default());
    for (job, files) in case.jobs() {
        let ways = Ways::to(case.server.address).await;
        let mut job = Start { sessions: 3, rate: rate(48_000), ..job };
        job.server.data_port = ways.address.port();
        let mut client = Client::start(job);
        client.until(|stats| stats.connections == 3 && stats.bytes_transferred > SIZE as u64 / 8).await;
        ways.cut.store(2, Ordering::SeqCst);
        let stats = client.end().await.0.unwrap();
        assert_counted_once(&stats);
        assert_same(&files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_session_resumes_with_another_number_of_connections() {
    let case = Case::new(ServerOptions::default());
    for (job, files) in case.jobs() {
        let slow = Start { sessions: 2, rate: rate(40_000), ..job.clone() };
        let mut client = Client::start(slow);
        client.until(|stats| stats.bytes_written > SIZE as u64 / 3).await;
        client.kill().await;
        let stats = run(Start { sessions: 4, attempt: 2, ..job }).await.unwrap();
        assert!(stats.bytes_transferred < SIZE as u64 * 3 / 4, "{stats:?}");
        assert_eq!(stats.bytes_written, SIZE as u64);
        assert_same(&files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_one_connection_gets_one_and_the_session_goes_on() {
    let case = Case::new(ServerOptions { max_connections: 1, ..ServerOptions::default() });
    for (job, files) in case.jobs() {
        let stats = run(Start { sessions: 4, ..job }).await.unwrap();
        assert_eq!(stats.connections, 1);
        assert_same(&files);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_ticket_is_refused_and_a_right_one_works_as_often_as_it_may() {
    use godwit_protocol::wire::Control;
    use raw::Raw;
    use serde_json::json;
    let case = Case::new(ServerOptions { max_connections: 3, ..ServerOptions::default() });
    let mut first = Raw::connect(&case.server).await;
    first.login("secret").await;
    first.frame(&json!({"t": "request", "transfer_id": "x", "direction": "send"})).await;
    let Control::Accepted(accepted) = first.expect(|c| matches!(c, Control::Accepted(_))).await else { unreachable!() };
    assert_eq!(accepted.connections, 3);
    let ticket = accepted.ticket.unwrap();
    assert_eq!(ticket.expose().len(), 64);
    let join = async |ticket: &str| {
        let mut raw = Raw::connect(&case.server).await;
        raw.frame(&json!({"t": "hello", "product": "godwit", "version": "0"})).await;
        raw.frame(&json!({"t": "join", "ticket": ticket})).await;
        raw
    };
    assert_eq!(join(&"0".repeat(64)).await.error().await, ErrorCode::Authentication);
    let mut kept = Vec::new();
    for number in 1..=2 {
        let mut raw = join(ticket.expose()).await;
        raw.expect(|c| *c == Control::Joined { connection: number }).await;
        kept.push(raw);
    }
    assert_eq!(join(ticket.expose()).await.error().await, ErrorCode::Authentication);
    // The end of the session is the end of its connections.
    drop(first);
    for raw in kept {
        let closed = tokio::time::timeout(Duration::from_secs(50), raw.connection.closed()).await;
        assert!(closed.is_ok());
    }
}
