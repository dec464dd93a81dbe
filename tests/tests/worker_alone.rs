//! The worker by itself, at the end of the pipes where the agent would be.

#![allow(clippy::unwrap_used)]

use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{Command, Credential, RateSettings, Report};
use godwit_protocol::{ErrorCode, RateKbps, Secret};
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::worker_pipe::start;
use godwit_tests::{Relay, Scratch, Server, ServerOptions, WorkerPipe, tree};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 64 * MIB;
/// Streams that a sender has open at once, a unit each.
const UNDER_WAY: u64 = 16 * MIB;

struct Case {
    relay: Relay,
    server: Server,
    scratch: Scratch,
    here: PathBuf,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, ServerOptions::default());
        let relay = Relay::to(server.data);
        let here = scratch.path("here/big.bin");
        tree::file(&here, SIZE, 4);
        Self { relay, server, scratch, here }
    }

    fn upload(&self, kbps: u64) -> godwit_protocol::worker::Start {
        start(&self.server, &self.relay, Direction::Send, self.here.to_str().unwrap(), Path::new("up"), kbps)
    }

    fn there(&self) -> PathBuf {
        self.server.docroot().join("up/big.bin")
    }
}

fn failure(report: Report) -> godwit_protocol::worker::Failure {
    match report {
        Report::Error(failure) => failure,
        other => panic!("an error was expected: {other:?}"),
    }
}

#[test]
fn what_the_worker_counts_on_the_wire_is_what_the_network_counts() {
    let case = Case::new();
    let mut worker = WorkerPipe::started(&case.scratch, case.upload(400_000));
    let (end, stats, status) = worker.until_end(LONG);
    assert!(matches!(end, Report::Done(_)), "{end:?}");
    assert!(status.success());
    tree::assert_same_file(&case.here, &case.there());
    assert_eq!((stats.bytes_written, stats.bytes_transferred, stats.bytes_expected), (SIZE, SIZE, SIZE));
    assert_eq!((stats.files_completed, stats.files_failed), (1, 0));
    let network = case.relay.up() + case.relay.down();
    let difference = network.abs_diff(stats.bytes_on_wire);
    assert!(difference < network / 50, "the worker says {}, the network says {network}", stats.bytes_on_wire);
    assert!(network < SIZE + SIZE / 10, "{network} bytes for a file of {SIZE}");
}

#[test]
fn a_stopped_worker_says_28_and_the_next_attempt_carries_the_rest_only() {
    let case = Case::new();
    let mut worker = WorkerPipe::started(&case.scratch, case.upload(160_000));
    let before = worker.until_written(SIZE / 2, LONG);
    worker.tell(&Command::Stop);
    let (end, _, _) = worker.until_end(SOON);
    assert_eq!(failure(end).code, ErrorCode::UserCancel);
    assert!(!case.there().exists());

    let mut again = case.upload(160_000);
    again.attempt = 2;
    let mut worker = WorkerPipe::started(&case.scratch, again);
    let (end, stats, _) = worker.until_end(LONG);
    assert!(matches!(end, Report::Done(_)), "{end:?}");
    assert_eq!(stats.bytes_written, SIZE, "what was there counts as written");
    assert!(
        stats.bytes_transferred <= SIZE - before.bytes_written,
        "{} of file content were carried when {} were missing",
        stats.bytes_transferred,
        SIZE - before.bytes_written
    );
    assert!(stats.bytes_transferred + before.bytes_written + UNDER_WAY >= SIZE, "and no more was found than was there");
    tree::assert_same_file(&case.here, &case.there());
}

#[test]
fn a_worker_whose_agent_dies_stops_and_keeps_what_it_has() {
    let case = Case::new();
    let mut worker = WorkerPipe::started(&case.scratch, case.upload(160_000));
    worker.until_written(SIZE / 4, LONG);
    worker.close_input();
    let (end, _, _) = worker.until_end(Duration::from_secs(10));
    assert_eq!(failure(end).code, ErrorCode::UserCancel);
    assert!(case.there().with_file_name("big.bin.partial").exists());
}

