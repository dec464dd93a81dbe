//! The transfer spec: every field, both families of names, and what is refused.
#![allow(clippy::unwrap_used)]
#![recursion_limit = "256"]

use godwit_protocol::spec::{
    Authentication, ContentProtection, Direction, LocalDestination, OverwritePolicy, RatePolicy, ResumePolicy,
    SymlinkPolicy, TransferSpec,
};
use godwit_protocol::{RateKbps, Secret};
use serde_json::{Value, json};

/// The smallest upload, with `fields` laid over it; null removes a field.
fn spec(fields: Value) -> Value {
    let mut spec = json!({"direction": "send", "remote_host": "example.com", "paths": [{"source": "/home/me/a"}]});
    for (key, value) in fields.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn parse(fields: Value) -> TransferSpec {
    TransferSpec::from_value(&spec(fields)).unwrap()
}

/// The field that a refusal names.
fn refused(fields: Value) -> String {
    let spec = spec(fields);
    match TransferSpec::from_value(&spec) {
        Err(error) => error.field,
        Ok(_) => panic!("accepted: {spec}"),
    }
}

#[test]
fn the_smallest_spec_has_the_documented_defaults() {
    let spec = parse(json!({}));
    assert_eq!(spec.direction, Direction::Send);
    assert_eq!((spec.ssh_port, spec.fasp_port), (33_001, 33_001));
    assert_eq!(spec.authentication, Authentication::Password);
    assert_eq!(spec.rate_policy, RatePolicy::Fair);
    assert_eq!(spec.resume, ResumePolicy::SparseChecksum);
    assert_eq!(spec.overwrite, OverwritePolicy::Diff);
    assert_eq!(spec.target_rate_kbps, None);
    assert!(!spec.create_dir && !spec.preserve_times && !spec.http_fallback && !spec.save_before_overwrite);
    assert!(!spec.lock_rate_policy && !spec.lock_target_rate && !spec.lock_min_rate);
    assert_eq!(spec.content_protection, None);
    assert_eq!(spec.tags(), &Value::Null);
}

#[test]
fn both_families_of_names_mean_the_same() {
    for (one, other) in [
        (json!({"resume": "attributes"}), json!({"resume_policy": "attrs"})),
        (json!({"resume": "full_checksum"}), json!({"resume_policy": "full_csum"})),
        (json!({"overwrite_policy": "none"}), json!({"overwrite": "never"})),
        (json!({"overwrite_policy": "diff+older"}), json!({"overwrite": "DIFF+OLDER"})),
        (json!({"save-before-overwrite": "yes"}), json!({"save_before_overwrite": true})),
        (json!({"lock_target_rate": true}), json!({"lock_target_rate_kbps": "true"})),
        (json!({"lock_min_rate": true}), json!({"lock_min_rate_kbps": 1})),
        (json!({"content_protection_passphrase": "x"}), json!({"content_protection_password": "x"})),
        (json!({"target_rate_kbps": 5000}), json!({"target_rate_kbps": "5000"})),
        (json!({"ssh_port": 22}), json!({"ssh_port": "22"})),
        (json!({"rate_policy_allowed": "high"}), json!({"policy_allowed": "high"})),
        (json!({"create_dir": true}), json!({"create_dir": "yes"})),
        (json!({"exclude_patterns": ["*.tmp"]}), json!({"exclude_patterns": "*.tmp"})),
    ] {
        let (mut one, mut other) = (parse(one), parse(other));
        (one.public, other.public) = (Value::Null, Value::Null);
        assert!(one == other, "{one:?} {other:?}");
        assert!(one != TransferSpec { public: Value::Null, ..parse(json!({})) }, "{one:?} is the default");
    }
    assert_eq!(parse(json!({"resume_policy": "sparse_csum"})).resume, ResumePolicy::SparseChecksum);
}

#[test]
fn every_field_of_the_reference_arrives() {
    let spec = parse(json!({
        "remote_user": "xfer", "remote_password": "pw", "authentication": "token", "token": "ATM", "source_root": "/src",
        "destination_root": "/in", "create_dir": true, "ssh_port": 33002, "fasp_port": 33003, "cipher": "aes-256-gcm",
        "content_protection": "encrypt", "content_protection_passphrase": "pp", "rate_policy": "high",
        "target_rate_kbps": 100000, "min_rate_kbps": 10, "target_rate_cap_kbps": 200000, "lock_rate_policy": true,
        "lock_target_rate": true, "lock_min_rate": true, "resume": "none", "overwrite_policy": "always",
        "save-before-overwrite": "yes", "preserve_times": true, "obfuscate_file_names": true, "http_fallback": true,
        "http_fallback_port": 8443, "dgram_size": 1400, "cookie": "c", "tags": {"aspera": {"xfer_id": "i"}},
        "exclude_patterns": ["a"], "include_patterns": ["b"], "preserve_file_owner_uid": true,
        "preserve_file_owner_gid": true, "skip_dir_traversal_dupes": true, "symlink_policy": "copy+force",
        "use_ipv6": true, "read_size": 1, "write_size": 2, "remove_after_transfer": true,
        "remove_empty_directories": true, "remove_empty_source_directory": true, "remove_skipped": true,
        "rate_policy_allowed": "fixed", "cipher_allowed": "aes-128", "min_rate_cap_kbps": 20, "sshfp": "SHA256:abc",
        "wss_enabled": true, "wss_port": 443, "title": "Package", "multi_session": 4,
        "multi_session_threshold": 1048576, "apply_local_docroot": true, "download_name": "x.zip", "zip_required": true
    }));
    let rate = |n| Some(RateKbps(n));
    assert_eq!(spec.remote_user, "xfer");
    assert_eq!(spec.remote_password, Some(Secret::new("pw")));
    assert_eq!(spec.authentication, Authentication::Token);
    assert_eq!(spec.token, Some(Secret::new("ATM")));
    assert_eq!(spec.effective_sources().unwrap(), ["/src/home/me/a"]);
    assert_eq!(spec.remote_destination().unwrap(), "in");
    assert_eq!((spec.ssh_port, spec.fasp_port), (33_002, 33_003));
    assert_eq!(spec.cipher.as_deref(), Some("aes-256-gcm"));
    assert_eq!(spec.content_protection, Some(ContentProtection::Encrypt));
    assert_eq!(spec.content_protection_passphrase, Some(Secret::new("pp")));
    assert_eq!(spec.rate_policy, RatePolicy::High);
    assert_eq!((spec.target_rate_kbps, spec.min_rate_kbps), (rate(100_000), rate(10)));
    assert_eq!((spec.target_rate_cap_kbps, spec.rare.min_rate_cap_kbps), (rate(200_000), rate(20)));
    assert!(spec.lock_rate_policy && spec.lock_target_rate && spec.lock_min_rate);
    assert_eq!((spec.resume, spec.overwrite), (ResumePolicy::None, OverwritePolicy::Always));
    assert!(spec.create_dir && spec.save_before_overwrite && spec.preserve_times && spec.http_fallback);
    assert_eq!(spec.http_fallback_port, Some(8443));
    assert_eq!(spec.fingerprint.as_deref(), Some("SHA256:abc"));
    assert_eq!((spec.title.as_deref(), spec.cookie.as_deref()), (Some("Package"), Some("c")));
    assert_eq!((spec.multi_session, spec.multi_session_threshold), (Some(4), Some(1_048_576)));
    assert_eq!(spec.tags(), &json!({"aspera": {"xfer_id": "i"}}));
    let rare = &spec.rare;
    assert!(rare.obfuscate_file_names && rare.preserve_file_owner_uid && rare.preserve_file_owner_gid && rare.use_ipv6);
    assert!(rare.skip_dir_traversal_dupes && rare.remove_after_transfer && rare.remove_empty_directories);
    assert!(rare.remove_empty_source_directory && rare.remove_skipped && rare.wss_enabled);
    assert!(rare.apply_local_docroot && rare.zip_required);
    assert_eq!((rare.dgram_size, rare.read_size, rare.write_size), (Some(1400), Some(1), Some(2)));
    assert_eq!(
        (&rare.exclude_patterns[..], &rare.include_patterns[..]),
        (&["a".to_owned()][..], &["b".to_owned()][..])
    );
    assert_eq!(rare.symlink_policy, Some(SymlinkPolicy::CopyForce));
    assert_eq!((rare.rate_policy_allowed.as_deref(), rare.cipher_allowed.as_deref()), (Some("fixed"), Some("aes-128")));
    assert_eq!((rare.wss_port, rare.download_name.as_deref()), (Some(443), Some("x.zip")));
}

#[test]
fn unknown_fields_nulls_and_empty_texts_never_refuse_a_spec() {
    let spec = parse(json!({
        "invented": {"deep": [1, 2]}, "cookie": null, "ssh_port": null, "sshfp": "", "token": "", "rate_policy": "",
        "target_rate_kbps": "", "wss_port": 0, "http_fallback_port": 0, "source_root": "", "authentication": null
    }));
    assert_eq!(spec.ssh_port, 33_001);
    assert_eq!(spec.token, None);
    assert_eq!(spec.fingerprint, None);
}

#[test]
fn what_is_required_is_named_when_it_is_missing_or_wrong() {
    for value in [json!(null), json!("up"), json!(1), json!(["send"])] {
        assert_eq!(refused(json!({"direction": value})), "direction");
    }
    for value in
        [json!(null), json!(""), json!(5), json!("a b"), json!("a/b"), json!("user@a"), json!("a:1"), json!("a\u{0}")]
    {
        assert_eq!(refused(json!({"remote_host": value})), "remote_host");
    }
    for value in
        [json!(null), json!([]), json!({}), json!("x"), json!([{"source": "/a", "destination": "b"}, {"source": "/c"}])]
    {
        assert_eq!(refused(json!({"paths": value})), "paths");
    }
    assert_eq!(refused(json!({"paths": ["x"]})), "paths[0]");
    assert_eq!(refused(json!({"paths": [{"source": "/a"}, {"destination": "b"}]})), "paths[1].source");
    assert_eq!(refused(json!({"paths": [{"source": 1}]})), "paths[0].source");
    assert_eq!(refused(json!({"paths": [{"source": "/a", "destination": ["b"]}]})), "paths[0].destination");
    assert_eq!(TransferSpec::from_value(&json!([])).unwrap_err().field, "transfer_spec");
}

#[test]
fn a_wrong_optional_field_is_named() {
    for (field, value) in [
        ("token", json!(1)),
        ("remote_password", json!(["x"])),
        ("content_protection_passphrase", json!({})),
        ("content_protection", json!("maybe")),
        ("content_protection", json!(true)),
        ("authentication", json!("none")),
        ("sshfp", json!(1)),
        ("sshfp", json!("SHA256:\u{e9}")),
        ("ssh_port", json!(0)),
        ("fasp_port", json!(65536)),
        ("ssh_port", json!("-1")),
        ("ssh_port", json!(true)),
        ("rate_policy", json!("fastest")),
        ("target_rate_kbps", json!(-1)),
        ("target_rate_kbps", json!("quick")),
        ("resume_policy", json!("maybe")),
        ("overwrite", json!(false)),
        ("create_dir", json!("perhaps")),
        ("save-before-overwrite", json!([])),
        ("tags", json!("x")),
        ("exclude_patterns", json!([1])),
        ("remote_user", json!("a\nb")),
        ("symlink_policy", json!("hide")),
    ] {
        assert_eq!(refused(json!({ field: value })), field);
    }
}

#[test]
fn a_refusal_never_repeats_a_value() {
    for fields in [
        json!({"token": {"hunter2": 1}}),
        json!({"remote_host": "hunter2 hunter2"}),
        json!({"rate_policy": "hunter2"}),
        json!({"ssh_port": "hunter2"}),
        json!({"target_rate_kbps": "hunter2"}),
        json!({"paths": [{"source": "hunter2"}]}),
        json!({"destination_root": "../hunter2"}),
    ] {
        let text = TransferSpec::from_value(&spec(fields.clone())).unwrap_err().to_string();
        assert!(!text.contains("hunter2"), "{fields}: {text}");
    }
}

#[test]
fn bounds_hold() {
    let long = "/".to_owned() + &"x".repeat(4096);
    assert_eq!(refused(json!({"paths": [{"source": long}]})), "paths[0].source");
    assert_eq!(refused(json!({"destination_root": long})), "destination_root");
    assert_eq!(refused(json!({"paths": [{"source": "/a\u{0}b"}]})), "paths[0].source");
    assert_eq!(refused(json!({"token": "x".repeat(70_000)})), "token");
    let many: Vec<Value> = (0..100_001).map(|_| json!({"source": "/a"})).collect();
    assert_eq!(refused(json!({"paths": many[1..100_001].to_vec(), "ssh_port": 0})), "ssh_port");
    assert_eq!(refused(json!({"paths": many})), "paths");
    assert_eq!(parse(json!({"multi_session": 1_000_000})).multi_session, Some(64));
}

#[test]
fn hostile_sources_and_destinations_are_refused() {
    for source in ["../../etc/passwd", "/home/../etc/passwd", "~/x", "file:///etc/passwd", "\\\\host\\share", "a"] {
        assert_eq!(refused(json!({"paths": [{"source": source}]})), "paths[0].source", "{source}");
    }
    for root in ["../x", "/a/../b", "a\u{202e}b", "a\nb"] {
        assert_eq!(refused(json!({"destination_root": root})), "destination_root", "{root}");
    }
    for destination in ["../x", "/", "a/../../b", "a\\b", "."] {
        let paths = json!([{"source": "/a", "destination": destination}]);
        assert_eq!(refused(json!({"paths": paths})), "paths[0].destination", "{destination}");
    }
    let download = json!({"direction": "receive", "paths": [{"source": "pub/../../x"}]});
    assert_eq!(refused(download), "paths[0].source");
}

#[test]
fn a_download_goes_below_the_download_folder_unless_the_request_says_absolute() {
    let spec = parse(json!({"direction": "receive", "source_root": "/pub", "destination_root": "/tmp/in",
        "paths": [{"source": "a", "destination": "sub/b"}]}));
    assert_eq!(spec.effective_sources().unwrap(), ["pub/a"]);
    let below = LocalDestination::BelowDownloads(Some("tmp/in".parse().unwrap()));
    assert_eq!(spec.local_destination(false).unwrap(), below);
    assert_eq!(spec.local_destination(true).unwrap(), LocalDestination::Absolute("/tmp/in".into()));
    assert_eq!(spec.absolute_targets().unwrap(), ["/tmp/in/sub/b"]);

    let saved = parse(json!({"direction": "receive", "paths": [{"source": "a", "destination": "/home/me/b.zip"}]}));
    assert_eq!(saved.local_destination(false).unwrap(), LocalDestination::BelowDownloads(None));
    assert_eq!(saved.absolute_targets().unwrap(), ["/home/me/b.zip"]);

    let relative = parse(json!({"direction": "receive", "destination_root": "sub", "paths": [{"source": "a"}]}));
    assert_eq!(relative.local_destination(true).unwrap_err().field, "destination_root");
}

#[test]
fn a_token_without_password_means_login_by_token() {
    assert_eq!(parse(json!({"token": "t"})).authentication, Authentication::Token);
    assert_eq!(parse(json!({"token": "t", "remote_password": "p"})).authentication, Authentication::Password);
    assert_eq!(parse(json!({"token": "t", "authentication": "password"})).authentication, Authentication::Password);
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let spec = parse(json!({"target_rate_kbps": 0, "target_rate_cap_kbps": "0", "min_rate_kbps": 0}));
    assert_eq!((spec.target_rate_kbps, spec.target_rate_cap_kbps), (None, None));
    assert_eq!(spec.min_rate_kbps, Some(RateKbps(0)));
}

#[test]
fn secrets_are_in_no_shown_logged_or_stored_form() {
    let fields = json!({
        "token": "hunter2", "remote_password": "hunter2", "content_protection_password": "hunter2",
        "x-auth-token": "hunter2", "proxy": {"Password": "hunter2", "host": "p"}, "list": [{"api_key": "hunter2"}],
        "authorization_key": "hunter2", "tags": {"token": "the page's own"}, "cookie": "kept"
    });
    let spec = parse(fields);
    let stored = serde_json::to_string(&spec).unwrap();
    for text in [format!("{spec:?}"), spec.public.to_string(), spec.without_paths().to_string(), stored.clone()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(spec.public["proxy"], json!({"host": "p"}));
    assert_eq!(spec.public["tags"]["token"], "the page's own");
    assert!(!format!("{spec:?}").contains("kept"));
    assert!(spec.without_paths().get("paths").is_none());
    assert!(spec.public.get("paths").is_some());

    let back: TransferSpec = serde_json::from_str(&stored).unwrap();
    assert_eq!((&back.token, &back.remote_password, &back.content_protection_passphrase), (&None, &None, &None));
    let bare = TransferSpec { token: None, remote_password: None, content_protection_passphrase: None, ..spec };
    assert_eq!(back, bare);
}

#[test]
fn a_title_is_one_line_without_direction_tricks() {
    let spec = parse(json!({"title": "a\nb\u{202e}c\u{0007}"}));
    assert_eq!(spec.title.as_deref(), Some("abc"));
}
