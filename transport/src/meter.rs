//! What is counted in a session, and the signs of life that keep it from being taken for stalled.

use godwit_protocol::worker::Stats;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters of one session, shared by its tasks.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Sum of sizes known.
    pub(crate) bytes_expected: AtomicU64,
    /// At the target.
    pub(crate) bytes_written: AtomicU64,
    /// Content carried, verified or handed to quinn.
    pub(crate) bytes_transferred: AtomicU64,
    /// Content that came in, verified or not (receiver only).
    pub(crate) bytes_received: AtomicU64,
    /// Files known.
    pub(crate) files_expected: AtomicU64,
    /// The manifest is complete.
    pub(crate) scan_complete: AtomicBool,
    /// Complete, skipped ones included.
    pub(crate) files_completed: AtomicU64,
    /// Skipped.
    pub(crate) files_skipped: AtomicU64,
    /// Failed.
    pub(crate) files_failed: AtomicU64,
    /// Own work: reading, hashing, syncing.
    work: AtomicU64,
    /// Anything that came from the peer.
    heard: AtomicU64,
    current: Mutex<String>,
}

impl Meter {
    /// Own work went on.
    pub(crate) fn worked(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
    }

    /// The peer gave a sign of life.
    pub(crate) fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes while own work goes on.
    pub(crate) fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    /// Changes while anything at all goes on.
    pub(crate) fn life(&self) -> u64 {
        self.work().wrapping_add(self.heard.load(Ordering::Relaxed))
    }

    /// A file that was announced is not expected any more; so much of it had been written.
    pub(crate) fn gave_up(&self, size: u64, written: u64) {
        self.files_expected.fetch_sub(1, Ordering::Relaxed);
        self.bytes_expected.fetch_sub(size, Ordering::Relaxed);
        self.bytes_written.fetch_sub(written, Ordering::Relaxed);
    }

    /// Names a file in progress.
    pub(crate) fn at(&self, path: &str) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != path {
            current.clear();
            current.push_str(path);
        }
    }

    /// Everything but what the connection knows.
    pub(crate) fn stats(&self) -> Stats {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Stats {
            bytes_expected: get(&self.bytes_expected),
            bytes_written: get(&self.bytes_written),
            bytes_transferred: get(&self.bytes_transferred),
            files_expected: get(&self.files_expected),
            scan_complete: self.scan_complete.load(Ordering::Relaxed),
            files_completed: get(&self.files_completed),
            files_skipped: get(&self.files_skipped),
            files_failed: get(&self.files_failed),
            current_file: self.current.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..Stats::default()
        }
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
