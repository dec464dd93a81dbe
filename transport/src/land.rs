//! Where received content lands: verified, written by position, journalled, and given its final name in groups.
//! Everything here may block.

use crate::disk::{Temp, set_mtime};
use crate::failure::{disk, protocol};
use crate::folders::FolderTimes;
use crate::group::Small;
use crate::handles::{self, Taken};
use crate::hash::{Value, unit_value};
use crate::holders::{Holder, Holders};
use crate::meter::{Meter, add};
use crate::names::Names;
use crate::partial::{Partial, Wish};
use crate::protect::{BEGIN, is_encrypted, may_be_encrypted, plain};
use crate::read::hash_file;
use crate::replace::Seat;
use crate::root::{Metadata, Root};
use crate::state::{Claim, FileState, Place, Table};
use godwit_protocol::spec::{OverwritePolicy, ResumePolicy};
use godwit_protocol::wire::{EntryKind, HASH, UNIT};
use godwit_protocol::worker::{Failure, FileOutcome};
use godwit_protocol::{ErrorCode, RelPath};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Damaged units of a session. A path damages none that TLS would not notice, so the sender's memory or will is bad.
const MOST_DAMAGED: u32 = 256;

/// What a receiver does with files.
#[derive(Clone)]
pub(crate) struct Policies {
    pub(crate) resume: ResumePolicy,
    pub(crate) overwrite: OverwritePolicy,
    pub(crate) save_before_overwrite: bool,
    pub(crate) preserve_times: bool,
    pub(crate) fsync: bool,
}

/// What the disk side tells the session.
pub(crate) enum Event {
    /// Spans are wanted.
    Ask(Vec<(u64, u64)>),
    /// A file of the same size is there; its hash.
    Compare(Arc<FileState>, String),
    /// The sender is asked about units of a partial file.
    Check(Arc<FileState>, Vec<(u64, Value)>),
    /// An entry was given up for a later one.
    Replaced(Arc<FileState>),
    /// An entry has ended.
    Ended(Ended),
    /// The session cannot go on.
    Fatal(Failure),
}

/// How an entry ended.
pub(crate) struct Ended {
    pub(crate) number: u64,
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
    pub(crate) size: u64,
    pub(crate) outcome: FileOutcome,
    pub(crate) failure: Option<Failure>,
    pub(crate) blake3: Option<String>,
    pub(crate) resumed: u64,
}

/// A file whose content is complete and verified.
pub(crate) enum Complete {
    /// Of one unit, or empty.
    Small(Small),
    /// Of several.
    Large(Arc<FileState>, Arc<Partial>, Value),
}

/// Small files that were stored one after the other; handed on together when dropped, or before waiting for handles.
pub(crate) struct Batch<'a> {
    landing: &'a Landing,
    files: Vec<Complete>,
    /// Of the file before, with its path: the next one mostly lies beside it.
    folder: Option<(String, Arc<OwnedFd>)>,
}

impl Batch<'_> {
    /// The folder of a file, and the handles it takes to keep the file open.
    fn place(&mut self, path: &RelPath) -> io::Result<(Arc<OwnedFd>, Taken)> {
        let parent = path.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        match &self.folder {
            Some((before, folder)) if before == parent => {
                let folder = folder.clone();
                Ok((folder, self.handles(1)))
            }
            _ => {
                let folder = self.landing.root.folder(path.parent().as_ref())?;
                self.folder = Some((parent.to_owned(), folder.clone()));
                Ok((folder, self.handles(2)))
            }
        }
    }

    fn handles(&mut self, count: usize) -> Taken {
        handles::try_take(count).unwrap_or_else(|| {
            // They may be in our own hands.
            self.hand_on();
            handles::take(count)
        })
    }

    fn hand_on(&mut self) {
        if !self.files.is_empty() {
            let _ = self.landing.complete.send(std::mem::take(&mut self.files));
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.hand_on();
    }
}

/// The receiver's disk side.
pub(crate) struct Landing {
    pub(crate) root: Root,
    pub(crate) policies: Policies,
    pub(crate) names: Names,
    pub(crate) holders: Arc<Holders>,
    pub(crate) holder: Arc<Holder>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) complete: mpsc::UnboundedSender<Vec<Complete>>,
    pub(crate) table: Mutex<Table>,
    pub(crate) folder_times: Mutex<FolderTimes>,
    /// Units that came with a wrong value.
    pub(crate) damaged: AtomicU32,
}

