//! quinn's seat for a congestion controller, given to the [`Law`](super::law::Law).

use super::Limits;
use super::law::Law;
use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Assumed before the first sample.
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Makes the controller of one connection, which reads `limits` with every packet.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) limits: Arc<Limits>,
}

impl ControllerFactory for Seat {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Seated { limits: self.limits.clone(), law: Law::new(current_mtu, INITIAL_RTT), begin: now })
    }
}

#[derive(Clone)]
struct Seated {
    limits: Arc<Limits>,
    law: Law,
    begin: Instant,
}

impl Controller for Seated {
    fn on_ack(&mut self, _now: Instant, _sent: Instant, bytes: u64, _app_limited: bool, rtt: &RttEstimator) {
        self.law.on_ack(bytes, rtt.get());
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, is_persistent_congestion: bool, _lost_bytes: u64) {
        self.law.on_loss(now.saturating_duration_since(self.begin), is_persistent_congestion);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.law.on_mtu(new_mtu);
    }

    fn window(&self) -> u64 {
        self.law.window(self.limits.bytes_per_second())
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
