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
mod nudge;
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No limit of this kind.
const NONE: u64 = u64::MAX;

/// What takes new limits from the other side of a session: wishes on a server, its rules and shares on a client.
pub(crate) type Steer = Arc<dyn Fn(RateSettings) + Send + Sync>;

/// Limits of one session, written by whoever commands it, read by the controller with every packet.
#[derive(Debug)]
pub struct Limits {
    /// The lower of target and cap, bytes per second.
    rate: AtomicU64,
    /// The same limits and the policy, as the law reads them.
    shared: Arc<SharedRate>,
    division: Mutex<Division>,
}

/// What of a session's limits its connections have.
#[derive(Debug, Default)]
struct Division {
    settings: RateSettings,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    limits: Arc<Limits>,
    /// Of target and cap.
    fraction: f64,
    /// Of the minimum.
    floor: f64,
}

impl Limits {
    /// With these settings.
    #[must_use]
    pub fn new(settings: RateSettings) -> Self {
        let this = Self { rate: AtomicU64::new(NONE), shared: Arc::default(), division: Mutex::default() };
        this.set(settings);
        this
    }

    /// Takes new settings, effective with the next packet, on every connection that has a part of them.
    pub fn set(&self, settings: RateSettings) {
        let mut division = self.division();
        division.settings = settings;
        division.spread();
        drop(division);
        let bytes = |rate: Option<RateKbps>| rate.map_or(NONE, |r| r.bytes_per_second().max(1_000));
        self.rate.store(bytes(settings.target).min(bytes(settings.cap)), Ordering::Relaxed);
        let bits = |rate: RateKbps| rate.0.saturating_mul(1_000);
        self.shared.set_policy(settings.policy);
        self.shared.set_target(settings.target.map(bits));
        self.shared.set_minimum(settings.minimum.map_or(0, bits));
        self.shared.set_cap(settings.cap.map_or(MOST_RATE, bits));
    }

    /// A connection has a part of these limits from now on; alone it has all, of several each the same at first.
    pub(crate) fn adopt(&self, limits: Arc<Self>) {
        let mut division = self.division();
        division.parts.push(Part { limits, fraction: 1.0, floor: 1.0 });
        let even = 1.0 / division.parts.len() as f64;
        for part in &mut division.parts {
            (part.fraction, part.floor) = (even, even);
        }
        division.spread();
    }

    /// A connection's part changes: its fraction of target and cap, and of the minimum.
    pub(crate) fn divide(&self, limits: &Arc<Self>, fraction: f64, floor: f64) {
        let mut division = self.division();
        for part in division.parts.iter_mut().filter(|part| Arc::ptr_eq(&part.limits, limits)) {
            (part.fraction, part.floor) = (fraction, floor);
        }
        division.spread();
    }

    /// The time packets wait in queues, as the controller sees it.
    pub(crate) fn queue_delay(&self) -> Duration {
        self.shared.observed().queue_delay
    }

    /// See [`SharedRate::nudge`]; on every connection that has a part of the limits.
    pub(crate) fn nudge(&self) {
        self.shared.nudge();
        for part in &self.division().parts {
            part.limits.nudge();
        }
    }

    /// For how long nothing that is on its way has been acknowledged, on the connection where that is longest.
    pub(crate) fn unanswered(&self, now: Instant) -> Duration {
        let parts = self.division().parts.iter().map(|part| part.limits.shared.unanswered(now)).max();
        parts.unwrap_or_default().max(self.shared.unanswered(now))
    }

    fn division(&self) -> MutexGuard<'_, Division> {
        self.division.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes per second that may be sent; `None` if nothing limits.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u64> {
        let rate = self.rate.load(Ordering::Relaxed);
        (rate != NONE).then_some(rate)
    }
}

impl Division {
    fn spread(&self) {
        let part = |rate: Option<RateKbps>, fraction: f64| {
            rate.map(|rate| RateKbps(((rate.0 as f64 * fraction) as u64).max(LEAST_PART)))
        };
        for Part { limits, fraction, floor } in &self.parts {
            let RateSettings { policy, target, minimum, cap } = self.settings;
            limits.set(RateSettings {
                policy,
                target: part(target, *fraction),
                minimum: part(minimum, *floor),
                cap: part(cap, *fraction),
            });
        }
    }
}

/// A connection is never left without any rate, kbit/s.
const LEAST_PART: u64 = 16;

/// Without a cap: 10 Gbit/s, in bits per second.
const MOST_RATE: u64 = 10_000_000_000;
