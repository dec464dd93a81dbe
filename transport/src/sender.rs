//! The sender: streams the manifest, serves what the receiver wants, and hears what became of it.

use crate::book::{Book, Slot};
use crate::control::{Inbox, Outbox};
use crate::failure::{lost, protocol};
use crate::lines::{Lines, Turn};
use crate::meter::{Meter, add};
use crate::rate::{Limits, Pace, Steer};
use crate::read::{Reader, Run, Trouble};
use crate::report::Reports;
use crate::root::Metadata;
use crate::scan::{Scanned, Scanner, Source};
use bytes::Bytes;
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{
    Control, Entry, EntryKind, FileResult, MAX_CHECKED, MAX_ENTRIES, MAX_MANIFEST, MAX_OPEN_ENTRIES, MAX_OPEN_PATHS,
    SegmentHead, SessionResult,
};
use godwit_protocol::worker::{Failure, FileOutcome, FileReport};
use quinn::Connection;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;

/// Segments that are being read, or wait to be handed over, at once: many where each may have to wait for a disk, few
/// where all of it has to stay in the cache until it is sent.
const READERS: usize = 16;
const NEAR_READERS: usize = 4;
/// A session that is limited to less than so many bytes per second keeps two: one unit is handed over while the next waits.
/// There are hundreds of those at once.
const SLOW: u64 = 2_000_000;
const SLOW_READERS: usize = 2;
/// Paths shorter than this are as fast as the two programs.
const NEAR: Duration = Duration::from_millis(2);
/// Open entries the sender allows itself; well under the limit, so that a slow answer is no fault.
const OPEN_ENTRIES: usize = (MAX_OPEN_ENTRIES / 2) as usize;
const OPEN_PATHS: u64 = MAX_OPEN_PATHS / 2;
/// Rough size at which a frame of entries is closed.
const FRAME_BYTES: usize = 256 * 1024;
/// Whole sources hashed at once for comparisons.
const COMPARISONS: usize = 2;
/// Own work is told to the peer this often.
const ALIVE: Duration = Duration::from_secs(5);

/// What a sender needs.
pub(crate) struct Sender {
    pub(crate) connection: Connection,
    pub(crate) lines: Lines,
    pub(crate) outbox: Outbox,
    pub(crate) meter: Arc<Meter>,
    pub(crate) limits: Arc<Limits>,
    /// Takes new limits from the other side.
    pub(crate) steer: Steer,
    pub(crate) reports: Reports,
}

/// What the tasks of a sender share.
pub(crate) struct Shared {
    connection: Connection,
    lines: Lines,
    pub(crate) outbox: Outbox,
    pub(crate) meter: Arc<Meter>,
    book: Mutex<Book>,
    pub(crate) reader: Arc<Reader>,
    pace: Pace,
    limits: Arc<Limits>,
    /// Spans that went down with a further connection and count as sent.
    lost: Mutex<Vec<(u64, u64)>>,
    /// Entries are numbered in the order of their frames: held from the one to the other.
    pub(crate) announcing: tokio::sync::Mutex<()>,
    /// Sources that could not be read.
    troubles: mpsc::UnboundedSender<(Arc<Slot>, Trouble)>,
    /// More is wanted.
    work: Notify,
    /// Entries have ended.
    pub(crate) room: Notify,
}

/// A sender that announces what it has; what is wanted of it is served once it [runs](Begun::run).
pub(crate) struct Begun {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<(), Failure>>,
    troubled: mpsc::UnboundedReceiver<(Arc<Slot>, Trouble)>,
    steer: Steer,
    reports: Reports,
}

impl Sender {
    /// Announces and serves until the receiver's result.
    pub(crate) async fn run(self, inbox: &mut Inbox, scanner: Scanner) -> Result<SessionResult, Failure> {
        self.begin(scanner).run(inbox).await
    }

