//! The file of a journal: made, opened, read. What its bytes mean, [`crate::journal`] knows.

use crate::disk::{FILE_MODE, link};
use crate::failure::naming;
use crate::hash::{Value, unit_len};
use crate::journal::{HEAD, Head, RECORD, decode_record};
use crate::partial::OPEN;
use crate::root::{Kind, Metadata};
use godwit_protocol::wire::UNIT;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// A journal appears with its head in it and locked, so that nobody ever meets half of one.
pub(crate) fn new_journal(folder: &Arc<OwnedFd>, name: &str, head: &Head) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let (file, nameless): (File, bool) = match openat(folder, ".", flags, FILE_MODE) {
        Ok(file) => (file.into(), true),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
            (openat(folder, name, OPEN | OFlags::CREATE | OFlags::EXCL, FILE_MODE).map_err(naming)?.into(), false)
        }
        Err(e) => return Err(e.into()),
    };
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all_at(&head.encode(), 0)?;
    if nameless {
        link(&file, folder, name).map_err(naming)?;
    }
    Ok(file)
}

/// Opens a journal; `None` if there is none or it is not one of ours.
pub(crate) fn open_journal(folder: &OwnedFd, name: &str) -> io::Result<Option<(File, Head)>> {
    let file: File = match openat(folder, name, OPEN, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::ACCESS | Errno::NXIO) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let mut head = [0; HEAD];
    if Metadata::of(&file)?.kind != Kind::File || file.read_exact_at(&mut head, 0).is_err() {
        return Ok(None);
    }
    Ok(Head::decode(&head).map(|head| (file, head)))
}

/// The sound records of a journal up to `end`.
pub(crate) fn each_record(
    journal: &File,
    head: &Head,
    end: u64,
    mut each: impl FnMut(u64, Value) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = HEAD as u64;
    let mut block = vec![0; RECORD * 1024];
    while at < end {
        let len = block.len().min((end - at) as usize);
        let Some(part) = block.get_mut(..len) else { break };
        journal.read_exact_at(part, at)?;
        for (unit, value) in part.chunks_exact(RECORD).filter_map(|record| decode_record(head, record)) {
            each(unit, value)?;
        }
        at += len as u64;
    }
    Ok(())
}

/// What a journal of a source of perhaps another size tells of the units that are as long in one of `size` bytes; of
/// each the last record.
pub(crate) fn fitting(journal: &File, head: &Head, end: u64, size: u64) -> io::Result<Vec<(u64, Value)>> {
    let mut told = BTreeMap::new();
    each_record(journal, head, end, |unit, value| {
        let len = unit_len(size, unit);
        // A file of one unit has values of another kind.
        if len > 0 && len == unit_len(head.size, unit) && head.size > UNIT && size > UNIT {
            told.insert(unit, value);
        }
        Ok(())
    })?;
    Ok(told.into_iter().collect())
}
