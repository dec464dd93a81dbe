//! Losses: which of them the path always has, and which come from sending too much.

use std::collections::VecDeque;

/// Loss counted over spans of at least a round trip and enough packets to mean something.
#[derive(Clone, Debug, Default)]
pub struct LossView {
    acked: u64,
    lost: u64,
    started: f64,
    ignore_until: f64,
    bins: VecDeque<Bin>,
    floor: f64,
    floor_packets: u64,
    spread: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bin {
    at: f64,
    packets: u64,
    ratio: f64,
    /// No worse than chance makes the floor: only such spans move the floor.
    clean: bool,
}

/// A finished span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossReport {
    /// Share of the packets that were lost.
    pub ratio: f64,
    /// Losses beyond what the path has on its own and beyond chance.
    pub excess: bool,
}

impl LossView {
    /// Packets were acknowledged.
    pub fn on_acked(&mut self, packets: u64) {
        self.acked += packets;
    }

    /// Packets were lost.
    pub fn on_lost(&mut self, packets: u64) {
        self.lost += packets;
    }

    /// Losses from before a correction took effect say nothing new.
    pub fn ignore_until(&mut self, until: f64) {
        self.ignore_until = self.ignore_until.max(until);
    }

    /// True while spans are thrown away.
    pub fn ignoring(&self, now: f64) -> bool {
        now < self.ignore_until
    }

    /// The path's own loss: what it had in its best quarter of the last half minute.
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// Closes the span if it is long enough; `queued` = packets waited in a queue meanwhile, `bold` = the session may have
    /// begun with more than the path carries.
    pub fn poll(&mut self, now: f64, round_trip: f64, queued: bool, bold: bool) -> Option<LossReport> {
        if now < self.ignore_until {
            self.restart(now);
            return None;
        }
        let packets = self.acked + self.lost;
        let known = self.floor_packets > 0;
        let enough = if !self.bins.is_empty() { BIN_PACKETS } else { FIRST_PACKETS };
        if now - self.started < round_trip || packets < enough {
            return None;
        }
        let ratio = self.lost as f64 / packets as f64;
        let chance = if known { self.chance(packets as f64) } else { MARGIN };
        self.restart(now);
        let limit = self.floor + chance.max((2.0 * self.spread).min(SPREAD_MOST));
        // The first good span cannot be compared: it counts as the path's own loss unless there was a queue, or so much was
        // lost that a bold start is the likelier reason; a short queue hardly shows.
        let doubtful = queued || (bold && ratio > FIRST_MOST);
        let excess = ratio > FLOOR_MOST || (ratio > limit && (known || doubtful));
        let clean = if known { ratio <= self.floor + chance } else { !excess };
        self.bins.push_back(Bin { at: now, packets, ratio, clean });
        while self.bins.len() > 1 && self.bins.front().is_some_and(|b| b.at + SPAN < now) {
            self.bins.pop_front();
        }
        self.estimate();
        Some(LossReport { ratio, excess })
    }

    /// Sending less did not help: this is how the path is.
    pub fn accept(&mut self, now: f64, ratio: f64) {
        self.bins.clear();
        self.bins.push_back(Bin { at: now, packets: BIN_PACKETS, ratio, clean: true });
        self.estimate();
    }

    /// Starts a new span.
    pub fn restart(&mut self, now: f64) {
        self.acked = 0;
        self.lost = 0;
        self.started = now;
    }

    /// How far above the floor chance alone may take a span of so many packets. As long as few packets made the floor, it
    /// may itself be chance: both together are the better guess.
    fn chance(&self, packets: f64) -> f64 {
        let known = self.floor_packets as f64;
        let pooled = (self.lost as f64 + self.floor * known) / (packets + known);
        MARGIN.max(SIGMAS * (pooled * (1.0 - pooled) * (1.0 / packets + 1.0 / known)).sqrt())
    }

    fn estimate(&mut self) {
        let mut sorted: Vec<Bin> = self.bins.iter().copied().collect();
        sorted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        // Bursts make the quarters differ; a few spans say nothing about it.
        let spread = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        self.spread = if sorted.len() >= 8 { spread } else { 0.0 };
        sorted.retain(|b| b.clean);
        if !sorted.is_empty() {
            self.floor = quantile(&sorted, 0.25).min(FLOOR_MOST);
            self.floor_packets = sorted.iter().map(|b| b.packets).sum();
        }
    }
}

/// The ratio below which this share of the packets lies.
fn quantile(sorted: &[Bin], share: f64) -> f64 {
    let total: u64 = sorted.iter().map(|b| b.packets).sum();
    let mut seen = 0;
    let found = sorted.iter().find(|b| {
        seen += b.packets;
        seen as f64 >= share * total as f64
    });
    found.map_or(0.0, |b| b.ratio)
}

const BIN_PACKETS: u64 = 400;
const FIRST_PACKETS: u64 = 100;
const FIRST_MOST: f64 = 0.2;
const MARGIN: f64 = 0.03;
const SPREAD_MOST: f64 = 0.1;
const SIGMAS: f64 = 4.0;
/// Nobody sends through more loss than this; it also bounds every mistake of the estimate.
const FLOOR_MOST: f64 = 0.5;
const SPAN: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn span(loss: &mut LossView, now: f64, acked: u64, lost: u64, queued: bool) -> LossReport {
        loss.on_acked(acked);
        loss.on_lost(lost);
        loss.poll(now, 0.1, queued, false).expect("the span is long enough")
    }

    #[test]
    fn what_a_path_always_loses_is_not_excess() {
        let mut loss = LossView::default();
        for i in 1..20_u32 {
            let lost = if i % 2 == 0 { 95 } else { 105 };
            assert!(!span(&mut loss, f64::from(i), 900, lost, false).excess, "span {i}");
        }
        assert!((0.08..0.12).contains(&loss.floor()));
        assert!(span(&mut loss, 20.0, 800, 200, false).excess);
        // A worse span does not make the path look worse.
        assert!((0.08..0.12).contains(&loss.floor()));
        loss.accept(21.0, 0.2);
        assert!(!span(&mut loss, 22.0, 800, 200, false).excess);
    }

    #[test]
    fn losses_from_a_first_full_queue_are_not_the_paths_own() {
        let mut loss = LossView::default();
        assert!(span(&mut loss, 1.0, 60, 60, true).excess);
        assert_eq!(loss.floor(), 0.0);
        assert!(span(&mut loss, 2.0, 320, 80, true).excess, "nor are the next");
        assert_eq!(loss.floor(), 0.0);
    }

    #[test]
    fn a_few_packets_without_loss_do_not_make_a_lossy_path_look_full() {
        let mut loss = LossView::default();
        assert!(!span(&mut loss, 1.0, 99, 1, false).excess);
        for i in 2..6_u32 {
            assert!(!span(&mut loss, f64::from(i), 376, 24, false).excess, "span {i}");
        }
        assert!(loss.floor() > 0.03);
        assert!(span(&mut loss, 9.0, 320, 80, false).excess);
    }

    #[test]
    fn small_spans_say_nothing() {
        let mut loss = LossView::default();
        loss.on_lost(50);
        assert_eq!(loss.poll(1.0, 0.1, false, false), None);
    }
}
