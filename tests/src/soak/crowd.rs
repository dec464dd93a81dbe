//! Crowds: connections from many of this machine's addresses, and sessions at a slow rate, all from one process, because two
//! hundred client programs cost the machine that the server runs on four times what they cost the server.

use godwit_protocol::worker::{Command as Order, Report, Start};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

/// A guess that is not answered by then is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections of one address: under what a server allows.
const PER_ADDRESS: usize = 200;

/// What a crowd does.
pub(super) trait Doing: Send + 'static {
    /// Does it until it is over.
    fn run(self, shared: Arc<Shared>) -> impl Future<Output = ()> + Send;
}

/// Connections that are opened and say nothing, or nothing more after one request; who is sent away comes again.
pub(super) struct Idle {
    pub(super) server: SocketAddr,
    pub(super) count: usize,
}

/// Wrong passwords, each in a connection of its own and for another user.
pub(super) struct Guesses {
    pub(super) server: SocketAddr,
    pub(super) per_second: u32,
    pub(super) addresses: u32,
}

/// Sessions that go on at their rate for as long as the run: the workers' own client, without a process for each.
pub(super) struct Sessions {
    runtime: tokio::runtime::Runtime,
    all: Vec<Session>,
}

struct Session {
    wire: Arc<AtomicU64>,
    /// Its end would stop the session.
    _orders: mpsc::Sender<Order>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, all: Vec::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, start: Start) {
        let (wire, (orders, heard)) = (Arc::new(AtomicU64::new(0)), mpsc::channel(1));
        let (sender, mut reports) = mpsc::channel(64);
        let own = wire.clone();
        self.runtime.spawn(async move {
            let ended = godwit_transport::client::run(&start, sender, heard).await;
            println!("a slow session ended: {ended:?}");
        });
        self.runtime.spawn(async move {
            while let Some(report) = reports.recv().await {
                if let Report::Stats(stats) = report {
                    own.store(stats.bytes_on_wire, Ordering::Relaxed);
                }
            }
        });
        self.all.push(Session { wire, _orders: orders });
    }

    /// Bytes that each has had on the wire so far.
    pub(super) fn look(&self) -> Vec<u64> {
        self.all.iter().map(|session| session.wire.load(Ordering::Relaxed)).collect()
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Shared {
    over: AtomicBool,
    wanted: AtomicI64,
    open: AtomicI64,
    /// How many were open whenever it was looked, together, and how often that was.
    seen: AtomicU64,
    looks: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
    later: AtomicU64,
    let_in: AtomicU64,
    failed: AtomicU64,
}

/// A crowd at work, on a thread of its own.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    begin: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    pub(super) fn start(doing: impl Doing) -> Self {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(doing.run(own));
        });
        Self { shared, begin: Instant::now(), thread: Some(thread) }
    }

    /// Waits until all are connected; from now on it is counted how many there are.
    pub(super) fn until_all_are_there(&self) {
        let all = || {
            let wanted = self.shared.wanted.load(Ordering::SeqCst);
            wanted > 0 && self.shared.open.load(Ordering::SeqCst) >= wanted * 98 / 100
        };
        crate::wait::until_true("all are connected", crate::wait::LONG, all);
        self.shared.seen.store(0, Ordering::SeqCst);
        self.shared.looks.store(0, Ordering::SeqCst);
    }

    /// Ends it; what was counted.
    pub(super) fn end(mut self) -> Value {
        let seconds = self.begin.elapsed().as_secs_f64();
        self.stop();
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let Shared { seen, looks, opened, refused, later, let_in, failed, .. } = &*self.shared;
        let answered = count(refused) + count(later) + count(let_in) + count(failed);
        json!({
            "on average": count(seen) / count(looks).max(1), "opened": count(opened), "refused": count(refused),
            "told to come later": count(later), "let in": count(let_in), "no answer": count(failed),
            "per_second": answered as f64 / seconds,
        })
    }

    fn stop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || !matches!(ended, Some(Err(_))), "the crowd broke");
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits for the end.
    async fn ended(&self) {
        while !self.is_over() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.seen.fetch_add(self.open.load(Ordering::SeqCst).max(0).unsigned_abs(), Ordering::SeqCst);
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn connect(server: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.into(), 0))?;
    socket.connect(server).await
}

/// 127.`block`.x.y.
fn address(block: u8, n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, block, (n / 250 % 250) as u8, (n % 250 + 1) as u8)
}

impl Doing for Idle {
    async fn run(self, shared: Arc<Shared>) {
        shared.wanted.store(self.count as i64, Ordering::SeqCst);
        for n in 0..self.count {
            let (shared, server) = (shared.clone(), self.server);
            tokio::spawn(async move {
                while !shared.is_over() {
                    match connect(server, address(2, n / PER_ADDRESS)).await {
                        Ok(stream) => {
                            shared.opened.fetch_add(1, Ordering::SeqCst);
                            shared.open.fetch_add(1, Ordering::SeqCst);
                            silent(stream, n % 2 == 0).await;
                            shared.open.fetch_sub(1, Ordering::SeqCst);
                        }
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            });
            // The system's queue for new connections has an end, and who came together is sent away together.
            if n % 100 == 99 {
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        }
        shared.ended().await;
    }
}

/// Until the server has had enough.
async fn silent(mut stream: TcpStream, asks_once: bool) {
    if asks_once && stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
        return;
    }
    let mut buffer = [0; 1_024];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

impl Doing for Guesses {
    async fn run(self, shared: Arc<Shared>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / self.per_second);
        let mut n = 0;
        while !shared.is_over() {
            ticks.tick().await;
            let (own, server) = (shared.clone(), self.server);
            let from = address(3, n % self.addresses as usize);
            tokio::spawn(async move {
                own.opened.fetch_add(1, Ordering::SeqCst);
                let status = tokio::time::timeout(PATIENCE, guess(server, from, n)).await;
                let counter = match status {
                    Ok(Ok(401)) => &own.refused,
                    Ok(Ok(429)) => &own.later,
                    Ok(Ok(200)) => &own.let_in,
                    _ => &own.failed,
                };
                counter.fetch_add(1, Ordering::SeqCst);
            });
            n += 1;
        }
    }
}

async fn guess(server: SocketAddr, from: Ipv4Addr, n: usize) -> std::io::Result<u16> {
    use base64::Engine;
    let mut stream = connect(server, from).await?;
    let proof = base64::engine::general_purpose::STANDARD.encode(format!("user{}:guess{n}", n % 1_000));
    let body = "{\"paths\":[]}";
    let request = format!(
        "POST /space HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {proof}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head).ok().and_then(|text| text.split(' ').nth(1)?.get(..3)?.parse().ok());
    Ok(status.unwrap_or(0))
}
