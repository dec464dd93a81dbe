//! How the window moves: once per acknowledgement, and once per feedback time.

use super::super::compete::Compete;
use super::super::settings::Policy;
use super::{LEAST_PACKETS, Phase, RateLaw};

impl RateLaw {
    pub(super) fn step(&mut self, now: f64, acked: f64) {
        let elapsed = (now - self.last_step).clamp(0.0, 0.5);
        self.last_step = now;
        self.path.hold_base(self.competing());
        let queue = self.path.queue();
        let delivered = self.path.delivery_rate(now);
        self.delivered_peak.push(now, delivered, 1.5 * self.path.feedback());
        self.queue.observe(now, queue, (queue - self.path.ack_wait()).max(0.0), self.moment());
        if !self.dips.disturb(now) {
            self.queue.observe_calm(now, queue, self.patience());
        }
        self.loss_step(now);
        if now >= self.round_end {
            self.round(now, delivered);
        }
        if self.dip_step(now, queue) {
            return;
        }
        let used = self.peak_in_flight.max(self.last_peak) >= USED * self.window() as f64;
        let flight = self.path.flight();
        match &mut self.phase {
            Phase::Start => {
                if used {
                    let toward_target = self.settings.target.is_some();
                    self.window += acked * if toward_target { 1.0 } else { start_growth(self.path.base()) };
                }
                if self.crowded(now) {
                    self.enter_steady(now);
                }
            }
            Phase::Steady => {
                self.found |= queue > START_QUEUE;
                self.steady(queue, delivered, elapsed, used);
            }
            Phase::Compete(compete) => {
                compete.on_queue(queue);
                if used {
                    compete.on_acked(now, acked / self.packet, flight);
                }
                self.window = compete.window() * self.packet;
            }
        }
        if let Some(rate) = self.ceiling.rate() {
            self.window = self.window.min(1.02 * rate * flight);
        }
        let least = LEAST_PACKETS * self.packet;
        self.window = self.window.clamp(least, (self.settings.ceiling() * flight * 1.05).max(least));
    }

    /// At the start: a queue that has come to stay. A hiccup of a host makes one for an instant.
    fn crowded(&mut self, now: f64) -> bool {
        let limit = self.wanted(self.window / self.path.flight()).max(START_QUEUE);
        if self.path.fresh_queue() <= limit {
            self.crowded_since = None;
            return false;
        }
        let since = *self.crowded_since.get_or_insert(now);
        now - since >= (self.path.base() / 8.0).min(HICCUP)
    }

    fn steady(&mut self, queue: f64, delivered: f64, elapsed: f64, used: bool) {
        let wanted = self.wanted(self.window / self.path.flight());
        let base = self.path.base();
        let toward = ((base + wanted) / (base + queue)).clamp(0.5, 1.25);
        let share = (elapsed / self.path.feedback()).min(0.5);
        let mut growth = GAIN * (toward - 1.0);
        if queue < self.idle_queue(wanted) {
            growth += self.ramp_growth();
        }
        if growth < 0.0 {
            // What arrives while there is a queue is what the path carries: no reason to go below it.
            let fit = self.fit(delivered, wanted).min(self.window);
            self.window = (self.window * (1.0 + growth * share)).max(fit);
        } else if used {
            self.window *= 1.0 + growth * share;
        }
    }

    /// Growth per feedback time while there is no queue. The queue that a step makes lasts for a feedback time: near what a
    /// long path is known to carry, steps are small for quite a while; a start that a hiccup ended has not found out.
    fn ramp_growth(&self) -> f64 {
        let bold = RAMP.get(self.ramp.min(RAMP.len() - 1)).copied().unwrap_or_default();
        let feedback = self.path.feedback();
        let known = self.peak_rate.or_zero() / (1.0 - self.loss.floor()) * self.path.flight();
        if feedback < SHORT_FEEDBACK || self.window < NEAR * known || !self.found {
            return bold;
        }
        let patient = if self.ramp < PATIENT_ROUNDS { 1.0 } else { 4.0 };
        bold.min(patient * STEP_QUEUE / feedback)
    }

