//! What a network does to datagrams: the decision about one of them, with dice and time passed in.

use crate::tree::Noise;
use std::time::{Duration, Instant};

/// What is wrong with the way. The default is a perfect one. Shares are in thousandths of the datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing passes, in either direction.
    pub black: bool,
    /// Never arrive.
    pub lost: u16,
    /// Arrive twice.
    pub doubled: u16,
    /// Arrive with a bit turned.
    pub corrupted: u16,
    /// Are overtaken by those sent shortly after them.
    pub late: u16,
    /// Every datagram takes so long one way.
    pub delay: Duration,
    /// Bits a second; 0 = no limit. What waits longer than [`Faults::queue`] is dropped.
    pub rate: u64,
    /// Longest wait before a limited rate.
    pub queue: Duration,
    /// Longer datagrams vanish without a word (a black hole of path MTU discovery); 0 = all pass.
    pub largest: usize,
}

/// By how much a late datagram is late.
pub(super) const OVERTAKEN: Duration = Duration::from_millis(15);
/// UDP, IPv4 and Ethernet headers: what a line of a given rate carries besides the payload.
const HEADERS: u64 = 28;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// When it arrives.
    pub arrives: Instant,
    /// And once more.
    pub again: bool,
    /// This bit of this byte is turned.
    pub turned: Option<(usize, u8)>,
}

/// One direction of the way.
#[derive(Debug)]
pub(super) struct Direction {
    dice: Noise,
    /// When the line has sent all that waits before it.
    free: Instant,
}

impl Direction {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self { dice: Noise::new(seed), free: now }
    }

    /// Decides; `None` means that it is lost.
    pub(super) fn decide(&mut self, faults: &Faults, length: usize, now: Instant) -> Option<Fate> {
        let mut hit = |share: u16| share > 0 && self.dice.below(1_000) < u64::from(share);
        let gone = faults.black || hit(faults.lost) || (faults.largest > 0 && length > faults.largest);
        let (again, turn, late) = (hit(faults.doubled), hit(faults.corrupted), hit(faults.late));
        if gone {
            return None;
        }
        let mut leaves = now;
        let bits = (length as u64 + HEADERS) * 8;
        if let Some(nanos) = (bits * 1_000_000_000).checked_div(faults.rate) {
            leaves = self.free.max(now);
            if leaves.duration_since(now) > faults.queue {
                return None;
            }
            leaves += Duration::from_nanos(nanos);
            self.free = leaves;
        }
        let turned = turn.then(|| (self.dice.below(length.max(1) as u64) as usize, self.dice.below(8) as u8));
        let arrives = leaves + faults.delay + if late { OVERTAKEN } else { Duration::ZERO };
        Some(Fate { arrives, again, turned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_way_delivers_everything_at_once_and_unchanged() {
        let now = Instant::now();
        let mut way = Direction::new(1, now);
        for length in [0, 1, 1_472, 65_507] {
            let fate = way.decide(&Faults::default(), length, now);
            assert_eq!(fate, Some(Fate { arrives: now, again: false, turned: None }));
        }
    }

    #[test]
    fn faults_come_as_often_as_they_should_and_turned_bits_lie_in_the_datagram() {
        let now = Instant::now();
        let mut way = Direction::new(2, now);
        let faults = Faults { lost: 100, doubled: 50, corrupted: 30, late: 20, ..Faults::default() };
        let (mut lost, mut doubled, mut corrupted, mut late) = (0, 0, 0, 0);
        for _ in 0..20_000 {
            let Some(fate) = way.decide(&faults, 1_200, now) else {
                lost += 1;
                continue;
            };
            doubled += u32::from(fate.again);
            late += u32::from(fate.arrives > now);
            if let Some((byte, bit)) = fate.turned {
                corrupted += 1;
                assert!(byte < 1_200 && bit < 8);
            }
        }
        for (seen, share) in [(lost, 2_000), (doubled, 900), (corrupted, 540), (late, 360)] {
            assert!((share * 8 / 10..share * 12 / 10).contains(&seen), "{seen} instead of {share}");
        }
    }

    #[test]
    fn a_limited_rate_spaces_datagrams_and_its_queue_is_finite() {
        let now = Instant::now();
        let mut way = Direction::new(3, now);
        let faults = Faults { rate: 8_000_000, queue: Duration::from_millis(10), ..Faults::default() };
        // 972 + 28 bytes at a million bytes a second: one a millisecond, and ten may wait.
        let fates: Vec<_> = (0..20).filter_map(|_| way.decide(&faults, 972, now)).collect();
        assert_eq!(fates.len(), 11);
        assert_eq!(fates[4].arrives, now + Duration::from_millis(5));
        assert!(way.decide(&faults, 972, now + Duration::from_millis(2)).is_some(), "room again");
    }

    #[test]
    fn a_black_way_and_a_narrow_one_let_nothing_through_that_they_should_not() {
        let now = Instant::now();
        let mut way = Direction::new(4, now);
        assert_eq!(way.decide(&Faults { black: true, ..Faults::default() }, 1, now), None);
        let narrow = Faults { largest: 1_280, ..Faults::default() };
        assert!(way.decide(&narrow, 1_280, now).is_some());
        assert_eq!(way.decide(&narrow, 1_281, now), None);
    }
}
