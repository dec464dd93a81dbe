//! A wide-area line between two network namespaces of this machine.
//!
//! **Purpose.** Kernels without `netem` need one, and figures need one whose laws are known: each direction has a bottleneck
//! rate that may change by a plan, a tail-drop queue before it, random loss after it, and a one-way delay. What happens to
//! a packet is decided by [`link`], a pure room with time passed in; [`carry`] moves the packets between the two TUN devices
//! of [`tun`]; [`stats`] counts what the line did. The program `godwit-wan` puts them together by [`options`].
//!
//! **Must not know:** what the packets carry. It looks into their headers only to count bytes by flow.

pub mod carry;
pub mod link;
pub mod options;
pub mod schedule;
pub mod stats;
pub mod tun;

/// The address of the first namespace's end.
pub const ADDRESS_A: &str = "10.77.0.1";
/// The address of the second namespace's end.
pub const ADDRESS_B: &str = "10.77.0.2";
/// The device's name in both namespaces.
pub const DEVICE: &str = "wan0";
