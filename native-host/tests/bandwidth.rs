//! Limits over all transfers together, with real workers, a real server and a network that counts.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Page, Relay, Scratch, Server, ServerOptions, tree};
use serde_json::json;
use std::time::{Duration, Instant};

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";
const LIMIT_KBPS: u64 = 40_000;
const MIB: u64 = 1024 * 1024;

fn download(server: &Server, relay: &Relay, page: &Page<'_>, name: &str, size: u64) -> String {
    tree::file(&server.docroot().join(name), size, 8);
    page.start(&server.spec("receive", relay.port(), json!({"paths": [{"source": name}]})))
}

/// What the network carries toward the clients in the next seconds, kbit/s on the line: 28 bytes of headers on each packet of
/// some 1400.
fn measured(relay: &Relay, time: Duration) -> f64 {
    let (began, before) = (Instant::now(), relay.down());
    // A rate exists only over time: this is the measurement, not a wait for something.
    std::thread::sleep(time);
    let bits = (relay.down() - before) as f64 * 8.0 * 1.02;
    bits / began.elapsed().as_secs_f64() / 1e3
}

#[test]
fn two_downloads_together_keep_the_limit_and_when_one_is_stopped_the_other_gets_all() {
    let scratch = Scratch::new();
    scratch.write_settings(&format!("[bandwidth]\nmanual_downloads_kbps = {LIMIT_KBPS}\n"));
    let server = Server::start(&scratch, ServerOptions::default());
    let relay = Relay::to(server.data);
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE, APP);
    let a = download(&server, &relay, &page, "a", 200 * MIB);
    let b = download(&server, &relay, &page, "b", 200 * MIB);
    page.wait_written(&a, MIB, LONG);
    page.wait_written(&b, MIB, LONG);

    let limit = LIMIT_KBPS as f64;
    let both = measured(&relay, Duration::from_secs(6));
    assert!(both < limit * 1.05, "{both:.0} kbit/s of {limit}");
    assert!(both > limit * 0.80, "most of the limit is used: {both:.0} kbit/s of {limit}");
    let rate = |uuid: &str| page.info(uuid)["calculated_rate_kbps"].as_f64().unwrap();
    let (ra, rb) = (rate(&a), rate(&b));
    assert!(ra / rb < 1.7 && rb / ra < 1.7, "they share: {ra} and {rb} kbit/s");

    page.must("stop", &a);
    page.wait_status(&a, "cancelled", SOON);
    until_true("the other one gets what was set free", SOON, || rate(&b) > limit * 0.80);
    let alone = measured(&relay, Duration::from_secs(4));
    assert!((limit * 0.80..limit * 1.05).contains(&alone), "{alone:.0} kbit/s of {limit}");
}
