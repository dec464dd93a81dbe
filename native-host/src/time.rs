//! Time as it is passed into everything that decides.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment: monotonic for intervals, wall clock for what people see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed moment in this process's life; never goes back.
    pub mono: Duration,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// Makes [`Now`]s from the system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl SystemClock {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.0.elapsed(), wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
    }
}

fn zoned(wall_ms: u64) -> Option<jiff::Zoned> {
    let stamp = jiff::Timestamp::from_millisecond(i64::try_from(wall_ms).ok()?).ok()?;
    Some(stamp.to_zoned(jiff::tz::TimeZone::system()))
}

/// Local time without a zone, `YYYY-MM-DDTHH:MM:SS`, as pages expect it.
#[must_use]
pub fn local_iso(wall_ms: u64) -> String {
    zoned(wall_ms).map(|z| z.strftime("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default()
}

/// Local time in the form of C's `ctime`, `Wed Jan 24 12:22:02 2019`, as file objects carry it.
#[must_use]
pub fn local_ctime(wall_ms: u64) -> String {
    zoned(wall_ms).map(|z| z.strftime("%a %b %e %H:%M:%S %Y").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_forms_that_pages_parse() {
        let iso = local_iso(1_548_332_522_000);
        assert_eq!(iso.len(), 19);
        assert_eq!(&iso[10..11], "T");
        let c = local_ctime(1_548_332_522_000);
        assert!(c.ends_with(" 2019") && c.contains(" Jan "), "{c}");
    }
}
