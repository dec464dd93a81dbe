//! One sender and its receiver: packet numbers, acknowledgements, loss detection, pacing as in quinn-proto.

use std::collections::VecDeque;

use super::MS;

/// A packet in flight, with the delivery counters a rate sampler needs.
#[derive(Clone, Copy)]
pub struct Packet {
    pub sent: u64,
    pub bytes: u64,
    pub delivered: u64,
    pub delivered_at: u64,
    pub done: bool,
}

/// How packets leave between acknowledgements.
pub enum Pacing {
    /// quinn-proto: a token bucket at 1.25 windows per round trip, 2 ms deep (10 to 256 packets).
    Quinn,
    /// Exactly this many bytes per second.
    Rate(f64),
    /// As soon as the window allows.
    Burst,
}

/// A congestion controller under test or in competition.
pub trait Cc {
    fn on_sent(&mut self, _now: u64, _bytes: u64) {}
    fn on_acked(&mut self, now: u64, packet: &Packet, delivered: u64);
    fn on_batch_end(&mut self, now: u64, in_flight: u64, srtt: u64);
    fn on_lost(&mut self, now: u64, bytes: u64, packets: u64, persistent: bool);
    fn on_rto(&mut self, _now: u64) {}
    fn window(&self) -> u64;
    fn pacing(&self) -> Pacing;
    fn debug(&self) -> String {
        String::new()
    }
}

/// What differs between a QUIC session of ours and a TCP connection.
#[derive(Clone)]
pub struct FlowSpec {
    pub start: u64,
    pub stop: u64,
    /// Bytes per packet as the controller counts them, and on the line.
    pub bytes: u64,
    pub wire: u64,
    pub ack_every: u64,
    pub ack_delay: u64,
    pub reorder_threshold: u64,
    /// Precision of the sender's timers, ns.
    pub timer: u64,
    /// The application writes no faster than this (bytes/s).
    pub app_rate: f64,
}

impl FlowSpec {
    pub fn ours() -> Self {
        Self {
            start: 0,
            stop: u64::MAX,
            bytes: 1452,
            wire: 1480,
            ack_every: 64,
            ack_delay: 10 * MS,
            reorder_threshold: 128,
            timer: MS,
            app_rate: f64::INFINITY,
        }
    }

    pub fn tcp() -> Self {
        Self {
            bytes: 1448,
            wire: 1500,
            ack_every: 2,
            ack_delay: 40 * MS,
            reorder_threshold: 3,
            timer: 1,
            ..Self::ours()
        }
    }

    pub fn starting(mut self, at: u64) -> Self {
        self.start = at;
        self
    }

    pub fn stopping(mut self, at: u64) -> Self {
        self.stop = at;
        self
    }
}

pub struct Flow {
    pub spec: FlowSpec,
    pub cc: Box<dyn Cc>,
    pub sent: VecDeque<Packet>,
    pub first_pn: u64,
    pub in_flight: u64,
    pub largest_acked: Option<u64>,
    pub srtt: u64,
    pub rttvar: u64,
    pub latest: u64,
    pub delivered: u64,
    pub delivered_at: u64,
    pub pto_count: u32,
    pub last_progress: u64,
    pub send_armed: u64,
    pub loss_armed: u64,
    pub app_sent: f64,
    tokens: f64,
    tokens_at: u64,
    // Receiver
    pub pending: Vec<u64>,
    pub next_expected: u64,
    pub ack_armed: bool,
    pub unacked: u64,
    // Measures
    pub received: Vec<u64>,
    pub sent_packets: u64,
    pub tail_drops: u64,
    pub lost: u64,
    pub declared_lost: u64,
}

impl Flow {
    pub fn new(spec: FlowSpec, cc: Box<dyn Cc>) -> Self {
        Self {
            spec,
            cc,
            sent: VecDeque::new(),
            first_pn: 0,
            in_flight: 0,
            largest_acked: None,
            srtt: 100 * MS,
            rttvar: 50 * MS,
            latest: 0,
            delivered: 0,
            delivered_at: 0,
            pto_count: 0,
            last_progress: 0,
            send_armed: 0,
            loss_armed: 0,
            app_sent: 0.0,
            tokens: 0.0,
            tokens_at: 0,
            pending: Vec::new(),
            next_expected: 0,
            ack_armed: false,
            unacked: 0,
            received: Vec::new(),
            sent_packets: 0,
            tail_drops: 0,
            lost: 0,
            declared_lost: 0,
        }
    }

    pub fn next_pn(&self) -> u64 {
        self.first_pn + self.sent.len() as u64
    }

