//! The receiver: plans what arrives of the manifest, asks for what it lacks, and tells what became of each entry.

use crate::control::{Inbox, Outbox};
use crate::doubts::{Answered, Doubts};
use crate::failure::{close, protocol, tame};
use crate::holders::{Holder, Holders};
use crate::land::{Ended, Event, Landing, Policies};
use crate::lines::{Line, Lines};
use crate::meter::{Meter, add};
use crate::names::{Names, Suffixes};
use crate::plan::Step;
use crate::rate::{Limits, Pace, Steer};
use crate::report::Reports;
use crate::root::Root;
use crate::state::FileState;
use godwit_protocol::path::MAX_PATH;
use godwit_protocol::wire::{
    Control, Entry, EntryKind, FileResult, MAX_ENTRIES, MAX_MANIFEST, MAX_OPEN_ENTRIES, MAX_OPEN_PATHS, MAX_SEGMENT,
    SessionResult,
};
use godwit_protocol::worker::{Failure, FileOutcome, FileReport};
use godwit_protocol::{ErrorCode, RelPath};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Progress is told this often.
const PROGRESS: Duration = Duration::from_millis(250);
/// Results wait at most this long for company in a frame.
const RESULTS: Duration = Duration::from_millis(50);
/// Spans in one frame.
const SPANS: usize = 4_096;

/// What a receiver needs.
pub(crate) struct Receiver {
    pub(crate) lines: Lines,
    pub(crate) outbox: Outbox,
    pub(crate) meter: Arc<Meter>,
    pub(crate) reports: Reports,
    pub(crate) policies: Policies,
    pub(crate) suffixes: Suffixes,
    pub(crate) holders: Arc<Holders>,
    pub(crate) holder: Arc<Holder>,
    /// Names the sender may use; absent: any beneath the root.
    pub(crate) allowed: Option<Vec<RelPath>>,
    /// How fast content is taken in; the sender is held to it by flow control, whether it knows or not.
    pub(crate) intake: Arc<Limits>,
    /// Takes new limits from the other side.
    pub(crate) steer: Steer,
}

struct Session {
    outbox: Outbox,
    meter: Arc<Meter>,
    reports: Reports,
    landing: Arc<Landing>,
    comparing: HashMap<u64, Arc<FileState>>,
    doubts: Doubts,
    /// Entries that are being given up for later ones.
    replacing: HashSet<u64>,
    results: Vec<FileResult>,
    result: SessionResult,
    /// Entries that came, and those that ended.
    came: u64,
    ended: u64,
    /// Bytes of the paths of those that have not ended.
    paths: u64,
    /// Bytes of the virtual space so far.
    bytes: u64,
    scanned: bool,
}

impl Receiver {
    /// Receives until every entry has ended and the sender knows.
    pub(crate) async fn run(self, inbox: &mut Inbox, root: Root) -> Result<SessionResult, Failure> {
        let (events, mut happened) = mpsc::unbounded_channel();
        let (complete, completed) = mpsc::unbounded_channel();
        let landing = Arc::new(Landing {
            root,
            policies: self.policies,
            names: Names::new(self.suffixes),
            holders: self.holders,
            holder: self.holder,
            meter: self.meter.clone(),
            events,
            complete,
            table: Mutex::default(),
            folder_times: Mutex::default(),
            damaged: AtomicU32::new(0),
        });
        let mut tasks = JoinSet::new();
        let throttle = Pace::new(self.intake);
        tasks.spawn(crate::intake::run(self.lines.clone(), landing.clone(), throttle));
        tasks.spawn(crate::group::run(landing.clone(), completed));
        let (manifest, entries) = mpsc::unbounded_channel();
        tasks.spawn(crate::plan::run(landing.clone(), self.allowed, entries));
        let mut session = Session {
            outbox: self.outbox,
            meter: self.meter,
            reports: self.reports,
            landing: landing.clone(),
            comparing: HashMap::new(),
            doubts: Doubts::default(),
            replacing: HashSet::new(),
            results: Vec::new(),
            result: SessionResult::default(),
            came: 0,
            ended: 0,
            paths: 0,
            bytes: 0,
            scanned: false,
        };
        let mut fetching = JoinSet::new();
        let mut progress = tokio::time::interval(PROGRESS);
        let mut results = tokio::time::interval(RESULTS);
        let mut told = u64::MAX;
        while !session.complete() {
            tokio::select! {
                frame = inbox.next() => match frame? {
                    Control::Entries { entries } => {
                        let numbered = session.number(entries)?;
                        let _ = manifest.send(Step::Entries(numbered));
                    }
                    Control::Again { replaces, entry } => {
                        let _ = manifest.send(session.again(replaces, entry)?);
                    }
                    // An answer may cross with the end of its entry.
                    Control::Checked { entry, .. } if session.is_over(entry) => {}
                    Control::Checked { entry, same } => match session.doubts.answer(entry, &same)? {
                        Answered::Ask(question) => session.outbox.send(question).await,
                        Answered::Known(state, same) => {
                            let landing = landing.clone();
                            fetching.spawn_blocking(move || landing.checked(&state, &same));
                        }
                    },
                    Control::Compared { entries } => for (number, same) in entries {
                        let Some(state) = session.comparing.remove(&number) else {
                            if session.is_over(number) {
                                continue;
                            }
                            return Err(protocol("an answer to a comparison nobody asked for"));
                        };
                        let landing = landing.clone();
                        fetching.spawn_blocking(move || landing.compared(&state, same));
                    },
                    Control::SetRate(settings) => (self.steer)(settings),
                    Control::Lost { connection, spans } => {
                        let again = landing.clone().ask_again(self.lines.get(connection), connection, spans)?;
                        fetching.spawn(again);
                    }
                    frame => session.frame(frame).await?,
                },
                Some(event) = happened.recv() => {
                    session.event(event).await?;
                    // What else has happened goes into the same frames.
                    for _ in 0..MAX_ENTRIES {
                        let Ok(event) = happened.try_recv() else { break };
                        session.event(event).await?;
                    }
                },
                Some(task) = tasks.join_next() => match task {
                    Ok(Err(failure)) => return Err(failure),
                    Ok(Ok(())) => {}
                    Err(_) => return Err(Failure::new(ErrorCode::Internal, "a receiving task broke")),
                },
                Some(_) = fetching.join_next() => {}
                _ = results.tick() => session.flush().await,
                _ = progress.tick() => {
                    let life = session.meter.life();
                    if std::mem::replace(&mut told, life) != life {
                        session.progress().await;
                    }
                }
            }
        }
        let last = tokio::task::spawn_blocking(move || {
            let rest = landing.folder_times().map(|mut times| times.rest());
            landing.set_times(rest.unwrap_or_default());
        });
        last.await.map_err(|_| Failure::new(ErrorCode::Internal, "setting times broke"))?;
        session.flush().await;
        session.progress().await;
        session.result.bytes = session.meter.stats().bytes_transferred;
        session.outbox.send(Control::WantEnd).await;
        session.outbox.send(Control::Result(session.result)).await;
        loop {
            match inbox.next().await {
                Ok(Control::Bye) => break,
                Ok(_) => {}
                // The sender closed after our result: everything is on disk, whether or not it read so.
                Err(failure) => {
                    tracing::debug!(%failure, "no farewell");
                    break;
                }
            }
        }
        Ok(session.result)
    }
}

