//! The log never holds up the service, however much there is to say and whatever becomes of it.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, read_all};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Requests of one flood: more lines than may wait and than a pipe holds.
const FLOOD: usize = 12_000;

/// A server whose standard error is this; its plain HTTP port.
fn start(place: &Place, stderr: impl Into<Stdio>) -> (Child, SocketAddr) {
    let mut child = place.serving(&["--user", "ann:right"]).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let http = line.split(' ').find_map(|word| word.strip_prefix("http=")).unwrap().parse().unwrap();
    (child, http)
}

fn end(mut child: Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Many requests over few connections, each of which makes a long line; all are answered.
fn flood(http: SocketAddr) {
    let request = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300));
    for _ in 0..4 {
        let stream = TcpStream::connect(http).unwrap();
        stream.set_read_timeout(Some(3 * SOON)).unwrap();
        let mut writing = stream.try_clone().unwrap();
        let (request, last) = (request.clone(), request.replacen("Host: x", "Host: x\r\nConnection: close", 1));
        let writer = std::thread::spawn(move || {
            for _ in 1..FLOOD / 4 {
                writing.write_all(request.as_bytes()).unwrap();
            }
            writing.write_all(last.as_bytes()).unwrap();
        });
        let answers = String::from_utf8(read_all(stream)).unwrap();
        writer.join().unwrap();
        assert_eq!(answers.matches("HTTP/1.1 404 ").count(), FLOOD / 4);
    }
}

#[test]
fn t31_a_log_that_nobody_reads_holds_nobody_up_and_says_what_it_left_out() {
    let place = Place::new();
    let (mut child, http) = start(&place, Stdio::piped());
    flood(http);
    assert_eq!(Client::new(http).get("/ping").status, 200);
    // Now somebody reads again.
    let mut stderr = child.stderr.take().unwrap();
    let read = Arc::new(Mutex::new(Vec::new()));
    let reading = std::thread::spawn({
        let read = read.clone();
        move || {
            let mut piece = [0; 65_536];
            while let Ok(length @ 1..) = stderr.read(&mut piece) {
                read.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        }
    });
    let text = || String::from_utf8_lossy(&read.lock().unwrap()).into_owned();
    let deadline = Instant::now() + SOON;
    while !text().contains("/goes-on") {
        assert!(Instant::now() < deadline, "the log does not go on");
        Client::new(http).get("/goes-on");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    end(child);
    reading.join().unwrap();
    let text = text();
    assert!(text.contains("lines of the log were left out"), "{}", &text[text.len().saturating_sub(2_000)..]);
    assert!(text.contains(" ended"), "the last words are written");
    assert!(text.lines().count() < FLOOD && text.len() < 20_000_000, "{}", text.len());
}

#[test]
fn t31_a_disk_that_is_full_of_logs_does_not_stop_the_service() {
    let place = Place::new();
    let (child, http) = start(&place, File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(Client::basic(http, "ann", "wrong").post("/space", &serde_json::json!({})).status, 401);
    for _ in 0..20 {
        assert_eq!(Client::new(http).get("/nothing").status, 404);
        assert_eq!(Client::new(http).get("/ping").status, 200);
    }
    end(child);
}

#[test]
fn t31_a_log_that_is_cut_off_while_it_is_open_goes_on_at_its_beginning() {
    let place = Place::new();
    let file = place.dir.path().join("own.log");
    let (child, http) = start(&place, File::options().create(true).append(true).open(&file).unwrap());
    let says = |word: &str| {
        Client::new(http).get(&format!("/{word}"));
        let deadline = Instant::now() + SOON;
        while !fs::read_to_string(&file).unwrap().contains(word) {
            assert!(Instant::now() < deadline, "{word} is not in the log");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    says("before");
    // As logrotate does with copytruncate.
    File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    says("after");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("before") && !text.contains('\0'), "{text:?}");
    end(child);
}
