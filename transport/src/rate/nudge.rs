//! Beside any law's window, a few packets are let out when a silent path is to be asked whether it is back.

use super::shared::SharedRate;

/// Let out by one nudge.
const PACKETS: u64 = 4;

/// What a connection's last acknowledgement left.
#[derive(Clone, Debug)]
pub(super) struct Nudged {
    /// In flight after it.
    left: u64,
    /// Nudges before it.
    before: u64,
}

impl Nudged {
    pub(super) fn new(shared: &SharedRate) -> Self {
        Self { left: 0, before: shared.nudges() }
    }

    /// Something was acknowledged: nudges before have done their work.
    pub(super) fn answered(&mut self, shared: &SharedRate, in_flight: u64) {
        *self = Self { left: in_flight, before: shared.nudges() };
    }

    /// The law's window, wider by what was let out since.
    pub(super) fn widen(&self, shared: &SharedRate, window: u64, mtu: u16) -> u64 {
        match shared.nudges().saturating_sub(self.before) {
            0 => window,
            // Beside what is on its way and quinn's own probes, which count as well.
            silent => window.max(self.left) + silent * PACKETS * u64::from(mtu),
        }
    }
}
