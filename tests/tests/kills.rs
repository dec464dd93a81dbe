//! Kills in mid-transfer: whoever dies, the transfer goes on from the last verified unit.
//!
//! The proof is the [`Relay`]'s count of the datagrams' bytes, which owes nothing to what our programs say: after the kill no
//! more than the unverified rest crosses the wire, plus headers; in all no more than the file, plus what was in flight.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Page, Relay, Scratch, Server, ServerOptions, processes, tree};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";
const MIB: u64 = 1024 * 1024;
/// One file: resume has to work inside a file, not only between files.
const SIZE: u64 = 128 * MIB;
/// Half of it must be verified before the kill.
const BEFORE: u64 = SIZE / 2;
/// Slow enough that a kill hits the middle.
const RATE_KBPS: u64 = 160_000;
/// Units begun and not yet verified at the kill (16 streams of a unit each), and datagrams under way. They are lost.
const IN_FLIGHT: u64 = 20 * MIB;
/// What may cross the wire after the kill beyond the rest: repeated questions, and a sender that has not noticed yet.
const AFTERWARDS: u64 = 8 * MIB;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Up,
    Down,
}

struct Case {
    way: Way,
    // Dropped in this order: processes before the folder.
    relay: Relay,
    server: Server,
    scratch: Scratch,
    source: PathBuf,
    target: PathBuf,
}

impl Case {
    fn new(way: Way) -> Self {
        Self::with(way, ServerOptions::default())
    }

    fn with(way: Way, options: ServerOptions) -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, options);
        let relay = Relay::to(server.data);
        let (here, there) = (scratch.path("here/big.bin"), server.docroot().join("there/big.bin"));
        let (source, target) = match way {
            Way::Up => (here, there),
            Way::Down => (there, here),
        };
        tree::file(&source, SIZE, 99);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        Self { way, relay, server, scratch, source, target }
    }

    fn begin(&self, page: &Page<'_>) -> String {
        let rate = json!({"rate_policy": "fixed", "target_rate_kbps": RATE_KBPS});
        let (direction, more) = match self.way {
            Way::Up => {
                page.pick_files(&[&self.source]);
                ("send", json!({"paths": [{"source": self.source}], "destination_root": "/there"}))
            }
            Way::Down => {
                let folder = self.target.parent().unwrap();
                page.pick_folders(&[folder]);
                ("receive", json!({"paths": [{"source": "/there/big.bin"}], "destination_root": folder}))
            }
        };
        let mut spec = self.server.spec(direction, self.relay.port(), more);
        godwit_tests::server::merge(&mut spec, rate);
        match self.way {
            Way::Up => page.start(&spec),
            Way::Down => page.start_absolute(&spec),
        }
    }

    /// Bytes that carried content so far.
    fn wire(&self) -> u64 {
        match self.way {
            Way::Up => self.relay.up(),
            Way::Down => self.relay.down(),
        }
    }

    /// After completion: same bytes, nothing left beside the file, and no verified unit was sent again.
    fn assert_resumed(&self, written: u64, wire_at_kill: u64) {
        tree::assert_same_file(&self.source, &self.target);
        let folder = self.target.parent().unwrap();
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["big.bin"], "no partial file and no journal stay behind");
        let (all, after, rest) = (self.wire(), self.wire() - wire_at_kill, SIZE - written);
        eprintln!("verified {written} before the kill, {rest} missing, {after} sent after it, {all} in all");
        // 6 % covers the headers of QUIC and a few retransmissions.
        let with_headers = |bytes: u64| bytes + bytes * 6 / 100;
        assert!(
            after <= with_headers(rest) + AFTERWARDS,
            "verified units were sent again: {after} bytes after the kill, when {rest} were missing"
        );
        assert!(
            all <= with_headers(SIZE) + IN_FLIGHT,
            "{all} bytes for a file of {SIZE}: more than what was in flight at the kill was sent twice"
        );
        assert!(self.wire() >= SIZE, "the relay saw all of it");
    }

    fn final_name_is_absent(&self) -> bool {
        !self.target.exists()
    }
}

fn worker_dies(way: Way) {
    let case = Case::new(way);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    let written = page.wait_written(&uuid, BEFORE, LONG);
    let workers = case.scratch.workers();
    assert_eq!(workers.len(), 1, "one worker per session");
    processes::kill_hard(workers[0]);
    let wire = case.wire();
    assert!(case.final_name_is_absent(), "no half a file under the final name");
    page.wait_status(&uuid, "completed", LONG);
    case.assert_resumed(written, wire);
    let view = browser.status().transfers.into_iter().find(|t| t.uuid == uuid).unwrap();
    assert!(view.attempts >= 2, "the kill made another attempt necessary: {view:?}");
}

