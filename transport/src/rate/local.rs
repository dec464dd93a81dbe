//! The window on paths inside this machine or to its neighbour. Pure: time and samples come in.
//!
//! Such paths have no queue worth measuring: what is measured there is how busy the two programs are, and a delay-based law
//! would take that for congestion. With a target, the window is rate × (round trip + slack), and the pace at which content
//! is handed to quinn keeps the rate; without one, the window follows the loss, since only a full socket buffer loses here.
//! Everywhere else the [`RateLaw`](super::law::RateLaw) rules.

use crate::endpoint::Reach;
use std::time::Duration;

/// Assumed for the round trip of a busy machine without a target: 1 Gbit/s, in bytes per second.
const DEFAULT_RATE: u64 = 125_000_000;
/// Paths shorter than this are taken for this machine or its neighbour.
const LOCAL_RTT: Duration = Duration::from_millis(2);
/// What acknowledgements may be late by (the delay we ask the peer for) plus the inexactness of pacing.
const SLACK: Duration = Duration::from_millis(15);
/// Feedback never stops.
const FLOOR_PACKETS: u64 = 16;
const FLOOR_PACKET: u64 = 1452;
const LOCAL_START: u64 = 2 * 1024 * 1024;
const LOCAL_LEAST: u64 = 512 * 1024;
const LOCAL_MOST: u64 = 8 * 1024 * 1024;
/// Within a machine: what is under way shall still be in the cache when it is received.
const MACHINE_MOST: u64 = 1536 * 1024;

/// State of one path.
#[derive(Clone, Debug)]
pub(crate) struct LocalLaw {
    mtu: u64,
    rtt: Duration,
    local: u64,
    least: u64,
    most: u64,
    /// Halved by a total outage, doubled back by acknowledgements; 16 = whole.
    sixteenths: u64,
    eased: Duration,
}

impl LocalLaw {
    pub(crate) fn new(mtu: u16, initial_rtt: Duration, reach: Reach) -> Self {
        let most = match reach {
            Reach::Beyond => LOCAL_MOST,
            Reach::Machine { room } => room.min(MACHINE_MOST),
        };
        let (least, local) = (LOCAL_LEAST.min(most), LOCAL_START.min(most));
        Self { mtu: mtu.into(), rtt: initial_rtt, local, least, most, sixteenths: 16, eased: Duration::ZERO }
    }

    /// `smoothed` is the present estimate of the round trip.
    pub(crate) fn on_ack(&mut self, bytes: u64, smoothed: Duration) {
        self.rtt = smoothed;
        self.sixteenths = (self.sixteenths * 2).min(16);
        self.local = (self.local + bytes / 64).min(self.most);
    }

    /// `now` counts from any fixed moment.
    pub(crate) fn on_loss(&mut self, now: Duration, outage: bool) {
        if outage {
            self.sixteenths = (self.sixteenths / 2).max(1);
        }
        // Once per round: the losses of one overflow are one event.
        if now.saturating_sub(self.eased) > self.rtt {
            self.eased = now;
            self.local = (self.local * 7 / 8).max(self.least);
        }
    }

    pub(crate) fn on_mtu(&mut self, mtu: u16) {
        self.mtu = mtu.into();
    }

    /// Bytes that may be in flight under `limit` bytes per second.
    pub(crate) fn window(&self, limit: Option<u64>) -> u64 {
        let window = match limit {
            None if self.rtt < LOCAL_RTT => self.local,
            limit => {
                let time = (self.rtt + SLACK).as_micros();
                let bytes = u128::from(limit.unwrap_or(DEFAULT_RATE)) * time / 1_000_000;
                u64::try_from(bytes).unwrap_or(u64::MAX / 32)
            }
        };
        // quinn sends only what fits whole: two large packets at least.
        let floor = (FLOOR_PACKETS * self.mtu.min(FLOOR_PACKET)).max(3 * self.mtu);
        (window.saturating_mul(self.sixteenths) / 16).max(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_millis(200);

    #[test]
    fn the_window_carries_the_target_over_the_whole_round_trip() {
        let mut law = LocalLaw::new(1200, Duration::from_millis(100), Reach::Beyond);
        law.on_ack(1200, FAR);
        assert_eq!(law.window(Some(125_000_000)), 125_000_000 * 215 / 1000);
        assert_eq!(law.window(Some(25_000_000)), 25_000_000 * 215 / 1000, "a new target acts at once");
    }

    #[test]
    fn random_loss_changes_nothing_and_an_outage_passes() {
        let mut law = LocalLaw::new(1200, Duration::from_millis(100), Reach::Beyond);
        law.on_ack(1200, FAR);
        let before = law.window(Some(125_000_000));
        for ms in 0..1000 {
            law.on_loss(Duration::from_millis(ms), false);
        }
        assert_eq!(law.window(Some(125_000_000)), before);
        law.on_loss(Duration::from_secs(2), true);
        assert!(law.window(Some(125_000_000)) <= before / 2);
        law.on_ack(1200, FAR);
        assert_eq!(law.window(Some(125_000_000)), before);
    }

    #[test]
    fn the_window_never_closes() {
        let mut law = LocalLaw::new(1452, Duration::ZERO, Reach::Beyond);
        for _ in 0..100 {
            law.on_loss(Duration::ZERO, true);
        }
        assert_eq!(law.window(Some(1)), 16 * 1452);
        assert!(law.window(None) >= 16 * 1452);
    }

    #[test]
    fn within_the_machine_the_window_fits_the_receiving_socket_and_takes_large_packets() {
        for room in [300_000, 30_000_000] {
            let mut law = LocalLaw::new(65_480, Duration::ZERO, Reach::Machine { room });
            for _ in 0..1_000 {
                law.on_ack(65_480, Duration::from_micros(200));
                assert!(law.window(None) <= room.min(MACHINE_MOST));
            }
            assert!(law.window(Some(1)) > 2 * 65_480);
        }
    }

    #[test]
    fn a_local_path_without_a_target_is_not_held_to_the_default_rate() {
        let mut law = LocalLaw::new(1452, Duration::from_millis(100), Reach::Beyond);
        law.on_ack(1452, Duration::from_micros(200));
        assert!(law.window(None) >= LOCAL_START);
        for ms in 1..10_000 {
            law.on_loss(Duration::from_millis(ms), false);
        }
        assert_eq!(law.window(None), LOCAL_LEAST);
    }
}
