//! Requests of the extension's own pages and of the command line, and the events they follow.
//!
//! None of these may carry an origin; the agent refuses them with `forbidden` if they do, and the background never
//! forwards a message from a content script as one of them.

use crate::{ErrorCode, Origin, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Request kinds. Unless said otherwise the result is `{}`.
pub mod kinds {
    /// A page API call: params [`crate::page::PageCall`], result [`crate::page::PageAnswer`] or parts.
    pub const PAGE: &str = "page";
    /// No params; result [`super::TransfersSnapshot`]; afterwards `transfers` events arrive.
    pub const SUBSCRIBE: &str = "ui.subscribe";
    /// No params; ends the events.
    pub const UNSUBSCRIBE: &str = "ui.unsubscribe";
    /// Params [`super::TransferRef`].
    pub const STOP: &str = "ui.stop";
    /// Params [`super::TransferRef`]. Also retries a failed transfer and starts a queued one at once.
    pub const RESUME: &str = "ui.resume";
    /// Params [`super::TransferRef`]. Takes the transfer off the list; stops it first.
    pub const REMOVE: &str = "ui.remove";
    /// Params [`super::MoveTransfer`]: another place among the transfers that wait for their turn.
    pub const MOVE: &str = "ui.move";
    /// Params [`super::TransferRef`]; opens the folder in the desktop's file manager.
    pub const REVEAL: &str = "ui.reveal";
    /// Params [`super::TransferRef`]; asks for the passphrase of the files of a completed download that are still encrypted, and
    /// decrypts them. The result comes when the question is asked; what became of the files is told by the transfer.
    pub const UNLOCK: &str = "ui.unlock";
    /// No params; result [`super::Prompts`]: open prompts of this browser session (after a restart of the background).
    pub const PROMPTS: &str = "ui.prompts";
    /// Params [`super::PromptAnswer`].
    pub const ANSWER: &str = "ui.answer";
    /// Params [`super::FolderQuery`]; result [`super::FolderListing`].
    pub const LIST_FOLDER: &str = "ui.list-folder";
    /// Params [`super::NewFolder`]; result [`super::FolderListing`] of the new folder.
    pub const CREATE_FOLDER: &str = "ui.create-folder";
    /// Params [`super::GivenUp`]: nobody waits for these requests of this connection any more. What was asked for their sake closes.
    pub const GIVE_UP: &str = "ui.give-up";
    /// Params [`super::DroppedPart`]: a piece of what was dropped, while [`super::Question::DroppedCopy`] is asked.
    pub const DROPPED_PART: &str = "ui.dropped-part";
    /// No params; result [`super::TrustView`].
    pub const TRUST: &str = "ui.trust";
    /// Params [`super::ForgetTrust`]; forgets a remembered decision.
    pub const FORGET_TRUST: &str = "ui.forget-trust";
    /// No params; result [`super::Status`].
    pub const STATUS: &str = "ui.status";
    /// No params; the agent stops its workers (journals kept) and becomes the program that is installed in its place now, which
    /// goes on with them. A program that cannot be started ends with `internal` and the reason, and changes nothing.
    pub const RESTART: &str = "ui.restart";
    /// No params; the agent stops its workers (journals kept), then exits.
    pub const SHUTDOWN: &str = "ui.shutdown";
}

/// Names one transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRef {
    /// The transfer's uuid.
    pub uuid: String,
}

/// Params of `ui.move`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTransfer {
    /// Which; it must wait for its turn.
    pub uuid: String,
    /// Directly before this one, which must wait too; absent: to the end.
    #[serde(default)]
    pub before: Option<String>,
}

/// Life-cycle states (reference, 1.8); the texts are those of the page API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferStatus {
    /// Accepted, starting.
    Initiating,
    /// Waiting for a free place.
    Queued,
    /// Moving data.
    Running,
    /// Waiting to try again after an error that may pass.
    WillRetry,
    /// Every file arrived and was verified.
    Completed,
    /// Given up; can be resumed.
    Failed,
    /// Stopped by the user; can be resumed.
    Cancelled,
    /// Taken off the list.
    Removed,
}

