//! Giving small files their names: written without a name, then linked in whole.
//!
//! `O_TMPFILE` has no name until it is complete, so a kill leaves nothing behind. Where a file system lacks it, a file
//! with a random name takes its place.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

/// Permissions of new files, before the umask.
pub(crate) const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
/// How often another random name is tried.
const NAME_TRIES: usize = 16;

/// A file without a final name. Dropped, it is gone.
pub(crate) struct Temp {
    folder: Arc<OwnedFd>,
    /// The content goes here.
    pub(crate) file: File,
    /// Its name, where the file system cannot do without.
    name: Option<String>,
}

impl Temp {
    /// Makes one on the file system of `folder`.
    pub(crate) fn new(folder: Arc<OwnedFd>) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&folder, ".", flags, FILE_MODE) {
            Ok(file) => Ok(Self { folder, file: file.into(), name: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Self::named(folder),
            Err(e) => Err(e.into()),
        }
    }

    fn named(folder: Arc<OwnedFd>) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        with_random_name(|name| {
            let file = rustix::fs::openat(&folder, name, flags, FILE_MODE)?;
            Ok(Self { folder: folder.clone(), file: file.into(), name: Some(name.to_owned()) })
        })
    }

    /// The folder it will have its name in.
    pub(crate) fn folder(&self) -> &Arc<OwnedFd> {
        &self.folder
    }

    /// Gives the file its final name. With `replace` an existing file there is replaced in one step; without, it is an
    /// error of kind `AlreadyExists`.
    pub(crate) fn publish(mut self, name: &str, replace: bool) -> io::Result<()> {
        if let Some(own) = &self.name {
            rename(&self.folder, own, name, replace)?;
            self.name = None;
            return Ok(());
        }
        match self.link(name) {
            Err(Errno::EXIST) if replace => {
                // RACE: a kill between the two steps leaves the complete file under the random name.
                let between = with_random_name(|between| self.link(between).map(|()| between.to_owned()))?;
                rename(&self.folder, &between, name, true).inspect_err(|_| {
                    let _ = rustix::fs::unlinkat(&self.folder, between.as_str(), AtFlags::empty());
                })
            }
            other => Ok(other?),
        }
    }

    fn link(&self, name: &str) -> Result<(), Errno> {
        link(&self.file, &self.folder, name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            let _ = rustix::fs::unlinkat(&self.folder, name.as_str(), AtFlags::empty());
        }
    }
}

/// Gives a file without a name one: directly, or where an older kernel wants a privilege for that, by way of /proc.
pub(crate) fn link(file: &File, folder: &OwnedFd, name: &str) -> Result<(), Errno> {
    match rustix::fs::linkat(file.as_fd(), "", folder, name, AtFlags::EMPTY_PATH) {
        Err(Errno::NOENT) => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, path.as_str(), folder, name, AtFlags::SYMLINK_FOLLOW)
        }
        other => other,
    }
}

/// Renames within a folder. Without `replace`, an existing target is an error of kind `AlreadyExists`.
pub(crate) fn rename(folder: &OwnedFd, from: &str, to: &str, replace: bool) -> io::Result<()> {
    if replace {
        return Ok(rustix::fs::renameat(folder, from, folder, to)?);
    }
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        // RACE: a file system without the flag; what appears between the look and the rename is replaced.
        Err(Errno::INVAL | Errno::NOSYS) => match rustix::fs::statat(folder, to, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(rustix::fs::renameat(folder, from, folder, to)?),
            Ok(_) => Err(Errno::EXIST.into()),
            Err(e) => Err(e.into()),
        },
        other => Ok(other?),
    }
}

/// Sets the modification time of an open file.
pub(crate) fn set_mtime(file: &File, mtime_ns: i64) -> io::Result<()> {
    let time =
        Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000) as _, tv_nsec: mtime_ns.rem_euclid(1_000_000_000) as _ };
    let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
    Ok(rustix::fs::futimens(file, &Timestamps { last_access: keep, last_modification: time })?)
}

fn with_random_name<T>(mut make: impl FnMut(&str) -> Result<T, Errno>) -> io::Result<T> {
    for _ in 0..NAME_TRIES {
        let random = getrandom::u64().map_err(|e| io::Error::other(e.to_string()))?;
        match make(&format!(".godwit-{random:016x}.partial")) {
            Err(Errno::EXIST) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::EXIST.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write as _;
    use std::path::Path;

    fn folder(path: &Path) -> Arc<OwnedFd> {
        Arc::new(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap())
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_an_abandoned_one_never_does() {
        let dir = tempfile::tempdir().unwrap();
        for make in [Temp::new, Temp::named] {
            drop(make(folder(dir.path())).unwrap());
            assert!(names(dir.path()).is_empty());
            for text in ["old", "new"] {
                let mut temp = make(folder(dir.path())).unwrap();
                temp.file.write_all(text.as_bytes()).unwrap();
                set_mtime(&temp.file, -1_500_000_000).unwrap();
                temp.publish("f", true).unwrap();
                assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), text);
            }
            let temp = make(folder(dir.path())).unwrap();
            assert_eq!(temp.publish("f", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(names(dir.path()), ["f"]);
            std::fs::remove_file(dir.path().join("f")).unwrap();
        }
    }

    #[test]
    fn a_folder_at_the_final_name_is_an_error_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("f")).unwrap();
        for make in [Temp::new, Temp::named] {
            assert!(make(folder(dir.path())).unwrap().publish("f", true).is_err());
            assert_eq!(names(dir.path()), ["f"]);
        }
    }
}
