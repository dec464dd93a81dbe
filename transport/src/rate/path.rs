//! What the acknowledgements say about the path: its delay without a queue, the delay now, and what it delivers.

use std::collections::VecDeque;

use super::window::WindowedMin;

/// Delay and delivery of one path, seconds and bytes.
#[derive(Clone, Debug, Default)]
pub struct PathView {
    base: WindowedMin,
    current: WindowedMin,
    fresh: WindowedMin,
    span: Option<Span>,
    noise: f64,
    ack_wait: f64,
    /// Mean time packets are in flight, waiting for the acknowledgement included.
    flight: f64,
    delivered: VecDeque<(f64, u64)>,
    hold_base: bool,
    acked_total: u64,
    batch: Vec<(f64, u64)>,
}

/// The delay in short spans, to see how much it jumps about: smallest samples.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: f64,
    least: f64,
    before: f64,
    earlier: f64,
}

impl PathView {
    /// One packet was acknowledged: `sample` seconds after it left.
    pub fn on_acked(&mut self, sample: f64, bytes: u64) {
        self.batch.push((sample, bytes));
    }

    /// All packets of one acknowledgement were taken in; returns the bytes of the batch.
    pub fn end_batch(&mut self, now: f64) -> u64 {
        let Some(sample) = self.batch.iter().map(|(s, _)| *s).reduce(f64::min) else { return 0 };
        let bytes: u64 = self.batch.iter().map(|(_, b)| b).sum();
        // Packets whose acknowledgement was lost say nothing about the delay.
        let weighted: f64 = self.batch.iter().map(|(s, b)| s.min(sample + LAG_MOST) * *b as f64).sum();
        self.batch.clear();
        self.acked_total += bytes;
        self.base.push(now, sample, if self.hold_base { BASE_HELD } else { BASE_SPAN });
        self.current.push(now, sample, self.filter());
        self.fresh.push(now, sample, FRESH);
        self.follow_noise(now, sample);
        // quinn sends at least ten packets at once. Where the next ten come later than the peer waits with its
        // acknowledgement, every sample has that wait in it.
        let per_wait = self.delivery_rate(now) * ACK_WAIT / BURST_BYTES;
        self.ack_wait = ACK_WAIT * (2.5 - 1.5 * per_wait).clamp(0.0, 1.0);
        let mean = weighted / bytes.max(1) as f64;
        if self.flight == 0.0 {
            self.flight = mean;
        } else {
            // A round trip's worth of memory, weighed by bytes so that stray packets hardly count.
            let rounds = bytes as f64 / (self.delivery_rate(now).max(1.0) * self.flight.max(1e-4));
            self.flight += (mean - self.flight) * rounds.clamp(0.001, 0.5);
        }
        if self.delivered.back().is_none_or(|(t, _)| now - t >= METER_STEP) {
            self.delivered.push_back((now, self.acked_total));
            let keep = (2.0 * self.meter_span()).max(0.5);
            while self.delivered.len() > 2 && self.delivered.get(1).is_some_and(|(t, _)| t + keep < now) {
                self.delivered.pop_front();
            }
        }
        bytes
    }

    /// Delay of the empty path: the smallest of the last seconds.
    pub fn base(&self) -> f64 {
        self.base.get().unwrap_or(0.1)
    }

    /// While others keep the queue full the path is never seen empty: what is known of it must last.
    pub fn hold_base(&mut self, hold: bool) {
        self.hold_base = hold;
    }

    /// Delay now. The smallest sample of a short span: waiting for an acknowledgement can only add to it.
    pub fn current(&self) -> f64 {
        self.current.get().unwrap_or_else(|| self.base())
    }

    /// Time packets wait in queues now, as far as it exceeds the path's own unrest.
    pub fn queue(&self) -> f64 {
        (self.current() - self.base() - NOISE_WEIGHT * self.noise).max(0.0)
    }

    /// Delay now above the empty path's, unrest and all.
    pub fn raw_queue(&self) -> f64 {
        (self.current() - self.base()).max(0.0)
    }

    /// How much of it may be the peer waiting before it acknowledges: at low rates every sample has that in it.
    pub fn ack_wait(&self) -> f64 {
        self.ack_wait
    }

    /// Unrest of the delay that no queue explains, seconds.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The same from the last instants only: early, but easily mistaken.
    pub fn fresh_queue(&self) -> f64 {
        (self.fresh.get().unwrap_or(0.0) - self.base() - NOISE_WEIGHT * self.noise - self.ack_wait).max(0.0)
    }

    /// Mean time from sending a packet to its acknowledgement, delayed acknowledgements included.
    pub fn flight(&self) -> f64 {
        if self.flight > 0.0 { self.flight.max(self.base()) } else { 0.1 }
    }

    /// True once there was a sample.
    pub fn known(&self) -> bool {
        self.base.get().is_some()
    }

    /// Time from a decision to the moment when its effect has been seen.
    pub fn feedback(&self) -> f64 {
        self.current() + self.filter()
    }

    /// Bytes acknowledged so far.
    pub fn acked_total(&self) -> u64 {
        self.acked_total
    }

