//! The lines on which is measured, and what they let through at best.

use crate::lab::Line;
use godwit_bench::wan::schedule::Schedule;
use serde_json::Value;

/// A row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// For `--row`.
    pub(crate) id: &'static str,
    /// The line.
    pub(crate) line: Line,
    /// Size of the file.
    pub(crate) megabytes: u32,
    /// Godwit is measured with the line's rate as target too, and peers take part.
    pub(crate) full: bool,
}

const fn line(rate: u32, delay: u32, loss: f64, queue: u32) -> Line {
    Line { rate, delay, loss, queue, steps: &[], black: None }
}

const fn full(id: &'static str, line: Line, megabytes: u32) -> Row {
    Row { id, line, megabytes, full: true }
}

const fn extra(id: &'static str, line: Line, megabytes: u32) -> Row {
    Row { id, line, megabytes, full: false }
}

/// The matrix.
pub(crate) const ROWS: [Row; 10] = [
    full("near", line(200, 25, 0.1, 50), 500),
    full("long", line(200, 50, 1.0, 100), 1000),
    full("lossy", line(200, 100, 5.0, 100), 1000),
    full("fast", line(500, 75, 0.5, 100), 2000),
    full("bad", line(100, 150, 10.0, 100), 500),
    full("satellite", line(100, 500, 5.0, 200), 1000),
    extra("shallow", line(200, 50, 0.0, 5), 500),
    extra("deep", line(200, 50, 0.0, 500), 500),
    extra("steps", Line { steps: &[(12, 50), (24, 200)], ..line(200, 50, 0.0, 100) }, 750),
    extra("black", Line { black: Some((10, 20)), ..line(200, 50, 0.0, 100) }, 500),
];

/// Of a packet of 1,500 bytes, the part that is content at best: 20 bytes of IP, 8 of UDP, some 56 of QUIC and of the data
/// stream's frames are not.
const CONTENT: f64 = 1416.0 / 1500.0;

/// The part of a new rate that counts as reached.
const REACHED: f64 = 0.85;

/// What followed a change of the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recovery {
    /// Seconds until a whole second began in which the line carried 85 % of the new rate.
    pub(crate) reached: f64,
    /// The lowest of all sliding seconds from then on, % of the new rate.
    pub(crate) lowest: f64,
}

impl Row {
    /// As in the tables.
    pub(crate) fn title(&self) -> String {
        let Line { rate, delay, loss, queue, steps, black } = self.line;
        let mut title = format!("{rate} Mbit/s, {delay} ms, {loss} %, queue {queue} ms, {} MB", self.megabytes);
        for (at, rate) in steps {
            title.push_str(&format!(", {rate} Mbit/s from second {at}"));
        }
        if let Some((at, duration)) = black {
            title.push_str(&format!(", black from second {at} for {duration} s"));
        }
        title
    }

    /// The bytes of content that the line lets through in a time at best.
    pub(crate) fn possible(&self, seconds: f64) -> f64 {
        let schedule = self.schedule();
        let until = |seconds: f64| (seconds * 1e9) as u64;
        let mut bytes = schedule.bytes_between(0, until(seconds));
        if let Some((at, duration)) = self.line.black {
            let (from, to) = (f64::from(at), seconds.min(f64::from(at + duration)));
            bytes -= schedule.bytes_between(until(from), until(to.max(from)));
        }
        bytes as f64 * (1.0 - self.line.loss / 100.0) * CONTENT
    }

    /// The seconds that the file takes at best.
    pub(crate) fn best_seconds(&self) -> f64 {
        let bytes = f64::from(self.megabytes) * 1e6;
        (1..100_000).map(|n| f64::from(n) * 0.1).find(|s| self.possible(*s) >= bytes).unwrap_or(f64::NAN)
    }

