//! Worker ⇄ server: the messages of a session's control stream, and the heads of its data streams.
//!
//! **Goals.** One mechanism for first transfer, resume, retry and splitting: *the receiver names the spans it lacks, the
//! sender serves them*. No round trip per file. Nothing of the peer is believed before it is checked.
//! **Non-goals.** Talking to the predecessor's servers; hiding file names from the server.
//!
//! Session: QUIC, ALPN [`ALPN`]. The client opens one bidirectional control stream and both sides write frames
//! (4-byte little-endian length, then JSON, at most [`MAX_CONTROL_FRAME`]):
//!
//! ```text
//! client                                server
//!   Hello ───────────────────────────────▶
//!   ◀─────────────────────────────── Hello
//!   Authenticate, Request ───────────────▶      (no round trip between the two)
//!   ◀──────────────────── Accepted | Error
//!   sender ── Entries*, EntriesEnd ──▶ receiver (a client may begin right after its Request)
//!   receiver ── Want*, WantEnd ──▶ sender       (while entries still arrive)
//!   sender ══ data streams ══▶ receiver
//!   sender ── Unreadable, Failed ──▶ receiver   (as they happen)
//!   receiver ── Compare ──▶ sender; sender ── Compared ──▶ receiver
//!   receiver ── Check ──▶ sender; sender ── Checked ──▶ receiver
//!   sender ── Again ──▶ receiver                (a file changed while it was read)
//!   receiver ── Files* ──▶ sender               (what became of each file)
//!   receiver ── Result ──▶ sender; sender ── Bye ──▶ receiver; the client closes the connection.
//! ```
//!
//! **Several connections.** A client may open more connections to the same server, each with a control stream on which
//! `Hello` is followed by `Join` instead of `Authenticate` and `Request`; the answer is `Hello` and `Joined`. They carry
//! data streams of the session they joined and nothing else; their control stream stays open and silent but for `Alive`.
//! The end of one is not the end of the session: the sender tells what went down with it (`Lost`) and the receiver asks
//! again. The first connection is the session. The client closes all of them after `Bye`.
//!
//! **Virtual byte space.** Entry *i* of the manifest occupies `[sum of sizes of entries before it, + its size)`.
//! Entries are numbered from 0 in the order in which they are sent. Folders and empty files occupy nothing.
//!
//! **Data stream** (unidirectional, sender → receiver, read unordered): [`SegmentHead`] (16 bytes: virtual offset and
//! length, little-endian), then `length` bytes of content, then 32 bytes for every unit the segment touches, in order.
//! A segment begins and ends on unit or file boundaries and touches at most [`MAX_SEGMENT_UNITS`] units. A *unit* is a span of [`UNIT`] bytes of one file counted from
//! its start (the last one shorter). Its 32 bytes are the BLAKE3 subtree value of the unit (`hazmat` chaining value at
//! the unit's offset), or the plain BLAKE3 hash of the file if the file has a single unit.

use crate::Secret;
use crate::path::RelPath;
use crate::spec::{Direction, OverwritePolicy, ResumePolicy};
use crate::worker::{Credential, Failure, FileOutcome, RateSettings};
use serde::{Deserialize, Serialize};

/// The application protocol negotiated in the TLS handshake.
pub const ALPN: &[u8] = b"godwit/1";
/// Bytes of a unit, the smallest span that is verified and journalled by itself.
pub const UNIT: u64 = 1024 * 1024;
/// Most content bytes one data stream may carry.
pub const MAX_SEGMENT: u64 = 4 * UNIT;
/// Most units (small files count one each) that one data stream may touch.
pub const MAX_SEGMENT_UNITS: usize = 1_024;
/// Most entries a sender may have announced without having heard what became of them. It bounds the memory of both
/// sides however many files there are.
pub const MAX_OPEN_ENTRIES: u64 = 131_072;
/// Most bytes that the paths of those entries may have together: the same bound where paths are long.
pub const MAX_OPEN_PATHS: u64 = 16 * 1024 * 1024;
/// Most entries of one session.
pub const MAX_MANIFEST: u64 = 50_000_000;
/// Largest control frame, bytes.
pub const MAX_CONTROL_FRAME: usize = 1024 * 1024;
/// Bytes of [`SegmentHead`] on the wire.
pub const SEGMENT_HEAD: usize = 16;
/// Bytes of a BLAKE3 value.
pub const HASH: usize = 32;

