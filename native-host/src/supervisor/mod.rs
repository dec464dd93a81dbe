//! Workers as processes: started, fed, listened to, and cleared away.
//!
//! **Must not know** what a transfer is; it carries [`Command`]s down and [`WorkerEvent`]s up.

mod leftovers;
mod lines;

pub use leftovers::Leftovers;

use crate::core::Input;
use crate::queue::RunId;
use godwit_protocol::worker::{Command, Failure, MAX_LINE, Report, Stats};
use lines::LineReader;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use zeroize::Zeroize;

/// After `stop`, a worker has this long to write its journal before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(4);
/// After its last report, a worker has this long to be gone.
const EXIT_GRACE: Duration = Duration::from_secs(5);
/// Longest line of a worker's log that is kept.
const MAX_LOG_LINE: usize = 2_000;

/// What a worker did.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerEvent {
    /// Its process runs.
    Spawned {
        /// Process id.
        pid: u32,
    },
    /// It said something; never `done` or `error`, which come as [`WorkerEvent::Ended`].
    Report(Report),
    /// Its process has ended.
    Ended(Ended),
}

impl WorkerEvent {
    /// True for the last event of a run.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It said `done`.
    Done(Stats),
    /// It said `error`.
    Failed(Failure),
    /// It said neither: killed, crashed, or not to be started. Holds what is known, for the log.
    Crashed(String),
    /// There is no such program.
    Missing(String),
}

/// The way to a running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    commands: mpsc::UnboundedSender<Command>,
    kill: tokio::task::AbortHandle,
}

impl WorkerHandle {
    /// Sends a command; one that has ended no longer listens, and its end is on its way.
    pub fn tell(&self, command: Command) {
        drop(self.commands.send(command));
    }

    /// Kills it at once, unheard.
    pub fn kill(&self) {
        self.kill.abort();
    }
}

/// Starts `program` for `order`, its first command. What happens arrives in `inputs`, [`WorkerEvent::Ended`] last and always.
#[must_use]
pub fn spawn_worker(
    program: &Path,
    run: RunId,
    order: Command,
    inputs: mpsc::Sender<Input>,
    leftovers: &Leftovers,
) -> WorkerHandle {
    let (commands, received) = mpsc::unbounded_channel();
    let program = program.to_owned();
    let leftovers = leftovers.clone();
    let task = tokio::spawn(async move {
        let ended = match launch(&program) {
            Ok(child) => {
                let pid = child.id().unwrap_or_default();
                leftovers.began(run, pid);
                // The main loop may have ended; then this task ends with it.
                drop(inputs.send(Input::Worker { run, event: WorkerEvent::Spawned { pid } }).await);
                supervise(child, run, order, received, &inputs).await
            }
            Err(error) => {
                tracing::error!(program = %program.display(), %error, "worker could not be started");
                Ended::Missing(format!("{}: {error}", program.display()))
            }
        };
        drop(inputs.send(Input::Worker { run, event: WorkerEvent::Ended(ended) }).await);
    });
    WorkerHandle { commands, kill: task.abort_handle() }
}

fn launch(program: &Path) -> std::io::Result<Child> {
    tokio::process::Command::new(program)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: signals to the agent's group are not meant for it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn supervise(
    mut child: Child,
    run: RunId,
    order: Command,
    mut commands: mpsc::UnboundedReceiver<Command>,
    inputs: &mpsc::Sender<Input>,
) -> Ended {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Ended::Crashed("the worker has no pipes".into());
    };
    let log = tokio::spawn(keep_log(run, LineReader::new(stderr, MAX_LOG_LINE)));
    let mut lines = LineReader::new(stdout, MAX_LINE);
    let mut last = None;
    let mut killer: Option<tokio::time::Instant> = None;
    if let Err(error) = write_command(&mut stdin, &order).await {
        tracing::warn!(run = run.0, %error, "the worker did not take its orders");
    }
    loop {
        let deadline = killer.unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(line)) => match serde_json::from_slice::<Report>(&line) {
                    Ok(Report::Done(stats)) => last = Some(Ended::Done(stats)),
                    Ok(Report::Error(failure)) => last = Some(Ended::Failed(failure)),
                    Ok(report) if last.is_none() => {
                        drop(inputs.send(Input::Worker { run, event: WorkerEvent::Report(report) }).await);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(run = run.0, %error, "a line of the worker was not understood"),
                },
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(run = run.0, %error, "the worker is killed");
                    drop(child.start_kill());
                    break;
                }
            },
            Some(command) = commands.recv() => {
                if command == Command::Stop {
                    killer = killer.or(Some(tokio::time::Instant::now() + STOP_GRACE));
                }
                // A worker that has closed its input is about to end, which is heard elsewhere.
                drop(write_command(&mut stdin, &command).await);
            }
            () = tokio::time::sleep_until(deadline), if killer.is_some() => {
                tracing::warn!(run = run.0, "the worker did not stop in time; it is killed");
                drop(child.start_kill());
                break;
            }
        }
    }
    drop(stdin);
    let status = match tokio::time::timeout(EXIT_GRACE, child.wait()).await {
        Ok(status) => status.map_or_else(|e| e.to_string(), |s| s.to_string()),
        Err(_) => {
            drop(child.kill().await);
            "did not end by itself".into()
        }
    };
    log.abort();
    last.unwrap_or(Ended::Crashed(status))
}

async fn write_command(stdin: &mut ChildStdin, command: &Command) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    let written = async {
        stdin.write_all(&line).await?;
        stdin.flush().await
    };
    // A worker that does not read must not hold up its own supervision.
    let result = tokio::time::timeout(Duration::from_secs(5), written).await;
    line.zeroize();
    result.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

async fn keep_log(run: RunId, mut lines: LineReader<tokio::process::ChildStderr>) {
    loop {
        match lines.next().await {
            Ok(Some(line)) => {
                tracing::info!(target: crate::logging::WORKER_LOG, run = run.0, "{}", String::from_utf8_lossy(&line).trim_end());
            }
            Ok(None) => return,
            // Too long: the rest of it is skipped.
            Err(_) => {}
        }
    }
}
