//! Requests, answers and events of the extension's pages and the command line.

use crate::{Case, case};
use godwit_protocol::prefs::{ForgetPassword, KeyPlace, Passwords, SavedPassword};
use godwit_protocol::spec::Direction;
use godwit_protocol::ui::{
    Badge, Decision, DroppedPart, FileFilter, FolderEntry, FolderListing, FolderQuery, ForgetTrust, GivenUp, NewFolder,
    OpenPage, PickerOptions, Place, Prompt, PromptAnswer, PromptClosed, Prompts, Question, Shortage, Status,
    TransferError, TransferRef, TransferStatus, TransferView, TransfersChanged, TransfersSnapshot, TrustView,
    Unlocking,
};
use godwit_protocol::worker::Unlocked;
use godwit_protocol::{ErrorCode, Secret};
use serde_json::json;

const UUID: &str = "6f1b2c3d-0000-4000-8000-000000000001";

fn running() -> TransferView {
    TransferView {
        uuid: UUID.into(),
        title: "clip.mov".into(),
        direction: Direction::Send,
        origin: "https://app.example.com".parse().unwrap(),
        remote_host: "server.example.com".into(),
        status: TransferStatus::Running,
        bytes_expected: 5_000_000_000,
        bytes_written: 1_250_000_000,
        rate_kbps: 940_000,
        seconds_left: Some(32),
        files_expected: 1,
        files_completed: 0,
        files_failed: 0,
        current_file: "/home/me/clip.mov".into(),
        folder: Some("/home/me".into()),
        error: None,
        attempts: 1,
        added_ms: 1_750_000_000_000,
        queue_order: None,
        live: Some(crate::windows::live()),
        shortage: Some(Shortage { needed: 3_750_000_000, free: 1_000_000_000 }),
        unlocked: None,
        unlocking: None,
    }
}

fn failed() -> TransferView {
    let code = ErrorCode::NoSpace;
    TransferView {
        direction: Direction::Receive,
        status: TransferStatus::Failed,
        seconds_left: None,
        folder: None,
        error: Some(TransferError { code, message: code.text().into() }),
        attempts: 4,
        queue_order: Some(1 << 20),
        live: None,
        shortage: None,
        unlocked: Some(Unlocked { opened: 1, kept: 2, why: None, wrong_passphrase: false }),
        unlocking: Some(Unlocking { done: 1_000, total: 3_000 }),
        ..running()
    }
}

/// A piece from the middle of the second file: the letters `godwit`.
fn second_piece() -> DroppedPart {
    DroppedPart { prompt_id: "p1".into(), file: 1, offset: 524_288, data: "Z29kd2l0".into() }
}

fn questions() -> Vec<Question> {
    let options = PickerOptions {
        title: "Choose".into(),
        suggested_name: "report.pdf".into(),
        multiple: true,
        filters: vec![FileFilter { filter_name: "Pictures".into(), extensions: vec!["png".into(), "jpg".into()] }],
        folder: Some("/home/me".into()),
    };
    let all = vec![
        Question::Consent { purpose: "send".into(), remote_host: Some("server.example.com".into()) },
        Question::Consent { purpose: "files".into(), remote_host: None },
        Question::OpenFiles(options.clone()),
        Question::OpenFolders(PickerOptions::default()),
        Question::SaveFile(options),
        Question::Dropped { paths: vec!["/home/me/a.mov".into()], count: 2 },
        Question::DroppedCopy { call: 7, names: vec!["photo.jpg".into()], sizes: vec![1_200_000], limit: 64 << 20 },
        Question::ServerCertificate { server: "server.example.com:33001".into(), fingerprint: "SHA256:abc=".into() },
        Question::Credentials {
            server: "server.example.com:33001".into(),
            user: "ann".into(),
            wrong: true,
            can_save: true,
            saved: false,
        },
        Question::Passphrase {
            server: "server.example.com:33001".into(),
            creates: true,
            can_skip: false,
            unlocks: None,
            wrong: false,
        },
        Question::Passphrase {
            server: "server.example.com:33001".into(),
            creates: false,
            can_skip: false,
            unlocks: Some("film.mov.age".into()),
            wrong: true,
        },
    ];
    // A new kind of question must be added above: this stops compiling until it is named here.
    for question in &all {
        match question {
            Question::Consent { .. }
            | Question::OpenFiles(_)
            | Question::OpenFolders(_)
            | Question::SaveFile(_)
            | Question::Dropped { .. }
            | Question::DroppedCopy { .. }
            | Question::ServerCertificate { .. }
            | Question::Credentials { .. }
            | Question::Passphrase { .. } => {}
        }
    }
    all
}

fn statuses() -> Vec<TransferStatus> {
    use TransferStatus::{Cancelled, Completed, Failed, Initiating, Queued, Removed, Running, WillRetry};
    let all = vec![Initiating, Queued, Running, WillRetry, Completed, Failed, Cancelled, Removed];
    for status in &all {
        match status {
            Initiating | Queued | Running | WillRetry | Completed | Failed | Cancelled | Removed => {}
        }
    }
    all
}

