//! The client's end of a session: what a worker or the command line runs.

use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Command, Failure, Report, Start, Stats};
use tokio::sync::mpsc;

/// Runs one session to its end. Emits [`Report::Session`], [`Report::Stats`] (at most four a second) and
/// [`Report::File`]; the final `Done` or `Error` is the caller's to make from the result. `commands` may carry
/// [`Command::SetRate`] and [`Command::Stop`]; a closed channel means that the caller has gone and counts as `Stop`.
/// Success means that every file arrived and was verified.
pub async fn run(
    start: &Start,
    reports: mpsc::Sender<Report>,
    commands: mpsc::Receiver<Command>,
) -> Result<Stats, Failure> {
    let _ = (start, reports, commands);
    Err(Failure::new(ErrorCode::Internal, "the session is being written"))
}
