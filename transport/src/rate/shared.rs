//! The handle by which a session's rate is steered and watched while it runs.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::settings::{Policy, Settings};

/// Settings and observations of one session's rate, shared between its connections' controllers and whoever steers.
///
/// All rates are bits per second on the line: whole IP packets. A change is in force with the next packet. Fields are
/// read one by one, so a reader may see a new target with the old policy for an instant; each combination is valid.
#[derive(Debug)]
pub struct SharedRate {
    policy: AtomicU8,
    target: AtomicU64,
    minimum: AtomicU64,
    cap: AtomicU64,
    observed_rate: AtomicU64,
    base_rtt: AtomicU64,
    queue_delay: AtomicU64,
    loss_ppm: AtomicU64,
    sent_bytes: AtomicU64,
    lost_bytes: AtomicU64,
    nudges: AtomicU64,
    /// Since when something is on its way and nothing is acknowledged: milliseconds after `origin`, 0 = it is not so.
    asking: AtomicU64,
    origin: Instant,
}

/// What the controller sees of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observed {
    /// Rate allowed now, bits per second on the line; 0 before the first acknowledgement.
    pub rate: u64,
    /// Round trip of the empty path.
    pub base_rtt: Duration,
    /// Time packets wait in queues, on top of it.
    pub queue_delay: Duration,
    /// Losses that the path has on its own, 0..1.
    pub loss_floor: f64,
    /// Bytes of QUIC packets sent and given up, in all.
    pub sent_bytes: u64,
    /// See `sent_bytes`.
    pub lost_bytes: u64,
}

impl SharedRate {
    /// A handle with these limits, bits per second; no target = as much as the path carries.
    pub fn new(policy: Policy, target: Option<u64>, minimum: u64, cap: u64) -> Self {
        let new = Self::default();
        new.set_policy(policy);
        new.set_target(target);
        new.set_minimum(minimum);
        new.set_cap(cap);
        new
    }

    /// Changes the behaviour under congestion.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(policy as u8, Ordering::Relaxed);
    }

    /// Changes the rate asked for.
    pub fn set_target(&self, target: Option<u64>) {
        self.target.store(target.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Changes the rate not to go below.
    pub fn set_minimum(&self, minimum: u64) {
        self.minimum.store(minimum, Ordering::Relaxed);
    }

    /// Changes the rate never to exceed. The cap wins over target and minimum; 0 stands for a trickle, not for a stop.
    pub fn set_cap(&self, cap: u64) {
        self.cap.store(cap, Ordering::Relaxed);
    }

    /// Nothing was heard for long: lets a few more packets out beside those that are on their way, so that the next thing
    /// written asks the path whether it is back. quinn's own probes come at intervals that double.
    pub fn nudge(&self) {
        self.nudges.fetch_add(1, Ordering::Relaxed);
    }

    /// What the controller saw last.
    pub fn observed(&self) -> Observed {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Observed {
            rate: load(&self.observed_rate),
            base_rtt: Duration::from_micros(load(&self.base_rtt)),
            queue_delay: Duration::from_micros(load(&self.queue_delay)),
            loss_floor: load(&self.loss_ppm) as f64 / 1e6,
            sent_bytes: load(&self.sent_bytes),
            lost_bytes: load(&self.lost_bytes),
        }
    }

    /// The settings in bytes of QUIC packets of `mtu` bytes.
    pub(super) fn settings(&self, mtu: u16) -> Settings {
        let share = packet_share(mtu) / 8.0;
        let target = self.target.load(Ordering::Relaxed);
        Settings {
            policy: match self.policy.load(Ordering::Relaxed) {
                FIXED => Policy::Fixed,
                HIGH => Policy::High,
                LOW => Policy::Low,
                _ => Policy::Fair,
            },
            target: (target != u64::MAX).then_some(target as f64 * share),
            minimum: self.minimum.load(Ordering::Relaxed) as f64 * share,
            cap: self.cap.load(Ordering::Relaxed) as f64 * share,
        }
    }

    pub(super) fn observe(&self, mtu: u16, rate: f64, base_rtt: f64, queue: f64, loss_floor: f64) {
        self.observed_rate.store((rate * 8.0 / packet_share(mtu)) as u64, Ordering::Relaxed);
        self.base_rtt.store((base_rtt * 1e6) as u64, Ordering::Relaxed);
        self.queue_delay.store((queue * 1e6) as u64, Ordering::Relaxed);
        self.loss_ppm.store((loss_floor * 1e6) as u64, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn nudges(&self) -> u64 {
        self.nudges.load(Ordering::Relaxed)
    }

    /// For how long something has been on its way with nothing acknowledged; none if nothing is.
    pub(crate) fn unanswered(&self, now: Instant) -> Duration {
        match self.asking.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.millis(now).saturating_sub(since)),
        }
    }

    /// Something was sent that the peer acknowledges.
    pub(super) fn asked(&self, now: Instant) {
        let _ = self.asking.compare_exchange(0, self.millis(now), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Something was acknowledged; whether more is on its way.
    pub(super) fn answered(&self, now: Instant, more: bool) {
        self.asking.store(if more { self.millis(now) } else { 0 }, Ordering::Relaxed);
    }

    /// Never 0.
    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn count_lost(&self, bytes: u64) {
        self.lost_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Default for SharedRate {
    /// Fair, no target, no minimum, 10 Gbit/s at most.
    fn default() -> Self {
        Self {
            policy: AtomicU8::new(Policy::Fair as u8),
            target: AtomicU64::new(u64::MAX),
            minimum: AtomicU64::new(0),
            cap: AtomicU64::new(10_000_000_000),
            observed_rate: AtomicU64::new(0),
            base_rtt: AtomicU64::new(0),
            queue_delay: AtomicU64::new(0),
            loss_ppm: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            lost_bytes: AtomicU64::new(0),
            nudges: AtomicU64::new(0),
            asking: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }
}

/// Share of the line that QUIC packets have: the rest are IPv4 and UDP headers.
fn packet_share(mtu: u16) -> f64 {
    f64::from(mtu) / (f64::from(mtu) + HEADERS)
}

const HEADERS: f64 = 28.0;
const FIXED: u8 = Policy::Fixed as u8;
const HIGH: u8 = Policy::High as u8;
const LOW: u8 = Policy::Low as u8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_on_the_line_leaves_room_for_headers() {
        let shared = SharedRate::new(Policy::High, Some(100_000_000), 1_000_000, 50_000_000);
        let settings = shared.settings(1452);
        assert_eq!(settings.policy, Policy::High);
        assert!((settings.ceiling() - 50e6 / 8.0 * 1452.0 / 1480.0).abs() < 1.0);
        assert!(settings.floor() < 1e6 / 8.0);
        shared.set_target(None);
        assert_eq!(shared.settings(1452).target, None);
        shared.observe(1452, settings.ceiling(), 0.1, 0.01, 0.05);
        let seen = shared.observed();
        assert!(seen.rate.abs_diff(50_000_000) <= 1);
        assert_eq!(seen.base_rtt, Duration::from_millis(100));
    }
}