#[test]
fn a_new_rate_is_obeyed_in_mid_session() {
    let case = Case::new();
    // At this rate it would take more than four minutes.
    let mut worker = WorkerPipe::started(&case.scratch, case.upload(2_000));
    worker.until_report("the session", SOON, |r| matches!(r, Report::Session { .. }).then_some(()));
    let rate = RateSettings { target: Some(RateKbps(400_000)), ..case.upload(1).rate };
    worker.tell(&Command::SetRate(rate));
    assert!(matches!(worker.until_end(SOON).0, Report::Done(_)));
}

#[test]
fn a_fixed_rate_is_kept() {
    let case = Case::new();
    let begin = std::time::Instant::now();
    // 64 MiB at 100 Mbit/s: 5.4 s.
    let mut worker = WorkerPipe::started(&case.scratch, case.upload(100_000));
    assert!(matches!(worker.until_end(LONG).0, Report::Done(_)));
    let rate = SIZE as f64 * 8.0 / begin.elapsed().as_secs_f64() / 1e6;
    assert!((50.0..115.0).contains(&rate), "100 Mbit/s wanted, {rate:.0} reached");
}

#[test]
fn lines_that_are_no_command_end_the_worker_with_an_error_and_no_panic() {
    let scratch = Scratch::new();
    for line in
        ["no json", "{}", "[]", r#"{"type":"stop"}"#, r#"{"type":"start"}"#, r#"{"type":"start","paths":5}"#, ""]
    {
        let mut worker = WorkerPipe::spawn(&scratch);
        worker.tell_line(line);
        worker.close_input();
        let (end, _, _) = worker.until_end(SOON);
        let code = failure(end).code;
        assert!(matches!(code, ErrorCode::Usage | ErrorCode::Protocol | ErrorCode::UserCancel), "{line}: {code}");
    }
    let log = std::fs::read_to_string(scratch.path("stderr/worker")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let scratch = Scratch::new();
    let mut worker = WorkerPipe::spawn(&scratch);
    worker.tell_line(&"x".repeat(8 << 20));
    let (end, _, _) = worker.until_end(SOON);
    assert!(matches!(failure(end).code, ErrorCode::Usage | ErrorCode::Protocol));
}

#[test]
fn a_wrong_password_is_19_and_a_wrong_certificate_51_with_the_fingerprint() {
    let case = Case::new();
    let mut wrong = case.upload(1000);
    wrong.server.credential = Credential::Password { password: Secret::new("wrong") };
    assert_eq!(failure(WorkerPipe::started(&case.scratch, wrong).until_end(SOON).0).code, ErrorCode::Authentication);

    let other = format!("SHA256:{}", "ab".repeat(32));
    let mut starts = vec![case.upload(1000), case.upload(1000), case.upload(1000)];
    starts[0].server.identity.fingerprint = Some(other.clone());
    starts[1].server.identity.fingerprint = None;
    starts[1].server.identity.pin = Some(other);
    // Self-signed, and nobody vouches for it.
    starts[2].server.identity.fingerprint = None;
    for start in starts {
        let failure = failure(WorkerPipe::started(&case.scratch, start).until_end(SOON).0);
        assert_eq!(failure.code, ErrorCode::Insecure);
        assert_eq!(failure.fingerprint.as_deref(), Some(case.server.fingerprint.as_str()), "what was presented");
    }
    assert!(!case.there().exists());
}

#[test]
fn a_server_that_is_not_there_is_told_from_blocked_udp() {
    let case = Case::new();
    // TCP answers, UDP goes nowhere.
    let deaf = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let mut start = case.upload(1000);
    start.server.data_port = deaf.local_addr().unwrap().port();
    let code = failure(WorkerPipe::started(&case.scratch, start).until_end(LONG).0).code;
    assert!(matches!(code, ErrorCode::DataTimeout | ErrorCode::DataConnection), "{code}");

    // Nothing answers at all.
    let unused = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let mut start = case.upload(1000);
    (start.server.data_port, start.server.tcp_port) = (unused, unused);
    let code = failure(WorkerPipe::started(&case.scratch, start).until_end(LONG).0).code;
    assert!(matches!(code, ErrorCode::ControlFailed | ErrorCode::ControlTimeout), "{code}");
}
