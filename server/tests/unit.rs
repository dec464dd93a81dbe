//! The systemd unit: systemd finds nothing wrong with it, and the server lives within its sandbox.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, password, session};
use godwit_protocol::spec::Direction;
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn unit() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/godwit-server.service")).unwrap()
}

/// The values of a setting, in order.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

fn analyze(args: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

/// The unit, with the program of this build.
fn written(place: &Place, unit: &str) -> PathBuf {
    let path = place.dir.path().join("godwit-server.service");
    fs::write(&path, unit.replace("/usr/local/bin/godwit-server", env!("CARGO_BIN_EXE_godwit-server"))).unwrap();
    path
}

/// A system call, or those of a filter's set, of which sets may be part.
fn calls_of(set: &str) -> BTreeSet<String> {
    if !set.starts_with('@') {
        return BTreeSet::from([set.to_owned()]);
    }
    let (done, said) = analyze(&["syscall-filter", set]);
    assert!(done, "{said}");
    let mut calls = BTreeSet::new();
    for line in said.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        calls.append(&mut calls_of(line));
    }
    calls
}

/// What the unit lets through.
fn allowed() -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for filter in values(&unit(), "SystemCallFilter") {
        let (names, taken_away) = match filter.strip_prefix('~') {
            Some(names) => (names, true),
            None => (filter, false),
        };
        for call in names.split(' ').flat_map(calls_of) {
            if taken_away {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    allowed
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit_and_its_sandbox_tight() {
    let place = Place::new();
    let path = written(&place, &unit());
    let (good, said) = analyze(&["verify", "--man=no", path.to_str().unwrap()]);
    assert!(good && !said.contains("godwit"), "{said}");
    // Ten times its number from 0 to 10; a service without any protection has 9.6.
    let (tight, said) = analyze(&["security", "--offline=true", "--threshold=20", path.to_str().unwrap()]);
    assert!(tight, "{said}");
    // It judges.
    let wrong = written(&place, &unit().replace("LimitNOFILE", "LimitOpenFiles").replace("NoNewPriv", "NewPriv"));
    let (_, said) = analyze(&["verify", "--man=no", wrong.to_str().unwrap()]);
    assert!(said.contains("LimitOpenFiles"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_lets_through_every_system_call_the_server_makes() {
    let place = Place::new();
    let calls = place.dir.path().join("calls");
    let plain = place.serving(&["--user", "ann:right"]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "0", "-o"]).arg(&calls);
    strace.arg(plain.get_program()).args(plain.get_args()).stdin(Stdio::null());
    strace.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut server = place.start_by(strace);

    // All it does: its API, files both ways, a list, names changed and gone, settings read anew, its end.
    let from = place.dir.path().join("from");
    fs::create_dir(&from).unwrap();
    for (name, size) in [("film.bin", 20_000_000), ("notes.txt", 10)] {
        fs::write(from.join(name), vec![7; size]).unwrap();
    }
    let up = server.session("ann", password("right"), Direction::Send, &from, "/");
    assert!(session(up).await.is_ok(), "{}", place.log());
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    let down = server.session("ann", password("right"), Direction::Receive, &back, "/from");
    assert!(session(down).await.is_ok(), "{}", place.log());
    let client = Client::basic(server.http, "ann", "right");
    for (address, body) in [
        ("/files/create", json!({ "paths": [{ "path": "/new", "type": "directory" }] })),
        ("/files/browse", json!({ "path": "/from" })),
        ("/files/search", json!({ "path": "/", "filters": { "basenames": ["*.bin"] } })),
        ("/files/rename", json!({ "paths": [{ "path": "/from", "source": "notes.txt", "destination": "n.txt" }] })),
        ("/files/delete", json!({ "paths": [{ "path": "/from/n.txt" }] })),
        ("/space", json!({ "paths": [{ "path": "/" }] })),
        (
            "/files/upload_setup",
            json!({ "transfer_requests": [{ "transfer_request": { "paths": [{ "source": "a" }], "destination_root": "/" } }] }),
        ),
    ] {
        client.ask(address, &body);
    }
    let pid = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.child.id())).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(server.wait(SOON).success(), "{}", place.log());

    let trace = fs::read_to_string(&calls).unwrap();
    let made: BTreeSet<&str> = trace
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'))
        .collect();
    assert!(made.contains("renameat2") && made.contains("fsync") && made.contains("accept4"), "{made:?}");
    let allowed = allowed();
    // SQLite gives its files their folder's owner, which only root could: the unit's server is another user.
    let as_root = |call: &str| call == "fchown" && rustix::process::geteuid().is_root();
    let stopped: Vec<_> = made.iter().filter(|call| !allowed.contains(**call) && !as_root(call)).collect();
    assert!(stopped.is_empty(), "the unit forbids the server {stopped:?}");

    let families = values(&unit(), "RestrictAddressFamilies").join(" ");
    let families: Vec<_> = families.split(' ').collect();
    for line in trace.lines() {
        let Some((_, rest)) = line.split_once("socket(") else { continue };
        let family = rest.split(',').next().unwrap();
        assert!(families.contains(&family), "{line}");
    }
}
