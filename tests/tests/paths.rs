//! Hostile paths, at the page and at the server: nothing that nobody picked leaves, nothing is written outside.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Page, Scratch, Server, ServerOptions, tree};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";
const SECRET: &[u8] = b"not for anybody";

struct Case {
    server: Server,
    scratch: Scratch,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, ServerOptions::default());
        fs::write(scratch.path("secret.txt"), SECRET).unwrap();
        Self { server, scratch }
    }

    fn upload(&self, paths: Value, more: Value) -> Value {
        let mut spec =
            self.server.spec("send", self.server.data.port(), json!({"paths": paths, "destination_root": "/"}));
        godwit_tests::server::merge(&mut spec, more);
        spec
    }

    fn download(&self, paths: Value, more: Value) -> Value {
        let mut spec = self.server.spec("receive", self.server.data.port(), json!({"paths": paths}));
        godwit_tests::server::merge(&mut spec, more);
        spec
    }

    /// Nowhere below the docroot or the download folder are the bytes of the secret.
    fn assert_secret_is_where_it_was(&self) {
        for root in [self.server.docroot().to_owned(), self.scratch.home().join("Downloads")] {
            for file in godwit_tests::scratch::files_below(&root) {
                assert_ne!(fs::read(&file).unwrap(), SECRET, "{} holds the secret", file.display());
            }
        }
        assert_eq!(fs::read(self.scratch.path("secret.txt")).unwrap(), SECRET);
    }
}

fn refused(page: &Page<'_>, spec: &Value, settings: Value, wanted: &[u16]) {
    let (status, body) = page.try_start(spec, settings);
    assert!(wanted.contains(&status), "{status} for {}: {body}", spec["paths"]);
    assert_eq!(body["error"]["code"], json!(status), "{body}");
    assert_eq!(page.activity(0)["result_count"], json!(0), "nothing was started");
}

#[test]
fn h11_a_path_nobody_picked_is_refused_with_406() {
    let case = Case::new();
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let secret = case.scratch.path("secret.txt");
    refused(&page, &case.upload(json!([{"source": secret}]), json!({})), json!({}), &[406]);
    refused(&page, &case.upload(json!([{"source": "/etc/passwd"}]), json!({})), json!({}), &[406]);
    let (folder, name) = (secret.parent().unwrap(), json!([{"source": "secret.txt"}]));
    refused(&page, &case.upload(name, json!({"source_root": folder})), json!({}), &[406]);
    case.assert_secret_is_where_it_was();
}

#[test]
fn h11_a_way_out_of_a_picked_folder_is_refused() {
    let case = Case::new();
    let picked = case.scratch.folder("picked");
    tree::file(&picked.join("a"), 10, 1);
    symlink(case.scratch.path("secret.txt"), picked.join("link")).unwrap();
    symlink(case.scratch.path("."), picked.join("folder-link")).unwrap();
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&picked]);
    for below in ["../secret.txt", "./../secret.txt", "a/../../secret.txt", "folder-link/secret.txt"] {
        let source = format!("{}/{below}", picked.display());
        refused(&page, &case.upload(json!([{"source": source}]), json!({})), json!({}), &[406, 400]);
    }
    // What begins like the folder's name is another folder.
    let twin = case.scratch.folder("picked-not");
    tree::file(&twin.join("a"), 10, 1);
    refused(&page, &case.upload(json!([{"source": twin.join("a")}]), json!({})), json!({}), &[406]);
    case.assert_secret_is_where_it_was();
}

#[test]
fn h11_strange_kinds_of_sources_are_refused() {
    let case = Case::new();
    let picked = case.scratch.folder("picked");
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&picked]);
    let home = case.scratch.user_home();
    fs::write(home.join("secret.txt"), SECRET).unwrap();
    for source in [
        "~/secret.txt",
        "file:///etc/passwd",
        "\\\\host\\share",
        "secret.txt",
        "../secret.txt",
        "/dev/zero",
        "/proc/self/environ",
    ] {
        refused(&page, &case.upload(json!([{"source": source}]), json!({})), json!({}), &[406, 400]);
    }
}

