//! A rate found by losses, for paths where no queue gives warning: shallow buffers and policers.
//!
//! Losses beyond the path's own lower the rate to what arrives. Then the losses must go; if they stay although clearly less
//! is sent, they were the path's own after all. From time to time a little more is tried.

use super::loss::LossReport;
use super::queue::WANTED_RATE;

/// The ceiling of one path, if there is one.
#[derive(Clone, Debug)]
pub struct Ceiling {
    current: Option<Episode>,
    hold: f64,
    spans: u32,
}

#[derive(Clone, Copy, Debug)]
struct Episode {
    rate: f64,
    before: f64,
    ratio: f64,
    queue: f64,
    delivered: f64,
    verifying: u32,
    probing: bool,
    next_probe: f64,
}

/// What is known when a span with too many losses ends. Rates in bytes per second.
#[derive(Clone, Copy, Debug)]
pub struct Excess {
    /// Share of packets lost.
    pub ratio: f64,
    /// Longest queue in the span, seconds.
    pub queue: f64,
    /// What would arrive without the path's own losses.
    pub delivered: f64,
    /// What was sent.
    pub sent: f64,
    /// Mean time in flight, seconds.
    pub round_trip: f64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The rate was lowered.
    Lowered,
    /// The losses are the path's own; it had been sending at this rate before.
    OwnLoss(f64),
}

impl Ceiling {
    /// The rate not to exceed, bytes per second.
    pub fn rate(&self) -> Option<f64> {
        self.current.map(|c| c.rate)
    }

    /// Takes the ceiling away.
    pub fn lift(&mut self) {
        self.current = None;
    }

    /// Whether a span's losses have to be taken seriously. `full` = the queue was as long as ever, `room` = a much longer
    /// one is known to fit.
    pub fn believes(&mut self, report: LossReport, full: bool, room: bool) -> bool {
        self.spans = if report.excess { self.spans + 1 } else { 0 };
        let verifying = self.current.is_some_and(|c| c.verifying > 0);
        // A full queue shows in the delay. Without one only losses that stay tell of a limit; bursts come and go.
        let patience = if verifying { 2 } else { 3 };
        let doubtful = self.spans < patience || (room && !verifying);
        report.excess && (full || !doubtful || report.ratio >= BEYOND_DOUBT)
    }

    /// A span without excess losses.
    pub fn clear_span(&mut self) {
        let Some(episode) = &mut self.current else { return };
        episode.verifying = 0;
        if episode.probing {
            // It carried more: go on.
            self.hold = HOLD;
            episode.rate *= 1.1;
            if episode.rate > 1.5 * episode.before {
                self.current = None;
            }
        }
    }

    /// A span with excess losses.
    pub fn excess_span(&mut self, now: f64, excess: &Excess) -> Outcome {
        let mut next = Episode {
            rate: (excess.delivered * BELOW).clamp(0.3 * excess.sent, excess.sent),
            before: excess.sent,
            ratio: excess.ratio,
            queue: excess.queue,
            delivered: excess.delivered,
            verifying: 1,
            probing: false,
            next_probe: now + self.hold.max(8.0 * excess.round_trip),
        };
        if let Some(episode) = self.current.filter(|c| c.verifying > 0) {
            if episode.is_own_loss(excess) {
                self.current = None;
                return Outcome::OwnLoss(episode.before);
            }
            let step = if episode.verifying > 1 { 0.7 } else { 0.85 };
            next = Episode { rate: next.rate.min(step * episode.rate), verifying: episode.verifying + 1, ..episode };
        } else if self.current.is_some_and(|c| c.probing) {
            self.hold = (self.hold * 2.0).min(HOLD_MOST);
        }
        self.current = Some(next);
        Outcome::Lowered
    }

    /// Tries a little more if it is time; returns the new rate.
    pub fn probe(&mut self, now: f64) -> Option<f64> {
        let episode = self.current.as_mut()?;
        if episode.verifying > 0 || episode.probing || now < episode.next_probe {
            return None;
        }
        episode.probing = true;
        episode.before = episode.rate;
        // Smaller sessions look further up, so that sessions side by side become equal.
        episode.rate *= 1.0 + (PROBE * (WANTED_RATE / episode.rate).sqrt()).clamp(0.03, 0.25);
        Some(episode.rate)
    }
}

impl Episode {
    /// Less was sent since the first of these losses. True if that did not help.
    fn is_own_loss(&self, excess: &Excess) -> bool {
        let unchanged = excess.ratio > 0.7 * self.ratio && excess.ratio < BEYOND_DOUBT;
        let drained = self.verifying > 1 && self.queue > 0.004 && excess.queue < (0.4 * self.queue).max(0.0015);
        // What the path loses by itself goes down with the rate, and so does what arrives; a full line stays full. At half
        // the rate an overflow that took up to half of the packets is over.
        let follows = excess.delivered < 1.2 * self.delivered * self.rate / self.before;
        let halved = self.rate < 0.55 * self.before && follows && excess.ratio < BEYOND_DOUBT;
        // Where a long queue fits, a short one does not overflow.
        let gone = drained && self.queue > 0.008 && excess.ratio < BEYOND_DOUBT;
        (unchanged && drained) || gone || halved
    }
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { current: None, hold: HOLD, spans: 0 }
    }
}

/// No path that anybody uses loses so much by itself.
const BEYOND_DOUBT: f64 = 0.5;
/// Share of what arrives, so that a queue can drain.
const BELOW: f64 = 0.97;
const HOLD: f64 = 1.0;
const HOLD_MOST: f64 = 8.0;
const PROBE: f64 = 0.06;

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(ratio: f64, delivered: f64, sent: f64) -> Excess {
        Excess { ratio, queue: 0.0, delivered, sent, round_trip: 0.1 }
    }

    #[test]
    fn a_full_line_is_not_taken_for_a_lossy_one() {
        let mut ceiling = Ceiling::default();
        // Two megabytes a second arrive whatever is sent.
        let mut sent = 3e6;
        for step in 0..20 {
            let ratio: f64 = 1.0 - 2e6 / sent;
            if ratio > 0.03 {
                let outcome = ceiling.excess_span(f64::from(step), &excess(ratio, 2e6_f64.min(sent), sent));
                assert_eq!(outcome, Outcome::Lowered);
            } else {
                ceiling.clear_span();
            }
            sent = ceiling.rate().unwrap_or(sent);
        }
        assert!((1.7e6..2.3e6).contains(&sent), "{sent}");
    }

    #[test]
    fn losses_that_do_not_answer_to_the_rate_are_accepted() {
        let mut ceiling = Ceiling::default();
        let mut sent = 3e6;
        for step in 0..8 {
            match ceiling.excess_span(f64::from(step), &excess(0.2, 0.8 * sent, sent)) {
                Outcome::OwnLoss(rate) => return assert_eq!(rate, 3e6),
                Outcome::Lowered => sent = ceiling.rate().unwrap_or(sent),
            }
        }
        panic!("never accepted");
    }
}
