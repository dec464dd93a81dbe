//! When each transfer runs: states, order, retries. Pure: time is passed in, effects come out as values.
//!
//! ```text
//! add → queued? → initiating → running → completed
//!                     ↑           ├→ willretry → queued/initiating …
//!   resume            │           ├→ failed     → (resume)
//!  cancelled ─────────┘           └→ cancelled  → (resume)
//! any → removed
//! ```
//! **Must not know** what a transfer is: neither spec nor page nor worker process, only ids and outcomes.

mod line;
mod machine;
#[cfg(test)]
mod model;

pub use machine::Queue;

use godwit_protocol::ui::TransferStatus;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Names a transfer: the uuid that pages see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(String);

impl TransferId {
    /// Wraps a uuid's text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one run of a worker; never used twice in an agent's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Which way a transfer goes: each may have a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// To this machine.
    Download,
    /// From it.
    Upload,
}

/// The tunables of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transfers with a worker at one time; more only by the user's explicit wish.
    pub active: usize,
    /// As [`Self::active`], of downloads alone.
    pub downloads: usize,
    /// As [`Self::active`], of uploads alone.
    pub uploads: usize,
    /// Retries in a row without progress; then the transfer has failed.
    pub retries: u32,
    /// Pause before a retry.
    pub interval: Duration,
    /// Pause before the retry after a worker crashed for the first time: the crash is not the network's fault, and waiting
    /// cures nothing.
    pub crash_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active: 3,
            downloads: usize::MAX,
            uploads: usize::MAX,
            retries: 3,
            interval: Duration::from_secs(30),
            crash_delay: Duration::from_secs(1),
        }
    }
}

impl Limits {
    fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Download => self.downloads,
            Lane::Upload => self.uploads,
        }
    }
}

/// What is kept of a transfer's place in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Order of arrival, or what the user made of it; the smallest waits the shortest. Has gaps, so that one can be put
    /// between two others without touching them.
    pub order: u64,
    /// Where it stands.
    pub status: TransferStatus,
    /// Where it stood before.
    pub previous: Option<TransferStatus>,
    /// Runs begun.
    pub attempts: u32,
    /// Failed runs in a row without progress.
    pub failures: u32,
}

/// What the caller must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker.
    Start {
        /// For this transfer.
        id: TransferId,
        /// Under this name.
        run: RunId,
        /// Counts from 1.
        attempt: u32,
    },
    /// Ask the worker to stop.
    Stop {
        /// Which.
        run: RunId,
    },
    /// The place of this transfer changed: persist and publish it.
    Changed {
        /// Which.
        id: TransferId,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything arrived.
    Done,
    /// An error; `retryable` if it may pass by itself.
    Failed {
        /// May pass.
        retryable: bool,
    },
    /// The worker died without a word.
    Crashed,
    /// The user must answer something first.
    NeedsAnswer,
}

/// Why a wish was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such transfer.
    #[error("there is no such transfer")]
    Unknown,
    /// It has completed.
    #[error("the transfer has completed already")]
    Completed,
    /// It does not wait.
    #[error("only transfers that wait for their turn have a place in the queue")]
    NotWaiting,
}

/// True for states in which a transfer is under way or will be by itself.
#[must_use]
pub fn is_active(status: TransferStatus) -> bool {
    matches!(
        status,
        TransferStatus::Initiating | TransferStatus::Queued | TransferStatus::Running | TransferStatus::WillRetry
    )
}
