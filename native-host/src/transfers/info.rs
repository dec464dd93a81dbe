//! Transfers as pages see them: `TransferInfo` and `TransferOutput` (reference, 1.6 and 1.8). Never a secret.

use super::{Tombstone, Transfer};
use crate::queue::{Place, TransferId};
use crate::time::local_iso;
use godwit_protocol::ErrorCode;
use godwit_protocol::start::ConnectSettings;
use godwit_protocol::ui::{TransferError, TransferStatus};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The answer to `start` and `resume`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransferOutput {
    aspera_connect_settings: ConnectSettings,
    transfer_spec: Value,
    uuid: String,
    tags: Value,
}

impl TransferOutput {
    /// For this transfer. Some clients read the id from the outer tags, some from those inside the spec.
    #[must_use]
    pub fn new(id: &TransferId, transfer: &Transfer, attempts: u32) -> Self {
        let aspera = aspera_tags(id, attempts);
        Self {
            aspera_connect_settings: transfer.order.settings.clone(),
            transfer_spec: spec(id, transfer, attempts),
            uuid: id.as_str().into(),
            tags: json!({"aspera": aspera}),
        }
    }

    /// For one that was removed meanwhile.
    #[must_use]
    pub fn removed(id: &TransferId, tombstone: &Tombstone) -> Self {
        let tags = json!({"aspera": aspera_tags(id, 1)});
        Self {
            aspera_connect_settings: tombstone.settings.clone(),
            transfer_spec: json!({"tags": tags}),
            uuid: id.as_str().into(),
            tags,
        }
    }
}

fn aspera_tags(id: &TransferId, attempts: u32) -> Value {
    json!({"index": 0, "xfer_id": id.as_str(), "xfer_retry": attempts.saturating_sub(1)})
}

/// The page's spec without secrets, with our id in its tags.
fn spec(id: &TransferId, transfer: &Transfer, attempts: u32) -> Value {
    let order = &transfer.order;
    let mut spec = if order.settings.return_paths { order.spec.public.clone() } else { order.spec.without_paths() };
    if let Value::Object(fields) = &mut spec {
        let tags = fields.entry("tags").or_insert_with(|| Value::Object(Map::new()));
        if !tags.is_object() {
            *tags = Value::Object(Map::new());
        }
        let Value::Object(tags) = tags else { return spec };
        let aspera = tags.entry("aspera").or_insert_with(|| Value::Object(Map::new()));
        match (aspera, aspera_tags(id, attempts)) {
            (Value::Object(theirs), Value::Object(ours)) => theirs.extend(ours),
            (other, ours) => *other = ours,
        }
    }
    spec
}

fn date(wall_ms: u64) -> String {
    if wall_ms == 0 { String::new() } else { local_iso(wall_ms) }
}

