//! The command line of `godwit-wan`.

use super::link::LinkOptions;
use super::schedule::{Nanos, Schedule};
use clap::Parser;
use godwit_protocol::RateKbps;
use std::path::PathBuf;

/// A wide-area line between two network namespaces: 10.77.0.1 in the first, 10.77.0.2 in the second
///
/// Namespaces that do not exist are made, and removed at the end. Prints "ready" when packets flow. On SIGINT or SIGTERM it
/// writes what each direction did as JSON and ends. All times count from "ready".
#[derive(Clone, Debug, Parser)]
#[command(name = "godwit-wan")]
pub struct Options {
    /// The first namespace
    #[arg(value_name = "NS_A")]
    pub a: String,
    /// The second namespace
    #[arg(value_name = "NS_B")]
    pub b: String,
    /// The bottleneck's rate in each direction: kbit/s, or a number with k, m or g, such as 200m; 0 for none
    #[arg(long)]
    pub rate: RateKbps,
    /// One-way delay in milliseconds
    #[arg(long, default_value_t = 0.0)]
    pub delay: f64,
    /// Per cent of the packets that are lost at random, in each direction
    #[arg(long, default_value_t = 0.0)]
    pub loss: f64,
    /// The queue before the bottleneck, as milliseconds at the first rate
    #[arg(long, default_value_t = 100.0)]
    pub queue: f64,
    /// The largest packet in bytes
    #[arg(long, default_value_t = 1500)]
    pub mtu: usize,
    /// For the random loss: the same seed loses the same packets
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Another rate from a second on; may be repeated
    #[arg(long, value_name = "SECONDS:RATE", value_parser = step)]
    pub step: Vec<(Nanos, RateKbps)>,
    /// Lose everything from a second on, for some seconds; may be repeated
    #[arg(long, value_name = "SECONDS:DURATION", value_parser = black)]
    pub black: Vec<(Nanos, Nanos)>,
    /// Where to write the counts [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
}

impl Options {
    /// Of one direction; `salt` makes their losses differ.
    #[must_use]
    pub fn link(&self, salt: u64) -> LinkOptions {
        let changes: Vec<_> = self.step.iter().map(|(at, rate)| (*at, rate.0 * 1000)).collect();
        LinkOptions {
            schedule: Schedule::new(self.rate.0 * 1000, &changes),
            delay: (self.delay * 1e6) as Nanos,
            loss: self.loss / 100.0,
            queue: (self.rate.0 as f64 * self.queue / 8.0) as u64,
            black: self.black.clone(),
            seed: self.seed.wrapping_mul(2).wrapping_add(salt),
        }
    }
}

fn step(text: &str) -> Result<(Nanos, RateKbps), String> {
    let (at, rate) = text.split_once(':').ok_or("expected SECONDS:RATE, such as 10:50m")?;
    Ok((seconds(at)?, rate.parse().map_err(|e| format!("{e}"))?))
}

fn black(text: &str) -> Result<(Nanos, Nanos), String> {
    let (at, duration) = text.split_once(':').ok_or("expected SECONDS:DURATION, such as 10:20")?;
    let at = seconds(at)?;
    Ok((at, at + seconds(duration)?))
}

fn seconds(text: &str) -> Result<Nanos, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1e9).contains(&value) => Ok((value * 1e9) as Nanos),
        _ => Err(format!("{text} is not a number of seconds")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_described_by_words() {
        let words = "godwit-wan a b --rate 200m --delay 25 --loss 0.1 --queue 50 --step 20:50m --black 10:20.5";
        let options = Options::try_parse_from(words.split(' ')).unwrap();
        let link = options.link(0);
        assert_eq!((link.delay, link.queue), (25_000_000, 1_250_000));
        assert_eq!(link.schedule.rate_at(0), 200_000_000);
        assert_eq!(link.schedule.rate_at(20_000_000_000), 50_000_000);
        assert_eq!(link.black, [(10_000_000_000, 30_500_000_000)]);
        assert!((link.loss - 0.001).abs() < 1e-9);
        assert_ne!(link.seed, options.link(1).seed);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for word in ["10", "x:50m", "10:fast", "-1:50m"] {
            assert!(step(word).is_err(), "{word}");
        }
        assert!(black("nan:1").is_err());
    }
}