/// One transfer as windows show it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferView {
    /// Its id.
    pub uuid: String,
    /// What to call it: the first file's name, or the spec's title.
    pub title: String,
    /// `send` or `receive`, seen from this machine.
    pub direction: crate::spec::Direction,
    /// The site that started it.
    pub origin: Origin,
    /// The server's name.
    pub remote_host: String,
    /// Its state.
    pub status: TransferStatus,
    /// Total bytes, as far as the scan knows.
    pub bytes_expected: u64,
    /// Bytes verified at the receiver.
    pub bytes_written: u64,
    /// Present rate, kbit/s.
    pub rate_kbps: u64,
    /// Seconds left at the present rate; absent if unknown.
    pub seconds_left: Option<u64>,
    /// Files known so far.
    pub files_expected: u64,
    /// Files complete or skipped.
    pub files_completed: u64,
    /// Files failed.
    pub files_failed: u64,
    /// The file being moved.
    pub current_file: String,
    /// Local folder to open, if any.
    pub folder: Option<String>,
    /// Error, if the last attempt ended with one.
    pub error: Option<TransferError>,
    /// Attempts made.
    pub attempts: u32,
    /// Milliseconds since the Unix epoch when it was added.
    pub added_ms: u64,
    /// While it waits for its turn: the smallest is the next. Only the order counts, the numbers have gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_order: Option<u64>,
    /// While it runs: for the monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<crate::monitor::Live>,
    /// While it runs: its disk is too small, or nearly full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
    /// What became of encrypted files that it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<crate::worker::Unlocked>,
    /// While they are being decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocking: Option<Unlocking>,
}

/// How far files are decrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocking {
    /// Bytes decrypted.
    pub done: u64,
    /// Bytes in all; 0 if that is not known yet.
    pub total: u64,
}

/// Too little room for a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// Bytes that are still to come, as far as the scan knows.
    pub needed: u64,
    /// Bytes that are free. More than `needed`: it will fit, but less than a twentieth of the disk is left.
    pub free: u64,
}

/// The error of a transfer in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferError {
    /// The predecessor's number.
    pub code: ErrorCode,
    /// What happened and what to do.
    pub message: String,
}

/// Result of `ui.subscribe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransfersSnapshot {
    /// The next event has `seq + 1`.
    pub seq: u64,
    /// All transfers, newest first.
    pub transfers: Vec<TransferView>,
}

/// Data of a `transfers` event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TransfersChanged {
    /// New or changed transfers, whole.
    pub changed: Vec<TransferView>,
    /// Ids of transfers that left the list.
    pub removed: Vec<String>,
}

/// Something the user must decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// Its id.
    pub prompt_id: String,
    /// The site on whose behalf the user is asked.
    pub origin: Origin,
    /// True: the desktop's own dialog asks, and no window is to be opened. If it cannot, the same prompt comes again without this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub native: bool,
    /// What to ask.
    #[serde(flatten)]
    pub question: Question,
}

/// The kinds of questions. `ask` is the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Question {
    /// May this site use Godwit?
    Consent {
        /// What the site wanted: `files`, `send` or `receive`.
        purpose: String,
        /// The server it named, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote_host: Option<String>,
    },
    /// Choose files to upload.
    OpenFiles(PickerOptions),
    /// Choose folders to upload, or a folder to save to.
    OpenFolders(PickerOptions),
    /// Choose where to save.
    SaveFile(PickerOptions),
    /// These were found by what the browser said of files dropped on the page: give them to it? Answered with `allow`, `browse`
    /// or `cancel`.
    Dropped {
        /// Absolute paths; not all if they are many.
        paths: Vec<String>,
        /// How many there are.
        count: u64,
    },
    /// What was dropped is no file of this machine (an image out of a mail): shall a copy be made of what the browser holds, and
    /// given to the page? The copy is made by `ui.dropped-part` while this is asked; answered with `allow` when all is there, or
    /// with `cancel`.
    DroppedCopy {
        /// Id of the page's request.
        call: u64,
        /// Names; not all if they are many.
        names: Vec<String>,
        /// Bytes of each file.
        sizes: Vec<u64>,
        /// Most bytes together that may be copied. If there are more, only `cancel` is an answer.
        limit: u64,
    },
    /// The server's certificate is not known and no fingerprint was given.
    ServerCertificate {
        /// Host and port.
        server: String,
        /// `SHA256:…` of the certificate.
        fingerprint: String,
    },
    /// The server wants a login that nobody has given, or refused the one it was given. Answered by [`Decision::Credentials`].
    Credentials {
        /// Host and port.
        server: String,
        /// The login so far; may be empty.
        user: String,
        /// The server refused what was tried last.
        wrong: bool,
        /// The user may have the password saved.
        can_save: bool,
        /// One is saved that this site has not used yet: an empty password in the answer means that one.
        #[serde(default)]
        saved: bool,
    },
    /// Files are to be encrypted or decrypted, and nobody has given a passphrase. Answered by [`Decision::Passphrase`] or, if
    /// `can_skip`, by [`Decision::Skip`].
    Passphrase {
        /// Host and port.
        server: String,
        /// A new passphrase for what is sent; else the one that what is received was encrypted with.
        creates: bool,
        /// The files may go, or stay, as they are.
        can_skip: bool,
        /// The files lie here already, and the user wants them decrypted: what their transfer is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unlocks: Option<String>,
        /// The last one was wrong.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        wrong: bool,
    },
}

