//! Bringing a file's data to the disk while more of it arrives, so that little is left to wait for at the end.
//!
//! One sync of a file runs at a time, beside the writers and never in their way. A failure is told once by the kernel and
//! is then forgotten by it; here it is remembered, so that no file with lost data gets its final name.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sync begins when so much was written since the last one began …
const BYTES: u64 = 64 * 1024 * 1024;
/// … or when this time has passed: on a slow line the last sync then covers what came in within it.
const TIME: Duration = Duration::from_millis(500);

/// See the module. For one file.
#[derive(Debug)]
pub(crate) struct Flush {
    since: Mutex<(Instant, u64)>,
    running: AtomicBool,
    /// Held while a sync runs.
    turn: Mutex<()>,
    /// Error number of a sync that failed; 0 = none.
    failed: AtomicI32,
}

impl Flush {
    pub(crate) fn new() -> Self {
        Self {
            since: Mutex::new((Instant::now(), 0)),
            running: AtomicBool::new(false),
            turn: Mutex::new(()),
            failed: AtomicI32::new(0),
        }
    }

    /// Bytes were written. If true, [`run`](Self::run) is due, and the caller's to see to.
    pub(crate) fn wrote(&self, bytes: u64, now: Instant) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.1 += bytes;
        let due = since.1 >= BYTES || now.saturating_duration_since(since.0) >= TIME;
        if !due || self.running.swap(true, Ordering::AcqRel) {
            return false;
        }
        *since = (now, 0);
        true
    }

    /// Syncs by `sync`, besides the writers.
    pub(crate) fn run(&self, sync: impl FnOnce() -> io::Result<()>) {
        let _ = self.sync(sync);
        self.running.store(false, Ordering::Release);
    }

    /// The last sync: waits for one that runs. An earlier failure counts.
    pub(crate) fn finish(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.sync(sync)
    }

    /// An error if any sync has failed so far.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.failed.load(Ordering::Acquire) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(number)),
        }
    }

    fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        sync().inspect_err(|error| {
            let number = error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
            self.failed.store(number, Ordering::Release);
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_sync_is_due_by_bytes_or_by_time_and_only_one_at_once() {
        let flush = Flush::new();
        let begin = Instant::now();
        assert!(!flush.wrote(BYTES - 1, begin));
        assert!(flush.wrote(1, begin));
        assert!(!flush.wrote(BYTES, begin), "one is on its way");
        flush.run(|| Ok(()));
        assert!(flush.wrote(1, begin), "what was written meanwhile is not forgotten");
        flush.run(|| Ok(()));
        assert!(!flush.wrote(1, begin + TIME / 2));
        assert!(flush.wrote(1, begin + TIME));
    }

    #[test]
    fn a_failure_in_between_is_not_forgotten_at_the_end() {
        let flush = Flush::new();
        assert!(flush.wrote(BYTES, Instant::now()));
        flush.run(|| Err(Errno::NOSPC.into()));
        assert_eq!(flush.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let end = flush.finish(|| Ok(()));
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
