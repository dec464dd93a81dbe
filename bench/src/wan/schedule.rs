//! The bottleneck's rate over time, and how long it takes to send something. Pure.

/// Nanoseconds since the line came up.
pub type Nanos = u64;

/// Rates in bit/s, each from its moment on.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Ascending; the first starts at 0.
    steps: Vec<(Nanos, u64)>,
}

impl Schedule {
    /// A rate from the start and later changes. A rate of 0 bit/s means that the line has no bottleneck.
    #[must_use]
    pub fn new(first: u64, changes: &[(Nanos, u64)]) -> Self {
        let mut steps = vec![(0, first)];
        steps.extend_from_slice(changes);
        // Stable: of two changes at the same moment the later one counts.
        steps.sort_by_key(|(from, _)| *from);
        Self { steps }
    }

    /// The rate in bit/s at a moment.
    #[must_use]
    pub fn rate_at(&self, now: Nanos) -> u64 {
        self.steps[self.index(now)].1
    }

    /// When the last bit of `bytes` is sent, whose first is sent at `start`.
    #[must_use]
    pub fn finish(&self, start: Nanos, bytes: u64) -> Nanos {
        let (mut at, mut left) = (start, bytes as f64 * 8e9);
        for (index, (_, rate)) in self.steps.iter().enumerate().skip(self.index(start)) {
            if *rate == 0 {
                return at;
            }
            let need = left / *rate as f64;
            let Some((next, _)) = self.steps.get(index + 1) else {
                return at + need as Nanos;
            };
            let room = next.saturating_sub(at);
            if need <= room as f64 {
                return at + need as Nanos;
            }
            left -= room as f64 * *rate as f64;
            at = *next;
        }
        at
    }

    /// The bytes sent between two moments by a bottleneck that has always something to send; where it has no rate, none.
    #[must_use]
    pub fn bytes_between(&self, from: Nanos, until: Nanos) -> u64 {
        let mut bits = 0.0;
        let mut at = from;
        for (index, (_, rate)) in self.steps.iter().enumerate().skip(self.index(from)) {
            let end = self.steps.get(index + 1).map_or(until, |(next, _)| until.min(*next));
            bits += end.saturating_sub(at) as f64 * *rate as f64 / 1e9;
            at = at.max(end);
            if at >= until {
                break;
            }
        }
        (bits / 8.0).round() as u64
    }

    fn index(&self, now: Nanos) -> usize {
        self.steps.iter().rposition(|(from, _)| *from <= now).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn a_packet_takes_its_bits_over_the_rate() {
        let plan = Schedule::new(100_000_000, &[]);
        assert_eq!(plan.finish(7 * SECOND, 1250), 7 * SECOND + 100_000);
        assert_eq!(plan.bytes_between(0, SECOND), 12_500_000);
    }

    #[test]
    fn what_is_being_sent_when_the_rate_changes_goes_on_at_the_new_rate() {
        let plan = Schedule::new(200_000_000, &[(SECOND, 50_000_000)]);
        // 2.5 MB before the change, the other 2.5 MB at a quarter of the rate.
        assert_eq!(plan.finish(SECOND - 100_000_000, 5_000_000), SECOND + 400_000_000);
        assert_eq!(plan.bytes_between(SECOND - 100_000_000, SECOND + 400_000_000), 5_000_000);
        assert_eq!((plan.rate_at(SECOND - 1), plan.rate_at(SECOND)), (200_000_000, 50_000_000));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let plan = Schedule::new(0, &[]);
        assert_eq!(plan.finish(SECOND, 1_000_000), SECOND);
        assert_eq!(plan.bytes_between(0, SECOND), 0);
    }
}
