//! How the last transfers went: samples for the monitor's graph and a note on each run of a worker. Pure; what is to be kept
//! over a restart is made here, and written elsewhere.
//!
//! A transfer may take a second or a month. Each has room for the same number of samples: when it is full, every two become
//! one, and from then on one stands for twice the time. **It must not know** workers, queues or windows.

use crate::queue::TransferId;
use crate::transfers::Standing;
use godwit_protocol::monitor::{Sample, SessionNote};
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Failure, RateSettings};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Samples of one transfer; even.
pub const MAX_SAMPLES: usize = 480;
/// Time that one sample stands for at first, as often as workers report.
const FIRST_STEP_MS: u64 = 250;
/// Runs of a worker that are remembered of one transfer.
const MAX_SESSIONS: usize = 20;
/// Transfers of which a history is kept; some 30 KB each at most.
pub const MAX_HISTORIES: usize = 128;

/// Form of [`StoredHistory`] in the store.
pub const HISTORY_FORM: u32 = 1;

/// A history as it is written. Samples are plain numbers, in the order of [`Sample`]'s fields: a third of the size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHistory {
    samples: Vec<[u64; 7]>,
    step_ms: u64,
    sessions: VecDeque<SessionNote>,
    granted: RateSettings,
    locks: RateLocks,
    touched: u64,
}

impl From<&TransferHistory> for StoredHistory {
    fn from(history: &TransferHistory) -> Self {
        let row = |s: &Sample| [s.at_ms, s.rate_kbps, s.limit_kbps, s.lost, s.queue_us, s.rtt_us, s.bytes_written];
        Self {
            samples: history.curve.samples.iter().map(row).collect(),
            step_ms: history.curve.step_ms,
            sessions: history.sessions.clone(),
            granted: history.granted,
            locks: history.locks,
            touched: history.touched,
        }
    }
}

impl From<StoredHistory> for TransferHistory {
    fn from(stored: StoredHistory) -> Self {
        let sample = |[at_ms, rate_kbps, limit_kbps, lost, queue_us, rtt_us, bytes_written]: [u64; 7]| Sample {
            at_ms,
            rate_kbps,
            limit_kbps,
            lost,
            queue_us,
            rtt_us,
            bytes_written,
        };
        // A disk may hold anything: too much is cut, and no time is divided by nothing.
        let samples: Vec<Sample> = stored.samples.into_iter().take(MAX_SAMPLES).map(sample).collect();
        let mut sessions = stored.sessions;
        sessions.truncate(MAX_SESSIONS);
        Self {
            curve: Curve { samples, step_ms: stored.step_ms.max(FIRST_STEP_MS) },
            sessions,
            granted: stored.granted,
            locks: stored.locks,
            touched: stored.touched,
        }
    }
}

/// Samples, thinned so that they always fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    samples: Vec<Sample>,
    step_ms: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { samples: Vec::new(), step_ms: FIRST_STEP_MS }
    }
}

impl Curve {
    /// Takes a sample. Time that stands still or goes back belongs to the last one.
    pub fn push(&mut self, sample: Sample) {
        match self.samples.last_mut() {
            Some(last) if sample.at_ms / self.step_ms <= last.at_ms / self.step_ms => *last = merged(*last, sample),
            _ => self.samples.push(sample),
        }
        while self.samples.len() > MAX_SAMPLES {
            self.thin();
        }
    }

    /// Oldest first.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Time that one stands for.
    #[must_use]
    pub fn step_ms(&self) -> u64 {
        self.step_ms
    }

    fn thin(&mut self) {
        self.step_ms = self.step_ms.saturating_mul(2);
        let mut thinned: Vec<Sample> = Vec::with_capacity(MAX_SAMPLES);
        for sample in self.samples.drain(..) {
            match thinned.last_mut() {
                Some(last) if sample.at_ms / self.step_ms == last.at_ms / self.step_ms => *last = merged(*last, sample),
                _ => thinned.push(sample),
            }
        }
        self.samples = thinned;
    }
}

