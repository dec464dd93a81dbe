//! What the server promises to clients that move files: logins, tokens, containment, draining.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, Running, SOON, Server, password, session};
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{Credential, Failure, Start};
use godwit_protocol::{RateKbps, Secret};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const USER: [&str; 2] = ["--user", "ann:right"];

/// A local folder with a file of `size` bytes.
fn source(place: &Place, size: usize) -> PathBuf {
    let file = place.dir.path().join("source.bin");
    let bytes: Vec<u8> = (0..size).map(|n| (n * 31 % 251) as u8).collect();
    fs::write(&file, bytes).unwrap();
    file
}

fn upload(server: &Server, credential: Credential, local: &Path, remote: &str) -> Start {
    server.session("ann", credential, Direction::Send, local, remote)
}

fn download(server: &Server, credential: Credential, remote: &str, local: &Path) -> Start {
    server.session("ann", credential, Direction::Receive, local, remote)
}

fn code(result: Result<godwit_protocol::worker::Stats, Failure>) -> (u16, String) {
    match result {
        Ok(_) => (0, String::new()),
        Err(failure) => (failure.code.number(), failure.message),
    }
}

fn token(place: &Place, arguments: &[&str]) -> Credential {
    let base = ["token", "issue", "--user", "ann"];
    let issued = place.run(place.command(&[&base[..], arguments].concat()));
    assert!(issued.status.success(), "{}", issued.stderr);
    Credential::Token { token: Secret::new(issued.stdout.trim()) }
}

#[tokio::test]
async fn a_file_goes_up_and_comes_back_the_same() {
    let place = Place::new();
    let server = place.start(&USER);
    let file = source(&place, 3_000_000);
    assert_eq!(code(session(upload(&server, password("right"), &file, "/")).await), (0, String::new()));
    assert_eq!(fs::read(place.docroot().join("source.bin")).unwrap(), fs::read(&file).unwrap());
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    assert_eq!(code(session(download(&server, password("right"), "/source.bin", &back)).await), (0, String::new()));
    assert_eq!(fs::read(back.join("source.bin")).unwrap(), fs::read(&file).unwrap());
}

#[tokio::test]
async fn t23_wrong_passwords_and_unknown_users_cannot_be_told_apart() {
    let place = Place::new();
    let server = place.start(&USER);
    let file = source(&place, 10);
    let mut answers = Vec::new();
    let mut times = Vec::new();
    for user in ["ann", "nobody"] {
        let begin = Instant::now();
        let start = server.session(user, password("wrong"), Direction::Send, &file, "/");
        answers.push(code(session(start).await));
        times.push(begin.elapsed());
    }
    assert_eq!(answers[0].0, 19);
    assert_eq!(answers[0], answers[1]);
    assert!(times[1] * 4 > times[0] && times[0] * 4 > times[1], "{times:?}");
    assert_eq!(fs::read_dir(place.docroot()).unwrap().count(), 0);
}

#[tokio::test]
async fn t07_a_token_lets_its_bearer_do_what_it_says_and_no_more() {
    let place = Place::new();
    let server = place.start(&USER);
    fs::create_dir(place.docroot().join("in")).unwrap();
    let file = source(&place, 10);
    let good = token(&place, &["--direction", "send", "--path", "/in"]);
    assert_eq!(code(session(upload(&server, good.clone(), &file, "/in")).await).0, 0);
    assert!(place.docroot().join("in/source.bin").exists());

    let (number, message) = code(session(upload(&server, good.clone(), &file, "/")).await);
    assert!(number == 34 && message.contains("does not cover"), "{number} {message}");
    let (number, message) = code(session(download(&server, good.clone(), "/in/source.bin", place.dir.path())).await);
    assert!(number == 34 && message.contains("not downloads"), "{number} {message}");
    let mut other = upload(&server, good.clone(), &file, "/in");
    other.server.user = "bob".into();
    assert_eq!(code(session(other).await).0, 19);

    let short = token(&place, &["--direction", "send", "--path", "/in", "--ttl", "1s"]);
    // It lives to the end of a second at most, so this loop ends.
    let deadline = Instant::now() + SOON;
    let message = loop {
        let (number, message) = code(session(upload(&server, short.clone(), &file, "/in")).await);
        if number == 19 {
            break message;
        }
        assert!(Instant::now() < deadline, "the token does not expire");
    };
    assert!(message.contains("expired"), "{message}");

    let foreign = token(&Place::new(), &["--direction", "send", "--path", "/"]);
    let (number, message) = code(session(upload(&server, foreign, &file, "/in")).await);
    assert!(number == 19 && message.contains("not one of this server"), "{number} {message}");
    let nonsense = Credential::Token { token: Secret::new("Basic abc") };
    assert_eq!(code(session(upload(&server, nonsense, &file, "/in")).await).0, 19);
}

