//! A large file on its way: the partial file, its journal, their names and the lock that keeps it to one session.
//!
//! A file called `NAME.partial` is ours only if a journal beside it names its device and inode; a user's own file of
//! that name, or a copy of ours, is never touched: then the next choice of names is taken.

use crate::checkpoint::{each_record, fitting, new_journal, open_journal};
use crate::direct::Direct;
use crate::disk::{FILE_MODE, is_at, rename, set_mtime};
use crate::failure::{naming, unnamed};
use crate::flush::Flush;
use crate::hash::{Value, unit_count, unit_len, unit_value};
use crate::holders::{Holder, Holders};
use crate::journal::{HEAD, Head, RECORD, encode_record};
use crate::names::{Names, Suffixes, Use};
use crate::ranges::RangeSet;
use crate::replace::Seat;
use crate::root::{Kind, Metadata};
use crate::tidy::{REPLACED, mark};
use godwit_protocol::RelPath;
use godwit_protocol::wire::UNIT;
use rustix::fs::{Advice, AtFlags, FlockOperation, Mode, OFlags, fadvise, flock, openat, unlinkat};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Choices of names tried for a new file.
const NEW_CHOICES: u32 = 64;
/// Choices of names looked through for an old one.
const OLD_CHOICES: u32 = 8;
/// How partial files and journals are opened.
pub(crate) const OPEN: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// See the module.
pub(crate) struct Partial {
    folder: Arc<OwnedFd>,
    path: RelPath,
    file: File,
    direct: Direct,
    journal: File,
    id: (u64, u64),
    /// File systems let one writer at a file at a time and have the others spin meanwhile; here they sleep.
    writing: Mutex<()>,
    flush: Flush,
    placed: Mutex<Placed>,
    holders: Arc<Holders>,
}

struct Placed {
    partial: String,
    journal: String,
    journal_end: u64,
    head: Head,
    /// A sync has failed: nothing is noted any more, see [`Partial::distrust`].
    doubtful: bool,
}

/// The source as the manifest announced it, and where it shall go.
pub(crate) struct Wish<'a> {
    /// The target's folder.
    pub(crate) folder: &'a Arc<OwnedFd>,
    /// The target.
    pub(crate) path: &'a RelPath,
    /// Bytes.
    pub(crate) size: u64,
    /// Modification time.
    pub(crate) mtime_ns: i64,
    /// Who else is writing, and who we are.
    pub(crate) holders: &'a Arc<Holders>,
    /// This session.
    pub(crate) holder: &'a Arc<Holder>,
}

/// What of an earlier attempt is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// All, if the source had the same size and time.
    Same,
    /// All; the caller compares it with the source.
    Any,
}

/// What was found beside a target.
pub(crate) enum Found {
    /// Nothing of ours.
    Nothing,
    /// An earlier attempt's; content from the journal may count.
    /// With [`Keep::Any`] also what its journal tells of, as far as it fits the source's size, ascending.
    Resumable(Arc<Partial>, Option<Vec<(u64, Value)>>),
    /// Another session writes it now.
    Busy((u64, u64)),
}

impl Partial {
    /// Makes a new one under the first free choice of names.
    pub(crate) fn create(names: &Names, wish: &Wish<'_>) -> io::Result<Arc<Self>> {
        let mut used = names.lock();
        for turn in 1..=NEW_CHOICES {
            let (partial, journal) = names.suffixes.names(wish.path.name(), turn);
            let keys = [key(wish.path, &partial), key(wish.path, &journal)];
            if keys.iter().any(|k| used.contains_key(k)) {
                continue;
            }
            let mut head = Head { size: wish.size, mtime_ns: wish.mtime_ns, partial: (0, 0) };
            let journal_file = match new_journal(wish.folder, &journal, &head) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            let flags = OPEN | OFlags::CREATE | OFlags::EXCL;
            let file: File = match openat(wish.folder, partial.as_str(), flags, FILE_MODE) {
                Ok(file) => file.into(),
                Err(e) => {
                    let _ = unlinkat(wish.folder, journal.as_str(), AtFlags::empty());
                    if e == Errno::EXIST {
                        continue;
                    }
                    return Err(naming(e));
                }
            };
            head.partial = Metadata::of(&file)?.id;
            journal_file.write_all_at(&head.encode(), 0)?;
            let placed = Placed { partial, journal, journal_end: HEAD as u64, head, doubtful: false };
            return Ok(Self::register(wish, file, journal_file, head.partial, placed, &mut used));
        }
        Err(Errno::EXIST.into())
    }

