//! Secrets that a page puts into a spec are seen by nobody but the worker and the server.

#![allow(clippy::unwrap_used)]

use godwit_protocol::Secret;
use godwit_protocol::ui::Decision;
use godwit_tests::scratch::files_below;
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree};
use serde_json::json;
use std::path::Path;

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";
/// Texts that occur nowhere by chance.
const PASSWORD: &str = "planted-password-7f3a91";
const PASSPHRASE: &str = "planted-passphrase-c05d2e";
const TOKEN: &str = "planted-token-19be44";
const KEY: &str = "planted-authorization-key-66aa01";
const PLANTED: [&str; 4] = [PASSWORD, PASSPHRASE, TOKEN, KEY];

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn assert_clean(what: &str, bytes: &[u8]) {
    use base64::Engine as _;
    for secret in PLANTED {
        assert!(!contains(bytes, secret), "{what} holds {secret}");
        let coded = base64::engine::general_purpose::STANDARD.encode(secret);
        let core = &coded[..coded.len() - 4];
        assert!(!contains(bytes, core), "{what} holds {secret} in base64");
    }
}

fn assert_clean_processes(scratch: &Scratch, server: &Server) {
    let mut looked_at = 0;
    for pid in processes::of_home(&scratch.home()).into_iter().chain([server.pid()]) {
        assert_clean(&format!("arguments of {}", processes::program(pid)), &processes::command_line(pid));
        assert_clean(&format!("environment of {}", processes::program(pid)), &processes::environment(pid));
        looked_at += 1;
    }
    assert!(looked_at >= 4, "host, agent, worker and server run: {looked_at}");
}

fn assert_clean_files(folder: &Path) {
    let files = files_below(folder);
    assert!(!files.is_empty(), "{} has files", folder.display());
    for file in files {
        if let Ok(bytes) = std::fs::read(&file) {
            assert_clean(&file.display().to_string(), &bytes);
        }
    }
}

