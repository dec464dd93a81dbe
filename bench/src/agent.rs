//! The agent with ten thousand transfers on its list and twenty pages that follow them; and the agent with nothing to do.
//!
//! Times are those of a browser: through the host, its pipes and the socket.

use crate::journal::{Journal, Key, Measurement, Values};
use crate::options::Options;
use crate::report::Column;
use crate::table;
use godwit_tests::processes::WakeUps;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, many, processes};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is measured of it.
pub(crate) const COLUMNS: [Column; 9] = [
    ("activity, median ms", "activity_median_ms", 2),
    ("99 % ms", "activity_p99_ms", 2),
    ("longest ms", "activity_max_ms", 2),
    ("start, median ms", "start_median_ms", 1),
    ("start, longest ms", "start_max_ms", 1),
    ("up again after s", "restart_s", 2),
    ("MiB", "mib", 1),
    ("highest MiB", "peak_mib", 1),
    ("wake-ups/s", "wake_ups", 2),
];

const TRANSFERS: usize = 10_000;
const PAGES: usize = 20;
const BROWSERS: usize = 4;
/// Between two questions of a page; the SDK asks once a second at most.
const PAUSE: Duration = Duration::from_millis(250);
const STARTS: usize = 20;

/// Seconds it takes.
pub(crate) fn estimate(options: &Options) -> f64 {
    let one = if options.short { 50.0 } else { 220.0 };
    one * options.rounds as f64
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    let (polling, watching) = if options.short { (10, 10) } else { (60, 60) };
    for round in 1..=options.rounds {
        let key = |row: &str, what: &str| Key { part: "agent".into(), row: row.into(), contestant: what.into(), round };
        let full = key("10,000 queued transfers, 3 running, 20 pages that follow them", "godwit-agent");
        if options.wants("queue") && !journal.has(&full) {
            let values = queue(Duration::from_secs(polling));
            journal.add(Measurement { key: full, values, note: String::new() });
        }
        let idle = |what| key("Nothing to do", what);
        if options.wants("idle") && !journal.has(&idle("an extension connected")) {
            let [connected, alone] = rest(Duration::from_secs(watching));
            journal.add(Measurement { key: idle("an extension connected"), values: connected, note: String::new() });
            journal.add(Measurement { key: idle("nobody connected"), values: alone, note: String::new() });
        }
    }
}

fn queue(polling: Duration) -> Values {
    let scratch = Scratch::new();
    scratch.write_settings("");
    let server = Server::start(&scratch, ServerOptions::default());
    many::fill(&scratch, &server, TRANSFERS, PAGES);
    let begin = Instant::now();
    let first = Browserish::open(&scratch);
    assert!(first.page(&many::site(0), many::APP).activity(0)["result_count"].as_u64() >= Some(500));
    let restart = begin.elapsed();
    let pid = first.status().pid;
    let browsers: Vec<Browserish> =
        std::iter::once(first).chain((1..BROWSERS).map(|_| Browserish::open(&scratch))).collect();
    // A page that has just come gets its whole list; what counts is what it asks from then on.
    let came = |n: usize| browsers[n % BROWSERS].page(&many::site(n), many::APP).activity(0);
    let tokens: Vec<u64> = (0..PAGES).map(|n| came(n)["iteration_token"].as_u64().expect("a token")).collect();
    let over = AtomicBool::new(false);
    let (mut answers, mut starts) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let pages: Vec<_> = tokens
            .into_iter()
            .enumerate()
            .map(|(n, token)| {
                let (browser, over) = (&browsers[n % BROWSERS], &over);
                scope.spawn(move || follow(browser, n, token, over))
            })
            .collect();
        starts = start_some(&browsers[0], &server, polling);
        over.store(true, Ordering::SeqCst);
        for page in pages {
            answers.extend(page.join().expect("a page"));
        }
    });
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Values::from([
        ("activity_median_ms".into(), table::part(&mut answers, 0.5)),
        ("activity_p99_ms".into(), table::part(&mut answers, 0.99)),
        ("activity_max_ms".into(), table::part(&mut answers, 1.0)),
        ("start_median_ms".into(), table::part(&mut starts, 0.5)),
        ("start_max_ms".into(), table::part(&mut starts, 1.0)),
        ("restart_s".into(), restart.as_secs_f64()),
        ("mib".into(), mib(processes::resident(pid))),
        ("peak_mib".into(), mib(processes::peak(pid))),
    ])
}

/// A page asks what is new until it is over: milliseconds of each answer.
fn follow(browser: &Browserish, n: usize, mut token: u64, over: &AtomicBool) -> Vec<f64> {
    let page = browser.page(&many::site(n), many::APP);
    // Not all at the same moment.
    std::thread::sleep(PAUSE * u32::try_from(n).unwrap_or(0) / PAGES as u32);
    let mut times = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let begin = Instant::now();
        token = page.activity(token)["iteration_token"].as_u64().expect("a token");
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(PAUSE);
    }
    times
}

/// One goes, one comes: milliseconds of each start.
fn start_some(browser: &Browserish, server: &Server, during: Duration) -> Vec<f64> {
    let page = browser.page(&many::site(1), many::APP);
    let listed = page.activity(0);
    let old: Vec<String> = listed["transfers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|t| Some(t["uuid"].as_str()?.to_owned()))
        .collect();
    let spec = server.spec("receive", server.data.port(), json!({"paths": [{"source": "large"}]}));
    old.iter()
        .take(STARTS)
        .map(|uuid| {
            page.must("remove", uuid);
            let begin = Instant::now();
            let started = page.start(&spec);
            let took = begin.elapsed().as_secs_f64() * 1e3;
            assert!(!started.is_empty());
            std::thread::sleep(during / u32::try_from(STARTS).unwrap_or(1));
            took
        })
        .collect()
}

fn rest(watching: Duration) -> [Values; 2] {
    let scratch = Scratch::new();
    scratch.write_settings("");
    let browser = Browserish::open(&scratch);
    assert_eq!(browser.page("https://bench.example", many::APP).get("/connect/info/version").0, 200);
    let pid = browser.status().pid;
    let connected = asleep(pid, watching);
    drop(browser);
    [connected, asleep(pid, watching)]
}

fn asleep(pid: u32, watching: Duration) -> Values {
    let before = WakeUps::once_asleep(pid);
    std::thread::sleep(watching);
    let wake_ups = WakeUps::of(pid).since(&before) as f64 / watching.as_secs_f64();
    let mib = processes::resident(pid) as f64 / f64::from(1 << 20);
    Values::from([("wake_ups".into(), wake_ups), ("mib".into(), mib)])
}
