//! TCP CUBIC (RFC 9438) with HyStart-like leaving of slow start: the competitor that fills queues.

use super::MS;
use super::flow::{Cc, Pacing, Packet};

pub struct Cubic {
    mss: f64,
    window: f64,
    ssthresh: f64,
    w_max: f64,
    epoch: Option<u64>,
    k: f64,
    w_est: f64,
    recover: u64,
    min_rtt: u64,
    sent_at_cut: u64,
    srtt: u64,
}

const C: f64 = 0.4;
const BETA: f64 = 0.7;

impl Cubic {
    pub fn new() -> Self {
        Self {
            mss: 1448.0,
            window: 10.0,
            ssthresh: f64::INFINITY,
            w_max: 0.0,
            epoch: None,
            k: 0.0,
            w_est: 0.0,
            recover: 0,
            min_rtt: u64::MAX,
            sent_at_cut: 0,
            srtt: 100 * MS,
        }
    }
}

impl Cc for Cubic {
    fn on_acked(&mut self, now: u64, packet: &Packet, _delivered: u64) {
        let rtt = now - packet.sent;
        self.min_rtt = self.min_rtt.min(rtt);
        if packet.sent < self.recover {
            return;
        }
        if self.window < self.ssthresh {
            self.window += 1.0;
            if self.window > 16.0 && rtt > self.min_rtt + (self.min_rtt / 8).clamp(4 * MS, 16 * MS) {
                self.ssthresh = self.window;
            }
            return;
        }
        let epoch = *self.epoch.get_or_insert_with(|| {
            self.w_max = self.w_max.max(self.window);
            self.k = ((self.w_max - self.window) / C).cbrt();
            self.w_est = self.window;
            now
        });
        let t = (now - epoch) as f64 / 1e9 + self.min_rtt as f64 / 1e9;
        let target = (C * (t - self.k).powi(3) + self.w_max).min(1.5 * self.window);
        self.w_est += 3.0 * (1.0 - BETA) / (1.0 + BETA) / self.window;
        if target > self.window {
            self.window += (target - self.window) / self.window;
        } else {
            self.window += 0.01 / self.window;
        }
        self.window = self.window.max(self.w_est);
    }

    fn on_batch_end(&mut self, _now: u64, _in_flight: u64, srtt: u64) {
        self.srtt = srtt;
    }

    fn on_lost(&mut self, now: u64, _bytes: u64, _packets: u64, persistent: bool) {
        if persistent {
            self.window = 2.0;
        }
        if now < self.sent_at_cut + self.srtt * 5 / 4 {
            return;
        }
        self.sent_at_cut = now;
        self.recover = now;
        self.w_max = if self.window < self.w_max { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.window = (self.window * BETA).max(2.0);
        self.ssthresh = self.window;
        self.epoch = None;
    }

    fn on_rto(&mut self, _now: u64) {
        self.ssthresh = (self.window * BETA).max(2.0);
        self.window = 2.0;
        self.epoch = None;
    }

    fn window(&self) -> u64 {
        (self.window * self.mss) as u64
    }

    fn pacing(&self) -> Pacing {
        Pacing::Burst
    }

    fn debug(&self) -> String {
        format!("cubic w={:.0}", self.window)
    }
}
