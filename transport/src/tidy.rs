//! What a kill between a file's last two steps leaves beside it: the journal, and after an exchange the replaced file
//! under the partial file's name.
//!
//! The journal names the inode that has the final name now, so the file is complete; and before an exchange it is noted
//! which file comes out of it. Only that very file is removed: who else took the name since keeps it.

use crate::checkpoint::{each_record, open_journal};
use crate::disk::is_at;
use crate::hash::Value;
use crate::names::Suffixes;
use crate::replace::look;
use crate::root::Metadata;
use rustix::fs::{AtFlags, FlockOperation, flock, unlinkat};
use std::io;
use std::os::fd::OwnedFd;

/// A record of this number is not of a unit: its value is the file that is being replaced.
pub(crate) const REPLACED: u64 = u64::MAX;

/// What the record of a file that is being replaced holds. A rename changes nothing of it.
pub(crate) fn mark(file: &Metadata) -> Value {
    let mut value = Value::default();
    let parts = [file.id.0, file.id.1, file.size, file.mtime_ns.cast_unsigned()];
    for (place, part) in value.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    value
}

/// Clears up beside the file `there`, which is called `name`. Another session's work is left alone.
pub(crate) fn tidy(folder: &OwnedFd, suffixes: &Suffixes, name: &str, there: &Metadata) -> io::Result<()> {
    let (partial, journal) = suffixes.names(name, 1);
    let Some((file, head)) = open_journal(folder, &journal)? else { return Ok(()) };
    let locked = head.partial == there.id && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    if !locked || !is_at(folder, &journal, &file) {
        return Ok(());
    }
    let mut replaced = None;
    each_record(&file, &head, Metadata::of(&file)?.size, |unit, value| {
        replaced = (unit == REPLACED).then_some(value).or(replaced);
        Ok(())
    })?;
    if look(folder, &partial)?.is_some_and(|left| Some(mark(&left)) == replaced) {
        unlinkat(folder, partial.as_str(), AtFlags::empty())?;
    }
    unlinkat(folder, journal.as_str(), AtFlags::empty())?;
    tracing::debug!(name, "cleared up after a kill");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::new_journal;
    use crate::journal::{HEAD, Head, encode_record};
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;
    use std::sync::Arc;

    fn of(path: &Path) -> Metadata {
        Metadata::of(File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn only_the_file_that_came_out_of_the_exchange_is_removed() {
        for (replaced, held) in [(true, false), (false, false), (true, true)] {
            let temp = tempfile::tempdir().unwrap();
            let at = |name: &str| temp.path().join(name);
            fs::write(at("film"), "new").unwrap();
            fs::write(at("film.partial"), "old, or somebody's").unwrap();
            fs::write(at("other"), "other").unwrap();
            let folder: Arc<OwnedFd> = Arc::new(File::open(temp.path()).unwrap().into());
            let there = of(&at("film"));
            let head = Head { size: 3, mtime_ns: 1, partial: there.id };
            let journal = new_journal(&folder, "film.aspera-ckpt", &head).unwrap();
            let out = of(&at(if replaced { "film.partial" } else { "other" }));
            journal.write_all_at(&encode_record(&head, REPLACED, &mark(&out)), HEAD as u64).unwrap();
            // Whoever still works on it holds the lock of the journal.
            let working = held.then_some(journal);
            tidy(&folder, &Suffixes::default(), "film", &there).unwrap();
            assert_eq!(at("film.partial").exists(), !replaced || held);
            assert_eq!(at("film.aspera-ckpt").exists(), held);
            assert!(at("film").exists() && at("other").exists());
            drop(working);
        }
    }
}
