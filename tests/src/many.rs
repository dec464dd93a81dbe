//! A list of thousands of transfers, made in a second: a few real ones are started, and the copy of the database that the
//! agent leaves at its end is multiplied and imported again.
//!
//! Passwords cannot be multiplied (each is sealed for its own transfer), so the copies must never get their turn: three real
//! transfers, too slow to end, stand before them.

use crate::{Browserish, Scratch, Server, processes, tree};
use serde_json::{Value, json};
use std::time::Duration;

/// The application of every page.
pub const APP: &str = "an-unguessable-app-id-4711";
/// Transfers that run at once.
pub const RUNNING: usize = 3;

/// A site.
#[must_use]
pub fn site(n: usize) -> String {
    format!("https://app-{n}.example")
}

/// Fills the list: `count` transfers of `sites` sites, of which the first runs [`RUNNING`]. No agent runs afterwards.
pub fn fill(scratch: &Scratch, server: &Server, count: usize, sites: usize) {
    let browser = Browserish::open(scratch);
    for n in 0..sites {
        browser.ui("ui.set-trust", json!({"pattern": site(n), "list": "trusted"})).unwrap();
    }
    tree::file(&server.docroot().join("large"), 64 << 20, 1);
    let page = browser.page(&site(0), APP);
    // A day for the slowest.
    let spec = |n: usize| {
        let more = json!({"paths": [{"source": "large", "destination": format!("large-{n}")}],
            "rate_policy": "fixed", "target_rate_kbps": 100});
        server.spec("receive", server.data.port(), more)
    };
    let uuids: Vec<String> = (0..=RUNNING).map(|n| page.start(&spec(n))).collect();
    let template = uuids.last().expect("one waits").clone();
    for uuid in &uuids[..RUNNING] {
        page.wait_status(uuid, "running", crate::wait::LONG);
    }
    shut_down(scratch, browser);
    let state = scratch.home().join("state/snapshot.json");
    let mut copy: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    multiply(&mut copy, &template, count, sites);
    let file = scratch.path("many.json");
    std::fs::write(&file, copy.to_string()).unwrap();
    let output =
        processes::output(scratch.command("godwit-agent").arg("--import").arg(&file), Duration::from_secs(120));
    assert!(output.status.success(), "--import: {}", String::from_utf8_lossy(&output.stderr));
}

/// Ends the agent, which leaves its copy of the database.
pub fn shut_down(scratch: &Scratch, browser: Browserish) {
    browser.ui("ui.shutdown", json!({})).unwrap();
    drop(browser);
    crate::wait::until_true("the agent ends", crate::wait::SOON, || scratch.agents().is_empty());
}

fn multiply(copy: &mut Value, template: &str, count: usize, sites: usize) {
    let trees = copy["trees"].as_object_mut().expect("trees");
    let (order, state) = (trees["transfers"][template].clone(), trees["states"][template].clone());
    let first = state["d"]["place"]["order"].as_u64().expect("a place");
    for n in 0..count - RUNNING - 1 {
        let uuid = format!("00000000-0000-4000-8000-{n:012}");
        let (mut order, mut state) = (order.clone(), state.clone());
        order["d"]["origin"] = json!(site(n % sites));
        order["d"]["title"] = json!(format!("copy {n}"));
        state["d"]["place"]["order"] = json!(first + (n as u64 + 1) * 1_000_000);
        trees["transfers"][&uuid] = order;
        trees["states"][&uuid] = state;
    }
}