#[test]
fn h11_a_nul_in_a_path_is_refused() {
    let case = Case::new();
    let picked = case.scratch.folder("picked");
    tree::file(&picked.join("a"), 10, 1);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&picked]);
    let source = format!("{}/a\0b", picked.display());
    refused(&page, &case.upload(json!([{"source": source}]), json!({})), json!({}), &[400]);
    refused(&page, &case.download(json!([{"source": "a\0b"}]), json!({})), json!({}), &[400]);
    refused(&page, &case.download(json!([{"source": "a"}]), json!({"destination_root": "x\0y"})), json!({}), &[400]);
}

#[test]
fn s05_a_pick_of_one_site_is_no_grant_for_another() {
    let case = Case::new();
    let picked = case.scratch.folder("picked");
    tree::file(&picked.join("a"), 10, 1);
    let browser = Browserish::open(&case.scratch);
    browser.page(SITE, APP).pick_folders(&[&picked]);
    let spec = case.upload(json!([{"source": picked.join("a")}]), json!({}));
    refused(&browser.page("https://other.example", APP), &spec, json!({}), &[406]);
    // Another browser session has its own picks.
    let second = Browserish::open(&case.scratch);
    refused(&second.page(SITE, APP), &spec, json!({}), &[406]);
    let uuid = browser.page(SITE, APP).start(&spec);
    browser.page(SITE, APP).wait_status(&uuid, "completed", LONG);
}

#[test]
fn h12_an_absolute_download_folder_nobody_picked_is_refused_with_406() {
    let case = Case::new();
    tree::file(&case.server.docroot().join("a"), 10, 1);
    let elsewhere = case.scratch.folder("elsewhere");
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let absolute = json!({"use_absolute_destination_path": true});
    let spec = case.download(json!([{"source": "a"}]), json!({"destination_root": elsewhere}));
    refused(&page, &spec, absolute.clone(), &[406]);
    let picked = case.scratch.folder("picked");
    page.pick_folders(&[&picked]);
    let out = format!("{}/../elsewhere", picked.display());
    let spec = case.download(json!([{"source": "a"}]), json!({"destination_root": out}));
    refused(&page, &spec, absolute, &[406, 400]);
    assert!(fs::read_dir(&elsewhere).unwrap().next().is_none());
}

#[test]
fn h12_a_download_cannot_name_a_target_outside_its_folder() {
    let case = Case::new();
    tree::file(&case.server.docroot().join("a"), 10, 1);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    for root in ["..", "../x", "a/../../x"] {
        let spec = case.download(json!([{"source": "a"}]), json!({"destination_root": root}));
        refused(&page, &spec, json!({}), &[406, 400]);
    }
    for destination in ["../evil", "x/../../evil", "a/./../../evil"] {
        let spec = case.download(json!([{"source": "a", "destination": destination}]), json!({}));
        refused(&page, &spec, json!({}), &[406, 400]);
    }
    assert!(!case.scratch.home().join("evil").exists() && !case.scratch.path("evil").exists());
}

/// Waits for the end of a transfer that must fail with one of `codes`.
fn fails(page: &Page<'_>, uuid: &str, codes: &[u64]) {
    let info = page.wait_status(uuid, "failed", LONG);
    let code = info["error_code"].as_u64().unwrap();
    assert!(codes.contains(&code), "error {code}: {info}");
    assert!(info["error_desc"].as_str().is_some_and(|t| !t.is_empty()), "{info}");
}

/// Names of files are what they are; folders have their rights, 4 and 5; 41 lies outside; 63 for links.
const OUTSIDE: &[u64] = &[4, 5, 21, 27, 41, 63];

#[test]
fn t09_a_download_from_outside_the_docroot_fails_and_gives_nothing_away() {
    let case = Case::new();
    symlink(case.scratch.path("secret.txt"), case.server.docroot().join("link")).unwrap();
    symlink(case.scratch.path("."), case.server.docroot().join("folder-link")).unwrap();
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    for source in ["link", "folder-link/secret.txt", "../secret.txt", "/../secret.txt", "x/../../secret.txt"] {
        let (status, body) = page.try_start(&case.download(json!([{"source": source}]), json!({})), json!({}));
        if status == 200 {
            let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap();
            fails(&page, uuid, OUTSIDE);
        } else {
            assert!(status == 400 || status == 406, "{source}: {status} {body}");
        }
        case.assert_secret_is_where_it_was();
    }
}

