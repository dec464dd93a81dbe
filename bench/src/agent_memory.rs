//! Resident memory of host, agent, worker and server: at rest, and the highest seen while a file is moved each way.

use crate::journal::{Journal, Key, Measurement};
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree, until};
use serde_json::json;
use std::collections::BTreeMap;

const PARTS: [&str; 4] = ["godwit-host", "godwit-agent", "godwit-worker", "godwit-server"];

/// Highest resident bytes by program.
type Peaks = BTreeMap<String, u64>;

/// Measures, each way once.
pub(crate) fn run(megabytes: u32, journal: &mut Journal) {
    let key = |part: &str| Key {
        part: "memory".into(),
        row: format!("Memory, through the agent, loopback, {megabytes} MB"),
        contestant: part.into(),
        round: 1,
    };
    if journal.has(&key(PARTS[0])) {
        return;
    }
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = scratch.path("here/file.bin");
    tree::file(&source, u64::from(megabytes) * 1_000_000, 2);
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://bench.example", "the-benchmark-has-an-app-id");
    assert_eq!(page.get("/connect/info/version").0, 200);

    let mut rest = Peaks::new();
    look(&scratch, &server, &mut rest);

    page.pick_files(&[&source]);
    let spec = server.spec(
        "send",
        server.data.port(),
        json!({"paths": [{"source": source}], "destination_root": "/up", "create_dir": true}),
    );
    let up = follow(&scratch, &server, &page, &page.start(&spec));
    let spec = server.spec("receive", server.data.port(), json!({"paths": [{"source": "/up/file.bin"}]}));
    let down = follow(&scratch, &server, &page, &page.start(&spec));

    // Once the workers have gone: what is kept of all this.
    until("the workers end", SOON, || scratch.workers().is_empty().then_some(()));
    let mut after = Peaks::new();
    look(&scratch, &server, &mut after);

    let columns = [("rest", &rest), ("up", &up), ("down", &down), ("after", &after)];
    for part in PARTS {
        let figure =
            |(name, peaks): &(&str, &Peaks)| Some(((*name).to_owned(), *peaks.get(part)? as f64 / 1_048_576.0));
        let values = columns.iter().filter_map(figure).collect();
        journal.add(Measurement { key: key(part), values, note: String::new() });
    }
}

fn follow(scratch: &Scratch, server: &Server, page: &godwit_tests::Page<'_>, uuid: &str) -> Peaks {
    let mut peaks = Peaks::new();
    until("the transfer completes", LONG * 10, || {
        look(scratch, server, &mut peaks);
        let info = page.info(uuid);
        assert_ne!(info["status"], "failed", "{info}");
        (info["status"] == "completed").then_some(())
    });
    peaks
}

fn look(scratch: &Scratch, server: &Server, peaks: &mut Peaks) {
    for pid in processes::of_home(&scratch.home()).into_iter().chain([server.pid()]) {
        let (name, bytes) = (processes::program(pid), processes::resident(pid));
        if PARTS.contains(&name.as_str()) {
            let peak = peaks.entry(name).or_default();
            *peak = bytes.max(*peak);
        }
    }
}
