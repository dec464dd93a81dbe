//! Planted faults on a machine in a folder: each is found under its name with a remedy, and nothing is found on a good one.

#![allow(clippy::unwrap_used)]

use godwit_installer::browsers::Family;
use godwit_installer::doctor::{Finding, Machine, Severity, examine};
use godwit_installer::manifest;
use godwit_installer::place::UserFolders;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const CHROMIUM: &str = "home/.config/chromium/NativeMessagingHosts/io.godwit.host.json";
const FIREFOX: &str = "home/.mozilla/native-messaging-hosts/io.godwit.host.json";
const SYSTEM: &str = "etc/chromium/native-messaging-hosts/io.godwit.host.json";
const POLICY: &str = "etc/chromium/policies/managed/company.json";

struct Fixture {
    dir: tempfile::TempDir,
    machine: Machine,
}

impl Fixture {
    /// Chromium and Firefox, both told where a host is that can be run.
    fn good() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        let user = UserFolders::of(|name| (name == "HOME").then(|| home.clone())).unwrap();
        let machine = Machine { user, prefix: dir.path().to_owned(), host: dir.path().join("opt/godwit-host") };
        let fixture = Self { dir, machine };
        fixture.write("usr/bin/chromium", "");
        fixture.write("usr/bin/firefox-esr", "");
        fixture.program("opt/godwit-host");
        fixture.manifest(CHROMIUM, Family::Chromium, "opt/godwit-host");
        fixture.manifest(FIREFOX, Family::Firefox, "opt/godwit-host");
        fixture
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, path: &str) {
        self.write(path, "#!/bin/sh\n");
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn manifest(&self, path: &str, family: Family, host: &str) {
        self.write(path, &manifest::text(family, &self.path(host)).unwrap());
    }

    /// Exactly this is found, with a remedy.
    fn finds(&self, id: &str, severity: Severity) -> Finding {
        let findings = examine(&self.machine);
        assert_eq!(findings.iter().map(|finding| finding.id).collect::<Vec<_>>(), [id], "{findings:#?}");
        let finding = findings.into_iter().next().unwrap();
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(!finding.what.is_empty() && finding.remedy.ends_with(['.', 's']), "{finding:?}");
        finding
    }

    /// The same, and the safe remedy mends it.
    fn mends(&self, id: &str) {
        let fix = self.finds(id, Severity::Error).fix.unwrap();
        self.machine.fix(&fix).unwrap();
        assert_eq!(examine(&self.machine), [], "after the remedy for {id}");
    }
}

#[test]
fn on_a_good_machine_nothing_is_found() {
    assert_eq!(examine(&Fixture::good().machine), []);
}

#[test]
fn manifests_that_are_missing_broken_stale_or_for_another_extension_are_found_and_mended() {
    let fixture = Fixture::good();
    fs::remove_file(fixture.path(FIREFOX)).unwrap();
    fixture.mends("manifest-missing");
    fixture.write(CHROMIUM, "{ half of a manif");
    fixture.mends("manifest-broken");
    fixture.manifest(CHROMIUM, Family::Chromium, "opt/gone");
    fixture.mends("manifest-stale");
    // For the wrong family: nobody there whom Chromium would let in.
    fixture.manifest(CHROMIUM, Family::Firefox, "opt/godwit-host");
    fixture.mends("manifest-wrong-extension");
}

