//! Where Godwit keeps its files: the one place that knows paths.
//!
//! `GODWIT_HOME` moves everything below one folder (`state/`, `run/`, `logs/`, `settings.toml`, `Downloads/`); otherwise
//! the XDG folders are used.
//!
//! **The socket** is `agent.sock` in the *run folder*, which is, in this order:
//! 1. `$GODWIT_HOME/run`;
//! 2. `$XDG_RUNTIME_DIR/godwit`;
//! 3. the user's cache folder, `godwit/run` (`~/.cache/godwit/run`).
//!
//! The kernel takes socket paths of at most 107 bytes. If the path is longer, the socket (and only it) moves to
//! `$XDG_RUNTIME_DIR/godwit-HASH/agent.sock`, or, if that is too long or unset, `/tmp/godwit-UID-HASH/agent.sock`, where HASH is
//! the first 16 hex digits of SHA-256 over the run folder's path. That folder must belong to the user and have mode 0700
//! (checked by whoever binds or connects, see [`check_private`]). Host, command line and tests find the socket by
//! [`Home::socket`] and nothing else.

use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Longest socket path the kernel takes, without the closing NUL.
pub const MAX_SOCKET_PATH: usize = 107;

/// The administrator's policy for this machine.
pub const SYSTEM_POLICY: &str = "/etc/godwit/policy.toml";

/// What of the environment decides where files are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `GODWIT_HOME`.
    pub godwit_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// The user's state folder for Godwit (`~/.local/state/godwit`).
    pub state: Option<PathBuf>,
    /// The user's configuration folder for Godwit (`~/.config/godwit`).
    pub config: Option<PathBuf>,
    /// The user's cache folder for Godwit (`~/.cache/godwit`).
    pub cache: Option<PathBuf>,
    /// The user's download folder.
    pub downloads: Option<PathBuf>,
    /// The user's home folder.
    pub user_home: Option<PathBuf>,
    /// The user's number.
    pub uid: u32,
}

/// Why no place could be found.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No home folder, no `GODWIT_HOME`.
    #[error("neither GODWIT_HOME nor a home folder is set: Godwit does not know where to keep its files")]
    NoHome,
    /// `GODWIT_HOME` is relative.
    #[error("GODWIT_HOME must be an absolute path, not '{0}'")]
    Relative(PathBuf),
}

/// Every path of one user's Godwit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Database and key file.
    pub state: PathBuf,
    /// Locks, and the socket if its path is short enough.
    pub run: PathBuf,
    /// Log files.
    pub logs: PathBuf,
    /// The settings file.
    pub settings: PathBuf,
    /// An administrator's policy: the first of these that exists.
    pub policies: Vec<PathBuf>,
    /// Downloads go here unless the settings say otherwise.
    pub downloads: PathBuf,
    /// What the built-in picker shows first.
    pub user_home: PathBuf,
    http_uri: PathBuf,
    socket: PathBuf,
}

impl Places {
    /// Reads the environment.
    #[must_use]
    pub fn from_environment() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|v: &OsString| !v.is_empty()).map(PathBuf::from);
        let project = directories::ProjectDirs::from("", "", "godwit");
        let user = directories::UserDirs::new();
        Self {
            godwit_home: path("GODWIT_HOME"),
            runtime: path("XDG_RUNTIME_DIR").filter(|p| p.is_absolute()),
            state: project.as_ref().and_then(|p| p.state_dir().map(Path::to_owned)),
            config: project.as_ref().map(|p| p.config_dir().to_owned()),
            cache: project.as_ref().map(|p| p.cache_dir().to_owned()),
            downloads: user.as_ref().and_then(|u| u.download_dir().map(Path::to_owned)),
            user_home: user.as_ref().map(|u| u.home_dir().to_owned()),
            uid: rustix::process::getuid().as_raw(),
        }
    }
}

impl Home {
    /// The paths for this environment.
    pub fn from_environment() -> Result<Self, HomeError> {
        Self::new(&Places::from_environment())
    }

    /// The paths for these places.
    pub fn new(places: &Places) -> Result<Self, HomeError> {
        let user_home = places.user_home.clone();
        let (state, run, logs, settings, downloads) = if let Some(home) = &places.godwit_home {
            if !home.is_absolute() {
                return Err(HomeError::Relative(home.clone()));
            }
            let of = |name: &str| home.join(name);
            (of("state"), of("run"), of("logs"), of("settings.toml"), of("Downloads"))
        } else {
            let state = places.state.clone().ok_or(HomeError::NoHome)?;
            let config = places.config.clone().ok_or(HomeError::NoHome)?;
            let run = match (&places.runtime, &places.cache) {
                (Some(runtime), _) => runtime.join("godwit"),
                (None, Some(cache)) => cache.join("run"),
                (None, None) => return Err(HomeError::NoHome),
            };
            let downloads = places.downloads.clone().or_else(|| user_home.as_ref().map(|h| h.join("Downloads")));
            let downloads = downloads.ok_or(HomeError::NoHome)?;
            (state.join("state"), run, state.join("logs"), config.join("settings.toml"), downloads)
        };
        // Programs know the predecessor's place and no other.
        let http_uri = match (&places.godwit_home, &user_home) {
            (None, Some(user)) => user.join(".aspera/connect/var/run/http.uri"),
            _ => run.join("http.uri"),
        };
        let socket = socket_path(&run, places.runtime.as_deref(), places.uid);
        let user_home = user_home.unwrap_or_else(|| PathBuf::from("/"));
        // The machine's own comes first: GODWIT_HOME must not be a way around it.
        let own = places.godwit_home.as_ref().map(|home| home.join("policy.toml"));
        let policies = std::iter::once(PathBuf::from(SYSTEM_POLICY)).chain(own).collect();
        Ok(Self { state, run, logs, settings, policies, downloads, user_home, http_uri, socket })
    }

