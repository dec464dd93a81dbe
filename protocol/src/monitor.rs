//! What the transfer monitor asks: how a transfer went from its beginning, its limits, and new ones.
//!
//! As with [`crate::ui`], none of these may carry an origin: pages never reach them.

use crate::RateKbps;
use crate::spec::RatePolicy;
use crate::wire::RateLocks;
use crate::worker::{Failure, FileReport, RateSettings};
use serde::{Deserialize, Serialize};

/// Request kinds.
pub mod kinds {
    /// Params [`crate::ui::TransferRef`]; result [`super::History`].
    pub const HISTORY: &str = "ui.history";
    /// Params [`super::SetRate`], perhaps without a wish; result [`super::Limits`]. A limit that the site or the server locked ends with `forbidden`.
    pub const SET_RATE: &str = "ui.set-rate";
    /// Params [`crate::ui::TransferRef`]; result [`super::LogExcerpt`].
    pub const LOG: &str = "ui.log";
}

/// What the log of transfers says of one, oldest first; the last lines only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogExcerpt {
    /// Whole lines.
    pub lines: Vec<String>,
}

/// How a transfer went. Kept for the last transfers, also over a restart of the agent: what a worker that was running then had
/// reported is lost, what earlier ones had is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Oldest first; the older and longer a transfer, the more time one stands for.
    pub samples: Vec<Sample>,
    /// Time that one sample stands for, milliseconds.
    pub step_ms: u64,
    /// Runs of a worker, oldest first; the last ones only.
    pub sessions: Vec<SessionNote>,
    /// Files that ended, oldest first; the last ones only.
    pub files: Vec<FileReport>,
    /// What holds now.
    pub limits: Limits,
    /// What the page asked for, without secrets, paths and the page's own tags; null if that is very much.
    pub spec: serde_json::Value,
}

/// A moment of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Time that workers ran before it, milliseconds: pauses do not count.
    pub at_ms: u64,
    /// Rate.
    pub rate_kbps: u64,
    /// The lowest limit in force; 0: none.
    pub limit_kbps: u64,
    /// Packets lost since the sample before.
    pub lost: u64,
    /// Waiting time in the path's queues, 0 where this side does not send.
    pub queue_us: u64,
    /// Round trip.
    pub rtt_us: u64,
    /// Bytes verified at the receiver so far.
    pub bytes_written: u64,
}

/// A run of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionNote {
    /// When it began, milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// When it ended; absent: it runs.
    pub ended_ms: Option<u64>,
    /// `quic` or `http`; empty until the server has accepted it.
    pub transport: String,
    /// Version the server says it has.
    pub server_version: String,
    /// Connections that carried data.
    pub connections: u32,
    /// File bytes that it carried.
    pub bytes: u64,
    /// Packets lost.
    pub lost: u64,
    /// Why it ended before its work was done.
    pub error: Option<Failure>,
}

/// The limits of a transfer and who set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// What the site or the user asked; its cap is the site's.
    pub wished: RateSettings,
    /// What the server made of it when the session began.
    pub granted: RateSettings,
    /// What the site locked.
    pub locked_by_site: RateLocks,
    /// What the server locked.
    pub locked_by_server: RateLocks,
    /// This transfer's present share of the user's own bandwidth limit.
    pub share: Option<RateKbps>,
}

/// Params of `ui.set-rate`: what is absent stays, a rate of 0 takes a limit away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRate {
    /// Which transfer.
    pub uuid: String,
    /// New policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_policy: Option<RatePolicy>,
    /// New target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_rate_kbps: Option<RateKbps>,
    /// New minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rate_kbps: Option<RateKbps>,
}

/// What is worth knowing of a transfer while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Live {
    /// As in [`Sample`], with the packets of this session.
    #[serde(flatten)]
    pub sample: Sample,
    /// Connections that carry data.
    pub connections: u32,
    /// Counts changes of [`Limits`]: when it is another, they are asked for again.
    pub limits_version: u32,
}
