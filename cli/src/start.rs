//! `godwit agent start`: what a link of the form `fasp://…` does, so that pages without the extension find the agent's local
//! HTTP API. The link itself is not read: whoever made it could have written anything there.

use crate::agent::{Agent, AgentError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to listen.
const LISTENING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// systemd's unit, if the agent was installed with it; see `manifests/systemd`.
const SOCKET_UNIT: &str = "godwit-agent.socket";

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("{path} cannot be started: {source}")]
    Spawn { path: String, source: io::Error },
    #[error("the agent ended at once: {0}; `godwit doctor` may know why")]
    Ended(std::process::ExitStatus),
    #[error("the agent did not answer within {} seconds", LISTENING.as_secs())]
    Silent,
}

pub(crate) fn run() -> Result<(), StartError> {
    let started = ensure()?;
    println!("{}", if started { "The agent runs now." } else { "The agent is running." });
    Ok(())
}

/// Starts it if it does not run, and waits until it answers; true if it did not run.
pub(crate) fn ensure() -> Result<bool, StartError> {
    if Agent::connect()?.is_some() {
        return Ok(false);
    }
    // Where systemd listens for it, the first connection starts it. Two at once: the later one sees the earlier one and ends.
    let mut child = if by_systemd() && Agent::connect()?.is_some() { None } else { Some(spawn()?) };
    let deadline = Instant::now() + LISTENING;
    while Agent::connect()?.is_none() {
        match child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if !status.success() => return Err(StartError::Ended(status)),
            _ if Instant::now() >= deadline => return Err(StartError::Silent),
            _ => std::thread::sleep(PAUSE),
        }
    }
    Ok(true)
}

/// Has systemd listen at the agent's socket; false where it cannot.
fn by_systemd() -> bool {
    let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // The units serve the ordinary place only.
    if path("GODWIT_HOME").is_some() || !path("XDG_RUNTIME_DIR").is_some_and(|folder| folder.join("systemd").is_dir()) {
        return false;
    }
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["--user", "--quiet", "start", SOCKET_UNIT]);
    let quiet = systemctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The agent beside this program, in a session of its own.
fn spawn() -> Result<Child, StartError> {
    let failed = |path: &Path, source| StartError::Spawn { path: path.display().to_string(), source };
    let own = std::env::current_exe().map_err(|e| failed(Path::new("godwit"), e))?;
    let agent = own.with_file_name("godwit-agent");
    let mut command = Command::new(&agent);
    command.arg("--detached").current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|e| failed(&agent, e))
}
