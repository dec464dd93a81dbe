//! Resident memory of both ends while one file is moved, and of the server afterwards: it shall depend neither on the size
//! of the file nor on what the line holds.

use crate::contestants::{Contestant, Field};
use crate::copy::{Compare, copy};
use crate::journal::{Journal, Key, Measurement, Values};
use crate::lab::{Lab, Line};
use crate::options::Options;
use crate::report::Column;
use godwit_tests::tree;
use std::time::Duration;

/// The table.
pub(crate) const COLUMNS: [Column; 8] = [
    ("at rest, MiB", "rest", 1),
    ("upload, highest MiB", "up", 1),
    ("download, highest MiB", "down", 1),
    ("afterwards, MiB", "after", 1),
    ("client, highest MiB", "client_memory", 1),
    ("server, highest MiB", "server_memory", 1),
    ("server, afterwards MiB", "server_after", 1),
    ("Mbit/s", "mbit", 0),
];

const RATE: u32 = 500;
const DELAY: u32 = 100;
const MEGABYTES: [u32; 2] = [1000, 4000];
const PATIENCE: Duration = Duration::from_secs(400);

fn sizes(options: &Options) -> Vec<u32> {
    MEGABYTES.map(|size| if options.short { size / 10 } else { size }).to_vec()
}

/// About how long it takes, in seconds.
pub(crate) fn estimate(options: &Options) -> f64 {
    let megabytes: f64 = sizes(options).into_iter().map(f64::from).sum();
    let ways = options.directions().len() as f64;
    let line = if options.wants("wan") { megabytes / 55.0 + 6.0 } else { 0.0 };
    let loopback = if options.wants("loopback") { megabytes / 200.0 + 2.0 } else { 0.0 };
    ways * (line + loopback) + if options.wants("agent") { 40.0 } else { 0.0 }
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    for (id, is_line) in [("wan", true), ("loopback", false)] {
        if !options.wants(id) {
            continue;
        }
        let lab = if is_line { Lab::wan() } else { Lab::Loopback };
        let field = Field::open(lab, &options.folder("memory"), false);
        for megabytes in sizes(options) {
            let item = format!("file-{megabytes}.bin");
            tree::file(&field.here.join(&item), u64::from(megabytes) * 1_000_000, 1);
            field.share(&item);
            let place = if is_line { format!("{RATE} Mbit/s, {DELAY} ms one way") } else { "loopback".to_owned() };
            for up in options.directions() {
                let who = Contestant::godwit(is_line.then_some(RATE), up, false);
                let key = Key {
                    part: "memory".into(),
                    row: format!("Memory, {place}"),
                    contestant: format!("{}, {megabytes} MB", who.name),
                    round: 1,
                };
                if journal.has(&key) {
                    continue;
                }
                let line = Line { rate: RATE, delay: DELAY, queue: 100, ..Line::default() };
                let link = is_line.then(|| field.lab.connect(&line, who.congestion, &field.folder));
                let Some(copied) = copy(&field, &who, &item, PATIENCE, Compare::Bytes) else { continue };
                drop(link);
                let mut values: Values = copied.values();
                let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
                values.insert("client_memory".into(), mebibytes(copied.run.memory));
                values.insert("server_memory".into(), mebibytes(copied.server_memory.0));
                values.insert("server_after".into(), mebibytes(copied.server_memory.1));
                journal.add(Measurement { key, values, note: copied.note(PATIENCE) });
            }
        }
    }
    if options.wants("agent") {
        crate::agent_memory::run(if options.short { 100 } else { 1000 }, journal);
    }
}
