//! Requests of the preferences window and of the transfer monitor, and their answers.

use crate::{Case, case};
use godwit_protocol::ErrorCode;
use godwit_protocol::RateKbps;
use godwit_protocol::monitor::{History, Limits, Live, Sample, SessionNote, SetRate};
use godwit_protocol::prefs::{
    ChangeSettings, ForgetServer, KnownServer, KnownServers, SetTrust, SettingsView, TrustList, TrustSet,
};
use godwit_protocol::spec::RatePolicy;
use godwit_protocol::ui::{ForgetTrust, MoveTransfer, Notice, TrustView};
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Failure, FileOutcome, FileReport, RateSettings};
use serde_json::{Value, json};

const UUID: &str = "6f1b2c3d-0000-4000-8000-000000000001";

pub(crate) fn live() -> Live {
    Live { sample: sample(), connections: 2, limits_version: 3 }
}

fn sample() -> Sample {
    Sample {
        at_ms: 1_500,
        rate_kbps: 940_000,
        limit_kbps: 1_000_000,
        lost: 7,
        queue_us: 1_800,
        rtt_us: 42_000,
        bytes_written: 1_250_000_000,
    }
}

fn limits() -> Limits {
    let wished = RateSettings {
        policy: RatePolicy::High,
        target: Some(RateKbps(1_000_000)),
        minimum: Some(RateKbps(0)),
        cap: None,
    };
    Limits {
        wished,
        granted: RateSettings { cap: Some(RateKbps(2_000_000)), ..wished },
        locked_by_site: RateLocks { minimum: true, ..RateLocks::default() },
        locked_by_server: RateLocks { policy: true, ..RateLocks::default() },
        share: Some(RateKbps(500_000)),
    }
}

fn set_trust() -> Vec<SetTrust> {
    let all = [TrustList::Trusted, TrustList::Restricted, TrustList::Ask];
    let wish = |list| {
        match list {
            TrustList::Trusted | TrustList::Restricted | TrustList::Ask => {}
        }
        SetTrust { pattern: "*.example.com".into(), list, stop: list != TrustList::Ask }
    };
    all.map(wish).to_vec()
}

fn history() -> History {
    let file =
        FileReport { path: "clip.mov".into(), size: 12, outcome: FileOutcome::Completed, error: None, blake3: None };
    let failed = FileReport {
        path: "a/b.txt".into(),
        outcome: FileOutcome::Failed,
        error: Some(Failure::new(ErrorCode::NoPermission, "")),
        ..file.clone()
    };
    let session = SessionNote {
        began_ms: 1_750_000_000_000,
        ended_ms: Some(1_750_000_009_000),
        transport: "quic".into(),
        server_version: "0.1.0".into(),
        connections: 2,
        bytes: 1_000_000,
        lost: 7,
        error: Some(Failure::new(ErrorCode::ConnectionLost, "")),
    };
    let running = SessionNote { ended_ms: None, error: None, ..session.clone() };
    History {
        samples: vec![sample()],
        step_ms: 500,
        sessions: vec![session, running],
        files: vec![file, failed],
        limits: limits(),
        spec: json!({"direction": "receive", "remote_host": "server.example"}),
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let changes = [("queue.active", json!(4)), ("downloads.folder", Value::Null), ("bandwidth.slow_mode", json!(true))];
    let problem = Notice::new(
        "setting-range",
        ["settings.toml", "retry.attempts", "1", "1000", "0"].map(String::from),
        "settings.toml: retry.attempts: it must be 1 to 1000, not 0",
    );
    let settings = SettingsView {
        values: json!({"queue": {"active": 4}, "bandwidth": {"manual_downloads_kbps": 20_000}}),
        defaults: json!({"queue": {"active": 3}, "bandwidth": {"manual_downloads_kbps": 0}}),
        locked: vec!["bandwidth.manual_downloads_kbps".into()],
        file: "/home/me/.config/godwit/settings.toml".into(),
        problems: vec![problem.text.clone()],
        notes: vec![problem],
    };
    let managed = TrustView {
        trusted: vec!["https://a.example".into()],
        restricted: vec!["https://b.example".into()],
        ask: vec!["https://c.example".into()],
        managed_trusted: vec!["https://*.example.com".into()],
        managed_restricted: vec!["https://bad.example".into()],
        managed_only: true,
    };
    let server = KnownServer { server: "server.example.com:33001".into(), fingerprint: "SHA256:abc=".into() };
    let change = ChangeSettings { changes: changes.map(|(name, value)| (name.to_owned(), value)).into() };
    vec![
        case("prefs-settings-view", "prefs::SettingsView", settings),
        case("prefs-change-settings", "prefs::ChangeSettings", change),
        case("prefs-set-trust", "Vec<prefs::SetTrust>", set_trust()),
        case("prefs-trust-set", "prefs::TrustSet", TrustSet { pattern: "https://*.example.com".into() }),
        case("prefs-known-servers", "prefs::KnownServers", KnownServers { servers: vec![server.clone()] }),
        case("prefs-forget-server", "prefs::ForgetServer", ForgetServer { server: server.server }),
        case("ui-trust-view-managed", "ui::TrustView", managed),
        case(
            "ui-forget-trust-go-on",
            "ui::ForgetTrust",
            ForgetTrust { pattern: "https://a.example".into(), stop: false },
        ),
        case("ui-move-transfer", "ui::MoveTransfer", MoveTransfer { uuid: UUID.into(), before: None }),
        case("monitor-history", "monitor::History", history()),
        case("monitor-limits", "monitor::Limits", limits()),
        case(
            "monitor-set-rate",
            "monitor::SetRate",
            SetRate {
                uuid: UUID.into(),
                rate_policy: Some(RatePolicy::Fair),
                target_rate_kbps: Some(RateKbps(0)),
                min_rate_kbps: None,
            },
        ),
    ]
}
