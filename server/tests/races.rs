//! A thousand starts at the same moment against a limit: it holds exactly, and who was refused is told so.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, SOON, Server, password};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::Report;
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Starts, and how many of them go off together.
const STARTS: usize = 1_000;
const TOGETHER: usize = 100;

fn start(place: &Place, config: &str) -> Server {
    let file = place.dir.path().join("server.toml");
    fs::write(&file, config).unwrap();
    place.start(&["--config", file.to_str().unwrap(), "--user", "ann:right"])
}

/// Somebody whose password was looked at, so that the limit that shows is the one that is meant.
fn ann(server: &Server) -> Client {
    let ann = Client::basic(server.http, "ann", "right");
    ann.ask("/space", &json!({"paths": []}));
    ann
}

/// What each of all starts came to.
fn at_once<T: Send + 'static>(begin: impl Fn(usize) -> T + Clone + Send + 'static) -> Vec<T> {
    let line = Arc::new(Barrier::new(TOGETHER));
    let threads: Vec<_> = (0..TOGETHER)
        .map(|n| {
            let (begin, line) = (begin.clone(), line.clone());
            std::thread::spawn(move || {
                line.wait();
                (0..STARTS / TOGETHER).map(|m| begin(n * STARTS / TOGETHER + m)).collect::<Vec<_>>()
            })
        })
        .collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn t29_of_a_thousand_files_at_once_as_many_come_in_as_the_quota_has_room_for() {
    const SIZE: usize = 10_000;
    const ROOM: usize = 137;
    let place = Place::new();
    // Room for so many and half of another one.
    let server = start(&place, &format!("[users.ann]\ndocroot = 'ann'\nquota = {}\n", ROOM * SIZE + SIZE / 2));
    let client = ann(&server);
    let contents = STANDARD.encode(vec![7; SIZE]);
    let results = at_once(move |n| {
        let body = json!({"paths": [{"type": "file", "path": format!("/f-{n}"), "contents": contents}]});
        client.ask("/files/create", &body)["paths"][0]["error"]["reason"].clone()
    });
    let count = |wanted: &Value| results.iter().filter(|result| *result == wanted).count();
    let (made, refused) = (count(&Value::Null), count(&json!("quota")));
    assert!(made <= ROOM && made + refused == STARTS, "{results:?}");
    // Who came while another file was counted twice, on its way and as arrived, may have been refused; the rest has room.
    let client = ann(&server);
    let more = |n: usize| {
        let body =
            json!({"paths": [{"type": "file", "path": format!("/g-{n}"), "contents": STANDARD.encode(vec![7; SIZE])}]});
        client.ask("/files/create", &body)["paths"][0]["error"].is_null()
    };
    let begin = Instant::now();
    let (mut all, mut n) = (made, 0);
    while all < ROOM {
        assert!(begin.elapsed() < SOON, "{made} at once, then {all}: the rest is refused for good");
        all += usize::from(more(n));
        n += 1;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    std::thread::park_timeout(Duration::from_millis(1_100));
    assert!(!more(STARTS), "not one more, after another look at the disk");
    let sizes: Vec<_> =
        fs::read_dir(place.docroot().join("ann")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.len() == ROOM && sizes.iter().all(|size| *size == SIZE as u64), "{sizes:?}");
    let space = &ann(&server).ask("/space", &json!({"paths": [{"path": "/"}]}))["paths"][0];
    assert_eq!(space["bytes_free"], json!(SIZE / 2));
}

#[test]
fn t29_of_a_thousand_transfers_ordered_at_once_as_many_run_as_one_user_may_have() {
    /// As many as one user may have, see `transfers/ops.rs`.
    const MOST: usize = 8;
    let (here, there) = (Place::new(), Place::new());
    let (first, second) = (start(&here, "ops_private = true\n"), start(&there, ""));
    fs::write(here.docroot().join("big"), vec![1; 40_000_000]).unwrap();
    let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/"}]}}]});
    let mut spec = ann(&second).ask("/files/upload_setup", &wish)["transfer_specs"][0]["transfer_spec"].clone();
    spec["paths"] = json!([{"source": "/big"}]);
    // They are all there until the last one was answered.
    spec["target_rate_kbps"] = json!(1_000);
    let client = ann(&first);
    let answers = at_once(move |n| {
        let mut own = spec.clone();
        own["destination_root"] = json!(format!("/to-{n}"));
        own["create_dir"] = json!(true);
        let answer = client.post("/ops/transfers", &own);
        (answer.status, answer.header("retry-after").is_some())
    });
    let count = |wanted: (u16, bool)| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count((201, false)), count((429, true))), (MOST, STARTS - MOST), "{answers:?}");
    let listed = ann(&first).get("/ops/transfers?active_only=true").json();
    assert_eq!(listed.as_array().unwrap().len(), MOST, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_of_a_hundred_sessions_at_once_as_many_run_as_one_user_may_have() {
    const MOST: usize = 5;
    let place = Place::new();
    let config = format!("max_sessions_per_address = 256\n[users.ann]\nmax_sessions = {MOST}\n");
    let server = start(&place, &config);
    let file = place.dir.path().join("file");
    fs::write(&file, vec![1; 4_000_000]).unwrap();
    ann(&server);
    let mut sessions = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut start = server.session("ann", password("right"), Direction::Send, &file, &format!("/to-{n}"));
        start.transfer_id = format!("00000000-0000-4000-8000-{n:012}");
        start.create_dir = true;
        // None of them ends before the last one was answered.
        (start.rate.policy, start.rate.target) = (RatePolicy::Fixed, Some(RateKbps(100)));
        sessions.spawn(async move {
            let (sender, mut reports) = tokio::sync::mpsc::channel(64);
            let (orders, incoming) = tokio::sync::mpsc::channel(4);
            let running = tokio::spawn(async move { godwit_transport::client::run(&start, sender, incoming).await });
            let begun = async {
                loop {
                    match reports.recv().await {
                        Some(Report::Session { .. }) => return true,
                        Some(_) => {}
                        None => return false,
                    }
                }
            };
            let begun = tokio::time::timeout(3 * SOON, begun).await.unwrap();
            let why = if begun { None } else { Some(running.await.unwrap().unwrap_err().message) };
            (why, orders, reports)
        });
    }
    // All are kept until all have an answer.
    let answers = sessions.join_all().await;
    let refused: Vec<_> = answers.iter().filter_map(|(why, ..)| why.as_deref()).collect();
    assert_eq!(answers.len() - refused.len(), MOST, "{refused:?}");
    assert!(refused.iter().all(|why| why.contains(&format!("{MOST} sessions already"))), "{refused:?}");
}
