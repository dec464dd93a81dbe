//! Starting the agent by the user's systemd, where its units are installed: there it belongs to nobody's scope. A process
//! that a browser starts belongs to the browser's, and log-out or the browser's lack of memory would end it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The unit that listens for the agent; see `manifests/systemd`.
const SOCKET_UNIT: &str = "godwit-agent.socket";
/// Where the machine's own user units lie.
const SYSTEM: [&str; 3] = ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"];

/// True if the units are installed and a systemd of this user runs.
pub(super) fn has_unit() -> bool {
    let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // The units serve the ordinary place only.
    if path("GODWIT_HOME").is_some() {
        return false;
    }
    let Some(runtime) = path("XDG_RUNTIME_DIR") else { return false };
    let home = path("HOME");
    let or_home = |variable: &str, below: &str| path(variable).or_else(|| Some(home.as_ref()?.join(below)));
    let own = [or_home("XDG_CONFIG_HOME", ".config"), or_home("XDG_DATA_HOME", ".local/share")];
    let own = own.into_iter().flatten().map(|folder| folder.join("systemd/user"));
    is_installed(&runtime, own.chain(SYSTEM.into_iter().map(PathBuf::from)))
}

fn is_installed(runtime: &Path, mut folders: impl Iterator<Item = PathBuf>) -> bool {
    runtime.join("systemd").is_dir() && folders.any(|folder| folder.join(SOCKET_UNIT).is_file())
}

/// Makes systemd listen at the agent's socket; whoever connects then starts the agent. Ends soon, one way or the other.
pub(super) fn start() -> io::Result<Child> {
    Command::new("systemctl")
        .args(["--user", "--quiet", "start", SOCKET_UNIT])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn systemd_is_asked_only_where_it_runs_and_the_unit_is_installed() {
        let dir = tempfile::tempdir().unwrap();
        let (runtime, units) = (dir.path().join("run"), dir.path().join("units"));
        let look = || is_installed(&runtime, [dir.path().join("none"), units.clone()].into_iter());
        std::fs::create_dir_all(&units).unwrap();
        assert!(!look());
        std::fs::write(units.join(SOCKET_UNIT), "").unwrap();
        assert!(!look(), "no systemd of this user");
        std::fs::create_dir_all(runtime.join("systemd")).unwrap();
        assert!(look());
    }
}