#[test]
fn what_is_not_ours_is_named_and_not_replaced() {
    let fixture = Fixture::good();
    fixture.write(FIREFOX, r#"{"name": "com.example", "path": "/x"}"#);
    assert!(fixture.finds("manifest-foreign", Severity::Error).fix.is_none());
}

#[test]
fn a_host_that_cannot_be_run_is_found() {
    let fixture = Fixture::good();
    fixture.write("opt/other", "");
    fixture.manifest(FIREFOX, Family::Firefox, "opt/other");
    assert!(fixture.finds("host-not-executable", Severity::Error).what.contains("opt/other"));
}

#[test]
fn a_manifest_that_hides_another_one_is_found() {
    let fixture = Fixture::good();
    fixture.program("opt/system-host");
    fixture.manifest(SYSTEM, Family::Chromium, "opt/system-host");
    fixture.finds("manifest-shadowed", Severity::Warning);
    fs::remove_file(fixture.path(CHROMIUM)).unwrap();
    assert_eq!(examine(&fixture.machine), [], "that of the machine is enough");
}

#[test]
fn policies_that_keep_us_away_are_found_and_those_that_let_us_in_are_not() {
    let fixture = Fixture::good();
    let (id, name) = (manifest::chromium_id(), manifest::HOST_NAME);
    fixture.write(POLICY, r#"{"NativeMessagingBlocklist": ["*"]}"#);
    assert!(fixture.finds("host-blocked", Severity::Error).remedy.contains(name));
    fixture.write("etc/chromium/policies/managed/more.json", &format!(r#"{{"NativeMessagingAllowlist": ["{name}"]}}"#));
    assert_eq!(examine(&fixture.machine), []);

    fixture.write(POLICY, r#"{"NativeMessagingUserLevelHosts": false}"#);
    fixture.finds("user-hosts-off", Severity::Error);
    fixture.manifest(SYSTEM, Family::Chromium, "opt/godwit-host");
    assert_eq!(examine(&fixture.machine), []);

    fixture.write(POLICY, r#"{"ExtensionInstallBlocklist": ["*"]}"#);
    assert!(fixture.finds("extension-blocked", Severity::Error).remedy.contains(id));
    let forced =
        format!(r#"{{"ExtensionInstallBlocklist": ["*"], "ExtensionInstallForcelist": ["{id};https://x/u.xml"]}}"#);
    fixture.write(POLICY, &forced);
    assert_eq!(examine(&fixture.machine), []);
    fixture.write(POLICY, r#"{"ExtensionSettings": {"*": {"installation_mode": "blocked"}}}"#);
    fixture.finds("extension-blocked", Severity::Error);
    // The company's own extension is there by policy: with a key of its own it has another id.
    let packed = "b".repeat(32);
    let settings = format!(
        r#"{{"ExtensionSettings": {{"*": {{"installation_mode": "blocked"}},
        "{packed}": {{"installation_mode": "force_installed"}}}}}}"#
    );
    fixture.write(POLICY, &settings);
    fixture.finds("extension-blocked", Severity::Error);
    fixture.write("EXTENSION-IDS", &format!("{packed}\n"));
    assert_eq!(examine(&fixture.machine), []);
    // And the manifest that is written anew lets it in too.
    for manifest in [CHROMIUM, SYSTEM] {
        fs::remove_file(fixture.path(manifest)).unwrap();
    }
    fixture.mends("manifest-missing");
    assert!(fs::read_to_string(fixture.path(CHROMIUM)).unwrap().contains(&packed));
    fixture.write(POLICY, "{}");

    let firefox = "etc/firefox/policies/policies.json";
    let blocked = r#"{"policies": {"ExtensionSettings": {"*": {"installation_mode": "blocked"}}}}"#;
    fixture.write(firefox, blocked);
    assert!(fixture.finds("extension-blocked", Severity::Error).what.starts_with("Firefox"));
    let allowed = blocked
        .replace("{\"*\"", &format!("{{\"{}\": {{\"installation_mode\": \"allowed\"}}, \"*\"", manifest::FIREFOX_ID));
    fixture.write(firefox, &allowed);
    assert_eq!(examine(&fixture.machine), []);
    fixture.write(firefox, "policies:\n");
    fixture.finds("policy-unreadable", Severity::Warning);
}

#[test]
fn browsers_in_sandboxes_are_named_with_what_helps() {
    let fixture = Fixture::good();
    fixture.write("snap/bin/firefox", "");
    assert!(fixture.finds("snap-browser", Severity::Warning).remedy.contains("flatpak permission-set"));
    fs::remove_file(fixture.path("snap/bin/firefox")).unwrap();
    fs::create_dir_all(fixture.path("home/.var/app/org.mozilla.firefox")).unwrap();
    fixture.finds("sandboxed-browser", Severity::Error);
}

#[test]
fn an_installation_that_was_cut_or_is_not_whole_is_found() {
    let fixture = Fixture::good();
    fs::create_dir_all(fixture.path("home/.local/share/godwit/versions/.1.0-abc.godwit-new")).unwrap();
    fixture.finds("installation-cut", Severity::Warning);
    fs::remove_dir_all(fixture.path("home/.local/share/godwit/versions")).unwrap();
    fixture.write("home/.local/share/godwit/receipt.json", "{}");
    fixture.finds("installation-broken", Severity::Error);
}

#[test]
fn denials_of_selinux_and_apparmor_are_shown() {
    let fixture = Fixture::good();
    let line = "type=AVC msg=audit(1.2:3): avc:  denied  { execute } for comm=\"chrome\" name=\"godwit-host\"";
    fixture.write("var/log/audit/audit.log", &format!("type=USER\n{line}\ntype=AVC avc: denied for other\n"));
    assert!(fixture.finds("mac-denied", Severity::Error).what.contains("godwit-host"));
}

#[test]
fn a_machine_without_any_browser_is_told_so() {
    let fixture = Fixture::good();
    for path in ["usr", "home"] {
        fs::remove_dir_all(fixture.path(path)).unwrap();
    }
    fixture.finds("no-browser", Severity::Warning);
    assert!(Path::new("/usr").exists());
}