    /// Starts to announce.
    pub(crate) fn begin(self, scanner: Scanner) -> Begun {
        let (troubles, troubled) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            connection: self.connection,
            lines: self.lines,
            outbox: self.outbox,
            meter: self.meter,
            book: Mutex::default(),
            reader: Arc::new(Reader::new(scanner.root(), scanner.sealing())),
            pace: Pace::new(self.limits.clone()),
            limits: self.limits,
            lost: Mutex::default(),
            announcing: tokio::sync::Mutex::new(()),
            troubles,
            work: Notify::new(),
            room: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(shared.clone().manifest(scanner, self.reports.clone()));
        Begun { shared, tasks, troubled, steer: self.steer, reports: self.reports }
    }
}

impl Begun {
    /// Serves until the receiver's result.
    pub(crate) async fn run(mut self, inbox: &mut Inbox) -> Result<SessionResult, Failure> {
        let (shared, tasks) = (self.shared, &mut self.tasks);
        let mut readers = 0;
        let far = shared.connection.rtt() >= NEAR;
        let more = |readers: &mut usize, tasks: &mut JoinSet<Result<(), Failure>>| {
            while *readers < wanted_readers(far, shared.limits.bytes_per_second()) {
                tasks.spawn(shared.clone().serve());
                *readers += 1;
            }
        };
        more(&mut readers, tasks);
        let mut losses = shared.lines.losses();
        let windows = crate::windows::follow_sending(shared.lines.clone());
        tasks.spawn(async {
            windows.await;
            Ok(())
        });
        let comparisons = Arc::new(Semaphore::new(COMPARISONS));
        let mut alive = tokio::time::interval(ALIVE);
        let mut worked = 0;
        // Files whose root at the receiver is not ours.
        let mut differing = 0;
        loop {
            tokio::select! {
                frame = inbox.next() => match frame? {
                    Control::Want { spans } => {
                        let mut book = shared.book();
                        for span in spans {
                            book.want(span).map_err(|e| protocol(&e.to_string()))?;
                            shared.uncount(span);
                        }
                        drop(book);
                        shared.work.notify_waiters();
                    }
                    Control::Files { files } => differing += shared.ended(files, &self.reports).await?,
                    Control::Compare { entries } => {
                        if tasks.len() + entries.len() > MAX_OPEN_ENTRIES as usize {
                            return Err(protocol("too many comparisons"));
                        }
                        for (number, theirs) in entries {
                            let (shared, comparisons) = (shared.clone(), comparisons.clone());
                            tasks.spawn(async move {
                                let _turn = comparisons.acquire().await;
                                shared.compare(number, theirs).await
                            });
                        }
                    }
                    Control::Check { entry, units } => {
                        let ascending = units.windows(2).all(|w| w.first() < w.last());
                        if units.is_empty() || units.len() > MAX_CHECKED || !ascending {
                            return Err(protocol("a senseless check"));
                        }
                        if tasks.len() > MAX_OPEN_ENTRIES as usize {
                            return Err(protocol("too many checks"));
                        }
                        let (shared, comparisons) = (shared.clone(), comparisons.clone());
                        tasks.spawn(async move {
                            let _turn = comparisons.acquire().await;
                            shared.check(entry, units).await
                        });
                    }
                    Control::Progress { written, received } => {
                        shared.meter.bytes_received.store(received, Ordering::Relaxed);
                        shared.meter.bytes_written.store(written, Ordering::Relaxed);
                    }
                    Control::SetRate(settings) => {
                        (self.steer)(settings);
                    }
                    Control::Result(mut result) => {
                        shared.outbox.send(Control::Bye).await;
                        result.completed = result.completed.saturating_sub(differing);
                        result.failed += differing;
                        return Ok(result);
                    }
                    Control::WantEnd | Control::Alive | Control::Unknown => {}
                    _ => return Err(protocol("a receiver does not send such a frame")),
                },
                Some(loss) = losses.recv() => {
                    shared.lost.lock().unwrap_or_else(PoisonError::into_inner).extend(&loss.counted);
                    let connection = loss.connection;
                    for spans in loss.spans.chunks(MAX_ENTRIES) {
                        shared.outbox.send(Control::Lost { connection, spans: spans.to_vec() }).await;
                    }
                }
                Some((slot, trouble)) = self.troubled.recv() => {
                    tasks.spawn(shared.clone().troubled(slot, trouble));
                }
                Some(task) = tasks.join_next() => match task {
                    Ok(result) => result?,
                    Err(e) if e.is_panic() => return Err(Failure::new(ErrorCode::Internal, "a sending task broke")),
                    Err(_) => {}
                },
                _ = alive.tick() => {
                    // The limit may have been raised.
                    more(&mut readers, tasks);
                    let now = shared.meter.work();
                    if std::mem::replace(&mut worked, now) != now {
                        shared.outbox.send(Control::Alive).await;
                    }
                }
            }
        }
    }
}

