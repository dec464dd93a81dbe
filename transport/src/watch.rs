//! Looking at a running session: its figures, and whether anything still moves.

use crate::control::Outbox;
use crate::meter::Meter;
use crate::rate::Limits;
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::Control;
use godwit_protocol::worker::{Failure, Stats};
use quinn::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The present rate is the mean over this time.
const SPAN: Duration = Duration::from_secs(2);
/// A line silent for so long is asked again and again whether it is back: quinn's own probes come ever more rarely.
const SILENCE: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Watch {
    connection: Connection,
    meter: Arc<Meter>,
    stall: Duration,
    life: (u64, Instant),
    heard: (u64, Instant),
    asked: Instant,
    /// The shortest that was seen.
    round_trip: Duration,
    limits: Arc<Limits>,
    outbox: Outbox,
    samples: VecDeque<(Instant, u64)>,
}

impl Watch {
    pub(crate) fn new(
        connection: Connection,
        meter: Arc<Meter>,
        stall: Duration,
        limits: Arc<Limits>,
        outbox: Outbox,
    ) -> Self {
        let now = Instant::now();
        Self {
            life: (meter.life(), now),
            heard: (0, now),
            asked: now,
            round_trip: connection.rtt(),
            samples: VecDeque::new(),
            connection,
            meter,
            stall,
            limits,
            outbox,
        }
    }

    /// Where the session stands; an error if nothing has moved for too long.
    pub(crate) fn look(&mut self) -> Result<Stats, Failure> {
        let now = Instant::now();
        let life = self.meter.life();
        if life != self.life.0 {
            self.life = (life, now);
        } else if now - self.life.1 > self.stall {
            return Err(Failure::new(ErrorCode::Stalled, format!("for {} s", self.stall.as_secs())));
        }
        self.ask_again(now);
        let received = self.meter.bytes_received.load(Ordering::Relaxed);
        self.samples.push_back((now, received));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(at, _)| now - *at > SPAN) {
            self.samples.pop_front();
        }
        let mut stats = Self::stats_of(&self.connection, &self.meter);
        if let Some((at, before)) = self.samples.front() {
            let millis = u64::try_from((now - *at).as_millis()).unwrap_or(u64::MAX);
            stats.rate_kbps = received.saturating_sub(*before).saturating_mul(8).checked_div(millis).unwrap_or(0);
        }
        Ok(stats)
    }

    /// While nothing comes, or nothing of ours is acknowledged, lets a frame out from time to time whatever the window says.
    ///
    /// Either alone would not do. A peer that only receives has nothing on its way. And a sender whose window is full
    /// hears its peer ask, but cannot even answer: quinn sends no acknowledgement while data waits for the window.
    fn ask_again(&mut self, now: Instant) {
        let datagrams = self.connection.stats().udp_rx.datagrams;
        if datagrams != self.heard.0 {
            self.heard = (datagrams, now);
        }
        // What is acknowledged first after an outage seems to have been under way all that time, and quinn believes it.
        self.round_trip = self.round_trip.min(self.connection.rtt());
        let silence = (now - self.heard.1).max(self.limits.unanswered(now));
        let pause = SILENCE.max(2 * self.round_trip);
        if silence > pause && now - self.asked > pause {
            self.asked = now;
            tracing::debug!(silence = silence.as_secs_f64(), "nothing heard, asking again");
            self.limits.nudge();
            self.outbox.offer(Control::Ping);
        }
    }

    /// Bytes of UDP payload of a connection, both ways.
    pub(crate) fn wire(connection: &Connection) -> u64 {
        let line = connection.stats();
        line.udp_tx.bytes + line.udp_rx.bytes
    }

    /// The figures alone.
    pub(crate) fn stats_of(connection: &Connection, meter: &Meter) -> Stats {
        let line = connection.stats();
        Stats {
            bytes_on_wire: line.udp_tx.bytes + line.udp_rx.bytes,
            rtt_us: u64::try_from(line.path.rtt.as_micros()).unwrap_or(u64::MAX),
            packets_lost: line.path.lost_packets,
            ..meter.stats()
        }
    }
}
