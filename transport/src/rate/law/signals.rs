//! What dips and losses tell, and what follows from it.

use super::super::ceiling::{Excess, Outcome};
use super::super::dip::{self, DipQueue};
use super::super::settings::Policy;
use super::{Phase, RateLaw};

impl RateLaw {
    /// Starts, watches and judges dips; true while one holds the window.
    pub(super) fn dip_step(&mut self, now: f64, queue: f64) -> bool {
        let seen = DipQueue { queue, raw: self.path.raw_queue() };
        let flight = self.path.flight();
        if self.dips.window().is_some() {
            let Some(dip) = self.dips.watch(now, seen, self.competing()) else { return true };
            self.window = dip.restore;
            self.dips.judge_foreign(&dip, 1.1 * self.usual());
            if self.competing() {
                let peak = self.peak_rate.or_zero();
                self.dips.judge_lone(&dip, flight, dip.queue_before() > 2.0 * self.wanted(peak));
                // A competitor may pause just then; only who has the whole line is believed quickly.
                let rate = dip.restore / (self.path.base() + dip.queue_before() + self.lag());
                if self.dips.lone() >= if rate > 0.75 * peak { 2 } else { 3 } {
                    self.phase = Phase::Steady;
                    self.window = rate * (self.path.base() + self.wanted(rate) + self.lag());
                    self.queue.watch_anew(now);
                }
            }
            return false;
        }
        if !self.dips.due(now) || matches!(self.phase, Phase::Start) {
            return false;
        }
        let rate = self.window / flight;
        let wanted = self.wanted(rate);
        let unsettled = !self.competing() && queue > 2.0 * wanted + 0.02;
        if queue < 0.3 * wanted || unsettled || self.settings.policy == Policy::Fixed {
            self.dips.skip(now, false);
            return false;
        }
        let window = if self.competing() {
            (1.0 - dip::COMPETING_DEPTH) * self.window
        } else {
            (self.window - rate * (queue + dip::DEPTH)).max(0.4 * self.window)
        };
        // Until the effect has come back, and while competing until it can be measured.
        let length = if self.competing() { 1.3 * flight + 0.05 } else { flight + 0.03 };
        self.dips.begin(now, window, self.window, length, self.path.feedback(), seen);
        true
    }

    /// Closes a span of counting losses, if it is over.
    pub(super) fn loss_step(&mut self, now: f64) {
        if self.competing() {
            // Others' overflows must not pass for the path's own losses.
            self.loss.restart(now);
            return;
        }
        let bold = self.settings.target.is_some();
        let Some(report) = self.loss.poll(now, self.path.flight(), self.queue.queued_in_span(), bold) else {
            if self.loss.ignoring(now) {
                self.queue.take_span();
            }
            return self.probe_ceiling(now);
        };
        let queue = self.queue.take_span();
        if self.settings.policy == Policy::Fixed {
            return;
        }
        let full = queue > FULL_LEAST && self.queue.is_full(queue);
        if !report.excess {
            self.ceiling.believes(report, full, false);
            self.ceiling.clear_span();
            return self.probe_ceiling(now);
        }
        if !self.ceiling.believes(report, full, self.queue.has_room_beyond(queue)) {
            return;
        }
        if matches!(self.phase, Phase::Start) {
            self.enter_steady(now);
        }
        let (sent, round_trip) = (self.rate(), self.path.flight());
        if full {
            self.queue.overflowed(now, queue);
        }
        if queue > 1.5 * self.wanted(sent) + 0.01 {
            // The queue is deep enough to steer by it.
            return;
        }
        let delivered = self.delivered_peak.or_zero() / (1.0 - self.loss.floor());
        match self.ceiling.excess_span(now, &Excess { ratio: report.ratio, queue, delivered, sent, round_trip }) {
            Outcome::OwnLoss(rate) => {
                self.loss.accept(now, report.ratio);
                self.window = self.window.max(rate * round_trip);
                self.loss.ignore_until(now + 1.5 * round_trip + 0.05);
            }
            Outcome::Lowered => {
                self.ramp = 0;
                self.loss.ignore_until(now + 2.0 * (self.path.current() + 0.05));
            }
        }
    }

    fn probe_ceiling(&mut self, now: f64) {
        if let Some(rate) = self.ceiling.probe(now) {
            let flight = self.path.flight();
            self.window = self.window.max(rate * flight);
            self.loss.ignore_until(now + 1.2 * flight);
        }
    }
}

const FULL_LEAST: f64 = 0.0015;