    /// Bytes per second acknowledged lately.
    pub fn delivery_rate(&self, now: f64) -> f64 {
        let since = now - self.meter_span();
        let Some(last) = self.delivered.back() else { return 0.0 };
        let first = self.delivered.iter().rev().find(|(t, _)| *t <= since).or(self.delivered.front());
        match first {
            Some(first) if last.0 > first.0 => (last.1 - first.1) as f64 / (last.0 - first.0),
            _ => 0.0,
        }
    }

    /// After a long silence the meter must not average over it.
    pub fn restart_meter(&mut self) {
        self.delivered.clear();
        self.current.clear();
    }

    /// A queue grows and shrinks smoothly, radio links and busy hosts jump: what a span has that lies between its
    /// neighbours is no jump, however fast the delay grows. Else a queue that swings would pass for unrest, which makes the
    /// filter slower, which makes the queue swing.
    fn follow_noise(&mut self, now: f64, sample: f64) {
        let filter = self.filter();
        match &mut self.span {
            Some(span) => {
                if now - span.start < filter {
                    span.least = span.least.min(sample);
                    return;
                }
                let Span { least, before, earlier, .. } = *span;
                let middle = before.clamp(least.min(earlier), least.max(earlier));
                // Twice, as chance puts every third span between its neighbours.
                let jump = (2.0 * (before - middle).abs()).min(NOISE_MOST);
                self.noise += (jump - self.noise) * if jump > self.noise { 0.05 } else { 0.1 };
                self.span = Some(Span { start: now, least: sample, before: least, earlier: before });
            }
            None => self.span = Some(Span { start: now, least: sample, before: sample, earlier: sample }),
        }
    }

    fn filter(&self) -> f64 {
        (self.base() / 8.0).max(FILTER).max((NOISE_FILTER * self.noise).min(FILTER_MOST))
    }

    fn meter_span(&self) -> f64 {
        (self.base() / 2.0).max(0.1)
    }
}

/// A path keeps its delay for a while: long enough to see it empty a few times, short enough to follow a new route.
const BASE_SPAN: f64 = 16.0;
const BASE_HELD: f64 = 60.0;
/// The peer holds acknowledgements back for up to 10 ms; several of them fit in.
const FILTER: f64 = 0.04;
/// Longest wait for an acknowledgement that counts as usual.
const LAG_MOST: f64 = 0.05;
const FRESH: f64 = 0.012;
/// On a restless path the smallest of more samples is needed.
const NOISE_FILTER: f64 = 15.0;
const FILTER_MOST: f64 = 0.2;
const NOISE_WEIGHT: f64 = 1.5;
/// More than this is not unrest any more.
const NOISE_MOST: f64 = 0.03;
/// The longest the peer is asked to wait before it acknowledges.
const ACK_WAIT: f64 = 0.01;
/// The least quinn sends in one burst.
const BURST_BYTES: f64 = 14_520.0;
const METER_STEP: f64 = 0.004;

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of 20 packets every 5 ms; the first packets of each wait up to 5 ms for their acknowledgement.
    fn feed(path: &mut PathView, from: f64, to: f64, delay: impl Fn(f64) -> f64) {
        let mut now = from;
        while now < to {
            for i in 0..20_u32 {
                path.on_acked(delay(now) + 0.00025 * f64::from(i), 1452);
            }
            path.end_batch(now);
            now += 0.005;
        }
    }

    #[test]
    fn delay_queue_and_delivery_are_told_apart() {
        let mut path = PathView::default();
        feed(&mut path, 0.0, 2.0, |_| 0.1);
        assert!((path.base() - 0.1).abs() < 1e-6 && path.queue() < 1e-6);
        assert!((path.flight() - 0.1024).abs() < 0.001);
        assert!((path.delivery_rate(2.0) - 20.0 * 1452.0 / 0.005).abs() < 100_000.0);
        feed(&mut path, 2.0, 3.0, |now| 0.1 + 0.02 * (now - 2.0));
        assert!((0.015..0.021).contains(&path.queue()), "{}", path.queue());
    }

    #[test]
    fn a_longer_route_becomes_the_base_in_time_and_a_shorter_one_at_once() {
        let mut path = PathView::default();
        feed(&mut path, 0.0, 2.0, |_| 0.05);
        feed(&mut path, 2.0, 10.0, |_| 0.09);
        assert!(path.queue() > 0.035);
        feed(&mut path, 10.0, 20.0, |_| 0.09);
        assert!((path.base() - 0.09).abs() < 1e-6);
        feed(&mut path, 20.0, 20.1, |_| 0.03);
        assert!((path.base() - 0.03).abs() < 1e-6);
    }

    #[test]
    fn jumps_are_unrest_and_not_a_queue() {
        let mut path = PathView::default();
        feed(&mut path, 0.0, 6.0, |now| {
            let step = (now / 0.03) as u64;
            0.1 + 0.001 * (((step * 2_654_435_761) >> 7) % 21) as f64
        });
        assert!(path.noise() > 0.002, "{}", path.noise());
        assert!(path.queue() < path.raw_queue());
    }

    #[test]
    fn a_queue_that_swings_is_no_unrest() {
        let mut path = PathView::default();
        // As two sessions once swung: 20 ms up and down, twice a second.
        feed(&mut path, 0.0, 6.0, |now| 0.06 + 0.02 * (now * std::f64::consts::TAU * 2.0).sin());
        assert!(path.noise() < 0.004, "{}", path.noise());
    }
}
