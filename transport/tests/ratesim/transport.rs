//! The transport settings of the simulated QUIC sessions: those of the real ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use godwit_transport::rate::{RateControllerFactory, SharedRate};
use quinn_proto::{AckFrequencyConfig, MtuDiscoveryConfig, TransportConfig, VarInt};

/// `origin` = beginning of virtual time.
pub fn transport(shared: Arc<SharedRate>, origin: Instant) -> TransportConfig {
    let mut ack = AckFrequencyConfig::default();
    ack.ack_eliciting_threshold(VarInt::from_u32(64))
        .max_ack_delay(Some(Duration::from_millis(10)))
        .reordering_threshold(VarInt::from_u32(2));
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(1452).interval(Duration::from_secs(60)).black_hole_cooldown(Duration::from_secs(10));
    let mut config = TransportConfig::default();
    config
        .send_window(256 << 20)
        .receive_window(VarInt::from_u32(192 << 20))
        .stream_receive_window(VarInt::from_u32(16 << 20))
        .max_concurrent_uni_streams(VarInt::from_u32(1024))
        .packet_threshold(128)
        .ack_frequency_config(Some(ack))
        .mtu_discovery_config(Some(mtu))
        .max_idle_timeout(Some(Duration::from_secs(60).try_into().unwrap()))
        .keep_alive_interval(Some(Duration::from_secs(5)))
        .send_fairness(false)
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(RateControllerFactory::with_clock(shared, origin, Duration::ZERO)));
    config
}
