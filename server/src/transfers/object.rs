//! A transfer as the API shows it. Pure.

use crate::catalogue::TransferRecord;
use godwit_protocol::worker::{FileOutcome, FileReport, RateSettings, Stats};
use serde_json::{Value, json};

/// Files listed with a transfer; more are only counted.
const MAX_FILES: usize = 1_000;

/// Where a transfer stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Id.
    pub id: String,
    /// User or key.
    pub owner: String,
    /// One of the API's words.
    pub status: &'static str,
    /// What it was started with, without secrets.
    pub start_spec: Value,
    /// Counts.
    pub stats: Stats,
    /// Limits in force.
    pub rate: RateSettings,
    /// Number and words of the error; 0 and empty if there is none.
    pub error: (u16, String),
    /// µs since the Unix epoch.
    pub start_usec: i64,
    /// µs since the Unix epoch, once it has ended.
    pub end_usec: Option<i64>,
    /// The first that ended.
    pub files: Vec<FileReport>,
    /// The other end.
    pub peer: String,
}

impl Progress {
    /// A transfer that has just begun.
    #[must_use]
    pub fn new(id: String, owner: String, start_spec: Value, peer: String, now_usec: i64) -> Self {
        Self {
            id,
            owner,
            status: "running",
            start_spec,
            stats: Stats::default(),
            rate: RateSettings::default(),
            error: (0, String::new()),
            start_usec: now_usec,
            end_usec: None,
            files: Vec::new(),
            peer,
        }
    }

    /// A file ended.
    pub fn file(&mut self, report: FileReport) {
        if self.files.len() < MAX_FILES {
            self.files.push(report);
        }
    }

    /// For the catalogue.
    #[must_use]
    pub fn record(&self, now_usec: i64) -> TransferRecord {
        TransferRecord {
            id: self.id.clone(),
            owner: self.owner.clone(),
            status: self.status.to_owned(),
            start_usec: self.start_usec,
            body: self.object(now_usec),
        }
    }

    /// As the API shows it.
    #[must_use]
    pub fn object(&self, now_usec: i64) -> Value {
        let (stats, (code, text)) = (&self.stats, &self.error);
        let end = self.end_usec.unwrap_or(now_usec);
        let elapsed = end.saturating_sub(self.start_usec).max(0);
        let average = u64::try_from(elapsed).ok().filter(|usec| *usec > 0).map_or(0, |usec| {
            u64::try_from(u128::from(stats.bytes_transferred) * 8 * 1_000 / u128::from(usec)).unwrap_or(0)
        });
        let ready = if stats.scan_complete || self.end_usec.is_some() { "ready" } else { "scanning" };
        let lost = stats.packets_lost.saturating_mul(1_200);
        let times = json!({
            "start_time_usec": self.start_usec,
            "end_time_usec": self.end_usec.unwrap_or(0),
            "elapsed_usec": elapsed,
        });
        let precalc = json!({
            "enabled": true,
            "status": ready,
            "bytes_expected": stats.bytes_expected,
            "files_expected": stats.files_expected,
            "directories_expected": 0,
            "files_excluded": 0,
            "files_special": 0,
            "files_failed": stats.files_failed,
        });
        let common = json!({
            "id": self.id,
            "status": self.status,
            "bytes_transferred": stats.bytes_transferred,
            "bytes_written": stats.bytes_written,
            "bytes_lost": lost,
            "avg_rate_kbps": average,
            "files_completed": stats.files_completed,
            "files_skipped": stats.files_skipped,
            "files_failed": stats.files_failed,
            "directories_completed": 0,
            "error_code": code,
            "error_desc": text,
            "precalc": precalc,
        });
        let session = with(
            with(common.clone(), &times),
            &json!({
                "client_ip_address": self.peer,
                "target_rate_kbps": self.rate.target.map_or(0, |rate| rate.0),
                "min_rate_kbps": self.rate.minimum.map_or(0, |rate| rate.0),
                "calc_rate_kbps": stats.rate_kbps,
                "network_delay_usec": stats.rtt_us,
                "retry_timeout": 0,
                "retry_count": 0,
            }),
        );
        let files: Vec<Value> = self.files.iter().map(file).collect();
        with(with(common, &times), &json!({"start_spec": self.start_spec, "sessions": [session], "files": files}))
    }
}

fn with(mut object: Value, more: &Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    object
}

fn file(report: &FileReport) -> Value {
    let status = match report.outcome {
        FileOutcome::Completed => "completed",
        FileOutcome::Skipped => "skipped",
        FileOutcome::Failed => "failed",
    };
    json!({
        "path": report.path,
        "size": report.size,
        "status": status,
        "type": "file",
        "error_code": report.error.as_ref().map_or(0, |e| e.code.number()),
        "error_desc": report.error.as_ref().map_or("", |e| e.message.as_str()),
        "checksum_type": if report.blake3.is_some() { "blake3" } else { "none" },
        "checksum": report.blake3.as_deref().unwrap_or(""),
        "bytes_written": if report.outcome == FileOutcome::Failed { 0 } else { report.size },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_of_the_predecessor_read_is_there_with_its_type() {
        let mut progress = Progress::new("t".into(), "ann".into(), json!({}), "192.0.2.1".into(), 1_000_000);
        progress.stats = Stats { bytes_transferred: 1_000_000, bytes_expected: 2_000_000, ..Stats::default() };
        let object = progress.object(2_000_000);
        assert_eq!(object["avg_rate_kbps"], 8_000);
        assert!(object["error_desc"].is_string() && object["error_code"] == 0);
        assert_eq!(object["precalc"]["bytes_expected"], 2_000_000);
        progress.end_usec = Some(3_000_000);
        assert_eq!(progress.object(9_000_000)["elapsed_usec"], 2_000_000);
        assert_eq!(progress.object(9_000_000)["precalc"]["status"], "ready");
    }
}
