//! The agent's side of a dialog process: started on the caller's screen, fed, read, timed, and cleared away with all it started.

use super::{DialogRequest, MAX_ANSWER, Outcome};
use crate::core::Input;
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

/// This program, even if its file was replaced meanwhile: both ends of the pipe must be of one build.
const SELF: &str = "/proc/self/exe";
/// Variables of a screen. Those of the agent itself are wrong for a caller on another one.
const SCREEN: [&str; 6] =
    ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
/// The process knows its time limit; if it does not keep it, it is killed after so much longer.
const GRACE: Duration = Duration::from_secs(10);

/// A running dialog. Dropping it closes the dialog; then no outcome is told.
#[derive(Debug)]
pub(crate) struct DialogHandle {
    _open: oneshot::Sender<()>,
}

/// Starts a dialog for the prompt; [`Input::DialogDone`] comes when it has ended, unless the handle was dropped before.
pub(crate) fn start(
    prompt_id: String,
    request: DialogRequest,
    environment: BTreeMap<String, String>,
    inputs: mpsc::Sender<Input>,
) -> DialogHandle {
    let (open, closed) = oneshot::channel();
    tokio::spawn(async move {
        let outcome = match launch(&environment) {
            Ok((child, stdin, stdout)) => converse(child, stdin, stdout, &request, closed).await,
            Err(error) => Some(Outcome::unavailable(format!("the dialog process could not be started: {error}"))),
        };
        if let Some(outcome) = outcome {
            // The main loop may have ended; then nobody waits any more.
            drop(inputs.send(Input::DialogDone { prompt_id, outcome }).await);
        }
    });
    DialogHandle { _open: open }
}

fn launch(environment: &BTreeMap<String, String>) -> std::io::Result<(Child, ChildStdin, ChildStdout)> {
    let mut command = tokio::process::Command::new(SELF);
    for name in SCREEN {
        command.env_remove(name);
    }
    let mut child = command
        .arg0("godwit-agent")
        .arg("--dialog")
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own: whatever it starts goes with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => Ok((child, stdin, stdout)),
        _ => Err(std::io::Error::other("it has no pipes")),
    }
}

/// The outcome; `None` if the dialog was closed from here.
async fn converse(
    mut child: Child,
    mut stdin: ChildStdin,
    stdout: ChildStdout,
    request: &DialogRequest,
    closed: oneshot::Receiver<()>,
) -> Option<Outcome> {
    let limit = Duration::from_millis(request.limit_ms).saturating_add(GRACE);
    let mut answer = Vec::new();
    let outcome = {
        let talk = async {
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            stdin.write_all(&line).await?;
            // Standard input stays open: its end tells the process that nobody waits any more.
            stdout.take(MAX_ANSWER).read_to_end(&mut answer).await
        };
        tokio::select! {
            _ = closed => None,
            talked = tokio::time::timeout(limit, talk) => Some(match talked {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(Outcome::unavailable(format!("the dialog process broke: {error}"))),
                Err(_) => Some(Outcome::TimedOut),
            }),
        }
    };
    // Its group is ended before it is waited for: until then nobody else can have its number.
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    drop(child.wait().await);
    outcome.map(|broken| broken.unwrap_or_else(|| Outcome::read(&answer)))
}