impl Session {
    fn complete(&self) -> bool {
        self.scanned && self.ended == self.came
    }

    /// True for an entry that came and has ended, or is being given up.
    fn is_over(&self, number: u64) -> bool {
        let open = || self.landing.table().open.contains_key(&number);
        number < self.came && (self.replacing.contains(&number) || !open())
    }

    /// An entry comes again because its source changed.
    fn again(&mut self, replaces: u64, entry: Entry) -> Result<Step, Failure> {
        if replaces >= self.came || !self.replacing.insert(replaces) {
            return Err(protocol("an entry is replaced that cannot be"));
        }
        self.comparing.remove(&replaces);
        self.doubts.forget(replaces);
        let (number, offset, entry) =
            self.place(vec![entry])?.pop().ok_or_else(|| protocol("an entry is replaced by none"))?;
        Ok(Step::Again { replaces, number, offset, entry })
    }

    fn number(&mut self, entries: Vec<Entry>) -> Result<Vec<(u64, u64, Entry)>, Failure> {
        if self.scanned {
            return Err(protocol("entries after the end of the manifest"));
        }
        self.place(entries)
    }

    fn place(&mut self, entries: Vec<Entry>) -> Result<Vec<(u64, u64, Entry)>, Failure> {
        let more = entries.len() as u64;
        if entries.len() > MAX_ENTRIES || self.came + more > MAX_MANIFEST {
            return Err(protocol("too many entries"));
        }
        self.paths += entries.iter().map(|entry| entry.path.as_str().len() as u64).sum::<u64>();
        if self.came - self.ended + more > MAX_OPEN_ENTRIES || self.paths > MAX_OPEN_PATHS {
            return Err(protocol("too many open entries"));
        }
        let mut numbered = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.kind == EntryKind::Folder && entry.size != 0 {
                return Err(protocol("a folder with content"));
            }
            let offset = self.bytes;
            self.bytes = offset.checked_add(entry.size).ok_or_else(|| protocol("impossible sizes"))?;
            numbered.push((self.came, offset, entry));
            self.came += 1;
        }
        Ok(numbered)
    }

    async fn frame(&mut self, frame: Control) -> Result<(), Failure> {
        match frame {
            Control::EntriesEnd { count, bytes, failed } => {
                if count != self.came || bytes != self.bytes || self.scanned {
                    return Err(protocol("the manifest does not add up"));
                }
                self.never(failed).await?;
                self.scanned = true;
                self.meter.scan_complete.store(true, Ordering::Relaxed);
            }
            Control::Failed { files } => self.never(files).await?,
            Control::Unreadable { entry, failure } => {
                self.comparing.remove(&entry);
                self.doubts.forget(entry);
                let state = self.landing.table().open.get(&entry).cloned();
                match state {
                    Some(state) => self.landing.fail(&state, tame(failure)),
                    None if entry < self.came => {}
                    None => return Err(protocol("an unreadable entry that does not exist")),
                }
            }
            Control::Alive | Control::Unknown | Control::Bye => {}
            _ => return Err(protocol("a sender does not send such a frame")),
        }
        Ok(())
    }

    /// Sources that never became entries.
    async fn never(&mut self, files: Vec<FileResult>) -> Result<(), Failure> {
        if files.len() > MAX_ENTRIES {
            return Err(protocol("too many failures in a frame"));
        }
        for file in files {
            add(&self.meter.files_expected, 1);
            add(&self.meter.files_failed, 1);
            self.result.failed += 1;
            let mut path = file.path.unwrap_or_default();
            path.retain(|c| !c.is_control());
            path.truncate(path.floor_char_boundary(MAX_PATH));
            let error = file.failure.map(tame).or_else(|| Some(Failure::new(ErrorCode::DiskRead, "")));
            let report = FileReport { path, size: 0, outcome: FileOutcome::Failed, error, blake3: None };
            self.reports.file(report).await;
        }
        Ok(())
    }

    async fn event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Ask(mut spans) => {
                spans.sort_unstable();
                for spans in spans.chunks(SPANS) {
                    self.outbox.send(Control::Want { spans: spans.to_vec() }).await;
                }
            }
            Event::Compare(state, hash) if !self.is_over(state.number) => {
                let number = state.number;
                self.comparing.insert(number, state);
                self.outbox.send(Control::Compare { entries: vec![(number, hash)] }).await;
            }
            Event::Check(state, units) if !self.is_over(state.number) => {
                let question = self.doubts.begin(state, units);
                self.outbox.send(question).await;
            }
            Event::Compare(..) | Event::Check(..) => {}
            Event::Replaced(old) => {
                self.ended += 1;
                self.paths -= old.path.as_str().len() as u64;
                self.replacing.remove(&old.number);
            }
            Event::Ended(ended) => self.ended(ended).await,
            Event::Fatal(failure) => return Err(failure),
        }
        Ok(())
    }

    async fn ended(&mut self, ended: Ended) {
        self.ended += 1;
        self.paths -= ended.path.len() as u64;
        self.comparing.remove(&ended.number);
        self.doubts.forget(ended.number);
        self.replacing.remove(&ended.number);
        crate::report::count(&self.meter, ended.kind, ended.outcome);
        match (ended.outcome, ended.kind) {
            (FileOutcome::Failed, _) => self.result.failed += 1,
            (_, EntryKind::Folder) => {}
            (FileOutcome::Completed, _) => self.result.completed += 1,
            (FileOutcome::Skipped, _) => self.result.skipped += 1,
        }
        let failed = ended.outcome == FileOutcome::Failed;
        let failure = ended.failure.map(tame);
        if ended.kind == EntryKind::File || failed {
            self.meter.at(&ended.path);
            let report = FileReport {
                path: ended.path.clone(),
                size: ended.size,
                outcome: ended.outcome,
                error: failure.clone(),
                blake3: ended.blake3.clone(),
            };
            self.reports.file(report).await;
        }
        self.results.push(FileResult {
            entry: Some(ended.number),
            path: failed.then_some(ended.path),
            outcome: ended.outcome,
            failure,
            blake3: ended.blake3,
            resumed: ended.resumed,
        });
        if self.results.len() >= MAX_ENTRIES / 4 {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        if !self.results.is_empty() {
            let files = std::mem::take(&mut self.results);
            self.outbox.send(Control::Files { files }).await;
        }
    }

    async fn progress(&self) {
        let written = self.meter.bytes_written.load(Ordering::Relaxed);
        let received = self.meter.bytes_received.load(Ordering::Relaxed);
        self.outbox.send(Control::Progress { written, received }).await;
    }
}

