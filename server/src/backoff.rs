//! How long the next login of an address or user must wait after failures. Pure: time is a parameter.
//!
//! Every failure adds a point to its address and to its user name; points halve every [`HALF_LIFE`]. A few mistyped
//! passwords cost nothing; then the wait doubles with every point. Waiting, not locking: an attacker who knows a user's
//! name can slow that user by at most [`MAX_USER_WAIT`] and never shut him out. Memory is bounded: beyond
//! [`MAX_ENTRIES`] the entries with the fewest points are forgotten.

use godwit_transport::places::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Points fall by half in this time.
pub const HALF_LIFE: Duration = Duration::from_secs(60);
/// Points that cost nothing.
pub const FREE: f64 = 3.0;
/// First wait after the free points.
pub const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Longest wait for an address.
pub const MAX_ADDRESS_WAIT: Duration = Duration::from_secs(8);
/// Longest wait for a user name, from whatever address.
pub const MAX_USER_WAIT: Duration = Duration::from_secs(2);
/// From so many points on an address is refused without being looked at, until it has fewer.
pub const BAN: f64 = 30.0;
/// Points of one address do not grow beyond this: the longest ban is a quarter of an hour.
const MAX_POINTS: f64 = BAN * 32768.0;
/// Most addresses, and most user names, remembered.
pub const MAX_ENTRIES: usize = 8192;
/// Longest part of a user name that is remembered, bytes: names are the peer's.
const MAX_NAME: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Score {
    points: f64,
    at: Instant,
}

impl Score {
    fn points(self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.points * (-passed / HALF_LIFE.as_secs_f64()).exp2()
    }
}

/// The failures of the recent past.
#[derive(Debug, Default)]
pub struct Backoff {
    addresses: HashMap<[u8; 16], Score>,
    users: HashMap<String, Score>,
}

impl Backoff {
    /// How long a login from `address` as `user` must wait before it is looked at.
    #[must_use]
    pub fn wait(&self, address: IpAddr, user: &str, now: Instant) -> Duration {
        let address = self.addresses.get(&network(address)).map_or(0.0, |s| s.points(now));
        let user = self.users.get(clip(user)).map_or(0.0, |s| s.points(now));
        wait_for(address, MAX_ADDRESS_WAIT).max(wait_for(user, MAX_USER_WAIT))
    }

    /// How long an address is still refused outright. Never a user: whoever knows a name could shut its owner out.
    #[must_use]
    pub fn banned(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let points = self.addresses.get(&network(address)).map_or(0.0, |s| s.points(now));
        (points > BAN).then(|| HALF_LIFE.mul_f64((points / BAN).log2()).max(Duration::from_secs(1)))
    }

    /// A login failed.
    pub fn failed(&mut self, address: IpAddr, user: &str, now: Instant) {
        add(&mut self.addresses, network(address), now);
        add(&mut self.users, clip(user).to_owned(), now);
    }

    /// A login succeeded: the address has shown that a real user sits there. The user's points stay, so that an
    /// attacker elsewhere gains nothing from it.
    pub fn succeeded(&mut self, address: IpAddr) {
        self.addresses.remove(&network(address));
    }
}

