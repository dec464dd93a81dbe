//! Where the agent's socket is.
//!
//! The rule is the agent's (`native-host/src/home.rs` says it in full) and is written here a second time on purpose: this
//! program must not depend on the agent's room for one path. A change there is a change here.

use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longest socket path the kernel takes, without the closing NUL.
const MAX_SOCKET_PATH: usize = 107;

/// The socket's path in this environment; `None` if there is neither `GODWIT_HOME` nor a home folder.
pub(crate) fn socket() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let runtime = path("XDG_RUNTIME_DIR").filter(|p| p.is_absolute());
    let cache = directories::ProjectDirs::from("", "", "godwit").map(|dirs| dirs.cache_dir().to_owned());
    let run = run_folder(path("GODWIT_HOME"), runtime.as_deref(), cache.as_deref())?;
    Some(socket_in(&run, runtime.as_deref(), rustix::process::getuid().as_raw()))
}

fn run_folder(godwit_home: Option<PathBuf>, runtime: Option<&Path>, cache: Option<&Path>) -> Option<PathBuf> {
    let home = godwit_home.map(|home| home.join("run"));
    home.or_else(|| runtime.map(|p| p.join("godwit"))).or_else(|| cache.map(|p| p.join("run")))
}

fn socket_in(run: &Path, runtime: Option<&Path>, uid: u32) -> PathBuf {
    let fits = |path: &PathBuf| path.as_os_str().len() <= MAX_SOCKET_PATH;
    let plain = run.join("agent.sock");
    if fits(&plain) {
        return plain;
    }
    let digest = Sha256::digest(run.as_os_str().as_bytes());
    let hash: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let near = runtime.map(|p| p.join(format!("godwit-{hash}/agent.sock"))).filter(fits);
    near.unwrap_or_else(|| PathBuf::from(format!("/tmp/godwit-{uid}-{hash}/agent.sock")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_the_agent_puts_it() {
        let (run, cache) = (Path::new("/run/user/7"), Path::new("/h/.cache/godwit"));
        let folder = |home: Option<&str>, run, cache| run_folder(home.map(PathBuf::from), run, cache);
        assert_eq!(folder(Some("/g"), Some(run), Some(cache)), Some("/g/run".into()));
        assert_eq!(folder(None, Some(run), Some(cache)), Some("/run/user/7/godwit".into()));
        assert_eq!(folder(None, None, Some(cache)), Some("/h/.cache/godwit/run".into()));
        assert_eq!(folder(None, None, None), None);
        assert_eq!(socket_in(Path::new("/g/run"), None, 7), Path::new("/g/run/agent.sock"));
    }

    #[test]
    fn a_path_too_long_for_the_kernel_moves() {
        let long = PathBuf::from(format!("/{}/run", "x".repeat(120)));
        let moved = socket_in(&long, Some(Path::new("/run/user/7")), 7);
        assert!(moved.starts_with("/run/user/7") && moved.as_os_str().len() <= MAX_SOCKET_PATH);
        let moved = socket_in(&long, None, 7);
        assert!(moved.to_string_lossy().starts_with("/tmp/godwit-7-"), "{}", moved.display());
    }
}
