//! The event loop: packets, acknowledgements, timers, changes of the line; and what was measured.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::flow::{Cc, Flow, FlowSpec};
use super::link::{Fate, Link, LinkSpec};
use super::rng::Rng;
use super::{MS, SEC};

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Start(usize),
    Send(usize),
    Arrive(usize, u64),
    AckTimer(usize),
    Ack(usize, usize),
    LossTimer(usize),
    Pto(usize),
    Change(usize),
    Sample,
}

type Change = Box<dyn FnOnce(&mut World)>;

pub struct World {
    pub now: u64,
    pub link: Link,
    pub flows: Vec<Flow>,
    pub trace: bool,
    /// Queueing delay every 2 ms: (time, ns).
    pub queue: Vec<(u64, u64)>,
    rng: Rng,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    acks: Vec<Vec<u64>>,
    free_acks: Vec<usize>,
    changes: Vec<Option<Change>>,
}

/// Length of one bin of `Flow::received`.
pub const BIN: u64 = 50 * MS;
const SAMPLE: u64 = 2 * MS;

impl World {
    pub fn new(spec: LinkSpec, seed: u64) -> Self {
        let mut world = Self {
            now: 0,
            link: Link::new(spec),
            flows: Vec::new(),
            trace: std::env::var_os("RATE_TRACE").is_some(),
            queue: Vec::new(),
            rng: Rng::new(seed),
            events: BinaryHeap::new(),
            order: 0,
            acks: Vec::new(),
            free_acks: Vec::new(),
            changes: Vec::new(),
        };
        world.at(0, Event::Sample);
        world
    }

    pub fn add(&mut self, spec: FlowSpec, cc: Box<dyn Cc>) -> usize {
        let id = self.flows.len();
        let start = spec.start;
        self.flows.push(Flow::new(spec, cc));
        self.at(start, Event::Start(id));
        id
    }

    /// Runs `change` at a moment.
    pub fn change_at(&mut self, at: u64, change: impl FnOnce(&mut Self) + 'static) {
        self.changes.push(Some(Box::new(change)));
        self.at(at, Event::Change(self.changes.len() - 1));
    }

    /// Alters the line at a moment.
    pub fn line_at(&mut self, at: u64, alter: impl FnOnce(&mut LinkSpec) + 'static) {
        self.change_at(at, move |world| {
            let mut spec = world.link.spec.clone();
            alter(&mut spec);
            world.link.change(world.now, spec);
        });
    }

    pub fn run(&mut self, until: u64) {
        while let Some(Reverse((at, _, _))) = self.events.peek() {
            if *at > until {
                break;
            }
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            self.handle(event);
        }
        self.now = until;
    }

    fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Start(f) => {
                self.flows[f].last_progress = self.now;
                // The handshake measured the round trip once.
                let rtt = 2 * self.link.spec.delay + self.link.delay_now(self.now);
                self.flows[f].srtt = rtt.max(MS / 10);
                self.flows[f].rttvar = self.flows[f].srtt / 2;
                self.at(self.now + self.flows[f].pto(), Event::Pto(f));
                self.send(f);
            }
            Event::Send(f) => {
                if self.flows[f].send_armed == self.now {
                    self.flows[f].send_armed = 0;
                }
                self.send(f);
            }
            Event::Arrive(f, pn) => self.arrive(f, pn),
            Event::AckTimer(f) => {
                self.flows[f].ack_armed = false;
                if self.flows[f].unacked > 0 {
                    self.acknowledge(f);
                }
            }
            Event::Ack(f, slot) => {
                let acked = std::mem::take(&mut self.acks[slot]);
                self.flows[f].on_ack(self.now, &acked);
                self.acks[slot] = acked;
                self.free_acks.push(slot);
                self.arm_loss(f);
                self.send(f);
            }
            Event::LossTimer(f) => {
                self.flows[f].loss_armed = 0;
                self.arm_loss(f);
                self.send(f);
            }
            Event::Pto(f) => self.probe(f),
            Event::Change(i) => {
                if let Some(change) = self.changes[i].take() {
                    change(self);
                }
            }
            Event::Sample => {
                let delay = self.link.delay_now(self.now);
                self.queue.push((self.now, delay));
                if self.trace && self.now.is_multiple_of(100 * MS) {
                    let mut line = format!("{:7.2} q={:6.1}", self.now as f64 / 1e9, delay as f64 / 1e6);
                    for flow in &self.flows {
                        let bins = &flow.received;
                        let upto = (self.now / BIN) as usize;
                        let sum: u64 = (upto.saturating_sub(2)..upto).filter_map(|i| bins.get(i)).sum();
                        line += &format!(" | {:7.1} Mbit/s {}", sum as f64 * 8.0 / 1e5 / 1.0, flow.cc.debug());
                    }
                    println!("{line}");
                }
                self.at(self.now + SAMPLE, Event::Sample);
            }
        }
    }

    fn send(&mut self, f: usize) {
        loop {
            let now = self.now;
            let flow = &mut self.flows[f];
            if now < flow.spec.start || now >= flow.spec.stop {
                return;
            }
            if flow.in_flight + flow.spec.bytes > flow.cc.window() {
                return;
            }
            let mut wait = flow.paced_at(now);
            let allowed = flow.spec.app_rate * (now - flow.spec.start) as f64 / 1e9;
            if wait.is_none() && flow.app_sent > allowed {
                wait = Some(now + MS);
            }
            if let Some(at) = wait {
                if flow.send_armed == 0 || flow.send_armed > at {
                    flow.send_armed = at;
                    self.at(at, Event::Send(f));
                }
                return;
            }
            self.transmit(f);
        }
    }

    fn transmit(&mut self, f: usize) {
        let pn = self.flows[f].record_sent(self.now);
        match self.link.offer(self.now, self.flows[f].spec.wire, &mut self.rng) {
            Fate::Arrives(at) => self.at(at, Event::Arrive(f, pn)),
            Fate::TailDrop => self.flows[f].tail_drops += 1,
            Fate::Lost => self.flows[f].lost += 1,
        }
    }

    fn arrive(&mut self, f: usize, pn: u64) {
        let bin = (self.now / BIN) as usize;
        let flow = &mut self.flows[f];
        if flow.received.len() <= bin {
            flow.received.resize(bin + 1, 0);
        }
        flow.received[bin] += flow.spec.bytes;
        if flow.receive(pn) {
            self.acknowledge(f);
        } else if !flow.ack_armed {
            flow.ack_armed = true;
            let at = self.now + flow.spec.ack_delay;
            self.at(at, Event::AckTimer(f));
        }
    }

    fn acknowledge(&mut self, f: usize) {
        self.flows[f].unacked = 0;
        let Some(at) = self.link.back(self.now, &mut self.rng) else { return };
        let slot = self.free_acks.pop().unwrap_or_else(|| {
            self.acks.push(Vec::new());
            self.acks.len() - 1
        });
        self.acks[slot].clear();
        std::mem::swap(&mut self.acks[slot], &mut self.flows[f].pending);
        self.at(at, Event::Ack(f, slot));
    }

    fn arm_loss(&mut self, f: usize) {
        if let Some(at) = self.flows[f].detect(self.now)
            && (self.flows[f].loss_armed == 0 || self.flows[f].loss_armed > at)
        {
            self.flows[f].loss_armed = at;
            self.at(at, Event::LossTimer(f));
        }
    }

    fn probe(&mut self, f: usize) {
        let due = self.flows[f].last_progress + self.flows[f].pto();
        if self.flows[f].in_flight > 0 && self.now >= due && self.now < self.flows[f].spec.stop {
            self.flows[f].pto_count += 1;
            self.flows[f].cc.on_rto(self.now);
            self.transmit(f);
            self.transmit(f);
        }
        let next = (self.flows[f].last_progress + self.flows[f].pto()).max(self.now + MS);
        self.at(next, Event::Pto(f));
    }

    /// Packets of a flow that arrived in a span, as bits per second of its packet bytes.
    pub fn rate(&self, f: usize, from: u64, to: u64) -> f64 {
        let bins = &self.flows[f].received;
        let sum: u64 = (from / BIN..to / BIN).filter_map(|i| bins.get(i as usize)).sum();
        sum as f64 * 8.0 / ((to - from) as f64 / SEC as f64)
    }

    /// Goodput as a share of the line's limit (1416 bytes of data in each packet).
    pub fn share(&self, f: usize, from: u64, to: u64) -> f64 {
        self.rate(f, from, to) * 1416.0 / self.flows[f].spec.bytes as f64 / self.link.spec.limit()
    }

    /// Median and 95th percentile of the queueing delay in a span, ms.
    pub fn queue_ms(&self, from: u64, to: u64) -> (f64, f64) {
        let mut all: Vec<u64> = self.queue.iter().filter(|(t, _)| *t >= from && *t < to).map(|(_, q)| *q).collect();
        all.sort_unstable();
        let pick = |p: f64| all.get((all.len() as f64 * p) as usize).map_or(0.0, |q| *q as f64 / 1e6);
        (pick(0.5), pick(0.95))
    }
}
