//! The connections of one session: who carries data, what each is allowed, and what an ended one leaves behind.
//!
//! The first connection is the session: its end is the session's end. Further ones only carry data streams; when one ends,
//! what it had not delivered is asked for again and goes another way.

use crate::failure::close;
use crate::rate::Limits;
use godwit_protocol::share::{Want, demand, shares};
use godwit_protocol::worker::{Failure, Stats};
use quinn::{Connection, SendStream, VarInt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinSet;

/// Limits are divided anew, and dead connections looked for, this often.
const ROUND: Duration = Duration::from_millis(250);
/// A further connection from which nothing came for so long while the first lives is taken for dead: more than two of
/// QUIC's signs of life.
const SILENT: Duration = Duration::from_secs(12);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Inner>);

struct Inner {
    /// Of all connections together.
    limits: Arc<Limits>,
    lines: Mutex<Vec<Arc<Line>>>,
    /// How many have come.
    came: watch::Sender<usize>,
    ended: Mutex<Option<mpsc::UnboundedSender<Loss>>>,
}

/// One connection.
pub(crate) struct Line {
    /// 0 for the first.
    pub(crate) number: u32,
    pub(crate) connection: Connection,
    limits: Arc<Limits>,
    /// Whoever holds it hands a segment over; see [`Lines::turn`].
    baton: Arc<tokio::sync::Mutex<()>>,
    /// Where the baton of an ended connection stays, so that nobody gets it again.
    retired: Mutex<Option<OwnedMutexGuard<()>>>,
    /// Segments that were begun and not acknowledged: their start, length, and whether they were handed over whole.
    sent: Mutex<BTreeMap<u64, (u64, bool)>>,
    /// The receiving side has taken everything that came.
    drained: watch::Sender<bool>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    sent: u64,
    heard: u64,
    heard_at: Instant,
}

/// What a further connection left behind.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) connection: u32,
    /// Spans of the virtual space that may not have arrived.
    pub(crate) spans: Vec<(u64, u64)>,
    /// Those of them that count as sent.
    pub(crate) counted: Vec<(u64, u64)>,
}

/// The right to hand one segment over to a connection.
pub(crate) struct Turn {
    line: Arc<Line>,
    _baton: OwnedMutexGuard<()>,
}

/// A data stream that is sent whole or given up: quinn would finish one that is dropped, and the receiver would take
/// the cut for a fault.
pub(crate) struct Segment {
    pub(crate) stream: SendStream,
    whole: bool,
    turn: Turn,
    span: (u64, u64),
}

impl Lines {
    /// A session with its first connection, which obeys `own`; `limits` are those of the session.
    pub(crate) fn new(connection: Connection, own: Arc<Limits>, limits: Arc<Limits>) -> Self {
        limits.adopt(own.clone());
        let first = Arc::new(Line::new(0, connection, own));
        Self(Arc::new(Inner {
            limits,
            lines: Mutex::new(vec![first]),
            came: watch::Sender::new(1),
            ended: Mutex::new(None),
        }))
    }

    /// A further connection, which obeys `own`, with the number that the server gave it; on the server the next one.
    /// `None` if there is such a number already.
    pub(crate) fn join(&self, number: Option<u32>, connection: Connection, own: Arc<Limits>) -> Option<u32> {
        let mut lines = self.lines();
        let number = number.unwrap_or(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        if lines.iter().any(|line| line.number == number) {
            return None;
        }
        self.0.limits.adopt(own.clone());
        let line = Arc::new(Line::new(number, connection, own));
        lines.push(line.clone());
        let count = lines.len();
        drop(lines);
        self.0.came.send_replace(count);
        tracing::debug!(number, "a further connection");
        tokio::spawn(guard(self.clone(), line));
        Some(number)
    }

    /// All connections there ever were, in the order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<Line>> {
        self.lines().clone()
    }

    /// Changes when a connection comes.
    pub(crate) fn came(&self) -> watch::Receiver<usize> {
        self.0.came.subscribe()
    }

