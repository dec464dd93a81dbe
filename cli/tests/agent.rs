//! `godwit status` and `godwit agent stop`, against a socket that speaks the agent's frames.

#![allow(clippy::unwrap_used)]

mod common;

use common::{fake_agent, godwit, run};
use godwit_protocol::envelope::{PROTOCOL, Response};
use serde_json::{Value, json};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = godwit(home);
    command.args(arguments);
    command
}

fn status() -> Value {
    json!({
        "version": "9.9.9", "pid": 42, "home": "/somewhere", "uptime_seconds": 61, "counts": {}, "transfers": [],
        "notices": []
    })
}

#[test]
fn no_agent_is_told_and_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let (code, out, _) = run(command(home.path(), &["status"]));
    assert!(code == 0 && out.contains("not running"), "{out}");
    let (code, out, _) = run(command(home.path(), &["status", "--json"]));
    assert_eq!((code, out.trim()), (0, r#"{"running":false}"#));
    let (code, out, _) = run(command(home.path(), &["agent", "stop"]));
    assert!(code == 0 && out.contains("not running"), "{out}");
}

#[test]
fn a_socket_left_behind_by_a_killed_agent_means_not_running() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("run")).unwrap();
    drop(UnixListener::bind(home.path().join("run/agent.sock")).unwrap());
    let (code, out, _) = run(command(home.path(), &["status"]));
    assert!(code == 0 && out.contains("not running"), "{out}");
}

#[test]
fn status_shows_what_the_agent_says() {
    let home = tempfile::tempdir().unwrap();
    let agent = fake_agent(home.path(), PROTOCOL.major, |id| Response::ok(id, status()));
    let (code, out, err) = run(command(home.path(), &["status"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "Agent 9.9.9 running for 1:01 (process 42, files in /somewhere)\nNo transfers.\n");
    assert_eq!(agent.join().unwrap().as_deref(), Some("ui.status"));

    let home = tempfile::tempdir().unwrap();
    let agent = fake_agent(home.path(), PROTOCOL.major, |id| Response::ok(id, status()));
    let (code, out, _) = run(command(home.path(), &["status", "--json"]));
    let value: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && value["running"] == true && value["pid"] == 42, "{out}");
    agent.join().unwrap();
}

#[test]
fn stopping_waits_until_the_agent_has_gone() {
    let home = tempfile::tempdir().unwrap();
    let agent = fake_agent(home.path(), PROTOCOL.major, |id| Response::ok(id, json!({})));
    let (code, out, err) = run(command(home.path(), &["agent", "stop"]));
    assert!(code == 0 && out.contains("has ended"), "{out} {err}");
    assert_eq!(agent.join().unwrap().as_deref(), Some("ui.shutdown"));
}

#[test]
fn a_refusal_and_another_protocol_are_told() {
    let home = tempfile::tempdir().unwrap();
    let agent = fake_agent(home.path(), PROTOCOL.major, |id| Response::err(id, "forbidden", "not you"));
    let (code, _, err) = run(command(home.path(), &["status"]));
    assert!(code == 1 && err.contains("not you"), "{err}");
    agent.join().unwrap();

    let home = tempfile::tempdir().unwrap();
    let agent = fake_agent(home.path(), PROTOCOL.major + 1, |id| Response::ok(id, status()));
    let (code, _, err) = run(command(home.path(), &["status"]));
    assert!(code == 1 && err.contains("update the older one"), "{err}");
    assert_eq!(agent.join().unwrap(), None, "nothing is asked of it");
}

#[test]
fn register_writes_the_manifest_and_prints_where() {
    let home = tempfile::tempdir().unwrap();
    let host = home.path().join("my host");
    std::fs::write(&host, "").unwrap();
    for (browser, place) in [
        ("chromium", "profile/NativeMessagingHosts/io.godwit.host.json"),
        ("firefox", "profile/.mozilla/native-messaging-hosts/io.godwit.host.json"),
    ] {
        let arguments = ["register", "--browser", browser, "--dir", "profile", "--host", "my host"];
        let (code, out, err) = run(command(home.path(), &arguments));
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(out.trim(), Path::new("profile").join(place.strip_prefix("profile/").unwrap()).to_str().unwrap());
        let manifest: Value = serde_json::from_slice(&std::fs::read(home.path().join(place)).unwrap()).unwrap();
        assert_eq!(manifest["path"], host.canonicalize().unwrap().to_str().unwrap());
    }
    let missing = ["register", "--browser", "firefox", "--dir", "profile", "--host", "nowhere"];
    let (code, _, err) = run(command(home.path(), &missing));
    assert!(code == 1 && err.contains("nowhere") && err.contains("--host"), "{err}");
}