/// A control frame. `t` is the tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
pub enum Control {
    /// First frame of each side.
    Hello(SessionHello),
    /// Client: who I am.
    Authenticate {
        /// Login name; may be empty with a token.
        user: String,
        /// Proof.
        credential: Credential,
    },
    /// Client: what I want.
    Request(Box<SessionRequest>),
    /// Server: go on.
    Accepted(Accepted),
    /// Sender: more of the manifest.
    Entries {
        /// At most [`MAX_ENTRIES`].
        entries: Vec<Entry>,
    },
    /// Sender: the manifest is complete.
    EntriesEnd {
        /// Number of entries.
        count: u64,
        /// Bytes of the virtual space.
        bytes: u64,
        /// Sources that could not be scanned.
        failed: Vec<FileResult>,
    },
    /// Sender: sources that could not be scanned, as they are met; more may be in [`Control::EntriesEnd`].
    Failed {
        /// At most [`MAX_ENTRIES`].
        files: Vec<FileResult>,
    },
    /// Receiver: I have files of the same size under these names; are they the same? Asked by the overwrite policy
    /// `diff` with a checksum kind of `resume`. Until the answer comes nothing of these entries is wanted.
    Compare {
        /// Number of the entry and BLAKE3 of what is there, hex.
        entries: Vec<(u64, String)>,
    },
    /// Sender: the answer to [`Control::Compare`]. A source that cannot be read is answered by
    /// [`Control::Unreadable`] instead.
    Compared {
        /// Number of the entry; true if the content is the same.
        entries: Vec<(u64, bool)>,
    },
    /// Receiver: I have these units of the entry from an earlier attempt; are they what you have now? Asked with
    /// `resume: full_checksum`. Until the answer comes they count as missing, but are not wanted.
    Check {
        /// Number of the entry.
        entry: u64,
        /// Unit number and value, hex; at most [`MAX_CHECKED`], ascending.
        units: Vec<(u64, String)>,
    },
    /// Sender: the answer to one [`Control::Check`]. A receiver has one check of an entry open at a time.
    Checked {
        /// Number of the entry.
        entry: u64,
        /// Those of the units asked about whose content is the same now, ascending.
        same: Vec<u64>,
    },
    /// Sender: the source of an entry changed while it was read. What was received of it is worthless; the file comes
    /// again as a new entry, the next in number, with a place of its own in the virtual space. May come after
    /// `EntriesEnd` too (whose count and bytes include only the entries before it). The replaced entry is not reported;
    /// what the receiver still says of it crossed with this frame and is ignored.
    Again {
        /// Number of the entry that is given up.
        replaces: u64,
        /// The same path as it is now.
        entry: Entry,
    },
    /// Receiver: spans of the virtual space that I lack; each begins and ends on a unit or file boundary.
    Want {
        /// `[start, end)`, ascending within one message.
        spans: Vec<(u64, u64)>,
    },
    /// Receiver: no more wants will come, except for units that fail verification.
    WantEnd,
    /// Sender: this entry's source changed or cannot be read; what was asked of it and not yet sent will not come.
    Unreadable {
        /// Number of the entry.
        entry: u64,
        /// Why.
        failure: Failure,
    },
    /// Receiver: what became of these entries.
    Files {
        /// In the order in which they ended.
        files: Vec<FileResult>,
    },
    /// Receiver: how far I am, at most four a second.
    Progress {
        /// Bytes at the target, see [`crate::worker::Stats::bytes_written`].
        written: u64,
        /// Content bytes received in this session, verified or not.
        received: u64,
    },
    /// Either side: I am at work though no other frame shows it (reading, comparing, syncing).
    Alive,
    /// Either side: nothing came for a while; does the path still carry? Says nothing about work: who is only asked so is
    /// not thereby at work.
    Ping,
    /// Client, first frame after `Hello` on a further connection: this connection belongs to a session.
    Join {
        /// From [`Accepted::ticket`].
        ticket: Secret,
    },
    /// Server: the connection belongs to the session now.
    Joined {
        /// Its number in the session; the first connection has 0.
        connection: u32,
    },
    /// Sender: a further connection has ended. Of what it carried these spans may not have arrived: the receiver takes
    /// what did come over that connection, and asks again for what it then still lacks of them.
    Lost {
        /// From [`Control::Joined`].
        connection: u32,
        /// `[start, end)`, each what one data stream carried; at most [`MAX_ENTRIES`] in one frame.
        spans: Vec<(u64, u64)>,
    },
    /// Client: new wishes. Server: the limits in force now, by its rules and what other sessions leave.
    SetRate(RateSettings),
    /// Receiver: all entries have ended.
    Result(SessionResult),
    /// Sender: the result was read.
    Bye,
    /// Either side: the session ends here.
    Error(Failure),
    /// A frame of a later minor version: ignored.
    #[serde(other)]
    Unknown,
}

