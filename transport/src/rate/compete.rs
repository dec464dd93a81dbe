//! The mode for a queue that others keep full: grow and back off as one CUBIC flow (RFC 9438) would, so that sharing with
//! loss-based traffic is even.

/// A CUBIC window in packets; `weight` flows in one.
#[derive(Clone, Debug)]
pub struct Compete {
    window: f64,
    largest: f64,
    started: f64,
    epoch: f64,
    k: f64,
    friendly: f64,
    weight: f64,
    /// An equal share, as far as is known.
    goal: f64,
    last_cut: f64,
    queue_at_cut: f64,
    queue_least: f64,
    unanswered: u32,
}

impl Compete {
    /// Starts at `window` packets on the way to `largest`.
    pub fn new(now: f64, window: f64, largest: f64, weight: f64) -> Self {
        let mut new = Self {
            window,
            largest: largest.max(window),
            started: now,
            epoch: now,
            k: 0.0,
            friendly: window,
            weight,
            goal: largest.max(window),
            last_cut: now,
            queue_at_cut: 0.0,
            queue_least: 0.0,
            unanswered: 0,
        };
        new.set_epoch(now);
        new
    }

    /// Grows with time and with acknowledged packets.
    pub fn on_acked(&mut self, now: f64, packets: f64, round_trip: f64) {
        let t = now - self.epoch + round_trip;
        let target = SCALE * self.weight * (t - self.k).powi(3) + self.largest;
        // As fast as the friendly growth of RFC 9438, section 4.3, at least.
        self.friendly += 3.0 * (1.0 - BETA) / (1.0 + BETA) * self.weight * packets / self.window.max(1.0);
        let step = (target.min(1.5 * self.window) - self.window).max(0.0) * (packets / self.window.max(1.0)).min(1.0);
        self.window = (self.window + step).max(self.friendly);
        if self.small_cuts() && self.window < self.goal {
            // Who does not answer to losses leaves no more than is taken.
            let climb = CLIMB * round_trip * packets / self.window.max(1.0) * self.goal;
            self.window = (self.window + climb).min(self.goal);
        }
    }

    /// How long packets wait in the queue now, seconds.
    pub fn on_queue(&mut self, queue: f64) {
        self.queue_least = self.queue_least.min(queue);
    }

    /// The queue overflowed and some of the loss was ours. True if that made the window smaller.
    pub fn on_loss(&mut self, now: f64, round_trip: f64, queue: f64, base: f64) -> bool {
        // Had all others backed off as we did, the queue would have shrunk to this; who does not give way gets little.
        let expected = (BETA * (base + self.queue_at_cut) - base).max(0.0);
        let shrank = self.queue_at_cut == 0.0 || self.queue_least < 0.5 * (expected + self.queue_at_cut);
        // Chance may spare the others once or twice; who never shrinks does not answer to losses at all.
        let yielding = !self.small_cuts();
        // Some competitors overflow the queue at every probe; an epoch gets time to recover before the next cut.
        let rest = if yielding { EPOCH_SHARE } else { STUBBORN_EPOCH };
        if now - self.last_cut < round_trip.max(rest * self.k) {
            return false;
        }
        self.queue_at_cut = queue;
        self.queue_least = queue;
        self.last_cut = now;
        // Some make a pause now and then whatever is lost: one shorter queue does not make them yielding.
        self.unanswered = match (shrank, yielding) {
            (true, true) => 0,
            (true, false) => self.unanswered - 1,
            (false, _) => (self.unanswered + 1).min(PATIENT_CUTS + SMALL_CUTS),
        };
        let cut = if yielding { 1.0 - BETA } else { STUBBORN_CUT };
        let falling = yielding && self.window < self.largest;
        self.largest = if falling { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.window = (self.window * (1.0 - cut / self.weight)).max(4.0);
        self.largest = self.largest.max(self.window);
        self.friendly = self.window;
        self.set_epoch(now);
        true
    }

    fn small_cuts(&self) -> bool {
        self.unanswered >= PATIENT_CUTS
    }

    /// When the mode began.
    pub fn started(&self) -> f64 {
        self.started
    }

    /// Packets that may be in flight.
    pub fn window(&self) -> f64 {
        self.window
    }

    fn set_epoch(&mut self, now: f64) {
        self.epoch = now;
        self.k = ((self.largest - self.window) / (SCALE * self.weight)).max(0.0).cbrt();
    }
}

const SCALE: f64 = 0.4;
const EPOCH_SHARE: f64 = 0.3;
const STUBBORN_EPOCH: f64 = 1.2;
const PATIENT_CUTS: u32 = 3;
/// So many cuts with an answer it takes until small ones are given up.
const SMALL_CUTS: u32 = 3;
/// Share of the goal by which the window grows in a second beside who does not give way.
const CLIMB: f64 = 0.05;
const STUBBORN_CUT: f64 = 0.05;
const BETA: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten round trips of 50 ms a second, everything acknowledged.
    fn run(compete: &mut Compete, from: f64, seconds: f64) {
        let mut now = from;
        while now < from + seconds {
            compete.on_acked(now, compete.window(), 0.05);
            now += 0.05;
        }
    }

    #[test]
    fn it_returns_to_where_it_was_and_then_looks_further() {
        let mut compete = Compete::new(0.0, 100.0, 400.0, 1.0);
        run(&mut compete, 0.0, 8.0);
        assert!((380.0..420.0).contains(&compete.window()), "{}", compete.window());
        run(&mut compete, 8.0, 10.0);
        assert!(compete.window() > 500.0, "{}", compete.window());
    }

    #[test]
    fn who_answers_to_losses_is_met_half_way_and_who_does_not_hardly() {
        let mut compete = Compete::new(0.0, 400.0, 400.0, 1.0);
        assert!(compete.on_loss(10.0, 0.1, 0.1, 0.04));
        assert!((279.0..281.0).contains(&compete.window()));
        assert!(!compete.on_loss(10.05, 0.1, 0.1, 0.04), "once per round trip");
        // Each time the queue stays as long as it was.
        let mut now = 10.0;
        let mut least_cut: f64 = 1.0;
        for _ in 0..6 {
            now += 30.0;
            let before = compete.window();
            assert!(compete.on_loss(now, 0.1, 0.1, 0.04));
            least_cut = least_cut.min(1.0 - compete.window() / before);
        }
        assert!(least_cut < 0.06, "{least_cut}");
    }
}
