//! What is remembered of the queue: how long it was, how long it can be, and how long a session wants it to be.

use super::settings::Policy;
use super::window::{WindowedMax, WindowedMin};

/// Memory of the time packets wait in the queue, seconds.
#[derive(Clone, Debug, Default)]
pub struct QueueView {
    low: WindowedMin,
    peak: WindowedMax,
    recent: WindowedMax,
    roomy: WindowedMax,
    depth: WindowedMax,
    round: Mean,
    span: Mean,
    span_most: f64,
}

impl QueueView {
    /// The queue is `queue` long now, of which `sure` is beyond doubt; `recent` = span that counts as a moment ago.
    pub fn observe(&mut self, now: f64, queue: f64, sure: f64, recent: f64) {
        self.round.add(queue);
        self.span.add(sure);
        self.span_most = self.span_most.max(sure);
        self.peak.push(now, queue, PEAK_SPAN);
        self.roomy.push(now, queue, DEPTH_SPAN);
        self.recent.push(now, queue, recent);
    }

    /// The same while nothing of ours disturbs the queue.
    pub fn observe_calm(&mut self, now: f64, queue: f64, patience: f64) {
        self.low.push(now, queue, patience);
    }

    /// True if the queue was longer than `limit` for as long as it was watched.
    pub fn stays_above(&self, limit: f64) -> bool {
        self.low.get().is_some_and(|q| q > limit)
    }

    /// Starts watching anew: from now the full patience has to pass.
    pub fn watch_anew(&mut self, now: f64) {
        self.low.clear();
        self.low.push(now, 0.0, 0.0);
    }

    /// A round is over: the mean queue in it.
    pub fn take_round(&mut self, now: f64) -> f64 {
        self.depth.expire(now, DEPTH_SPAN);
        std::mem::take(&mut self.round).get()
    }

    /// True if packets waited most of the time since the losses were last counted.
    pub fn queued_in_span(&self) -> bool {
        self.span.get() > QUEUED
    }

    /// Starts a new span of counting; returns the longest queue in the old one.
    pub fn take_span(&mut self) -> f64 {
        self.span = Mean::default();
        std::mem::take(&mut self.span_most)
    }

    /// True if `queue` is about as long as it ever was lately: only such a queue overflows.
    pub fn is_full(&self, queue: f64) -> bool {
        queue > FULL_SHARE * self.peak.or_zero()
    }

    /// True if a much longer queue was seen: then one of `queue` does not overflow.
    pub fn has_room_beyond(&self, queue: f64) -> bool {
        let roomy = self.roomy.or_zero();
        roomy > ROOMY_LEAST && queue < 0.3 * roomy
    }

    /// The queue overflowed at this length.
    pub fn overflowed(&mut self, now: f64, queue: f64) {
        self.depth.push(now, queue, DEPTH_SPAN);
    }

    /// True if the queue is known to be short.
    pub fn is_shallow(&self) -> bool {
        self.depth.get().is_some_and(|d| d < SHALLOW)
    }

    /// The longest queue a moment ago.
    pub fn recent(&self) -> f64 {
        self.recent.or_zero()
    }

    /// The path may be another one now.
    pub fn reset(&mut self, now: f64) {
        self.watch_anew(now);
        self.peak.clear();
        self.recent.clear();
    }

    /// Queue that a session wants at a rate (bytes per second), seconds.
    ///
    /// Less at higher rates: sessions side by side see the same queue, so they settle where they want the same one, at
    /// equal rates. A session of double weight behaves like two.
    pub fn wanted(&self, policy: Policy, rate: f64, packet: f64) -> f64 {
        let weight = if policy == Policy::High { 2.0 } else { 1.0 };
        let rate = (rate / weight).max(1.0);
        let wanted = (WANTED * (WANTED_RATE / rate).sqrt()).max(WANTED_LEAST);
        // Slow sessions must not ask for much more, only for enough more to become equal.
        let wanted = if wanted > WANTED_KNEE { WANTED_KNEE * (wanted / WANTED_KNEE).powf(0.2) } else { wanted };
        // A queue known to overflow early leaves less room for everybody.
        let room = self.depth.get().map_or(1.0, |depth| (DEPTH_SHARE * depth / WANTED).min(1.0));
        let wanted = (room * wanted).max(0.0015);
        let wanted = if policy == Policy::Low { (0.4 * wanted).max(0.5 * room * WANTED_LEAST) } else { wanted };
        wanted + 0.5 * packet / rate
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn get(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }
}

/// The rate at which `WANTED` is wanted, bytes per second.
pub const WANTED_RATE: f64 = 100e6 / 8.0;

/// Long enough for the delay of a path to be told from the jitter of hosts, short beside what people notice.
const WANTED: f64 = 0.013;
const WANTED_LEAST: f64 = 0.006;
const WANTED_KNEE: f64 = 0.02;
/// Share of a short queue that is used.
const DEPTH_SHARE: f64 = 0.4;
const DEPTH_SPAN: f64 = 60.0;
const PEAK_SPAN: f64 = 15.0;
const FULL_SHARE: f64 = 0.7;
const ROOMY_LEAST: f64 = 0.006;
const SHALLOW: f64 = 0.015;
const QUEUED: f64 = 0.006;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faster_sessions_want_a_shorter_queue_and_heavier_ones_a_longer() {
        let queue = QueueView::default();
        let at = |policy, mbit: f64| queue.wanted(policy, mbit * 1e6 / 8.0, 1452.0);
        let mut before = f64::INFINITY;
        for mbit in [1.0, 5.0, 20.0, 50.0, 100.0, 300.0] {
            let now = at(Policy::Fair, mbit);
            assert!(now < before, "{mbit} Mbit/s");
            assert!(at(Policy::High, mbit) > now && at(Policy::Low, mbit) < now);
            before = now;
        }
        assert_eq!(at(Policy::Fair, 50.0), at(Policy::High, 100.0));
    }

    #[test]
    fn a_short_queue_is_used_in_part() {
        let mut queue = QueueView::default();
        queue.overflowed(1.0, 0.005);
        assert!(queue.is_shallow());
        assert!(queue.wanted(Policy::Fair, WANTED_RATE, 0.0) < 0.0021);
        queue.take_round(100.0);
        assert!(!queue.is_shallow());
    }
}
