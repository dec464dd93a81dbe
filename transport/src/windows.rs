//! How much may be under way and in hand: quinn's windows and the intake's budget, made for what the path is seen to carry
//! and followed live, so that memory is a matter of rate × round trip and of nothing else.
//!
//! Must not know: files, segments, the rate law.

use crate::endpoint::Reach;
use crate::lines::Lines;
use crate::meter::Meter;
use quinn::VarInt;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};

const MIB: u64 = 1024 * 1024;
/// Windows at the start, and at least.
pub(crate) const LEAST_SEND: u64 = 8 * MIB;
pub(crate) const LEAST_RECEIVE: u64 = 24 * MIB;
pub(crate) const LEAST_STREAMS: u32 = 24;
const MOST_SEND: u64 = 256 * MIB;
const MOST_RECEIVE: u64 = 128 * MIB;
const MOST_STREAMS: u64 = 192;
/// Units in hand besides those of open streams: being verified and written.
const BESIDES: u64 = 8;
/// How often the windows follow. A start doubles the rate with every round trip, so this is to be short beside one where
/// the windows matter.
const FOLLOW: Duration = Duration::from_millis(40);
/// What is under way, as much again to be sent next, and room for growth.
const SEND_PRODUCTS: f64 = 3.0;
/// quinn counts everything behind a gap against the send window until the gap is closed. At 10 % loss the last packets of
/// a unit are lost four or five times in a row, each time with a round trip and an eighth; with too small a window the
/// line stands idle for half a round trip every other second.
const UNIT_PACKETS: f64 = 740.0;
/// Share of units that may take longer than the window covers.
const LATE_UNITS: f64 = 0.1;
/// Before so many were sent, losses say little.
const FEW_PACKETS: u64 = 1_000;
const MOST_REPEATS: f64 = 5.0;
/// What comes in is read at once; this is for growth, for what the disk may be behind, and for credit that is lost on its
/// way.
const RECEIVE_PRODUCTS: u64 = 6;
/// As above, and a stream that has ended makes room for the next only when an eighth of all have.
const STREAM_PRODUCTS: u64 = 8;
const STREAMS_BESIDES: u64 = 16;

/// Follows the congestion window of each connection with its send window, for as long as the session's task runs.
pub(crate) async fn follow_sending(lines: Lines) {
    let mut windows: HashMap<u32, u64> = HashMap::new();
    let mut ticks = ticks();
    loop {
        ticks.tick().await;
        for line in lines.all() {
            if line.connection.close_reason().is_some() {
                continue;
            }
            let path = line.connection.stats().path;
            let loss = path.lost_packets as f64 / path.sent_packets.max(FEW_PACKETS) as f64;
            let window = send_window(path.cwnd, loss);
            let set = windows.entry(line.number).or_insert(LEAST_SEND);
            // Shrinks only when it is worth it: the law's window breathes all the time.
            if window > *set || window < *set / 2 {
                line.connection.set_send_window(window);
                *set = window;
            }
        }
    }
}

/// For a congestion window and the share of packets that are lost.
fn send_window(congestion: u64, loss: f64) -> u64 {
    let repeats = (UNIT_PACKETS / LATE_UNITS).ln() / -loss.clamp(1e-9, 0.5).ln();
    let window = congestion as f64 * (SEND_PRODUCTS + repeats.min(MOST_REPEATS));
    (window as u64).saturating_add(LEAST_SEND).clamp(LEAST_SEND, MOST_SEND)
}

/// Streams that may be open where a path holds `product` bytes.
fn open_streams(product: u64) -> u64 {
    (product.saturating_mul(STREAM_PRODUCTS) / MIB + STREAMS_BESIDES).clamp(LEAST_STREAMS.into(), MOST_STREAMS)
}

/// What a receiver may have in hand, in units.
pub(crate) struct Budget {
    /// To be taken from.
    pub(crate) units: Semaphore,
}

impl Budget {
    /// At the start: more than all open streams can hold, so that none waits for another.
    pub(crate) fn new() -> Self {
        Self { units: Semaphore::new((u64::from(LEAST_STREAMS) + BESIDES) as usize) }
    }