/// An upload that takes a minute if nobody hurries it, by a token; `None` if the token is refused.
async fn long_upload(server: &Server, token: &Credential, file: &Path) -> Option<Running> {
    let mut start = upload(server, token.clone(), file, "/");
    start.transfer_id = "00000000-0000-4000-8000-000000000002".into();
    start.rate.policy = RatePolicy::Fixed;
    start.rate.target = Some(RateKbps(8_000));
    let mut running = Running::start(start);
    running.moves().await.then_some(running)
}

/// Tries until the token is refused, and returns why.
async fn refusal(server: &Server, token: &Credential, small: &Path) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        let (number, message) = code(session(upload(server, token.clone(), small, "/")).await);
        if number == 19 {
            return message;
        }
        assert!(number == 0 && Instant::now() < deadline, "{number} {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_what_runs_when_its_token_ends_may_finish_and_nothing_new_begins_with_it() {
    let place = Place::new();
    let server = place.start(&USER);
    let file = source(&place, 60_000_000);
    let small = place.dir.path().join("small");
    fs::write(&small, "x").unwrap();
    let all = ["--direction", "send", "--path", "/"];

    // It expires. On a busy machine it may have done so before anything begins.
    let mut seconds = 5;
    let (token_that_ends, mut running) = loop {
        let ttl = format!("{seconds}s");
        let token = token(&place, &[&all[..], &["--ttl", &ttl]].concat());
        if let Some(running) = long_upload(&server, &token, &file).await {
            break (token, running);
        }
        assert!(seconds < 60, "nothing begins");
        seconds *= 2;
    };
    let message = refusal(&server, &token_that_ends, &small).await;
    assert!(message.contains("expired") && message.contains("new one"), "{message}");
    assert!(running.goes_on(), "it runs on");
    running.hurry().await;
    assert_eq!(code(running.end().await), (0, String::new()));
    assert_eq!(fs::read(place.docroot().join("source.bin")).unwrap(), fs::read(&file).unwrap());

    // It is taken back.
    fs::remove_file(place.docroot().join("source.bin")).unwrap();
    let revoked = token(&place, &all);
    let mut running = long_upload(&server, &revoked, &file).await.unwrap();
    for line in place.run(place.command(&["token", "list"])).stdout.lines() {
        let id = line.split('\t').next().unwrap();
        let removed = place.run(place.command(&["token", "remove", id]));
        assert!(removed.status.success(), "{}", removed.stderr);
    }
    let message = refusal(&server, &revoked, &small).await;
    assert!(message.contains("revoked") && message.contains("new one"), "{message}");
    assert!(running.goes_on(), "it runs on");
    running.hurry().await;
    assert_eq!(code(running.end().await), (0, String::new()));
    assert_eq!(fs::read(place.docroot().join("source.bin")).unwrap(), fs::read(&file).unwrap());
}

#[test]
fn t09_a_users_name_is_no_path() {
    for name in ["../outside", "/etc", "..", "a/b", "{user}", "%2e%2e"] {
        let place = Place::new();
        let server = place.start(&["--user", &format!("{name}:right")]);
        let client = Client::basic(server.http, name, "right");
        client.ask("/files/create", &json!({"paths": [{"type": "file", "path": "/f", "contents": ""}]}));
        assert!(place.docroot().join("f").is_file(), "{name}: the root is the docroot, whatever the name says");
        assert!(!place.dir.path().join("outside").exists());
    }
}

