//! The end of a server in full work: what runs may finish, nothing new begins, a second word ends it at once; and a
//! configuration that is wrong changes nothing while it works.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, Running, SOON, Server, password, session};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::Start;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A download over HTTP that is larger than what lies between the two ends.
const LARGE: usize = 32_000_000;
const SESSIONS: usize = 6;

fn content() -> Vec<u8> {
    (0..LARGE).map(|n| (n * 31 % 251) as u8).collect()
}

fn slow(server: &Server, n: usize, direction: Direction, local: &Path, remote: &str) -> Start {
    let mut start = server.session("ann", password("right"), direction, local, remote);
    start.transfer_id = format!("00000000-0000-4000-8000-{n:012}");
    start.create_dir = true;
    (start.rate.policy, start.rate.target) = (RatePolicy::Fixed, Some(RateKbps(4_000)));
    start
}

/// A download that has begun and is not read on.
fn begun(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.set_read_timeout(Some(4 * SOON)).unwrap();
    let head = "GET /files/%2Fbig/contents HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uOnJpZ2h0\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

fn wait_for(place: &Place, what: &str) {
    let deadline = Instant::now() + SOON;
    while !place.log().contains(what) {
        assert!(Instant::now() < deadline, "{what}: {}", place.log());
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_told_to_end_under_load_it_finishes_what_it_has_begun_and_takes_nothing_new() {
    let place = Place::new();
    fs::write(place.docroot().join("big"), content()).unwrap();
    let file = place.dir.path().join("server.toml");
    fs::write(&file, "drain_seconds = 300\n").unwrap();
    let mut server = place.start(&["--user", "ann:right", "--config", file.to_str().unwrap()]);
    let source = place.dir.path().join("source");
    fs::write(&source, &content()[..3_000_000]).unwrap();
    let mut running = Vec::new();
    for n in 0..SESSIONS {
        let back = place.dir.path().join(format!("back-{n}"));
        fs::create_dir(&back).unwrap();
        let start = match n % 2 {
            0 => slow(&server, n, Direction::Send, &source, &format!("/in-{n}")),
            _ => slow(&server, n, Direction::Receive, &back, "/in-0/source"),
        };
        // What is downloaded is there first.
        if n == 0 {
            session(Start { rate: Default::default(), ..start.clone() }).await.unwrap();
            continue;
        }
        let mut session = Running::start(start);
        session.moving().await;
        running.push(session);
    }
    // Somebody who reads slowly until the sessions are over.
    let (mut http, hurry) = (begun(&server), Arc::new(AtomicBool::new(false)));
    let told = hurry.clone();
    let http = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), vec![0; 16_384]);
        while let Ok(length @ 1..) = http.read(&mut piece) {
            all.extend_from_slice(&piece[..length]);
            if !told.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(100));
            }
        }
        all
    });
    // One that only waits for its next request, one that has not said anything yet.
    let mut idle = TcpStream::connect(server.http).unwrap();
    idle.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 15]).unwrap();
    let silent = TcpStream::connect(server.http).unwrap();

    server.signal(Signal::TERM);
    wait_for(&place, "no new sessions");
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(server.http).is_ok() {
        assert!(Instant::now() < deadline, "the HTTP port is still open");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    for session in running {
        session.end().await.unwrap();
    }
    for n in (1..SESSIONS).step_by(2) {
        assert_eq!(fs::read(place.dir.path().join(format!("back-{n}/source"))).unwrap(), fs::read(&source).unwrap());
    }
    for n in (0..SESSIONS).step_by(2) {
        assert_eq!(fs::read(place.docroot().join(format!("in-{n}/source"))).unwrap(), fs::read(&source).unwrap());
    }
    // The sessions are over; what was begun over HTTP is still served, to its last byte.
    assert!(server.child.try_wait().unwrap().is_none(), "it left while somebody was served: {}", place.log());
    hurry.store(true, Ordering::Relaxed);
    let answer = http.join().unwrap();
    assert!(answer.ends_with(&content()), "{} bytes of {LARGE}", answer.len());
    assert!(server.wait(SOON).success());
    for (what, mut stream) in [("idle", idle), ("silent", silent)] {
        stream.set_read_timeout(Some(SOON)).unwrap();
        let end = stream.read_to_end(&mut Vec::new());
        assert!(end.is_ok() || end.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset), "{what}");
    }
    assert!(!place.log().contains("were cut off"), "{}", place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_a_second_word_and_the_end_of_the_time_cut_off_what_still_runs() {
    // A second word.
    let place = Place::new();
    fs::write(place.docroot().join("big"), content()).unwrap();
    let mut server = place.start(&["--user", "ann:right"]);
    let held = begun(&server);
    server.signal(Signal::TERM);
    wait_for(&place, "no new sessions");
    assert!(server.child.try_wait().unwrap().is_none());
    server.signal(Signal::INT);
    assert!(server.wait(SOON).success());
    drop(held);
    // The end of the time.
    let file = place.dir.path().join("server.toml");
    fs::write(&file, "drain_seconds = 1\n").unwrap();
    let mut server = place.start(&["--user", "ann:right", "--config", file.to_str().unwrap()]);
    let held = begun(&server);
    server.signal(Signal::TERM);
    assert!(server.wait(SOON).success());
    drop(held);
    assert!(place.log().contains("requests that took too long were cut off"), "{}", place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_a_wrong_configuration_is_refused_whole_while_the_server_works() {
    let place = Place::new();
    fs::write(place.docroot().join("big"), content()).unwrap();
    let file = place.dir.path().join("server.toml");
    let good = "[users.ann]\nwrite = false\n";
    fs::write(&file, good).unwrap();
    let server = place.start(&["--user", "ann:right", "--config", file.to_str().unwrap()]);
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    let mut running = Running::start(slow(&server, 1, Direction::Receive, &back, "/big"));
    running.moving().await;
    let ann = Client::basic(server.http, "ann", "right");
    let may_write = || {
        let body = json!({"paths": [{"type": "directory", "path": "/made"}]});
        ann.ask("/files/create", &body)["paths"][0]["error"].is_null()
    };
    assert!(!may_write());
    for (n, bad) in [
        "nonsense = 1\n[users.ann]\nwrite = true\n",
        "[users.ann]\nwrite = true\n[users.eve]\npassword_hash = 'plain'\n",
        "token_hours = 0\n[users.ann]\nwrite = true\n",
        "certificate = '/nowhere'\nkey = '/nowhere'\n[users.ann]\nwrite = true\n",
        "[users.ann]\nwrite = true\n[[[\n",
        "[users.ann]\nwrite = \"\0\"\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        // The last: the file is gone.
        if bad.is_empty() {
            fs::remove_file(&file).unwrap()
        } else {
            fs::write(&file, bad).unwrap()
        }
        server.signal(Signal::HUP);
        let deadline = Instant::now() + SOON;
        while place.log().matches("the old one stays in force").count() <= n {
            assert!(Instant::now() < deadline, "{bad:?}: {}", place.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert!(!may_write(), "{bad:?}: nothing of it holds");
    }
    fs::write(&file, "[users.ann]\nwrite = true\n").unwrap();
    server.signal(Signal::HUP);
    wait_for(&place, "configuration read again");
    assert!(may_write(), "a good one holds, after all those");
    drop(running);
}
