//! Advisory locks on files. They end with the process that holds them, however it ends.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A lock; released when dropped. The file stays: deleting it would let two processes lock two files of one name.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes the lock, or `None` if another process holds it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        Self::adopt(open(path)?)
    }

    /// As [`Self::try_take`] for a file that is open, and may carry the lock already: a lock belongs to the open file, whoever
    /// holds it.
    pub fn adopt(file: File) -> io::Result<Option<Self>> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The file, still locked, for the program that this process becomes.
    #[must_use]
    pub fn into_file(self) -> File {
        self.0
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_next_one_after_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let held = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        let same = FileLock::adopt(held.into_file()).unwrap().expect("it goes from hand to hand");
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(same);
        assert!(FileLock::try_take(&path).unwrap().is_some());
        assert!(path.exists());
    }
}