#[tokio::test]
async fn t09_nothing_outside_the_docroot_is_read_or_written() {
    let place = Place::new();
    let server = place.start(&USER);
    let outside = place.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::create_dir(place.docroot().join("in")).unwrap();
    std::os::unix::fs::symlink(&outside, place.docroot().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), place.docroot().join("filelink")).unwrap();
    let file = source(&place, 10);
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    for bad in ["../outside", "in/../../outside", "in/./x", "a\0b", "link", "link/deeper", "..\\outside"] {
        let (number, message) = code(session(upload(&server, password("right"), &file, bad)).await);
        assert_eq!(number, 41, "upload to {bad:?}: {message}");
        let mut make = upload(&server, password("right"), &file, bad);
        make.create_dir = true;
        assert_eq!(code(session(make).await).0, 41, "upload making {bad:?}");
        let (number, message) = code(session(download(&server, password("right"), bad, &back)).await);
        assert_eq!(number, 41, "download of {bad:?}: {message}");
    }
    for bad in ["filelink", "link/secret", "/../outside/secret"] {
        assert_eq!(code(session(download(&server, password("right"), bad, &back)).await).0, 41, "{bad}");
    }
    assert_eq!(fs::read_dir(&back).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    // An absolute path means: from the user's root.
    assert_eq!(code(session(download(&server, password("right"), "/etc/passwd", &back)).await).0, 4);
    assert_eq!(code(session(upload(&server, password("right"), &file, "/in")).await).0, 0, "it still serves");
}

#[tokio::test]
async fn a_missing_folder_is_named_or_made() {
    let place = Place::new();
    let server = place.start(&USER);
    let file = source(&place, 10);
    let (number, message) = code(session(upload(&server, password("right"), &file, "/a/b")).await);
    assert!(number == 4 && message.contains("/a/b"), "{number} {message}");
    let mut make = upload(&server, password("right"), &file, "/a/b");
    make.create_dir = true;
    assert_eq!(code(session(make).await).0, 0);
    assert!(place.docroot().join("a/b/source.bin").is_file());
}

#[tokio::test]
async fn users_of_the_configuration_have_their_own_folder_and_rights() {
    let place = Place::new();
    let mut hashing = place.command(&["hash-password"]);
    let mut child = hashing.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"right").unwrap();
    let hash = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let config = place.dir.path().join("godwit.toml");
    let text = format!("[users.ann]\npassword_hash = '{}'\ndocroot = 'homes/ann'\nread = false\n", hash.trim());
    fs::write(&config, text).unwrap();
    let server = place.start(&["--config", config.to_str().unwrap()]);
    let file = source(&place, 10);
    assert_eq!(code(session(upload(&server, password("right"), &file, "/")).await).0, 0);
    assert!(place.docroot().join("homes/ann/source.bin").is_file());
    let (number, message) = code(session(download(&server, password("right"), "/source.bin", place.dir.path())).await);
    assert!(number == 34 && message.contains("may not download"), "{number} {message}");
}

/// An upload that takes some seconds.
fn slow(server: &Server, file: &Path) -> Start {
    let mut start = upload(server, password("right"), file, "/");
    start.rate.policy = RatePolicy::Fixed;
    start.rate.target = Some(RateKbps(16_000));
    start
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_on_sigterm_running_sessions_finish_and_new_ones_are_refused() {
    let place = Place::new();
    let mut server = place.start(&USER);
    let file = source(&place, 6_000_000);
    let mut running = Running::start(slow(&server, &file));
    running.moving().await;
    server.signal(Signal::TERM);
    let refused = {
        // The signal needs a moment; what is certain is that soon nobody is let in any more.
        let small = place.dir.path().join("small");
        fs::write(&small, "x").unwrap();
        let deadline = Instant::now() + SOON;
        loop {
            let result = session(upload(&server, password("right"), &small, "/")).await;
            if let Err(failure) = result {
                break failure;
            }
            assert!(Instant::now() < deadline, "new sessions are still accepted");
        }
    };
    assert!(refused.code.is_retryable(), "{refused:?}");
    assert_eq!(code(running.end().await), (0, String::new()));
    assert_eq!(fs::read(place.docroot().join("source.bin")).unwrap(), fs::read(&file).unwrap());
    assert!(server.wait(SOON).success());
    assert!(place.log().contains("ended"), "{}", place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_a_second_signal_ends_at_once_and_leaves_only_the_partial_file() {
    let place = Place::new();
    let mut server = place.start(&USER);
    let file = source(&place, 12_000_000);
    let mut running = Running::start(slow(&server, &file));
    running.moving().await;
    server.signal(Signal::TERM);
    let deadline = Instant::now() + SOON;
    while !place.log().contains("no new sessions") {
        assert!(Instant::now() < deadline, "{}", place.log());
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    let begin = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait(SOON).success());
    assert!(begin.elapsed().as_secs() < 3, "{:?}", begin.elapsed());
    // The client only learns of it by silence; it is not waited for.
    drop(running);
    let names: Vec<String> =
        fs::read_dir(place.docroot()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|n| n == "source.bin"), "{names:?}");
    assert!(names.iter().any(|n| n.ends_with(".partial")), "{names:?}");
}
