//! Sockets and QUIC settings. Values and reasons: the transport reference, 2.7.

use crate::rate::{Limits, Seat};
use quinn::{AckFrequencyConfig, Connection, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use rustix::net::sockopt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// Asked of the kernel for both directions; the default of 208 KiB is less than 2 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 16 * 1024 * 1024;
/// Outlives short outages; a dead peer is given up after it.
const IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Reordered packets later than this many numbers count as lost; quinn's own window of duplicates is 128 wide.
const PACKET_THRESHOLD: u32 = 128;
/// Windows at the start, before the round trip is known.
const START_STREAMS: u64 = 64;
/// Bounds of the windows derived from rate × round trip.
const LEAST_WINDOW: u64 = 16 * MIB;
const MOST_SEND_WINDOW: u64 = 256 * MIB;
const MOST_RECEIVE_WINDOW: u64 = 128 * MIB;
const MOST_STREAMS: u64 = 192;

/// QUIC settings for one connection, with its own limits.
pub(crate) fn transport(limits: Arc<Limits>) -> Arc<TransportConfig> {
    let mut ack = AckFrequencyConfig::default();
    ack.ack_eliciting_threshold(VarInt::from_u32(64));
    ack.max_ack_delay(Some(Duration::from_millis(10)));
    ack.reordering_threshold(VarInt::from_u32(2));
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.interval(Duration::from_secs(60));
    mtu.black_hole_cooldown(Duration::from_secs(10));
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(var(START_STREAMS))
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(var(16 * MIB))
        .receive_window(var(LEAST_WINDOW))
        .send_window(LEAST_WINDOW)
        .send_fairness(false)
        .packet_threshold(PACKET_THRESHOLD)
        .initial_rtt(Duration::from_millis(100))
        .ack_frequency_config(Some(ack))
        .mtu_discovery_config(Some(mtu))
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(Seat::new(limits)));
    Arc::new(config)
}

/// Widens the windows of a new connection to what its rate and round trip need. Returns how many bytes of content the
/// receiver may have in its hands: always more than all open streams can hold, so that none waits for another.
pub(crate) fn widen(connection: &Connection, limits: &Limits) -> u64 {
    widen_send(connection, limits);
    let product = product(connection, limits);
    let streams = (product.saturating_mul(4) / MIB).clamp(START_STREAMS, MOST_STREAMS);
    connection.set_receive_window(var(product.saturating_mul(4).clamp(LEAST_WINDOW, MOST_RECEIVE_WINDOW)));
    connection.set_max_concurrent_uni_streams(var(streams));
    (streams + 32) * MIB
}

/// Follows a change of the limits: quinn counts everything behind a gap against the send window, so that is several
/// times rate × round trip.
pub(crate) fn widen_send(connection: &Connection, limits: &Limits) {
    let window = product(connection, limits).saturating_mul(6);
    connection.set_send_window(window.clamp(LEAST_WINDOW, MOST_SEND_WINDOW));
}

/// Rate × round trip; the rate is not taken for less than the default, as it may be raised later.
fn product(connection: &Connection, limits: &Limits) -> u64 {
    let rate = limits.bytes_per_second().unwrap_or(0).max(crate::rate::DEFAULT_RATE);
    let micros = (connection.rtt() + Duration::from_millis(15)).as_micros().min(2_000_000);
    u64::try_from(u128::from(rate) * micros / 1_000_000).unwrap_or(u64::MAX / 8)
}

fn var(value: u64) -> VarInt {
    VarInt::from_u64(value).unwrap_or(VarInt::MAX)
}

/// A UDP socket with large buffers.
pub(crate) fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // With the privilege the kernel's limit does not apply; without it, the usual call gets what it may.
    if sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    }
    let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    let granted = sockopt::socket_recv_buffer_size(&socket).unwrap_or(0);
    tracing::debug!(%address, granted, "socket buffer");
    Ok(socket)
}

/// An endpoint on such a socket.
pub(crate) fn endpoint(
    address: SocketAddr,
    config: EndpointConfig,
    server: Option<quinn::ServerConfig>,
) -> io::Result<quinn::Endpoint> {
    quinn::Endpoint::new(config, server, socket(address)?, Arc::new(quinn::TokioRuntime))
}