impl Shared {
    /// The open entries.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces everything, never more than the receiver has to bear at once.
    async fn manifest(self: Arc<Self>, mut scanner: Scanner, reports: Reports) -> Result<(), Failure> {
        let mut over = false;
        while !over {
            self.room().await;
            let this = self.clone();
            let batch = tokio::task::spawn_blocking(move || {
                let mut found = Vec::new();
                let mut bytes = 0;
                while found.len() < MAX_ENTRIES && bytes < FRAME_BYTES {
                    let Some(next) = scanner.next() else { return (scanner, found, true) };
                    this.meter.worked();
                    bytes += match &next {
                        Scanned::Entry(entry, ..) => entry.path.as_str().len(),
                        Scanned::Failed(f) => 600 + f.path.as_ref().map_or(0, String::len),
                    };
                    found.push(next);
                }
                (scanner, found, false)
            });
            let (back, found, ended) =
                batch.await.map_err(|_| Failure::new(ErrorCode::Internal, "the scanner broke"))?;
            scanner = back;
            over = ended;
            self.announce(found, &reports).await?;
        }
        self.meter.scan_complete.store(true, Ordering::Relaxed);
        let _order = self.announcing.lock().await;
        let (count, bytes) = {
            let book = self.book();
            (book.count, book.bytes)
        };
        self.outbox.send(Control::EntriesEnd { count, bytes, failed: Vec::new() }).await;
        Ok(())
    }

    async fn room(&self) {
        loop {
            let ended = self.room.notified();
            let (entries, paths) = {
                let book = self.book();
                (book.open(), book.paths())
            };
            if entries + MAX_ENTRIES <= OPEN_ENTRIES && paths + FRAME_BYTES as u64 <= OPEN_PATHS {
                return;
            }
            ended.await;
        }
    }

    async fn announce(&self, found: Vec<Scanned>, reports: &Reports) -> Result<(), Failure> {
        let mut entries: Vec<Entry> = Vec::with_capacity(found.len());
        let mut failed: Vec<FileResult> = Vec::new();
        let order = self.announcing.lock().await;
        {
            let mut book = self.book();
            for found in found {
                match found {
                    Scanned::Failed(result) => failed.push(result),
                    Scanned::Entry(entry, source, seen) => {
                        enter(&mut book, &entry, source, seen, 0)?;
                        if entry.kind == EntryKind::File {
                            add(&self.meter.files_expected, 1);
                            add(&self.meter.bytes_expected, entry.size);
                        }
                        entries.push(entry);
                    }
                }
            }
        }
        if !entries.is_empty() {
            self.outbox.send(Control::Entries { entries }).await;
        }
        drop(order);
        for result in &failed {
            add(&self.meter.files_expected, 1);
            add(&self.meter.files_failed, 1);
            reports
                .file(FileReport {
                    path: result.path.clone().unwrap_or_default(),
                    size: 0,
                    outcome: FileOutcome::Failed,
                    error: result.failure.clone(),
                    blake3: None,
                })
                .await;
        }
        if !failed.is_empty() {
            self.outbox.send(Control::Failed { files: failed }).await;
        }
        Ok(())
    }

