//! The real server as a process, with its own state and docroot, on free ports.

#![allow(dead_code)] // each test file uses its part

pub(crate) mod http;

use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{
    Command as Order, Credential, Failure, PathPair, RateSettings, Report, ServerAddress, ServerIdentity, Start, Stats,
    TransferOptions,
};
use godwit_protocol::{RateKbps, Secret};
use rustix::process::{Pid, Signal};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest wait for anything that should happen at once; generous because machines are busy.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// A folder, and the server that may run in it.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) line: String,
    pub(crate) data: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) fingerprint: String,
}

/// How a server ended that was not expected to get ready.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("docroot")).unwrap();
        Self { dir }
    }

    pub(crate) fn docroot(&self) -> PathBuf {
        self.dir.path().join("docroot")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-server"));
        command.env("GODWIT_HOME", self.dir.path()).env("GODWIT_LOG", "info").args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn serving(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["--bind", "127.0.0.1"]);
        for port in ["--data-port", "--api-port", "--http-port"] {
            if !arguments.contains(&port) {
                command.args([port, "0"]);
            }
        }
        if !arguments.contains(&"--docroot") {
            command.arg("--docroot").arg(self.docroot());
        }
        command.args(arguments);
        command
    }

    /// Starts a server and waits for its line.
    pub(crate) fn start(&self, arguments: &[&str]) -> Server {
        self.start_by(self.serving(arguments))
    }

    /// Starts a server by a command like that of [`Place::serving`].
    pub(crate) fn start_by(&self, mut command: Command) -> Server {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = lines.recv_timeout(SOON).unwrap_or_else(|_| panic!("no line; log:\n{}", self.log()));
        let field = |name: &str| {
            let value = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_else(|| panic!("{name} in {line}")).to_owned()
        };
        let address = |name: &str| field(name).parse().unwrap();
        let (data, api, http, fingerprint) = (address("data"), address("api"), address("http"), field("fingerprint"));
        Server { child, data, api, http, fingerprint, line }
    }

    /// Runs something that is expected to end; its outputs are short enough for the pipes' buffers.
    pub(crate) fn run(&self, mut command: Command) -> Ended {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + SOON;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("it goes on instead of ending: {command:?}");
            }
            std::thread::park_timeout(Duration::from_millis(10));
        };
        let (stdout, stderr) = (read_all(child.stdout.take().unwrap()), read_all(child.stderr.take().unwrap()));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { status, stdout: text(stdout), stderr: text(stderr) }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Server {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// A start message for this server; `local` is the source of an upload or the folder of a download.
    pub(crate) fn session(
        &self,
        user: &str,
        credential: Credential,
        direction: Direction,
        local: &Path,
        remote: &str,
    ) -> Start {
        let local = local.to_str().unwrap().to_owned();
        let (source, destination_root) = match direction {
            Direction::Send => (local, remote.to_owned()),
            Direction::Receive => (remote.to_owned(), local),
        };
        Start {
            transfer_id: "00000000-0000-4000-8000-000000000001".into(),
            attempt: 1,
            direction,
            server: ServerAddress {
                host: self.data.ip().to_string(),
                data_port: self.data.port(),
                tcp_port: self.data.port(),
                user: user.into(),
                credential,
                identity: ServerIdentity { fingerprint: Some(self.fingerprint.clone()), pin: None },
            },
            paths: vec![PathPair { source, destination: None }],
            destination_root,
            create_dir: false,
            options: TransferOptions::default(),
            rate: RateSettings::default(),
            sessions: 1,
            cookie: String::new(),
            root_id: None,
            protection: None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn password(text: &str) -> Credential {
    Credential::Password { password: Secret::new(text) }
}

/// A session under way.
pub(crate) struct Running {
    task: tokio::task::JoinHandle<Result<Stats, Failure>>,
    reports: tokio::sync::mpsc::Receiver<Report>,
    orders: tokio::sync::mpsc::Sender<Order>,
}

impl Running {
    pub(crate) fn start(start: Start) -> Self {
        let (sender, reports) = tokio::sync::mpsc::channel(64);
        let (orders, incoming) = tokio::sync::mpsc::channel(4);
        let task = tokio::spawn(async move { godwit_transport::client::run(&start, sender, incoming).await });
        Self { task, reports, orders }
    }

    /// Waits until bytes have moved.
    pub(crate) async fn moving(&mut self) {
        assert!(self.moves().await, "the session ended before anything moved");
    }

    /// Waits until bytes have moved; false if it ends before.
    pub(crate) async fn moves(&mut self) -> bool {
        let wait = async {
            loop {
                match self.reports.recv().await {
                    Some(Report::Stats(stats)) if stats.bytes_transferred > 0 => return true,
                    Some(_) => {}
                    None => return false,
                }
            }
        };
        tokio::time::timeout(SOON, wait).await.unwrap()
    }

    /// Whether it goes on. What it has to say meanwhile is read, or it would wait.
    pub(crate) fn goes_on(&mut self) -> bool {
        while self.reports.try_recv().is_ok() {}
        !self.task.is_finished()
    }

    /// As fast as it can from now on.
    pub(crate) async fn hurry(&self) {
        let rate = RateSettings { target: Some(RateKbps(10_000_000)), ..RateSettings::default() };
        self.orders.send(Order::SetRate(rate)).await.unwrap();
    }

    pub(crate) async fn end(mut self) -> Result<Stats, Failure> {
        let drain = async {
            while self.reports.recv().await.is_some() {}
            self.task.await.unwrap()
        };
        tokio::time::timeout(4 * SOON, drain).await.unwrap()
    }
}

/// Runs a session to its end.
pub(crate) async fn session(start: Start) -> Result<Stats, Failure> {
    Running::start(start).end().await
}

/// Reads everything that a blocking stream gives until it closes.
pub(crate) fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// A tracer that makes something of the server's calls of one kind: `what` as strace's `inject` has it, only on the paths of `on`
/// if there are any. Returns when it holds the process.
pub(crate) fn traced(server: &Server, call: &str, what: &str, on: &[&Path]) -> Child {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{what}"), "-p", &server.child.id().to_string()]);
    for path in on {
        command.arg("-P").arg(path);
    }
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("attached"), "{first}");
    std::thread::spawn(move || lines.for_each(drop));
    child
}