    /// When the next packet may leave as far as pacing goes.
    pub fn paced_at(&mut self, now: u64) -> Option<u64> {
        let bytes = self.spec.bytes as f64;
        let (rate, capacity) = match self.cc.pacing() {
            Pacing::Burst => return None,
            Pacing::Rate(rate) => (rate, bytes),
            Pacing::Quinn => {
                let per_second = self.cc.window() as f64 * 1e9 / self.srtt as f64;
                (1.25 * per_second, (per_second * 0.002).clamp(10.0 * bytes, 256.0 * bytes))
            }
        };
        self.tokens = (self.tokens + rate * (now - self.tokens_at) as f64 / 1e9).min(capacity);
        self.tokens_at = now;
        if self.tokens >= bytes {
            return None;
        }
        let wait = ((capacity - self.tokens) / rate * 1e9) as u64;
        let at = now + wait.max(1);
        Some(at.div_ceil(self.spec.timer) * self.spec.timer)
    }

    pub fn record_sent(&mut self, now: u64) -> u64 {
        let pn = self.next_pn();
        let bytes = self.spec.bytes;
        if self.in_flight == 0 {
            self.delivered_at = now;
        }
        self.sent.push_back(Packet {
            sent: now,
            bytes,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            done: false,
        });
        self.in_flight += bytes;
        self.tokens -= bytes as f64;
        self.sent_packets += 1;
        self.app_sent += bytes as f64;
        self.cc.on_sent(now, bytes);
        pn
    }

    pub fn on_ack(&mut self, now: u64, acked: &[u64]) {
        let mut newest: Option<(u64, u64)> = None;
        let mut any = false;
        for &pn in acked {
            if pn < self.first_pn {
                continue;
            }
            let index = (pn - self.first_pn) as usize;
            let Some(packet) = self.sent.get_mut(index) else { continue };
            if packet.done {
                continue;
            }
            packet.done = true;
            let copy = *packet;
            any = true;
            self.in_flight -= copy.bytes;
            self.delivered += copy.bytes;
            self.delivered_at = now;
            if newest.is_none_or(|(n, _)| pn > n) {
                newest = Some((pn, copy.sent));
            }
            self.cc.on_acked(now, &copy, self.delivered);
        }
        if !any {
            return;
        }
        self.cc.on_batch_end(now, self.in_flight, self.srtt);
        if let Some((pn, sent)) = newest
            && self.largest_acked.is_none_or(|l| pn > l)
        {
            let first = self.largest_acked.is_none();
            self.largest_acked = Some(pn);
            let sample = now - sent;
            self.latest = sample;
            if first {
                self.srtt = sample;
                self.rttvar = sample / 2;
            } else {
                self.rttvar = (3 * self.rttvar + self.srtt.abs_diff(sample)) / 4;
                self.srtt = (7 * self.srtt + sample) / 8;
            }
        }
        self.pto_count = 0;
        self.last_progress = now;
        self.detect(now);
    }

    /// Declares losses; returns when to look again.
    pub fn detect(&mut self, now: u64) -> Option<u64> {
        let largest = self.largest_acked?;
        let limit = self.srtt.max(self.latest) * 9 / 8;
        let (mut bytes, mut packets, mut again) = (0, 0, None);
        let (mut oldest, mut newest) = (u64::MAX, 0);
        for (i, packet) in self.sent.iter_mut().enumerate() {
            let pn = self.first_pn + i as u64;
            if pn >= largest {
                break;
            }
            if packet.done {
                continue;
            }
            if pn + self.spec.reorder_threshold <= largest || packet.sent + limit <= now {
                packet.done = true;
                bytes += packet.bytes;
                packets += 1;
                oldest = oldest.min(packet.sent);
                newest = newest.max(packet.sent);
            } else {
                again = Some(packet.sent + limit);
                break;
            }
        }
        while self.sent.front().is_some_and(|p| p.done) {
            self.sent.pop_front();
            self.first_pn += 1;
        }
        if packets > 0 {
            self.in_flight -= bytes;
            self.declared_lost += packets;
            let pto = self.srtt + 4 * self.rttvar + 10 * MS;
            self.cc.on_lost(now, bytes, packets, newest.saturating_sub(oldest) > 3 * pto);
        }
        again
    }

    /// A packet reached the receiver; true if an acknowledgement is due at once.
    pub fn receive(&mut self, pn: u64) -> bool {
        self.pending.push(pn);
        self.unacked += 1;
        let gap = pn >= self.next_expected + 2;
        let new_gap = pn > self.next_expected;
        if pn >= self.next_expected {
            self.next_expected = pn + 1;
        }
        self.unacked >= self.spec.ack_every || gap || (new_gap && self.spec.ack_every <= 2)
    }

    pub fn pto(&self) -> u64 {
        (self.srtt + 4 * self.rttvar.max(MS) + 25 * MS) << self.pto_count.min(6)
    }
}
