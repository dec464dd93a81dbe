//! Agent ⇄ worker: JSON lines. The agent writes [`Command`]s to the worker's standard input, the worker writes
//! [`Report`]s to its standard output and nothing else there; logs go to standard error.
//!
//! The first command is `start` and holds all secrets; they never appear in arguments or the environment.
//! Closing standard input means: the agent is gone; the worker stops as after `stop`.

use crate::spec::{ContentProtection, Direction, OverwritePolicy, RatePolicy, ResumePolicy};
use crate::{ErrorCode, RateKbps, Secret};
use serde::{Deserialize, Serialize};

/// From agent to worker. `type` is the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Command {
    /// First and once.
    Start(Box<Start>),
    /// First and once, instead of `start`: decrypts what an earlier session brought. Ends with `done` as well; on the way there are
    /// `stats`, with bytes decrypted as written and all that there are as expected, and `unlocked` tells what came of it.
    Unlock(Box<Unlock>),
    /// New limits, effective at once.
    SetRate(RateSettings),
    /// Write the journal, then exit with `error {code: 28}`.
    Stop,
}

/// Everything one session needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Id of the transfer; the same in every attempt.
    pub transfer_id: String,
    /// Counts attempts from 1.
    pub attempt: u32,
    /// Seen from this machine.
    pub direction: Direction,
    /// Where and who.
    pub server: ServerAddress,
    /// What to move.
    pub paths: Vec<PathPair>,
    /// Receive: absolute local folder. Send: folder on the server, relative to the user's root.
    pub destination_root: String,
    /// Make `destination_root` if it does not exist.
    #[serde(default)]
    pub create_dir: bool,
    /// How.
    #[serde(default)]
    pub options: TransferOptions,
    /// Limits at the start; for all connections of the session together.
    pub rate: RateSettings,
    /// Connections that share the work, 1 to [`crate::wire::MAX_CONNECTIONS`]; the server may allow fewer.
    #[serde(default = "one")]
    pub sessions: u32,
    /// Opaque text for the server's log.
    #[serde(default)]
    pub cookie: String,
    /// See [`crate::wire::SessionRequest::root_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_id: Option<String>,
    /// Encryption at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
}

/// Encrypted files that are decrypted where they lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlock {
    /// Absolute local folder.
    pub folder: String,
    /// Below it. Those that are not there any more are passed over.
    pub paths: Vec<String>,
    /// With which they are encrypted.
    pub passphrase: Secret,
}

/// End of the names of encrypted files.
pub const ENCRYPTED_SUFFIX: &str = ".age";

/// Longest passphrase, bytes.
pub const MAX_PASSPHRASE: usize = 4096;

/// Files that are encrypted where they are stored, in the age format, under their name with `.age`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// `encrypt` for what is sent, `decrypt` for what is received.
    pub mode: ContentProtection,
    /// With which all files are encrypted.
    pub passphrase: Secret,
    /// The same in each attempt of one transfer, and of no other: only then an attempt continues what an earlier one sent.
    pub scope: String,
}

fn one() -> u32 {
    1
}

/// One source and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPair {
    /// Send: absolute local path. Receive: path on the server, relative to the user's root.
    pub source: String,
    /// Name and folder at the target, relative to the destination root; absent: the source's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// The server and how to prove both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerAddress {
    /// Name or address (IPv6 without brackets).
    pub host: String,
    /// UDP port for data.
    pub data_port: u16,
    /// TCP port, tried when UDP gets no answer, to tell the user which is blocked.
    pub tcp_port: u16,
    /// Login name; may be empty with a token.
    #[serde(default)]
    pub user: String,
    /// Proof of who we are.
    pub credential: Credential,
    /// How the server proves who it is.
    #[serde(default)]
    pub identity: ServerIdentity,
}

/// Proof of who the client is. `method` is the tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Credential {
    /// Login by password.
    Password {
        /// The password.
        password: Secret,
    },
    /// A transfer token made by the server's web application.
    Token {
        /// The token.
        token: Secret,
    },
}

/// What a server's certificate must satisfy: the fingerprint if one is given; else the pin if there is one; else the
/// system's roots; else the worker ends with code 51 and reports the fingerprint, so that the user can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    /// From the spec (`sshfp`) or the command line: `SHA256:…` or bare hex or base64, of the DER certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Confirmed by the user earlier, same form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

