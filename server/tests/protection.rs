//! What strangers and broken clients can do to the HTTP ports, and that others are served meanwhile.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, Server, read_all};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(2 * SOON)).unwrap();
    stream
}

/// Feeds a connection one byte a second until the server has had enough.
fn drip(address: SocketAddr, begin: &[u8], byte: u8) {
    let mut stream = connect(address);
    stream.write_all(begin).unwrap();
    let mut rounds = 0;
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
        // Rounds, not time: a machine that stands still stands still for the server too.
        rounds += 1;
        assert!(rounds < 120, "it is still being waited for");
    }
}

fn start(place: &Place) -> Server {
    place.start(&["--user", "ann:right"])
}

#[test]
fn t03_whoever_sends_a_byte_a_second_is_cut_off_and_others_are_served() {
    let place = Place::new();
    let server = start(&place);
    let (http, api) = (server.http, server.api);
    let auth = "Authorization: Basic YW5uOnJpZ2h0\r\nContent-Type: application/json\r\n";
    let body = format!("POST /space HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 1000\r\n\r\n");
    let slow = [
        std::thread::spawn(move || drip(http, b"GET /ping HTTP/1.1\r\nX: ", b'x')),
        std::thread::spawn(move || drip(http, b"", b'G')),
        // A TLS record that never ends.
        std::thread::spawn(move || drip(api, &[0x16, 3, 1, 1, 0], 1)),
        std::thread::spawn(move || drip(http, body.as_bytes(), b' ')),
    ];
    while slow.iter().any(|thread| !thread.is_finished()) {
        let begin = Instant::now();
        assert_eq!(Client::new(server.http).get("/ping").status, 200);
        assert!(begin.elapsed() < SOON);
        std::thread::park_timeout(Duration::from_millis(200));
    }
    for thread in slow {
        thread.join().unwrap();
    }
}

#[test]
fn t21_requests_of_two_meanings_are_refused_whole() {
    let place = Place::new();
    let server = start(&place);
    let hidden = "GET /info HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length : 5\r\n",
        "X: a\r\n b\r\n",
        "X\0Y: a\r\n",
    ] {
        let mut stream = connect(server.http);
        let request = format!("POST /ping HTTP/1.1\r\nHost: x\r\n{head}\r\n{hidden}");
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = String::from_utf8_lossy(&read_all(stream)).into_owned();
        assert!(!answer.contains("\"application\""), "{head:?}: {answer}");
    }
    // Where both are given the chunks count, and the connection ends with the answer.
    let mut stream = connect(server.http);
    let both = format!(
        "POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    stream.write_all(both.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = String::from_utf8_lossy(&read_all(stream)).into_owned();
    assert!(answer.matches("HTTP/1.1").count() <= 2, "{answer}");
    let mut many = String::from("GET /ping HTTP/1.1\r\nHost: x\r\n");
    for n in 0..10_000 {
        many += &format!("X{n}: 1\r\n");
    }
    assert_ne!(Client::new(server.http).raw(format!("{many}\r\n").as_bytes()).status, 200);
    assert_eq!(Client::new(server.http).get("/ping").status, 200);
}

#[test]
fn t21_a_thousand_ranges_cost_no_more_than_one_and_the_last_byte_is_right() {
    let place = Place::new();
    let server = start(&place);
    let content: Vec<u8> = (0..700_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(place.docroot().join("f"), &content).unwrap();
    let ann = Client::basic(server.http, "ann", "right");
    let ranges: Vec<_> = (0..1_000).map(|n| format!("{n}-{}", n + 1)).collect();
    let whole = ann.clone().with("Range", &format!("bytes={}", ranges.join(","))).get("/files/%2Ff/contents");
    assert!(whole.status == 200 && whole.body == content);
    let tail = ann.clone().with("Range", "bytes=-1").get("/files/%2Ff/contents");
    assert!(tail.status == 206 && tail.body == content[content.len() - 1..]);
    let beyond = ann.clone().with("Range", "bytes=700000-").get("/files/%2Ff/contents");
    assert_eq!((beyond.status, &beyond.json()["error"]["code"]), (416, &json!(416)));
    let changed = ann.with("Range", "bytes=0-1").with("If-Range", "\"old\"").get("/files/%2Ff/contents");
    assert!(changed.status == 200 && changed.body == content, "another version is sent whole");
}

#[test]
fn t03_a_reader_that_stands_still_does_not_hold_the_server() {
    let place = Place::new();
    let server = start(&place);
    let file = fs::File::create(place.docroot().join("big")).unwrap();
    file.set_len(200_000_000).unwrap();
    let mut still = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(server.http);
        let head = "GET /files/%2Fbig/contents HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uOnJpZ2h0\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        still.push(stream);
    }
    let ann = Client::basic(server.http, "ann", "right");
    assert_eq!(ann.ask("/files/browse", &json!({"path": "/"}))["total_count"], 1);
    let memory = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let rss = memory.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap().trim().trim_end_matches(" kB");
    assert!(rss.parse::<u64>().unwrap() < 300_000, "{rss} kB");
}

