//! What the extension asks of browsers, fixed: a permission that slips in must be seen.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::path::Path;

fn template() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extension/manifest.template.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn common() -> Value {
    let template = template();
    for browser in ["chromium", "firefox"] {
        for key in [
            "permissions",
            "host_permissions",
            "optional_permissions",
            "optional_host_permissions",
            "web_accessible_resources",
            "externally_connectable",
        ] {
            assert!(template[browser].get(key).is_none(), "{key} for {browser} alone");
        }
    }
    template["common"].clone()
}

#[test]
fn s12_the_extension_has_three_permissions_and_no_way_in_for_pages() {
    let manifest = common();
    assert_eq!(manifest["permissions"], json!(["nativeMessaging", "storage", "notifications"]));
    for key in [
        "host_permissions",
        "optional_permissions",
        "optional_host_permissions",
        "web_accessible_resources",
        "externally_connectable",
    ] {
        assert!(manifest.get(key).is_none(), "{key}");
    }
    let policy = manifest["content_security_policy"]["extension_pages"].as_str().unwrap();
    for part in
        ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.split("; ").any(|each| each == part), "{part}");
    }
}

#[test]
fn s13_private_windows_are_left_alone() {
    assert_eq!(common()["incognito"], json!("not_allowed"));
}

#[test]
fn p10_the_browsers_manifests_differ_only_in_start_of_the_background_maker_and_schema_of_policies() {
    let template = template();
    let keys = |part: &str| template[part].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys("chromium"), ["background", "key", "minimum_chrome_version", "storage"]);
    assert_eq!(keys("firefox"), ["background", "browser_specific_settings"]);
    for browser in ["chromium", "firefox"] {
        assert_eq!(template[browser]["background"]["type"], json!("module"), "{browser}");
    }
}
