//! Names for files whose content is complete: durable in groups.
//!
//! **Promise.** A final name appears after its content is on the disk, and the peer hears "completed" after the name is
//! there too (without `fsync`: both when the kernel has them). A kill at any moment leaves old or new content under a
//! final name and no file without one.
//!
//! **How.** A small file is written without a name (`O_TMPFILE`) and waits here with its handle. One `syncfs` brings the
//! content of a whole group to the disk, then the group gets its names; the next `syncfs` that begins after that covers
//! those names, and only then are the results told. So a group costs one `syncfs`, and while one group fills, the one
//! before it is synced and the one before that is named.
//! Measured on ext4, 60,000 files of 4 KB, two threads: 1.45 s so, 1.54 s by hidden names, 2.19 s through one staging
//! folder, 0.57 s by plain final names without any promise; `fsync` for each file takes minutes.
//! Nameless files need no cleaning after a kill and inherit what their folder hands down (group, ACL). The price is a
//! handle each: see [`crate::handles`].
//!
//! A few files alone are synced one by one, as `syncfs` also waits for what other programs wrote; so are files on file
//! systems whose `syncfs` is not known to reach the disk (FUSE, network). Large files sync themselves.
//!
//! **Must not know:** manifests, wishes, the wire.

use crate::disk::Temp;
use crate::handles::{self, Taken};
use crate::hash::{Value, hex};
use crate::land::{Complete, Landing};
use crate::meter::add;
use crate::state::FileState;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Failure, FileOutcome};
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A group is synced when it has so many files,
const FILES: usize = 4_096;
/// or bytes,
const BYTES: u64 = 256 * 1024 * 1024;
/// or so long after the one before; at once if nothing else is under way.
const PERIOD: Duration = Duration::from_millis(200);
/// Up to so many files are synced one by one.
const FEW: usize = 8;
/// Threads that sync one by one, and that name.
const SYNCERS: usize = 8;
const NAMERS: usize = 4;
/// Names that one thread gives in a row.
const PART: usize = 128;
/// Large files that are synced and named at once.
const LARGE: usize = 8;
/// A disk may take this long over a sync before the session counts as stalled.
const PATIENCE: Duration = Duration::from_secs(600);
const LIFE: Duration = Duration::from_secs(1);

/// A file of one unit, or an empty one, complete and verified, that has no name yet.
pub(crate) struct Small {
    /// The entry.
    pub(crate) state: Arc<FileState>,
    /// Its content.
    pub(crate) temp: Temp,
    /// BLAKE3.
    pub(crate) value: Value,
    /// What it keeps open.
    pub(crate) handles: Taken,
}

/// Files that wait for the next sync.
#[derive(Default)]
struct Group {
    files: Vec<Small>,
    bytes: u64,
    handles: usize,
}

impl Group {
    fn add(&mut self, small: Small) {
        self.bytes += small.state.size;
        self.handles += small.handles.count();
        self.files.push(small);
    }

    fn full(&self) -> bool {
        self.files.len() >= FILES || self.bytes >= BYTES || self.handles >= handles::share()
    }
}

/// Files whose content is durable.
struct Synced {
    files: Vec<Small>,
    on: Vec<Device>,
}

/// Files that have their names, which are not known to be durable.
#[derive(Default)]
struct Named {
    files: Vec<(Arc<FileState>, Value)>,
    on: Vec<Device>,
}

impl Named {
    fn add(&mut self, mut more: Self) {
        self.files.append(&mut more.files);
        add_devices(&mut self.on, more.on);
    }
}

/// A file system that files of a group are on.
#[derive(Clone)]
struct Device {
    id: u64,
    folder: Arc<OwnedFd>,
    /// `syncfs` is known to bring everything to the disk.
    groups: bool,
}

