//! Hidden files that a killed server leaves behind: found when their folder is next written to, and removed.
//!
//! **What is removed**: a regular file of exactly our hidden form (prefix, 32 hexadecimal digits, suffix), with this one
//! name only, of this server's own user, that nobody holds. Whoever begins an upload holds a lock on its file until the
//! upload is over, and the system takes the lock back when a process ends, however it ends. So a file that is held is one
//! of a live upload, here or of another server on the same folder; and where a file system has no locks, none is removed.

use super::beneath;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, OFlags, flock, fstat, unlinkat};
use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// Before and after the id in the name of a file on its way.
pub(super) const HIDDEN: (&str, &str) = (".godwit-up-", super::PARTIAL);
/// Digits of the id.
pub(super) const DIGITS: usize = 32;
/// Folders that are remembered as looked at; beyond that all are looked at once more.
const MOST: usize = 65_536;

/// Folders (device and inode) that this process has looked at. What is left there later is another process's, and found
/// after the next start.
static SEEN: Mutex<Option<HashSet<(u64, u64)>>> = Mutex::new(None);

/// The lock of somebody who is at work on this file; false if another one has it, or there are no locks here.
pub(super) fn hold(file: &OwnedFd) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Removes what was left in a folder, the first time that it is written to. Failures are for the log: a file more is no
/// reason to refuse an upload.
pub(super) fn sweep_once(folder: &OwnedFd) {
    let Ok(stat) = fstat(folder) else { return };
    let new = {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_or_insert_default();
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert((stat.st_dev, stat.st_ino))
    };
    if new && let Err(error) = sweep(folder) {
        tracing::warn!(%error, "what an earlier run left in a folder could not be looked for");
    }
}

fn sweep(folder: &OwnedFd) -> io::Result<()> {
    // A fresh handle: the position of a shared one would be shared too.
    let own = beneath::open(folder, c".", OFlags::DIRECTORY | OFlags::RDONLY)?;
    for entry in Dir::read_from(&own)? {
        let entry = entry?;
        let name = entry.file_name();
        if !is_ours(name) {
            continue;
        }
        match remove(folder, name) {
            Ok(true) => tracing::info!(?name, "removed what an earlier run left"),
            Ok(false) => {}
            Err(error) => tracing::warn!(?name, %error, "what an earlier run left could not be removed"),
        }
    }
    Ok(())
}

fn is_ours(name: &CStr) -> bool {
    let text = name.to_str().unwrap_or_default();
    let id = text.strip_prefix(HIDDEN.0).and_then(|rest| rest.strip_suffix(HIDDEN.1));
    id.is_some_and(|id| id.len() == DIGITS && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn remove(folder: &OwnedFd, name: &CStr) -> io::Result<bool> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    // Gone meanwhile, a folder, a link, a pipe that nobody reads: not ours.
    let Ok(file) = beneath::open(folder, name, flags) else { return Ok(false) };
    let stat = fstat(&file)?;
    let plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1;
    if !plain || stat.st_uid != rustix::process::geteuid().as_raw() || !hold(&file) {
        return Ok(false);
    }
    // RACE: its upload was over just now, and the name is gone or (the same digits again) another's. The lock is ours, so
    // whoever has this file cannot be at work on it.
    let there = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (there.st_dev, there.st_ino) != (stat.st_dev, stat.st_ino) {
        return Ok(false);
    }
    unlinkat(folder, name, AtFlags::empty())?;
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_exactly_our_form_are_ours() {
        let id = "0123456789abcdef0123456789abcdef";
        let own = format!(".godwit-up-{id}.partial\0");
        assert!(is_ours(CStr::from_bytes_with_nul(own.as_bytes()).unwrap()));
        for other in [
            format!(".godwit-up-{id}"),
            format!("x.godwit-up-{id}.partial"),
            format!(".godwit-up-{id}.partial.bak"),
            format!(".godwit-up-{}.partial", id.to_uppercase()),
            format!(".godwit-up-{id}0.partial"),
            ".godwit-up-notes.partial".to_owned(),
            ".godwit-up-.partial".to_owned(),
        ] {
            let name = std::ffi::CString::new(other.as_str()).unwrap();
            assert!(!is_ours(&name), "{other}");
        }
    }
}