    /// Follows the rate at which content comes in, for as long as the session's task runs. Several connections share what
    /// the path needs.
    pub(crate) async fn follow(self: Arc<Self>, lines: Lines, meter: Arc<Meter>) {
        let mut units = u64::from(LEAST_STREAMS);
        let mut most = 0;
        let mut windows: HashMap<u32, (u64, u64)> = HashMap::new();
        let mut seen = Seen::default();
        let begin = Instant::now();
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            let all = lines.all();
            let rtt = all.iter().map(|line| line.connection.rtt()).max().unwrap_or_default();
            let near = all.iter().all(|line| {
                let ip = line.connection.remote_address().ip();
                Reach::of(ip, line.connection.local_ip(), 0) != Reach::Beyond
            });
            let product = seen.product(begin.elapsed(), meter.bytes_received.load(Ordering::Relaxed), rtt);
            // Within the machine the least is enough at any rate. Nothing ever shrinks: these are limits for bad moments,
            // not memory in use.
            most = if near { 0 } else { product.max(most) };
            let share = most / (all.len() as u64).max(1);
            let mut streams = 0;
            for line in all {
                let (window, open) = windows.entry(line.number).or_insert((LEAST_RECEIVE, u64::from(LEAST_STREAMS)));
                let wider = share.saturating_mul(RECEIVE_PRODUCTS).clamp(LEAST_RECEIVE, MOST_RECEIVE);
                if wider > *window {
                    line.connection.set_receive_window(VarInt::from_u64(wider).unwrap_or(VarInt::MAX));
                    *window = wider;
                }
                let more = open_streams(share);
                if more > *open {
                    line.connection.set_max_concurrent_uni_streams(VarInt::from_u64(more).unwrap_or(VarInt::MAX));
                    *open = more;
                }
                streams += *open;
            }
            if streams > units {
                self.units.add_permits((streams - units) as usize);
                units = streams;
            }
        }
    }
}

/// Rate × round trip as seen so far. Pure.
#[derive(Debug, Default)]
struct Seen {
    at: Duration,
    bytes: u64,
}

impl Seen {
    /// `now` counts from any moment, `bytes` since then. The round trip is taken no shorter than the time that
    /// acknowledgements and tasks may be late by.
    fn product(&mut self, now: Duration, bytes: u64, rtt: Duration) -> u64 {
        let time = now.saturating_sub(self.at).max(Duration::from_millis(1));
        let more = bytes.saturating_sub(self.bytes);
        (self.at, self.bytes) = (now, bytes);
        let rtt = (rtt + Duration::from_millis(15)).min(Duration::from_secs(2));
        u64::try_from(u128::from(more) * rtt.as_micros() / time.as_micros()).unwrap_or(u64::MAX)
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(FOLLOW);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_what_the_path_holds() {
        let mut seen = Seen::default();
        let ms = Duration::from_millis;
        assert_eq!(seen.product(ms(40), 2_500_000, ms(185)), 12_500_000, "500 Mbit/s over 200 ms");
        assert_eq!(seen.product(ms(80), 2_500_000, ms(185)), 0, "nothing came");
        assert_eq!(seen.product(ms(80), u64::MAX, ms(185)), u64::MAX);
    }

    #[test]
    fn a_fast_long_path_stays_within_the_memory_promised() {
        let product = 500_000_000 / 8 / 5;
        let window = product * 11 / 10;
        assert!(send_window(window, 0.0) <= 56 * MIB, "besides what is being read");
        assert!(send_window(window, 0.1) <= 100 * MIB, "where much is lost");
        assert!(open_streams(product) + BESIDES <= 120, "units in hand");
        assert_eq!(send_window(u64::MAX, 0.1), MOST_SEND);
        assert!(send_window(product, 0.1) > 6 * product && send_window(product, 1.0) < 9 * product);
        assert_eq!(send_window(0, 0.0), LEAST_SEND);
        assert_eq!((open_streams(0), open_streams(u64::MAX)), (24, MOST_STREAMS));
    }
}
