//! Diagnostics: a person tries a server, over UDP and TCP at once.
//!
//! UDP is tried by a worker, as transfers do it, so that what is found is what a transfer would find. It is told to expect a
//! certificate that no server has: it turns back as soon as the server has shown its own, before any login.

use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, RunId, Ticket};
use crate::supervisor::{Ended, WorkerEvent};
use crate::time::Now;
use godwit_protocol::ErrorCode;
use godwit_protocol::diagnose::{PortTest, ServerTest, TestServer};
use godwit_protocol::envelope::codes;
use godwit_protocol::spec::{Direction, normalise_host};
use godwit_protocol::worker::{
    Command, Credential, PathPair, RateSettings, Report, ServerAddress, ServerIdentity, Start, TransferOptions,
};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Tests at once.
const MAX_TESTS: usize = 4;
/// The longest that a worker waits for a server, and some more.
const LIMIT: Duration = Duration::from_secs(40);
/// TCP has tried four times by then.
const TCP_LIMIT: Duration = Duration::from_secs(10);
/// Nobody's certificate: 32 bytes of nothing.
const NOBODY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Tests that are not finished, by the request that waits for them.
#[derive(Debug, Default)]
pub(super) struct ServerTests {
    open: BTreeMap<Ticket, Found>,
}

#[derive(Debug, Default)]
struct Found {
    tcp: Option<PortTest>,
    udp: Option<(PortTest, Option<String>)>,
}

impl Core {
    /// `ui.test-server`
    pub(super) fn test_server(&mut self, conn: ConnId, id: u64, wish: &TestServer, now: Now) {
        let Some(host) = normalise_host(wish.host.trim()) else {
            return self.refuse_word(conn, id, codes::BAD_REQUEST, "no-host", "This is not a host name or address.");
        };
        if wish.data_port == 0 || wish.tcp_port == 0 {
            return self.refuse_word(conn, id, codes::BAD_REQUEST, "no-port", "A port is a number from 1 to 65535.");
        }
        if self.server_tests.open.len() >= MAX_TESTS {
            return self.refuse_word(conn, id, codes::BUSY, "tests-running", "Other tests are still running.");
        }
        let ticket = self.wait(conn, id, Some(now.mono + LIMIT), Wanted::Window);
        self.server_tests.open.insert(ticket, Found::default());
        self.out.push(Output::Job(Job::TryTcp { ticket, host: host.clone(), port: wish.tcp_port }));
        let run = RunId(super::probe::FIRST_PROBE + ticket);
        self.probes.insert(run, ticket);
        let start = self.knock(host, wish.data_port, wish.tcp_port);
        self.out.push(Output::StartWorker { run, start: Box::new(start) });
    }

    fn knock(&self, host: String, data_port: u16, tcp_port: u16) -> Start {
        Start {
            transfer_id: format!("test-{}", (self.new_id)()),
            attempt: 1,
            direction: Direction::Receive,
            server: ServerAddress {
                host,
                data_port,
                tcp_port,
                user: String::new(),
                credential: Credential::Password { password: String::new().into() },
                identity: ServerIdentity { fingerprint: Some(NOBODY.into()), pin: None },
            },
            paths: vec![PathPair { source: ".godwit-test".into(), destination: None }],
            destination_root: self.home.run.to_string_lossy().into_owned(),
            create_dir: false,
            options: TransferOptions::default(),
            rate: RateSettings::default(),
            sessions: 1,
            cookie: String::new(),
            root_id: None,
            protection: None,
        }
    }

    /// True if the worker was one of a test.
    pub(super) fn test_event(&mut self, ticket: Ticket, run: RunId, event: &WorkerEvent) -> bool {
        if !self.server_tests.open.contains_key(&ticket) {
            return false;
        }
        match event {
            // Nobody has that certificate; whoever proves it all the same is there.
            WorkerEvent::Report(Report::Session { .. }) => {
                self.out.push(Output::TellWorker { run, command: Command::Stop });
            }
            WorkerEvent::Ended(ended) => {
                self.probes.remove(&run);
                self.tested(ticket, |found| found.udp = Some(judge(ended)));
            }
            _ => {}
        }
        true
    }

    /// The result of [`Job::TryTcp`].
    pub(super) fn tcp_tried(&mut self, ticket: Ticket, result: PortTest) {
        self.tested(ticket, |found| found.tcp = Some(result));
    }

    fn tested(&mut self, ticket: Ticket, note: impl FnOnce(&mut Found)) {
        let Some(found) = self.server_tests.open.get_mut(&ticket) else { return };
        note(found);
        let (Some(tcp), Some((udp, fingerprint))) = (&found.tcp, &found.udp) else { return };
        let result = ServerTest { tcp: tcp.clone(), udp: udp.clone(), fingerprint: fingerprint.clone() };
        self.server_tests.open.remove(&ticket);
        if let Some(waiting) = self.take_waiting(ticket) {
            self.respond_with(waiting.conn, waiting.id, &result);
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn test_given_up(&mut self, ticket: Ticket) {
        if self.server_tests.open.remove(&ticket).is_some() {
            self.stop_probe(ticket);
        }
    }
}

fn judge(ended: &Ended) -> (PortTest, Option<String>) {
    let there = |fingerprint| (PortTest { reached: true, ..PortTest::default() }, fingerprint);
    let failure = match ended {
        Ended::Done(_) => return there(None),
        Ended::Failed(failure) => failure,
        Ended::Crashed(why) | Ended::Missing(why) => {
            let (code, message) = (Some(ErrorCode::Internal), format!("The test could not be run: {why}"));
            return (PortTest { code, message, ..PortTest::default() }, None);
        }
    };
    match failure.code {
        ErrorCode::Insecure | ErrorCode::Authentication | ErrorCode::UserCancel | ErrorCode::Protocol => {
            there(failure.fingerprint.clone())
        }
        code => (PortTest { code: Some(code), message: failure.message.clone(), ..PortTest::default() }, None),
    }
}

/// Tries to connect; runs as a job.
pub(crate) fn try_tcp(host: &str, port: u16) -> PortTest {
    let failed = |code, message| PortTest { code: Some(code), message, ..PortTest::default() };
    let addresses = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return failed(ErrorCode::ControlFailed, format!("{host} has no address ({error}).")),
    };
    let mut last = failed(ErrorCode::ControlFailed, format!("{host} has no address."));
    for address in addresses.take(4) {
        let began = Instant::now();
        match TcpStream::connect_timeout(&address, TCP_LIMIT) {
            Ok(_) => {
                let ms = u64::try_from(began.elapsed().as_millis()).ok();
                return PortTest { reached: true, ms, ..PortTest::default() };
            }
            Err(error) => {
                let code = match error.kind() {
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => ErrorCode::ControlTimeout,
                    _ => ErrorCode::ControlFailed,
                };
                last = failed(code, format!("No connection to TCP port {port} of {} ({error}).", address.ip()));
            }
        }
    }
    last
}
