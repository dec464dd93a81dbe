//! How much a site or client may ask: all numbers in one place, and the rate limit itself.

use crate::time::Now;
use godwit_protocol::Origin;
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests of one connection that may wait for an answer.
pub const MAX_PENDING: usize = 64;
/// Transfers on the list, all sites together.
pub const MAX_TRANSFERS: usize = 10_000;
/// Questions that one site may have waiting on one connection.
pub const MAX_PROMPTS_PER_SITE: usize = 4;
/// Paths that one dialog may return.
pub const MAX_CHOSEN: usize = 10_000;
/// Files that one site may have read at once.
pub const MAX_READING: usize = 4;
/// Servers that one site may try at once.
pub const MAX_PROBES: usize = 2;
/// Tombstones kept; the oldest go first.
pub const MAX_TOMBSTONES: usize = 10_000;
/// A tombstone's life.
pub const TOMBSTONE_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// A site may ask this many times at once…
const BURST: f64 = 400.0;
/// …and this many times a second in the long run. A page that follows a few transfers asks twice a second.
const PER_SECOND: f64 = 50.0;
/// Sites remembered; beyond that the fullest buckets, which limit nobody, are dropped.
const MAX_SITES: usize = 1_000;

/// A token bucket for each site.
#[derive(Debug, Default)]
pub struct RateLimit(BTreeMap<Origin, (f64, Duration)>);

impl RateLimit {
    /// Counts a request; false if the site asked too much.
    pub fn admit(&mut self, origin: &Origin, now: Now) -> bool {
        let full =
            |(left, at): (f64, Duration)| (left + now.mono.saturating_sub(at).as_secs_f64() * PER_SECOND).min(BURST);
        if self.0.len() >= MAX_SITES {
            self.0.retain(|_, bucket| full(*bucket) < BURST);
        }
        let bucket = self.0.entry(origin.clone()).or_insert((BURST, now.mono));
        let left = full(*bucket);
        *bucket = (left, now.mono);
        if left < 1.0 {
            return false;
        }
        bucket.0 -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_site_in_a_loop_is_slowed_down_and_others_are_not() {
        let at = |ms| Now { mono: Duration::from_millis(ms), wall_ms: 0 };
        let (a, b): (Origin, Origin) = ("https://a.example".parse().unwrap(), "https://b.example".parse().unwrap());
        let mut limit = RateLimit::default();
        let admitted = (0..1_000).filter(|_| limit.admit(&a, at(0))).count();
        assert_eq!(admitted, 400);
        assert!(limit.admit(&b, at(0)));
        assert!(!limit.admit(&a, at(10)));
        assert!(limit.admit(&a, at(1_000)));
        assert_eq!((0..1_000).filter(|_| limit.admit(&a, at(1_000))).count(), 49);
    }
}