/// Names what is complete until the session ends.
pub(crate) async fn run(
    landing: Arc<Landing>,
    mut complete: mpsc::UnboundedReceiver<Vec<Complete>>,
) -> Result<(), Failure> {
    let broke = || Failure::new(ErrorCode::Internal, "naming files broke");
    let turns = Arc::new(Semaphore::new(LARGE));
    let mut large = JoinSet::new();
    let (mut syncing, mut naming) = (Step::default(), Step::default());
    let (mut group, mut named) = (Group::default(), Named::default());
    // Its content is durable, and it waits for the group before it to be named.
    let mut ready: Option<Synced> = None;
    let mut begun = Instant::now();
    let mut due = begun;
    let mut life = tokio::time::interval(LIFE);
    loop {
        if !naming.busy()
            && let Some(synced) = ready.take()
        {
            let landing = landing.clone();
            naming.start(move || landing.name_group(synced))?;
            begun = Instant::now();
        }
        let waiting = group.files.len() + named.files.len();
        // Names alone are synced when no more come: that one sync is for all of them.
        let worth_it = !group.files.is_empty() || (waiting > 0 && !naming.busy());
        let all_here = || landing.table().open.len() <= waiting;
        if !syncing.busy() && ready.is_none() && worth_it && (group.full() || Instant::now() >= due || all_here()) {
            let (files, before) = (std::mem::take(&mut group).files, std::mem::take(&mut named));
            let landing = landing.clone();
            syncing.start(move || landing.sync_group(files, before))?;
            begun = Instant::now();
            due = begun + PERIOD;
        }
        let busy = syncing.busy() || naming.busy();
        let idle = !syncing.busy() && ready.is_none();
        tokio::select! {
            done = syncing.end() => ready = done.ok_or_else(broke)?,
            done = naming.end() => named.add(done.ok_or_else(broke)?),
            batch = complete.recv() => {
                let Some(batch) = batch else { return Ok(()) };
                for complete in batch {
                    match complete {
                        Complete::Small(small) => group.add(small),
                        Complete::Large(state, partial, value) => {
                            let (landing, turns) = (landing.clone(), turns.clone());
                            large.spawn(async move {
                                let _turn = turns.acquire_owned().await;
                                tokio::task::spawn_blocking(move || landing.publish(&state, &partial, value)).await
                            });
                        }
                    }
                }
            }
            Some(done) = large.join_next() => done.and_then(|done| done).map_err(|_| broke())?,
            () = sleep_until(due), if worth_it && idle => {}
            _ = life.tick() => if (busy || !large.is_empty()) && begun.elapsed() < PATIENCE {
                landing.meter.worked();
            }
        }
    }
}

/// Something that a thread does for a group, one at a time. Not on the pool for blocking work: its threads may all be
/// waiting for handles that only these steps free.
struct Step<T>(Option<oneshot::Receiver<T>>);

impl<T> Default for Step<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Step<T> {
    fn busy(&self) -> bool {
        self.0.is_some()
    }

    fn start(&mut self, act: impl FnOnce() -> T + Send + 'static) -> Result<(), Failure> {
        let (done, end) = oneshot::channel();
        std::thread::Builder::new()
            .name("godwit-group".into())
            .spawn(move || drop(done.send(act())))
            .map_err(|e| Failure::new(ErrorCode::Internal, format!("no thread for naming files: {e}")))?;
        self.0 = Some(end);
        Ok(())
    }

    /// Waits for its end, for ever if there is nothing to wait for. None: the thread broke.
    async fn end(&mut self) -> Option<T> {
        let Some(end) = &mut self.0 else { return std::future::pending().await };
        let done = end.await.ok();
        self.0 = None;
        done
    }
}

impl Landing {
    /// Makes the content of a group durable, and the names of what was named before. Returns what shall be named next.
    fn sync_group(&self, group: Vec<Small>, before: Named) -> Option<Synced> {
        if !self.policies.fsync {
            return Some(Synced { files: group, on: Vec::new() });
        }
        let on = devices(&group);
        let groups = on.iter().all(|device| device.groups);
        if before.files.is_empty() && (group.len() <= FEW || !groups) {
            self.one_by_one(group);
            return None;
        }
        let mut all = before.on;
        if groups {
            add_devices(&mut all, on.clone());
        }
        let synced = all.iter().try_for_each(|device| rustix::fs::syncfs(&device.folder));
        for (state, value) in before.files {
            self.published(&state, value, synced.map_err(io::Error::from));
        }
        if !groups || synced.is_err() {
            // Which file the disk failed on, only its own sync tells.
            self.one_by_one(group);
            return None;
        }
        Some(Synced { files: group, on }).filter(|synced| !synced.files.is_empty())
    }

    /// Gives a group its names. Returns what the next sync makes durable.
    fn name_group(&self, synced: Synced) -> Named {
        let mut files = Vec::with_capacity(synced.files.len());
        for (state, value, outcome) in self.name(synced.files) {
            match outcome {
                Ok(()) if self.policies.fsync => files.push((state, value)),
                outcome => self.published(&state, value, outcome),
            }
        }
        let on = if files.is_empty() { Vec::new() } else { synced.on };
        Named { files, on }
    }

    /// Every file by itself: content, name, and in the end the folders.
    fn one_by_one(&self, group: Vec<Small>) {
        let folders = distinct(&group);
        let named = spread(group, SYNCERS, |small| match small.temp.file.sync_all() {
            Ok(()) => self.name_one(small).0,
            Err(e) => (small.state, small.value, Err(e)),
        });
        let synced = folders.iter().try_for_each(sync_folder);
        for (state, value, outcome) in named {
            let outcome = match &synced {
                Err(e) if outcome.is_ok() => Err(e.kind().into()),
                _ => outcome,
            };
            self.published(&state, value, outcome);
        }
    }

    fn name(&self, group: Vec<Small>) -> Vec<(Arc<FileState>, Value, io::Result<()>)> {
        let mut group = group.into_iter();
        let mut parts = Vec::new();
        while group.len() > 0 {
            parts.push(group.by_ref().take(PART).collect::<Vec<_>>());
        }
        // One thread for every few: a thread costs as much as some names do.
        let threads = NAMERS.min(parts.len() / 2 + 1);
        spread(parts, threads, |part| self.name_part(part)).into_iter().flatten().collect()
    }

