//! What a session is allowed and asked to do; may change at any moment.

/// How a session behaves when the path is congested.
pub use godwit_protocol::spec::RatePolicy as Policy;

/// All that a user or a server can set about the rate of one session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Behaviour under congestion.
    pub policy: Policy,
    /// Rate asked for, bytes of QUIC packets per second; `None` = as much as the path carries.
    pub target: Option<f64>,
    /// Rate not to go below, bytes per second; 0 = none. The cap wins.
    pub minimum: f64,
    /// Rate never to exceed, bytes per second.
    pub cap: f64,
}

impl Settings {
    /// The rate not to exceed: the smaller of target and cap.
    pub fn ceiling(&self) -> f64 {
        self.target.unwrap_or(f64::INFINITY).min(self.cap).max(1.0)
    }

    /// The rate not to go below.
    pub fn floor(&self) -> f64 {
        self.minimum.clamp(0.0, self.ceiling())
    }
}

impl Default for Settings {
    /// Fair, no target, no minimum, 10 Gbit/s at most.
    fn default() -> Self {
        Self { policy: Policy::Fair, target: None, minimum: 0.0, cap: 10e9 / 8.0 }
    }
}