    /// Takes segments from the queue and sends them, one after the other.
    async fn serve(self: Arc<Self>) -> Result<(), Failure> {
        loop {
            let more = self.work.notified();
            let parts = self.book().next_segment().map_err(|e| protocol(&e.to_string()))?;
            let Some((slot, _)) = parts.first() else {
                more.await;
                continue;
            };
            self.meter.at(slot.path.as_str());
            let only = (parts.len() == 1).then(|| slot.clone());
            let this = self.clone();
            let (runs, failures) = tokio::task::spawn_blocking(move || this.reader.segment(parts))
                .await
                .map_err(|_| Failure::new(ErrorCode::Internal, "reading broke"))?;
            self.meter.worked();
            for run in runs {
                let bytes = run.content.len() as u64;
                // What was read while others waited for the line may belong to a file that was given up since.
                if only.as_ref().is_some_and(|slot| slot.dead.load(Ordering::Relaxed)) {
                    continue;
                }
                let turn = self.lines.turn().await;
                let is_first = turn.is_first();
                match self.send(turn, run).await {
                    Ok(()) => add(&self.meter.bytes_transferred, bytes),
                    Err(_) if is_first => return Err(lost(&self.connection).await),
                    // Its loss is told, and the receiver asks again.
                    Err(error) => tracing::debug!(%error, "a segment went down with its connection"),
                }
                self.meter.worked();
            }
            for trouble in failures {
                let _ = self.troubles.send(trouble);
            }
        }
    }

    async fn send(&self, turn: Turn, run: Run) -> Result<(), quinn::WriteError> {
        let head = SegmentHead { offset: run.offset, length: run.content.len() as u64 };
        let mut segment = turn.open(head.offset, head.length).await?;
        segment.stream.write_all(&head.encode()).await?;
        for mut part in [run.content, run.trailer] {
            while !part.is_empty() {
                let len = self.pace.slice().min(part.len() as u64);
                self.pace.wait(len).await;
                let slice: Bytes = part.split_to(len as usize);
                segment.stream.write_chunk(slice).await?;
            }
        }
        segment.finish();
        Ok(())
    }

    /// What is sent a second time counts once.
    fn uncount(&self, (start, end): (u64, u64)) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_empty() {
            return;
        }
        for (from, to) in std::mem::take(&mut *lost) {
            let (a, b) = (from.max(start), to.min(end));
            if a >= b {
                lost.push((from, to));
                continue;
            }
            self.meter.bytes_transferred.fetch_sub(b - a, Ordering::Relaxed);
            lost.extend([(from, a), (b, to)].into_iter().filter(|(from, to)| from < to));
        }
    }
}

/// Segments that are read or wait at once, on a path that is `far` or not and with this limit.
fn wanted_readers(far: bool, limit: Option<u64>) -> usize {
    match limit {
        Some(limit) if limit < SLOW => SLOW_READERS,
        _ if far => READERS,
        _ => NEAR_READERS,
    }
}

/// Enters an entry into the book, under the next number.
pub(crate) fn enter(
    book: &mut Book,
    entry: &Entry,
    source: Source,
    seen: Metadata,
    changes: u8,
) -> Result<(), Failure> {
    let announced = book.announce(|number, offset| Slot {
        number,
        offset,
        kind: entry.kind,
        size: entry.size,
        seen,
        changes,
        path: entry.path.clone(),
        source,
        dead: false.into(),
        values: Mutex::default(),
    });
    if announced.is_none() || book.count > MAX_MANIFEST {
        return Err(Failure::new(ErrorCode::TooManyFiles, "more than one session can carry"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_limited_to_little_reads_little_ahead() {
        assert_eq!(wanted_readers(true, Some(125_000)), SLOW_READERS);
        assert_eq!(wanted_readers(false, Some(125_000)), SLOW_READERS);
        assert_eq!((wanted_readers(true, None), wanted_readers(false, None)), (READERS, NEAR_READERS));
        assert_eq!(wanted_readers(true, Some(SLOW)), READERS);
    }
}