#[test]
fn t23_wrong_logins_by_the_hundred_leave_the_others_their_service() {
    let place = Place::new();
    let server = start(&place);
    let ann = Client::basic(server.http, "ann", "right");
    ann.ask("/space", &json!({"paths": []}));
    let http = server.http;
    let attack: Vec<_> = (0..8)
        .map(|n| {
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                for m in 0..40 {
                    let client = Client::basic(http, &format!("user{n}-{m}"), "guess");
                    statuses.push(client.post("/space", &json!({"paths": []})).status);
                    if statuses.last() == Some(&429) && m > 5 {
                        break;
                    }
                }
                statuses
            })
        })
        .collect();
    let statuses: Vec<u16> = attack.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&429));
    assert_eq!(Client::new(server.http).get("/health").json(), json!({"status": "ok"}));
    let metrics = Client::new(server.http).get("/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    let count = |line: &str| -> u64 {
        let found = text.lines().find_map(|l| l.strip_prefix(line));
        found.unwrap_or_else(|| panic!("{line}: {text}")).trim().parse().unwrap()
    };
    assert!(count("godwit_logins_total{result=\"refused\"}") >= 30);
    assert!(count("godwit_logins_total{result=\"banned\"}") >= 1);
}

fn files(place: &Place) -> usize {
    fs::read_dir(place.docroot().join("key")).unwrap().count()
}

#[test]
fn t15_kills_in_full_work_lose_no_accepted_file_show_no_half_one_and_keep_ids() {
    let place = Place::new();
    let mut accepted: Vec<(String, String)> = Vec::new();
    let content = "0123456789abcdef".repeat(4_096);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &content);
    let mut secret = Value::Null;
    for round in 0..25 {
        let mut server = start(&place);
        if secret.is_null() {
            let ann = Client::basic(server.http, "ann", "right");
            secret = ann.post("/access_keys", &json!({"storage": {"path": "/key"}})).json();
        }
        let key = Client::basic(server.http, secret["id"].as_str().unwrap(), secret["secret"].as_str().unwrap());
        let root = secret["root_file_id"].as_str().unwrap().to_owned();
        for (name, id) in accepted.iter().rev().take(20) {
            let entry = key.get(&format!("/files/{id}")).json();
            assert_eq!((&entry["name"], &entry["size"]), (&json!(name), &json!(content.len())), "round {round}");
        }
        // Files that were made but not answered for are there too.
        let before = files(&place);
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let (key, root, encoded) = (key.clone(), root.clone(), encoded.clone());
                std::thread::spawn(move || {
                    let mut made = Vec::new();
                    for m in 0.. {
                        let name = format!("f-{round}-{n}-{m}");
                        let body = json!({"name": name, "type": "file", "contents": encoded}).to_string();
                        let answer = match std::panic::catch_unwind(|| {
                            key.send("POST", &format!("/files/{root}/files"), Some(body.as_bytes()))
                        }) {
                            Ok(answer) if answer.status == 201 && !answer.body.is_empty() => answer,
                            _ => break,
                        };
                        let Ok(entry) = serde_json::from_slice::<Value>(&answer.body) else { break };
                        made.push((name, entry["id"].as_str().unwrap().to_owned()));
                    }
                    made
                })
            })
            .collect();
        let deadline = Instant::now() + SOON;
        let busy = || files(&place) > before + 8 + round % 5;
        while !busy() {
            assert!(Instant::now() < deadline, "nothing is written");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        accepted.extend(writers.into_iter().flat_map(|thread| thread.join().unwrap()));
    }
    // What the kills left on its way goes when its folder is written to again.
    let server = start(&place);
    let key = Client::basic(server.http, secret["id"].as_str().unwrap(), secret["secret"].as_str().unwrap());
    let body = json!({"paths": [{"type": "file", "path": "/last", "contents": encoded}]});
    assert_eq!(key.ask("/files/create", &body)["paths"][0]["error"], Value::Null);
    assert!(accepted.len() > 50, "{}", accepted.len());
    for (name, _) in &accepted {
        assert_eq!(fs::read_to_string(place.docroot().join("key").join(name)).unwrap(), content, "{name}");
    }
    for entry in fs::read_dir(place.docroot().join("key")).unwrap() {
        let entry = entry.unwrap();
        assert!(!entry.file_name().to_str().unwrap().starts_with("."), "{:?}", entry.file_name());
        assert_eq!(entry.metadata().unwrap().len(), content.len() as u64, "{:?}", entry.file_name());
    }
}
