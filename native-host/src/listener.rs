//! The agent's socket: who may connect, and who may be the agent.
//!
//! Each decision is a pure function of what was observed; unclear means refuse.

use crate::agent::Handed;
use crate::home::{self, Home};
use crate::lock::FileLock;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// Why the agent cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another agent holds the lock: not a failure, there is one.
    #[error("a Godwit agent runs already")]
    Running,
    /// The socket cannot be made safely.
    #[error("the socket {path} cannot be used: {why}")]
    Socket {
        /// Where.
        path: String,
        /// Why not.
        why: String,
    },
    /// A folder or lock cannot be used.
    #[error("Godwit's folders cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The right to be the agent, and its socket. Both last as long as this value.
#[derive(Debug)]
pub struct Seat {
    /// The listening socket, set to non-blocking.
    pub listener: std::os::unix::net::UnixListener,
    lock: FileLock,
}

impl Seat {
    /// For the program that this process becomes.
    #[must_use]
    pub fn into_parts(self) -> (std::os::unix::net::UnixListener, FileLock) {
        (self.listener, self.lock)
    }
}

/// What stands where the socket shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A socket on which somebody answers.
    Alive,
    /// A socket that refuses connections: left by an agent that was killed.
    Stale,
    /// A file, a link, or a socket that answers in no known way.
    Other,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bind.
    Bind,
    /// Remove the stale socket, then bind.
    Replace,
    /// Leave it alone and give up.
    Refuse,
}

/// We hold the lock, so a live socket is no agent of ours: somebody else's program sits there, and taking its place would
/// cut its users off. Only a socket that certainly nobody serves is removed.
#[must_use]
pub fn decide_bind(found: Found) -> Step {
    match found {
        Found::Nothing => Step::Bind,
        Found::Stale => Step::Replace,
        Found::Alive | Found::Other => Step::Refuse,
    }
}

/// The socket's folder is private already; this also holds when somebody opened it. Only the same user is let in, not
/// even root: root's files and trust decisions are not this user's.
#[must_use]
pub fn decide_peer(own_uid: u32, peer_uid: Option<u32>) -> bool {
    peer_uid == Some(own_uid)
}

/// Becomes the agent: lock first, then the socket, unless they were `handed` over by whoever had them.
pub fn take_seat(home: &Home, handed: Handed) -> Result<Seat, ListenError> {
    home.create()?;
    let lock = match handed.lock {
        Some(lock) => lock,
        None => FileLock::try_take(&home.agent_lock())?.ok_or(ListenError::Running)?,
    };
    let path = home.socket();
    let refuse = |why: String| ListenError::Socket { path: path.display().to_string(), why };
    if let Some(folder) = path.parent() {
        home::check_private(folder)?;
    }
    if let Some(listener) = handed.listener {
        listener.set_nonblocking(true)?;
        return Ok(Seat { listener, lock });
    }
    match decide_bind(look_again(path)) {
        Step::Bind => {}
        Step::Replace => std::fs::remove_file(path)?,
        Step::Refuse => return Err(refuse("something else is there; remove it and start again".into())),
    }
    // The umask is the process's; nothing else runs yet. It goes back before any worker can inherit it.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = std::os::unix::net::UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = bound.map_err(|e| refuse(e.to_string()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(Seat { listener, lock })
}

/// An agent that is being killed lets go of its lock a moment before its socket: what is alive is looked at again.
fn look_again(path: &Path) -> Found {
    for _ in 0..20 {
        match look(path) {
            Found::Alive => std::thread::sleep(std::time::Duration::from_millis(50)),
            found => return found,
        }
    }
    look(path)
}

fn look(path: &Path) -> Found {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Other,
        Ok(meta) if !meta.file_type().is_socket() => Found::Other,
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Found::Alive,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Found::Stale,
            Err(_) => Found::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::home::Places;

    #[test]
    fn only_a_socket_nobody_serves_is_replaced() {
        assert_eq!(decide_bind(Found::Nothing), Step::Bind);
        assert_eq!(decide_bind(Found::Stale), Step::Replace);
        assert_eq!(decide_bind(Found::Alive), Step::Refuse);
        assert_eq!(decide_bind(Found::Other), Step::Refuse);
    }

    #[test]
    fn h17_only_the_same_user_is_let_in_and_an_unknown_one_is_not() {
        for own in [0, 7, 1000] {
            for peer in [None, Some(0), Some(7), Some(1000)] {
                assert_eq!(decide_peer(own, peer), peer == Some(own), "{own} {peer:?}");
            }
        }
    }

    #[test]
    fn the_second_agent_finds_the_seat_taken_and_the_socket_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(&Places { godwit_home: Some(dir.path().into()), ..Places::default() }).unwrap();
        let seat = take_seat(&home, Handed::default()).unwrap();
        assert!(matches!(take_seat(&home, Handed::default()), Err(ListenError::Running)));
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.socket()), 0o600);
        assert_eq!(mode(home.socket().parent().unwrap()), 0o700);
        drop(seat);
        take_seat(&home, Handed::default()).unwrap();
    }

    #[test]
    fn a_plain_file_in_the_sockets_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(&Places { godwit_home: Some(dir.path().into()), ..Places::default() }).unwrap();
        home.create().unwrap();
        std::fs::write(home.socket(), "mine").unwrap();
        assert!(matches!(take_seat(&home, Handed::default()), Err(ListenError::Socket { .. })));
        assert_eq!(std::fs::read(home.socket()).unwrap(), b"mine");
    }
}
