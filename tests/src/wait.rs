//! Waiting for something to become true, with a deadline and a name for it.

use std::time::{Duration, Instant};

/// Long enough for anything that a busy two-core machine does in a few seconds.
pub const SOON: Duration = Duration::from_secs(30);
/// For whole transfers.
pub const LONG: Duration = Duration::from_secs(180);

/// Between two looks: short against everything that is waited for, long enough to leave the processors to the others and
/// to stay below the rate at which a page may ask (50 a second).
const PAUSE: Duration = Duration::from_millis(30);

/// Looks until `check` yields something; panics, naming `what`, when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// As [`until`] for a plain condition.
pub fn until_true(what: &str, limit: Duration, mut check: impl FnMut() -> bool) {
    until(what, limit, || check().then_some(()));
}
