//! What is to be done with each entry: make a folder, skip, compare, continue or fetch. Everything here may block.

use crate::failure::disk;
use crate::folders::beneath;
use crate::hash::hex;
use crate::land::{Batch, Ended, Event, Landing};
use crate::meter::add;
use crate::partial::{Found, Partial};
use crate::read::hash_file;
use crate::root::Kind;
use crate::state::FileState;
use godwit_protocol::spec::{OverwritePolicy, ResumePolicy};
use godwit_protocol::wire::{Entry, EntryKind, UNIT};
use godwit_protocol::worker::{Failure, FileOutcome};
use godwit_protocol::{ErrorCode, RelPath};
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A partial file that another session writes is waited for so long.
const BUSY_WAIT: Duration = Duration::from_secs(15);
/// A session of ours whose peer was silent for so long gives way; living peers are heard every 5 s.
const QUIET: Duration = Duration::from_secs(6);
const BUSY_POLL: Duration = Duration::from_millis(100);

/// Decides about entries in the order of the manifest.
pub(crate) struct Planner {
    landing: Arc<Landing>,
    /// Names the sender may use; absent: any beneath the root.
    allowed: Option<Vec<RelPath>>,
    /// Hashes of paths that came, with keys of this process: a peer cannot choose paths that collide.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Folders the manifest is in that this session has made, outermost first: nothing is in them to look at.
    made: Vec<RelPath>,
}

/// What remains to be done for an entry; it may take long, so it does not hold up the others.
pub(crate) enum Task {
    /// Hash what is there.
    Compare(Arc<FileState>),
    /// Look for an earlier attempt's partial file, then ask.
    Fetch(Arc<FileState>),
}

impl Planner {
    pub(crate) fn new(landing: Arc<Landing>, allowed: Option<Vec<RelPath>>) -> Self {
        Self { landing, allowed, seen: HashSet::new(), hasher: RandomState::new(), made: Vec::new() }
    }

    /// Plans a frame's entries.
    pub(crate) fn plan(&mut self, entries: Vec<(u64, u64, Entry)>) -> Vec<Task> {
        let landing = self.landing.clone();
        let mut tasks = Vec::new();
        let mut spans = Vec::new();
        let mut files = Vec::new();
        for (number, offset, entry) in entries {
            let refusal = self.refusal(&entry.path);
            if let Some(mut times) = landing.folder_times() {
                times.pass(number, &entry.path);
            }
            while self.made.pop_if(|folder| !beneath(&entry.path, folder)).is_some() {}
            match entry.kind {
                EntryKind::Folder => self.made.extend(folder(&landing, number, entry, refusal)),
                EntryKind::File => {
                    add(&landing.meter.files_expected, 1);
                    add(&landing.meter.bytes_expected, entry.size);
                    let state = Arc::new(FileState::new(number, offset, entry.size, entry.mtime_ns, entry.path));
                    landing.table().open.insert(number, state.clone());
                    let new = self.made.last().is_some_and(|folder| lies_in(&state.path, folder));
                    match refusal {
                        Some(failure) => landing.fail(&state, failure),
                        None => files.push((state, new)),
                    }
                }
            }
        }
        // All final names of the frame first, so that few files on their way have to move.
        files.retain(|(state, _)| match landing.names.claim(&state.path) {
            Ok(()) => true,
            Err(e) => {
                landing.disk_failed(state, &e);
                false
            }
        });
        let mut batch = landing.batch();
        for (state, new) in files {
            landing.meter.worked();
            let look = if new { Ok(Look::Fetch) } else { self.look(&state) };
            match look {
                Ok(Look::Skip) => landing.skip(&state),
                Ok(Look::Compare) => tasks.push(Task::Compare(state)),
                Ok(Look::Fetch) if state.size > UNIT => tasks.push(Task::Fetch(state)),
                Ok(Look::Fetch) => spans.extend(fetch_small(&landing, &state, &mut batch)),
                Err(failure) => landing.fail(&state, failure),
            }
        }
        if !spans.is_empty() {
            let _ = landing.events.send(Event::Ask(spans));
        }
        tasks
    }

    fn refusal(&mut self, path: &RelPath) -> Option<Failure> {
        let allowed = self.allowed.as_ref().is_none_or(|allowed| {
            allowed
                .iter()
                .any(|a| path == a || path.as_str().strip_prefix(a.as_str()).is_some_and(|r| r.starts_with('/')))
        });
        if !allowed {
            return Some(Failure::new(ErrorCode::BadPath, "the sender uses a name that was not asked for"));
        }
        if path.components().any(crate::disk::reserved) {
            return Some(Failure::new(ErrorCode::BadPath, "Godwit itself uses such names for files on their way"));
        }
        if !self.seen.insert(self.hasher.hash_one(path)) {
            return Some(Failure::new(ErrorCode::AlreadyExists, "the same name comes twice in this transfer"));
        }
        None
    }