/// How to treat files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TransferOptions {
    /// How partial files are continued.
    pub resume: ResumePolicy,
    /// What happens to existing targets.
    pub overwrite: OverwritePolicy,
    /// Before a file is overwritten, give the old one the name `stem.yyyy.mm.dd.hh.mm.ss.index.ext` (UTC).
    pub save_before_overwrite: bool,
    /// Keep modification times.
    pub preserve_times: bool,
    /// Suffix of a file on its way, with the dot.
    pub partial_suffix: String,
    /// Suffix of the journal beside it, with the dot.
    pub checkpoint_suffix: String,
    /// Wait for the disk before a file gets its final name.
    pub fsync: bool,
    /// A file whose name holds characters that [no name may hold](crate::path::is_refused) goes under its name with this one in
    /// their place; absent: it fails with code 56.
    pub replace_illegal: Option<char>,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            resume: ResumePolicy::default(),
            overwrite: OverwritePolicy::default(),
            save_before_overwrite: false,
            preserve_times: false,
            partial_suffix: ".partial".into(),
            checkpoint_suffix: ".aspera-ckpt".into(),
            fsync: true,
            replace_illegal: Some('_'),
        }
    }
}

/// Rates of a session; absent = no limit of that kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateSettings {
    /// `fair` unless said otherwise.
    pub policy: RatePolicy,
    /// Wanted rate.
    pub target: Option<RateKbps>,
    /// Never slower than this, except by a server's cap.
    pub minimum: Option<RateKbps>,
    /// Never faster than this (aggregate limits).
    pub cap: Option<RateKbps>,
}

/// From worker to agent. `type` is the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Report {
    /// Connected and accepted.
    Session {
        /// `quic` or `http`.
        transport: String,
        /// The server's certificate, `SHA256:…`.
        fingerprint: String,
        /// Version the server says it has.
        server_version: String,
        /// Limits after the server's caps and locks.
        #[serde(default)]
        granted: RateSettings,
        /// What only the server's administrator changes.
        #[serde(default)]
        locks: crate::wire::RateLocks,
    },
    /// At most four a second.
    Stats(Stats),
    /// One file ended.
    File(FileReport),
    /// A download to be decrypted has arrived as a whole, and what could be decrypted is; before `done`.
    Unlocked(Unlocked),
    /// Every file arrived and was verified; the last line.
    Done(Stats),
    /// The session failed; the last line.
    Error(Failure),
}

/// Where the session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Sum of the sizes of all files known so far.
    pub bytes_expected: u64,
    /// Bytes at the target: verified now, found there from an earlier attempt, or skipped as already complete.
    pub bytes_written: u64,
    /// File bytes carried in this session (units only, no headers, no retransmissions).
    pub bytes_transferred: u64,
    /// Bytes of UDP payload sent and received in this session.
    pub bytes_on_wire: u64,
    /// Present rate.
    pub rate_kbps: u64,
    /// Files known so far.
    pub files_expected: u64,
    /// True once the scan has ended and the expectations are final.
    pub scan_complete: bool,
    /// Files complete now (skipped ones included).
    pub files_completed: u64,
    /// Files skipped because the target had them.
    pub files_skipped: u64,
    /// Files failed.
    pub files_failed: u64,
    /// A file in progress: path relative to the roots.
    pub current_file: String,
    /// Smoothed round-trip time.
    pub rtt_us: u64,
    /// Packets declared lost in this session, as seen by this side.
    pub packets_lost: u64,
    /// Time packets wait in queues on the path, as this side's rate control sees it; 0 where it does not send.
    pub queue_us: u64,
    /// Connections that carry data now.
    pub connections: u32,
    /// The lowest limit in force, of target, caps and the server's share for this session; 0 if nothing limits.
    pub limit_kbps: u64,
    /// Receiving: the disk that the files go to; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
}

/// Room on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes that this user can still write.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
}

/// How a file ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Path relative to the roots.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What became of it.
    pub outcome: FileOutcome,
    /// Set if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// BLAKE3 of its content, hex; absent if skipped or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// What became of encrypted files after they had arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unlocked {
    /// Files that were decrypted.
    pub opened: u64,
    /// Files that stay encrypted.
    pub kept: u64,
    /// Why the first of them does, with its name; absent if none does.
    pub why: Option<String>,
    /// The passphrase was wrong for at least one.
    pub wrong_passphrase: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOutcome {
    /// Written and verified.
    Completed,
    /// The target had it already.
    Skipped,
    /// See `error`.
    Failed,
}

/// An error with its number and words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The predecessor's number.
    pub code: ErrorCode,
    /// What was wrong and what to do.
    pub message: String,
    /// The certificate that was presented, when the code is 51.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Failure {
    /// An error whose words are the code's own, followed by `detail` if that is not empty.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl AsRef<str>) -> Self {
        let detail = detail.as_ref();
        let message = if detail.is_empty() { code.text().to_owned() } else { format!("{} ({detail})", code.text()) };
        Self { code, message, fingerprint: None }
    }
}

/// Why a server refuses a file that is not encrypted at rest, and the next step. It stands in the detail of a
/// [`FileEncryption`](ErrorCode::FileEncryption).
pub const ENCRYPTED_ONLY: &str = "this server takes encrypted files only: send with a passphrase";

/// Longest line either side may write, in bytes.
pub const MAX_LINE: usize = 4 * 1024 * 1024;
