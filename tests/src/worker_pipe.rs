//! A spawned `godwit-worker` and its lines, driven as the agent drives it.

use crate::{Relay, Scratch, Server};
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{
    Command, Credential, PathPair, RateSettings, Report, ServerAddress, ServerIdentity, Start, Stats, TransferOptions,
};
use godwit_protocol::{RateKbps, Secret};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The process and its pipes. Dropping it kills it.
#[derive(Debug)]
pub struct WorkerPipe {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// A `start` for `server` through `relay`: one source, at a fixed rate.
#[must_use]
pub fn start(server: &Server, relay: &Relay, direction: Direction, source: &str, root: &Path, kbps: u64) -> Start {
    start_at(server, relay.port(), direction, source, root, kbps)
}

/// As [`start`], with the data going to a port.
#[must_use]
pub fn start_at(server: &Server, port: u16, direction: Direction, source: &str, root: &Path, kbps: u64) -> Start {
    Start {
        transfer_id: "0b5e0c1e-6f0a-4a43-9d3e-000000000001".into(),
        attempt: 1,
        direction,
        server: ServerAddress {
            host: "127.0.0.1".into(),
            data_port: port,
            tcp_port: server.data.port(),
            user: server.user().into(),
            credential: Credential::Password { password: Secret::new(server.password()) },
            identity: ServerIdentity { fingerprint: Some(server.fingerprint.clone()), pin: None },
        },
        paths: vec![PathPair { source: source.into(), destination: None }],
        destination_root: root.to_str().expect("UTF-8").into(),
        create_dir: true,
        options: TransferOptions::default(),
        rate: RateSettings { policy: RatePolicy::Fixed, target: Some(RateKbps(kbps)), ..RateSettings::default() },
        sessions: 1,
        cookie: String::new(),
        root_id: None,
        protection: None,
    }
}

impl WorkerPipe {
    /// Starts a worker that has been told nothing yet.
    #[must_use]
    pub fn spawn(scratch: &Scratch) -> Self {
        Self::run(scratch, scratch.command("godwit-worker"))
    }

    fn run(scratch: &Scratch, mut command: std::process::Command) -> Self {
        Self::of(command.stderr(scratch.log_file("worker")))
    }

    /// Runs a command that is a worker, which has been told nothing yet.
    #[must_use]
    pub fn of(command: &mut std::process::Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let stdin = child.stdin.take();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines }
    }

    /// Starts a worker with its first command.
    #[must_use]
    pub fn started(scratch: &Scratch, start: Start) -> Self {
        let mut worker = Self::spawn(scratch);
        worker.tell(&Command::Start(Box::new(start)));
        worker
    }

    /// As [`Self::started`], on the host of a namespace.
    #[must_use]
    pub fn started_on(scratch: &Scratch, namespace: &str, start: Start) -> Self {
        let mut command = crate::namespaces::inside(namespace, &crate::binaries::path("godwit-worker"));
        command.env("GODWIT_HOME", scratch.home()).env("HOME", scratch.user_home());
        command.env("GODWIT_LOG", "warn,godwit_transport::watch=debug");
        let mut worker = Self::run(scratch, command);
        worker.tell(&Command::Start(Box::new(start)));
        worker
    }

    /// Writes a command.
    pub fn tell(&mut self, command: &Command) {
        self.tell_line(&serde_json::to_string(command).unwrap());
    }

    /// Writes a line as it is. A worker that has ended does not hear it.
    pub fn tell_line(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }

    /// Closes its standard input, as an agent's death does.
    pub fn close_input(&mut self) {
        self.stdin.take();
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads reports until one fits; panics at anything that is no report, at the end, and after `limit`.
    pub fn until_report<T>(&self, what: &str, limit: Duration, mut fits: impl FnMut(Report) -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|e| panic!("waited for {what}: {e}"));
            let report = serde_json::from_str(&line).unwrap_or_else(|e| panic!("no report ({e}): {line}"));
            if let Some(value) = fits(report) {
                return value;
            }
        }
    }

    /// Waits until at least this much is verified.
    pub fn until_written(&self, bytes: u64, limit: Duration) -> Stats {
        self.until_report(&format!("{bytes} bytes written"), limit, |report| match report {
            Report::Stats(stats) if stats.bytes_written >= bytes => Some(stats),
            Report::Done(_) | Report::Error(_) => panic!("it ended too early: {report:?}"),
            _ => None,
        })
    }

    /// Reads what has come so far without waiting; the last report, if it is among it.
    #[must_use]
    pub fn ended(&self) -> Option<Report> {
        while let Ok(line) = self.lines.try_recv() {
            let report = serde_json::from_str(&line).unwrap_or_else(|e| panic!("no report ({e}): {line}"));
            if matches!(report, Report::Done(_) | Report::Error(_)) {
                return Some(report);
            }
        }
        None
    }

    /// What has come so far, without waiting: the newest counts, if any came, and the last report, if it is among it.
    #[must_use]
    pub fn so_far(&self) -> (Option<Stats>, Option<Report>) {
        let mut newest = None;
        while let Ok(line) = self.lines.try_recv() {
            match serde_json::from_str(&line).unwrap_or_else(|e| panic!("no report ({e}): {line}")) {
                Report::Stats(stats) => newest = Some(stats),
                Report::Done(stats) => return (Some(stats.clone()), Some(Report::Done(stats))),
                end @ Report::Error(_) => return (newest, Some(end)),
                _ => {}
            }
        }
        (newest, None)
    }

    /// The newest counts, if any came. Panics if it failed.
    #[must_use]
    pub fn newest(&self) -> Option<Stats> {
        let (newest, end) = self.so_far();
        assert!(!matches!(end, Some(Report::Error(_))), "it failed: {end:?}");
        newest
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Reads to the last report and the end of the process; returns the last counts too.
    pub fn until_end(&mut self, limit: Duration) -> (Report, Stats, ExitStatus) {
        let mut last = Stats::default();
        let end = self.until_report("the last report", limit, |report| match report {
            Report::Stats(stats) => {
                last = stats;
                None
            }
            Report::Done(_) | Report::Error(_) => Some(report),
            _ => None,
        });
        if let Report::Done(stats) = &end {
            last = stats.clone();
        }
        let status = crate::until("the worker ends", limit, || self.child.try_wait().unwrap());
        assert!(self.lines.recv_timeout(Duration::from_secs(5)).is_err(), "the last report is the last line");
        (end, last, status)
    }
}

impl Drop for WorkerPipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
