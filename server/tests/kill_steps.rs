//! SIGKILL of the server at each step by which a file that comes in is kept: before it is written, while it is, before and
//! after it gets its name, before and after the catalogue knows of it. The kernel's calls are where a tracer puts the kill.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, Running, SOON, Server, password, session, traced};
use godwit_protocol::spec::Direction;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// What the server asks of the kernel on that way, and at which time that a thread comes by it is killed.
const STEPS: [(&str, u32); 12] = [
    ("openat", 1),
    ("openat", 3),
    ("ftruncate", 1),
    ("pwrite64", 1),
    ("pwrite64", 3),
    ("fdatasync", 1),
    ("fsync", 1),
    ("fsync", 2),
    ("utimensat", 1),
    ("renameat2", 1),
    ("renameat2", 2),
    ("unlinkat", 1),
];

/// Larger than a group takes along, so it has a partial file and a journal.
const LARGE: &str = "film.bin";

/// Kills the server when it asks for this.
struct Trap(Child);

impl Trap {
    fn set(server: &Server, call: &str, time: u32) -> Self {
        Self(traced(server, call, &format!("signal=KILL:when={time}"), &[]))
    }

    /// Whether the server is dead. A tracer may hold the last thread of one that is: then it is ended itself.
    fn has_killed(&mut self, server: &mut Server) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap_or_default();
        if status.lines().any(|line| line.starts_with("State:\tZ")) {
            let _ = self.0.kill();
        }
        server.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        // It lets go of what it traces only if it is asked to.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn start(place: &Place) -> Server {
    place.start(&["--user", "ann:right"])
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What has a final name has the whole content.
fn nothing_half(source: &Path, folder: &Path, when: &str) {
    for name in names(folder) {
        if source.join(&name).exists() {
            assert!(fs::read(source.join(&name)).unwrap() == fs::read(folder.join(&name)).unwrap(), "{when}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_killed_at_any_step_of_an_upload_the_server_has_whole_files_and_the_next_session_completes() {
    let place = Place::new();
    let source = place.dir.path().join("tree");
    fs::create_dir(&source).unwrap();
    let content = |size: usize, seed: usize| (0..size).map(|n| (n * 31 % 251 + seed) as u8).collect::<Vec<_>>();
    fs::write(source.join(LARGE), content(5_000_017, 1)).unwrap();
    for n in 0..8 {
        fs::write(source.join(format!("small-{n}")), content(1_000 * n, n)).unwrap();
    }
    let expected = names(&source);
    let mut kills = 0;
    let mut server = start(&place);
    for (number, (call, time)) in STEPS.into_iter().enumerate() {
        let when = format!("{call}, time {time}");
        let folder = place.docroot().join(format!("{number}"));
        fs::create_dir(&folder).unwrap();
        let order =
            |server: &Server| server.session("ann", password("right"), Direction::Send, &source, &format!("/{number}"));
        let killed = {
            let mut trap = Trap::set(&server, call, time);
            let running = Running::start(order(&server));
            let ended = tokio::spawn(running.end());
            // Either it meets the trap, or this step is none of its.
            let deadline = Instant::now() + 4 * SOON;
            loop {
                if trap.has_killed(&mut server) {
                    ended.abort();
                    break true;
                }
                if ended.is_finished() {
                    break false;
                }
                assert!(Instant::now() < deadline, "{when}: neither killed nor done");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        kills += u32::from(killed);
        let tree = folder.join("tree");
        nothing_half(&source, &tree, &when);
        if killed {
            server = start(&place);
            let result = session(order(&server)).await;
            assert!(result.is_ok(), "after {when}: {result:?}");
        }
        nothing_half(&source, &tree, &format!("after {when}"));
        assert_eq!(names(&tree), expected, "after {when}: each file once, and nothing else");
    }
    assert!(kills >= 6, "only {kills} of the steps were met: this shows little");
    println!("{kills} kills at {} steps", STEPS.len());
}

#[test]
fn t15_killed_at_any_step_of_a_small_file_it_is_there_whole_once_and_under_one_id_or_not_at_all() {
    let place = Place::new();
    let content = "0123456789abcdef".repeat(1_000);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &content);
    let mut server = start(&place);
    let secret = Client::basic(server.http, "ann", "right").post("/access_keys", &json!({"storage": {"path": "/key"}}));
    let secret = secret.json();
    let key = |server: &Server| {
        Client::basic(server.http, secret["id"].as_str().unwrap(), secret["secret"].as_str().unwrap())
    };
    let root = secret["root_file_id"].as_str().unwrap();
    let folder = place.docroot().join("key");
    let (mut kills, mut made) = (0, 0);
    let mut ids = std::collections::BTreeSet::new();
    for (number, (call, time)) in STEPS.into_iter().chain([("pwrite64", 2), ("pwrite64", 5), ("fsync", 3)]).enumerate()
    {
        let when = format!("{call}, time {time}");
        let name = format!("f-{number}");
        let body = json!({"name": name, "type": "file", "contents": encoded}).to_string();
        let create = |server: &Server| key(server).send("POST", &format!("/files/{root}/files"), Some(body.as_bytes()));
        // Who asks is known already: what is met are the steps of the file.
        key(&server).get(&format!("/files/{root}"));
        let first = {
            let mut trap = Trap::set(&server, call, time);
            let answer = create(&server);
            let deadline = Instant::now() + SOON;
            while answer.status != 201 && !trap.has_killed(&mut server) {
                assert!(Instant::now() < deadline, "{when}: neither an answer nor a dead server");
                std::thread::park_timeout(Duration::from_millis(20));
            }
            answer
        };
        // No answer at all is what a dead server gives.
        assert!([0, 201].contains(&first.status), "{when}: {}", first.head);
        if first.status != 201 {
            server.wait(SOON);
            kills += 1;
        }
        let path = folder.join(&name);
        let there = path.exists();
        assert!(!there || fs::read_to_string(&path).unwrap() == content, "{when}");
        assert!(there || first.status != 201, "{when}: it was answered for");
        made += usize::from(there && first.status != 201);
        if first.status != 201 {
            server = start(&place);
        }
        // Whoever got no answer asks again, and learns what became of it.
        let second = create(&server);
        assert_eq!(second.status, if there { 409 } else { 201 }, "{when}: {}", String::from_utf8_lossy(&second.body));
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "after {when}");
        let listed = key(&server).get(&format!("/files/{root}/files")).json();
        let found: Vec<&Value> =
            listed.as_array().unwrap().iter().filter(|entry| entry["name"] == json!(name)).collect();
        assert_eq!(found.len(), 1, "after {when}: {listed}");
        assert!(ids.insert(found[0]["id"].to_string()), "after {when}: its id is another file's");
        let hidden: Vec<_> = names(&folder).into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(hidden, Vec::<String>::new(), "after {when}");
    }
    assert!(kills >= 6, "only {kills} of the steps were met: this shows little");
    println!("{kills} kills, {made} of them after the file was there");
}
