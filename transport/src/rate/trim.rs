//! Keeps the rate that comes out at the target: at most moments less is in flight than the window allows.

use super::settings::Settings;

/// Factor on the window that belongs to a rate.
#[derive(Clone, Debug)]
pub struct Trim {
    factor: f64,
    sent: u64,
    mark: (f64, u64),
}

impl Trim {
    /// The factor now.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// `bytes` were sent.
    pub fn on_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// Starts measuring at `now`.
    pub fn mark(&mut self, now: f64) {
        self.mark = (now, self.sent);
    }

    /// The target changed.
    pub fn reset(&mut self) {
        self.factor = 1.0;
    }

    /// Compares the rate with the target. `window` = what the law allows by itself, `steerable` = the window was used up and
    /// nothing else held it down.
    pub fn round(&mut self, now: f64, settings: &Settings, flight: f64, window: f64, fixed: bool, steerable: bool) {
        let (since, sent) = self.mark;
        let span = now - since;
        if span < flight.max(0.2) {
            return;
        }
        let rate = (self.sent - sent) as f64 / span;
        self.mark(now);
        let target = settings.ceiling();
        let at_target = fixed || window >= 0.99 * target * self.factor * flight;
        if at_target && steerable && rate > 0.0 {
            self.factor = (self.factor * (1.0 + 0.3 * (target / rate - 1.0))).clamp(0.8, 1.3);
        }
    }
}

impl Default for Trim {
    fn default() -> Self {
        Self { factor: 1.0, sent: 0, mark: (0.0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_below_the_target_widens_the_window_within_limits() {
        let settings = Settings { target: Some(1e6), ..Settings::default() };
        let mut trim = Trim::default();
        trim.mark(0.0);
        for i in 1..40_u32 {
            // What comes out is 10 % less than what the factor asks for.
            trim.on_sent((0.9e6 * trim.factor() * 0.5) as u64);
            trim.round(f64::from(i) * 0.5, &settings, 0.1, 1e9, false, true);
        }
        assert!((trim.factor() - 1.0 / 0.9).abs() < 0.01, "{}", trim.factor());
        trim.reset();
        assert_eq!(trim.factor(), 1.0);
    }
}