/// What `activity` and `info` say of a transfer.
#[must_use]
pub fn transfer_info(id: &TransferId, transfer: &Transfer, place: &Place) -> Value {
    let (order, standing) = (&transfer.order, &transfer.standing);
    let stats = &standing.stats;
    let running = matches!(place.status, TransferStatus::Running | TransferStatus::Initiating);
    let completed = place.status == TransferStatus::Completed;
    let percentage = match (stats.bytes_expected, stats.bytes_written) {
        (0, _) => f64::from(u8::from(completed)),
        (expected, written) => (written as f64 / expected as f64).min(1.0),
    };
    let rate = if running { stats.rate_kbps } else { 0 };
    let left = stats.bytes_expected.saturating_sub(stats.bytes_written);
    // bits / (kbit/s) = ms
    let remaining_usec = left.saturating_mul(8).saturating_mul(1000).checked_div(rate).unwrap_or(0);
    let error = standing.error.as_ref();
    let mut info = json!({
        "uuid": id.as_str(),
        "status": place.status,
        "previous_status": place.previous.map_or(Value::String(String::new()), |s| json!(s)),
        "title": order.title,
        "aspera_connect_settings": order.settings,
        "transfer_spec": spec(id, transfer, place.attempts),
        // Pages test for the predecessor's two words only.
        "transport": if standing.transport == "http" { "http" } else { "fasp" },
        "add_time": date(order.added_ms),
        "start_time": date(standing.started_ms),
        "modify_time": date(standing.modified_ms),
        "end_time": date(standing.ended_ms),
        "bytes_expected": stats.bytes_expected,
        "bytes_written": stats.bytes_written,
        "percentage": percentage,
        "calculated_rate_kbps": rate,
        "elapsed_usec": standing.elapsed_ms.saturating_mul(1000),
        "remaining_usec": remaining_usec,
        "current_file": transfer.full_path(&stats.current_file),
        "explorer_path": order.work.folder.as_ref().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default(),
        "file_counts": {
            "attempted": stats.files_completed + stats.files_failed,
            "completed": stats.files_completed,
            "failed": stats.files_failed,
            "skipped": stats.files_skipped,
        },
        "transfer_iteration_token": standing.token,
        "error_code": error.map_or(0, |e| e.code.number()),
        "error_desc": error.map_or("", |e| description(transfer, e)),
    });
    if order.settings.return_files
        && let Value::Object(fields) = &mut info
    {
        fields.insert("files".into(), files(id, transfer, running));
    }
    info
}

/// An error's words for the page. Which certificate the user has confirmed for a server is the user's own affair.
fn description<'a>(transfer: &Transfer, error: &'a TransferError) -> &'a str {
    let confirmed = error.code == ErrorCode::Insecure && transfer.order.spec.fingerprint.is_none();
    if confirmed { error.code.text() } else { &error.message }
}

/// Files that were active so far: those that have ended, and one that is the whole transfer.
fn files(id: &TransferId, transfer: &Transfer, running: bool) -> Value {
    let entry = |path: &str, expected: u64, written: u64| {
        // By its path: the list is bounded, so that a place in it is no name.
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        json!({
            "bytes_expected": expected,
            "bytes_written": written,
            "fasp_file_id": format!("{id}-{:016x}", hasher.finish()),
            "file": transfer.full_path(path),
        })
    };
    let ended = transfer.files.iter().map(|f| entry(&f.path, f.size, if f.error.is_some() { 0 } else { f.size }));
    let stats = &transfer.standing.stats;
    let alone = running && stats.scan_complete && stats.files_expected == 1 && transfer.files.is_empty();
    let current = (alone && !stats.current_file.is_empty())
        .then(|| entry(&stats.current_file, stats.bytes_expected, stats.bytes_written));
    Value::Array(ended.chain(current).collect())
}

/// The last that a page hears of a removed transfer: all fields are there, since pages read them without looking.
#[must_use]
pub fn removed_info(id: &str, tombstone: &Tombstone) -> Value {
    let mut info = json!({
        "uuid": id,
        "status": TransferStatus::Removed,
        "title": tombstone.title,
        "aspera_connect_settings": tombstone.settings,
        "transfer_spec": {},
        "transport": "fasp",
        "modify_time": date(tombstone.removed_ms),
        "end_time": date(tombstone.removed_ms),
        "file_counts": {"attempted": 0, "completed": 0, "failed": 0, "skipped": 0},
        "transfer_iteration_token": tombstone.token,
    });
    if let Value::Object(fields) = &mut info {
        for name in ["previous_status", "add_time", "start_time", "current_file", "explorer_path", "error_desc"] {
            fields.insert(name.into(), "".into());
        }
        let numbers = ["bytes_expected", "bytes_written", "percentage", "calculated_rate_kbps", "elapsed_usec"];
        for name in numbers.into_iter().chain(["remaining_usec", "error_code"]) {
            fields.insert(name.into(), 0.into());
        }
        if tombstone.settings.return_files {
            fields.insert("files".into(), json!([]));
        }
    }
    info
}