    /// Once per feedback time.
    fn round(&mut self, now: f64, delivered: f64) {
        self.round_end = now + self.path.feedback();
        self.round_acked = 0;
        self.round_lost = 0;
        self.last_peak = std::mem::replace(&mut self.peak_in_flight, self.in_flight);
        self.peak_rate.push(now, delivered, PEAK_RATE_SPAN);
        let queue_mean = self.queue.take_round(now);
        let (window, flight) = (self.window() as f64, self.path.flight());
        let fixed = self.settings.policy == Policy::Fixed;
        let steerable = self.last_peak >= 0.9 * window && self.dips.window().is_none();
        self.trim.round(now, &self.settings, flight, self.window, fixed, steerable);
        if self.dips.disturb(now) {
            return;
        }
        match &self.phase {
            Phase::Start => {}
            Phase::Steady => {
                let wanted = self.wanted(self.window / flight);
                // A queue known to be short has no room for a bold step.
                let most = if self.queue.is_shallow() { SHALLOW_RAMP } else { PATIENT_ROUNDS };
                let idle = queue_mean < self.idle_queue(wanted) && self.last_peak >= USED * window;
                self.ramp = if idle { (self.ramp + 1).min(most) } else { 0 };
                if self.path.queue() > 2.0 * wanted + 0.005 {
                    // Far too much: what arrives is what the path carries.
                    self.window = self.window.min(self.fit(delivered, wanted)).max(self.window * 0.4);
                }
                self.notice_competition(now, queue_mean);
            }
            Phase::Compete(compete) => {
                let empty = self.queue.recent() < self.wanted(self.peak_rate.or_zero());
                if empty && now - compete.started() > self.moment() {
                    self.phase = Phase::Steady;
                    self.queue.watch_anew(now);
                }
            }
        }
    }

    /// A queue that stays although we did all to empty it belongs to others.
    fn notice_competition(&mut self, now: f64, queue_mean: f64) {
        // A little more than one CUBIC flow (or two), as the dips cost something.
        let (weight, share) = match self.settings.policy {
            Policy::Fair => (1.4, 0.5),
            Policy::High => (2.6, 0.67),
            Policy::Fixed | Policy::Low => return,
        };
        // Sessions like this one settle at what they want at their rates, whatever their number.
        let limit = 1.5 * self.usual() + 0.003;
        let starved = self.window < STARVED * self.peak_rate.or_zero() * self.path.flight() && queue_mean > 0.9 * limit;
        self.starved_since = if starved { self.starved_since.or(Some(now)) } else { None };
        let starving = self.starved_since.is_some_and(|since| now - since > self.patience());
        if self.queue.stays_above(limit) || self.dips.foreign() > 1 || starving {
            self.starved_since = None;
            self.dips.forget();
            // A share of what this path carried when it was ours, against one other.
            let share = share * self.peak_rate.or_zero() * self.path.flight();
            let goal = share.max(self.window) / self.packet;
            let start = (0.7 * share).max(self.window) / self.packet;
            self.phase = Phase::Compete(Compete::new(now, start, goal, weight));
            self.ceiling.lift();
            self.dips.skip(now, true);
        } else if self.path.queue() <= limit {
            self.queue.watch_anew(now);
        }
    }

    /// The bottleneck was found: down to what it carries.
    pub(super) fn enter_steady(&mut self, now: f64) {
        let delivered = self.path.delivery_rate(now);
        let fit = self.fit(delivered, self.wanted(delivered));
        self.window = self.window.min(fit.max(self.window * 0.3));
        self.phase = Phase::Steady;
        self.ramp = 0;
        let until = now + 2.0 * self.path.feedback();
        self.dips.shadow(until);
        self.loss.ignore_until(until);
    }
}

/// Share of the acknowledged bytes by which the window grows at the start. Doubling goes too far by almost half a round
/// trip before the news arrive; on long paths a slower growth keeps that in the queue.
fn start_growth(base: f64) -> f64 {
    (1.0 - 4.0 * (base - 0.1)).clamp(0.6, 1.0)
}

const START_QUEUE: f64 = 0.008;
/// Longer than hosts usually pause.
const HICCUP: f64 = 0.03;
/// Share of the way to the wanted queue in one feedback time.
const GAIN: f64 = 0.5;
/// Growth per feedback time while there is no queue, by the number of such times in a row.
const RAMP: [f64; 6] = [0.0, 0.05, 0.15, 0.3, 0.5, 0.8];
/// Share of the largest rate of late from which steps are small, on paths with a feedback time beyond this (seconds).
const NEAR: f64 = 0.92;
const SHORT_FEEDBACK: f64 = 0.3;
/// The queue that a small step may make, seconds, and for how many rounds.
const STEP_QUEUE: f64 = 0.02;
const PATIENT_ROUNDS: usize = 9;
const SHALLOW_RAMP: usize = 2;
/// Share of the window that must have been in flight for it to count as the limit.
const USED: f64 = 0.75;
/// Below this share of the largest rate of late, with a queue of others before it, a session is being starved.
const STARVED: f64 = 0.07;
const PEAK_RATE_SPAN: f64 = 30.0;
