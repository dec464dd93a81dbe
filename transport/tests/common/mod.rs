//! A server, clients, trees of files and a bad line, all in this process.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

pub mod ends;

use async_trait::async_trait;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::SessionRequest;
use godwit_protocol::worker::{
    Command, Credential, Failure, PathPair, RateSettings, Report, ServerAddress, ServerIdentity, Start, Stats,
    TransferOptions,
};
use godwit_protocol::{ErrorCode, RateKbps, Secret};
use godwit_transport::identity::fingerprint;
use godwit_transport::root::Root;
use godwit_transport::rules::Rules;
use godwit_transport::server::{Account, Authority, DataServer, Permission, ServerOptions};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Lets `ann` with `secret` in.
#[derive(Clone, Default)]
pub struct Gate {
    pub root: PathBuf,
    pub rules: Rules,
    pub rate_cap: Option<RateKbps>,
    pub max_sessions: Option<usize>,
    pub encrypted_only: bool,
}

#[async_trait]
impl Authority for Gate {
    async fn authenticate(
        &self,
        _: SocketAddr,
        user: &str,
        credential: &Credential,
    ) -> Result<Arc<dyn Account>, Failure> {
        match credential {
            Credential::Password { password } if user == "ann" && password.expose() == "secret" => {
                Ok(Arc::new(Ann { gate: self.clone() }))
            }
            _ => Err(Failure::new(ErrorCode::Authentication, "")),
        }
    }
}

struct Ann {
    gate: Gate,
}

#[async_trait]
impl Account for Ann {
    fn name(&self) -> &str {
        "ann"
    }
    async fn authorize(&self, request: SessionRequest) -> Result<Permission, Failure> {
        let root = Root::open(&self.gate.root).map_err(|e| Failure::new(ErrorCode::Internal, e.to_string()))?;
        let root = if self.gate.encrypted_only { root.encrypted_only() } else { root };
        let Gate { rules, rate_cap, max_sessions, .. } = self.gate.clone();
        Ok(Permission { root, request, rules, rate_cap, max_sessions })
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub fingerprint: String,
    pub certificate: godwit_transport::CertificateDer<'static>,
    key: Vec<u8>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    pub fn start(root: &Path) -> Self {
        Self::with(Gate { root: root.to_owned(), ..Gate::default() }, ServerOptions::default())
    }

    pub fn with(gate: Gate, options: ServerOptions) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        Self::identified(gate, options, der, made.signing_key.serialize_der())
    }

    /// Another server on another port that holds the same key: what a restart makes.
    pub fn successor(&self, root: &Path) -> Self {
        let gate = Gate { root: root.to_owned(), ..Gate::default() };
        Self::identified(gate, ServerOptions::default(), self.certificate.clone(), self.key.clone())
    }

    fn identified(
        gate: Gate,
        options: ServerOptions,
        der: godwit_transport::CertificateDer<'static>,
        secret: Vec<u8>,
    ) -> Self {
        let key = godwit_transport::PrivateKeyDer::try_from(secret.clone()).unwrap();
        let fingerprint = fingerprint(&der);
        let bind = "127.0.0.1:0".parse().unwrap();
        let certificate = der.clone();
        let server = DataServer::bind(bind, vec![der], key, Arc::new(gate), options).unwrap();
        let address = server.local_addr();
        let (stop, stopped) = watch::channel(false);
        Self { address, fingerprint, certificate, key: secret, stop, task: tokio::spawn(server.run(stopped)) }
    }

    pub async fn drain(self) {
        let _ = self.stop.send(true);
        self.task.await.unwrap();
    }

    /// As a kill would: no farewell to anybody.
    pub fn kill(self) {
        self.task.abort();
    }

    pub fn job(&self, direction: Direction, paths: &[&str], to: &str) -> Start {
        Start {
            transfer_id: format!("t{}", COUNTER.fetch_add(1, Ordering::Relaxed)),
            attempt: 1,
            direction,
            server: ServerAddress {
                host: self.address.ip().to_string(),
                data_port: self.address.port(),
                tcp_port: self.address.port(),
                user: "ann".into(),
                credential: Credential::Password { password: Secret::new("secret") },
                identity: ServerIdentity { fingerprint: Some(self.fingerprint.clone()), pin: None },
            },
            paths: paths.iter().map(|p| PathPair { source: (*p).to_owned(), destination: None }).collect(),
            destination_root: to.to_owned(),
            create_dir: false,
            options: TransferOptions::default(),
            rate: RateSettings::default(),
            sessions: 1,
            cookie: String::new(),
            root_id: None,
            protection: None,
        }
    }

    pub fn upload(&self, source: &Path) -> Start {
        self.job(Direction::Send, &[source.to_str().unwrap()], "")
    }

