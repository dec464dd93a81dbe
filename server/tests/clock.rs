//! A server whose clock of the day is wrong, or is set while sessions run.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, Running, SOON, Server, password, session};
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::Credential;
use godwit_protocol::{RateKbps, Secret};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const HOUR: i64 = 3_600;
const YEAR: i64 = 31_557_600;

/// The clock of one server.
struct Clock(PathBuf);

impl Clock {
    /// A server that believes this clock.
    fn server(place: &Place) -> (Self, Server) {
        let (library, file) = (place.dir.path().join("clock.so"), place.dir.path().join("clock"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/shifted_clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        assert!(compiler.status().unwrap().success(), "the C compiler that Rust links with makes the library");
        let mut command = place.serving(&["--user", "ann:right"]);
        command.env("LD_PRELOAD", library).env("GODWIT_TEST_CLOCK", &file);
        let server = place.start_by(command);
        (Self(file), server)
    }

    /// Sets it so many seconds after the true time; the server shows that it has it.
    fn set(&self, server: &Server, seconds: i64) {
        let new = self.0.with_extension("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, &self.0).unwrap();
        let info = Client::new(server.http).get("/info").json();
        let shown = OffsetDateTime::parse(info["current_time"].as_str().unwrap(), &Rfc3339).unwrap().unix_timestamp();
        let truth = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        assert!((truth + seconds - shown).unsigned_abs() < SOON.as_secs(), "the server's clock shows {shown}");
    }
}

/// Tokens are made by the command line, with the true clock.
fn token(place: &Place, ttl: &str) -> Credential {
    let issued = place.run(place.command(&[
        "token",
        "issue",
        "--user",
        "ann",
        "--direction",
        "send",
        "--path",
        "/",
        "--ttl",
        ttl,
    ]));
    assert!(issued.status.success(), "{}", issued.stderr);
    Credential::Token { token: Secret::new(issued.stdout.trim()) }
}

async fn sends(server: &Server, credential: Credential, file: &Path) -> (u16, String) {
    match session(server.session("ann", credential, Direction::Send, file, "/")).await {
        Ok(_) => (0, String::new()),
        Err(failure) => (failure.code.number(), failure.message),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_a_clock_that_jumps_ends_no_session_and_heals_no_ban() {
    let place = Place::new();
    let (clock, server) = Clock::server(&place);
    clock.set(&server, 0);
    let (large, small) = (place.dir.path().join("large"), place.dir.path().join("small"));
    let content: Vec<u8> = (0..60_000_000u32).map(|n| (n * 31 % 251) as u8).collect();
    fs::write(&large, &content).unwrap();
    fs::write(&small, "x").unwrap();
    let mut start = server.session("ann", password("right"), Direction::Send, &large, "/");
    start.transfer_id = "00000000-0000-4000-8000-000000000002".into();
    start.rate.policy = RatePolicy::Fixed;
    start.rate.target = Some(RateKbps(8_000));
    let mut running = Running::start(start);
    running.moving().await;
    // A second that comes twice, as after a leap second; ten minutes off; set back; a year ahead; and back to the truth.
    for seconds in [-1, 600, -600, -HOUR, YEAR, 0] {
        clock.set(&server, seconds);
        assert_eq!(sends(&server, password("right"), &small).await, (0, String::new()), "at {seconds} s");
        assert!(running.goes_on(), "at {seconds} s");
    }
    clock.set(&server, -HOUR);
    running.hurry().await;
    running.end().await.unwrap();
    assert!(fs::read(place.docroot().join("large")).unwrap() == content);
    // It ended before it began, says the clock; what is told of it makes sense all the same.
    let http = server.http;
    let told = tokio::task::spawn_blocking(move || {
        let ann = Client::basic(http, "ann", "right");
        let deadline = Instant::now() + SOON;
        loop {
            let list = ann.get("/ops/transfers").json();
            let all = list.as_array().unwrap().clone();
            if all.iter().all(|transfer| transfer["status"] == "completed") {
                return all;
            }
            assert!(Instant::now() < deadline, "{list}");
        }
    });
    let told: Vec<Value> = told.await.unwrap();
    assert!(told.len() >= 2);
    for transfer in told {
        assert!(transfer["elapsed_usec"].is_u64() && transfer["avg_rate_kbps"].is_u64(), "{transfer}");
    }

    // Who has guessed too often stays out for as long as he was told, whatever the clock says.
    let http = server.http;
    let guess = move |name: String| async move {
        let client = Client::basic(http, &name, "guess");
        let answer = tokio::task::spawn_blocking(move || client.post("/space", &json!({"paths": []}))).await.unwrap();
        (answer.status, answer.header("Retry-After").map(|seconds| seconds.parse::<u64>().unwrap()))
    };
    let guesses: Vec<_> = (0..60).map(|n| tokio::spawn(guess(format!("u{n}")))).collect();
    for answer in guesses {
        assert!([401, 429].contains(&answer.await.unwrap().0));
    }
    let begin = Instant::now();
    let (status, told) = guess("ann".into()).await;
    let rest = told.unwrap_or(0);
    assert!(status == 429 && rest > 10, "{status}, {rest} s");
    for seconds in [0, YEAR, -HOUR] {
        clock.set(&server, seconds);
        let (status, told) = guess("ann".into()).await;
        let over = begin.elapsed().as_secs() + 2 >= rest;
        assert!(
            status == 429 && told.is_some_and(|now| now <= rest) || over,
            "at {seconds} s: {status} {told:?} of {rest} s"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_a_token_is_worth_what_the_servers_clock_says_and_a_refusal_says_why() {
    let place = Place::new();
    let (clock, server) = Clock::server(&place);
    let small = place.dir.path().join("small");
    fs::write(&small, "x").unwrap();
    let hour = token(&place, "1h");
    for (seconds, good) in
        [(0, true), (600, true), (-600, true), (-HOUR, true), (HOUR + 1, false), (YEAR, false), (0, true)]
    {
        clock.set(&server, seconds);
        let (number, message) = sends(&server, hour.clone(), &small).await;
        assert_eq!(number, if good { 0 } else { 19 }, "at {seconds} s: {message}");
        assert_eq!(message.contains("expired"), !good, "at {seconds} s: {message}");
    }
    // One that the server makes itself is good by the same clock, however wrong that is.
    clock.set(&server, YEAR);
    let http = server.http;
    let made = tokio::task::spawn_blocking(move || {
        let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/"}]}}]});
        Client::basic(http, "ann", "right").ask("/files/upload_setup", &wish)
    });
    let made = made.await.unwrap();
    let text = made["transfer_specs"][0]["transfer_spec"]["token"].as_str().unwrap().to_owned();
    let own = Credential::Token { token: Secret::new(text) };
    assert_eq!(sends(&server, own.clone(), &small).await, (0, String::new()));
    clock.set(&server, YEAR - 1);
    assert_eq!(sends(&server, own, &small).await, (0, String::new()), "it has no beginning that could be missed");
}
