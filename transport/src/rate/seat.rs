//! quinn's seat for a congestion controller: the [`RateLaw`](super::RateLaw) for paths between machines, the
//! [`LocalLaw`] inside one. Both see every event, so that either can take over when the first samples show which path it is.

use super::local::LocalLaw;
use super::nudge::Nudged;
use super::{Limits, RateControllerFactory};
use crate::endpoint::Reach;
use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Assumed before the first sample.
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Paths whose shortest round trip is below this are taken for this machine or its neighbour.
const LOCAL_RTT: Duration = Duration::from_millis(2);

/// Makes the controller of one connection, which reads `limits` with every packet.
#[derive(Debug)]
pub(crate) struct Seat {
    limits: Arc<Limits>,
    reach: Reach,
    far: Arc<RateControllerFactory>,
}

impl Seat {
    pub(crate) fn new(limits: Arc<Limits>, reach: Reach) -> Self {
        let far = Arc::new(RateControllerFactory::new(limits.shared.clone()));
        Self { limits, reach, far }
    }
}

impl ControllerFactory for Seat {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Seated {
            limits: self.limits.clone(),
            near: LocalLaw::new(current_mtu, INITIAL_RTT, self.reach),
            far: self.far.clone().build(now, current_mtu),
            is_near: false,
            mtu: current_mtu,
            nudged: Nudged::new(&self.limits.shared),
            begin: now,
        })
    }
}

struct Seated {
    limits: Arc<Limits>,
    near: LocalLaw,
    far: Box<dyn Controller>,
    is_near: bool,
    mtu: u16,
    nudged: Nudged,
    begin: Instant,
}

impl Controller for Seated {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.far.on_sent(now, bytes, last_packet_number);
        // Small ones may be acknowledgements, which nobody acknowledges.
        if bytes * 2 > u64::from(self.mtu) {
            self.limits.shared.asked(now);
        }
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.is_near = rtt.min() < LOCAL_RTT;
        self.near.on_ack(bytes, rtt.get());
        self.far.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.far.on_end_acks(now, in_flight, app_limited, largest);
        self.nudged.answered(&self.limits.shared, in_flight);
        self.limits.shared.answered(now, in_flight > 0);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.near.on_loss(now.saturating_duration_since(self.begin), is_persistent_congestion);
        self.far.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.near.on_mtu(new_mtu);
        self.far.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if !self.is_near {
            return self.far.window();
        }
        self.nudged.widen(&self.limits.shared, self.near.window(self.limits.bytes_per_second()), self.mtu)
    }

    fn metrics(&self) -> ControllerMetrics {
        self.far.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            limits: self.limits.clone(),
            near: self.near.clone(),
            far: self.far.clone_box(),
            is_near: self.is_near,
            mtu: self.mtu,
            nudged: self.nudged.clone(),
            begin: self.begin,
        })
    }

    fn initial_window(&self) -> u64 {
        self.far.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use godwit_protocol::worker::RateSettings;

    #[test]
    fn a_nudge_lets_a_few_packets_out_until_something_is_acknowledged_near_and_far() {
        for is_near in [true, false] {
            let limits = Arc::new(Limits::new(RateSettings::default()));
            let now = Instant::now();
            let seated = Arc::new(Seat::new(limits.clone(), Reach::Beyond)).build(now, 1452);
            let mut seated = seated.into_any().downcast::<Seated>().unwrap();
            seated.is_near = is_near;
            let full = seated.window();
            seated.on_sent(now, full, 9);
            for nudges in 1..4 {
                limits.nudge();
                assert_eq!(seated.window(), full + nudges * 4 * 1452, "near: {is_near}");
            }
            let later = now + Duration::from_secs(3);
            assert_eq!(
                limits.unanswered(later).as_secs(),
                2 + u64::from(limits.unanswered(later).as_millis() >= 3_000)
            );
            seated.on_end_acks(later, full / 2, false, None);
            assert_eq!(seated.window(), full, "near: {is_near}");
            assert_eq!(limits.unanswered(later), Duration::ZERO);
            assert_eq!(limits.unanswered(later + Duration::from_secs(2)), Duration::from_secs(2));
            seated.on_end_acks(later, 0, false, None);
            seated.on_sent(later, 60, 10);
            assert_eq!(limits.unanswered(later + Duration::from_secs(9)), Duration::ZERO, "nothing is on its way");
        }
    }
}
