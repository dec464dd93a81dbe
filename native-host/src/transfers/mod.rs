//! What is known of each transfer, apart from its place in the queue: what to do, for whom, and how far it got.

mod info;
mod plan;
mod view;

pub use info::{TransferOutput, removed_info, transfer_info};
pub use plan::{PlanError, Work, plan};
pub use view::{shortage, transfer_view};

use crate::queue::{Place, TransferId};
use godwit_protocol::Origin;
use godwit_protocol::spec::TransferSpec;
use godwit_protocol::start::ConnectSettings;
use godwit_protocol::ui::{TransferError, Unlocking};
use godwit_protocol::worker::{FileReport, RateSettings, Stats, Unlocked};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Form of the stored records; see [`crate::store::decode`].
pub const ORDER_FORM: u32 = 1;
/// See [`ORDER_FORM`].
pub const STATE_FORM: u32 = 1;
/// See [`ORDER_FORM`].
pub const TOMBSTONE_FORM: u32 = 1;

/// Ended files of one transfer that are remembered for the page. A transfer may have a million.
const MAX_FILES: usize = 500;

/// What a transfer shall do; stored once and rarely changed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The site that started it.
    pub origin: Origin,
    /// Its browser session then.
    pub session: String,
    /// How the page wants it treated.
    pub settings: ConnectSettings,
    /// What the page asked.
    pub spec: TransferSpec,
    /// What that means on this machine, checked.
    pub work: Work,
    /// Limits, as changed since.
    pub rate: RateSettings,
    /// What to call it.
    pub title: String,
    /// When it was added, ms since the Unix epoch.
    pub added_ms: u64,
    /// It is encrypted because the user wants it for this server, not the page.
    #[serde(default)]
    pub protected_by_user: bool,
}

/// Where a transfer stands; stored at every change of state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// First run began, ms since the Unix epoch; 0 = not yet.
    pub started_ms: u64,
    /// Last change.
    pub modified_ms: u64,
    /// Ended; 0 = not yet.
    pub ended_ms: u64,
    /// Milliseconds in which a worker ran.
    pub elapsed_ms: u64,
    /// What the worker said last.
    pub stats: Stats,
    /// Most verified bytes ever: more than that is progress.
    pub high_water: u64,
    /// `quic` or `http`; empty before the first session.
    pub transport: String,
    /// Why the last run failed.
    pub error: Option<TransferError>,
    /// What became of encrypted files that it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Unlocked>,
    /// Token of the last visible change.
    pub token: u64,
}

/// A stored [`Standing`] with the place in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredState {
    /// In the queue.
    pub place: Place,
    /// The rest.
    pub standing: Standing,
}

/// What is left of a removed transfer, so that pages hear of the removal once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Whose it was.
    pub origin: Origin,
    /// Whose it was.
    pub app_id: String,
    /// Of the removal.
    pub token: u64,
    /// When, ms since the Unix epoch.
    pub removed_ms: u64,
    /// The settings, by which a page recognises it.
    pub settings: ConnectSettings,
    /// Its name.
    pub title: String,
}

/// A transfer in memory.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// What to do.
    pub order: Order,
    /// How far it got.
    pub standing: Standing,
    /// Files that ended, youngest last; not stored.
    pub files: VecDeque<FileReport>,
    /// Changes whenever its limits do.
    pub limits_version: u32,
    /// Its files are being decrypted.
    pub unlocking: Option<Unlocking>,
}

impl Transfer {
    /// A new one.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self { order, standing: Standing::default(), files: VecDeque::new(), limits_version: 0, unlocking: None }
    }

    /// True if a page of `origin` with `app_id` may know of it.
    #[must_use]
    pub fn belongs_to(&self, origin: &Origin, app_id: &str) -> bool {
        !app_id.is_empty() && self.order.settings.app_id == app_id && self.order.origin == *origin
    }

    /// Remembers how a file ended.
    pub fn file_ended(&mut self, report: FileReport) {
        if self.files.len() >= MAX_FILES {
            self.files.pop_front();
        }
        self.files.push_back(report);
    }

    /// The local or remote path of a file that the worker names relative to the roots.
    #[must_use]
    pub fn full_path(&self, relative: &str) -> String {
        match &self.order.work.names_root {
            Some(root) if !relative.is_empty() => format!("{}/{relative}", root.trim_end_matches('/')),
            _ => relative.to_owned(),
        }
    }
}

/// Key of a transfer's sealed secrets in the store, which is also what they are bound to.
#[must_use]
pub fn secrets_key(id: &TransferId) -> String {
    format!("transfer/{id}")
}
