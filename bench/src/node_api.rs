//! The server's API: how soon it answers fifty clients, and somebody who looks into a folder of 100,000 files. `/ping` in the same
//! run shows what of it is HTTP and this machine.
//!
//! Plain HTTP over loopback with connections that stay, as a web application's back end behind a proxy has them. The server logs
//! as it does by default.

use crate::journal::{Journal, Key, Measurement, Values};
use crate::options::Options;
use crate::report::Column;
use crate::table;
use godwit_tests::{Http, Scratch, Server, ServerOptions, processes};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// What is shown.
pub(crate) const COLUMNS: [Column; 7] = [
    ("answers/s", "per_second", 0),
    ("median ms", "median_ms", 2),
    ("99 % ms", "p99_ms", 2),
    ("longest ms", "max_ms", 1),
    ("median / ping", "to_ping", 1),
    ("server MiB", "mib", 1),
    ("highest MiB", "peak_mib", 1),
];

const CLIENTS: usize = 50;
const FILES: u32 = 100_000;
/// Between two requests of a client that does something else meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Seconds it takes.
pub(crate) fn estimate(options: &Options) -> f64 {
    (if options.short { 20.0 } else { 70.0 }) * options.rounds as f64
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    for round in 1..=options.rounds {
        if options.wants("setup") {
            setup(options, journal, round);
        }
        if options.wants("browse") {
            browse(options, journal, round);
        }
    }
}

/// A request.
struct Question {
    name: &'static str,
    path: &'static str,
    body: Option<Value>,
}

impl Question {
    fn new(name: &'static str, path: &'static str, body: Value) -> Self {
        Self { name, path, body: Some(body) }
    }

    fn ping() -> Self {
        Self { name: "GET /ping", path: "/ping", body: None }
    }

    /// Asks until it is answered as it must be: milliseconds.
    fn ask(&self, client: &mut Http) -> f64 {
        let begin = Instant::now();
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let answer = client.send(method, self.path, self.body.as_ref()).expect("an answer");
        let took = begin.elapsed().as_secs_f64() * 1e3;
        let good = answer.status == 200 && !String::from_utf8_lossy(&answer.body).contains("\"error\"");
        assert!(good, "{}: {} {}", self.name, answer.status, String::from_utf8_lossy(&answer.body));
        took
    }
}

fn start(scratch: &Scratch) -> Server {
    Server::start(scratch, ServerOptions { by_config: true, log: "info", ..ServerOptions::default() })
}

fn client(server: &Server) -> Http {
    Http::to(server.http).login(server.user(), server.password())
}

fn setup(options: &Options, journal: &mut Journal, round: usize) {
    let seconds = Duration::from_secs(if options.short { 2 } else { 10 });
    let inbox = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/inbox"}]}}]});
    let asked = || Question::new("POST /files/upload_setup", "/files/upload_setup", inbox.clone());
    for (row, pause) in [
        ("50 clients, each with 10 requests a second", PAUSE),
        ("50 clients, one request after the other", Duration::ZERO),
    ] {
        let scratch = Scratch::new();
        let server = start(&scratch);
        std::fs::create_dir(server.docroot().join("inbox")).unwrap();
        let login = (server.user().to_owned(), server.password().to_owned());
        let mut ping = None;
        for question in [Question::ping(), asked()] {
            let key = key(row, question.name, round);
            if journal.has(&key) {
                continue;
            }
            let times = crowd(server.http, &login, &question, seconds, pause);
            note(journal, key, times, seconds.as_secs_f64(), server.pid(), &mut ping);
        }
    }
}

/// What fifty clients waited, all in one list. The first answer of each, with a new connection and perhaps a new login, counts too.
fn crowd(
    server: SocketAddr,
    (user, password): &(String, String),
    question: &Question,
    during: Duration,
    pause: Duration,
) -> Vec<f64> {
    let together = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let (together, mut client) = (&together, Http::to(server).login(user, password));
                scope.spawn(move || {
                    together.wait();
                    // Not all at the same moment.
                    std::thread::sleep(pause * u32::try_from(n).unwrap_or(0) / CLIENTS as u32);
                    let begin = Instant::now();
                    let (mut times, mut turn) = (Vec::new(), begin);
                    while begin.elapsed() < during {
                        times.push(question.ask(&mut client));
                        turn += pause;
                        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
                    }
                    times
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

fn browse(options: &Options, journal: &mut Journal, round: usize) {
    let row = "A folder of 100,000 files, one client";
    let files = options.files(FILES);
    let scratch = Scratch::new();
    let server = start(&scratch);
    let folder = server.docroot().join("many");
    std::fs::create_dir(&folder).unwrap();
    for n in 0..files {
        std::fs::File::create(folder.join(format!("file-{n:06}.dat"))).unwrap();
    }
    let page = |more: Value| {
        let mut body = json!({"path": "/many"});
        godwit_tests::server::merge(&mut body, more);
        body
    };
    let name = "/files/browse";
    let mut ping = None;
    for question in [
        Question::ping(),
        Question::new("first page of 100", name, page(json!({}))),
        Question::new("first page of 1,000", name, page(json!({"count": 1_000}))),
        Question::new("last page of 100", name, page(json!({"skip": files - 100}))),
        Question::new("first page by size", name, page(json!({"sort": "-size"}))),
    ] {
        let key = key(row, question.name, round);
        if journal.has(&key) {
            continue;
        }
        let mut client = client(&server);
        let begin = Instant::now();
        let times: Vec<f64> = (0..if options.short { 5 } else { 50 }).map(|_| question.ask(&mut client)).collect();
        note(journal, key, times, begin.elapsed().as_secs_f64(), server.pid(), &mut ping);
    }
    let question = Question::new("first page of 100, 50 clients", name, page(json!({})));
    let key = key(row, question.name, round);
    if !journal.has(&key) {
        let login = (server.user().to_owned(), server.password().to_owned());
        let seconds = Duration::from_secs(if options.short { 2 } else { 10 });
        let times = crowd(server.http, &login, &question, seconds, Duration::ZERO);
        note(journal, key, times, seconds.as_secs_f64(), server.pid(), &mut ping);
    }
}

fn key(row: &str, contestant: &str, round: usize) -> Key {
    Key { part: "server".into(), row: row.into(), contestant: contestant.into(), round }
}

fn note(journal: &mut Journal, key: Key, mut times: Vec<f64>, seconds: f64, pid: u32, ping: &mut Option<f64>) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let count = times.len() as f64;
    let median = table::part(&mut times, 0.5);
    let mut values = Values::from([
        ("per_second".into(), count / seconds),
        ("median_ms".into(), median),
        ("p99_ms".into(), table::part(&mut times, 0.99)),
        ("max_ms".into(), table::part(&mut times, 1.0)),
        ("mib".into(), mib(processes::resident(pid))),
        ("peak_mib".into(), mib(processes::peak(pid))),
    ]);
    match ping {
        Some(ping) => drop(values.insert("to_ping".into(), median / *ping)),
        None => *ping = Some(median),
    }
    journal.add(Measurement { key, values, note: String::new() });
}
