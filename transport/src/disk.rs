//! Giving small files their names: written without a name, then linked in whole.
//!
//! `O_TMPFILE` has no name until it is complete, so a kill leaves nothing behind. Where a file system lacks it, and for
//! the moment in which an existing file is replaced, the file has a hidden name that follows from its final one. So
//! the next attempt meets what a kill left there, and uses or removes it. Such names are [`reserved`]: no manifest may
//! bring one, no scanner sends one.

use crate::failure::naming;
use crate::replace::Seat;
use crate::root::Metadata;
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps, flock, openat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

/// Permissions of new files, before the umask.
pub(crate) const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
/// How often another hidden name is tried.
const NAME_TRIES: u32 = 16;
/// A hidden name: these around so many hexadecimal digits.
const HIDDEN: &str = ".godwit-";
const HIDDEN_END: &str = ".partial";
const HIDDEN_HASH: usize = 16;
const OPEN: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// A file without a final name. Dropped, it is gone.
pub(crate) struct Temp {
    folder: Arc<OwnedFd>,
    /// The content goes here.
    pub(crate) file: File,
    /// Its name, where the file system cannot do without.
    name: Option<String>,
}

impl Temp {
    /// Makes one that shall be called `name` in `folder`.
    pub(crate) fn new(folder: Arc<OwnedFd>, name: &str) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match openat(&folder, ".", flags, FILE_MODE) {
            Ok(file) => Ok(Self { folder, file: file.into(), name: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Self::named(folder, name),
            Err(e) => Err(e.into()),
        }
    }

    fn named(folder: Arc<OwnedFd>, name: &str) -> io::Result<Self> {
        for turn in 0..NAME_TRIES {
            let own = hidden(name, turn);
            let file: File = match openat(&folder, own.as_str(), OPEN | OFlags::CREATE | OFlags::EXCL, FILE_MODE) {
                Ok(file) => file.into(),
                Err(Errno::EXIST) => match openat(&folder, own.as_str(), OPEN, Mode::empty()) {
                    Ok(file) => file.into(),
                    Err(_) => continue,
                },
                Err(e) => return Err(e.into()),
            };
            // Whoever writes it holds the lock; without one it was left by a kill.
            let ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&folder, &own, &file);
            if ours {
                file.set_len(0)?;
                return Ok(Self { folder, file, name: Some(own) });
            }
        }
        Err(Errno::EXIST.into())
    }

    /// The folder it will have its name in.
    pub(crate) fn folder(&self) -> &Arc<OwnedFd> {
        &self.folder
    }

    /// Gives the file its final name, in the folder it was made in.
    pub(crate) fn publish(mut self, seat: &Seat<'_>) -> io::Result<()> {
        if let Some(own) = &self.name {
            seat.take(own)?;
            self.name = None;
            return Ok(());
        }
        if seat.before.is_none() {
            return self.link(seat.name).map_err(naming);
        }
        self.replace(seat)
    }

    fn replace(&self, seat: &Seat<'_>) -> io::Result<()> {
        let between = hidden(seat.name, 0);
        for _ in 0..NAME_TRIES {
            match self.link(&between) {
                Ok(()) => {}
                // Left by a kill between the two steps; or of another session, which then tries again as we do.
                Err(Errno::EXIST) => {
                    unlinkat(&self.folder, between.as_str(), AtFlags::empty())?;
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
            match seat.take(&between) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    let _ = unlinkat(&self.folder, between.as_str(), AtFlags::empty());
                    return Err(e);
                }
                done => return done,
            }
        }
        Err(Errno::EXIST.into())
    }

    fn link(&self, name: &str) -> Result<(), Errno> {
        link(&self.file, &self.folder, name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            let _ = unlinkat(&self.folder, name.as_str(), AtFlags::empty());
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

/// Is `file` what stands at `name`?
pub(crate) fn is_at(folder: &OwnedFd, name: &str, file: &File) -> bool {
    let here = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(Metadata::from);
    matches!((here, Metadata::of(file)), (Ok(a), Ok(b)) if a.id == b.id)
}

/// Renames within a folder. Without `replace`, an existing target is an error of kind `AlreadyExists`.
pub(crate) fn rename(folder: &OwnedFd, from: &str, to: &str, replace: bool) -> io::Result<()> {
    if replace {
        return rustix::fs::renameat(folder, from, folder, to).map_err(naming);
    }
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        // RACE: a file system without the flag; what appears between the look and the rename is replaced.
        Err(Errno::INVAL | Errno::NOSYS) => match statat(folder, to, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => rustix::fs::renameat(folder, from, folder, to).map_err(naming),
            Ok(_) => Err(Errno::EXIST.into()),
            Err(e) => Err(e.into()),
        },
        other => other.map_err(naming),
    }
}

/// Sets the modification time of an open file or folder.
pub(crate) fn set_mtime(file: impl AsFd, mtime_ns: i64) -> io::Result<()> {
    let time =
        Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000) as _, tv_nsec: mtime_ns.rem_euclid(1_000_000_000) as _ };
    let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
    Ok(rustix::fs::futimens(file, &Timestamps { last_access: keep, last_modification: time })?)
}

