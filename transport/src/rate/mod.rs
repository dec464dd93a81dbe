//! Rate control: how fast a session sends.
//!
//! [`law::RateLaw`] is a pure state machine over sent, acknowledged and lost packets with the time passed in: it knows no
//! clock, no socket and no chance. Congestion is read from queueing delay and from losses above the path's own floor;
//! losses alone never slow a session down. [`controller`] wires it to quinn. Inside one machine the `local` law takes its
//! place ([`seat`](self)), and `pace` holds a target exactly where windows are too coarse for it.

pub mod ceiling;
pub mod compete;
pub mod controller;
pub mod dip;
pub mod law;
mod local;
pub mod loss;
mod pace;
pub mod path;
pub mod queue;
mod seat;
pub mod settings;
pub mod shared;
pub mod trim;
pub mod window;

pub use controller::RateControllerFactory;
pub use law::RateLaw;
pub(crate) use pace::Pace;
pub(crate) use seat::Seat;
pub use settings::{Policy, Settings};
pub use shared::{Observed, SharedRate};

use godwit_protocol::RateKbps;
use godwit_protocol::worker::RateSettings;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// No limit of this kind.
const NONE: u64 = u64::MAX;
/// Windows are made for at least this rate, bytes per second (1 Gbit/s): the rate may be raised later.
pub(crate) const DEFAULT_RATE: u64 = 125_000_000;

/// Limits of one session, written by whoever commands it, read by the controller with every packet.
#[derive(Debug)]
pub struct Limits {
    /// The lower of target and cap, bytes per second.
    rate: AtomicU64,
    /// The same limits and the policy, as the law reads them.
    shared: Arc<SharedRate>,
}

impl Limits {
    /// With these settings.
    #[must_use]
    pub fn new(settings: RateSettings) -> Self {
        let this = Self { rate: AtomicU64::new(NONE), shared: Arc::default() };
        this.set(settings);
        this
    }

    /// Takes new settings, effective with the next packet.
    pub fn set(&self, settings: RateSettings) {
        let bytes = |rate: Option<RateKbps>| rate.map_or(NONE, |r| r.bytes_per_second().max(1_000));
        self.rate.store(bytes(settings.target).min(bytes(settings.cap)), Ordering::Relaxed);
        let bits = |rate: RateKbps| rate.0.saturating_mul(1_000);
        self.shared.set_policy(settings.policy);
        self.shared.set_target(settings.target.map(bits));
        self.shared.set_minimum(settings.minimum.map_or(0, bits));
        self.shared.set_cap(settings.cap.map_or(MOST_RATE, bits));
    }

    /// Bytes per second that may be sent; `None` if nothing limits.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        let rate = self.rate.load(Ordering::Relaxed);
        (rate != NONE).then_some(rate)
    }
}

/// Without a cap: 10 Gbit/s, in bits per second.
const MOST_RATE: u64 = 10_000_000_000;