impl Landing {
    /// For small files that are stored one after the other.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { landing: self, files: Vec::new(), folder: None }
    }

    /// Verifies and stores what a segment brought.
    pub(crate) fn segment(&self, places: Vec<Place>, content: &[u8], trailer: &[u8]) -> Result<(), Failure> {
        let mut batch = self.batch();
        for (place, value) in places.into_iter().zip(trailer.chunks_exact(HASH)) {
            let _busy = place.state.busy();
            let claim = place.state.work().claim(place.unit);
            match claim {
                Claim::Wanted => {}
                Claim::Late => continue,
                Claim::Unasked => return Err(protocol("content that nobody asked for")),
            }
            let data = content.get(place.bytes.clone()).unwrap_or_default();
            self.unit(&place.state, place.unit, data, value, &mut batch);
            self.meter.worked();
        }
        Ok(())
    }

    fn unit(&self, state: &Arc<FileState>, unit: u64, data: &[u8], promised: &[u8], batch: &mut Batch<'_>) {
        let value = unit_value(state.size, unit, data);
        if value != promised {
            tracing::warn!(path = %state.path, unit, "a unit arrived damaged");
            if self.damaged.fetch_add(1, Ordering::Relaxed) >= MOST_DAMAGED {
                let words = format!("{MOST_DAMAGED} pieces arrived damaged: this sender cannot be relied on");
                let _ = self.events.send(Event::Fatal(Failure::new(ErrorCode::DiskRead, words)));
                return;
            }
            if state.work().repeat(unit) {
                let _ = self.events.send(Event::Ask(vec![state.span(&(unit..unit + 1))]));
            } else {
                self.fail(state, Failure::new(ErrorCode::DiskRead, format!("{} arrives damaged", state.path)));
            }
            return;
        }
        add(&self.meter.bytes_transferred, data.len() as u64);
        if unit == 0 && !self.may_begin(state, data) {
            return self.refuse_plain(state);
        }
        if let Err(failure) = self.root.take(data.len() as u64) {
            let _ = self.events.send(Event::Fatal(failure));
            return;
        }
        let stored = if state.size <= UNIT {
            self.small(state, data, value, batch)
        } else {
            self.large(state, unit, data, value)
        };
        if let Err(e) = stored {
            self.disk_failed(state, &e);
        }
    }

    /// Stores a file of one unit, or an empty one; `batch` takes it when it is complete.
    pub(crate) fn small(
        &self,
        state: &Arc<FileState>,
        data: &[u8],
        value: Value,
        batch: &mut Batch<'_>,
    ) -> io::Result<()> {
        let (folder, handles) = batch.place(&state.path)?;
        let temp = Temp::new(folder, state.path.name())?;
        if !data.is_empty() {
            temp.file.write_all_at(data, 0)?;
        }
        if self.policies.preserve_times {
            set_mtime(&temp.file, state.mtime_ns)?;
        }
        if state.work().close() {
            batch.files.push(Complete::Small(Small { state: state.clone(), temp, value, handles }));
        }
        Ok(())
    }

    fn large(&self, state: &Arc<FileState>, unit: u64, data: &[u8], value: Value) -> io::Result<()> {
        let partial = {
            let mut work = state.work();
            match &work.partial {
                Some(partial) => partial.clone(),
                // Another unit's failure ended it meanwhile: a new partial file would stay for ever.
                None if work.is_closed() => return Ok(()),
                None => {
                    let folder = self.root.folder(state.path.parent().as_ref())?;
                    let partial = Partial::create(&self.names, &self.wish(state, &folder))?;
                    work.partial = Some(partial.clone());
                    partial
                }
            }
        };
        partial.write_unit(unit, &value, data)?;
        add(&self.meter.bytes_written, data.len() as u64);
        state.work().written += data.len() as u64;
        if self.policies.fsync {
            partial.sync_at_times(data.len() as u64);
        }
        self.stored(state, &partial, unit, value);
        Ok(())
    }

    /// A unit is verified and on its place; the last one completes the file.
    pub(crate) fn stored(&self, state: &Arc<FileState>, partial: &Arc<Partial>, unit: u64, value: Value) {
        let root = state.work().store(unit, value, state.units());
        if let Some(root) = root {
            let _ = self.complete.send(vec![Complete::Large(state.clone(), partial.clone(), root)]);
        }
    }

    /// What a partial file is made for.
    pub(crate) fn wish<'a>(&'a self, state: &'a FileState, folder: &'a Arc<OwnedFd>) -> Wish<'a> {
        Wish {
            folder,
            path: &state.path,
            size: state.size,
            mtime_ns: state.mtime_ns,
            holders: &self.holders,
            holder: &self.holder,
        }
    }

    /// A complete file could not be made durable or named.
    pub(crate) fn not_published(&self, state: &Arc<FileState>, error: &io::Error) {
        if is_fatal(error) {
            self.fatal(error, state);
        } else {
            self.ended(state, FileOutcome::Failed, Some(disk(error, true, state.path.as_str())), None);
        }
    }

    /// Refuses at first sight what can be no encrypted file, where only those are wanted. Nothing of it is asked for.
    pub(crate) fn judge(&self, state: &FileState) -> Result<(), Failure> {
        if !self.root.is_encrypted_only() || may_be_encrypted(state.path.name(), state.size) {
            Ok(())
        } else {
            Err(plain())
        }
    }

    /// Whether a file may begin so.
    fn may_begin(&self, state: &FileState, begin: &[u8]) -> bool {
        !self.root.is_encrypted_only() || is_encrypted(state.path.name(), begin)
    }

    /// Whether a large file may get its final name: whoever wrote its begin, perhaps an earlier attempt that was not looked at.
    pub(crate) fn may_be_named(&self, state: &FileState, partial: &Partial) -> io::Result<bool> {
        Ok(!self.root.is_encrypted_only() || self.may_begin(state, &partial.begin(BEGIN)?))
    }

    /// Ends an entry that is not encrypted where only encrypted ones are wanted. Nothing of it stays.
    fn refuse_plain(&self, state: &Arc<FileState>) {
        if state.work().close() {
            self.plain_ended(state);
        }
    }

    /// The caller has closed the entry's state.
    pub(crate) fn plain_ended(&self, state: &Arc<FileState>) {
        // Before anybody hears of the end: who hears it may look.
        let partial = state.work().partial.clone();
        if let Some(partial) = partial {
            partial.discard();
        }
        self.ended(state, FileOutcome::Failed, Some(plain()), None);
    }

    /// Does something with the final name of an entry.
    pub(crate) fn seated<T>(&self, state: &FileState, folder: &OwnedFd, act: impl FnOnce(&Seat<'_>) -> T) -> T {
        let before = state.work().before;
        let save = self.policies.save_before_overwrite;
        act(&Seat { folder, name: state.path.name(), before, save })
    }

    /// What took the name meanwhile may have the same content: another attempt that was cut after its last step.
    pub(crate) fn unless_same(&self, published: io::Result<()>, state: &FileState, value: &Value) -> io::Result<()> {
        match published {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let there = self.root.open_file(&state.path).and_then(|there| {
                    let size = Metadata::of(&there)?.size;
                    if size == state.size { hash_file(&there, size, &self.meter).map(Some) } else { Ok(None) }
                });
                if there.is_ok_and(|there| there == Some(*value)) { Ok(()) } else { Err(e) }
            }
            other => other,
        }
    }

    /// A disk operation for an entry failed: alone, or with it the session, if all others would fare the same.
    pub(crate) fn disk_failed(&self, state: &Arc<FileState>, error: &io::Error) {
        if is_fatal(error) {
            self.fatal(error, state);
        } else {
            self.fail(state, disk(error, true, state.path.as_str()));
        }
    }

    fn fatal(&self, error: &io::Error, state: &FileState) {
        let _ = self.events.send(Event::Fatal(disk(error, true, state.path.as_str())));
    }

    /// Ends an entry without its file. What there is of it stays for a later attempt.
    pub(crate) fn fail(&self, state: &Arc<FileState>, failure: Failure) {
        if state.work().close() {
            self.ended(state, FileOutcome::Failed, Some(failure), None);
        }
    }

    /// Ends an entry because the target has it.
    pub(crate) fn skip(&self, state: &Arc<FileState>) {
        if state.work().close() {
            add(&self.meter.bytes_written, state.size);
            self.ended(state, FileOutcome::Skipped, None, None);
        }
    }

    /// The caller has closed the entry's state.
    pub(crate) fn ended(
        &self,
        state: &Arc<FileState>,
        outcome: FileOutcome,
        failure: Option<Failure>,
        blake3: Option<String>,
    ) {
        let (partial, resumed) = {
            let mut work = state.work();
            (work.partial.take(), work.resumed)
        };
        if let Some(partial) = partial {
            self.names.forget(&partial);
        }
        self.names.release(&state.path);
        self.table().end(state, outcome != FileOutcome::Failed);
        let resumed = if outcome == FileOutcome::Skipped { state.size } else { resumed };
        let _ = self.events.send(Event::Ended(Ended {
            number: state.number,
            path: state.path.as_str().to_owned(),
            kind: EntryKind::File,
            size: state.size,
            outcome,
            failure,
            blake3,
            resumed,
        }));
        for number in state.instead_of.iter().chain([&state.number]) {
            self.left(*number);
        }
    }

    /// Of folders, as far as the source's are to be kept.
    pub(crate) fn folder_times(&self) -> Option<MutexGuard<'_, FolderTimes>> {
        let times = || self.folder_times.lock().unwrap_or_else(PoisonError::into_inner);
        self.policies.preserve_times.then(times)
    }

    /// An entry has ended: folders that nothing comes for any more get their times.
    pub(crate) fn left(&self, number: u64) {
        let due = self.folder_times().map(|mut times| times.end(number));
        self.set_times(due.unwrap_or_default());
    }

    /// A time that cannot be set does not make a folder wrong.
    pub(crate) fn set_times(&self, folders: Vec<(RelPath, i64)>) {
        for (path, mtime_ns) in folders {
            let set = self.root.folder(Some(&path)).and_then(|folder| set_mtime(&folder, mtime_ns));
            if let Err(error) = set {
                tracing::info!(%path, %error, "the time of a folder cannot be set");
            }
        }
    }

    /// Entries that have not ended.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fatal(error: &io::Error) -> bool {
    matches!(ErrorCode::from_io(error, true), ErrorCode::NoSpace | ErrorCode::ReadOnlyFilesystem)
}
