//! The queue and who may see it: three at once, stop and go, isolation, tokens that only grow.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Page, Scratch, Server, ServerOptions, processes, tree};
use serde_json::{Value, json};

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";
const MIB: u64 = 1024 * 1024;
/// 20 MiB at this rate take three minutes: nothing completes by itself.
const CRAWL_KBPS: u64 = 1_000;
/// 64 MiB at this rate take half a minute, and the first units are there after some seconds.
const WALK_KBPS: u64 = 16_000;

fn slow_download(server: &Server, page: &Page<'_>, name: &str) -> String {
    download_at(server, page, name, 20 * MIB, CRAWL_KBPS)
}

fn download_at(server: &Server, page: &Page<'_>, name: &str, size: u64, kbps: u64) -> String {
    let source = server.docroot().join(name);
    if !source.exists() {
        tree::file(&source, size, 8);
    }
    page.start(&server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": name}], "rate_policy": "fixed", "target_rate_kbps": kbps}),
    ))
}

fn status_of(page: &Page<'_>, uuid: &str) -> String {
    page.info(uuid)["status"].as_str().unwrap().to_owned()
}

#[test]
fn three_run_at_once_and_the_fourth_waits_until_one_is_stopped() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let all: Vec<String> = (0..5).map(|n| slow_download(&server, &page, &format!("f{n}"))).collect();
    for uuid in &all[..3] {
        page.wait_status(uuid, "running", SOON);
    }
    assert_eq!(status_of(&page, &all[3]), "queued");
    assert_eq!(status_of(&page, &all[4]), "queued");
    assert_eq!(scratch.workers().len(), 3, "a queued transfer has no process");

    page.must("stop", &all[0]);
    page.wait_status(&all[0], "cancelled", SOON);
    page.wait_status(&all[3], "running", SOON);
    assert_eq!(status_of(&page, &all[4]), "queued", "the first in the queue goes first");
    assert_eq!(scratch.workers().len(), 3);

    page.must("resume", &all[0]);
    assert_eq!(status_of(&page, &all[0]), "queued", "a resumed one queues up");
}

#[test]
fn a_stopped_transfer_keeps_what_it_has_and_resume_completes_it() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = download_at(&server, &page, "f", 64 * MIB, WALK_KBPS);
    page.wait_status(&uuid, "running", SOON);
    let written = page.wait_written(&uuid, MIB, LONG);
    page.must("stop", &uuid);
    page.wait_status(&uuid, "cancelled", SOON);
    until_true("a stopped transfer has no process", SOON, || scratch.workers().is_empty());
    let target = scratch.home().join("Downloads/f");
    assert!(!target.exists() && target.with_file_name("f.partial").exists(), "the partial file is kept");

    let (status, body) = page.post(&format!("/connect/transfers/modify/{uuid}"), json!({"target_rate_kbps": "500000"}));
    assert_eq!(status, 200, "{body}");
    page.must("resume", &uuid);
    let info = page.wait_status(&uuid, "completed", LONG);
    assert_eq!(info["bytes_written"], json!(64 * MIB), "{info}");
    assert!(written >= MIB);
    tree::assert_same_file(&server.docroot().join("f"), &target);
}

#[test]
fn a_new_rate_takes_effect_in_mid_transfer() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = slow_download(&server, &page, "f");
    page.wait_status(&uuid, "running", SOON);
    let worker = scratch.workers();
    let (status, body) = page.post(&format!("/connect/transfers/modify/{uuid}"), json!({"target_rate_kbps": 500_000}));
    assert_eq!(status, 200, "{body}");
    // At the old rate it would take three minutes.
    page.wait_status(&uuid, "completed", SOON);
    assert_eq!(worker.len(), 1, "the same session, not a new one");
    let view = browser.status().transfers.into_iter().find(|t| t.uuid == uuid).unwrap();
    assert_eq!(view.attempts, 1);
}

#[test]
fn a_removed_transfer_is_reported_once_as_removed_and_is_gone() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = slow_download(&server, &page, "f");
    page.wait_status(&uuid, "running", SOON);
    let token = page.activity(0)["iteration_token"].as_u64().unwrap();
    page.must("remove", &uuid);
    until_true("a removed transfer has no process", SOON, || scratch.workers().is_empty());
    let news = godwit_tests::until("the removal is reported", SOON, || {
        let news = page.activity(token);
        (news["transfers"][0]["status"] == "removed").then_some(news)
    });
    assert_eq!(news["transfers"][0]["uuid"], json!(uuid));
    let after = news["iteration_token"].as_u64().unwrap();
    assert_eq!(page.activity(after)["result_count"], json!(0), "once");
    assert_eq!(page.activity(0)["result_count"], json!(0), "not to a fresh page");
    assert_eq!(page.try_info(&uuid).0, 404);
}