/// The hidden name of a file on its way to `name`.
fn hidden(name: &str, turn: u32) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&turn.to_le_bytes()).update(name.as_bytes());
    let hash = hasher.finalize().to_hex();
    format!("{HIDDEN}{}{HIDDEN_END}", hash.get(..HIDDEN_HASH).unwrap_or_default())
}

/// Is this a name that only we give, for a moment?
pub(crate) fn reserved(name: &str) -> bool {
    let hash = name.strip_prefix(HIDDEN).and_then(|rest| rest.strip_suffix(HIDDEN_END));
    hash.is_some_and(|hash| hash.len() == HIDDEN_HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::replace::look;
    use std::io::Write as _;
    use std::path::Path;

    fn folder(path: &Path) -> Arc<OwnedFd> {
        Arc::new(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap())
    }

    fn seat<'a>(folder: &'a OwnedFd, replace: bool) -> Seat<'a> {
        let before = look(folder, "f").unwrap().filter(|_| replace);
        Seat { folder, name: "f", before, save: false }
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
            drop(make(folder(dir.path()), "f").unwrap());
            assert!(names(dir.path()).is_empty());
            for text in ["old", "new"] {
                let at = folder(dir.path());
                let mut temp = make(at.clone(), "f").unwrap();
                temp.file.write_all(text.as_bytes()).unwrap();
                set_mtime(&temp.file, -1_500_000_000).unwrap();
                temp.publish(&seat(&at, true)).unwrap();
                assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), text);
            }
            let at = folder(dir.path());
            let temp = make(at.clone(), "f").unwrap();
            assert_eq!(temp.publish(&seat(&at, false)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(names(dir.path()), ["f"]);
            std::fs::remove_file(dir.path().join("f")).unwrap();
        }
    }

    #[test]
    fn a_folder_at_the_final_name_is_an_error_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("f")).unwrap();
        for make in [Temp::new, Temp::named] {
            let at = folder(dir.path());
            for replace in [false, true] {
                // The planner never decides for it; if it did, nothing would be lost.
                assert!(make(at.clone(), "f").unwrap().publish(&seat(&at, replace)).is_err());
                assert_eq!(names(dir.path()), ["f"]);
            }
        }
    }

    #[test]
    fn what_a_kill_left_under_a_hidden_name_is_used_or_removed_by_the_next_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let litter = dir.path().join(hidden("f", 0));
        for make in [Temp::new, Temp::named] {
            std::fs::write(dir.path().join("f"), "old").unwrap();
            std::fs::write(&litter, "half of something longer").unwrap();
            let at = folder(dir.path());
            let mut temp = make(at.clone(), "f").unwrap();
            temp.file.write_all(b"new").unwrap();
            temp.publish(&seat(&at, true)).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), "new");
            assert_eq!(names(dir.path()), ["f"]);
        }
    }

    #[test]
    fn two_who_write_the_same_file_at_once_do_not_share_a_hidden_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut both = ["one", "two"].map(|text| (text, Temp::named(folder(dir.path()), "f").unwrap()));
        for (text, temp) in &mut both {
            temp.file.write_all(text.as_bytes()).unwrap();
        }
        for (text, temp) in both {
            let at = folder(dir.path());
            temp.publish(&seat(&at, true)).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), text);
        }
        assert_eq!(names(dir.path()), ["f"]);
    }

    #[test]
    fn only_our_hidden_names_are_reserved() {
        assert!(reserved(&hidden("f", 0)) && hidden("f", 0) != hidden("f", 1) && hidden("f", 0) != hidden("g", 0));
        for free in ["f", ".godwit-.partial", ".godwit-12345678901234567.partial", ".godwit-0123456789abcdeg.partial"] {
            assert!(!reserved(free), "{free}");
        }
    }
}