impl Control {
    /// Reads a frame. What serde makes of a tagged enum first copies every value; manifests and results are long, so
    /// they are read directly, if they begin as ours do.
    pub fn from_json(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Entries {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Files {
            files: Vec<FileResult>,
        }
        if body.starts_with(br#"{"t":"entries","entries":"#) {
            serde_json::from_slice(body).map(|Entries { entries }| Self::Entries { entries })
        } else if body.starts_with(br#"{"t":"files","files":"#) {
            serde_json::from_slice(body).map(|Files { files }| Self::Files { files })
        } else {
            serde_json::from_slice(body)
        }
    }
}

/// Most units in one [`Control::Check`].
pub const MAX_CHECKED: usize = 4_096;
/// Most connections of one session.
pub const MAX_CONNECTIONS: u32 = 16;
/// Most entries in one frame.
pub const MAX_ENTRIES: usize = 1_000;

/// Versions and abilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHello {
    /// Always `godwit`.
    pub product: String,
    /// Version of the build.
    pub version: String,
    /// Optional abilities; unknown ones are ignored.
    #[serde(default)]
    pub features: Vec<String>,
}

/// What the client wants from the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRequest {
    /// Id of the transfer, the same for every attempt and session.
    pub transfer_id: String,
    /// Counts attempts. A session of a later attempt takes the place of one of an earlier attempt that the server still
    /// holds for alive.
    #[serde(default)]
    pub attempt: u32,
    /// Seen from the client: `send` = the client is the sender.
    pub direction: Direction,
    /// Receive: paths on the server. Send: empty (the manifest tells).
    #[serde(default)]
    pub paths: Vec<RemotePath>,
    /// Send: folder on the server, relative to the user's root.
    #[serde(default)]
    pub destination_root: String,
    /// Send: make `destination_root` if it does not exist.
    #[serde(default)]
    pub create_dir: bool,
    /// What a receiving server does with partial files.
    #[serde(default)]
    pub resume: ResumePolicy,
    /// What a receiving server does with existing files.
    #[serde(default)]
    pub overwrite: OverwritePolicy,
    /// Keep what would be overwritten under another name, see [`crate::worker::TransferOptions`].
    #[serde(default)]
    pub save_before_overwrite: bool,
    /// Keep modification times.
    #[serde(default)]
    pub preserve_times: bool,
    /// Suffixes for a receiving server; the server may have its own.
    #[serde(default)]
    pub partial_suffix: Option<String>,
    /// See `partial_suffix`.
    #[serde(default)]
    pub checkpoint_suffix: Option<String>,
    /// For a sending server, see [`crate::worker::TransferOptions`].
    #[serde(default)]
    pub replace_illegal: Option<char>,
    /// Limits at the start; for a download the server obeys them.
    #[serde(default)]
    pub rate: RateSettings,
    /// Opaque text for the log.
    #[serde(default)]
    pub cookie: String,
    /// Id of the folder on the server that every path is relative to, in place of the user's root; from a spec's
    /// `tags.aspera.node.file_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_id: Option<String>,
}

/// A source on the server and the name it shall have at the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePath {
    /// Relative to the user's root.
    pub source: String,
    /// Relative to the client's destination; absent: the source's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// The server's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Name of this session in the server's log.
    pub session_id: String,
    /// Limits after the server's caps and locks.
    pub rate: RateSettings,
    /// What a client may not change: its wishes are read but not followed.
    #[serde(default)]
    pub locks: RateLocks,
    /// Proof for [`Control::Join`]; absent if the server takes one connection per session only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Secret>,
    /// Most connections that this session may have, with the first.
    #[serde(default = "one")]
    pub connections: u32,
}

