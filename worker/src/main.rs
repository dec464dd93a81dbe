//! `godwit-worker`: one transfer session, driven over standard input and output.
//!
//! **Purpose.** A process of its own for each session, so that a crash, a leak or an attack in the data path costs one
//! transfer. It reads one `start` (or `unlock`, for files that are to be decrypted where they lie) and then `set-rate` and `stop` as JSON lines, and writes reports as JSON lines; see
//! `godwit_protocol::worker`. Logs go to standard error. Exit code 0 after `done`, 1 after `error`.
//!
//! **Must not know:** queues, retries, settings, stores, browsers.

mod lines;
mod room;

use godwit_protocol::ErrorCode;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{Command, Failure, Report, Start, Stats, Unlock};
use lines::{LineError, read_line};
use room::Room;
use std::io::Write as _;
use std::process::ExitCode;
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

/// Reports that may wait for the agent to read.
const REPORTS: usize = 256;
const COMMANDS: usize = 16;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("GODWIT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    more_files();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            write_line(&Report::Error(Failure::new(ErrorCode::Internal, e.to_string())));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(work());
    // Blocked disk or name look-ups must not hold up the exit; what they would still write is not in any report.
    runtime.shutdown_background();
    match outcome {
        Ok(stats) => {
            write_line(&Report::Done(stats));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            write_line(&Report::Error(failure));
            ExitCode::FAILURE
        }
    }
}

async fn work() -> Result<Stats, Failure> {
    let mut input = BufReader::new(tokio::io::stdin());
    let order = first(&mut input).await?;
    let (commands_in, commands) = mpsc::channel(COMMANDS);
    let (reports_in, mut reports) = mpsc::channel(REPORTS);
    // Detached: it sits in a read of standard input until the process ends.
    tokio::spawn(obey(input, commands_in));
    let room = match &order {
        Order::Session(start) if start.direction == Direction::Receive => Some(&start.destination_root),
        _ => None,
    };
    let room = room.map(|folder| Room::of(folder.clone().into()));
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(mut report) = reports.blocking_recv() {
            if let Report::Stats(stats) = &mut report {
                stats.disk = room.as_ref().and_then(Room::now);
            }
            if !write_line(&report) {
                return;
            }
        }
    });
    let outcome = match order {
        Order::Session(start) => godwit_transport::client::run(&start, reports_in, commands).await,
        Order::Unlock(unlock) => godwit_transport::unlock::run(*unlock, reports_in, commands).await,
    };
    // Every report stands before the last line.
    let _ = writer.await;
    outcome
}

/// What this process is for.
enum Order {
    Session(Box<Start>),
    Unlock(Box<Unlock>),
}

async fn first(input: &mut BufReader<tokio::io::Stdin>) -> Result<Order, Failure> {
    let usage = |detail: &str| Failure::new(ErrorCode::Usage, detail);
    match next(input).await {
        Ok(Some(Command::Start(start))) => Ok(Order::Session(start)),
        Ok(Some(Command::Unlock(unlock))) => Ok(Order::Unlock(unlock)),
        Ok(Some(_)) => Err(usage("the first command must be start or unlock")),
        Ok(None) => Err(usage("no command came")),
        Err(e) => Err(usage(&e.to_string())),
    }
}

/// Passes commands on. The end of the input closes the channel, which stops the session; so does a line that makes no
/// sense, because an agent that writes such lines cannot be relied on.
async fn obey(mut input: BufReader<tokio::io::Stdin>, commands: mpsc::Sender<Command>) {
    loop {
        match next(&mut input).await {
            Ok(Some(command)) => {
                if commands.send(command).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "command"),
        }
    }
}

/// The next command; blank lines are passed over.
async fn next(input: &mut BufReader<tokio::io::Stdin>) -> Result<Option<Command>, LineError> {
    loop {
        let Some(line) = read_line(input).await? else { return Ok(None) };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // The text of the error could hold a part of a secret: only the position is told.
        return serde_json::from_slice(&line).map(Some).map_err(|e| LineError::Json { column: e.column() });
    }
}

/// False if nobody reads any more.
fn write_line(report: &Report) -> bool {
    let Ok(mut line) = serde_json::to_vec(report) else { return true };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).is_ok()
}

/// Many files are open at once for a moment; the usual soft limit of 1,024 is for `select`, which nobody uses here.
fn more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
