//! The time from a page's `startTransfer` to the first bytes of content at the target, with the agent running: what a user
//! waits for after a click.

use crate::table;
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, tree};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Finer than the harness's own pause: the result is some tens of milliseconds.
const LOOK: Duration = Duration::from_millis(1);

/// Measures and prints; returns the same as JSON.
pub(crate) fn run(rounds: usize) -> Value {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = scratch.path("here/file.bin");
    tree::file(&source, 2 << 20, 2);
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://bench.example", "the-benchmark-has-an-app-id");
    page.pick_files(&[&source]);
    let (mut answered, mut arrived) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let root = format!("/round-{round}");
        let folder = server.docroot().join(&root[1..]);
        let spec = server.spec(
            "send",
            server.data.port(),
            json!({"paths": [{"source": source}], "destination_root": root, "create_dir": true}),
        );
        let begin = Instant::now();
        let uuid = page.start(&spec);
        answered.push(begin.elapsed().as_secs_f64() * 1e3);
        while !has_content(&folder) {
            assert!(begin.elapsed() < SOON, "nothing arrived");
            std::thread::sleep(LOOK);
        }
        arrived.push(begin.elapsed().as_secs_f64() * 1e3);
        page.wait_status(&uuid, "completed", LONG);
    }
    let (first, second) = (table::median(&answered), table::median(&arrived));
    let rows = [
        ["from the page's start to".to_owned(), "milliseconds (median)".to_owned()].to_vec(),
        ["its answer".to_owned(), format!("{first:.0}")].to_vec(),
        ["the first bytes at the target".to_owned(), format!("{second:.0}")].to_vec(),
    ];
    table::print(&format!("From click to first byte, {rounds} rounds"), &rows);
    json!({"rounds": rounds, "answered_ms": answered, "first_byte_ms": arrived})
}

/// True once the file on its way has a byte that is not zero: neither an announced size nor reserved blocks are content.
fn has_content(folder: &Path) -> bool {
    ["file.bin", "file.bin.partial"]
        .iter()
        .any(|name| std::fs::read(folder.join(name)).is_ok_and(|bytes| bytes.iter().any(|b| *b != 0)))
}
