//! One agent after another without a gap: the socket and the lock go from the old program to the new one in the place of its
//! standard input and output.
//!
//! The same way serves systemd (`StandardInput=socket`). A descriptor is believed only if it is what it should be: the
//! listening socket at our path, and the very lock file of this home. Nothing in the environment is trusted.

use crate::home::Home;
use crate::lock::FileLock;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// A new program must say its version within this time.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// What this process was given.
#[derive(Debug, Default)]
pub struct Handed {
    /// The socket, already listening.
    pub listener: Option<UnixListener>,
    /// The lock, already held.
    pub lock: Option<FileLock>,
}

/// Looks at standard input and output, and frees them.
pub(super) fn receive(home: &Home) -> io::Result<Handed> {
    let mut handed = Handed::default();
    // Duplicates are closed in workers; the originals make way.
    if let Some(listener) = as_listener(duplicate(io::stdin())?, home.socket()) {
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        handed.listener = Some(listener);
    }
    let output = File::from(duplicate(io::stdout())?);
    if is_same(&output, &home.agent_lock()) {
        rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
        handed.lock = FileLock::adopt(output)?;
    }
    Ok(handed)
}

fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}

fn as_listener(fd: OwnedFd, path: &Path) -> Option<UnixListener> {
    let is_ours = sockopt::socket_domain(&fd).is_ok_and(|domain| domain == AddressFamily::UNIX)
        && sockopt::socket_type(&fd).is_ok_and(|kind| kind == SocketType::STREAM)
        && sockopt::socket_acceptconn(&fd).unwrap_or(false);
    let listener = is_ours.then(|| UnixListener::from(fd))?;
    let bound = listener.local_addr().ok()?.as_pathname() == Some(path);
    bound.then_some(listener)
}

fn is_same(file: &File, path: &Path) -> bool {
    let of = |meta: io::Result<std::fs::Metadata>| meta.ok().map(|m| (m.dev(), m.ino(), m.is_file()));
    let (here, there) = (of(file.metadata()), of(std::fs::symlink_metadata(path)));
    here.is_some_and(|(.., is_file)| is_file) && here == there
}

/// Becomes `program`, with the arguments of this process. Comes back only if that fails.
pub(super) fn become_program(program: &Path, listener: UnixListener, lock: FileLock) -> io::Error {
    Command::new(program)
        .args(std::env::args_os().skip(1))
        .stdin(OwnedFd::from(listener))
        .stdout(OwnedFd::from(lock.into_file()))
        .exec()
}

/// A program file as it was at some time: a file that was put in its place is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is installed.
    pub path: PathBuf,
    running: Option<Identity>,
}

type Identity = (u64, u64, u64, Option<SystemTime>);

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino(), m.len(), m.modified().ok()))
}

impl Program {
    /// The one this process runs.
    pub fn own() -> io::Result<Self> {
        // The link leads to the file that runs even when its name has been given to another.
        let own = std::env::current_exe()?;
        let path = in_use(&own).filter(|path| path.is_file()).unwrap_or(own);
        Ok(Self { path, running: identity(Path::new("/proc/self/exe")) })
    }

    /// One at this path that is never seen to be replaced.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), running: None }
    }

    /// True if another file is installed in its place. A missing one is none: an installation may be under way.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.running.is_some() && identity(&self.path).is_some_and(|there| Some(there) != self.running)
    }

    /// Runs what is installed now as far as its version: one that cannot even do that must not end a working agent.
    pub fn try_installed(&self) -> Result<String, String> {
        let failed = |why: String| format!("{} cannot be started: {why}", self.path.display());
        let mut child = Command::new(&self.path)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let deadline = std::time::Instant::now() + VERSION_LIMIT;
        while let Ok(None) = child.try_wait() {
            if std::time::Instant::now() >= deadline {
                drop(child.kill());
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            return Err(failed(format!("it ended with {}", output.status)));
        }
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if version.starts_with("godwit-agent ") { Ok(version) } else { Err(failed("it is no Godwit agent".into())) }
    }
}

/// The installer keeps each release by itself, `versions/NAME/bin/PROGRAM`, and beside them the link `current` to the one in use.
/// What takes our place has our name behind that link.
fn in_use(own: &Path) -> Option<PathBuf> {
    let (bin, program) = (own.parent()?, own.file_name()?);
    let versions = bin.parent()?.parent()?;
    (bin.ends_with("bin") && versions.ends_with("versions"))
        .then(|| versions.with_file_name("current").join("bin").join(program))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn only_a_listening_socket_at_our_own_path_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (dir.path().join("a.sock"), dir.path().join("b.sock"));
        let listener = UnixListener::bind(&ours).unwrap();
        let clone = || OwnedFd::from(listener.try_clone().unwrap());
        assert!(as_listener(clone(), &ours).is_some());
        assert!(as_listener(clone(), &other).is_none());
        let connected = UnixStream::connect(&ours).unwrap();
        assert!(as_listener(connected.into(), &ours).is_none(), "a connection is no listener");
        assert!(as_listener(File::open("/dev/null").unwrap().into(), &ours).is_none());
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(as_listener(tcp.into(), &ours).is_none());
    }

    #[test]
    fn only_the_very_lock_file_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, other) = (dir.path().join("lock"), dir.path().join("other"));
        std::fs::write(&lock, "").unwrap();
        std::fs::write(&other, "").unwrap();
        assert!(is_same(&File::open(&lock).unwrap(), &lock));
        assert!(!is_same(&File::open(&other).unwrap(), &lock));
        assert!(!is_same(&File::open("/dev/null").unwrap(), Path::new("/dev/null")), "no plain file");
    }

    #[test]
    fn what_an_installer_put_in_has_its_successor_behind_the_link_to_the_version_in_use() {
        let of = |path: &str| in_use(Path::new(path));
        assert_eq!(
            of("/h/godwit/versions/1.0-ab/bin/godwit-agent"),
            Some(PathBuf::from("/h/godwit/current/bin/godwit-agent"))
        );
        for other in ["/usr/lib/godwit/bin/godwit-agent", "/h/versions/1/sbin/godwit-agent", "/godwit-agent"] {
            assert_eq!(of(other), None);
        }
    }

    #[test]
    fn a_program_is_replaced_when_another_file_has_its_name_and_only_a_working_one_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let write = |text: &str| {
            let new = dir.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        write("#!/bin/sh\necho godwit-agent 1\n");
        let program = Program { path: path.clone(), running: identity(&path) };
        assert!(!program.is_replaced());
        assert_eq!(program.try_installed().unwrap(), "godwit-agent 1");
        write("#!/bin/sh\nexit 3\n");
        assert!(program.is_replaced());
        assert!(program.try_installed().unwrap_err().contains("cannot be started"));
        write("#!/bin/sh\necho something else\n");
        assert!(program.try_installed().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(!program.is_replaced(), "an installation may be under way");
        assert!(!Program::at(&path).is_replaced());
    }
}