/// Limits that only the server's administrator changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLocks {
    /// The policy.
    pub policy: bool,
    /// The target rate.
    pub target: bool,
    /// The minimum rate.
    pub minimum: bool,
}

fn one() -> u32 {
    1
}

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Target, relative to the destination root.
    #[serde(rename = "p")]
    pub path: RelPath,
    /// Kind.
    #[serde(rename = "k")]
    pub kind: EntryKind,
    /// Bytes; 0 for folders.
    #[serde(rename = "s", default)]
    pub size: u64,
    /// Modification time of the source, nanoseconds since the Unix epoch.
    #[serde(rename = "m", default)]
    pub mtime_ns: i64,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// Regular file.
    #[serde(rename = "f")]
    File,
    /// Folder.
    #[serde(rename = "d")]
    Folder,
}

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileResult {
    /// Number of the entry; absent for a source that never became one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Path, for entries that failed or never existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What became of it.
    pub outcome: FileOutcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// BLAKE3 root, hex, computed by the receiver from the verified units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// Bytes the receiver had before this session.
    #[serde(default)]
    pub resumed: u64,
}

/// The receiver's account of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionResult {
    /// Files written and verified.
    pub completed: u64,
    /// Files skipped.
    pub skipped: u64,
    /// Files failed.
    pub failed: u64,
    /// Content bytes received in this session.
    pub bytes: u64,
}

/// Head of a data stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Where the content begins in the virtual space.
    pub offset: u64,
    /// Bytes of content, 1 to [`MAX_SEGMENT`].
    pub length: u64,
}

impl SegmentHead {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(self) -> [u8; SEGMENT_HEAD] {
        let mut bytes = [0; SEGMENT_HEAD];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    /// Reads a head; `None` if its length is 0 or above [`MAX_SEGMENT`], or the end overflows.
    #[must_use]
    pub fn decode(bytes: &[u8; SEGMENT_HEAD]) -> Option<Self> {
        let (offset, length) = bytes.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().ok()?);
        let length = u64::from_le_bytes(length.try_into().ok()?);
        offset.checked_add(length)?;
        (1..=MAX_SEGMENT).contains(&length).then_some(Self { offset, length })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_survives_and_a_wild_one_is_refused() {
        let head = SegmentHead { offset: 7, length: UNIT };
        assert_eq!(SegmentHead::decode(&head.encode()), Some(head));
        for bad in [
            SegmentHead { offset: 0, length: 0 },
            SegmentHead { offset: 0, length: MAX_SEGMENT + 1 },
            SegmentHead { offset: u64::MAX, length: 1 },
        ] {
            assert_eq!(SegmentHead::decode(&bad.encode()), None);
        }
    }

    #[test]
    fn the_short_way_reads_what_serde_reads() {
        let failure = Failure::new(crate::ErrorCode::DiskRead, "x");
        let result = FileResult {
            entry: Some(7),
            path: Some("p".into()),
            outcome: FileOutcome::Failed,
            failure: Some(failure),
            blake3: None,
            resumed: 3,
        };
        let entry = Entry { path: "a/b".parse().unwrap(), kind: EntryKind::File, size: 1, mtime_ns: -1 };
        for frame in [
            Control::Entries { entries: vec![entry.clone(), entry] },
            Control::Files { files: vec![result] },
            Control::WantEnd,
            Control::Want { spans: vec![(0, 1)] },
        ] {
            assert_eq!(Control::from_json(&serde_json::to_vec(&frame).unwrap()).unwrap(), frame);
        }
        for text in [
            r#"{"entries":[{"p":"a","k":"f"}],"t":"entries"}"#,
            r#"{"t":"entries","entries":[{"p":"../a","k":"f"}]}"#,
            r#"{"t":"files","files":[{"outcome":"completed","later":1}],"more":2}"#,
            r#"{"t":"files","files":[{}]}"#,
        ] {
            let short = Control::from_json(text.as_bytes());
            assert_eq!(short.ok(), serde_json::from_str(text).ok(), "{text}");
        }
    }

    #[test]
    fn frames_of_later_versions_are_ignored() {
        assert_eq!(serde_json::from_str::<Control>(r#"{"t":"telepathy"}"#).unwrap(), Control::Unknown);
    }
}