#[test]
fn h15_secrets_of_a_spec_are_in_no_log_no_argument_no_environment_no_database_and_no_frame() {
    let scratch = Scratch::new();
    scratch.write_settings("[retry]\nattempts = 5\ninterval_seconds = 1\n[log]\nlevel = \"trace\"\n");
    let options = ServerOptions { user: ("ann".into(), PASSWORD.into()), by_config: true, ..ServerOptions::default() };
    let server = Server::start(&scratch, options);
    tree::file(&server.docroot().join("f"), 20 * 1024 * 1024, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let spec = server.spec(
        "receive",
        server.data.port(),
        json!({
            "paths": [{"source": "f"}], "rate_policy": "fixed", "target_rate_kbps": 1000,
            "token": TOKEN, "content_protection_passphrase": PASSPHRASE,
        }),
    );
    let (status, body) = page.post(
        "/connect/transfers/start",
        json!({"authorization_key": KEY, "transfer_specs": [{
            "transfer_spec": spec, "authorization_key": KEY,
            "aspera_connect_settings": {"app_id": APP, "request_id": "r", "authorization_key": KEY},
        }]}),
    );
    assert_eq!(status, 200, "{body}");
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    page.wait_status(&uuid, "running", SOON);
    assert_clean_processes(&scratch, &server);
    let _ = browser.status();
    let _ = browser.ui("ui.subscribe", json!({})).unwrap();
    let _ = page.activity(0);

    // A wrong password is logged by somebody if anything is.
    let mut wrong = spec.clone();
    godwit_tests::server::merge(&mut wrong, json!({"remote_password": format!("{PASSWORD}-wrong"), "token": null}));
    let failed = page.start(&wrong);
    let info = page.wait_status(&failed, "failed", LONG);
    assert_eq!(info["error_code"], json!(19), "{info}");

    // The retry after a crash takes the secret from the store.
    processes::kill_hard(scratch.workers()[0]);
    godwit_tests::until("another attempt", LONG, || {
        let view = browser.status().transfers.into_iter().find(|t| t.uuid == uuid)?;
        (view.attempts >= 2 && !scratch.workers().is_empty()).then_some(())
    });
    page.wait_status(&uuid, "running", SOON);
    page.must("stop", &uuid);
    page.wait_status(&uuid, "cancelled", SOON);

    assert_clean("what the browser was told", &browser.raw());
    assert_clean("the server's log", &server.log());
    assert!(scratch.home().join("logs/godwit-agent.log").exists(), "there is a log that was looked at");
    assert_clean_files(&scratch.home());
    assert_clean_files(server.state());
    assert_clean_files(&scratch.path("stderr"));
}

#[test]
fn h15_a_password_survives_an_agents_kill_without_being_readable_on_disk() {
    let scratch = Scratch::new();
    let options = ServerOptions { user: ("ann".into(), PASSWORD.into()), by_config: true, ..ServerOptions::default() };
    let server = Server::start(&scratch, options);
    tree::file(&server.docroot().join("f"), 3_000_000, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = page.start(&server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": "f"}], "rate_policy": "fixed", "target_rate_kbps": 2000}),
    ));
    page.wait_status(&uuid, "running", SOON);
    processes::kill_hard(browser.status().pid);
    drop(browser);
    assert_clean_files(&scratch.home());
    let browser = Browserish::open(&scratch);
    browser.page(SITE, APP).wait_status(&uuid, "completed", LONG);
    tree::assert_same_file(&server.docroot().join("f"), &scratch.home().join("Downloads/f"));
}

#[test]
fn a_password_that_the_user_types_and_saves_is_readable_nowhere_and_used_again() {
    let scratch = Scratch::new();
    scratch.write_settings("[log]\nlevel = \"trace\"\n");
    let options = ServerOptions { user: ("ann".into(), PASSWORD.into()), by_config: true, ..ServerOptions::default() };
    let server = Server::start(&scratch, options);
    tree::file(&server.docroot().join("f"), 20 * 1024 * 1024, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let typed =
        |password: &str| Decision::Credentials { user: "ann".into(), password: Secret::new(password), save: true };
    browser.user(|user| user.logins = [typed(&format!("{PASSWORD}-mistyped")), typed(PASSWORD)].into());
    let mut spec = server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": "f"}], "rate_policy": "fixed", "target_rate_kbps": 1000}),
    );
    spec.as_object_mut().unwrap().remove("remote_password");
    let first = page.start(&spec);
    page.wait_status(&first, "running", LONG);
    assert_clean_processes(&scratch, &server);
    assert_no_dumps(&scratch);
    let list = browser.ui("ui.passwords", json!({})).unwrap();
    assert_eq!(list["passwords"][0]["user"], json!("ann"), "{list}");

    // The saved one serves the next transfer, after a kill too.
    processes::kill_hard(browser.status().pid);
    assert_clean("what the browser was told", &browser.raw());
    drop(browser);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    page.must("stop", &first);
    godwit_tests::server::merge(&mut spec, json!({"target_rate_kbps": 1_000_000, "destination_root": "again"}));
    let second = page.start(&spec);
    page.wait_status(&second, "completed", LONG);
    assert_eq!(browser.prompts().len(), 0, "nothing was asked");
    browser.ui("ui.forget-password", json!({"id": list["passwords"][0]["id"]})).unwrap();
    let third = page.start(&spec);
    let info = page.wait_status(&third, "failed", LONG);
    assert_eq!(info["error_code"], json!(19), "forgotten, asked for, and cancelled: {info}");

    browser.ui("ui.shutdown", json!({})).unwrap();
    assert_clean("what the browser was told", &browser.raw());
    assert_clean_files(&scratch.home());
    assert_clean_files(&scratch.path("stderr"));
}

/// None of our processes may leave its memory on the disk.
fn assert_no_dumps(scratch: &Scratch) {
    let mut looked_at = 0;
    for pid in processes::of_home(&scratch.home()) {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
        let values: Vec<&str> = line.split_whitespace().skip(4).take(2).collect();
        let program = processes::program(pid);
        if program.contains("godwit-") && !program.contains("server") {
            assert_eq!(values, ["1", "1"], "{program}: {limits}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 0, "no process of ours was there to be looked at");
}