/// What a file dialog was asked to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickerOptions {
    /// Title given by the page (shown as text beside the site's name); may be empty.
    #[serde(default)]
    pub title: String,
    /// Name suggested for saving; may be empty.
    #[serde(default)]
    pub suggested_name: String,
    /// More than one choice allowed.
    #[serde(default)]
    pub multiple: bool,
    /// Kinds of files offered; empty = all.
    #[serde(default)]
    pub filters: Vec<FileFilter>,
    /// Folder to begin in; absent = where the last dialog was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// One entry of `allowedFileTypes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFilter {
    /// Name shown.
    pub filter_name: String,
    /// Extensions without the dot; `*` = everything.
    pub extensions: Vec<String>,
}

/// Result of `ui.prompts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompts {
    /// Open prompts, oldest first.
    pub prompts: Vec<Prompt>,
}

/// Answer to a prompt. A closed window is `Cancel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptAnswer {
    /// Which prompt.
    pub prompt_id: String,
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
}

/// What the user decided. `decision` is the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum Decision {
    /// Consent, certificate, dropped files: yes; `remember` makes it permanent, otherwise it holds for this browser session.
    Allow {
        /// Keep the decision.
        remember: bool,
    },
    /// Consent or certificate: no; `remember` puts the site on the restricted list.
    Deny {
        /// Keep the decision.
        remember: bool,
    },
    /// File dialogs: these absolute paths.
    Chosen {
        /// Absolute paths; one for `SaveFile`.
        paths: Vec<String>,
    },
    /// Credentials: try these.
    Credentials {
        /// The login.
        user: String,
        /// Its password; see [`Question::Credentials`] for an empty one.
        password: Secret,
        /// Save it once the server has accepted it.
        save: bool,
    },
    /// Encrypt or decrypt with it.
    Passphrase {
        /// 1 to 4,096 bytes.
        passphrase: Secret,
    },
    /// Passphrase: send the files as they are, or keep what arrives encrypted.
    Skip,
    /// File dialogs: nothing chosen. Consent: no, this time. Credentials, passphrase: the transfer has failed.
    Cancel,
    /// Dropped files: not these; a file dialog is wanted.
    Browse,
}

/// Data of `prompt-closed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptClosed {
    /// Which prompt.
    pub prompt_id: String,
}

/// Data of `open-page`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPage {
    /// `about`, `preferences`, `activity`, `monitor`.
    pub page: String,
    /// Section of preferences or uuid of a transfer; may be empty.
    #[serde(default)]
    pub argument: String,
}

/// Data of `badge`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Badge {
    /// Transfers initiating, running or waiting to retry.
    pub active: u32,
    /// Transfers failed and not yet looked at.
    pub failed: u32,
}

/// Params of `ui.list-folder`. An absent path is the place of the last dialog, else the home folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderQuery {
    /// Absolute path.
    #[serde(default)]
    pub path: Option<String>,
    /// Show names that begin with a dot.
    #[serde(default)]
    pub hidden: bool,
}

