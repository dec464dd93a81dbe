//! QUIC settings of a connection. Values and reasons: the transport reference, 2.7.

use crate::rate::{Limits, Seat};
use crate::socket::MOST_PAYLOAD;
use crate::windows::{LEAST_RECEIVE, LEAST_SEND, LEAST_STREAMS};
use quinn::{AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// Outlives short outages; a dead peer is given up after it.
const IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Reordered packets later than this many numbers count as lost; quinn's own window of duplicates is 128 wide.
const PACKET_THRESHOLD: u32 = 128;

/// Where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In this machine, by a path that carries packets of 64 KiB and loses only what the receiving socket has no room for.
    Machine {
        /// Bytes the receiving socket has room for.
        room: u64,
    },
    /// Anywhere else.
    Beyond,
}

impl Reach {
    /// Of a peer at `remote` that we reach from `local`. `granted` is what the kernel allowed for our own receive buffer;
    /// the peer's, in the same machine, will be no smaller by much.
    pub(crate) fn of(remote: IpAddr, local: Option<IpAddr>, granted: u64) -> Self {
        let remote = remote.to_canonical();
        if remote.is_loopback() || local.map(|ip| ip.to_canonical()) == Some(remote) {
            Self::Machine { room: granted / 4 * 3 }
        } else {
            Self::Beyond
        }
    }

    /// Of a peer that we are about to call.
    pub(crate) fn to(remote: SocketAddr, granted: u64) -> Self {
        // Connecting a UDP socket sends nothing; it asks the kernel for the route.
        let local = UdpSocket::bind(match remote {
            SocketAddr::V4(_) => "0.0.0.0:0",
            SocketAddr::V6(_) => "[::]:0",
        })
        .and_then(|socket| socket.connect(remote).and_then(|()| socket.local_addr()));
        Self::of(remote.ip(), local.ok().map(|address| address.ip()), granted)
    }

    fn is_machine(self) -> bool {
        self != Self::Beyond
    }
}

/// QUIC settings for one connection, with its own limits.
pub(crate) fn transport(limits: Arc<Limits>, reach: Reach) -> Arc<TransportConfig> {
    let mut ack = AckFrequencyConfig::default();
    ack.ack_eliciting_threshold(VarInt::from_u32(64));
    ack.max_ack_delay(Some(Duration::from_millis(10)));
    ack.reordering_threshold(VarInt::from_u32(2));
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.interval(Duration::from_secs(60));
    mtu.black_hole_cooldown(Duration::from_secs(10));
    let mut config = TransportConfig::default();
    if reach.is_machine() {
        // A dozen probes lead to packets that a system call each is worth; the window holds a few dozen of them. Several
        // of them in one call would be more than the kernel takes.
        mtu.upper_bound(MOST_PAYLOAD);
        ack.ack_eliciting_threshold(VarInt::from_u32(3));
        config.enable_segmentation_offload(false);
    }
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(LEAST_STREAMS))
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(var(16 * MIB))
        .receive_window(var(LEAST_RECEIVE))
        .send_window(LEAST_SEND)
        .send_fairness(false)
        .packet_threshold(PACKET_THRESHOLD)
        .initial_rtt(Duration::from_millis(100))
        .ack_frequency_config(Some(ack))
        .mtu_discovery_config(Some(mtu))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(Seat::new(limits, reach)));
    Arc::new(config)
}

fn var(value: u64) -> VarInt {
    VarInt::from_u64(value).unwrap_or(VarInt::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_needs_no_wire_is_taken_for_this_machine() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let machine = Reach::Machine { room: 300 };
        assert_eq!(Reach::of(ip("127.0.0.1"), None, 400), machine);
        assert_eq!(Reach::of(ip("::1"), Some(ip("::1")), 400), machine);
        assert_eq!(Reach::of(ip("::ffff:10.0.0.7"), Some(ip("10.0.0.7")), 400), machine);
        assert_eq!(Reach::of(ip("10.0.0.8"), Some(ip("10.0.0.7")), 400), Reach::Beyond);
        assert_eq!(Reach::of(ip("10.0.0.8"), None, 400), Reach::Beyond);
        assert_eq!(Reach::to("127.0.0.1:9".parse().unwrap(), 400), machine);
    }
}
