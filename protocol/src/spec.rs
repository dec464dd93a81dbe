//! The transfer spec as pages and servers write it (reference, 1.9): every known field under both families of names,
//! unknown ones ignored.

use crate::{RateKbps, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which way the files move, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Upload.
    Send,
    /// Download.
    Receive,
}

/// How a transfer shares the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatePolicy {
    /// The target rate, whatever happens.
    Fixed,
    /// Two fair shares.
    High,
    /// One fair share.
    #[default]
    Fair,
    /// Only what others leave.
    Low,
}

/// How partial files are continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumePolicy {
    /// From the beginning.
    None,
    /// If size and time of the source are the same.
    #[serde(alias = "attrs")]
    Attributes,
    /// As attributes, and the verified units' values match.
    #[default]
    #[serde(alias = "sparse_csum")]
    SparseChecksum,
    /// Every unit compared.
    #[serde(alias = "full_csum")]
    FullChecksum,
}

/// What happens to an existing target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverwritePolicy {
    /// Replace it.
    Always,
    /// Keep it.
    #[serde(alias = "never")]
    None,
    /// Replace it if it differs.
    #[default]
    Diff,
    /// Replace it if it is older.
    Older,
    /// Replace it if it is older and differs.
    #[serde(rename = "diff+older")]
    DiffOlder,
}

/// How to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// User and password.
    #[default]
    Password,
    /// Token.
    Token,
}

/// One element of `paths`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecPath {
    /// Source.
    #[serde(default)]
    pub source: String,
    /// Target name, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// A transfer spec. The protocol room's tests list every field; see [`TransferSpec::from_value`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransferSpec {
    /// Which way.
    pub direction: Direction,
    /// Server.
    pub remote_host: String,
    /// Login name; empty if not given.
    pub remote_user: String,
    /// Password; absent if not given.
    #[serde(skip)]
    pub remote_password: Option<Secret>,
    /// How to log in.
    pub authentication: Authentication,
    /// Token; absent if not given.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// Sources and targets.
    pub paths: Vec<SpecPath>,
    /// Prefix of sources.
    pub source_root: String,
    /// Prefix of targets.
    pub destination_root: String,
    /// Make the target folder.
    pub create_dir: bool,
    /// TCP port.
    pub ssh_port: u16,
    /// UDP port.
    pub fasp_port: u16,
    /// Sharing.
    pub rate_policy: RatePolicy,
    /// Wanted rate.
    pub target_rate_kbps: Option<RateKbps>,
    /// Lowest rate.
    pub min_rate_kbps: Option<RateKbps>,
    /// Upper limit for changes by the user.
    pub target_rate_cap_kbps: Option<RateKbps>,
    /// The user may not change the policy.
    pub lock_rate_policy: bool,
    /// The user may not change the target.
    pub lock_target_rate: bool,
    /// The user may not change the minimum.
    pub lock_min_rate: bool,
    /// Continuing partial files.
    pub resume: ResumePolicy,
    /// Existing targets.
    pub overwrite: OverwritePolicy,
    /// Keep times.
    pub preserve_times: bool,
    /// Certificate fingerprint of the server (`sshfp`).
    pub fingerprint: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Opaque text.
    pub cookie: Option<String>,
    /// The spec as it came, without secrets, for showing back to the page.
    pub public: Value,
}

/// What is wrong with a spec: the field and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transfer spec: {field}: {reason}")]
pub struct SpecError {
    /// Name of the field as the page wrote it.
    pub field: String,
    /// In plain words.
    pub reason: String,
}

impl TransferSpec {
    /// Reads a spec from what a page sent.
    pub fn from_value(value: &Value) -> Result<Self, SpecError> {
        let _ = value;
        Err(SpecError { field: "direction".into(), reason: "the parser is being written".into() })
    }
}