    /// Looks for one that an earlier attempt left. What is not kept is emptied and used again.
    pub(crate) fn find(names: &Names, wish: &Wish<'_>, keep: Keep) -> io::Result<Found> {
        for turn in 1..=OLD_CHOICES {
            let (partial, journal) = names.suffixes.names(wish.path.name(), turn);
            let Some((journal_file, head)) = open_journal(wish.folder, &journal)? else { continue };
            if flock(&journal_file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Ok(Found::Busy(head.partial));
            }
            // RACE: the one who held the lock may have finished and removed the journal before we got it.
            if !is_at(wish.folder, &journal, &journal_file) {
                continue;
            }
            let file: File = match openat(wish.folder, partial.as_str(), OPEN, Mode::empty()) {
                Ok(file) => file.into(),
                Err(Errno::NOENT) => {
                    // Finished or removed by hand; only the journal is left.
                    let _ = unlinkat(wish.folder, journal.as_str(), AtFlags::empty());
                    continue;
                }
                Err(_) => continue,
            };
            let found = Metadata::of(&file)?;
            let unfinished_making = head.partial == (0, 0) && found.size == 0;
            if found.kind != Kind::File || (head.partial != found.id && !unfinished_making) {
                continue;
            }
            let mut journal_end = Metadata::of(&journal_file)?.size.max(HEAD as u64);
            journal_end -= (journal_end - HEAD as u64) % RECORD as u64;
            let fresh = Head { size: wish.size, mtime_ns: wish.mtime_ns, partial: found.id };
            let told = match keep {
                Keep::Any => Some(fitting(&journal_file, &head, journal_end, wish.size)?),
                Keep::Same | Keep::Nothing => None,
            };
            if keep == Keep::Nothing || head != fresh {
                // A record counts under its own head only, so no order of writes to disk lets one outlive this.
                journal_file.set_len(HEAD as u64)?;
                if told.is_none() {
                    file.set_len(0)?;
                }
                journal_file.write_all_at(&fresh.encode(), 0)?;
                journal_end = HEAD as u64;
            }
            let mut used = names.lock();
            let taken = [&partial, &journal].iter().any(|n| used.contains_key(&key(wish.path, n)));
            let placed = Placed { partial, journal, journal_end, head: fresh, doubtful: false };
            let this = Self::register(wish, file, journal_file, found.id, placed, &mut used);
            if taken {
                this.rehome(&names.suffixes, &mut used)?;
            }
            return Ok(Found::Resumable(this, told));
        }
        Ok(Found::Nothing)
    }

    fn register(
        wish: &Wish<'_>,
        file: File,
        journal: File,
        id: (u64, u64),
        placed: Placed,
        used: &mut HashMap<String, Use>,
    ) -> Arc<Self> {
        let keys = [key(wish.path, &placed.partial), key(wish.path, &placed.journal)];
        let this = Arc::new(Self {
            folder: wish.folder.clone(),
            path: wish.path.clone(),
            direct: Direct::of(&file, wish.size),
            file,
            journal,
            id,
            writing: Mutex::new(()),
            flush: Flush::new(),
            placed: Mutex::new(placed),
            holders: wish.holders.clone(),
        });
        wish.holders.enter(id, wish.holder);
        for key in keys {
            // A final name stays registered as such; `find` moves away from it.
            used.entry(key).or_insert_with(|| Use::Transit(this.clone()));
        }
        this
    }