    fn look(&self, state: &FileState) -> Result<Look, Failure> {
        let landing = &self.landing;
        let fail = |e: io::Error| disk(&e, true, state.path.as_str());
        if let Some(parent) = state.path.parent() {
            landing.root.create_dir_all(&parent).map_err(fail)?;
        }
        let found = match landing.root.stat(&state.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Look::Fetch),
            other => other.map_err(fail)?,
        };
        match found.kind {
            Kind::Folder => return Err(Failure::new(ErrorCode::IsDirectory, state.path.as_str())),
            Kind::Special => return Err(Failure::new(ErrorCode::NotRegular, state.path.as_str())),
            // The link itself is replaced, never followed.
            Kind::Link if landing.policies.overwrite == OverwritePolicy::None => return Ok(Look::Skip),
            Kind::Link => return Ok(Look::Fetch),
            Kind::File => {}
        }
        let older = found.mtime_ns < state.mtime_ns;
        let same_size = found.size == state.size;
        Ok(decide(
            &landing.policies.overwrite,
            landing.policies.resume,
            older,
            same_size,
            found.mtime_ns == state.mtime_ns,
        ))
    }
}

/// What an existing target leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Skip,
    Compare,
    Fetch,
}

/// The predecessor judges "different" by the kind of `resume`: `none` means always, `attributes` the size (with us also
/// the time, if it is the same there is no doubt), the checksum kinds the content.
fn decide(overwrite: &OverwritePolicy, resume: ResumePolicy, older: bool, same_size: bool, same_time: bool) -> Look {
    let differs = match resume {
        ResumePolicy::None => Look::Fetch,
        _ if !same_size => Look::Fetch,
        ResumePolicy::Attributes => Look::Skip,
        ResumePolicy::SparseChecksum if same_time => Look::Skip,
        ResumePolicy::SparseChecksum | ResumePolicy::FullChecksum => Look::Compare,
    };
    match overwrite {
        OverwritePolicy::Always => Look::Fetch,
        OverwritePolicy::None => Look::Skip,
        OverwritePolicy::Diff => differs,
        OverwritePolicy::Older | OverwritePolicy::DiffOlder if !older => Look::Skip,
        OverwritePolicy::Older => Look::Fetch,
        OverwritePolicy::DiffOlder => differs,
    }
}

/// Makes a folder; its path if it was not there.
fn folder(landing: &Landing, number: u64, entry: Entry, refusal: Option<Failure>) -> Option<RelPath> {
    let path = entry.path;
    let made = match refusal {
        Some(refusal) => Err(refusal),
        None => landing.root.make_dir(&path).map_err(|e| disk(&e, true, path.as_str())),
    };
    let new = made.as_ref().is_ok_and(|new| *new).then(|| path.clone());
    let failure = made.err();
    let fatal = failure.as_ref().is_some_and(|f| f.code == ErrorCode::NoSpace);
    if failure.is_none()
        && let Some(mut times) = landing.folder_times()
    {
        times.enter(path.clone(), entry.mtime_ns);
    }
    let _ = landing.events.send(match failure {
        Some(failure) if fatal => Event::Fatal(failure),
        failure => Event::Ended(Ended {
            number,
            path: path.as_str().to_owned(),
            kind: EntryKind::Folder,
            size: 0,
            outcome: if failure.is_some() { FileOutcome::Failed } else { FileOutcome::Completed },
            failure,
            blake3: None,
            resumed: 0,
        }),
    });
    landing.left(number);
    new
}

/// Is `path` directly in `folder`?
fn lies_in(path: &RelPath, folder: &RelPath) -> bool {
    path.as_str().rsplit_once('/').is_some_and(|(parent, _)| parent == folder.as_str())
}

/// Asks for a file of one unit; an empty one is made at once.
fn fetch_small(landing: &Landing, state: &Arc<FileState>, batch: &mut Batch<'_>) -> Option<(u64, u64)> {
    if state.size == 0 {
        if let Err(e) = landing.small(state, b"", *blake3::hash(b"").as_bytes(), batch) {
            landing.disk_failed(state, &e);
        }
        return None;
    }
    state.work().ask(0..1);
    landing.table().asked(state);
    Some(state.span(&(0..1)))
}