    /// A connection by its number.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Line>> {
        self.lines().iter().find(|line| line.number == number).cloned()
    }

    /// Losses of further connections, for the sender.
    pub(crate) fn losses(&self) -> mpsc::UnboundedReceiver<Loss> {
        let (send, losses) = mpsc::unbounded_channel();
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        losses
    }

    /// Connections that live.
    pub(crate) fn count(&self) -> u32 {
        let alive = self.lines().iter().filter(|line| line.lives()).count();
        u32::try_from(alive).unwrap_or(u32::MAX)
    }

    /// Bytes of UDP payload over all connections, both ways.
    pub(crate) fn wire(&self) -> u64 {
        self.lines().iter().map(|line| crate::watch::Watch::wire(&line.connection)).sum()
    }

    /// Packets lost on all connections.
    pub(crate) fn lost_packets(&self) -> u64 {
        self.lines().iter().map(|line| line.connection.stats().path.lost_packets).sum()
    }

    /// Completes figures that were taken from the first connection only.
    pub(crate) fn complete(&self, stats: &mut Stats) {
        stats.bytes_on_wire = self.wire();
        stats.packets_lost = self.lost_packets();
        stats.connections = self.count();
        stats.limit_kbps = self.0.limits.bytes_per_second().map_or(0, |rate| rate / 125);
        let lines = self.lines();
        let delay = lines.iter().filter(|line| line.lives()).map(|line| line.limits.queue_delay()).max();
        stats.queue_us = delay.map_or(0, |delay| u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
    }

    /// Ends the further connections.
    pub(crate) fn close_further(&self, failure: Option<&Failure>) {
        for line in self.lines().iter().skip(1) {
            close(&line.connection, failure);
        }
    }

    /// The right to hand a segment over to whichever connection is free first. Segments of one connection go one after the
    /// other, so that units become whole early: a cut costs little, and the receiver holds few halves.
    pub(crate) async fn turn(&self) -> Turn {
        loop {
            let mut came = self.came();
            let usable = |line: &&Arc<Line>| line.number == 0 || line.lives();
            let lines: Vec<Arc<Line>> = self.lines().iter().filter(usable).cloned().collect();
            let mut waiting = JoinSet::new();
            for line in &lines {
                if let Ok(baton) = line.baton.clone().try_lock_owned() {
                    return Turn { line: line.clone(), _baton: baton };
                }
            }
            for line in lines {
                waiting.spawn(async move { (line.baton.clone().lock_owned().await, line) });
            }
            tokio::select! {
                Some(Ok((baton, line))) = waiting.join_next() => return Turn { line, _baton: baton },
                _ = came.changed() => {}
            }
        }
    }

    /// Divides the session's limits by demand and ends dead connections, for ever.
    pub(crate) async fn look_after<T>(&self) -> T {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.round(Instant::now());
        }
    }

    fn round(&self, now: Instant) {
        let lines = self.all();
        if lines.len() < 2 {
            return;
        }
        let rates: Vec<f64> = lines.iter().map(|line| line.look(now)).collect();
        let first = lines.first().map_or(now, |line| line.seen().heard_at);
        for line in lines.iter().skip(1).filter(|line| line.lives()) {
            let silent = now.saturating_duration_since(line.seen().heard_at);
            if silent > SILENT && now.saturating_duration_since(first) < SILENT / 2 {
                tracing::info!(number = line.number, ?silent, "a further connection is dead");
                close(&line.connection, None);
            }
        }
        let limit = self.0.limits.bytes_per_second();
        let alive: Vec<bool> = lines.iter().map(|line| line.number == 0 || line.lives()).collect();
        let wants: Vec<Want> = lines
            .iter()
            .zip(&rates)
            .zip(&alive)
            .map(|((line, rate), alive)| {
                let allowed = line.limits.bytes_per_second().unwrap_or(u64::MAX);
                let demand = if *alive { demand(*rate as u64, allowed) } else { Some(0) };
                Want { weight: 1.0, demand, minimum: 0 }
            })
            .collect();
        let living = alive.iter().filter(|alive| **alive).count().max(1) as f64;
        let capacity = limit.unwrap_or(u64::MAX);
        let parts = shares(capacity, &wants);
        let idle = (capacity - parts.iter().sum::<u64>()) as f64 / living;
        for ((line, part), alive) in lines.iter().zip(parts).zip(alive) {
            let fraction = if limit.is_none() { 1.0 } else { (part as f64 + idle) / capacity.max(1) as f64 };
            self.0.limits.divide(&line.limits, if alive { fraction } else { 0.0 }, 1.0 / living);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a further connection and tells what it leaves behind.
async fn guard(lines: Lines, line: Arc<Line>) {
    let error = line.connection.closed().await;
    tracing::debug!(number = line.number, %error, "a further connection ended");
    // Whoever was handing something over has noticed now, and nobody will begin to.
    let baton = line.baton.clone().lock_owned().await;
    *line.retired.lock().unwrap_or_else(PoisonError::into_inner) = Some(baton);
    let sent = std::mem::take(&mut *line.sent());
    let span = |(start, (length, _)): (&u64, &(u64, bool))| (*start, start + length);
    let loss = Loss {
        connection: line.number,
        spans: sent.iter().map(span).collect(),
        counted: sent.iter().filter(|(_, (_, whole))| *whole).map(span).collect(),
    };
    let ended = lines.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ended) = &*ended {
        let _ = ended.send(loss);
    }
}

impl Line {
    fn new(number: u32, connection: Connection, limits: Arc<Limits>) -> Self {
        let now = Instant::now();
        Self {
            number,
            connection,
            limits,
            baton: Arc::default(),
            retired: Mutex::default(),
            sent: Mutex::default(),
            drained: watch::Sender::new(false),
            seen: Mutex::new(Seen { at: now, sent: 0, heard: 0, heard_at: now }),
        }
    }

    /// It is not closed.
    pub(crate) fn lives(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    /// Everything that came over it has been taken.
    pub(crate) fn is_drained(&self) {
        self.drained.send_replace(true);
    }

    /// Waits for that.
    pub(crate) async fn drained(&self) {
        let _ = self.drained.subscribe().wait_for(|drained| *drained).await;
    }

    /// Bytes sent per second since the last look.
    fn look(&self, now: Instant) -> f64 {
        let stats = self.connection.stats();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_duration_since(seen.at).as_secs_f64().max(0.001);
        let rate = stats.udp_tx.bytes.saturating_sub(seen.sent) as f64 / seconds;
        let heard = stats.udp_rx.datagrams;
        let heard_at = if heard == seen.heard { seen.heard_at } else { now };
        *seen = Seen { at: now, sent: stats.udp_tx.bytes, heard, heard_at };
        rate
    }

    fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, BTreeMap<u64, (u64, bool)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// True on the session's own connection: then a failure ends the session.
    pub(crate) fn is_first(&self) -> bool {
        self.line.number == 0
    }

    /// Opens a stream for `length` bytes of the virtual space from `offset`.
    pub(crate) async fn open(self, offset: u64, length: u64) -> Result<Segment, quinn::ConnectionError> {
        // Noted before anything is sent: whatever happens from here on, somebody asks for it again.
        if !self.is_first() {
            self.line.sent().insert(offset, (length, false));
        }
        let stream = self.line.connection.open_uni().await?;
        Ok(Segment { stream, whole: false, turn: self, span: (offset, length) })
    }
}

impl Segment {
    /// Everything was handed over.
    pub(crate) fn finish(mut self) {
        let _ = self.stream.finish();
        self.whole = true;
        let line = self.turn.line.clone();
        if line.number == 0 {
            return;
        }
        let (offset, length) = self.span;
        line.sent().insert(offset, (length, true));
        let acknowledged = self.stream.stopped();
        tokio::spawn(async move {
            if let Ok(None) = acknowledged.await {
                line.sent().remove(&offset);
            }
        });
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !self.whole {
            let _ = self.stream.reset(VarInt::from_u32(0));
        }
    }
}
