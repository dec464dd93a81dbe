//! The state folder: what the server must find again after a restart (certificate, token key).
//!
//! Files are written whole or not at all, readable by the owner only. A file that exists is never overwritten: of two
//! servers that start at once on an empty folder, one makes the file and the other reads it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Largest state file that is read.
const MAX_FILE: u64 = 256 * 1024;

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither a home folder nor `GODWIT_HOME` nor `--state`.
    #[error("no place for the state folder is known: give --state DIR or set GODWIT_HOME")]
    NoHome,
    /// The folder or a file in it belongs to somebody else.
    #[error("{0} belongs to another user; give another folder with --state")]
    ForeignOwner(PathBuf),
    /// A disk operation failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is far larger than anything we write.
    #[error("{0} is not a file of this server (too large)")]
    TooLarge(PathBuf),
    /// The system gave no random bytes.
    #[error("no random numbers from the system")]
    Random,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    move |source| StateError::Io { path: path.to_owned(), source }
}

/// The server's state folder: exists, belongs to us, mode 0700.
#[derive(Clone, Debug)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Where the state is kept without `--state`: `$GODWIT_HOME/server`, else `godwit/server` in the user's data folder.
    pub fn default_path() -> Result<PathBuf, StateError> {
        if let Some(home) = std::env::var_os("GODWIT_HOME").filter(|home| !home.is_empty()) {
            return Ok(PathBuf::from(home).join("server"));
        }
        let dirs = directories::ProjectDirs::from("io", "godwit", "godwit").ok_or(StateError::NoHome)?;
        Ok(dirs.data_local_dir().join("server"))
    }

    /// Opens the folder, making it if needed; takes rights of group and others away.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error(path))?;
        let meta = fs::metadata(path).map_err(io_error(path))?;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(StateError::ForeignOwner(path.to_owned()));
        }
        if meta.mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io_error(path))?;
        }
        Ok(Self(path.to_owned()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The content of file `name`; if there is none, what `make` returns is written first.
    pub fn load_or_make<E: From<StateError>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        if let Some(found) = self.load(name)? {
            return Ok(found);
        }
        let bytes = make()?;
        if self.create(name, &bytes)? {
            return Ok(bytes);
        }
        // Another server was faster: its file counts.
        Ok(self.load(name)?.unwrap_or(bytes))
    }

    /// The content of file `name`, if it exists.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.0.join(name);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path, source }),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(io_error(&path))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(StateError::TooLarge(path));
        }
        Ok(Some(bytes))
    }

    /// Writes `name` with mode 0600 unless it exists; false if it does.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, StateError> {
        let path = self.0.join(name);
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|_| StateError::Random)?;
        let temporary = self.0.join(format!(".{name}.{:016x}", u64::from_le_bytes(random)));
        let result = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            // A hard link fails if the name is taken, which a rename would not.
            match fs::hard_link(&temporary, &path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        })();
        // Whatever happened, the temporary name is of no more use; a leftover does no harm.
        let _ = fs::remove_file(&temporary);
        let made = result.map_err(io_error(&path))?;
        fs::File::open(&self.0).and_then(|dir| dir.sync_all()).map_err(io_error(&self.0))?;
        Ok(made)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let state = StateDir::open(&path).unwrap();
        let made: Vec<u8> = state.load_or_make::<StateError>("key", || Ok(b"one".to_vec())).unwrap();
        let again: Vec<u8> = state.load_or_make::<StateError>("key", || Ok(b"two".to_vec())).unwrap();
        assert_eq!((made.as_slice(), again.as_slice()), (&b"one"[..], &b"one"[..]));
        assert_eq!(fs::metadata(path.join("key")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "no temporary file may stay");
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn of_two_makers_the_first_wins() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        assert!(state.create("key", b"one").unwrap());
        assert!(!state.create("key", b"two").unwrap());
        assert_eq!(state.load("key").unwrap().unwrap(), b"one");
    }
}
