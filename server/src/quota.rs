//! Quotas: how many bytes may lie beneath a folder.
//!
//! **How it counts.** The truth is the disk: what counts is found by walking the tree, never by a book that could drift or
//! be lost. Between two walks what is written through this server is added; a walk begins anew when the last one is older
//! than [`MAX_AGE`] as an upload is set up, after somebody deleted, and always before an upload is refused (though not more
//! often than [`REST`] and a tenth of the time allow). So a restart loses nothing, files that came in otherwise count, and
//! what was deleted is free again at the latest when it is needed.
//!
//! Pure but for the walk, which is passed in, and the clock.

use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Failure;
use godwit_transport::root::Room;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An upload that is set up later than this after a walk waits for another one.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Shortest time between two walks for the sake of refusals.
const REST: Duration = Duration::from_secs(1);
/// A walk may take one part in so many of the time, unless it is a short one.
const SHARE: u32 = 10;
const SHORT: Duration = Duration::from_millis(20);
/// What was taken so long before a walk may not be on the disk yet, while sessions run: it counts on top.
const LANDING: Duration = Duration::from_secs(10);
/// Ledgers kept; unused ones go when there are more.
const MOST: usize = 10_000;

/// A number of bytes, as people write it: `500m`, `10g`, `2t` (decimal), or plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let bare = lower.strip_suffix('b').unwrap_or(&lower);
        let units = [('k', 1_000u64), ('m', 1_000_000), ('g', 1_000_000_000), ('t', 1_000_000_000_000)];
        let found = units.into_iter().find_map(|(unit, factor)| Some((bare.strip_suffix(unit)?, factor)));
        let (digits, factor) = found.unwrap_or((bare, 1));
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = plain.then(|| digits.parse::<u64>().ok()).flatten().and_then(|n| n.checked_mul(factor));
        match number {
            Some(bytes) if bytes > 0 => Ok(Self(bytes)),
            _ => Err(format!("'{}' is no size such as 500m, 10g or 2t", crate::node_path::shown(text))),
        }
    }
}

impl fmt::Display for ByteCount {
    #[allow(clippy::cast_precision_loss)] // for people
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] {
            if self.0 as f64 >= unit {
                return write!(f, "{:.1} {name}", self.0 as f64 / unit);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(u64),
            Text(String),
        }
        let text = match Given::deserialize(deserializer)? {
            Given::Number(number) => number.to_string(),
            Given::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The quota does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// What lies there.
    pub used: ByteCount,
    /// What may.
    pub limit: ByteCount,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, limit } = self;
        write!(
            f,
            "the quota leaves no room for it: {used} of {limit} are used; delete something, or ask the administrator"
        )
    }
}

/// How much lies beneath a folder.
pub type Measure = Arc<dyn Fn() -> std::io::Result<u64> + Send + Sync>;

/// One limit on one folder. What lies there is counted together with all others who have a limit on the same folder.
#[derive(Clone)]
pub struct Quota {
    limit: u64,
    ledger: Arc<Ledger>,
    measure: Measure,
}

/// All ledgers of the server, by tree and folder.
#[derive(Default)]
pub struct Ledgers(Mutex<HashMap<(String, String), Arc<Ledger>>>);

/// What is known of one folder.
#[derive(Default)]
struct Ledger {
    count: Mutex<Count>,
    /// Held during a walk: the others who need one wait for it.
    walking: Mutex<()>,
}

#[derive(Default)]
struct Count {
    /// Found by the last walk, and taken since; wrong before the first one.
    used: u64,
    /// Taken in all; only differences mean something.
    taken: u64,
    /// End and length of the last walk; absent: there was none.
    walked: Option<(Instant, Duration)>,
    /// The disk has less than is counted.
    stale: bool,
    /// Sessions that may have written what the disk does not show yet.
    sessions: usize,
    /// Of files that are just written whole: the disk need not show them yet.
    writing: u64,
    /// Taken in the present and in the previous span of [`LANDING`].
    landing: [u64; 2],
    span: Option<Instant>,
}

impl Count {
    fn take(&mut self, bytes: u64, now: Instant) {
        self.turn(now);
        self.used = self.used.saturating_add(bytes);
        self.taken = self.taken.wrapping_add(bytes);
        self.landing[0] = self.landing[0].saturating_add(bytes);
    }

    fn turn(&mut self, now: Instant) {
        let age = self.span.map_or(LANDING * 2, |begin| now.saturating_duration_since(begin));
        if self.sessions == 0 || age >= LANDING * 2 {
            self.landing = [0, 0];
        } else if age >= LANDING {
            self.landing = [0, self.landing[0]];
        } else {
            return;
        }
        self.span = Some(now);
    }