/// Two samples as one: what counts up is the later's, losses add, the worst queue is not lost in a mean.
fn merged(first: Sample, second: Sample) -> Sample {
    Sample {
        at_ms: second.at_ms.max(first.at_ms),
        rate_kbps: first.rate_kbps.midpoint(second.rate_kbps),
        limit_kbps: second.limit_kbps,
        lost: first.lost.saturating_add(second.lost),
        queue_us: first.queue_us.max(second.queue_us),
        rtt_us: second.rtt_us,
        bytes_written: second.bytes_written,
    }
}

/// The present moment, with the packets that this session has lost.
#[must_use]
pub fn sample(standing: &Standing) -> Sample {
    let stats = &standing.stats;
    Sample {
        at_ms: standing.elapsed_ms,
        rate_kbps: stats.rate_kbps,
        limit_kbps: stats.limit_kbps,
        lost: stats.packets_lost,
        queue_us: stats.queue_us,
        rtt_us: stats.rtt_us,
        bytes_written: stats.bytes_written,
    }
}

/// How one transfer went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferHistory {
    /// Its samples.
    pub curve: Curve,
    /// Its runs, oldest first.
    pub sessions: VecDeque<SessionNote>,
    /// What the server of the last session granted.
    pub granted: RateSettings,
    /// What it locked.
    pub locks: RateLocks,
    /// Order of the last run, to know which is the oldest.
    touched: u64,
}

/// Of all transfers, the last ones.
#[derive(Debug, Default)]
pub struct Histories {
    of: BTreeMap<TransferId, TransferHistory>,
    count: u64,
}

impl Histories {
    /// What is known of a transfer.
    #[must_use]
    pub fn get(&self, id: &TransferId) -> Option<&TransferHistory> {
        self.of.get(id)
    }

    /// Takes up what was written.
    pub fn restore(&mut self, id: TransferId, stored: StoredHistory) {
        self.count = self.count.max(stored.touched);
        self.of.insert(id, stored.into());
    }

    /// A worker starts. If there is no room, the transfer goes that has not run for longest; `runs` says which must stay. Returns
    /// the one that went.
    pub fn began(&mut self, id: &TransferId, wall_ms: u64, runs: impl Fn(&TransferId) -> bool) -> Option<TransferId> {
        let mut gone = None;
        if !self.of.contains_key(id) && self.of.len() >= MAX_HISTORIES {
            let idle = self.of.iter().filter(|(id, _)| !runs(id));
            if let Some(oldest) = idle.min_by_key(|(_, history)| history.touched).map(|(id, _)| id.clone()) {
                self.of.remove(&oldest);
                gone = Some(oldest);
            }
        }
        self.count += 1;
        let history = self.of.entry(id.clone()).or_default();
        history.touched = self.count;
        if history.sessions.len() >= MAX_SESSIONS {
            history.sessions.pop_front();
        }
        history.sessions.push_back(SessionNote { began_ms: wall_ms, ..SessionNote::default() });
        gone
    }

    /// The server accepted it.
    pub fn accepted(
        &mut self,
        id: &TransferId,
        transport: &str,
        version: &str,
        granted: RateSettings,
        locks: RateLocks,
    ) {
        let Some(history) = self.of.get_mut(id) else { return };
        (history.granted, history.locks) = (granted, locks);
        if let Some(session) = history.sessions.back_mut() {
            session.transport = transport.into();
            session.server_version = version.into();
        }
    }

    /// The worker reported.
    pub fn progress(&mut self, id: &TransferId, standing: &Standing) {
        let Some(history) = self.of.get_mut(id) else { return };
        let Some(session) = history.sessions.back_mut() else { return };
        let mut now = sample(standing);
        let lost = now.lost.saturating_sub(session.lost);
        // The last word of a worker names no rate any more, and of a small transfer it is the only one.
        if now.rate_kbps == 0 {
            let took = now.at_ms.saturating_sub(history.curve.samples.last().map_or(0, |last| last.at_ms));
            let moved = standing.stats.bytes_transferred.saturating_sub(session.bytes);
            now.rate_kbps = moved.saturating_mul(8).checked_div(took).unwrap_or_default();
        }
        session.lost = now.lost;
        session.bytes = standing.stats.bytes_transferred;
        session.connections = session.connections.max(standing.stats.connections);
        history.curve.push(Sample { lost, ..now });
    }

