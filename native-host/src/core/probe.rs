//! Page calls that try a server: its port, and a login.
//!
//! A login is tried by a worker like any other, which asks for a file that nobody has: what the server says to the login is the
//! answer, and not a byte moves. A page learns of a port only whether it could be reached, not why not.

use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Job, Output, RunId, Ticket};
use crate::limits::MAX_PROBES;
use crate::supervisor::{Ended, WorkerEvent};
use crate::time::Now;
use godwit_protocol::bodies::{Authenticate, TestPorts};
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::spec::Direction;
use godwit_protocol::start::parse_body;
use godwit_protocol::worker::{
    Command, Credential, PathPair, RateSettings, Report, ServerAddress, ServerIdentity, Start, TransferOptions,
};
use godwit_protocol::{ErrorCode, Origin};
use serde_json::json;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Runs from here on are no transfers'.
pub(super) const FIRST_PROBE: u64 = 1 << 63;
/// A server that says nothing for so long says nothing.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);

impl Core {
    #[expect(clippy::too_many_arguments, reason = "a call is its parts; they come from two places")]
    pub(super) fn probe_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: &str,
        deadline: Option<Duration>,
        now: Now,
    ) {
        let bad = |why: &str| PageAnswer::error(400, "bad-request", why);
        let body = match parse_body(body) {
            Ok(body) => body,
            Err(error) => return self.answer(conn, id, &super::page_calls::bad_body(&error)),
        };
        let probing =
            |what: &Wanted| matches!(what, Wanted::Page { origin: o, stage: Stage::Server, .. } if *o == origin);
        if self.waiting.values().filter(|w| probing(&w.what)).count() >= MAX_PROBES {
            let words = "This page tries too many servers at once.";
            return self.answer(conn, id, &PageAnswer::error(429, "too many tries at once", words));
        }
        let wanted = Wanted::Page { origin, endpoint: endpoint.clone(), body: String::new(), stage: Stage::Server };
        if endpoint == Endpoint::TestPorts {
            match TestPorts::from_body(&body) {
                Ok(wish) => {
                    let ticket = self.wait(conn, id, deadline, wanted);
                    self.out.push(Output::Job(Job::Connect { ticket, wish }));
                }
                Err(error) => self.answer(conn, id, &bad(&error.to_string())),
            }
            return;
        }
        match Authenticate::from_body(&body) {
            Ok(login) => {
                let limit = now.mono + LOGIN_LIMIT;
                let ticket = self.wait(conn, id, Some(deadline.map_or(limit, |d| d.min(limit))), wanted);
                let run = RunId(FIRST_PROBE + ticket);
                let start = self.login_orders(conn, login);
                self.probes.insert(run, ticket);
                self.out.push(Output::StartWorker { run, start: Box::new(start) });
            }
            Err(error) => self.answer(conn, id, &bad(&error.to_string())),
        }
    }

    fn login_orders(&self, conn: ConnId, login: Authenticate) -> Start {
        let pin = self.pin(&self.session_of(conn), &format!("{}:{}", login.host, login.port));
        let credential = match (login.token, login.password) {
            (Some(token), _) => Credential::Token { token },
            (None, password) => Credential::Password { password: password.unwrap_or_default() },
        };
        let name = (self.new_id)();
        Start {
            transfer_id: format!("login-{name}"),
            attempt: 1,
            direction: Direction::Receive,
            server: ServerAddress {
                host: login.host,
                data_port: login.port,
                tcp_port: login.tcp_port,
                user: login.user,
                credential,
                identity: ServerIdentity { fingerprint: login.fingerprint, pin },
            },
            paths: vec![PathPair { source: format!(".godwit-login-{name}"), destination: None }],
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

    /// True if the run was one that tries a login.
    pub(super) fn probe_event(&mut self, run: RunId, event: &WorkerEvent) -> bool {
        let Some(ticket) = self.probes.get(&run).copied() else { return false };
        if self.test_event(ticket, run, event) {
            return true;
        }
        match event {
            WorkerEvent::Report(Report::Session { .. }) => {
                self.answered_by_job(ticket, &PageAnswer::ok(&json!({})));
                self.out.push(Output::TellWorker { run, command: Command::Stop });
            }
            WorkerEvent::Ended(ended) => {
                self.probes.remove(&run);
                self.answered_by_job(ticket, &judge(ended));
            }
            _ => {}
        }
        true
    }

    /// Nobody waits for it any more.
    pub(super) fn stop_probe(&mut self, ticket: Ticket) {
        let run = RunId(FIRST_PROBE + ticket);
        if self.probes.contains_key(&run) {
            self.out.push(Output::TellWorker { run, command: Command::Stop });
        }
    }
}

fn judge(ended: &Ended) -> PageAnswer {
    let failure = match ended {
        Ended::Done(_) => return PageAnswer::ok(&json!({})),
        Ended::Failed(failure) => failure,
        Ended::Crashed(_) | Ended::Missing(_) => {
            return PageAnswer::error(500, "the login could not be tried", "The login could not be tried.");
        }
    };
    match failure.code {
        // The login itself was accepted: what it may not do, or what does not exist, comes after.
        ErrorCode::Unauthorized
        | ErrorCode::BadPath
        | ErrorCode::NoSuchFile
        | ErrorCode::NothingToTransfer
        | ErrorCode::SomeFilesFailed => PageAnswer::ok(&json!({})),
        ErrorCode::Authentication => PageAnswer::error(401, "authentication failed", &failure.message),
        _ => PageAnswer::error(502, "no session with the server", &failure.message),
    }
}

/// Tries to connect; runs as a job. The same answer for every failure: a page must not tell closed ports from filtered ones.
pub(crate) fn try_port(wish: &TestPorts) -> PageAnswer {
    let limit = Duration::from_secs(wish.timeout_seconds);
    let reached = (wish.host.as_str(), wish.port)
        .to_socket_addrs()
        .is_ok_and(|addresses| addresses.take(4).any(|a| TcpStream::connect_timeout(&a, limit).is_ok()));
    if reached {
        return PageAnswer::ok(&json!({}));
    }
    let words = format!("No connection to TCP port {} of {}.", wish.port, wish.host);
    PageAnswer::error(502, "no connection", &words)
}