    fn due(&self, age: Duration, now: Instant) -> bool {
        let age = if self.stale { Duration::ZERO } else { age };
        let rest = |length: Duration| if length < SHORT { age } else { length.saturating_mul(SHARE).max(age) };
        self.walked.is_none_or(|(at, length)| now.saturating_duration_since(at) >= rest(length))
    }
}

impl Ledgers {
    /// The limit on a folder; `measure` walks it.
    pub fn quota(&self, tree: &str, folder: &str, limit: ByteCount, measure: Measure) -> Quota {
        let mut ledgers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ledgers.len() >= MOST {
            ledgers.retain(|_, ledger| Arc::strong_count(ledger) > 1);
        }
        let ledger = ledgers.entry((tree.to_owned(), folder.to_owned())).or_default().clone();
        Quota { limit: limit.0, ledger, measure }
    }
}

impl Quota {
    /// Whether both count the same folder.
    #[must_use]
    pub fn is_of_same_folder(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ledger, &other.ledger)
    }

    /// What lies there, walked if the last walk is old. May block.
    pub fn used(&self) -> std::io::Result<u64> {
        self.refresh(MAX_AGE)?;
        Ok(self.count().used)
    }

    /// The most that may lie there.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts bytes that are about to be written; refused if they do not fit. May block.
    pub fn take(&self, bytes: u64) -> Result<(), Full> {
        self.take_and(bytes, |_| {})
    }

    /// With something else that happens at the same moment.
    fn take_and(&self, bytes: u64, also: impl Fn(&mut Count)) -> Result<(), Full> {
        for age in [Duration::MAX, REST] {
            // Without any knowledge, and before a refusal, the disk is looked at.
            if let Err(error) = self.refresh(age) {
                tracing::error!(%error, "what a quota counts cannot be read");
                break;
            }
            let mut count = self.count();
            if count.used.saturating_add(bytes) <= self.limit {
                count.take(bytes, Instant::now());
                also(&mut count);
                return Ok(());
            }
        }
        Err(self.full())
    }

    /// Something was deleted, or was counted and not written: the next look is at the disk.
    pub fn changed(&self) {
        self.count().stale = true;
    }

    fn full(&self) -> Full {
        Full { used: ByteCount(self.count().used), limit: ByteCount(self.limit) }
    }

    /// Walks if nothing is known, or the last walk is at least so old.
    fn refresh(&self, age: Duration) -> std::io::Result<()> {
        let _walking = {
            if !self.count().due(age, Instant::now()) {
                return Ok(());
            }
            self.ledger.walking.lock().unwrap_or_else(PoisonError::into_inner)
        };
        let (begin, before, landing) = {
            let now = Instant::now();
            let mut count = self.count();
            // Somebody else has walked while we waited.
            if !count.due(age, now) {
                return Ok(());
            }
            count.turn(now);
            // What is deleted from now on may not be seen.
            count.stale = false;
            (now, count.taken, count.landing.iter().sum::<u64>().saturating_add(count.writing))
        };
        let found = (self.measure)().inspect_err(|_| self.changed())?;
        let now = Instant::now();
        let mut count = self.count();
        count.used = found.saturating_add(landing).saturating_add(count.taken.wrapping_sub(before));
        count.walked = Some((now, now.saturating_duration_since(begin)));
        Ok(())
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.ledger.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts bytes that are about to be written in all of them, or says which one refuses. May block.
fn take(quotas: &[Quota], bytes: u64) -> Result<(), Full> {
    for (n, quota) in quotas.iter().enumerate() {
        if let Err(full) = quota.take(bytes) {
            // Counted there, and not to be written.
            quotas.iter().take(n).for_each(Quota::changed);
            return Err(full);
        }
    }
    Ok(())
}

/// A file that is written whole, from the moment that it is counted until it is there or has failed. A look at the disk in
/// between may miss it; without this the next one would get its room, and of a thousand at once too many would come in.
pub struct Writing {
    quotas: Vec<Quota>,
    bytes: u64,
}

impl Writing {
    /// Counts it in all of them, or says which one refuses. May block.
    pub fn begin(quotas: &[Quota], bytes: u64) -> Result<Self, Full> {
        let mut writing = Self { quotas: Vec::new(), bytes };
        for quota in quotas {
            if let Err(full) = quota.take_and(bytes, |count| count.writing = count.writing.saturating_add(bytes)) {
                // Counted there, and not to be written.
                writing.quotas.iter().for_each(Quota::changed);
                return Err(full);
            }
            writing.quotas.push(quota.clone());
        }
        Ok(writing)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        for quota in &self.quotas {
            let mut count = quota.count();
            count.writing = count.writing.saturating_sub(self.bytes);
        }
    }
}

/// Counts what one session writes, in everything that limits it.
pub struct SessionRoom(Vec<Quota>);

impl SessionRoom {
    /// Absent if nothing limits.
    #[must_use]
    pub fn within(quotas: &[Quota]) -> Option<Arc<dyn Room>> {
        if quotas.is_empty() {
            return None;
        }
        for quota in quotas {
            quota.count().sessions += 1;
        }
        Some(Arc::new(Self(quotas.to_vec())))
    }
}

impl Drop for SessionRoom {
    fn drop(&mut self) {
        for quota in &self.0 {
            let mut count = quota.count();
            count.sessions = count.sessions.saturating_sub(1);
            // What it gave up is not there.
            count.stale = true;
        }
    }
}

impl Room for SessionRoom {
    fn take(&self, bytes: u64) -> Result<(), Failure> {
        take(&self.0, bytes).map_err(|full| Failure::new(ErrorCode::NoSpace, full.to_string()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn quota(limit: u64, disk: &Arc<AtomicU64>) -> Quota {
        let disk = disk.clone();
        let measure: Measure = Arc::new(move || Ok(disk.load(Ordering::Relaxed)));
        Ledgers::default().quota("main", "a", ByteCount(limit), measure)
    }

    #[test]
    fn what_lies_there_counts_and_what_is_written_is_added() {
        let disk = Arc::new(AtomicU64::new(60));
        let quota = quota(100, &disk);
        quota.take(30).unwrap();
        quota.take(10).unwrap();
        disk.store(100, Ordering::Relaxed);
        assert_eq!(quota.take(1), Err(Full { used: ByteCount(100), limit: ByteCount(100) }));
        quota.take(0).unwrap();
    }

    #[test]
    fn what_was_deleted_is_free_again() {
        let disk = Arc::new(AtomicU64::new(100));
        let quota = quota(100, &disk);
        assert!(quota.take(1).is_err());
        disk.store(40, Ordering::Relaxed);
        quota.changed();
        quota.take(60).unwrap();
        assert!(quota.take(1).is_err());
        assert_eq!(quota.used().unwrap(), 100);
    }

    #[test]
    fn what_a_session_has_on_its_way_counts_until_it_is_over() {
        let disk = Arc::new(AtomicU64::new(0));
        let quota = quota(100, &disk);
        let session = SessionRoom::within(std::slice::from_ref(&quota)).unwrap();
        session.take(80).unwrap();
        let refused = session.take(30).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NoSpace);
        assert!(refused.message.contains("quota"), "{refused:?}");
        drop(session);
        quota.changed();
        assert_eq!(quota.used().unwrap(), 0, "it came to nothing");
    }

    #[test]
    fn what_was_taken_a_moment_ago_may_not_be_on_the_disk_yet() {
        let begin = Instant::now();
        let mut count = Count { sessions: 1, ..Count::default() };
        count.take(80, begin);
        for (seconds, landing) in [(5, 80), (12, 80), (23, 0)] {
            count.turn(begin + Duration::from_secs(seconds));
            assert_eq!(count.landing.iter().sum::<u64>(), landing, "{seconds}");
        }
        count.take(80, begin + Duration::from_secs(24));
        count.sessions = 0;
        count.turn(begin + Duration::from_secs(25));
        assert_eq!(count.landing, [0, 0], "nobody writes");
    }

    #[test]
    fn t29_what_is_just_written_counts_before_the_disk_shows_it() {
        let disk = Arc::new(AtomicU64::new(0));
        let quota = quota(100, &disk);
        let writing = Writing::begin(std::slice::from_ref(&quota), 80).unwrap();
        // Somebody makes the others look at the disk, which does not have it yet.
        quota.changed();
        assert_eq!(quota.take(30), Err(Full { used: ByteCount(80), limit: ByteCount(100) }));
        disk.store(80, Ordering::Relaxed);
        drop(writing);
        quota.changed();
        quota.take(20).unwrap();
        assert!(quota.take(1).is_err());
    }

    #[test]
    fn a_disk_that_cannot_be_looked_at_takes_nothing() {
        let measure: Measure = Arc::new(|| Err(std::io::ErrorKind::Other.into()));
        let quota = Ledgers::default().quota("main", "", ByteCount(10), measure);
        assert!(quota.take(1).is_err() && quota.used().is_err());
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("500", 500), ("10k", 10_000), ("2G", 2_000_000_000), ("3 t", 0), ("1TB", 1_000_000_000_000)]
        {
            assert_eq!(text.parse::<ByteCount>().map_or(0, |count| count.0), bytes, "{text}");
        }
        for wrong in ["", "g", "-1", "0", "1.5g", "99999999999999t"] {
            assert!(wrong.parse::<ByteCount>().is_err(), "{wrong}");
        }
        assert_eq!(ByteCount(1_500_000).to_string(), "1.5 MB");
    }
}
