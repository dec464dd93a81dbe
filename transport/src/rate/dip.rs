//! Dips: for one round trip, every few seconds, less is in flight than fits, so that the queue empties.
//!
//! A dip shows the delay of the empty path, and whose the queue is. All sessions dip at the same moments of their clocks:
//! only together can they empty a queue that they share, and a queue that stays when all of them dip belongs to somebody else.

/// The dips of one path, and what they showed.
#[derive(Clone, Debug, Default)]
pub struct Dips {
    active: Option<Dip>,
    next: f64,
    shadow_until: f64,
    foreign: u32,
    lone: u32,
}

/// Queue lengths around a dip, seconds; `raw` = with the path's own unrest.
#[derive(Clone, Copy, Debug, Default)]
pub struct DipQueue {
    /// Without the unrest.
    pub queue: f64,
    /// With it.
    pub raw: f64,
}

/// One dip.
#[derive(Clone, Copy, Debug)]
pub struct Dip {
    /// Bytes in flight during the dip.
    window: f64,
    /// Bytes in flight before and after.
    pub restore: f64,
    until: f64,
    seen_until: f64,
    before: DipQueue,
    least: DipQueue,
}

impl Dips {
    /// The window during a dip.
    pub fn window(&self) -> Option<f64> {
        self.active.map(|d| d.window)
    }

    /// True while a dip or its effect is seen.
    pub fn disturb(&self, now: f64) -> bool {
        self.active.is_some() || now < self.shadow_until
    }

    /// Something else disturbs what is seen until then.
    pub fn shadow(&mut self, until: f64) {
        self.shadow_until = until;
    }

    /// True if it is time.
    pub fn due(&self, now: f64) -> bool {
        now >= self.next
    }

    /// Lets this one out.
    pub fn skip(&mut self, now: f64, competing: bool) {
        let every = if competing { COMPETING_EVERY } else { EVERY };
        self.next = ((now + 0.5) / every).ceil() * every;
    }

    /// Starts a dip from `restore` to `window` bytes, for `length` seconds; its effect is seen for `feedback` more.
    pub fn begin(&mut self, now: f64, window: f64, restore: f64, length: f64, feedback: f64, queue: DipQueue) {
        let until = now + length;
        self.active = Some(Dip { window, restore, until, seen_until: until + feedback, before: queue, least: queue });
    }

    /// Breaks a dip off.
    pub fn stop(&mut self) {
        self.active = None;
    }

    /// Notes the queue; returns the dip when it ends.
    pub fn watch(&mut self, now: f64, queue: DipQueue, competing: bool) -> Option<Dip> {
        let dip = self.active.as_mut()?;
        dip.least.queue = dip.least.queue.min(queue.queue);
        dip.least.raw = dip.least.raw.min(queue.raw);
        let dip = *dip;
        if now < dip.until {
            return None;
        }
        self.active = None;
        self.shadow_until = dip.seen_until;
        self.skip(now, competing);
        Some(dip)
    }

    /// Judges a dip that emptied our part of the queue: what stayed belongs to others. `usual` = the longest queue that
    /// sessions like this one leave.
    pub fn judge_foreign(&mut self, dip: &Dip, usual: f64) {
        let stayed = if dip.before.raw > FOREIGN_RAW.max(usual) {
            dip.least.raw > 0.7 * dip.before.raw
        } else if dip.before.queue > FOREIGN.max(usual) {
            dip.least.queue > 0.6 * dip.before.queue
        } else {
            return;
        };
        self.foreign = if stayed { self.foreign + 1 } else { 0 };
    }

    /// Judges a dip that held back a part of what was in flight: alone, the queue shrinks by all of that. `telling` = there
    /// was enough of a queue to tell.
    pub fn judge_lone(&mut self, dip: &Dip, flight: f64, telling: bool) {
        if telling {
            let expected = (COMPETING_DEPTH * flight).min(dip.before.queue);
            let shrank = dip.before.queue - dip.least.queue > 0.7 * expected;
            self.lone = if shrank { self.lone + 1 } else { 0 };
        }
    }

    /// Dips in a row in which the queue stayed.
    pub fn foreign(&self) -> u32 {
        self.foreign
    }

    /// Dips in a row in which the queue was ours.
    pub fn lone(&self) -> u32 {
        self.lone
    }

    /// Starts counting anew.
    pub fn forget(&mut self) {
        self.foreign = 0;
        self.lone = 0;
    }
}

impl Dip {
    /// The queue before.
    pub fn queue_before(&self) -> f64 {
        self.before.queue
    }
}

/// Share of the window that is held back while competing: others take what is left to them, and some remember it.
pub const COMPETING_DEPTH: f64 = 0.25;
/// A little more than the queue of our own, so that a wrong belief about the empty path comes to light.
pub const DEPTH: f64 = 0.015;

const EVERY: f64 = 5.0;
const COMPETING_EVERY: f64 = 10.0;
const FOREIGN_RAW: f64 = 0.029;
const FOREIGN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_dip_at_the_same_moments() {
        for start in [0.1, 1.7, 3.9, 4.4] {
            let mut dips = Dips::default();
            dips.skip(start, false);
            assert!(!dips.due(4.99) && dips.due(5.0));
            dips.skip(start, true);
            assert!(!dips.due(9.99) && dips.due(10.0));
        }
    }

    #[test]
    fn a_queue_that_stays_is_foreign() {
        let mut dips = Dips::default();
        let queue = |queue| DipQueue { queue, raw: queue };
        for (least, count) in [(0.035, 1), (0.038, 2), (0.004, 0)] {
            dips.begin(0.0, 1.0, 2.0, 0.1, 0.1, queue(0.04));
            assert!(dips.watch(0.05, queue(least), false).is_none());
            let dip = dips.watch(0.2, queue(0.04), false).expect("the dip is over");
            dips.judge_foreign(&dip, 0.02);
            assert_eq!(dips.foreign(), count);
        }
    }
}
