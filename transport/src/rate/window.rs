//! Extremes over a sliding span of time.

use std::collections::VecDeque;

/// Smallest value of the last `span` seconds. The span is given with each value, as it may change.
#[derive(Clone, Debug, Default)]
pub struct WindowedMin {
    samples: VecDeque<(f64, f64)>,
}

impl WindowedMin {
    /// Takes a value in at `now` and forgets what is older than `span`, the new value excepted.
    pub fn push(&mut self, now: f64, value: f64, span: f64) {
        while self.samples.back().is_some_and(|(_, v)| *v >= value) {
            self.samples.pop_back();
        }
        // A thousand steps per span are enough, and bound the memory.
        if self.samples.back().is_none_or(|(t, _)| now - *t > span / 1000.0) {
            self.samples.push_back((now, value));
        }
        while self.samples.len() > 1 && self.samples.front().is_some_and(|(t, _)| *t + span < now) {
            self.samples.pop_front();
        }
    }

    /// Forgets what is older than `span`, even if nothing remains.
    pub fn expire(&mut self, now: f64, span: f64) {
        while self.samples.front().is_some_and(|(t, _)| *t + span < now) {
            self.samples.pop_front();
        }
    }

    /// The smallest value, if there is any.
    pub fn get(&self) -> Option<f64> {
        self.samples.front().map(|(_, v)| *v)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.samples.clear();
    }
}

/// Largest value of the last `span` seconds.
#[derive(Clone, Debug, Default)]
pub struct WindowedMax(WindowedMin);

impl WindowedMax {
    /// See [`WindowedMin::push`].
    pub fn push(&mut self, now: f64, value: f64, span: f64) {
        self.0.push(now, -value, span);
    }

    /// See [`WindowedMin::expire`].
    pub fn expire(&mut self, now: f64, span: f64) {
        self.0.expire(now, span);
    }

    /// The largest value, if there is any.
    pub fn get(&self) -> Option<f64> {
        self.0.get().map(|v| -v)
    }

    /// The largest value, 0 if there is none.
    pub fn or_zero(&self) -> f64 {
        self.get().unwrap_or(0.0)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_leave_with_their_time() {
        let (mut min, mut max) = (WindowedMin::default(), WindowedMax::default());
        for (t, v) in [(0.0, 5.0), (1.0, 1.0), (2.0, 7.0), (3.0, 3.0)] {
            min.push(t, v, 1.5);
            max.push(t, v, 1.5);
        }
        assert_eq!((min.get(), max.get()), (Some(3.0), Some(7.0)));
        max.expire(9.0, 1.5);
        assert_eq!(max.get(), None);
        assert_eq!(max.or_zero(), 0.0);
    }
}
