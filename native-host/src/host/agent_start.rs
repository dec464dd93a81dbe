//! Reaching the agent, and starting it if nobody listens.

use super::systemd;
use crate::home::{self, Home};
use crate::lock::FileLock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the agent may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// First and longest pause between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// How long the agent's first words are waited for.
const GREETING: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Connects; `None` if `gave_up` turned true while waiting. The error is for the user, and names the log.
pub(super) fn connect(home: &Home, gave_up: impl Fn() -> bool) -> Result<Option<UnixStream>, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        format!("{what}: {error}. The log is {}", home.agent_log().display())
    };
    if let Some(socket) = try_connect(home.socket()).map_err(|e| failed("Godwit's socket cannot be used", &e))? {
        return Ok(Some(socket));
    }
    home.create().map_err(|e| failed("Godwit's folders cannot be used", &e))?;
    let deadline = Instant::now() + START_TIMEOUT;
    let mut starting: Option<Starting> = None;
    let mut by_systemd = systemd::has_unit();
    let mut pause = PAUSE.0;
    loop {
        if starting.is_none() {
            // Whoever holds the lock starts the agent; the others wait for its socket.
            if let Some(lock) = FileLock::try_take(&home.start_lock()).map_err(|e| failed("The start lock", &e))? {
                if let Some(socket) = try_connect(home.socket()).map_err(|e| failed("The socket", &e))? {
                    return Ok(Some(socket));
                }
                let child = if by_systemd { systemd::start().or_else(|_| spawn()) } else { spawn() };
                let child = child.map_err(|e| failed("The Godwit agent could not be started", &e))?;
                starting = Some(Starting { child, _lock: lock });
            }
        }
        if let Some(socket) = try_connect(home.socket()).map_err(|e| failed("Godwit's socket cannot be used", &e))? {
            return Ok(Some(socket));
        }
        if let Some(running) = &mut starting
            && let Ok(Some(status)) = running.child.try_wait()
        {
            if by_systemd {
                // Its socket is there now, or systemd cannot help and we start the agent ourselves.
                by_systemd = false;
                starting = None;
                continue;
            }
            if !status.success() {
                return Err(failed("The Godwit agent ended at once", &status));
            }
            // It saw another agent. If that one is just dying, nobody will ever answer: try anew.
            starting = None;
        }
        if gave_up() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(failed("The Godwit agent did not answer", &"it took more than 15 seconds"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

struct Starting {
    child: Child,
    _lock: FileLock,
}

/// `None` if nobody serves the socket: an agent that is being killed may still accept, but it does not greet.
fn try_connect(socket: &Path) -> io::Result<Option<UnixStream>> {
    match socket.parent().map(home::check_private) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Some(Err(error)) => return Err(error),
        _ => {}
    }
    match UnixStream::connect(socket) {
        Ok(stream) => Ok(greets(&stream).then_some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True unless the other side hangs up without a word. The agent speaks first; a busy one is believed without it.
fn greets(stream: &UnixStream) -> bool {
    if !matches!(poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&GREETING)), Ok(1)) {
        return true;
    }
    let mut byte = [0];
    matches!(recv(stream, &mut byte, RecvFlags::PEEK), Ok((1, _)))
}

/// The agent beside this program, detached: it makes itself a session of its own (`--detached`), so that nothing that
/// happens to the browser's process group reaches it. It must not be made a group leader here, or it could not.
fn spawn() -> io::Result<Child> {
    let own = std::env::current_exe()?;
    let agent = own.with_file_name("godwit-agent");
    Command::new(&agent)
        .arg("--detached")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", agent.display())))
}
