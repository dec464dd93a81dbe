//! A plain BBR (version 1): largest delivery rate of ten rounds, smallest round trip of ten seconds, gain cycle.

use std::collections::VecDeque;

use super::flow::{Cc, Pacing, Packet};
use super::{MS, SEC};

#[derive(PartialEq, Debug)]
enum State {
    Startup,
    Drain,
    ProbeBw,
    ProbeRtt,
}

pub struct Bbr {
    state: State,
    bw: VecDeque<(u64, f64)>,
    round: u64,
    round_end: u64,
    min_rtt: u64,
    min_rtt_at: u64,
    full_bw: f64,
    full_rounds: u32,
    cycle: usize,
    cycle_at: u64,
    probe_done: u64,
    delivered: u64,
}

const HIGH: f64 = 2.885;
const CYCLE: [f64; 8] = [1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];

impl Bbr {
    pub fn new() -> Self {
        Self {
            state: State::Startup,
            bw: VecDeque::new(),
            round: 0,
            round_end: 0,
            min_rtt: u64::MAX,
            min_rtt_at: 0,
            full_bw: 0.0,
            full_rounds: 0,
            cycle: 2,
            cycle_at: 0,
            probe_done: 0,
            delivered: 0,
        }
    }

    fn bandwidth(&self) -> f64 {
        self.bw.front().map_or(0.0, |b| b.1)
    }

    fn bdp(&self) -> f64 {
        self.bandwidth() * self.min_rtt.min(10 * SEC) as f64 / 1e9
    }
}

impl Cc for Bbr {
    fn on_acked(&mut self, now: u64, packet: &Packet, delivered: u64) {
        self.delivered = delivered;
        let rtt = now - packet.sent;
        let expired = now > self.min_rtt_at + 10 * SEC;
        if rtt <= self.min_rtt || expired {
            if expired && self.state == State::ProbeBw {
                self.state = State::ProbeRtt;
                self.probe_done = now + 200 * MS + rtt;
            }
            self.min_rtt = rtt;
            self.min_rtt_at = now;
        }
        let span = now.saturating_sub(packet.delivered_at);
        if span > 0 && span >= self.min_rtt / 2 {
            let sample = (delivered - packet.delivered) as f64 * 1e9 / span as f64;
            while self.bw.back().is_some_and(|b| b.1 <= sample) {
                self.bw.pop_back();
            }
            self.bw.push_back((self.round, sample));
        }
        if packet.delivered >= self.round_end {
            self.round += 1;
            self.round_end = delivered;
            while self.bw.front().is_some_and(|b| b.0 + 10 < self.round) {
                self.bw.pop_front();
            }
            if self.state == State::Startup {
                if self.bandwidth() > self.full_bw * 1.25 {
                    self.full_bw = self.bandwidth();
                    self.full_rounds = 0;
                } else {
                    self.full_rounds += 1;
                }
                if self.full_rounds >= 3 {
                    self.state = State::Drain;
                }
            }
        }
    }

    fn on_batch_end(&mut self, now: u64, in_flight: u64, _srtt: u64) {
        match self.state {
            State::Drain if (in_flight as f64) < self.bdp() => {
                self.state = State::ProbeBw;
                self.cycle_at = now;
            }
            State::ProbeBw if now > self.cycle_at + self.min_rtt => {
                self.cycle = (self.cycle + 1) % 8;
                self.cycle_at = now;
            }
            State::ProbeRtt if now > self.probe_done => {
                self.state = State::ProbeBw;
                self.min_rtt_at = now;
                self.cycle_at = now;
            }
            _ => {}
        }
    }

    fn on_lost(&mut self, _now: u64, _bytes: u64, _packets: u64, _persistent: bool) {}

    fn window(&self) -> u64 {
        if self.state == State::ProbeRtt {
            return 4 * 1448;
        }
        if self.bw.is_empty() {
            return 10 * 1448;
        }
        let gain = if self.state == State::Startup { HIGH } else { 2.0 };
        (gain * self.bdp()).max(4.0 * 1448.0) as u64 + 3 * 1448
    }

    fn pacing(&self) -> Pacing {
        if self.bw.is_empty() {
            return Pacing::Rate(1448.0 * 10.0 / 0.02);
        }
        let gain = match self.state {
            State::Startup => HIGH,
            State::Drain => 1.0 / HIGH,
            State::ProbeBw => CYCLE[self.cycle],
            State::ProbeRtt => 1.0,
        };
        Pacing::Rate((gain * self.bandwidth()).max(1448.0 * 20.0))
    }

    fn debug(&self) -> String {
        format!("bbr {:?} {:.1}", self.state, self.bandwidth() * 8.0 / 1e6)
    }
}
