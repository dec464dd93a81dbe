//! A deterministic network in virtual time: one bottleneck, any number of flows, no clock and no sockets.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod bbr;
pub mod cubic;
pub mod flow;
pub mod link;
pub mod ours;
pub mod quic;
pub mod rng;
pub mod scenario;
pub mod transport;
pub mod world;

pub const MS: u64 = 1_000_000;
pub const SEC: u64 = 1_000_000_000;