#[test]
fn an_upload_whose_worker_is_killed_goes_on_from_the_last_verified_unit() {
    worker_dies(Way::Up);
}

#[test]
fn a_download_whose_worker_is_killed_goes_on_from_the_last_verified_unit() {
    worker_dies(Way::Down);
}

fn server_dies(way: Way) {
    let mut case = Case::new(way);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    let written = page.wait_written(&uuid, BEFORE, LONG);
    case.server.kill();
    let wire = case.wire();
    assert!(case.final_name_is_absent(), "no half a file under the final name");
    case.server.restart();
    page.wait_status(&uuid, "completed", LONG);
    case.assert_resumed(written, wire);
}

#[test]
fn an_upload_goes_on_from_the_last_verified_unit_after_the_server_was_killed_and_restarted() {
    server_dies(Way::Up);
}

#[test]
fn a_download_goes_on_from_the_last_verified_unit_after_the_server_was_killed_and_restarted() {
    server_dies(Way::Down);
}

fn agent_dies(way: Way) {
    let case = Case::new(way);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    let written = page.wait_written(&uuid, BEFORE, LONG);
    let agent = browser.status().pid;
    processes::kill_hard(agent);
    until_true("the workers end with their agent", SOON, || case.scratch.workers().is_empty());
    let wire = case.wire();
    assert!(case.final_name_is_absent(), "no half a file under the final name");
    drop(browser);

    let browser = Browserish::open(&case.scratch);
    assert_ne!(browser.status().pid, agent, "another agent was started");
    let page = browser.page(SITE, APP);
    let listed = page.activity(0);
    assert_eq!(listed["transfers"][0]["uuid"], json!(uuid), "the transfer is still in the queue: {listed}");
    assert_eq!(listed["result_count"], json!(1));
    page.wait_status(&uuid, "completed", LONG);
    case.assert_resumed(written, wire);
}

#[test]
fn an_upload_survives_the_agents_kill_in_the_queue_and_completes_from_where_it_was() {
    agent_dies(Way::Up);
}

#[test]
fn a_download_survives_the_agents_kill_in_the_queue_and_completes_from_where_it_was() {
    agent_dies(Way::Down);
}

#[test]
fn h18_a_transfer_goes_on_when_the_browser_is_killed_and_a_new_one_sees_it_completed() {
    let case = Case::new(Way::Up);
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    page.wait_written(&uuid, SIZE / 8, LONG);
    browser.kill();
    until_true("the upload completes without a browser", LONG, || case.target.exists());
    let browser = Browserish::open(&case.scratch);
    let info = browser.page(SITE, APP).wait_status(&uuid, "completed", SOON);
    assert_eq!(info["bytes_written"], json!(SIZE));
    tree::assert_same_file(&case.source, &case.target);
}

#[test]
fn a_server_told_to_stop_ends_in_time_and_the_client_completes_after_its_restart() {
    // One second is less than the rest needs: the session is cut, and cleanly.
    let mut case = Case::with(Way::Up, ServerOptions { drain_seconds: Some(1), ..ServerOptions::default() });
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    let written = page.wait_written(&uuid, BEFORE, LONG);
    let wire = case.wire();
    let status = case.server.terminate(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "a drained server ends well");
    assert!(case.final_name_is_absent(), "the rest needs more than a second");
    case.server.restart();
    page.wait_status(&uuid, "completed", LONG);
    case.assert_resumed(written, wire);
}

#[test]
fn a_server_told_to_stop_lets_running_sessions_end_and_takes_no_new_ones() {
    let mut case = Case::with(Way::Up, ServerOptions { drain_seconds: Some(60), ..ServerOptions::default() });
    let browser = Browserish::open(&case.scratch);
    let page = browser.page(SITE, APP);
    let uuid = case.begin(&page);
    page.wait_written(&uuid, BEFORE, LONG);
    let status = case.server.terminate(Duration::from_secs(60));
    assert_eq!(status.code(), Some(0));
    tree::assert_same_file(&case.source, &case.target);
    let info = page.wait_status(&uuid, "completed", SOON);
    assert_eq!(info["bytes_written"], json!(SIZE), "{info}");
    let view = browser.status().transfers.into_iter().find(|t| t.uuid == uuid).unwrap();
    assert_eq!(view.attempts, 1, "the session was allowed to end");
}