    /// Moves to other names, because somebody's final name is the present one.
    pub(crate) fn rehome(self: &Arc<Self>, suffixes: &Suffixes, used: &mut HashMap<String, Use>) -> io::Result<()> {
        let mut placed = self.placed();
        for turn in 1..=NEW_CHOICES {
            let (partial, journal) = suffixes.names(self.path.name(), turn);
            let keys = [key(&self.path, &partial), key(&self.path, &journal)];
            if keys.iter().any(|k| used.contains_key(k)) {
                continue;
            }
            match rename(&self.folder, &placed.journal, &journal, false) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            if let Err(e) = rename(&self.folder, &placed.partial, &partial, false) {
                rename(&self.folder, &journal, &placed.journal, false)?;
                if e.kind() == io::ErrorKind::AlreadyExists {
                    continue;
                }
                return Err(e);
            }
            used.retain(|_, u| !matches!(u, Use::Transit(p) if Arc::ptr_eq(p, self)));
            for key in keys {
                used.insert(key, Use::Transit(self.clone()));
            }
            (placed.partial, placed.journal) = (partial, journal);
            return Ok(());
        }
        Err(Errno::EXIST.into())
    }

    /// Which units the journal tells of, without a look at the data.
    pub(crate) fn journalled(&self, size: u64) -> io::Result<RangeSet> {
        let mut units = RangeSet::default();
        self.each_record(|unit, _| {
            if unit < unit_count(size) {
                units.insert(unit..unit + 1);
            }
            Ok(())
        })?;
        Ok(units)
    }

    /// Reads those units of `told` that the journal tells of and hands on those whose content still has its value. A
    /// unit may have several records; the first that fits counts. Units outside `told` may be written meanwhile.
    ///
    /// What is read is what the disk has: after a flush that failed, whoever noticed it, the kernel keeps showing pages
    /// that it gave up, so those of an earlier attempt are let go first.
    pub(crate) fn verified(
        &self,
        size: u64,
        told: &RangeSet,
        mut each: impl FnMut(u64, Value) -> io::Result<()>,
    ) -> io::Result<RangeSet> {
        // Pages that still wait for the disk cannot be let go.
        self.file.sync_data()?;
        fadvise(&self.file, 0, None, Advice::DontNeed)?;
        let mut sound = RangeSet::default();
        let mut buffer = Vec::new();
        self.each_record(|unit, value| {
            if !told.contains(unit) || sound.contains(unit) {
                return Ok(());
            }
            if self.read_unit(size, unit, &mut buffer) == Some(value) {
                sound.insert(unit..unit + 1);
                return each(unit, value);
            }
            Ok(())
        })?;
        Ok(sound)
    }

    /// See [`read_unit`].
    pub(crate) fn read_unit(&self, size: u64, unit: u64, buffer: &mut Vec<u8>) -> Option<Value> {
        read_unit(&self.file, size, unit, buffer)
    }

    /// The values that the journal has for some units, ascending.
    pub(crate) fn values(&self, size: u64, units: &RangeSet) -> io::Result<Vec<(u64, Value)>> {
        let mut values = BTreeMap::new();
        self.each_record(|unit, value| {
            if units.contains(unit) && unit < unit_count(size) {
                values.insert(unit, value);
            }
            Ok(())
        })?;
        Ok(values.into_iter().collect())
    }

    fn each_record(&self, each: impl FnMut(u64, Value) -> io::Result<()>) -> io::Result<()> {
        let (head, end) = {
            let placed = self.placed();
            (placed.head, placed.journal_end)
        };
        each_record(&self.journal, &head, end, each)
    }

    /// Writes a verified unit and notes it in the journal.
    pub(crate) fn write_unit(&self, unit: u64, value: &Value, data: &[u8]) -> io::Result<()> {
        self.flush.check()?;
        if !self.direct.write(data, unit * UNIT)? {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.file.write_all_at(data, unit * UNIT)?;
        }
        self.note(unit, value)
    }

    /// Notes in the journal a unit that is on its place.
    pub(crate) fn note(&self, unit: u64, value: &Value) -> io::Result<()> {
        let mut placed = self.placed();
        if placed.doubtful {
            return Ok(());
        }
        self.journal.write_all_at(&encode_record(&placed.head, unit, value), placed.journal_end)?;
        placed.journal_end += RECORD as u64;
        Ok(())
    }

