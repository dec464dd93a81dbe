//! The law under test as a flow of the simulator.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use godwit_transport::rate::{RateLaw, Settings};

use super::flow::{Cc, Pacing, Packet};

/// A law that the scenario can reach while it runs.
#[derive(Clone)]
pub struct Ours(pub Rc<RefCell<RateLaw>>);

impl Ours {
    pub fn new(settings: Settings) -> Self {
        Self(Rc::new(RefCell::new(RateLaw::new(settings, 1452))))
    }

    pub fn boxed(settings: Settings) -> Box<dyn Cc> {
        Box::new(Self::new(settings))
    }
}

impl Cc for Ours {
    fn on_sent(&mut self, _now: u64, bytes: u64) {
        self.0.borrow_mut().on_sent(bytes);
    }

    fn on_acked(&mut self, now: u64, packet: &Packet, _delivered: u64) {
        self.0.borrow_mut().on_acked(Duration::from_nanos(now), Duration::from_nanos(packet.sent), packet.bytes);
    }

    fn on_batch_end(&mut self, now: u64, in_flight: u64, _srtt: u64) {
        self.0.borrow_mut().on_ack_batch_end(Duration::from_nanos(now), in_flight);
    }

    fn on_lost(&mut self, now: u64, _bytes: u64, packets: u64, persistent: bool) {
        self.0.borrow_mut().on_lost(Duration::from_nanos(now), packets, persistent);
    }

    fn window(&self) -> u64 {
        self.0.borrow().window()
    }

    fn pacing(&self) -> Pacing {
        Pacing::Quinn
    }

    fn debug(&self) -> String {
        let law = self.0.borrow();
        format!(
            "{:7} rate={:6.1} q={:5.1} base={:5.1} fl={:5.1} p0={:.3} dlv={:6.1}",
            law.phase(),
            law.rate() * 8.0 / 1e6,
            law.path().queue() * 1e3,
            law.path().base() * 1e3,
            law.path().flight() * 1e3,
            law.loss_floor(),
            law.path().delivery_rate(0.0) * 8.0 / 1e6,
        )
    }
}
