//! The transfer spec as pages and servers write it (reference, 1.9): every known field under both families of names,
//! unknown ones ignored.
//!
//! **Purpose.** One typed form of what a page asks for, and the copy of it that may be shown. Secrets are taken out
//! into [`Secret`] fields, which serde skips: whoever stores a spec stores them apart.
//! **Must not know:** whether a path exists, what the user granted, or whether a server agrees.

mod change;
pub(crate) mod fields;
pub(crate) mod host;
pub(crate) mod parse;
pub(crate) mod public;
mod target;

pub use change::RateChange;
pub use host::normalise_host;
pub use target::{LocalDestination, absolute_path, local_source, relative, remote_path};

use crate::{RateKbps, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Most elements of `paths`.
pub const MAX_PATHS: usize = 100_000;

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

/// Encryption of contents on the sender's side, before anything leaves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentProtection {
    /// Upload: encrypt.
    Encrypt,
    /// Download: decrypt.
    Decrypt,
}

/// What a sender does with symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SymlinkPolicy {
    /// Send what they point to.
    Follow,
    /// Send the link.
    Copy,
    /// Send the link, replacing what is there.
    #[serde(rename = "copy+force")]
    CopyForce,
    /// Leave them out.
    Skip,
}

/// A transfer spec, made by [`TransferSpec::from_value`]. Its serialised form is for our own database only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferSpec {
    /// Which way.
    pub direction: Direction,
    /// Server: an ASCII host name in lower case or an address (IPv6 without brackets).
    pub remote_host: String,
    /// Login name; empty if not given.
    pub remote_user: String,
    /// Password; absent if not given.
    #[serde(skip)]
    pub remote_password: Option<Secret>,
    /// How to log in. If the page does not say: by token if there is one and no password.
    pub authentication: Authentication,
    /// Token; absent if not given.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// Sources and targets as the page wrote them; see [`Self::effective_sources`].
    pub paths: Vec<SpecPath>,
    /// Prefix of sources; may be empty.
    pub source_root: String,
    /// Prefix of targets; may be empty. See [`Self::remote_destination`] and [`Self::local_destination`].
    pub destination_root: String,
    /// Make the target folder.
    pub create_dir: bool,
    /// TCP port.
    pub ssh_port: u16,
    /// UDP port.
    pub fasp_port: u16,
    /// Sharing.
    pub rate_policy: RatePolicy,
    /// Wanted rate; never 0.
    pub target_rate_kbps: Option<RateKbps>,
    /// Lowest rate.
    pub min_rate_kbps: Option<RateKbps>,
    /// Upper limit for changes by the user; never 0.
    pub target_rate_cap_kbps: Option<RateKbps>,
    /// The user may not change the policy.
    pub lock_rate_policy: bool,
    /// The user may not change the target.
    pub lock_target_rate: bool,
    /// The user may not change the minimum.
    pub lock_min_rate: bool,
    /// Continuing partial files (`resume`, `resume_policy`).
    pub resume: ResumePolicy,
    /// Existing targets (`overwrite_policy`, `overwrite`).
    pub overwrite: OverwritePolicy,
    /// Give an existing target another name first. Only with [`ResumePolicy::None`].
    #[serde(default)]
    pub save_before_overwrite: bool,
    /// Keep times.
    pub preserve_times: bool,
    /// Certificate fingerprint of the server (`sshfp`).
    pub fingerprint: Option<String>,
    /// Title, fit to be shown: one line, bounded.
    pub title: Option<String>,
    /// Opaque text.
    pub cookie: Option<String>,
    /// Encryption by the sender. Whoever cannot do it must refuse the transfer, not move the files in clear.
    #[serde(default)]
    pub content_protection: Option<ContentProtection>,
    /// Passphrase for it; absent if not given.
    #[serde(skip)]
    pub content_protection_passphrase: Option<Secret>,
    /// Cipher in transit. Only reported: QUIC always encrypts, also for `none`.
    #[serde(default)]
    pub cipher: Option<String>,
    /// HTTPS may be used when UDP is blocked.
    #[serde(default)]
    pub http_fallback: bool,
    /// Port for it.
    #[serde(default)]
    pub http_fallback_port: Option<u16>,
    /// Sessions to use at once, at most 64.
    #[serde(default)]
    pub multi_session: Option<u16>,
    /// Files larger than this many bytes are split over sessions.
    #[serde(default)]
    pub multi_session_threshold: Option<u64>,
    /// Fields that are seldom used.
    #[serde(default)]
    pub rare: Rare,
    /// The spec as it came, without secrets, for showing back to the page.
    pub public: Value,
}

