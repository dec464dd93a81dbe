//! What one direction of the line does to a packet: pure, with time passed in.
//!
//! The queue holds bytes, not packets, and its size stays when the rate changes, as a router's does: with a queue of 50 ms
//! at 200 Mbit/s, a fall to 50 Mbit/s makes the same bytes wait for up to 200 ms. Loss happens after the bottleneck (on the
//! radio, not in the router): what is lost has used the line. The limit of goodput is therefore `rate × (1 − loss)`.

use super::schedule::{Nanos, Schedule};

/// One direction of a line.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The bottleneck.
    pub schedule: Schedule,
    /// From the bottleneck to the other end.
    pub delay: Nanos,
    /// Part of the packets that is lost at random, 0 to 1.
    pub loss: f64,
    /// Bytes that may wait before the bottleneck.
    pub queue: u64,
    /// Times in which whatever arrives is lost: from and until.
    pub black: Vec<(Nanos, Nanos)>,
    /// For the random loss: the same seed loses the same packets.
    pub seed: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reaches the other end.
    Arrives {
        /// When.
        due: Nanos,
        /// How long it waited behind others.
        waited: Nanos,
    },
    /// It went through the bottleneck and is lost at random.
    Lost {
        /// How long it waited behind others.
        waited: Nanos,
    },
    /// The queue was full.
    Dropped,
    /// The line was black.
    Black,
}

/// The state of one direction.
#[derive(Debug)]
pub struct Link {
    options: LinkOptions,
    /// When the bottleneck has sent all it was given.
    free_at: Nanos,
    random: u64,
}

impl Link {
    /// An idle line.
    #[must_use]
    pub fn new(options: LinkOptions) -> Self {
        Self { free_at: 0, random: options.seed, options }
    }

    /// A packet of that many bytes arrives before the bottleneck. Moments must not go backwards.
    pub fn arrive(&mut self, now: Nanos, bytes: u64) -> Fate {
        // Drawn for every packet, so that a drop or a black-out does not shift which later packets are lost.
        let lost = self.chance() < self.options.loss;
        if self.options.black.iter().any(|(from, until)| (*from..*until).contains(&now)) {
            return Fate::Black;
        }
        let waiting = self.options.schedule.bytes_between(now, self.free_at);
        if waiting > 0 && waiting + bytes > self.options.queue {
            return Fate::Dropped;
        }
        let begin = self.free_at.max(now);
        self.free_at = self.options.schedule.finish(begin, bytes);
        let waited = begin - now;
        if lost { Fate::Lost { waited } } else { Fate::Arrives { due: self.free_at + self.options.delay, waited } }
    }

    /// A number from 0 up to, but without, 1 (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
    /// generators", 2014).
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;
    const RATE: u64 = 100_000_000;
    /// 1,250 bytes at 100 Mbit/s.
    const PACKET: Nanos = 100_000;

    fn options() -> LinkOptions {
        let schedule = Schedule::new(RATE, &[]);
        LinkOptions { schedule, delay: 20 * MS, loss: 0.0, queue: 125_000, black: Vec::new(), seed: 1 }
    }

    fn due(fate: Fate) -> Nanos {
        match fate {
            Fate::Arrives { due, .. } => due,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lone_packet_takes_its_sending_time_and_the_delay() {
        let mut link = Link::new(options());
        assert_eq!(link.arrive(5 * MS, 1250), Fate::Arrives { due: 25 * MS + PACKET, waited: 0 });
    }

    #[test]
    fn packets_at_once_arrive_in_order_at_the_rate() {
        let mut link = Link::new(options());
        for n in 1..=100 {
            assert_eq!(due(link.arrive(0, 1250)), 20 * MS + n * PACKET);
        }
    }

    #[test]
    fn a_full_queue_drops_the_last_and_takes_again_when_it_has_drained() {
        let mut link = Link::new(options());
        let taken = (0..200).filter(|_| link.arrive(0, 1250) != Fate::Dropped).count();
        assert_eq!(taken, 100);
        assert_eq!(link.arrive(PACKET - 1000, 1250), Fate::Dropped);
        assert_eq!(link.arrive(PACKET, 1250), Fate::Arrives { due: 20 * MS + 101 * PACKET, waited: 99 * PACKET });
    }

    #[test]
    fn a_queue_smaller_than_a_packet_still_lets_one_through_at_a_time() {
        let mut link = Link::new(LinkOptions { queue: 100, ..options() });
        assert_eq!(due(link.arrive(0, 1250)), 20 * MS + PACKET);
        assert_eq!(link.arrive(0, 1250), Fate::Dropped);
    }

    #[test]
    fn the_queue_keeps_its_bytes_when_the_rate_falls() {
        let schedule = Schedule::new(RATE, &[(MS, RATE / 4)]);
        let mut link = Link::new(LinkOptions { schedule, ..options() });
        let last = (0..100).map(|_| due(link.arrive(MS, 1250))).last();
        assert_eq!(last, Some(21 * MS + 400 * PACKET));
        assert_eq!(link.arrive(MS, 1250), Fate::Dropped);
    }

    #[test]
    fn random_loss_has_its_rate_uses_the_line_and_repeats_with_its_seed() {
        let run = |seed| {
            let mut link = Link::new(LinkOptions { loss: 0.05, seed, ..options() });
            (0..100_000).map(|n| link.arrive(n * PACKET, 1250)).collect::<Vec<_>>()
        };
        let first = run(7);
        let lost = first.iter().filter(|fate| matches!(fate, Fate::Lost { .. })).count();
        assert!((4_700..5_300).contains(&lost), "{lost}");
        assert_eq!(first, run(7));
        assert_ne!(first, run(8));
        let mut link = Link::new(LinkOptions { loss: 1.0, ..options() });
        assert_eq!(link.arrive(0, 1250), Fate::Lost { waited: 0 });
        assert_eq!(link.arrive(0, 1250), Fate::Lost { waited: PACKET });
    }

    #[test]
    fn a_black_line_loses_what_arrives_and_delivers_what_had_passed() {
        let mut link = Link::new(LinkOptions { black: vec![(10 * MS, 30 * MS)], ..options() });
        assert_eq!(due(link.arrive(10 * MS - 1, 1250)), 30 * MS - 1 + PACKET);
        assert_eq!(link.arrive(10 * MS, 1250), Fate::Black);
        assert_eq!(link.arrive(30 * MS - 1, 1250), Fate::Black);
        assert_eq!(due(link.arrive(30 * MS, 1250)), 50 * MS + PACKET);
    }
}
