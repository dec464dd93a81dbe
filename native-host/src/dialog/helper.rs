//! The dialog process itself: one request on standard input, one outcome on standard output, gone.

use super::{DialogRequest, Outcome, portal, zenity};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Longest request, bytes.
const MAX_REQUEST: u64 = 1024 * 1024;

/// Runs it.
#[must_use]
pub fn run() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return answer(&Outcome::unavailable(error.to_string())),
    };
    let outcome = runtime.block_on(serve());
    // A read of standard input may still hang in its thread.
    runtime.shutdown_background();
    outcome.map_or(ExitCode::FAILURE, |outcome| answer(&outcome))
}

/// `None` if nobody waits for an outcome any more.
async fn serve() -> Option<Outcome> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    if let Err(error) = (&mut input).take(MAX_REQUEST).read_until(b'\n', &mut line).await {
        return Some(Outcome::unavailable(error.to_string()));
    }
    let request: DialogRequest = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => return Some(Outcome::unavailable(format!("the request cannot be read: {error}"))),
    };
    let mut rest = Vec::new();
    tokio::select! {
        outcome = tokio::time::timeout(Duration::from_millis(request.limit_ms), ask(&request)) => {
            Some(outcome.unwrap_or(Outcome::TimedOut))
        }
        // The agent has gone, or wants no answer any more: the dialog must not stay.
        _ = input.read_to_end(&mut rest) => None,
    }
}

/// The portal; where there is none, zenity.
async fn ask(request: &DialogRequest) -> Outcome {
    let portal = match portal::ask(request).await {
        Outcome::Unavailable { reason } => reason,
        outcome => return outcome,
    };
    match zenity::ask(request).await {
        Outcome::Unavailable { reason } => Outcome::unavailable(format!("{portal}; {reason}")),
        outcome => outcome,
    }
}

fn answer(outcome: &Outcome) -> ExitCode {
    let written = serde_json::to_vec(outcome).map_err(std::io::Error::other).and_then(|bytes| {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&bytes)?;
        stdout.flush()
    });
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
