//! Ten thousand transfers, and an agent that has nothing to do. The bounds are generous, for debug builds on a busy machine;
//! `cargo xtask bench agent` has the figures.

#![allow(clippy::unwrap_used)]

use godwit_tests::processes::WakeUps;
use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, many, processes, tree};
use serde_json::json;
use std::time::{Duration, Instant};

const TRANSFERS: usize = 10_000;
const SITES: usize = 20;

#[test]
fn ten_thousand_transfers_are_taken_up_again_and_pages_hardly_notice_them() {
    let scratch = Scratch::new();
    scratch.write_settings("[log]\nlevel = \"warn\"\n");
    let server = Server::start(&scratch, ServerOptions::default());
    many::fill(&scratch, &server, TRANSFERS, SITES);
    let begin = Instant::now();
    let browser = Browserish::open(&scratch);
    let pages: Vec<_> = (0..SITES).map(|n| browser.page(&many::site(n), many::APP)).collect();
    assert!(pages[0].activity(0)["result_count"].as_u64().unwrap() >= 500);
    let restart = begin.elapsed();
    let mut tokens: Vec<u64> = pages.iter().map(|p| p.activity(0)["iteration_token"].as_u64().unwrap()).collect();
    assert!(restart < Duration::from_secs(30), "up again after {restart:?}");
    let listed: usize = pages.iter().map(|p| p.activity(0)["transfers"].as_array().unwrap().len()).sum();
    assert_eq!(listed, TRANSFERS, "every one is there");

    let mut slowest = Vec::new();
    for _ in 0..10 {
        for (page, token) in pages.iter().zip(&mut tokens) {
            let begin = Instant::now();
            *token = page.activity(*token)["iteration_token"].as_u64().unwrap();
            slowest.push(begin.elapsed());
        }
    }
    slowest.sort();
    let typical = slowest[slowest.len() / 2];
    assert!(typical < Duration::from_millis(250), "`activity` takes {typical:?}");

    // The list is full; one goes, one comes.
    let page = &pages[1];
    let first = page.activity(0)["transfers"][0]["uuid"].as_str().unwrap().to_owned();
    page.must("remove", &first);
    tree::file(&server.docroot().join("small"), 1000, 1);
    let begin = Instant::now();
    let uuid = page.start(&server.spec("receive", server.data.port(), json!({"paths": [{"source": "small"}]})));
    let start = begin.elapsed();
    assert!(start < Duration::from_secs(5), "a start takes {start:?}");
    browser.ui("ui.resume", json!({"uuid": uuid})).unwrap();
    page.wait_status(&uuid, "completed", LONG);
    let memory = processes::peak(browser.status().pid) >> 20;
    assert!(memory < 400, "{memory} MiB");
    println!("restart {restart:?}, activity {typical:?}, start {start:?}, {memory} MiB at most");
}

#[test]
fn an_agent_with_nothing_to_do_sleeps_and_is_small() {
    let scratch = Scratch::new();
    scratch.write_settings("");
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "an-unguessable-app-id-4711");
    assert_eq!(page.get("/connect/info/version").0, 200);
    let pid = browser.status().pid;
    let wakes_connected = wakes(pid);
    assert!(wakes_connected < 1.0, "{wakes_connected} a second with an extension that has nothing to say");
    drop(browser);
    let wakes_alone = wakes(pid);
    assert!(wakes_alone < 1.0, "{wakes_alone} a second after the last client has left");
    let memory = processes::resident(pid) >> 20;
    // A debug build's code is large; the bench measures the release build's.
    assert!(memory < 60, "{memory} MiB");
}

/// Wake-ups a second, once what went before has settled.
fn wakes(pid: u32) -> f64 {
    let before = WakeUps::once_asleep(pid);
    let watched = Duration::from_secs(10);
    std::thread::sleep(watched);
    WakeUps::of(pid).since(&before) as f64 / watched.as_secs_f64()
}
