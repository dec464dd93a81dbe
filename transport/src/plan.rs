//! What is to be done with each entry: make a folder, skip, compare, continue or fetch. Everything here may block.

use crate::failure::{disk, protocol};
use crate::folders::beneath;
use crate::hash::hex;
use crate::land::{Batch, Ended, Event, Landing};
use crate::meter::add;
use crate::read::hash_file;
use crate::root::Kind;
use crate::state::FileState;
use crate::tidy::tidy;
use godwit_protocol::spec::{OverwritePolicy, ResumePolicy};
use godwit_protocol::wire::{Entry, EntryKind, UNIT};
use godwit_protocol::worker::{Failure, FileOutcome};
use godwit_protocol::{ErrorCode, RelPath};
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Comparisons and looks at partial files at once.
const TASKS: usize = 2;

/// What the planner is given, in the order in which it came.
pub(crate) enum Step {
    /// Number, offset, entry.
    Entries(Vec<(u64, u64, Entry)>),
    /// One that takes the place of an earlier one.
    Again { replaces: u64, number: u64, offset: u64, entry: Entry },
}

/// Plans frame after frame; what takes long goes to tasks of its own.
pub(crate) async fn run(
    landing: Arc<Landing>,
    allowed: Option<Vec<RelPath>>,
    mut steps: mpsc::UnboundedReceiver<Step>,
) -> Result<(), Failure> {
    let broke = |_| Failure::new(ErrorCode::Internal, "planning broke");
    let mut planner = Planner::new(landing.clone(), allowed);
    let turns = Arc::new(Semaphore::new(TASKS));
    let mut running = JoinSet::new();
    while let Some(step) = steps.recv().await {
        let planned = tokio::task::spawn_blocking(move || {
            let tasks = match step {
                Step::Entries(entries) => planner.plan(entries),
                Step::Again { replaces, number, offset, entry } => planner.again(replaces, number, offset, entry),
            };
            (planner, tasks)
        });
        let (back, tasks): (Planner, Vec<Task>) = planned.await.map_err(broke)?;
        planner = back;
        for task in tasks {
            let (landing, turns) = (landing.clone(), turns.clone());
            running.spawn(async move {
                let _turn = turns.acquire_owned().await;
                tokio::task::spawn_blocking(move || landing.task(task)).await
            });
        }
        while running.try_join_next().is_some() {}
    }
    while let Some(task) = running.join_next().await {
        if !matches!(task, Ok(Ok(()))) {
            return Err(Failure::new(ErrorCode::Internal, "planning broke"));
        }
    }
    Ok(())
}

/// Decides about entries in the order of the manifest.
struct Planner {
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
    /// Give up an entry whose source changed, then decide about the one that takes its place.
    Again(Option<Arc<FileState>>, Arc<FileState>),
}

impl Planner {
    fn new(landing: Arc<Landing>, allowed: Option<Vec<RelPath>>) -> Self {
        Self { landing, allowed, seen: HashSet::new(), hasher: RandomState::new(), made: Vec::new() }
    }

    /// Plans a frame's entries.
    fn plan(&mut self, entries: Vec<(u64, u64, Entry)>) -> Vec<Task> {
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
                    match refusal.map_or_else(|| landing.judge(&state), Err) {
                        Err(failure) => landing.fail(&state, failure),
                        Ok(()) => files.push((state, new)),
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
            let look = if new { Ok(Look::Fetch) } else { look(&landing, &state) };
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

    /// Plans an entry that takes the place of an earlier one.
    fn again(&self, replaces: u64, number: u64, offset: u64, entry: Entry) -> Vec<Task> {
        let landing = &self.landing;
        let old = landing.table().open.get(&replaces).cloned();
        let known = match &old {
            Some(old) => old.path == entry.path,
            None => self.seen.contains(&self.hasher.hash_one(&entry.path)),
        };
        if !known || entry.kind != EntryKind::File {
            let _ = landing.events.send(Event::Fatal(protocol("an entry is replaced by one of another name")));
            return Vec::new();
        }
        add(&landing.meter.files_expected, 1);
        add(&landing.meter.bytes_expected, entry.size);
        let state = FileState::new(number, offset, entry.size, entry.mtime_ns, entry.path);
        let instead_of = old.iter().flat_map(|old| old.instead_of.iter().copied().chain([replaces])).collect();
        let state = Arc::new(state.again(instead_of));
        landing.table().open.insert(number, state.clone());
        vec![Task::Again(old, state)]
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
}

/// What is at the target, and what that leads to; it is remembered, so that nothing else is replaced later.
pub(crate) fn look(landing: &Landing, state: &FileState) -> Result<Look, Failure> {
    let fail = |e: io::Error| disk(&e, true, state.path.as_str());
    if let Some(parent) = state.path.parent() {
        landing.root.create_dir_all(&parent).map_err(fail)?;
    }
    let found = match landing.root.stat(&state.path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            state.work().before = None;
            return Ok(Look::Fetch);
        }
        other => other.map_err(fail)?,
    };
    state.work().before = Some(found);
    match found.kind {
        Kind::Folder => return Err(Failure::new(ErrorCode::IsDirectory, state.path.as_str())),
        Kind::Special => return Err(Failure::new(ErrorCode::NotRegular, state.path.as_str())),
        // The link itself is replaced, never followed.
        Kind::Link if landing.policies.overwrite == OverwritePolicy::None => return Ok(Look::Skip),
        Kind::Link => return Ok(Look::Fetch),
        Kind::File => {}
    }
    if found.size > UNIT {
        let folder = landing.root.folder(state.path.parent().as_ref()).map_err(fail)?;
        if let Err(error) = tidy(&folder, &landing.names.suffixes, state.path.name(), &found) {
            tracing::warn!(path = state.path.as_str(), %error, "what a kill left beside the file stays");
        }
    }
    let older = found.mtime_ns < state.mtime_ns;
    let same_size = found.size == state.size;
    let same_time = found.mtime_ns == state.mtime_ns;
    Ok(decide(&landing.policies.overwrite, landing.policies.resume, older, same_size, same_time))
}

/// What an existing target leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
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

impl Landing {
    fn again(&self, old: Option<Arc<FileState>>, new: &Arc<FileState>) {
        if let Some(old) = old {
            self.give_up(&old, new);
        }
        if let Err(failure) = self.judge(new) {
            return self.fail(new, failure);
        }
        if let Err(e) = self.names.claim(&new.path) {
            return self.disk_failed(new, &e);
        }
        match look(self, new) {
            Ok(Look::Skip) => self.skip(new),
            Ok(Look::Compare) => self.task(Task::Compare(new.clone())),
            Ok(Look::Fetch) => self.fetch(new),
            Err(failure) => self.fail(new, failure),
        }
    }
}

/// Asks for a file of one unit; an empty one is made at once.
pub(crate) fn fetch_small(landing: &Landing, state: &Arc<FileState>, batch: &mut Batch<'_>) -> Option<(u64, u64)> {
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
            Task::Again(old, new) => self.again(old, &new),
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