    /// Has data and journal brought to the disk, beside the writers, if it is time for it.
    pub(crate) fn sync_at_times(self: &Arc<Self>, written: u64) {
        if self.flush.wrote(written, Instant::now()) {
            let this = self.clone();
            let sync = move || {
                this.flush.run(|| {
                    this.file.sync_data().inspect_err(|_| this.distrust()).and_then(|()| this.journal.sync_data())
                });
            };
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(sync)),
                Err(_) => sync(),
            }
        }
    }

    /// A sync has failed: the kernel may have given up what it could not write and go on showing it to readers, so that
    /// looking at the data proves nothing. Whatever is there comes again.
    fn distrust(&self) {
        let mut placed = self.placed();
        placed.doubtful = true;
        placed.journal_end = HEAD as u64;
        // The file system's own notes about the file may be among what was given up: it shall make new ones.
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, "a partial file that is not to be believed cannot be emptied; its content comes again");
        }
        if let Err(error) = self.journal.set_len(HEAD as u64) {
            tracing::warn!(%error, "a journal that is not to be believed stays; it is removed");
            let _ = unlinkat(&self.folder, placed.journal.as_str(), AtFlags::empty());
        }
    }

    /// Everything is there and verified: time, sync, final name. The journal goes last; left behind by a kill it is
    /// removed when the next attempt meets it.
    pub(crate) fn publish(&self, size: u64, mtime_ns: Option<i64>, sync: bool, seat: &Seat<'_>) -> io::Result<()> {
        self.file.set_len(size)?;
        if let Some(mtime_ns) = mtime_ns {
            set_mtime(&self.file, mtime_ns)?;
        }
        if sync {
            self.flush.finish(|| self.file.sync_all()).inspect_err(|_| self.distrust())?;
        }
        if let Some(before) = &seat.before {
            self.note(REPLACED, &mark(before))?;
        }
        let placed = self.placed();
        // RACE: between this look and the rename somebody else could put his file under our name; two programs would
        // have to use a `.partial` name of ours within the same microseconds.
        if !is_at(&self.folder, &placed.partial, &self.file) {
            return Err(io::Error::other("the partial file was moved or replaced by somebody else"));
        }
        seat.take(&placed.partial).map_err(unnamed)?;
        let _ = unlinkat(&self.folder, placed.journal.as_str(), AtFlags::empty());
        Ok(())
    }

    /// Its first bytes, as many as there are.
    pub(crate) fn begin(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut begin = vec![0; length];
        let read = self.file.read_at(&mut begin, 0)?;
        begin.truncate(read);
        Ok(begin)
    }

    /// Removes it with its journal: what it holds is of no use to anybody.
    pub(crate) fn discard(&self) {
        let placed = self.placed();
        if is_at(&self.folder, &placed.partial, &self.file) {
            let _ = unlinkat(&self.folder, placed.partial.as_str(), AtFlags::empty());
        }
        if is_at(&self.folder, &placed.journal, &self.journal) {
            let _ = unlinkat(&self.folder, placed.journal.as_str(), AtFlags::empty());
        }
    }

    /// Its present name.
    pub(crate) fn name(&self) -> String {
        self.placed().partial.clone()
    }

    /// Folder of the target.
    pub(crate) fn folder(&self) -> &Arc<OwnedFd> {
        &self.folder
    }

    fn placed(&self) -> MutexGuard<'_, Placed> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.holders.leave(self.id);
    }
}

/// Reads a unit of a file of `size` bytes; its value, unless the file is shorter or the sector is bad.
pub(crate) fn read_unit(file: &File, size: u64, unit: u64, buffer: &mut Vec<u8>) -> Option<Value> {
    buffer.resize(unit_len(size, unit) as usize, 0);
    file.read_exact_at(buffer, unit * UNIT).ok()?;
    Some(unit_value(size, unit, buffer))
}

/// Key of a sibling of `path` in the register of names.
fn key(path: &RelPath, name: &str) -> String {
    match path.as_str().rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
#[path = "partial_tests.rs"]
mod tests;
