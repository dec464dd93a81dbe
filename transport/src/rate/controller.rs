//! The law as quinn's congestion controller. Thin on purpose: it translates times, sizes and settings, and decides nothing.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics};

use super::law::RateLaw;
use super::nudge::Nudged;
use super::shared::SharedRate;

/// Builds a controller for each path of the connections that share one rate handle.
///
/// The limits hold for each connection by itself; whoever opens several divides them.
#[derive(Clone, Debug)]
pub struct RateControllerFactory {
    shared: Arc<SharedRate>,
    origin: Instant,
    origin_at: Duration,
}

impl RateControllerFactory {
    /// A factory whose controllers obey `shared` and go by the system's clock.
    ///
    /// The law makes its sessions look at the empty path at the same moments of that clock; hosts whose clocks agree to a
    /// few hundredths of a second do it together.
    pub fn new(shared: Arc<SharedRate>) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::with_clock(shared, Instant::now(), since_epoch)
    }

    /// The same by another clock, on which `origin` is at `origin_at`; for simulations.
    pub fn with_clock(shared: Arc<SharedRate>, origin: Instant, origin_at: Duration) -> Self {
        // Small numbers keep their precision; the law only needs multiples of its own periods.
        let origin_at = Duration::new(origin_at.as_secs() % CLOCK_PERIOD, origin_at.subsec_nanos());
        Self { shared, origin, origin_at }
    }
}

impl ControllerFactory for RateControllerFactory {
    fn build(self: Arc<Self>, _now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(RateController {
            law: RateLaw::new(self.shared.settings(current_mtu), current_mtu),
            mtu: current_mtu,
            nudged: Nudged::new(&self.shared),
            phase: "",
            factory: (*self).clone(),
        })
    }
}

#[derive(Clone, Debug)]
struct RateController {
    law: RateLaw,
    factory: RateControllerFactory,
    mtu: u16,
    nudged: Nudged,
    phase: &'static str,
}

impl RateController {
    fn time(&self, at: Instant) -> Duration {
        self.factory.origin_at + at.saturating_duration_since(self.factory.origin)
    }

    fn shared(&self) -> &SharedRate {
        &self.factory.shared
    }

    /// What changed and, for those who look closely, everything.
    fn log(&mut self) {
        let (phase, rate) = (self.law.phase(), self.law.rate() * 8e-6);
        let path = self.law.path();
        let (base, queue, flight) = (path.base() * 1e3, path.queue() * 1e3, path.flight() * 1e3);
        if std::mem::replace(&mut self.phase, phase) != phase {
            tracing::debug!(phase, rate, base, queue, flight, floor = self.law.loss_floor(), "rate");
        } else {
            tracing::trace!(phase, rate, base, queue, flight, floor = self.law.loss_floor(), "rate");
        }
    }
}

impl Controller for RateController {
    fn on_sent(&mut self, _now: Instant, bytes: u64, _last_packet_number: u64) {
        self.law.on_sent(bytes);
        self.shared().count_sent(bytes);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, _app_limited: bool, _rtt: &RttEstimator) {
        // quinn's estimator is a round behind at this point; the raw sample is what counts.
        self.law.on_acked(self.time(now), self.time(sent), bytes);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, _app_limited: bool, _largest: Option<u64>) {
        self.law.set(self.shared().settings(self.mtu));
        self.law.on_ack_batch_end(self.time(now), in_flight);
        self.nudged.answered(&self.factory.shared, in_flight);
        self.log();
        let path = self.law.path();
        self.shared().observe(self.mtu, self.law.rate(), path.base(), path.queue(), self.law.loss_floor());
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        if lost_bytes == 0 {
            self.law.on_mark(self.time(now));
            return;
        }
        let packets = lost_bytes.div_ceil(u64::from(self.mtu.max(1)));
        self.law.on_lost(self.time(now), packets, is_persistent_congestion);
        self.shared().count_lost(lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.law.set_mtu(new_mtu);
    }

    fn window(&self) -> u64 {
        // Read afresh each time: a new limit holds for the very next packet.
        let window = self.law.window_under(&self.shared().settings(self.mtu));
        self.nudged.widen(self.shared(), window, self.mtu)
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = ControllerMetrics::default();
        metrics.congestion_window = self.window();
        metrics.pacing_rate = Some((self.law.rate() * 8.0) as u64);
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        RateLaw::new(self.shared().settings(self.mtu), self.mtu).window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A multiple of all periods of the law, seconds.
const CLOCK_PERIOD: u64 = 3600;
