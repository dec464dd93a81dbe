//! Rates in kilobits per second, the unit of the page API, and the one parser for what people type.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// A rate in kbit/s (1 kbit = 1,000 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RateKbps(pub u64);

/// Largest rate read from outside: 10 Tbit/s, beyond any line, and far below where f64 or u64 lose exactness.
pub const MAX_KBPS: u64 = 10_000_000_000;

/// Why a rate could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not a rate: write a number of kbit/s, or a number with k, m or g, such as 200m")]
pub struct RateError(pub String);

impl RateKbps {
    /// The rate in bytes per second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        self.0.saturating_mul(125)
    }

    /// The largest whole rate not above `bytes` per second.
    #[must_use]
    pub fn from_bytes_per_second(bytes: u64) -> Self {
        Self(bytes / 125)
    }
}

impl FromStr for RateKbps {
    type Err = RateError;

    /// Reads `500` (kbit/s), `500k`, `200m`, `1.5g`; upper or lower case; a trailing `bit/s` or `bps` is allowed.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let error = || RateError(text.chars().take(40).collect());
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.strip_suffix("bit/s").or_else(|| lower.strip_suffix("bps")).unwrap_or(&lower);
        let (number, factor) = match lower.as_bytes().last() {
            Some(b'k') => (&lower[..lower.len() - 1], 1.0),
            Some(b'm') => (&lower[..lower.len() - 1], 1e3),
            Some(b'g') => (&lower[..lower.len() - 1], 1e6),
            _ => (lower, 1.0),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(error());
        }
        let value: f64 = number.parse().map_err(|_| error())?;
        let kbps = value * factor;
        if !kbps.is_finite() || kbps > MAX_KBPS as f64 {
            return Err(error());
        }
        Ok(Self(kbps.round() as u64))
    }
}

impl fmt::Display for RateKbps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1_000_000 => write!(f, "{:.2} Gbit/s", n as f64 / 1e6),
            n if n >= 1_000 => write!(f, "{:.1} Mbit/s", n as f64 / 1e3),
            n => write!(f, "{n} kbit/s"),
        }
    }
}

impl<'de> Deserialize<'de> for RateKbps {
    /// Pages send numbers, whole or not, and numbers as texts (`"5000"`); all are taken.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Whole(u64),
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Whole(n) if n <= MAX_KBPS => Ok(Self(n)),
            Raw::Whole(n) => Err(serde::de::Error::custom(RateError(n.to_string()))),
            Raw::Number(n) if n.is_finite() && (0.0..=MAX_KBPS as f64).contains(&n) => Ok(Self(n as u64)),
            Raw::Number(n) => Err(serde::de::Error::custom(RateError(n.to_string()))),
            Raw::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (text, kbps) in [
            ("500", 500),
            ("500k", 500),
            ("200m", 200_000),
            ("1.5G", 1_500_000),
            ("10 ", 10),
            ("2mbit/s", 2_000),
            ("2Mbps", 2_000),
        ] {
            assert_eq!(text.parse(), Ok(RateKbps(kbps)), "{text}");
        }
        for text in ["", "m", "-5", "1e9", "fast", "nan", "99999999g", "1.2.3"] {
            assert!(text.parse::<RateKbps>().is_err(), "{text}");
        }
    }

    #[test]
    fn pages_may_send_texts_and_fractions() {
        assert_eq!(serde_json::from_str::<RateKbps>("\"5000\"").unwrap(), RateKbps(5000));
        assert_eq!(serde_json::from_str::<RateKbps>("5000.7").unwrap(), RateKbps(5000));
        for text in ["-1", "10000000001", "18446744073709551615", "1e300", "true", "null", "[1]"] {
            assert!(serde_json::from_str::<RateKbps>(text).is_err(), "{text}");
        }
    }
}
