//! A disk that fails at the receiver: a clear error, nothing lost, nothing false.

#![allow(clippy::unwrap_used)]

use godwit_tests::soak::disks::{FAULTS, disk};
use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, SmallDisk, tree};
use serde_json::json;

const MIB: u64 = 1024 * 1024;

#[test]
fn a_full_disk_gives_error_25_keeps_the_partial_file_and_resume_completes_after_space_was_made() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(&scratch.path("small"), 24) else { return };
    let server = Server::start(&scratch, ServerOptions::default());
    let source = server.docroot().join("big.bin");
    tree::file(&source, 48 * MIB, 3);
    let target = disk.path().join("big.bin");
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "an-unguessable-app-id-4711");
    page.pick_folders(&[disk.path()]);
    let spec = server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": "/big.bin"}], "destination_root": disk.path()}),
    );
    let uuid = page.start_absolute(&spec);
    let info = page.wait_status(&uuid, "failed", LONG);
    assert_eq!(info["error_code"], json!(25), "{info}");
    let words = info["error_desc"].as_str().unwrap().to_lowercase();
    assert!(words.contains("space"), "the user learns what to do: {words}");
    assert!(!target.exists(), "nothing under the final name");
    let partial = disk.path().join("big.bin.partial");
    assert!(partial.exists(), "the partial file is kept");

    disk.grow(96);
    page.must("resume", &uuid);
    let info = page.wait_status(&uuid, "completed", LONG);
    assert_eq!(info["error_code"], json!(0), "{info}");
    tree::assert_same_file(&source, &target);
    assert!(!partial.exists(), "the partial file has become the final one");
}

#[test]
fn a_full_disk_at_the_server_gives_the_uploader_error_25_and_resume_completes() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::mount(&scratch.path("docroot"), 24) else { return };
    let server = Server::start(&scratch, ServerOptions::default());
    let source = scratch.path("source/big.bin");
    tree::file(&source, 48 * MIB, 3);
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "an-unguessable-app-id-4711");
    page.pick_files(&[&source]);
    let spec = server.spec(
        "send",
        server.data.port(),
        json!({"paths": [{"source": source}], "destination_root": "/in", "create_dir": true}),
    );
    let uuid = page.start(&spec);
    let info = page.wait_status(&uuid, "failed", LONG);
    assert_eq!(info["error_code"], json!(25), "{info}");
    assert!(!server.docroot().join("in/big.bin").exists(), "nothing under the final name");
    assert!(server.docroot().join("in/big.bin.partial").exists(), "the partial file is kept");

    disk.grow(96);
    page.must("resume", &uuid);
    page.wait_status(&uuid, "completed", LONG);
    tree::assert_same_file(&source, &server.docroot().join("in/big.bin"));
}

#[test]
fn whatever_a_disk_does_at_either_end_is_named_and_the_next_attempt_completes() {
    for fault in FAULTS {
        for &direction in fault.directions() {
            println!("{}", disk(fault, direction));
        }
    }
}
