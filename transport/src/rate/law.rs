//! The law: from what was sent, acknowledged and lost to the bytes that may be in flight.
//!
//! *Start* grows from round trip to round trip until the delay or the losses show the bottleneck. *Steady* keeps a small
//! queue of its own: the window moves towards `rate × (base delay + wanted queue)`, and the wanted queue shrinks with the
//! rate, so that sessions side by side settle at equal rates. Without a queue it grows, faster each time. *Compete* answers a
//! queue that others keep full. Two things cut across: a [`Ceiling`] where losses tell of a limit and no queue does, and a
//! dip every few seconds, to see the empty path and whose the queue is.
//!
//! It must not know a clock, a socket, a runtime or chance: the same events give the same windows.

use std::time::Duration;

use super::ceiling::Ceiling;
use super::compete::Compete;
use super::dip::Dips;
use super::loss::LossView;
use super::path::PathView;
use super::queue::QueueView;
use super::settings::{Policy, Settings};
use super::trim::Trim;
use super::window::WindowedMax;

mod signals;
mod steps;

/// The rate controller of one path.
///
/// Times are durations since any fixed moment. Sessions dip at multiples of five seconds of it, so those that count from the
/// same moment (the epoch of the system clock, say) share a bottleneck best.
#[derive(Clone, Debug)]
pub struct RateLaw {
    settings: Settings,
    packet: f64,
    window: f64,
    phase: Phase,
    path: PathView,
    loss: LossView,
    queue: QueueView,
    dips: Dips,
    ceiling: Ceiling,
    trim: Trim,
    ramp: usize,
    peak_rate: WindowedMax,
    delivered_peak: WindowedMax,
    last_step: f64,
    last_ack: f64,
    round_end: f64,
    round_acked: u64,
    round_lost: u64,
    in_flight: f64,
    peak_in_flight: f64,
    last_peak: f64,
    next_mark: f64,
    starved_since: Option<f64>,
    crowded_since: Option<f64>,
    /// A queue of our own was seen: what the path carries is known.
    found: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    Start,
    Steady,
    Compete(Compete),
}

impl RateLaw {
    /// A law for a new path whose packets have up to `mtu` bytes.
    pub fn new(settings: Settings, mtu: u16) -> Self {
        let packet = f64::from(mtu);
        Self {
            settings,
            packet,
            window: START_PACKETS * packet,
            phase: Phase::Start,
            path: PathView::default(),
            loss: LossView::default(),
            queue: QueueView::default(),
            dips: Dips::default(),
            ceiling: Ceiling::default(),
            trim: Trim::default(),
            ramp: 0,
            peak_rate: WindowedMax::default(),
            delivered_peak: WindowedMax::default(),
            last_step: 0.0,
            last_ack: 0.0,
            round_end: 0.0,
            round_acked: 0,
            round_lost: 0,
            in_flight: 0.0,
            peak_in_flight: 0.0,
            last_peak: 0.0,
            next_mark: 0.0,
            starved_since: None,
            crowded_since: None,
            found: false,
        }
    }

    /// New policy, target, minimum or cap; in force at once.
    pub fn set(&mut self, settings: Settings) {
        if settings != self.settings {
            self.settings = settings;
            self.trim.reset();
            if matches!(self.phase, Phase::Start) && self.path.known() {
                // The limits of a session become known after its first packets.
                self.window = self.window.max(self.first_rate() * self.path.flight());
            }
            if self.competing() && !matches!(settings.policy, Policy::Fair | Policy::High) {
                self.phase = Phase::Steady;
            }
        }
    }