#[test]
fn t10_a_folder_with_links_out_of_the_docroot_comes_down_without_what_they_lead_to() {
    let case = Case::new();
    let folder = case.server.docroot().join("folder");
    tree::file(&folder.join("honest"), 1000, 1);
    symlink(case.scratch.path("secret.txt"), folder.join("link")).unwrap();
    symlink(case.scratch.path("."), folder.join("folder-link")).unwrap();
    symlink("folder-link", folder.join("link-to-link")).unwrap();
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = page.start(&case.download(json!([{"source": "folder"}]), json!({})));
    godwit_tests::until("the download ends", LONG, || {
        let status = page.info(&uuid)["status"].as_str().unwrap().to_owned();
        matches!(status.as_str(), "completed" | "failed").then_some(())
    });
    tree::assert_same_file(&folder.join("honest"), &case.scratch.home().join("Downloads/folder/honest"));
    case.assert_secret_is_where_it_was();
}

#[test]
fn t10_an_upload_through_a_link_in_the_docroot_writes_nothing_outside() {
    let case = Case::new();
    let outside = case.scratch.folder("outside");
    symlink(&outside, case.server.docroot().join("way-out")).unwrap();
    let source = case.scratch.path("picked/a");
    tree::file(&source, 100_000, 1);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    page.pick_files(&[&source]);
    for root in ["/way-out", "/way-out/deeper", "/../outside", "/x/../../outside"] {
        let spec = case.upload(json!([{"source": source}]), json!({"destination_root": root, "create_dir": true}));
        let (status, body) = page.try_start(&spec, json!({}));
        if status == 200 {
            fails(&page, body["transfer_specs"][0]["uuid"].as_str().unwrap(), &[5, 6, 27, 41, 63]);
        } else {
            assert!(status == 400 || status == 406, "{root}: {status} {body}");
        }
        assert!(fs::read_dir(&outside).unwrap().next().is_none(), "{root}: something was written outside");
    }
}

fn plant(case: &Case, at: &Path) -> std::path::PathBuf {
    let victim = case.scratch.folder("victim").join("precious");
    fs::write(&victim, SECRET).unwrap();
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    symlink(&victim, at).unwrap();
    victim
}

#[test]
fn s05_links_planted_in_the_download_folder_are_not_followed() {
    let case = Case::new();
    tree::file(&case.server.docroot().join("tree/file.bin"), 300_000, 1);
    for planted in ["Downloads/tree/file.bin", "Downloads/tree/file.bin.partial", "Downloads/tree/file.bin.aspera-ckpt"]
    {
        let downloads = case.scratch.home().join("Downloads");
        let _ = fs::remove_dir_all(&downloads);
        let victim = plant(&case, &case.scratch.home().join(planted));
        let browser = Browserish::open(&case.scratch);
        let page = browser.page(SITE, APP);
        let uuid = page.start(&case.download(json!([{"source": "tree"}]), json!({})));
        godwit_tests::until("the download ends", LONG, || {
            let status = page.info(&uuid)["status"].as_str().unwrap().to_owned();
            matches!(status.as_str(), "completed" | "failed").then_some(())
        });
        assert_eq!(fs::read(&victim).unwrap(), SECRET, "{planted}: what the link leads to was overwritten");
        page.must("remove", &uuid);
    }
}

#[test]
fn a_folder_in_the_download_folder_that_is_a_link_leads_nowhere() {
    let case = Case::new();
    tree::file(&case.server.docroot().join("tree/file.bin"), 300_000, 1);
    let outside = case.scratch.folder("outside");
    let downloads = case.scratch.home().join("Downloads");
    fs::create_dir_all(&downloads).unwrap();
    symlink(&outside, downloads.join("tree")).unwrap();
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = page.start(&case.download(json!([{"source": "tree"}]), json!({})));
    fails(&page, &uuid, &[5, 6, 27, 41, 63]);
    assert!(fs::read_dir(&outside).unwrap().next().is_none(), "something was written outside");
}
