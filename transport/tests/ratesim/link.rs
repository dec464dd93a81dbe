//! The bottleneck: a rate, a tail-drop queue counted in bytes, a delay, losses after the queue (they use up the line
//! like on a radio path), reordering and black-outs.

use super::rng::Rng;
use super::{MS, SEC};

/// What the line is like; may be changed while packets are on it.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Bits per second.
    pub rate: f64,
    /// One-way delay of each direction, ns.
    pub delay: u64,
    /// Depth of the queue as time at `rate`, ns.
    pub queue: u64,
    /// Random loss of each direction, 0..1.
    pub loss: f64,
    /// Mean length of a loss burst in packets at the full rate; 1 = independent losses.
    pub burst: f64,
    /// Share of the packets that arrive late, and how late at most (ns).
    pub reorder: f64,
    pub reorder_by: u64,
    /// Random extra delay of every packet that keeps the order (ns at most).
    pub jitter: u64,
    /// Everything is lost.
    pub black: bool,
}

impl LinkSpec {
    /// Rate in Mbit/s, one-way delay in ms, loss in per cent each way, queue in ms.
    pub fn new(rate_mbit: f64, delay_ms: f64, loss_percent: f64, queue_ms: f64) -> Self {
        Self {
            rate: rate_mbit * 1e6,
            delay: (delay_ms * MS as f64) as u64,
            queue: (queue_ms * MS as f64) as u64,
            loss: loss_percent / 100.0,
            burst: 1.0,
            reorder: 0.0,
            reorder_by: 0,
            jitter: 0,
            black: false,
        }
    }

    /// Goodput that counts as the limit of this line, bits per second.
    pub fn limit(&self) -> f64 {
        self.rate * (1.0 - self.loss) * 1416.0 / 1500.0
    }
}

/// What became of a packet.
pub enum Fate {
    Arrives(u64),
    TailDrop,
    Lost,
}

pub struct Link {
    pub spec: LinkSpec,
    queue_bytes: f64,
    backlog: f64,
    last: u64,
    last_out: u64,
    in_burst: bool,
    burst_until: u64,
    jitter_now: u64,
    jitter_until: u64,
}

impl Link {
    pub fn new(spec: LinkSpec) -> Self {
        let queue_bytes = spec.rate / 8.0 * spec.queue as f64 / SEC as f64;
        Self {
            spec,
            queue_bytes,
            backlog: 0.0,
            last: 0,
            last_out: 0,
            in_burst: true,
            burst_until: 0,
            jitter_now: 0,
            jitter_until: 0,
        }
    }

    /// Changes the line; the buffer keeps its size in bytes, as a real one does.
    pub fn change(&mut self, now: u64, spec: LinkSpec) {
        self.settle(now);
        self.spec = spec;
    }

    /// Waiting time a packet would see now, ns.
    pub fn delay_now(&mut self, now: u64) -> u64 {
        self.settle(now);
        (self.backlog * 8.0 / self.spec.rate * SEC as f64) as u64
    }

    pub fn offer(&mut self, now: u64, wire_bytes: u64, rng: &mut Rng) -> Fate {
        self.settle(now);
        if self.spec.black {
            return Fate::Lost;
        }
        if self.backlog + wire_bytes as f64 > self.queue_bytes.max(2.0 * wire_bytes as f64) {
            return Fate::TailDrop;
        }
        self.backlog += wire_bytes as f64;
        let wait = (self.backlog * 8.0 / self.spec.rate * SEC as f64) as u64;
        if self.random_loss(now, rng) {
            return Fate::Lost;
        }
        let mut out = now + wait + self.spec.delay;
        if self.spec.jitter > 0 {
            // Changes every 5 to 30 ms, as a radio link or a busy host does.
            if now >= self.jitter_until {
                self.jitter_until = now + rng.between(5e6, 30e6) as u64;
                self.jitter_now = (rng.unit() * self.spec.jitter as f64) as u64;
            }
            out += self.jitter_now;
        }
        out = out.max(self.last_out);
        self.last_out = out;
        if rng.chance(self.spec.reorder) {
            out += (rng.unit() * self.spec.reorder_by as f64) as u64;
        }
        Fate::Arrives(out)
    }

    /// Fate of a small packet on the way back, which has no bottleneck.
    pub fn back(&mut self, now: u64, rng: &mut Rng) -> Option<u64> {
        (!self.spec.black && !rng.chance(self.spec.loss)).then_some(now + self.spec.delay)
    }

    fn random_loss(&mut self, now: u64, rng: &mut Rng) -> bool {
        if self.spec.burst <= 1.0 {
            return rng.chance(self.spec.loss);
        }
        // Bursts last for a time, whether packets come or not.
        let mean = self.spec.burst * 1480.0 * 8.0 / self.spec.rate * SEC as f64;
        while now >= self.burst_until {
            self.in_burst = !self.in_burst;
            let mean = if self.in_burst { mean } else { mean * (1.0 - self.spec.loss) / self.spec.loss.max(1e-6) };
            self.burst_until += (-(1.0 - rng.unit()).ln() * mean) as u64 + 1;
        }
        self.in_burst
    }

    fn settle(&mut self, now: u64) {
        let served = self.spec.rate / 8.0 * (now - self.last) as f64 / SEC as f64;
        self.backlog = (self.backlog - served).max(0.0);
        self.last = now;
    }
}