    /// Names some and frees what they kept open all at once: receivers wait for it by the dozen.
    fn name_part(&self, part: Vec<Small>) -> Vec<(Arc<FileState>, Value, io::Result<()>)> {
        let mut freed: Option<Taken> = None;
        let named = part.into_iter().map(|small| {
            let (named, handles) = self.name_one(small);
            match &mut freed {
                Some(freed) => freed.join(handles),
                None => freed = Some(handles),
            }
            named
        });
        named.collect()
    }

    /// Names one; with it, the handles that are free now.
    fn name_one(&self, small: Small) -> ((Arc<FileState>, Value, io::Result<()>), Taken) {
        let Small { state, temp, value, handles } = small;
        let folder = temp.folder().clone();
        let published = self.seated(&state, &folder, |seat| temp.publish(seat));
        let outcome = self.unless_same(published, &state, &value);
        if outcome.is_ok() {
            add(&self.meter.bytes_written, state.size);
        }
        self.meter.worked();
        ((state, value, outcome), handles)
    }

    /// A large file: sync, name, folder.
    fn publish(&self, state: &Arc<FileState>, partial: &crate::partial::Partial, value: Value) {
        match self.may_be_named(state, partial) {
            Ok(true) => {}
            Ok(false) => return self.plain_ended(state),
            Err(e) => return self.published(state, value, Err(e)),
        }
        let mtime_ns = self.policies.preserve_times.then_some(state.mtime_ns);
        let fsync = self.policies.fsync;
        let published = self.seated(state, partial.folder(), |seat| partial.publish(state.size, mtime_ns, fsync, seat));
        let taken = published.is_err();
        let outcome = self.unless_same(published, state, &value);
        if taken && outcome.is_ok() {
            partial.discard();
        }
        let outcome = match outcome {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let words = format!("{e}; it was kept, and the new content is beside it as {}", partial.name());
                Err(io::Error::new(e.kind(), words))
            }
            outcome => outcome.and_then(|()| if fsync { sync_folder(partial.folder()) } else { Ok(()) }),
        };
        self.published(state, value, outcome);
    }

    fn published(&self, state: &Arc<FileState>, value: Value, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => self.ended(state, FileOutcome::Completed, None, Some(hex(&value))),
            Err(e) => self.not_published(state, &e),
        }
    }
}

/// The folders of a group, each once.
fn distinct(group: &[Small]) -> Vec<Arc<OwnedFd>> {
    let mut folders: Vec<_> = group.iter().map(|small| small.temp.folder()).collect();
    folders.sort_unstable_by_key(|folder| Arc::as_ptr(folder));
    folders.dedup_by(|a, b| Arc::ptr_eq(a, b));
    folders.into_iter().cloned().collect()
}

/// The file systems of a group, each once.
fn devices(group: &[Small]) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for folder in distinct(group) {
        let id = rustix::fs::fstat(&folder).map_or(0, |stat| stat.st_dev);
        if devices.iter().all(|device| device.id != id) {
            devices.push(Device { id, groups: id != 0 && syncs(&folder), folder });
        }
    }
    devices
}

/// Adds those that are not there.
fn add_devices(all: &mut Vec<Device>, more: Vec<Device>) {
    for device in more {
        if all.iter().all(|other| other.id != device.id) {
            all.push(device);
        }
    }
}

/// Is this one of the file systems whose `syncfs` ends when the disk has everything?
fn syncs(folder: &OwnedFd) -> bool {
    const KNOWN: [u32; 7] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683E, // Btrfs
        0xF2F5_2010, // F2FS
        0xCA45_1A4E, // bcachefs
        0x794C_7630, // overlayfs, which asks the one below
        0x0102_1994, // tmpfs, which has no disk
    ];
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // the type differs between targets
    rustix::fs::fstatfs(folder).is_ok_and(|found| KNOWN.contains(&(found.f_type as u32)))
}

fn sync_folder(folder: &Arc<OwnedFd>) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        // Some file systems cannot sync a folder; they have no journal of names to wait for either.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Does something to all items by at most `threads` threads; results in the same order.
fn spread<T: Send, R: Send>(items: Vec<T>, threads: usize, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = NonZero::new(threads.min(items.len())).map_or(1, NonZero::get);
    if threads == 1 {
        return items.into_iter().map(each).collect();
    }
    let share = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    let each = &each;
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        loop {
            let part: Vec<T> = items.by_ref().take(share).collect();
            if part.is_empty() {
                break;
            }
            running.push(scope.spawn(move || part.into_iter().map(each).collect::<Vec<R>>()));
        }
        let mut results = Vec::new();
        for thread in running {
            results.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_spread_keeps_its_order() {
        for (items, threads) in [(0, 4), (1, 4), (10, 3), (1_000, 8), (7, 100)] {
            let numbers: Vec<u32> = (0..items).collect();
            assert_eq!(spread(numbers.clone(), threads, |n| n), numbers);
        }
    }
}