    /// How the line was taken into use after it changed: the worst of all changes. `None` if the line does not change.
    pub(crate) fn recovery(&self, direction: &Value) -> Option<Recovery> {
        let changes: Vec<(u32, u32)> = match self.line.black {
            Some((at, duration)) => vec![(at + duration, self.line.rate)],
            None => self.line.steps.to_vec(),
        };
        let tenths = tenths(direction, |_| true);
        let end = tenths.iter().rposition(|bytes| *bytes > 0)?;
        let each = changes.iter().enumerate().filter_map(|(n, (at, rate))| {
            let begin = *at as usize * 10;
            // Without the last second: a transfer ends with less.
            let next = changes.get(n + 1).map_or(end.saturating_sub(10), |(next, _)| *next as usize * 10);
            let full = f64::from(*rate) * 1e6 / 8.0;
            let seconds: Vec<f64> = (begin..=next.min(end).checked_sub(10)?)
                .map(|s| tenths[s..s + 10].iter().sum::<u64>() as f64 / full)
                .collect();
            // Never reached: all the time there was.
            let reached = seconds.iter().position(|share| *share >= REACHED).unwrap_or(seconds.len());
            let lowest = seconds[reached..].iter().copied().reduce(f64::min).unwrap_or(0.0);
            (begin < end).then_some(Recovery { reached: reached as f64 / 10.0, lowest: lowest * 100.0 })
        });
        each.reduce(|a, b| Recovery { reached: a.reached.max(b.reached), lowest: a.lowest.min(b.lowest) })
    }

    fn schedule(&self) -> Schedule {
        let steps: Vec<(u64, u64)> = self
            .line
            .steps
            .iter()
            .map(|(at, rate)| (u64::from(*at) * 1_000_000_000, u64::from(*rate) * 1_000_000))
            .collect();
        Schedule::new(u64::from(self.line.rate) * 1_000_000, &steps)
    }
}

/// Bytes per tenth of a second of those flows of a direction that `wanted` takes.
pub(crate) fn tenths(direction: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for flow in direction["flows"].as_array().into_iter().flatten().filter(|flow| wanted(flow)) {
        for (n, bytes) in flow["bytes_per_100ms"].as_array().into_iter().flatten().enumerate() {
            if sums.len() <= n {
                sums.resize(n + 1, 0);
            }
            sums[n] += bytes.as_u64().unwrap_or(0);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(id: &str) -> Row {
        ROWS.into_iter().find(|row| row.id == id).unwrap()
    }

    #[test]
    fn the_limit_is_the_rate_less_loss_and_headers() {
        let possible = row("lossy").possible(10.0);
        assert!((possible - 250e6 * 0.95 * 0.944).abs() < 1.0, "{possible}");
        let steps = row("steps").possible(24.0);
        assert!((steps - (300e6 + 75e6) * 0.944).abs() < 1.0, "{steps}");
        let black = row("black").possible(40.0);
        assert!((black - 500e6 * 0.944).abs() < 1.0, "{black}");
    }

    #[test]
    fn the_best_time_fits_the_limit() {
        let row = row("near");
        assert!((row.possible(row.best_seconds()) / 500e6 - 1.0).abs() < 0.01);
    }

    #[test]
    fn recovery_is_when_the_new_rate_is_reached_and_how_it_is_held() {
        // 200 Mbit/s are 2.5 MB in a tenth of a second. After second 24 the rate comes back 2 s late, and is halved for
        // half a second later.
        let bytes: Vec<u64> = (0..400)
            .map(|n| match n {
                0..120 => 2_500_000,
                120..260 => 625_000,
                300..305 => 1_250_000,
                _ => 2_500_000,
            })
            .collect();
        let direction = json!({"flows": [{"bytes_per_100ms": bytes}]});
        let recovery = row("steps").recovery(&direction).unwrap();
        assert!((1.7..2.1).contains(&recovery.reached), "{recovery:?}");
        assert!((recovery.lowest - 75.0).abs() < 0.1, "{recovery:?}");
        assert_eq!(row("near").recovery(&direction), None);
        let never = json!({"flows": [{"bytes_per_100ms": vec![625_000_u64; 400]}]});
        assert_eq!(row("steps").recovery(&never), Some(Recovery { reached: 14.0, lowest: 0.0 }));
    }
}
