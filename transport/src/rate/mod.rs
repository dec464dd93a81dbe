//! How fast a session may send: limits that can be changed at any moment, the law that turns them into a window, and
//! the two places where it acts (quinn's controller seat, and the pace at which content is handed to quinn).

mod law;
mod pace;
mod seat;

pub(crate) use law::DEFAULT_RATE;
pub(crate) use pace::Pace;
pub(crate) use seat::Seat;

use godwit_protocol::RateKbps;
use godwit_protocol::spec::RatePolicy;
use godwit_protocol::worker::RateSettings;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// No limit of this kind.
const NONE: u64 = u64::MAX;

/// Limits of one session, written by whoever commands it, read by the controller with every packet.
#[derive(Debug)]
pub struct Limits {
    target: AtomicU64,
    minimum: AtomicU64,
    cap: AtomicU64,
    policy: AtomicU8,
}

impl Limits {
    /// With these settings.
    #[must_use]
    pub fn new(settings: RateSettings) -> Self {
        let this = Self {
            target: AtomicU64::new(NONE),
            minimum: AtomicU64::new(0),
            cap: AtomicU64::new(NONE),
            policy: AtomicU8::new(0),
        };
        this.set(settings);
        this
    }

    /// Takes new settings, effective with the next packet.
    pub fn set(&self, settings: RateSettings) {
        let bytes = |rate: Option<RateKbps>| rate.map_or(NONE, |r| r.bytes_per_second().max(1_000));
        self.target.store(bytes(settings.target), Ordering::Relaxed);
        self.cap.store(bytes(settings.cap), Ordering::Relaxed);
        self.minimum.store(settings.minimum.map_or(0, RateKbps::bytes_per_second), Ordering::Relaxed);
        let policy = match settings.policy {
            RatePolicy::Fixed => 0,
            RatePolicy::High => 1,
            RatePolicy::Fair => 2,
            RatePolicy::Low => 3,
        };
        self.policy.store(policy, Ordering::Relaxed);
    }

    /// Bytes per second that may be sent; `None` if nothing limits.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        let rate = self.target.load(Ordering::Relaxed).min(self.cap.load(Ordering::Relaxed));
        (rate != NONE).then_some(rate)
    }
}
