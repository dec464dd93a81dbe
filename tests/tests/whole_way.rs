//! The main job: a page's wish through host, agent and worker to the server and back, byte for byte; and the same by the
//! command line.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree};
use serde_json::{Value, json};
use std::path::Path;

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";

fn assert_account(info: &Value, root: &Path) {
    let (bytes, files) = tree::size(root);
    assert_eq!(info["bytes_expected"], json!(bytes), "{info}");
    assert_eq!(info["bytes_written"], json!(bytes), "{info}");
    assert_eq!(info["percentage"].as_f64(), Some(1.0), "{info}");
    assert_eq!(info["error_code"], json!(0), "{info}");
    assert_eq!(info["file_counts"]["completed"], json!(files), "{info}");
    assert_eq!(info["file_counts"]["failed"], json!(0), "{info}");
    assert!(info["end_time"].as_str().is_some_and(|t| !t.is_empty()), "{info}");
}

#[test]
fn a_tree_goes_up_and_arrives_byte_for_byte() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = scratch.path("source/tree");
    tree::sample(&source, 300);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&source]);
    let spec = server.spec(
        "send",
        server.data.port(),
        json!({"paths": [{"source": source}], "destination_root": "/in", "create_dir": true}),
    );
    let uuid = page.start(&spec);
    let info = page.wait_status(&uuid, "completed", LONG);
    tree::assert_same(&source, &server.docroot().join("in/tree"));
    assert_account(&info, &source);
    assert_eq!(browser.faults(), Vec::<String>::new(), "nothing but frames leaves the host");
}

#[test]
fn a_tree_comes_down_into_a_folder_the_user_chose_byte_for_byte() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = server.docroot().join("out/tree");
    tree::sample(&source, 300);
    let target = scratch.folder("target");
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&target]);
    let spec = server.spec(
        "receive",
        server.data.port(),
        json!({"paths": [{"source": "/out/tree"}], "destination_root": target}),
    );
    let uuid = page.start_absolute(&spec);
    let info = page.wait_status(&uuid, "completed", LONG);
    tree::assert_same(&source, &target.join("tree"));
    assert_account(&info, &source);
}

#[test]
fn a_download_without_a_chosen_folder_lands_in_the_download_folder() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = server.docroot().join("report.pdf");
    tree::file(&source, 3_000_000, 5);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let spec = server.spec("receive", server.data.port(), json!({"paths": [{"source": "report.pdf"}]}));
    let uuid = page.start(&spec);
    page.wait_status(&uuid, "completed", LONG);
    tree::assert_same_file(&source, &scratch.home().join("Downloads/report.pdf"));
}

#[test]
fn files_get_the_names_the_page_gives_them() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let (one, two) = (scratch.path("source/one"), scratch.path("source/two"));
    tree::file(&one, 100_000, 1);
    tree::file(&two, 2_500_000, 2);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    page.pick_files(&[&one, &two]);
    let paths = json!([
        {"source": one, "destination": "first/uno.bin"},
        {"source": two, "destination": "second/due.bin"},
    ]);
    let spec = server.spec(
        "send",
        server.data.port(),
        json!({"paths": paths, "destination_root": "/named", "create_dir": true}),
    );
    let uuid = page.start(&spec);
    page.wait_status(&uuid, "completed", LONG);
    tree::assert_same_file(&one, &server.docroot().join("named/first/uno.bin"));
    tree::assert_same_file(&two, &server.docroot().join("named/second/due.bin"));
}

#[test]
fn a_second_upload_of_the_same_tree_sends_none_of_its_bytes_again() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let relay = godwit_tests::Relay::to(server.data);
    let source = scratch.path("source/tree");
    tree::sample(&source, 50);
    let (bytes, _) = tree::size(&source);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    page.pick_folders(&[&source]);
    let spec = server.spec(
        "send",
        relay.port(),
        json!({"paths": [{"source": source}], "destination_root": "/in", "create_dir": true, "preserve_times": true}),
    );
    let first = page.start(&spec);
    page.wait_status(&first, "completed", LONG);
    let sent_first = relay.up();
    assert!(sent_first >= bytes, "the relay counts the first upload: {sent_first} of {bytes}");
    let second = page.start(&spec);
    let info = page.wait_status(&second, "completed", LONG);
    let sent_second = relay.up() - sent_first;
    assert!(sent_second < bytes / 10, "{sent_second} bytes were sent for nothing; the tree has {bytes}");
    assert_account(&info, &source);
    tree::assert_same(&source, &server.docroot().join("in/tree"));
}

#[test]
fn the_command_line_copies_both_ways_and_says_so_by_its_exit_code() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = scratch.path("source/tree");
    tree::sample(&source, 100);
    let port = server.data.port().to_string();
    let copy = |from: &str, to: &str, password: &str| {
        let mut command = scratch.command("godwit");
        command.env("GODWIT_PASSWORD", password).args(["cp", "--data-port", &port]);
        command.args(["--fingerprint", &server.fingerprint, from, to]);
        processes::output(&mut command, LONG)
    };
    let password = ServerOptions::default().user.1;

    let up = copy(source.to_str().unwrap(), "ann@127.0.0.1:/in/", &password);
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    tree::assert_same(&source, &server.docroot().join("in/tree"));

    let target = scratch.folder("target");
    let down = copy("ann@127.0.0.1:/in/tree", target.to_str().unwrap(), &password);
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    tree::assert_same(&source, &target.join("tree"));

    let wrong = copy("ann@127.0.0.1:/in/tree", target.to_str().unwrap(), "wrong");
    assert_eq!(wrong.status.code(), Some(19), "authentication failed has its number");
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("password"), "one clear line: {said}");

    let missing = copy("ann@127.0.0.1:/no-such-file", target.to_str().unwrap(), &password);
    assert!(!missing.status.success(), "a missing source is no success");
}

#[test]
fn status_shows_what_a_page_started() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("report.pdf"), 1000, 5);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = page.start(&server.spec("receive", server.data.port(), json!({"paths": [{"source": "report.pdf"}]})));
    page.wait_status(&uuid, "completed", LONG);
    let shown = processes::output(scratch.command("godwit").arg("status"), SOON);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.contains("report.pdf") && text.contains("completed"), "{text}");
}