/// Fields that are seldom used; the names are the page's. Parsed so that a wrong one is named early, whether or not
/// this build acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rare {
    /// Random names at the target; not reversible.
    pub obfuscate_file_names: bool,
    /// Hint for the UDP payload, bytes.
    pub dgram_size: Option<u64>,
    /// Bytes per read of a source.
    pub read_size: Option<u64>,
    /// Bytes per write of a target.
    pub write_size: Option<u64>,
    /// Weakest cipher the server takes.
    pub cipher_allowed: Option<String>,
    /// Most aggressive policy the server takes (`rate_policy_allowed`, `policy_allowed`).
    pub rate_policy_allowed: Option<String>,
    /// Upper limit for changes of the minimum.
    pub min_rate_cap_kbps: Option<RateKbps>,
    /// Name of an archive made by the server.
    pub download_name: Option<String>,
    /// The server packs the sources into one archive.
    pub zip_required: bool,
    /// Sources to leave out.
    pub exclude_patterns: Vec<String>,
    /// Sources to take although excluded.
    pub include_patterns: Vec<String>,
    /// Symbolic links.
    pub symlink_policy: Option<SymlinkPolicy>,
    /// Visit a folder once, however many sources lead to it.
    pub skip_dir_traversal_dupes: bool,
    /// Prefix local paths with the local root (transfers between servers).
    pub apply_local_docroot: bool,
    /// The server offers WebSocket control.
    pub wss_enabled: bool,
    /// Port for it.
    pub wss_port: Option<u16>,
    /// Prefer IPv6.
    pub use_ipv6: bool,
    /// Keep the owner.
    pub preserve_file_owner_uid: bool,
    /// Keep the group.
    pub preserve_file_owner_gid: bool,
    /// Delete sources that arrived. A page must never get this without the user's explicit consent.
    pub remove_after_transfer: bool,
    /// Delete source folders that became empty.
    pub remove_empty_directories: bool,
    /// Delete the source folder itself if it became empty.
    pub remove_empty_source_directory: bool,
    /// Delete sources that were skipped too.
    pub remove_skipped: bool,
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
    /// Reads a spec from what a page sent: both families of names, unknown fields ignored, `null` and empty texts the
    /// same as absent, numbers and switches also as texts.
    pub fn from_value(value: &Value) -> Result<Self, SpecError> {
        parse::parse(value)
    }

    /// The page's opaque `tags`; null if there are none.
    #[must_use]
    pub fn tags(&self) -> &Value {
        self.public.get("tags").unwrap_or(&Value::Null)
    }

    /// Id of the folder on the server that the paths are relative to: `tags.aspera.node.file_id`. Clients of access keys
    /// give it, and log in with what they log in to the API with.
    #[must_use]
    pub fn root_id(&self) -> Option<String> {
        let id = self.tags().pointer("/aspera/node/file_id")?;
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        (!id.is_empty() && id.len() <= 64).then_some(id)
    }

    /// Refuses what this build does not do, where ignoring it would expose or destroy what the page wanted kept. A room
    /// that learns to do one of these takes it off here.
    pub fn check_offered(&self) -> Result<(), SpecError> {
        let refused = [("obfuscate_file_names", self.rare.obfuscate_file_names, "the names would be readable")];
        match refused.iter().find(|(_, asked, _)| *asked) {
            Some((field, _, loss)) => Err(fields::wrong(*field, format!("this version cannot do it, and {loss}"))),
            None => Ok(()),
        }
    }

    /// [`Self::public`] without `paths`, for requests that said `return_paths: false`.
    #[must_use]
    pub fn without_paths(&self) -> Value {
        let mut public = self.public.clone();
        if let Some(object) = public.as_object_mut() {
            object.remove("paths");
        }
        public
    }
}

/// For logs: no secret, nothing opaque (the cookie and tags may hold one), and a bounded number of paths.
impl fmt::Debug for TransferSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferSpec")
            .field("direction", &self.direction)
            .field("remote_host", &self.remote_host)
            .field("remote_user", &self.remote_user)
            .field("authentication", &self.authentication)
            .field("token", &self.token)
            .field("remote_password", &self.remote_password)
            .field("paths", &self.paths.len())
            .field("first_path", &self.paths.first())
            .field("source_root", &self.source_root)
            .field("destination_root", &self.destination_root)
            .field("ssh_port", &self.ssh_port)
            .field("fasp_port", &self.fasp_port)
            .field("rate_policy", &self.rate_policy)
            .field("target_rate_kbps", &self.target_rate_kbps)
            .field("min_rate_kbps", &self.min_rate_kbps)
            .field("resume", &self.resume)
            .field("overwrite", &self.overwrite)
            .field("fingerprint", &self.fingerprint)
            .field("content_protection", &self.content_protection)
            .finish_non_exhaustive()
    }
}
