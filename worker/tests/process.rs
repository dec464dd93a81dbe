//! The built worker as a process, against a server in this one.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../transport/tests/common/mod.rs"]
mod common;

use common::{Server, content, rate, snapshot};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Command, Report, Start, Stats};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

const MIB: u64 = 1024 * 1024;

struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn spawn() -> Self {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_godwit-worker"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), output, child }
    }

    async fn start(job: Start) -> Self {
        let mut worker = Self::spawn();
        worker.command(&Command::Start(Box::new(job))).await;
        worker
    }

    async fn command(&mut self, command: &Command) {
        let mut line = serde_json::to_vec(command).unwrap();
        line.push(b'\n');
        self.input.as_mut().unwrap().write_all(&line).await.unwrap();
    }

    /// The next report; every line must be one.
    async fn next(&mut self) -> Option<Report> {
        let line = tokio::time::timeout(Duration::from_secs(60), self.output.next_line()).await.unwrap().unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn until(&mut self, enough: impl Fn(&Stats) -> bool) {
        loop {
            match self.next().await.unwrap() {
                Report::Stats(stats) if enough(&stats) => return,
                Report::Error(failure) => panic!("{failure:?}"),
                _ => {}
            }
        }
    }

    /// The last line and the exit code; nothing follows the last line.
    async fn end(mut self) -> (Report, Option<i32>) {
        let mut last = None;
        while let Some(report) = self.next().await {
            assert!(!matches!(last, Some(Report::Done(_) | Report::Error(_))), "a line after the last");
            last = Some(report);
        }
        (last.unwrap(), self.child.wait().await.unwrap().code())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_line_by_line_and_ends_with_done_and_0() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, source] = ["docroot", "source"].map(|n| temp.path().join(n));
    std::fs::create_dir(&docroot).unwrap();
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("f"), content(1, 3_000_000)).unwrap();
    let server = Server::start(&docroot);
    let mut worker = Worker::start(server.upload(&source)).await;
    let Some(Report::Session { transport, fingerprint, .. }) = worker.next().await else { panic!() };
    assert_eq!((transport.as_str(), fingerprint), ("quic", server.fingerprint.clone()));
    let (last, code) = worker.end().await;
    assert!(matches!(last, Report::Done(stats) if stats.bytes_written == 3_000_000));
    assert_eq!(code, Some(0));
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_mid_transfer_is_continued_without_sending_verified_units_again() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    let source = temp.path().join("big");
    let size = 64 * MIB;
    std::fs::write(&source, content(2, size as usize)).unwrap();
    let server = Server::start(&docroot);
    let mut job = server.upload(&source);
    job.rate = rate(200_000);
    let mut worker = Worker::start(job.clone()).await;
    worker.until(|s| s.bytes_written >= 16 * MIB).await;
    worker.child.kill().await.unwrap();
    job.attempt = 2;
    let (last, code) = Worker::start(job).await.end().await;
    let Report::Done(stats) = last else { panic!("{last:?}") };
    assert!(stats.bytes_on_wire < size - 16 * MIB + 8 * MIB, "{stats:?}");
    assert_eq!((stats.bytes_written, code), (size, Some(0)));
    assert_eq!(std::fs::read(docroot.join("big")).unwrap(), std::fs::read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_and_the_end_of_input_end_the_session_with_28_and_exit_1() {
    let temp = tempfile::tempdir().unwrap();
    let [docroot, back] = ["docroot", "back"].map(|n| temp.path().join(n));
    for folder in [&docroot, &back] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(docroot.join("big"), content(3, 50_000_000)).unwrap();
    let server = Server::start(&docroot);
    for stop in [true, false] {
        let mut job = server.download("big", &back);
        job.rate = rate(80_000);
        let mut worker = Worker::start(job).await;
        worker.until(|s| s.bytes_written >= 2 * MIB).await;
        if stop {
            worker.command(&Command::Stop).await;
        } else {
            worker.input = None;
        }
        let (last, code) = worker.end().await;
        assert!(matches!(last, Report::Error(f) if f.code == ErrorCode::UserCancel));
        assert_eq!(code, Some(1));
        assert!(back.join("big.partial").exists() && back.join("big.aspera-ckpt").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_input_is_a_usage_error_that_repeats_no_secret() {
    for line in [&b"{\"type\":\"stop\"}\n"[..], b"{\"password\":\"hunter2\"\n", b"\xff\n", b""] {
        let mut worker = Worker::spawn();
        worker.input.as_mut().unwrap().write_all(line).await.unwrap();
        worker.input = None;
        let (last, code) = worker.end().await;
        let Report::Error(failure) = last else { panic!() };
        assert_eq!((failure.code, code), (ErrorCode::Usage, Some(1)));
        assert!(!failure.message.contains("hunter2"));
    }
    let mut worker = Worker::spawn();
    let endless = vec![b' '; 5 * 1024 * 1024];
    let _ = worker.input.as_mut().unwrap().write_all(&endless).await;
    let (last, _) = worker.end().await;
    assert!(matches!(last, Report::Error(f) if f.code == ErrorCode::Usage));
}