    pub fn download(&self, source: &str, to: &Path) -> Start {
        self.job(Direction::Receive, &[source], to.to_str().unwrap())
    }
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

pub fn rate(kbps: u64) -> RateSettings {
    RateSettings { target: Some(RateKbps(kbps)), ..RateSettings::default() }
}

/// A client's session and what it told.
pub struct Client {
    pub commands: Option<mpsc::Sender<Command>>,
    pub reports: mpsc::Receiver<Report>,
    pub task: JoinHandle<Result<Stats, Failure>>,
}

impl Client {
    pub fn start(job: Start) -> Self {
        let (reports_in, reports) = mpsc::channel(100_000);
        let (commands_in, commands) = mpsc::channel(8);
        let task = tokio::spawn(async move { godwit_transport::client::run(&job, reports_in, commands).await });
        Self { commands: Some(commands_in), reports, task }
    }

    /// Waits until the statistics satisfy `enough`.
    pub async fn until(&mut self, enough: impl Fn(&Stats) -> bool) -> Stats {
        let wait = async {
            loop {
                match self.reports.recv().await {
                    Some(Report::Stats(stats)) if enough(&stats) => return stats,
                    Some(_) => {}
                    None => panic!("the session ended before"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap()
    }

    pub async fn end(mut self) -> (Result<Stats, Failure>, Vec<Report>) {
        let result = tokio::time::timeout(Duration::from_secs(120), &mut self.task).await.unwrap().unwrap();
        let mut reports = Vec::new();
        while let Some(report) = self.reports.recv().await {
            reports.push(report);
        }
        (result, reports)
    }

    /// As a kill would.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub async fn run(job: Start) -> Result<Stats, Failure> {
    Client::start(job).end().await.0
}

/// Content that is the same every time and repeats nowhere soon.
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Everything below a folder: path → content, `None` for a folder.
pub fn snapshot(root: &Path) -> BTreeMap<String, Option<blake3::Hash>> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, Option<blake3::Hash>>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.insert(name, None);
                walk(root, &path, found);
            } else {
                found.insert(name, Some(blake3::hash(&std::fs::read(&path).unwrap())));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// The tree of the acceptance list, with one large file.
pub fn tree(at: &Path, small: usize, large: usize) {
    for n in 0..small {
        let folder = at.join(format!("dir{:02}", n % 40));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("file{n:04}")), content(n as u64, n * 13 % 9_000 + 1)).unwrap();
    }
    std::fs::create_dir_all(at.join("empty folder")).unwrap();
    std::fs::write(at.join("empty file"), b"").unwrap();
    std::fs::write(at.join("Grüße 世界 🐦.txt"), content(5_000, 777)).unwrap();
    std::fs::write(at.join("ä".repeat(127) + "x"), content(5_001, 3_000_000)).unwrap();
    std::fs::write(at.join("n".repeat(255)), content(5_002, 10)).unwrap();
    std::fs::write(at.join("large"), content(5_003, large)).unwrap();
    std::fs::write(at.join("large.partial"), content(5_004, 1_500_000)).unwrap();
    std::fs::write(at.join("large.aspera-ckpt"), content(5_005, 99)).unwrap();
}

/// A line that drops packets: clients send to `address`.
pub struct Relay {
    pub address: SocketAddr,
    pub dropped: Arc<AtomicU64>,
    pub server: watch::Sender<SocketAddr>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Drops `percent` of the packets in both directions, and all that an ordinary line is too narrow for; 100 is a dead line.
    pub async fn start(server: SocketAddr, percent: u64) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for socket in [&front, &back] {
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, 8 << 20);
        }
        let address = front.local_addr().unwrap();
        let dropped = Arc::new(AtomicU64::new(0));
        let count = dropped.clone();
        let (goal, goals) = watch::channel(server);
        let task = tokio::spawn(async move {
            let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
            let mut client = None;
            let mut dice = 0x9e37_79b9_7f4a_7c15u64;
            loop {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let lost = dice % 100 < percent;
                const WIDEST: usize = 1_472;
                tokio::select! {
                    Ok((len, from)) = front.recv_from(&mut up) => {
                        client = Some(from);
                        if len > WIDEST {} else if lost { count.fetch_add(1, Ordering::Relaxed); } else { let goal = *goals.borrow(); let _ = back.send_to(&up[..len], goal).await; }
                    }
                    Ok((len, _)) = back.recv_from(&mut down) => {
                        if len > WIDEST {} else if lost { count.fetch_add(1, Ordering::Relaxed); }
                        else if let Some(client) = client { let _ = front.send_to(&down[..len], client).await; }
                    }
                }
            }
        });
        Self { address, dropped, server: goal, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