impl Landing {
    /// Does a task. `Compare` ends with an [`Event::Compare`] or, if what is there cannot be read, with fetching.
    pub(crate) fn task(&self, task: Task) {
        match task {
            Task::Fetch(state) => self.fetch(&state),
            Task::Compare(state) => {
                let hash = self.root.open_file(&state.path).and_then(|f| hash_file(&f, state.size, &self.meter));
                match hash {
                    Ok(value) => {
                        let _ = self.events.send(Event::Compare(state, hex(&value)));
                    }
                    Err(_) => self.fetch(&state),
                }
            }
        }
    }

    /// Asks for a file: what is there of an earlier attempt is verified and kept, the rest is wanted.
    pub(crate) fn fetch(&self, state: &Arc<FileState>) {
        if state.size <= UNIT {
            if let Some(span) = fetch_small(self, state, &mut self.batch()) {
                let _ = self.events.send(Event::Ask(vec![span]));
            }
            return;
        }
        let fetched = self.find(state).and_then(|found| match found {
            None => {
                self.ask(state, std::iter::once(0..state.units()));
                Ok(())
            }
            Some(partial) => self.resume(state, &partial),
        });
        match fetched {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                self.fail(state, Failure::new(ErrorCode::AlreadyExists, "another session is writing this file"));
            }
            Err(e) => self.disk_failed(state, &e),
        }
    }

    /// The partial file of an earlier attempt, once nobody else writes it.
    fn find(&self, state: &FileState) -> io::Result<Option<Arc<Partial>>> {
        let folder = self.root.folder(state.path.parent().as_ref())?;
        let keep = self.policies.resume != ResumePolicy::None;
        let begin = Instant::now();
        let mut heard = (0, begin);
        loop {
            let id = match Partial::find(&self.names, &self.wish(state, &folder), keep)? {
                Found::Nothing => return Ok(None),
                Found::Resumable(partial) => return Ok(Some(partial)),
                Found::Busy(id) => id,
            };
            if begin.elapsed() > BUSY_WAIT {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            if let Some(holder) = self.holders.who(id) {
                let now = (holder.heard)();
                if now != heard.0 {
                    heard = (now, Instant::now());
                } else if heard.1.elapsed() > QUIET {
                    tracing::info!(path = %state.path, "a silent session gives way");
                    (holder.evict)();
                }
            }
            std::thread::sleep(BUSY_POLL);
            self.meter.worked();
        }
    }

    /// Asks for what the journal does not tell of, then verifies what it tells of and asks for what is not sound.
    fn resume(&self, state: &Arc<FileState>, partial: &Arc<Partial>) -> io::Result<()> {
        state.work().partial = Some(partial.clone());
        let told = partial.journalled(state.size)?;
        self.ask(state, told.gaps(0..state.units()));
        let mut kept = 0;
        let sound = partial.verified(state.size, &told, |unit, value| {
            let len = crate::hash::unit_len(state.size, unit);
            kept += len;
            add(&self.meter.bytes_written, len);
            self.meter.worked();
            state.work().resumed = kept;
            self.stored(state, partial, unit, value);
            Ok(())
        })?;
        tracing::info!(path = %state.path, bytes = kept, "resumed");
        let damaged: Vec<_> = told.iter().flat_map(|range| sound.gaps(range.clone())).collect();
        self.ask(state, damaged);
        Ok(())
    }

    fn ask(&self, state: &Arc<FileState>, units: impl IntoIterator<Item = std::ops::Range<u64>>) {
        let mut spans = Vec::new();
        for units in units {
            spans.push(state.span(&units));
            state.work().ask(units);
        }
        if !spans.is_empty() {
            self.table().asked(state);
            let _ = self.events.send(Event::Ask(spans));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_target_is_judged_as_the_policies_say() {
        use OverwritePolicy as O;
        use ResumePolicy as R;
        for (overwrite, resume, older, size, time, expected) in [
            (O::Always, R::SparseChecksum, false, true, true, Look::Fetch),
            (O::None, R::None, true, false, false, Look::Skip),
            (O::Diff, R::None, false, true, true, Look::Fetch),
            (O::Diff, R::Attributes, false, true, false, Look::Skip),
            (O::Diff, R::SparseChecksum, false, true, true, Look::Skip),
            (O::Diff, R::SparseChecksum, true, true, false, Look::Compare),
            (O::Diff, R::FullChecksum, false, true, true, Look::Compare),
            (O::Diff, R::FullChecksum, false, false, true, Look::Fetch),
            (O::Older, R::SparseChecksum, true, true, false, Look::Fetch),
            (O::Older, R::SparseChecksum, false, false, false, Look::Skip),
            (O::DiffOlder, R::SparseChecksum, true, true, false, Look::Compare),
            (O::DiffOlder, R::SparseChecksum, false, false, false, Look::Skip),
        ] {
            assert_eq!(decide(&overwrite, resume, older, size, time), expected, "{overwrite:?} {resume:?}");
        }
    }
}
