//! The pace at which content is handed to quinn. On short paths the window alone cannot hold a rate, as it is never
//! smaller than what the slowest acknowledgement needs; here the average is exact at any distance.

use super::Limits;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How far the pace may run ahead: after a pause no more than this is made good.
const DEPTH: Duration = Duration::from_millis(50);
const LEAST_SLICE: u64 = 4 * 1024;
/// Largest piece handed to quinn at once; small pieces make quinn search long lists (reference, 2.3.3).
const MOST_SLICE: u64 = 256 * 1024;
/// A change of the limit acts at least this soon.
const LONGEST_NAP: Duration = Duration::from_millis(200);

/// Shared by all streams of a session.
pub(crate) struct Pace {
    limits: Arc<Limits>,
    /// When the next byte is due.
    due: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, due: Mutex::new(None) }
    }

    /// Bytes worth handing over at once under the present limit.
    pub(crate) fn slice(&self) -> u64 {
        match self.limits.bytes_per_second() {
            None => u64::MAX,
            Some(rate) => (rate / 100).clamp(LEAST_SLICE, MOST_SLICE),
        }
    }

    /// Returns when `bytes` may go.
    pub(crate) async fn wait(&self, bytes: u64) {
        loop {
            let Some(rate) = self.limits.bytes_per_second() else { return };
            let now = Instant::now();
            let nap = match self.take(now, rate, bytes) {
                None => return,
                Some(nap) => nap.min(LONGEST_NAP),
            };
            tokio::time::sleep(nap).await;
        }
    }

    /// `None`: taken; otherwise the time until it can be.
    fn take(&self, now: Instant, rate: u64, bytes: u64) -> Option<Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let at = due.unwrap_or(now).max(now.checked_sub(DEPTH).unwrap_or(now));
        if at > now {
            return Some(at - now);
        }
        *due = Some(
            at + Duration::from_nanos(
                u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1))).unwrap_or(u64::MAX / 4),
            ),
        );
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use godwit_protocol::RateKbps;
    use godwit_protocol::worker::RateSettings;

    fn limits(kbps: u64) -> RateSettings {
        RateSettings { target: Some(RateKbps(kbps)), ..RateSettings::default() }
    }

    #[test]
    fn the_average_is_the_target_at_any_grain_and_a_pause_is_not_made_good() {
        let pace = Pace::new(Arc::new(Limits::new(limits(80_000))));
        let begin = Instant::now();
        let mut now = begin;
        for _ in 0..100 {
            while let Some(nap) = pace.take(now, 10_000_000, 100_000) {
                now += nap;
            }
        }
        let seconds = (now - begin).as_secs_f64();
        assert!((0.9..=1.0).contains(&seconds), "10 MB at 10 MB/s took {seconds} s");
        now += Duration::from_secs(60);
        let after = now;
        for _ in 0..100 {
            while let Some(nap) = pace.take(now, 10_000_000, 100_000) {
                now += nap;
            }
        }
        assert!(now - after > Duration::from_millis(900));
    }

    #[tokio::test]
    async fn without_a_limit_nothing_waits_and_a_new_limit_is_seen_at_once() {
        let shared = Arc::new(Limits::new(RateSettings::default()));
        let pace = Pace::new(shared.clone());
        pace.wait(u64::MAX).await;
        assert_eq!(pace.slice(), u64::MAX);
        shared.set(limits(8_000));
        assert_eq!(pace.slice(), 10_000);
    }
}
