//! The server proves who it is: by the spec's fingerprint, or by the user's word, once; a change is an error, no question.

#![allow(clippy::unwrap_used)]

use godwit_protocol::ui::{Decision, Question};
use godwit_tests::wait::LONG;
use godwit_tests::{Browserish, Page, Scratch, Server, ServerOptions, processes, tree};
use serde_json::{Value, json};

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";

fn questions(browser: &Browserish) -> Vec<String> {
    let of_server = |question| match question {
        Question::ServerCertificate { fingerprint, .. } => Some(fingerprint),
        _ => None,
    };
    browser.prompts().into_iter().filter_map(|prompt| of_server(prompt.question)).collect()
}

fn start(server: &Server, page: &Page<'_>, fingerprint: Value) -> String {
    let more = json!({"paths": [{"source": "f"}], "sshfp": fingerprint});
    page.start(&server.spec("receive", server.data.port(), more))
}

#[test]
fn t27_an_unknown_certificate_is_asked_about_once_and_a_changed_one_is_an_error() {
    let scratch = Scratch::new();
    let mut server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 100_000, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = start(&server, &page, Value::Null);
    page.wait_status(&uuid, "completed", LONG);
    assert_eq!(questions(&browser), [server.fingerprint.clone()], "the user saw the fingerprint");

    processes::kill_hard(browser.status().pid);
    drop(browser);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let uuid = start(&server, &page, Value::Null);
    page.wait_status(&uuid, "completed", LONG);
    assert_eq!(questions(&browser), Vec::<String>::new(), "the pin is remembered, over a kill too");

    server.kill();
    let before = server.fingerprint.clone();
    server.restart_with_another_certificate();
    let uuid = start(&server, &page, Value::Null);
    let info = page.wait_status(&uuid, "failed", LONG);
    assert_eq!(info["error_code"], json!(51), "{info}");
    assert_eq!(questions(&browser), Vec::<String>::new(), "a changed pin is an error, not a question");
    // The user's windows show both; the page learns nothing of what the user once confirmed.
    let shown = browser.ui("ui.subscribe", json!({})).unwrap()["transfers"].clone();
    let shown = shown.as_array().unwrap().iter().find(|transfer| transfer["uuid"] == json!(uuid)).unwrap();
    let words = shown["error"]["message"].as_str().unwrap();
    assert!(words.contains(&before) && words.contains(&server.fingerprint), "{words}");
    assert!(!info.to_string().contains(&before), "{info}");

    let right = start(&server, &page, json!(server.fingerprint));
    page.wait_status(&right, "completed", LONG);
}

#[test]
fn t27_a_certificate_the_user_refuses_fails_the_transfer() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 100_000, 1);
    let browser = Browserish::open(&scratch);
    browser.user(|user| user.certificate = Some(Decision::Deny { remember: false }));
    let page = browser.page(SITE, APP);
    let uuid = start(&server, &page, Value::Null);
    let info = page.wait_status(&uuid, "failed", LONG);
    assert_eq!(info["error_code"], json!(51), "{info}");
    assert!(!scratch.home().join("Downloads/f").exists());
}

#[test]
fn t27_a_fingerprint_in_the_spec_decides_alone() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 100_000, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let wrong = start(&server, &page, json!(format!("SHA256:{}", "ab".repeat(32))));
    let info = page.wait_status(&wrong, "failed", LONG);
    assert_eq!(info["error_code"], json!(51), "{info}");
    let right = start(&server, &page, json!(server.fingerprint));
    page.wait_status(&right, "completed", LONG);
    assert_eq!(questions(&browser), Vec::<String>::new(), "nobody was asked");
}

#[test]
fn t27_the_systems_roots_vouch_for_a_server_when_neither_fingerprint_nor_pin_is_given() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 100_000, 1);
    let target = scratch.folder("target");
    let certificate = server.state().join("certificate.pem");
    assert!(certificate.exists(), "the test would show nothing without it");
    let copy = |roots: Option<&std::path::Path>| {
        let mut command = scratch.command("godwit");
        command.env("GODWIT_PASSWORD", server.password());
        // Where the system's roots are read from, for every program that uses them.
        match roots {
            Some(file) => command.env("SSL_CERT_FILE", file),
            None => command.env_remove("SSL_CERT_FILE"),
        };
        let source = format!("{}@127.0.0.1:/f", server.user());
        command.args(["cp", "--data-port", &server.data.port().to_string(), &source]).arg(&target);
        processes::output(&mut command, LONG)
    };

    let stranger = copy(None);
    assert_eq!(stranger.status.code(), Some(51), "{}", String::from_utf8_lossy(&stranger.stderr));
    assert!(!target.join("f").exists());

    let known = copy(Some(&certificate));
    assert!(known.status.success(), "{}", String::from_utf8_lossy(&known.stderr));
    assert_eq!(std::fs::read(target.join("f")).unwrap(), std::fs::read(server.docroot().join("f")).unwrap());
}