    /// The largest packet of the path changed.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.packet = f64::from(mtu);
    }

    /// `bytes` were sent.
    pub fn on_sent(&mut self, bytes: u64) {
        self.trim.on_sent(bytes);
        self.in_flight += bytes as f64;
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight);
    }

    /// A packet sent at `sent_at` was acknowledged.
    pub fn on_acked(&mut self, now: Duration, sent_at: Duration, bytes: u64) {
        self.path.on_acked(now.saturating_sub(sent_at).as_secs_f64(), bytes);
        self.loss.on_acked(1);
        self.round_acked += 1;
    }

    /// All packets of one acknowledgement were reported; `in_flight` bytes remain.
    pub fn on_ack_batch_end(&mut self, now: Duration, in_flight: u64) {
        let now = now.as_secs_f64();
        if self.last_ack > 0.0 && now - self.last_ack > OUTAGE.max(2.0 * self.path.flight()) {
            self.resume(now);
        }
        self.last_ack = now;
        self.in_flight = in_flight as f64;
        let first = !self.path.known();
        let acked = self.path.end_batch(now);
        if first && self.path.known() {
            self.window = self.window.max(self.first_rate() * self.path.flight());
            self.dips.skip(now, false);
            self.last_step = now;
            self.trim.mark(now);
            // Losses are noticed later than arrivals: the first round trip would look free of them.
            self.loss.ignore_until(now + 1.4 * self.path.flight() + 0.02);
        }
        self.step(now, acked as f64);
    }

    /// Packets were given up; `persistent` = everything over a long time.
    pub fn on_lost(&mut self, now: Duration, packets: u64, persistent: bool) {
        let now = now.as_secs_f64();
        self.loss.on_lost(packets);
        self.round_lost += packets;
        if persistent && self.settings.policy != Policy::Fixed {
            self.resume(now);
        }
        let seen = (self.round_acked + self.round_lost) as f64;
        let (lost, expected) = (self.round_lost as f64, self.loss.floor() * seen);
        // Only a full queue overflows: losses at another moment are the path's own.
        let full = lost > HEAVY_LOSS * seen + 10.0 || self.queue.is_full(self.path.queue());
        let flight = self.path.flight();
        if lost - 1.2 * expected > 0.5 + 4.0 * expected.sqrt()
            && full
            && let Phase::Compete(compete) = &mut self.phase
            && compete.on_loss(now, flight, self.path.queue(), self.path.base())
        {
            self.round_lost = 0;
            self.round_acked = 0;
            self.window = compete.window() * self.packet;
        }
    }

    /// The path marked packets instead of dropping them: its queue is longer than it likes.
    pub fn on_mark(&mut self, now: Duration) {
        let now = now.as_secs_f64();
        // A path that marks without a queue is broken, not congested.
        if self.path.queue() > MARK_QUEUE && now >= self.next_mark && self.settings.policy != Policy::Fixed {
            self.next_mark = now + self.path.feedback();
            if matches!(self.phase, Phase::Start) {
                self.enter_steady(now);
            }
            self.window *= 0.9;
            self.ramp = 0;
        }
    }

    /// Bytes that may be in flight.
    pub fn window(&self) -> u64 {
        self.window_under(&self.settings)
    }

    /// Bytes that may be in flight under other limits, before the law has taken them in.
    pub fn window_under(&self, settings: &Settings) -> u64 {
        let flight = self.path.flight();
        let mut window = self.window;
        if let Some(rate) = self.ceiling.rate() {
            window = window.min(rate * flight);
        }
        let most = settings.ceiling() * self.trim.factor() * flight;
        let least = (settings.floor() * self.trim.factor() * flight).max(LEAST_PACKETS * self.packet).min(most);
        if settings.policy == Policy::Fixed && self.path.known() {
            window = most;
        }
        let window = window.clamp(least, most.max(least));
        let window = self.dips.window().map_or(window, |dip| window.min(dip));
        // Never below a handful of packets: without them there would be no feedback.
        window.max(3.0 * self.packet) as u64
    }

    /// Bytes per second that the window amounts to.
    pub fn rate(&self) -> f64 {
        self.window() as f64 / self.path.flight()
    }

    /// What is known of the path.
    pub fn path(&self) -> &PathView {
        &self.path
    }

    /// Losses that the path has on its own, 0..1.
    pub fn loss_floor(&self) -> f64 {
        self.loss.floor()
    }

    /// One word for logs.
    pub fn phase(&self) -> &'static str {
        match &self.phase {
            _ if self.dips.window().is_some() => "dip",
            Phase::Start => "start",
            Phase::Steady if self.ceiling.rate().is_some() => "ceiling",
            Phase::Steady => "steady",
            Phase::Compete(_) => "compete",
        }
    }

    /// The path was silent or lost everything. The window stays: nothing says that the path carries less now.
    fn resume(&mut self, now: f64) {
        self.path.restart_meter();
        self.loss.restart(now);
        self.loss.ignore_until(now + 2.0 * self.path.flight());
        self.ramp = 0;
        self.queue.reset(now);
        self.dips.stop();
        self.dips.shadow(now + self.path.feedback());
    }

    fn competing(&self) -> bool {
        matches!(self.phase, Phase::Compete(_))
    }

    fn wanted(&self, rate: f64) -> f64 {
        self.queue.wanted(self.settings.policy, rate, self.packet)
    }

    /// The longest queue that sessions like this one make. Who is pushed aside must not take ever longer ones for usual.
    fn usual(&self) -> f64 {
        self.wanted((self.window / self.path.flight()).max(USUAL_SHARE * self.peak_rate.or_zero()))
    }

    /// Where the search begins. Who names a target knows the line: one round trip of most of it does little harm if not.
    fn first_rate(&self) -> f64 {
        match self.settings.target {
            Some(_) if self.settings.policy != Policy::Low => BOLD * self.settings.ceiling(),
            // Where a round trip lasts long, each one of the search costs much.
            _ => (self.settings.ceiling() / 8.0).min(START_RATE * (2.5 * self.path.base() + 0.3).clamp(1.0, 3.0)),
        }
    }

    /// Below this there is as good as no queue.
    fn idle_queue(&self, wanted: f64) -> f64 {
        let wait = if self.settings.policy == Policy::Low { 0.0 } else { self.path.ack_wait() };
        (IDLE * wanted).max(wait)
    }

    /// Time packets wait for their acknowledgement to be sent.
    fn lag(&self) -> f64 {
        (self.path.flight() - self.path.current()).clamp(0.0, 0.03)
    }

    /// Window that carries what arrives now with the wanted queue.
    fn fit(&self, delivered: f64, wanted: f64) -> f64 {
        delivered / (1.0 - self.loss.floor()) * (self.path.base() + wanted + self.lag())
    }

    /// How long a queue may be too long before somebody else is held responsible.
    fn patience(&self) -> f64 {
        PATIENCE.max(20.0 * self.path.feedback())
    }

    /// What counts as a moment ago.
    fn moment(&self) -> f64 {
        MOMENT.max(6.0 * self.path.feedback())
    }
}

const START_PACKETS: f64 = 32.0;
/// Where the search begins without a target: a rate that does little harm anywhere.
const START_RATE: f64 = 10e6 / 8.0;
/// Share of the target that the search begins with.
const BOLD: f64 = 0.6;
const LEAST_PACKETS: f64 = 8.0;
const OUTAGE: f64 = 0.5;
const PATIENCE: f64 = 1.5;
const MOMENT: f64 = 2.0;
const IDLE: f64 = 0.4;
/// Share of the largest rate of late that a session is left with among others like it, for all we assume.
const USUAL_SHARE: f64 = 0.1;
const MARK_QUEUE: f64 = 0.002;
const HEAVY_LOSS: f64 = 0.1;
