//! Worker ⇄ server.

use crate::worker::{failure, rate};
use crate::{Case, case};
use godwit_protocol::spec::{Direction, OverwritePolicy, ResumePolicy};
use godwit_protocol::wire::{
    Accepted, Control, Entry, EntryKind, FileResult, RateLocks, RemotePath, SegmentHead, SessionHello, SessionRequest,
    SessionResult,
};
use godwit_protocol::worker::{Credential, Failure, FileOutcome, RateSettings};
use godwit_protocol::{ErrorCode, Secret};

fn upload() -> SessionRequest {
    SessionRequest {
        transfer_id: "6f1b2c3d-0000-4000-8000-000000000001".into(),
        attempt: 2,
        direction: Direction::Send,
        paths: vec![],
        destination_root: "inbox".into(),
        create_dir: true,
        resume: ResumePolicy::SparseChecksum,
        overwrite: OverwritePolicy::Older,
        save_before_overwrite: true,
        preserve_times: true,
        partial_suffix: Some(".partial".into()),
        checkpoint_suffix: Some(".aspera-ckpt".into()),
        replace_illegal: Some('_'),
        rate: rate(),
        cookie: "opaque".into(),
        root_id: None,
    }
}

fn download() -> SessionRequest {
    SessionRequest {
        direction: Direction::Receive,
        paths: vec![
            RemotePath { source: "pub/set".into(), destination: None },
            RemotePath { source: "pub/a.txt".into(), destination: Some("b.txt".into()) },
        ],
        destination_root: String::new(),
        create_dir: false,
        resume: ResumePolicy::None,
        overwrite: OverwritePolicy::Always,
        save_before_overwrite: false,
        preserve_times: false,
        partial_suffix: None,
        checkpoint_suffix: None,
        replace_illegal: None,
        rate: RateSettings::default(),
        cookie: String::new(),
        root_id: None,
        ..upload()
    }
}

fn results() -> Vec<FileResult> {
    let completed = FileResult {
        entry: Some(0),
        path: None,
        outcome: FileOutcome::Completed,
        failure: None,
        blake3: Some("6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".into()),
        resumed: 1_048_576,
    };
    let failed = FileResult {
        entry: None,
        path: Some("set/locked".into()),
        outcome: FileOutcome::Failed,
        failure: Some(Failure::new(ErrorCode::NoPermission, "set/locked")),
        blake3: None,
        resumed: 0,
    };
    let skipped = FileResult { entry: Some(1), outcome: FileOutcome::Skipped, blake3: None, ..completed.clone() };
    vec![completed, skipped, failed]
}

pub(crate) fn cases() -> Vec<Case> {
    let hello = SessionHello { product: "godwit".into(), version: "0.1.0".into(), features: vec!["split".into()] };
    let entry =
        |path: &str, kind, size| Entry { path: path.parse().unwrap(), kind, size, mtime_ns: 1_750_000_000_123_456_789 };
    let entries =
        vec![entry("set", EntryKind::Folder, 0), entry("set/\u{e9}t\u{e9}.txt", EntryKind::File, 5_000_000_000)];
    let password = Credential::Password { password: Secret::new("example-password") };
    let token = Credential::Token { token: Secret::new("example-token") };
    let accepted = Accepted {
        session_id: "s1".into(),
        rate: rate(),
        locks: RateLocks { target: true, ..RateLocks::default() },
        ticket: Some(Secret::new("example-ticket")),
        connections: 4,
    };
    let control = |name, message: Control| {
        match &message {
            Control::Hello(_)
            | Control::Authenticate { .. }
            | Control::Request(_)
            | Control::Accepted(_)
            | Control::Entries { .. }
            | Control::EntriesEnd { .. }
            | Control::Failed { .. }
            | Control::Compare { .. }
            | Control::Compared { .. }
            | Control::Check { .. }
            | Control::Checked { .. }
            | Control::Again { .. }
            | Control::Join { .. }
            | Control::Joined { .. }
            | Control::Lost { .. }
            | Control::Progress { .. }
            | Control::Alive
            | Control::Ping
            | Control::Want { .. }
            | Control::WantEnd
            | Control::Unreadable { .. }
            | Control::Files { .. }
            | Control::SetRate(_)
            | Control::Result(_)
            | Control::Bye
            | Control::Error(_)
            | Control::Unknown => {}
        }
        case(name, "wire::Control", message)
    };
    vec![
        control("wire-hello", Control::Hello(hello)),
        control("wire-authenticate-password", Control::Authenticate { user: "me".into(), credential: password }),
        control("wire-authenticate-token", Control::Authenticate { user: String::new(), credential: token }),
        control("wire-request-upload", Control::Request(Box::new(upload()))),
        control("wire-request-download", Control::Request(Box::new(download()))),
        control("wire-accepted", Control::Accepted(accepted)),
        control("wire-entries", Control::Entries { entries }),
        control(
            "wire-entries-end",
            Control::EntriesEnd { count: 2, bytes: 5_000_000_000, failed: results()[2..].to_vec() },
        ),
        control("wire-want", Control::Want { spans: vec![(0, 1_048_576), (4_194_304, 5_000_000_000)] }),
        control("wire-want-end", Control::WantEnd),
        control("wire-unreadable", Control::Unreadable { entry: 1, failure: Failure::new(ErrorCode::DiskRead, "") }),
        control("wire-files", Control::Files { files: results() }),
        control("wire-set-rate", Control::SetRate(rate())),
        control(
            "wire-result",
            Control::Result(SessionResult { completed: 1, skipped: 1, failed: 1, bytes: 5_000_000_000 }),
        ),
        control("wire-failed", Control::Failed { files: results()[2..].to_vec() }),
        control("wire-compare", Control::Compare { entries: vec![(1, "6437b3ac".repeat(8))] }),
        control("wire-compared", Control::Compared { entries: vec![(1, true), (2, false)] }),
        control(
            "wire-check",
            Control::Check { entry: 1, units: vec![(0, "6437b3ac".repeat(8)), (7, "00".repeat(32))] },
        ),
        control("wire-checked", Control::Checked { entry: 1, same: vec![7] }),
        control("wire-again", Control::Again { replaces: 1, entry: entry("set/a.txt", EntryKind::File, 7) }),
        control("wire-join", Control::Join { ticket: Secret::new("example-ticket") }),
        control("wire-joined", Control::Joined { connection: 1 }),
        control("wire-lost", Control::Lost { connection: 1, spans: vec![(0, 1_048_576), (4_194_304, 5_242_880)] }),
        control("wire-progress", Control::Progress { written: 5_000_000_000, received: 1_048_576 }),
        control("wire-alive", Control::Alive),
        control("wire-ping", Control::Ping),
        control("wire-bye", Control::Bye),
        control("wire-error", Control::Error(failure())),
        control("wire-unknown", Control::Unknown),
    ]
}

#[test]
fn a_segment_head_has_exactly_these_bytes() {
    let head = SegmentHead { offset: 0x0102_0304_0506_0708, length: 0x10_0000 };
    let bytes = [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0x10, 0, 0, 0, 0, 0];
    assert_eq!(head.encode(), bytes);
    assert_eq!(SegmentHead::decode(&bytes), Some(head));
}
