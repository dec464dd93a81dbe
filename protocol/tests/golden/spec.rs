//! Transfer specs as pages write them and as the agent stores them, and the words of their enumerations.

use crate::{Case, case};
use godwit_protocol::spec::{
    Authentication, ContentProtection, Direction, OverwritePolicy, RatePolicy, ResumePolicy, SymlinkPolicy,
    TransferSpec,
};
use godwit_protocol::start::{ConnectSettings, StartRequest};
use serde_json::{Value, json};

/// A start as the vendor's SDK sends it for an upload.
fn upload() -> Value {
    json!({
        "aspera_connect_settings": {"app_id": "example-app-id"},
        "transfer_specs": [{
            "aspera_connect_settings": {
                "app_id": "example-app-id", "request_id": "11111111-2222-4333-8444-555555555555",
                "allow_dialogs": false, "back_link": "https://app.example.com/packages/1",
                "return_files": false, "return_paths": false
            },
            "transfer_spec": {
                "direction": "send", "remote_host": "Server.Example.com", "remote_user": "xfer",
                "authentication": "token", "token": "example-token",
                "paths": [{"source": "/home/me/clip.mov", "destination": "clip.mov"}],
                "destination_root": "/inbox", "create_dir": true, "rate_policy": "fair",
                "target_rate_kbps": "200000", "min_rate_kbps": 0, "lock_min_rate_kbps": true, "cipher": "aes-128",
                "resume_policy": "sparse_csum", "overwrite": "diff", "save_before_overwrite": "no",
                "sshfp": "SHA256:abc=", "http_fallback": "yes", "http_fallback_port": 8443, "cookie": "opaque",
                "tags": {"aspera": {"node": {"file_id": "1"}}}, "title": "Package 1", "unknown": [1, 2]
            }
        }]
    })
}

/// A start as `ascli` sends it for a download: settings at the top level only.
fn download() -> Value {
    json!({
        "aspera_connect_settings": {"app_id": "ascli", "request_id": "r1", "allow_dialogs": true},
        "transfer_specs": [{
            "transfer_spec": {
                "direction": "receive", "remote_host": "2001:DB8::1", "remote_user": "me", "remote_password": "example-password",
                "ssh_port": 33002, "fasp_port": "33003", "source_root": "/pub", "paths": [{"source": "set"}],
                "destination_root": "/tmp", "content_protection_password": "example-passphrase", "multi_session": 2,
                "symlink_policy": "skip", "exclude_patterns": ["*.tmp"], "wss_enabled": true, "wss_port": 443
            }
        }]
    })
}

fn request(body: &Value) -> StartRequest {
    StartRequest::from_body(&body.to_string()).unwrap()
}

/// What the agent's database holds: the spec without secrets.
fn stored(body: &Value) -> TransferSpec {
    TransferSpec { token: None, remote_password: None, content_protection_passphrase: None, ..request(body).spec }
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("start-upload", "body of transfers/start", upload()),
        case("start-upload-stored", "spec::TransferSpec", stored(&upload())),
        case("start-upload-settings", "start::ConnectSettings", request(&upload()).settings),
        case("start-download", "body of transfers/start", download()),
        case("start-download-stored", "spec::TransferSpec", stored(&download())),
        case("start-download-settings", "start::ConnectSettings", request(&download()).settings),
        case("settings-default", "start::ConnectSettings", ConnectSettings::default()),
        case("spec-directions", "Vec<spec::Direction>", vec![Direction::Send, Direction::Receive]),
        case(
            "spec-rate-policies",
            "Vec<spec::RatePolicy>",
            vec![RatePolicy::Fixed, RatePolicy::High, RatePolicy::Fair, RatePolicy::Low],
        ),
        case(
            "spec-resume-policies",
            "Vec<spec::ResumePolicy>",
            vec![
                ResumePolicy::None,
                ResumePolicy::Attributes,
                ResumePolicy::SparseChecksum,
                ResumePolicy::FullChecksum,
            ],
        ),
        case(
            "spec-overwrite-policies",
            "Vec<spec::OverwritePolicy>",
            vec![
                OverwritePolicy::Always,
                OverwritePolicy::None,
                OverwritePolicy::Diff,
                OverwritePolicy::Older,
                OverwritePolicy::DiffOlder,
            ],
        ),
        case(
            "spec-authentications",
            "Vec<spec::Authentication>",
            vec![Authentication::Password, Authentication::Token],
        ),
        case(
            "spec-content-protections",
            "Vec<spec::ContentProtection>",
            vec![ContentProtection::Encrypt, ContentProtection::Decrypt],
        ),
        case(
            "spec-symlink-policies",
            "Vec<spec::SymlinkPolicy>",
            vec![SymlinkPolicy::Follow, SymlinkPolicy::Copy, SymlinkPolicy::CopyForce, SymlinkPolicy::Skip],
        ),
    ]
}

/// The stored form is derived above from the page's form; here the meaning of both is stated once by hand.
#[test]
fn the_golden_starts_mean_what_they_should() {
    let up = request(&upload());
    assert_eq!(up.spec.remote_host, "server.example.com");
    assert_eq!(up.spec.token.unwrap().expose(), "example-token");
    assert_eq!(up.spec.target_rate_kbps.unwrap().0, 200_000);
    assert!(up.spec.lock_min_rate && up.spec.http_fallback && !up.settings.allow_dialogs);
    let down = request(&download());
    assert_eq!((down.spec.remote_host.as_str(), down.spec.fasp_port), ("2001:db8::1", 33_003));
    assert_eq!(down.settings.app_id, "ascli");
    assert_eq!(down.spec.content_protection_passphrase.unwrap().expose(), "example-passphrase");
}
