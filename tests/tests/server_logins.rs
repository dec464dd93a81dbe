//! Guessing at logins of the real server, from many addresses and under many names.

#![allow(clippy::unwrap_used)]

use godwit_tests::{Http, Scratch, Server, ServerOptions};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// People with a password, and as many names that nobody has.
const NAMES: u8 = 10;

/// A server with [`NAMES`] users beside its own, all with one password.
fn start(scratch: &Scratch) -> Server {
    let mut hashing = Command::new(godwit_tests::binaries::path("godwit-server"));
    let input = scratch.path("password");
    std::fs::write(&input, "right").unwrap();
    hashing.arg("hash-password").stdin(Stdio::from(std::fs::File::open(input).unwrap()));
    let output = hashing.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hash = String::from_utf8(output.stdout).unwrap();
    let user = |n: u8| format!("[users.known{n:02}]\npassword_hash = '{}'\n", hash.trim());
    let config = (0..NAMES).map(user).collect();
    Server::start(scratch, ServerOptions { config, ..ServerOptions::default() })
}

/// Somebody at an address of his own, with a connection that stands.
fn caller(server: &Server, network: u8, host: u8, user: &str, password: &str) -> Http {
    let mut http = Http::to(server.http).from(Ipv4Addr::new(127, 2, network, host + 1)).login(user, password);
    assert_eq!(http.get("/ping").unwrap().status, 200);
    http
}

/// The wait that a line of the log tells.
fn wait(line: &str) -> Option<Duration> {
    let told = line.split_once(" wait=")?.1.split_whitespace().next()?;
    if let Some(millis) = told.strip_suffix("ms") {
        return Some(Duration::from_millis(millis.parse().unwrap()));
    }
    Some(Duration::from_secs(told.strip_suffix('s')?.parse().unwrap()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn t23_a_name_that_nobody_has_is_refused_in_the_same_words_after_the_same_time() {
    let scratch = Scratch::new();
    let server = start(&scratch);
    let ask = |http: &mut Http, user: &str, page: bool| {
        let begin = Instant::now();
        let answer = if page {
            http.post("/web/session", &json!({"user": user, "password": "wrong"}))
        } else {
            http.post("/space", &json!({"paths": []}))
        };
        let answer = answer.unwrap();
        ((answer.status, answer.json()), begin.elapsed())
    };
    let (mut times, mut words) = ([Vec::new(), Vec::new()], [Vec::<(u16, Value)>::new(), Vec::new()]);
    // Alternating, so that whatever else the machine does falls on both. No name and no address fails so often that it waits.
    for round in 0..2 {
        for n in 0..NAMES {
            for page in [false, true] {
                for (which, kind) in ["known", "other"].into_iter().enumerate() {
                    let name = format!("{kind}{n:02}");
                    let host = n * 4 + which as u8 * 2 + u8::from(page);
                    let mut http = caller(&server, round, host, &name, "wrong");
                    let (answer, took) = ask(&mut http, &name, page);
                    times[which].push(took);
                    words[usize::from(page)].push(answer);
                }
            }
        }
    }
    for of_one_way in &words {
        assert_eq!(of_one_way[0].0, 401);
        assert!(of_one_way.iter().all(|answer| answer == &of_one_way[0]), "{of_one_way:?}");
    }
    let [known, other] = times.map(median);
    let ratio = known.as_secs_f64() / other.as_secs_f64();
    assert!((0.6..1.6).contains(&ratio), "a known name is refused in {known:?}, another one in {other:?}");
    assert!(!String::from_utf8_lossy(&server.log()).contains("login waits"), "waiting would have hidden a difference");
}

#[test]
fn t23_who_is_guessed_at_from_everywhere_still_comes_in_and_others_notice_nothing() {
    let scratch = Scratch::new();
    let server = start(&scratch);
    // One try from each address: no address is banned, the name is what slows them down.
    let attack: Vec<_> = (0..60)
        .map(|n| {
            let mut http = caller(&server, 10, n, "known00", "wrong");
            std::thread::spawn(move || http.post("/space", &json!({"paths": []})).unwrap().status)
        })
        .collect();
    let statuses: Vec<_> = attack.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    let log = || String::from_utf8_lossy(&server.log()).into_owned();
    let waits = |name: &str| log().lines().filter(|line| line.contains("login waits") && line.contains(name)).count();
    let before = waits("known00");
    let mut himself = caller(&server, 11, 0, "known00", "right");
    let answer = himself.post("/space", &json!({"paths": []})).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert!(waits("known00") > before, "he waits a little with all the others");
    // Never longer than two seconds, however many there were.
    let longest = log().lines().filter_map(wait).max().unwrap();
    assert_eq!(longest, Duration::from_secs(2));
    let mut another = caller(&server, 11, 1, "known01", "right");
    assert_eq!(another.post("/space", &json!({"paths": []})).unwrap().status, 200);
    assert_eq!(waits("known01"), 0);

    // One address that tries every name is banned, whatever it says next, and told for how long; others are not.
    let mut spray = caller(&server, 12, 0, "nobody", "wrong");
    let mut tries = 0;
    let banned = loop {
        let statuses: Vec<_> = (0..20)
            .map(|n| {
                let mut http = caller(&server, 12, 0, &format!("name-{tries}-{n}"), "wrong");
                std::thread::spawn(move || http.post("/space", &json!({"paths": []})).unwrap().status)
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        tries += 1;
        if statuses.contains(&429) {
            break spray.post("/space", &json!({"paths": []})).unwrap();
        }
        assert!(tries < 10, "{statuses:?}");
    };
    assert_eq!(banned.status, 429);
    let mut right = caller(&server, 12, 0, "known02", "right");
    assert_eq!(right.post("/space", &json!({"paths": []})).unwrap().json(), banned.json(), "the same for a right one");
    let mut another = caller(&server, 12, 1, "known03", "right");
    assert_eq!(another.post("/space", &json!({"paths": []})).unwrap().status, 200);
}