fn clip(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

fn wait_for(points: f64, most: Duration) -> Duration {
    // Rounding: three failures a moment apart are a little less than three points.
    let over = points - FREE + 0.01;
    if over < 1.0 {
        return Duration::ZERO;
    }
    // 2^20 times the first wait is far above any limit, and keeps the product finite.
    let factor = (over.floor() - 1.0).min(20.0).exp2();
    FIRST_WAIT.mul_f64(factor).min(most)
}

fn add<K: std::hash::Hash + Eq + Clone>(scores: &mut HashMap<K, Score>, key: K, now: Instant) {
    if scores.len() >= MAX_ENTRIES && !scores.contains_key(&key) {
        make_room(scores, now);
    }
    let points = (scores.get(&key).map_or(0.0, |s| s.points(now)) + 1.0).min(MAX_POINTS);
    scores.insert(key, Score { points, at: now });
}

/// Forgets the half with the fewest points: rarely, so that a flood does not make every insertion a search.
fn make_room<K: std::hash::Hash + Eq + Clone>(scores: &mut HashMap<K, Score>, now: Instant) {
    let mut ranked: Vec<(f64, K)> = scores.iter().map(|(key, score)| (score.points(now), key.clone())).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, key) in ranked.into_iter().take(MAX_ENTRIES / 2) {
        scores.remove(&key);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn t23_a_few_mistakes_cost_nothing_then_the_wait_doubles_up_to_a_limit() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..12 {
            backoff.failed(ip("192.0.2.1"), "ann", now);
            waits.push(backoff.wait(ip("192.0.2.1"), "ann", now).as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
    }

    #[test]
    fn t23_an_attacker_elsewhere_slows_a_user_but_never_shuts_him_out() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..200u8 {
            backoff.failed(ip(&format!("198.51.100.{n}")), "ann", now);
        }
        assert_eq!(backoff.wait(ip("192.0.2.1"), "ann", now), MAX_USER_WAIT);
        assert_eq!(backoff.wait(ip("192.0.2.1"), "bob", now), Duration::ZERO);
    }

    #[test]
    fn t23_an_address_that_goes_on_is_banned_for_a_while_and_a_user_never() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..100 {
            assert_eq!(backoff.banned(ip("192.0.2.1"), now).is_some(), n > 30, "{n}");
            backoff.failed(ip("192.0.2.1"), "ann", now);
        }
        let rest = backoff.banned(ip("192.0.2.1"), now).unwrap();
        assert!(rest > HALF_LIFE && rest < 2 * HALF_LIFE, "{rest:?}");
        assert_eq!(backoff.banned(ip("192.0.2.1"), now + rest + Duration::from_secs(1)), None);
        assert_eq!(backoff.banned(ip("192.0.2.2"), now), None);
        for _ in 0..2_000_000 {
            backoff.failed(ip("192.0.2.1"), "x", now);
        }
        assert!(backoff.banned(ip("192.0.2.1"), now).unwrap() <= 15 * HALF_LIFE);
    }

    #[test]
    fn time_heals_and_a_success_clears_the_address() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..9 {
            backoff.failed(ip("192.0.2.1"), "ann", now);
        }
        assert!(backoff.wait(ip("192.0.2.1"), "ann", now + 10 * HALF_LIFE).is_zero());
        backoff.succeeded(ip("192.0.2.1"));
        assert!(backoff.wait(ip("192.0.2.1"), "bob", now).is_zero());
    }

    #[test]
    fn t23_addresses_of_one_ipv6_network_count_together_and_mapped_ones_as_ipv4() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..9 {
            backoff.failed(ip(&format!("2001:db8::{n}")), &format!("u{n}"), now);
            backoff.failed(ip("::ffff:192.0.2.1"), &format!("u{n}"), now);
        }
        assert_eq!(backoff.wait(ip("2001:db8::ffff"), "x", now), MAX_ADDRESS_WAIT);
        assert_eq!(backoff.wait(ip("192.0.2.1"), "x", now), MAX_ADDRESS_WAIT);
        assert!(backoff.wait(ip("2001:db8:0:1::1"), "x", now).is_zero());
    }

    #[test]
    fn t23_a_flood_of_names_and_addresses_is_forgotten_not_stored() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..9 {
            backoff.failed(ip("192.0.2.1"), "ann", now);
        }
        for n in 0..3 * MAX_ENTRIES as u32 {
            backoff.failed(IpAddr::from(n.to_be_bytes()), &"ü".repeat(100 + n as usize % 7), now);
            backoff.failed(IpAddr::from([10, 0, 0, 1]), &format!("u{n}"), now);
        }
        assert!(backoff.addresses.len() <= MAX_ENTRIES && backoff.users.len() <= MAX_ENTRIES);
        assert_eq!(backoff.wait(ip("192.0.2.1"), "ann", now), MAX_ADDRESS_WAIT, "the worst are remembered longest");
    }
}
