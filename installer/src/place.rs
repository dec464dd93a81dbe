//! Where things go: for one user, or for the whole machine.

use std::path::{Path, PathBuf};

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One user, in their home folder.
    User,
    /// Everybody on this machine.
    System,
}

/// The folders of one user as the environment names them.
#[derive(Clone, Debug)]
pub struct UserFolders {
    /// `HOME`.
    pub home: PathBuf,
    /// `XDG_CONFIG_HOME`, or `.config` in the home folder.
    pub config: PathBuf,
    /// `XDG_DATA_HOME`, or `.local/share` in the home folder.
    pub data: PathBuf,
    /// `XDG_STATE_HOME`, or `.local/state` in the home folder.
    pub state: PathBuf,
    /// `XDG_CACHE_HOME`, or `.cache` in the home folder.
    pub cache: PathBuf,
    /// `XDG_RUNTIME_DIR`, if it is set: the agent's socket is there.
    pub runtime: Option<PathBuf>,
}

impl UserFolders {
    /// By a function that reads the environment; relative paths count as unset, as the XDG specification wants it.
    pub fn of(env: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        let home = env("HOME").filter(|path| path.is_absolute())?;
        let folder =
            |name, below: &str| env(name).filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(below));
        Some(Self {
            config: folder("XDG_CONFIG_HOME", ".config"),
            data: folder("XDG_DATA_HOME", ".local/share"),
            state: folder("XDG_STATE_HOME", ".local/state"),
            cache: folder("XDG_CACHE_HOME", ".cache"),
            runtime: env("XDG_RUNTIME_DIR").filter(|path| path.is_absolute()),
            home,
        })
    }
}

/// The places of one installation.
#[derive(Clone, Debug)]
pub struct Places {
    /// For whom.
    pub scope: Scope,
    /// Everything of ours: versions, the link to the current one, the receipt, the lock.
    pub root: PathBuf,
    /// Where commands are found.
    pub commands: PathBuf,
    /// What is laid out as `/usr/share`: desktop entries, icons, manual pages, completions.
    pub share: PathBuf,
    /// systemd's units of users.
    pub units: PathBuf,
    /// The user's own folders; `None` for the whole machine.
    pub user: Option<UserFolders>,
    /// Stands before every path of the whole machine: empty, or the folder in which a package is put together.
    pub prefix: PathBuf,
}

impl Places {
    /// For one user.
    #[must_use]
    pub fn user(user: UserFolders) -> Self {
        Self {
            scope: Scope::User,
            root: user.data.join("godwit"),
            commands: user.home.join(".local/bin"),
            share: user.data.clone(),
            units: user.config.join("systemd/user"),
            user: Some(user),
            prefix: PathBuf::new(),
        }
    }

    /// For everybody, below `prefix`.
    #[must_use]
    pub fn system(prefix: &Path) -> Self {
        let below = |path: &str| under(prefix, Path::new(path));
        Self {
            scope: Scope::System,
            root: below("/opt/godwit"),
            commands: below("/usr/local/bin"),
            share: below("/usr/local/share"),
            units: below("/etc/systemd/user"),
            user: None,
            prefix: prefix.to_owned(),
        }
    }

    /// The releases that are there.
    #[must_use]
    pub fn versions(&self) -> PathBuf {
        self.root.join("versions")
    }

    /// The link to the one in use.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// What was made.
    #[must_use]
    pub fn receipt(&self) -> PathBuf {
        self.root.join("receipt.json")
    }

    /// A program of the current version, as others are told of it: without the prefix.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.told(&self.current().join("bin").join(name))
    }

    /// A path as others are told of it: without the prefix.
    #[must_use]
    pub fn told(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.prefix) {
            Ok(rest) if self.scope == Scope::System => Path::new("/").join(rest),
            _ => path.to_owned(),
        }
    }

    /// What a user keeps and an uninstallation leaves, except with `--purge`.
    #[must_use]
    pub fn kept(&self) -> Vec<PathBuf> {
        self.user
            .iter()
            .flat_map(|user| [&user.config, &user.state, &user.cache].into_iter().chain(&user.runtime))
            .map(|base| base.join("godwit"))
            .collect()
    }
}

/// An absolute path below another one.
#[must_use]
pub fn under(prefix: &Path, path: &Path) -> PathBuf {
    prefix.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_follow_the_environment_and_relative_ones_do_not_count() {
        let env = |name: &str| match name {
            "HOME" => Some("/h".into()),
            "XDG_CONFIG_HOME" => Some("/c".into()),
            "XDG_DATA_HOME" => Some("relative".into()),
            _ => None,
        };
        let places = Places::user(UserFolders::of(env).unwrap());
        assert_eq!(places.root, Path::new("/h/.local/share/godwit"));
        assert_eq!(places.units, Path::new("/c/systemd/user"));
        assert_eq!(places.program("godwit-host"), Path::new("/h/.local/share/godwit/current/bin/godwit-host"));
        assert!(UserFolders::of(|_| None).is_none());
    }

    #[test]
    fn a_package_is_put_together_below_a_folder_and_says_where_it_will_be() {
        let places = Places::system(Path::new("/tmp/stage"));
        assert_eq!(places.root, Path::new("/tmp/stage/opt/godwit"));
        assert_eq!(places.program("godwit-host"), Path::new("/opt/godwit/current/bin/godwit-host"));
    }
}