    /// The agent's socket; see the module's rule.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where the address of the local HTTP API is written while it is open.
    #[must_use]
    pub fn http_uri(&self) -> PathBuf {
        self.http_uri.clone()
    }

    /// Copies of content that was dropped on a page and is no file of this machine. Without links, as transfers name their sources.
    #[must_use]
    pub fn dropped(&self) -> PathBuf {
        self.state.canonicalize().unwrap_or_else(|_| self.state.clone()).join("dropped")
    }

    /// A recent copy of the database, should the database be damaged.
    #[must_use]
    pub fn snapshot(&self) -> PathBuf {
        self.state.join("snapshot.json")
    }

    /// The agent's log file.
    #[must_use]
    pub fn agent_log(&self) -> PathBuf {
        self.logs.join("godwit-agent.log")
    }

    /// The log of transfers and their workers.
    #[must_use]
    pub fn transfer_log(&self) -> PathBuf {
        self.logs.join("godwit-transfer.log")
    }

    /// The log of the hosts that browsers start.
    #[must_use]
    pub fn host_log(&self) -> PathBuf {
        self.logs.join("godwit-host.log")
    }

    /// Lock held by the running agent for its life.
    #[must_use]
    pub fn agent_lock(&self) -> PathBuf {
        self.run.join("agent.lock")
    }

    /// Lock held by a host while it starts the agent.
    #[must_use]
    pub fn start_lock(&self) -> PathBuf {
        self.run.join("start.lock")
    }

    /// Makes the folders, private to the user.
    pub fn create(&self) -> io::Result<()> {
        for folder in [&self.state, &self.run, &self.logs] {
            create_private(folder)?;
        }
        if let Some(folder) = self.socket.parent() {
            create_private(folder)?;
        }
        Ok(())
    }
}

fn socket_path(run: &Path, runtime: Option<&Path>, uid: u32) -> PathBuf {
    let plain = run.join("agent.sock");
    if plain.as_os_str().len() <= MAX_SOCKET_PATH {
        return plain;
    }
    let digest = Sha256::digest(run.as_os_str().as_bytes());
    let hash: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    if let Some(runtime) = runtime {
        let path = runtime.join(format!("godwit-{hash}")).join("agent.sock");
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return path;
        }
    }
    PathBuf::from(format!("/tmp/godwit-{uid}-{hash}")).join("agent.sock")
}

/// Makes `folder` and what is missing above it; the folder itself gets mode 0700 and must be the user's own.
pub fn create_private(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_private(folder)
}

/// Refuses a folder that is a link, belongs to another user, or cannot be closed to others: whoever may write there
/// could put a false socket or key in our way.
pub fn check_private(folder: &Path) -> io::Result<()> {
    let refuse =
        |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{}: {why}", folder.display())));
    let meta = std::fs::symlink_metadata(folder)?;
    if !meta.is_dir() {
        return refuse("is not a folder");
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    if meta.mode() & 0o077 != 0 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn xdg() -> Places {
        Places {
            runtime: Some("/run/user/7".into()),
            state: Some("/h/.local/state/godwit".into()),
            config: Some("/h/.config/godwit".into()),
            cache: Some("/h/.cache/godwit".into()),
            user_home: Some("/h".into()),
            uid: 7,
            ..Places::default()
        }
    }

    #[test]
    fn godwit_home_moves_everything() {
        let home = Home::new(&Places { godwit_home: Some("/g".into()), ..xdg() }).unwrap();
        assert_eq!(home.socket(), Path::new("/g/run/agent.sock"));
        for path in [&home.state, &home.run, &home.logs, &home.settings, &home.downloads] {
            assert!(path.starts_with("/g"), "{}", path.display());
        }
    }

    #[test]
    fn without_it_the_xdg_folders_are_used_and_the_runtime_folder_wins() {
        assert_eq!(Home::new(&xdg()).unwrap().socket(), Path::new("/run/user/7/godwit/agent.sock"));
        let home = Home::new(&Places { runtime: None, ..xdg() }).unwrap();
        assert_eq!(home.socket(), Path::new("/h/.cache/godwit/run/agent.sock"));
        assert_eq!(home.downloads, Path::new("/h/Downloads"));
    }

    #[test]
    fn a_path_too_long_for_a_socket_gets_a_short_one_that_depends_on_it() {
        let long = |c: &str| Places { godwit_home: Some(format!("/{}", c.repeat(150)).into()), ..xdg() };
        let (a, b) = (Home::new(&long("a")).unwrap(), Home::new(&long("b")).unwrap());
        assert!(a.socket().starts_with("/run/user/7/") && a.socket().as_os_str().len() <= MAX_SOCKET_PATH);
        assert_ne!(a.socket(), b.socket());
        let c = Home::new(&Places { runtime: None, ..long("a") }).unwrap();
        assert!(c.socket().to_string_lossy().starts_with("/tmp/godwit-7-"), "{}", c.socket().display());
        let edge = Places { godwit_home: Some(format!("/{}", "x".repeat(91)).into()), ..xdg() };
        assert_eq!(Home::new(&edge).unwrap().socket().as_os_str().len(), MAX_SOCKET_PATH);
    }

    #[test]
    fn a_relative_home_and_no_home_are_refused() {
        assert!(matches!(Home::new(&Places { godwit_home: Some("g".into()), ..xdg() }), Err(HomeError::Relative(_))));
        assert!(matches!(Home::new(&Places::default()), Err(HomeError::NoHome)));
    }

    #[test]
    fn h17_a_private_folder_is_closed_to_others_and_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        create_private(&open).unwrap();
        assert_eq!(std::fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&open, &link).unwrap();
        assert!(check_private(&link).is_err());
    }
}