impl Landing {
    /// A further connection has ended, and these spans may have gone down with it.
    fn ask_again(
        self: Arc<Self>,
        line: Option<Arc<Line>>,
        number: u32,
        spans: Vec<(u64, u64)>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, Failure> {
        let fits = |(start, end): &(u64, u64)| start < end && end - start <= MAX_SEGMENT;
        if number == 0 || spans.len() > MAX_ENTRIES || !spans.iter().all(fits) {
            return Err(protocol("an impossible loss"));
        }
        Ok(async move {
            // Without one it never came to be on this side, and nothing can have come over it.
            if let Some(line) = line {
                close(&line.connection, None);
                line.drained().await;
            }
            let missing = self.table().missing(&spans);
            tracing::debug!(number, spans = missing.len(), "asked again");
            if !missing.is_empty() {
                let _ = self.events.send(Event::Ask(missing));
            }
        })
    }

    /// The sender's answer about a file that is there.
    fn compared(&self, state: &Arc<FileState>, same: bool) {
        if !same {
            self.fetch(state);
            return;
        }
        if self.policies.preserve_times
            && let Ok(file) = self.root.open_file(&state.path)
        {
            // Its content is right; a time that cannot be set does not change that.
            let _ = crate::disk::set_mtime(&file, state.mtime_ns);
        }
        self.skip(state);
    }
}
