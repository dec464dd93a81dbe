//! What downloads need of a disk and of names: the user hears of too little room while something can still be done, and a name that
//! may not travel is no reason for a file to stay behind.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, SmallDisk, tree, until};
use serde_json::json;

const MIB: u64 = 1024 * 1024;

#[test]
fn a_download_that_cannot_fit_is_told_long_before_the_disk_is_full_and_no_more_once_there_is_room() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(&scratch.path("small"), 24) else { return };
    let server = Server::start(&scratch, ServerOptions::default());
    let source = server.docroot().join("big.bin");
    tree::file(&source, 48 * MIB, 3);
    let browser = Browserish::open(&scratch);
    browser.ui("ui.subscribe", json!({})).unwrap();
    let page = browser.page("https://app.example", "an-unguessable-app-id-4711");
    page.pick_folders(&[disk.path()]);
    let spec = server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": "/big.bin"}], "destination_root": disk.path(), "target_rate_kbps": 4_000}),
    );
    let uuid = page.start_absolute(&spec);
    let warned = until("the warning", LONG, || browser.events().into_iter().find(|e| e.topic == "shortage"));
    let short = &warned.data["shortage"];
    assert_eq!(warned.data["uuid"], json!(uuid));
    assert!(short["needed"].as_u64() > short["free"].as_u64() && short["needed"].as_u64() > Some(24 * MIB), "{short}");
    assert!(short["free"].as_u64() > Some(4 * MIB), "there is still time: {short}");

    disk.grow(96);
    until("the list says no more of it", LONG, || {
        let news = browser.events().into_iter().rfind(|e| e.topic == "transfers")?;
        let view = news.data["changed"].as_array()?.iter().find(|t| t["uuid"] == json!(uuid))?.clone();
        (view["status"] == "running" && view["shortage"].is_null()).then_some(())
    });
    let (status, body) =
        page.post(&format!("/connect/transfers/modify/{uuid}"), json!({"target_rate_kbps": 1_000_000}));
    assert_eq!(status, 200, "{body}");
    page.wait_status(&uuid, "completed", LONG);
    tree::assert_same_file(&source, &disk.path().join("big.bin"));
}

#[test]
fn files_whose_names_may_not_travel_arrive_under_others_and_both_ways_alike() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let folder = scratch.path("source/set");
    for (n, name) in ["plain", "back\\slash", "line\nbreak", "d\\ir/inside"].into_iter().enumerate() {
        tree::file(&folder.join(name), 1000 + n as u64, n as u64);
    }
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "an-unguessable-app-id-4711");
    page.pick_folders(&[&folder]);
    let up = json!({"paths": [{"source": folder}], "destination_root": "/in", "create_dir": true});
    let uuid = page.start(&server.spec("send", server.data.port(), up));
    page.wait_status(&uuid, "completed", LONG);
    let names = ["plain", "back_slash", "line_break", "d_ir/inside"];
    for (there, here) in names.into_iter().zip(["plain", "back\\slash", "line\nbreak", "d\\ir/inside"]) {
        tree::assert_same_file(&folder.join(here), &server.docroot().join("in/set").join(there));
    }
    std::fs::rename(&folder, server.docroot().join("down")).unwrap();
    let uuid = page.start(&server.spec("receive", server.data.port(), json!({"paths": [{"source": "down"}]})));
    page.wait_status(&uuid, "completed", LONG);
    for (here, there) in names.into_iter().zip(["plain", "back\\slash", "line\nbreak", "d\\ir/inside"]) {
        tree::assert_same_file(
            &server.docroot().join("down").join(there),
            &scratch.home().join("Downloads/down").join(here),
        );
    }
}
