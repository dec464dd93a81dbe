//! Agent ⇄ worker.

use crate::{Case, case};
use godwit_protocol::spec::{ContentProtection, Direction, OverwritePolicy, RatePolicy, ResumePolicy};
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{
    Command, Credential, Disk, Failure, FileOutcome, FileReport, PathPair, Protection, RateSettings, Report,
    ServerAddress, ServerIdentity, Start, Stats, TransferOptions, Unlock, Unlocked,
};
use godwit_protocol::{ErrorCode, RateKbps, Secret};

pub(crate) fn rate() -> RateSettings {
    RateSettings {
        policy: RatePolicy::High,
        target: Some(RateKbps(200_000)),
        minimum: Some(RateKbps(1_000)),
        cap: Some(RateKbps(500_000)),
    }
}

pub(crate) fn failure() -> Failure {
    Failure { fingerprint: Some("SHA256:abc=".into()), ..Failure::new(ErrorCode::Insecure, "server.example.com") }
}

fn upload() -> Start {
    Start {
        transfer_id: "6f1b2c3d-0000-4000-8000-000000000001".into(),
        attempt: 1,
        direction: Direction::Send,
        server: ServerAddress {
            host: "server.example.com".into(),
            data_port: 33_001,
            tcp_port: 33_001,
            user: "xfer".into(),
            credential: Credential::Token { token: Secret::new("example-token") },
            identity: ServerIdentity { fingerprint: Some("SHA256:abc=".into()), pin: None },
        },
        paths: vec![PathPair { source: "/home/me/clip.mov".into(), destination: Some("in/clip.mov".into()) }],
        destination_root: "inbox".into(),
        create_dir: true,
        options: TransferOptions {
            resume: ResumePolicy::FullChecksum,
            overwrite: OverwritePolicy::DiffOlder,
            save_before_overwrite: true,
            preserve_times: true,
            replace_illegal: None,
            ..TransferOptions::default()
        },
        rate: rate(),
        sessions: 3,
        cookie: "opaque".into(),
        root_id: None,
        protection: None,
    }
}

fn download() -> Start {
    let base = upload();
    Start {
        attempt: 2,
        direction: Direction::Receive,
        server: ServerAddress {
            host: "2001:db8::1".into(),
            user: "me".into(),
            credential: Credential::Password { password: Secret::new("example-password") },
            identity: ServerIdentity { fingerprint: None, pin: Some("SHA256:pin=".into()) },
            ..base.server
        },
        paths: vec![PathPair { source: "pub/set".into(), destination: None }],
        destination_root: "/home/me/Downloads".into(),
        create_dir: false,
        options: TransferOptions::default(),
        rate: RateSettings::default(),
        sessions: 1,
        cookie: String::new(),
        root_id: None,
        protection: None,
        ..base
    }
}

fn stats() -> Stats {
    Stats {
        bytes_expected: 5_000_000_000,
        bytes_written: 1_250_000_000,
        bytes_transferred: 1_000_000_000,
        bytes_on_wire: 1_050_000_000,
        rate_kbps: 940_000,
        files_expected: 1_200,
        scan_complete: true,
        files_completed: 300,
        files_skipped: 20,
        files_failed: 1,
        current_file: "set/clip.mov".into(),
        rtt_us: 40_000,
        packets_lost: 123,
        queue_us: 5_000,
        connections: 3,
        limit_kbps: 1_000_000,
        disk: None,
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let command = |name, command: Command| {
        match &command {
            Command::Start(_) | Command::Unlock(_) | Command::SetRate(_) | Command::Stop => {}
        }
        case(name, "worker::Command", command)
    };
    let report = |name, report: Report| {
        match &report {
            Report::Session { .. }
            | Report::Stats(_)
            | Report::File(_)
            | Report::Unlocked(_)
            | Report::Done(_)
            | Report::Error(_) => {}
        }
        case(name, "worker::Report", report)
    };
    let session = Report::Session {
        transport: "quic".into(),
        fingerprint: "SHA256:abc=".into(),
        server_version: "0.1.0".into(),
        granted: rate(),
        locks: RateLocks { policy: true, ..RateLocks::default() },
    };
    let file = FileReport {
        path: "set/clip.mov".into(),
        size: 3,
        outcome: FileOutcome::Completed,
        error: None,
        blake3: Some("6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".into()),
    };
    let failed = FileReport {
        outcome: FileOutcome::Failed,
        error: Some(Failure::new(ErrorCode::NoPermission, "")),
        blake3: None,
        ..file.clone()
    };
    let skipped = FileReport { outcome: FileOutcome::Skipped, blake3: None, ..file.clone() };
    let protection = Some(Protection {
        mode: ContentProtection::Encrypt,
        passphrase: Secret::new("swordfish"),
        scope: "2d363d5b-bd2d-405b-b2a4-3799b4f9016e".into(),
    });
    let why = Some("set/clip.mov.age: the passphrase is wrong".into());
    let unlocked = Unlocked { opened: 2, kept: 1, why, wrong_passphrase: true };
    let unlock = Unlock {
        folder: "/home/me/Downloads".into(),
        paths: vec!["set/clip.mov.age".into()],
        passphrase: Secret::new("swordfish"),
    };
    let disk = Some(Disk { free: 1_000_000_000, size: 500_000_000_000 });
    vec![
        command("worker-start-upload", Command::Start(Box::new(upload()))),
        command("worker-start-encrypted", Command::Start(Box::new(Start { protection, ..upload() }))),
        command("worker-unlock", Command::Unlock(Box::new(unlock))),
        report("worker-report-unlocked", Report::Unlocked(unlocked)),
        command("worker-start-download", Command::Start(Box::new(download()))),
        command("worker-set-rate", Command::SetRate(rate())),
        command("worker-stop", Command::Stop),
        report("worker-session", session),
        report("worker-stats", Report::Stats(stats())),
        report("worker-stats-receiving", Report::Stats(Stats { disk, ..stats() })),
        report("worker-file", Report::File(file)),
        report("worker-file-failed", Report::File(failed)),
        report("worker-file-skipped", Report::File(skipped)),
        report("worker-done", Report::Done(stats())),
        report("worker-error", Report::Error(failure())),
        case("error-codes", "Vec<ErrorCode>", ErrorCode::ALL.to_vec()),
    ]
}