fn answers() -> Vec<PromptAnswer> {
    let all = [
        Decision::Allow { remember: true },
        Decision::Deny { remember: false },
        Decision::Chosen { paths: vec!["/home/me/a b.txt".into()] },
        Decision::Credentials { user: "ann".into(), password: Secret::new("s3cret"), save: true },
        Decision::Passphrase { passphrase: Secret::new("swordfish") },
        Decision::Skip,
        Decision::Cancel,
        Decision::Browse,
    ];
    let answer = |decision: Decision| {
        match decision {
            Decision::Allow { .. }
            | Decision::Deny { .. }
            | Decision::Chosen { .. }
            | Decision::Credentials { .. }
            | Decision::Passphrase { .. }
            | Decision::Skip
            | Decision::Cancel
            | Decision::Browse => {}
        }
        PromptAnswer { prompt_id: "p1".into(), decision }
    };
    all.map(answer).to_vec()
}

pub(crate) fn cases() -> Vec<Case> {
    let prompt = |(i, question)| Prompt {
        prompt_id: format!("p{i}"),
        origin: "https://app.example.com".parse().unwrap(),
        native: matches!(question, Question::SaveFile(_)),
        question,
    };
    let prompts: Vec<Prompt> = questions().into_iter().enumerate().map(prompt).collect();
    let listing = FolderListing {
        path: "/home/me".into(),
        parent: Some("/home".into()),
        entries: vec![
            FolderEntry { name: "Bilder".into(), folder: true, size: 0, modified_ms: 1_750_000_000_000 },
            FolderEntry { name: "\u{e9}t\u{e9}.txt".into(), folder: false, size: 12, modified_ms: 0 },
        ],
        places: vec![Place { kind: "home".into(), path: "/home/me".into() }],
        truncated: false,
    };
    let status = Status {
        version: "0.1.0".into(),
        pid: 99,
        home: "/home/me/.local/share/godwit".into(),
        uptime_seconds: 60,
        counts: [("failed".to_owned(), 1), ("running".to_owned(), 1)].into(),
        transfers: vec![running(), failed()],
        notices: vec!["The database could not be opened and was set aside.".into()],
        more: json!({"later": true}),
    };
    vec![
        case("ui-transfer-ref", "ui::TransferRef", TransferRef { uuid: UUID.into() }),
        case("ui-transfer-statuses", "Vec<ui::TransferStatus>", statuses()),
        case("ui-transfer-running", "ui::TransferView", running()),
        case("ui-transfer-failed", "ui::TransferView", failed()),
        case(
            "ui-transfers-snapshot",
            "ui::TransfersSnapshot",
            TransfersSnapshot { seq: 12, transfers: vec![running()] },
        ),
        case(
            "ui-transfers-changed",
            "ui::TransfersChanged",
            TransfersChanged { changed: vec![failed()], removed: vec![UUID.into()] },
        ),
        case("ui-prompt", "ui::Prompt", prompts[0].clone()),
        case("ui-prompts", "ui::Prompts", Prompts { prompts }),
        case("ui-prompt-answers", "Vec<ui::PromptAnswer>", answers()),
        case("ui-prompt-closed", "ui::PromptClosed", PromptClosed { prompt_id: "p1".into() }),
        case("ui-open-page", "ui::OpenPage", OpenPage { page: "preferences".into(), argument: "network".into() }),
        case("ui-badge", "ui::Badge", Badge { active: 2, failed: 1 }),
        case("ui-give-up", "ui::GivenUp", GivenUp { ids: vec![7, u64::MAX] }),
        case("ui-dropped-part", "ui::DroppedPart", second_piece()),
        case("ui-folder-query", "ui::FolderQuery", FolderQuery { path: Some("/home/me".into()), hidden: true }),
        case("ui-folder-query-first", "ui::FolderQuery", FolderQuery::default()),
        case("ui-new-folder", "ui::NewFolder", NewFolder { parent: "/home/me".into(), name: "new".into() }),
        case("ui-folder-listing", "ui::FolderListing", listing),
        case(
            "ui-trust-view",
            "ui::TrustView",
            TrustView {
                trusted: vec!["https://*.example.com".into()],
                restricted: vec!["https://bad.example".into()],
                ..TrustView::default()
            },
        ),
        case("ui-forget-trust", "ui::ForgetTrust", ForgetTrust { pattern: "https://*.example.com".into(), stop: true }),
        case(
            "ui-passwords",
            "prefs::Passwords",
            Passwords {
                passwords: vec![SavedPassword {
                    id: "server.example.com:33001/ann".into(),
                    server: "server.example.com:33001".into(),
                    user: "ann".into(),
                    saved_at: 1_750_000_000_000,
                }],
                key: KeyPlace::File,
                away: Some("the key ring is locked".into()),
            },
        ),
        case(
            "ui-forget-password",
            "prefs::ForgetPassword",
            ForgetPassword { id: "server.example.com:33001/ann".into() },
        ),
        case("ui-status", "ui::Status", status),
    ]
}