/// Params of `ui.create-folder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFolder {
    /// Absolute path of the folder that shall hold it.
    pub parent: String,
    /// Its name, one path component.
    pub name: String,
}

/// Result of `ui.list-folder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderListing {
    /// The folder shown, absolute.
    pub path: String,
    /// Its parent; absent for `/`.
    pub parent: Option<String>,
    /// Folders first, then by name.
    pub entries: Vec<FolderEntry>,
    /// Shortcuts: home, desktop, documents, downloads, recent folders, file system.
    pub places: Vec<Place>,
    /// True if not all entries are listed (limit 5,000).
    pub truncated: bool,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderEntry {
    /// The name.
    pub name: String,
    /// True for folders and links to folders.
    pub folder: bool,
    /// Bytes; 0 for folders.
    pub size: u64,
    /// Milliseconds since the Unix epoch.
    pub modified_ms: u64,
}

/// A shortcut of the picker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `home`, `desktop`, `documents`, `downloads`, `recent`, `root`.
    pub kind: String,
    /// Absolute path.
    pub path: String,
}

/// Params of `ui.give-up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Ids of requests. Those that are answered already, or never were, are no error.
    pub ids: Vec<u64>,
}

/// Params of `ui.dropped-part`. Parts come in order, one at a time; answered when the part is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPart {
    /// The question.
    pub prompt_id: String,
    /// Which file, counted from 0.
    pub file: usize,
    /// Where in the file.
    pub offset: u64,
    /// Base64 of at most [`MAX_DROPPED_PART`] bytes. An empty file comes as one empty part.
    pub data: String,
}

/// Most bytes of one `ui.dropped-part`; as base64 they fit a frame.
pub const MAX_DROPPED_PART: usize = 512 * 1024;

/// The remembered trust decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustView {
    /// Patterns of sites that may start transfers.
    pub trusted: Vec<String>,
    /// Patterns of sites that may not.
    pub restricted: Vec<String>,
    /// Patterns of sites of which every transfer is asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<String>,
    /// Patterns that the administrator trusts; they win over the user's lists and cannot be changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_trusted: Vec<String>,
    /// Patterns that the administrator refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_restricted: Vec<String>,
    /// True: the administrator refuses every other site.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub managed_only: bool,
}

/// Params of `ui.forget-trust`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetTrust {
    /// The pattern as listed.
    pub pattern: String,
    /// What sites that are no longer allowed have under way is stopped. A window that asked first says `false` if the user
    /// wants it to go on.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub stop: bool,
}

fn yes() -> bool {
    true
}

/// Something the user should know: a word to find a translation by, what stands in it, and the same in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Such as `database-new`. What begins with `setting-` is about one value: its first two arguments are the file it stands
    /// in (empty: none, somebody has just chosen it) and its name. The extension has the list (`ui/reasons.js`).
    pub code: String,
    /// Names, numbers and dates in the order in which they stand in the English sentence.
    pub args: Vec<String>,
    /// The whole in English.
    pub text: String,
}

impl Notice {
    /// A notice.
    pub fn new(code: &str, args: impl IntoIterator<Item = String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), args: args.into_iter().collect(), text: text.into() }
    }
}

/// Result of `ui.status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the agent's build.
    pub version: String,
    /// Process id of the agent.
    pub pid: u32,
    /// Where the agent keeps its files.
    pub home: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Transfers by state.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// All transfers, newest first.
    pub transfers: Vec<TransferView>,
    /// Things the user should know (a database set aside, say).
    pub notices: Vec<String>,
    /// Room for more, without a new protocol version. `notes`: the same notices as [`Notice`], for windows in other languages.
    /// `callers`: [`Called`]s, newest first.
    #[serde(default)]
    pub more: Value,
}

/// A browser's extension that called lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// `chromium` or `firefox`.
    pub browser: String,
    /// The extension's id.
    pub extension_id: String,
    /// Version of the extension.
    pub version: String,
    /// Version of the host through which it called.
    pub host_version: String,
    /// When it called last, milliseconds since the Unix epoch.
    pub last_ms: u64,
}
