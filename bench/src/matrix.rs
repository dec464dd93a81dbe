//! Wide-area lines: one file, each line, Godwit and its peers, both ways.

use crate::contestants::{Contestant, Field, Program};
use crate::copy::{Compare, copy};
use crate::journal::{Journal, Key, Measurement};
use crate::lab::Lab;
use crate::lines::{ROWS, Row};
use crate::options::Options;
use crate::report::Column;
use godwit_tests::tree;
use std::time::Duration;

/// The table.
pub(crate) const COLUMNS: [Column; 10] = [
    ("seconds", "seconds", 1),
    ("Mbit/s", "mbit", 1),
    ("% of the limit", "share", 1),
    ("queue, median ms", "queue_median", 0),
    ("queue, 95 % ms", "queue_p95", 0),
    ("bytes sent / file", "wire", 3),
    ("CPU s, both ends", "cpu", 1),
    ("lost in the queue", "dropped", 0),
    ("back at 85 % after s", "recovery", 1),
    ("lowest second then, %", "lowest", 0),
];

/// Our own are not cut, but one that hangs must not hang the rest.
const PATIENCE: Duration = Duration::from_secs(400);

/// What there is to do.
fn contestants(row: &Row, options: &Options) -> Vec<Contestant> {
    let mut all = Vec::new();
    for up in options.directions() {
        if row.full {
            all.push(Contestant::godwit(Some(row.line.rate), up, false));
        }
        all.push(Contestant::godwit(None, up, false));
    }
    if row.full && !options.no_peers {
        let qcp = Program::Qcp { rate: row.line.rate, round_trip: 2 * row.line.delay };
        all.extend([
            Contestant::peer("curl, TLS 1.3, BBR", Program::Curl, false, "bbr"),
            Contestant::peer("curl, TLS 1.3, CUBIC", Program::Curl, false, "cubic"),
            Contestant::peer("aria2 × 16, BBR", Program::Aria2, false, "bbr"),
            Contestant::peer("rsync, BBR", Program::Rsync, false, "bbr"),
            Contestant::peer("scp, BBR", Program::Scp, false, "bbr"),
            Contestant::peer("qcp", qcp, false, "bbr"),
        ]);
    }
    all
}

/// About how long it takes, in seconds.
pub(crate) fn estimate(options: &Options) -> f64 {
    let rows = ROWS.iter().filter(|row| options.wants(row.id)).map(|row| options.sized(row));
    rows.map(|row| {
        let (best, limit) = (row.best_seconds(), options.limit().as_secs_f64());
        let one = |who: &Contestant| match who.program {
            Program::Godwit { .. } => options.rounds as f64 * (best * 1.1 + 4.0),
            // As a rule peers are cut, once, except the best of them.
            Program::Aria2 => options.rounds as f64 * (best * 1.5 + 3.0).min(limit),
            _ => limit.min(best * 4.0) + 3.0,
        };
        contestants(&row, options).iter().map(one).sum::<f64>() + 10.0
    })
    .sum()
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    let field = Field::open(Lab::wan(), &options.folder("wan"), !options.no_peers);
    for row in ROWS.iter().filter(|row| options.wants(row.id)).map(|row| options.sized(row)) {
        let item = "file.bin";
        tree::file(&field.here.join(item), u64::from(row.megabytes) * 1_000_000, 1);
        field.share(item);
        let all = contestants(&row, options);
        for round in 1..=options.rounds {
            for who in &all {
                measure(&field, &row, who, item, round, options, journal);
            }
        }
        for place in [&field.here, &field.docroot] {
            std::fs::remove_file(place.join(item)).unwrap();
        }
    }
}

fn measure(
    field: &Field,
    row: &Row,
    who: &Contestant,
    item: &str,
    round: usize,
    options: &Options,
    journal: &mut Journal,
) {
    let key = Key { part: "wan".into(), row: row.title(), contestant: who.name.clone(), round };
    // Whoever was cut would be again: once tells.
    let cut = journal.all().iter().any(|m| {
        m.key.part == key.part && m.key.row == key.row && m.key.contestant == key.contestant && !m.note.is_empty()
    });
    if journal.has(&key) || cut {
        return;
    }
    let link = field.lab.connect(&row.line, who.congestion, &field.folder);
    let ours = matches!(who.program, Program::Godwit { .. });
    let limit = if ours { PATIENCE } else { options.limit() };
    let Some(copied) = copy(field, who, item, limit, Compare::Bytes) else { return };
    let line = link.end();
    let mut values = copied.values();
    let direction = &line[if who.up { "a_to_b" } else { "b_to_a" }];
    let figure = |value: &serde_json::Value| value.as_f64().unwrap_or(f64::NAN);
    let mut add = |name: &str, value: f64| values.insert(name.to_owned(), value);
    add("share", copied.bytes as f64 / row.possible(copied.run.seconds) * 100.0);
    add("queue_median", figure(&direction["queue_ms"]["median"]));
    add("queue_p95", figure(&direction["queue_ms"]["p95"]));
    add("wire", figure(&direction["offered_bytes"]) / copied.bytes.max(1) as f64);
    add("dropped", figure(&direction["dropped"]));
    add("line_late_p95", figure(&direction["late_ms"]["p95"]));
    if let Some(recovery) = row.recovery(direction) {
        add("recovery", recovery.reached);
        add("lowest", recovery.lowest);
    }
    journal.add(Measurement { key, values, note: copied.note(limit) });
}