fn sees_nothing(stranger: &Page<'_>, uuid: &str) {
    assert_eq!(stranger.activity(0)["result_count"], json!(0));
    let (status, body) = stranger.try_info(uuid);
    assert_eq!(status, 404, "{body}");
    assert!(body["error"]["code"].is_number(), "{body}");
    for action in ["stop", "resume", "remove", "modify"] {
        let (status, body) = stranger.act(action, uuid);
        assert_eq!(status, 404, "{action}: {body}");
    }
}

#[test]
fn a_transfer_is_visible_to_its_own_site_and_app_id_only() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let owner = browser.page(SITE, APP);
    let uuid = slow_download(&server, &owner, "f");
    owner.wait_status(&uuid, "running", SOON);
    sees_nothing(&browser.page("https://other.example", APP), &uuid);
    sees_nothing(&browser.page(SITE, "another-unguessable-app-id"), &uuid);
    // `http` on this machine and another port are other sites too.
    sees_nothing(&browser.page("https://app.example:8443", APP), &uuid);
    assert_eq!(owner.activity(0)["transfers"][0]["uuid"], json!(uuid), "its owner sees it as before");
    assert_eq!(status_of(&owner, &uuid), "running", "and nobody stopped it");
    assert!(browser.page(SITE, "").post("/connect/transfers/activity", json!({"iteration_token": 0})).0 >= 400);
}

fn token_of(body: &Value) -> u64 {
    body["iteration_token"].as_u64().unwrap()
}

#[test]
fn activity_tokens_never_go_back_even_over_an_agents_kill() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let mut last = token_of(&page.activity(0));
    let uuid = slow_download(&server, &page, "f");
    page.wait_status(&uuid, "running", SOON);
    for _ in 0..20 {
        let body = page.activity(last);
        let token = token_of(&body);
        assert!(token >= last, "{token} after {last}");
        for transfer in body["transfers"].as_array().unwrap() {
            let own = transfer["transfer_iteration_token"].as_u64().unwrap();
            assert!(own > last && own <= token, "only what changed since {last}: {own} of {token}");
        }
        last = token;
    }
    processes::kill_hard(browser.status().pid);
    drop(browser);

    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let token = token_of(&page.activity(0));
    assert!(token >= last, "{token} after {last}, which was before the kill");
    let token = token_of(&page.activity(last));
    assert!(token >= last);
    let (_, body) = page.post("/connect/transfers/activity", json!({"iteration_token": 1_000_000_000}));
    assert_eq!(body["result_count"], json!(1), "a token from the future is taken as 0: {body}");
}

#[test]
fn who_subscribes_gets_a_snapshot_and_then_events_without_a_gap() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("small"), MIB, 8);
    let browser = Browserish::open(&scratch);
    let snapshot = browser.ui("ui.subscribe", json!({})).unwrap();
    let mut last = snapshot["seq"].as_u64().unwrap();
    let page = browser.page(SITE, APP);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let uuid = page.start(&server.spec("receive", server.data.port(), json!({"paths": [{"source": "small"}]})));
        page.wait_status(&uuid, "completed", LONG);
        seen.push(uuid);
    }
    godwit_tests::until("the last event says completed", SOON, || {
        let events = browser.events();
        let news: Vec<_> = events.iter().filter(|e| e.topic == "transfers").collect();
        let done = |uuid: &String| {
            news.iter().any(|e| {
                let changed = e.data["changed"].as_array().unwrap();
                changed.iter().any(|t| t["uuid"] == json!(uuid) && t["status"] == "completed")
            })
        };
        seen.iter().all(done).then_some(())
    });
    for event in browser.events().iter().filter(|e| e.topic == "transfers") {
        assert_eq!(event.seq, last + 1, "no gap and no repetition");
        last = event.seq;
    }
    let badge = browser.events().into_iter().rfind(|e| e.topic == "badge").unwrap();
    assert_eq!(badge.data["active"], json!(0), "nothing runs any more");
}
