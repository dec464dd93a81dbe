//! Names that only the target's disk refuses: the predecessor's number and a remedy, and no harm to the other files.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, SmallDisk, tree};
use serde_json::json;
use std::path::Path;

/// Files that a Linux server may well have: small and large ones, for they are written in different ways.
const REFUSED: [(&str, u64); 6] = [
    ("notes 12:30.txt", 100),
    ("film 12:30.bin", 3_000_000),
    ("what?.txt", 100),
    ("aux.txt", 100),
    ("at the end.", 100),
    ("film at the end.", 3_000_000),
];
const APP: &str = "an-unguessable-app-id-4711";

#[test]
fn a_name_that_the_download_folders_disk_cannot_hold_is_error_56_with_a_remedy_and_harms_no_other_file() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::of_windows(&scratch.path("windows"), &scratch.path("behind"), 64) else { return };
    let server = Server::start(&scratch, ServerOptions::default());
    for (name, size) in REFUSED {
        tree::file(&server.docroot().join(name), size, 1);
    }
    tree::file(&server.docroot().join("12:30/inside.txt"), 100, 2);
    tree::file(&server.docroot().join("plain.bin"), 3_000_000, 3);
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", APP);
    page.pick_folders(&[disk.path()]);
    let start = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|path| json!({"source": format!("/{path}")})).collect();
        let to = json!({"paths": paths, "destination_root": disk.path()});
        page.start_absolute(&server.spec("receive", server.data.port(), to))
    };
    for (name, _) in REFUSED {
        let info = page.wait_status(&start(&[name]), "failed", LONG);
        assert_eq!(info["error_code"], json!(56), "{name}: {info}");
        let words = info["error_desc"].as_str().unwrap();
        assert!(words.contains("Rename") && words.contains(name), "what to do, and to which: {words}");
    }
    // A folder is two: itself and what is in it. Of several the number is 27, and the words are those of the first.
    for paths in [["12:30"].as_slice(), &["aux.txt", "what?.txt", "plain.bin"]] {
        let info = page.wait_status(&start(paths), "failed", LONG);
        assert_eq!(info["error_code"], json!(27), "{info}");
        assert!(info["error_desc"].as_str().unwrap().contains("Rename"), "{info}");
    }
    tree::assert_same_file(&server.docroot().join("plain.bin"), &disk.path().join("plain.bin"));
    assert_eq!(finals(disk.path()), ["plain.bin"], "nothing else has got a name");
}

#[test]
fn a_name_that_the_servers_disk_cannot_hold_is_error_56_for_the_uploader() {
    let scratch = Scratch::new();
    let Some(_disk) = SmallDisk::of_windows(&scratch.path("docroot"), &scratch.path("behind"), 64) else { return };
    let server = Server::start(&scratch, ServerOptions::default());
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", APP);
    for (name, size) in REFUSED {
        let source = scratch.path("source").join(name);
        tree::file(&source, size, 1);
        page.pick_files(&[&source]);
        let spec = server.spec(
            "send",
            server.data.port(),
            json!({"paths": [{"source": source}], "destination_root": "/in", "create_dir": true}),
        );
        let info = page.wait_status(&page.start(&spec), "failed", LONG);
        assert_eq!(info["error_code"], json!(56), "{name}: {info}");
        assert!(info["error_desc"].as_str().unwrap().contains("Rename"), "{info}");
    }
    assert!(finals(&server.docroot().join("in")).is_empty());
}

#[test]
fn the_longest_name_that_a_disk_can_hold_arrives_and_a_longer_one_is_refused_at_the_start_with_its_reason() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("a.txt"), 100, 1);
    let folder = scratch.folder("here");
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", APP);
    page.pick_folders(&[&folder]);
    let spec = |length| {
        let paths = json!([{"source": "/a.txt", "destination": "n".repeat(length)}]);
        server.spec("receive", server.data.port(), json!({"paths": paths, "destination_root": folder}))
    };
    page.wait_status(&page.start_absolute(&spec(255)), "completed", LONG);
    let (status, body) = page.try_start(&spec(256), json!({"use_absolute_destination_path": true}));
    assert_eq!(status, 400, "{body}");
    assert!(body["error"]["user_message"].as_str().unwrap().contains("too long"), "{body}");
    assert_eq!(finals(&folder), ["n".repeat(255)]);
}

/// Names in a folder, but for files on their way.
fn finals(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.contains(".partial") && !name.contains(".aspera-ckpt")).collect()
}