    /// The worker ended.
    pub fn ended(&mut self, id: &TransferId, wall_ms: u64, error: Option<Failure>) {
        let Some(session) = self.of.get_mut(id).and_then(|history| history.sessions.back_mut()) else { return };
        session.ended_ms = Some(wall_ms);
        session.error = error;
    }

    /// The transfer left the list.
    pub fn forget(&mut self, id: &TransferId) {
        self.of.remove(id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use godwit_protocol::ErrorCode;
    use godwit_protocol::worker::Stats;

    fn at(ms: u64, rate: u64) -> Sample {
        Sample { at_ms: ms, rate_kbps: rate, lost: 1, bytes_written: ms, ..Sample::default() }
    }

    fn standing(ms: u64, lost: u64) -> Standing {
        let stats = Stats { packets_lost: lost, bytes_transferred: ms, connections: 2, ..Stats::default() };
        Standing { elapsed_ms: ms, stats, ..Standing::default() }
    }

    #[test]
    fn a_month_fits_as_well_as_a_second_and_keeps_its_ends_its_order_and_its_losses() {
        for step in [250, 1_000, 60_000] {
            let mut curve = Curve::default();
            for n in 0..40_000_u64 {
                curve.push(at(n * step, 1_000));
                assert!(curve.samples().len() <= MAX_SAMPLES);
            }
            let samples = curve.samples();
            assert!(samples.len() > MAX_SAMPLES / 4, "{}", samples.len());
            assert!(samples.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
            assert_eq!(samples.last().unwrap().at_ms, 39_999 * step);
            assert!(samples[0].at_ms < 2 * curve.step_ms());
            assert_eq!(samples.iter().map(|s| s.lost).sum::<u64>(), 40_000);
            assert!(samples.iter().all(|s| s.rate_kbps == 1_000));
        }
    }

    #[test]
    fn reports_faster_than_one_step_and_clocks_that_stand_still_make_one_sample() {
        let mut curve = Curve::default();
        for rate in [100, 300] {
            curve.push(at(10, rate));
        }
        curve.push(at(5, 200));
        assert_eq!(curve.samples().len(), 1);
        assert_eq!((curve.samples()[0].at_ms, curve.samples()[0].rate_kbps), (10, 200));
        curve.push(at(u64::MAX, 1));
        assert_eq!(curve.samples().len(), 2);
    }

    #[test]
    fn losses_are_counted_once_although_each_session_counts_from_nothing() {
        let (mut histories, id) = (Histories::default(), TransferId::new("a"));
        histories.began(&id, 1, |_| true);
        histories.progress(&id, &standing(1_000, 5));
        histories.progress(&id, &standing(2_000, 7));
        histories.ended(&id, 2, Some(Failure::new(ErrorCode::ConnectionLost, "")));
        histories.began(&id, 3, |_| true);
        histories.progress(&id, &standing(3_000, 2));
        let history = histories.get(&id).unwrap();
        let lost: Vec<u64> = history.curve.samples().iter().map(|s| s.lost).collect();
        assert_eq!(lost, [5, 2, 2]);
        let notes: Vec<_> =
            history.sessions.iter().map(|s| (s.lost, s.ended_ms, s.error.as_ref().map(|e| e.code))).collect();
        assert_eq!(notes, [(7, Some(2), Some(ErrorCode::ConnectionLost)), (2, None, None)]);
    }

    #[test]
    fn the_longest_unused_history_makes_room_but_never_that_of_a_running_transfer() {
        let mut histories = Histories::default();
        let name = |n: usize| TransferId::new(format!("t{n:04}"));
        for n in 0..MAX_HISTORIES {
            histories.began(&name(n), 1, |_| true);
        }
        histories.began(&name(9_999), 2, |id| *id == name(0));
        assert!(histories.get(&name(0)).is_some() && histories.get(&name(1)).is_none());
        assert!(histories.get(&name(9_999)).is_some());
        histories.forget(&name(0));
        assert!(histories.get(&name(0)).is_none());
        for _ in 0..100 {
            histories.began(&name(2), 3, |_| true);
        }
        assert_eq!(histories.get(&name(2)).unwrap().sessions.len(), MAX_SESSIONS);
    }
}
