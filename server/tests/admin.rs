//! What an administrator can do to a server by command, by environment and by signal, while it runs.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Ended, Place, SOON, Server};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs a command of the administrator with `input` on its standard input.
fn admin(place: &Place, arguments: &[&str], input: &str) -> Ended {
    let mut child =
        place.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that asks for nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn done(place: &Place, arguments: &[&str], input: &str) -> String {
    let ended = admin(place, arguments, input);
    assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

fn status(server: &Server, user: &str, password: &str) -> u16 {
    Client::basic(server.http, user, password).post("/space", &json!({"paths": []})).status
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn users_are_made_changed_and_removed_while_the_server_runs() {
    let place = Place::new();
    let server = place.start(&["--user", "fixed:pw"]);
    assert_eq!(status(&server, "ann", "first"), 401);
    done(&place, &["user", "add", "ann", "--docroot", "homes/ann", "--no-delete"], "first\n");
    assert_eq!(status(&server, "ann", "first"), 200);
    assert!(place.docroot().join("homes/ann").is_dir());
    done(&place, &["user", "passwd", "ann"], "second\n");
    assert_eq!(status(&server, "ann", "first"), 401, "at once, though it was remembered");
    assert_eq!(status(&server, "ann", "second"), 200);
    let list = done(&place, &["user", "list"], "");
    assert!(list.contains("ann\tview,edit\tpassword\tcatalogue"), "{list}");
    for (arguments, input, said) in [
        (&["user", "add", "ann"][..], "x\n", "exists already"),
        (&["user", "add", "a:b"], "x\n", "a user name has"),
        (&["user", "add", "bob"], "\n", "a password has"),
        (&["user", "add", "bob", "--docroot", "../x"], "x\n", "docroot"),
        (&["user", "remove", "nobody"], "", "there is no user"),
        (&["key", "add", "--user", "nobody"], "", "there is no user"),
        (&["key", "remove", "x"], "", "there is no access key"),
    ] {
        let ended = admin(&place, arguments, input);
        assert!(!ended.status.success() && ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    done(&place, &["user", "remove", "ann"], "");
    assert_eq!(status(&server, "ann", "second"), 401);
}

#[test]
fn an_access_key_made_by_command_opens_its_folder() {
    let place = Place::new();
    let server = place.start(&["--user", "fixed:pw"]);
    done(&place, &["user", "add", "ann", "--no-password"], "");
    let line = done(&place, &["key", "add", "--user", "ann", "--path", "/web", "--no-write", "--no-delete"], "");
    let (id, secret) = line.trim().split_once('\t').unwrap();
    let client = Client::basic(server.http, id, secret);
    let own = client.get("/access_keys/self").json();
    assert_eq!((&own["storage"]["path"], &own["rights"]["edit"]), (&json!("/web"), &json!(false)));
    let list = done(&place, &["key", "list"], "");
    assert!(list.contains(id) && !list.contains(secret), "{list}");
    // Ids that older builds made of chance may look like options.
    for odd in ["-qUota", "--x-y"] {
        done(&place, &["key", "add", "--user", "ann", &format!("--id={odd}")], "");
        done(&place, &["key", "quota", odd, "none"], "");
        done(&place, &["key", "remove", odd], "");
        assert!(!done(&place, &["key", "list"], "").contains(odd), "{odd}");
    }
    done(&place, &["user", "remove", "ann"], "");
    assert_eq!(client.get("/access_keys/self").status, 401, "a key goes with its owner");
}

#[test]
fn tokens_are_listed_and_can_be_revoked() {
    let place = Place::new();
    done(&place, &["token", "add", "--user", "ann", "--direction", "send", "--path", "/in", "/other"], "");
    let list = done(&place, &["token", "list"], "");
    let id = list.split('\t').next().unwrap();
    assert!(list.contains("ann\tsend\t/in /other\t") && list.trim_end().ends_with("good"), "{list}");
    done(&place, &["token", "remove", id], "");
    assert!(done(&place, &["token", "list"], "").trim_end().ends_with("revoked"));
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let place = Place::new();
    let file = place.dir.path().join("server.toml");
    let check = || admin(&place, &["check-config", "--config", file.to_str().unwrap()], "");
    fs::write(&file, "[users.ann]\nwrite = false\n").unwrap();
    let good = check();
    assert!(good.status.success() && good.stdout.contains("1 users"), "{}{}", good.stdout, good.stderr);
    for (text, said) in [
        ("nonsense = 1", "nonsense"),
        ("docroot = '/nowhere/at/all'", "/nowhere/at/all"),
        ("token_hours = 0", "token_hours"),
        ("certificate = '/nowhere'\nkey = '/nowhere'", "/nowhere"),
        ("[users.ann]\npassword_hash = 'x'", "users.ann.password_hash"),
    ] {
        fs::write(&file, text).unwrap();
        let bad = check();
        assert!(!bad.status.success() && bad.stderr.contains(said), "{text}: {}", bad.stderr);
    }
    assert!(!place.dir.path().join("server").exists(), "nothing was made");
}

#[test]
fn the_environment_says_what_the_command_line_does_not() {
    let place = Place::new();
    let state = place.dir.path().join("elsewhere");
    let mut command = place.command(&["user", "list"]);
    let ended = place.run({
        command.env("GODWIT_SERVER_STATE", &state);
        command
    });
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(state.join("catalogue.db").exists());
    let mut command = place.serving(&["--http-port", "0"]);
    command.env("GODWIT_SERVER_CONFIG", "/nowhere.toml");
    let ended = place.run(command);
    assert!(ended.stderr.contains("/nowhere.toml"), "{}", ended.stderr);
}

#[test]
fn t30_a_hangup_takes_a_good_configuration_over_and_keeps_the_old_one_for_a_bad_one() {
    let place = Place::new();
    let file = place.dir.path().join("server.toml");
    let hash = done(&place, &["hash-password"], "pw");
    let user = |name: &str| format!("[users.{name}]\npassword_hash = '{}'\n", hash.trim());
    fs::write(&file, user("ann")).unwrap();
    let server = place.start(&["--config", file.to_str().unwrap()]);
    assert_eq!((status(&server, "ann", "pw"), status(&server, "bob", "pw")), (200, 401));
    fs::write(&file, user("bob")).unwrap();
    server.signal(Signal::HUP);
    eventually("bob can log in", || status(&server, "bob", "pw") == 200);
    assert_eq!(status(&server, "ann", "pw"), 401);
    fs::write(&file, "nonsense = 1").unwrap();
    server.signal(Signal::HUP);
    eventually("the log says what is wrong", || place.log().contains("the old one stays in force"));
    assert_eq!(status(&server, "bob", "pw"), 200);
}
