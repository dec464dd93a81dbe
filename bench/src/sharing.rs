//! Two on one clean line at the same time: what each of them gets between second 20 and second 50.

use crate::contestants::{Field, godwit};
use crate::journal::{Journal, Key, Measurement, Values};
use crate::lab::{Lab, Line};
use crate::lines::tenths;
use crate::options::Options;
use crate::processes::{end_group, pause};
use crate::report::Column;
use crate::servers::{self, Godwit, USER};
use godwit_tests::tree;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The table.
pub(crate) const COLUMNS: [Column; 7] = [
    ("first, Mbit/s", "first", 1),
    ("second, Mbit/s", "second", 1),
    ("first, % of the line", "part", 1),
    ("first : second", "ratio", 2),
    ("first / equal share", "equal", 2),
    ("Jain index", "jain", 3),
    ("queue, median ms", "queue_median", 0),
];

/// Mbit/s and milliseconds of the line.
const RATE: u32 = 100;
const DELAY: u32 = 20;
/// Counted from this second to that one.
const FROM: usize = 20;
const UNTIL: usize = 50;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// With this policy and no target.
    Godwit(&'static str),
    /// curl from nginx with this congestion control.
    Tcp(&'static str),
}

const PAIRS: [(&str, &str, Flow, Option<Flow>); 6] = [
    ("fair-cubic", "fair and TCP CUBIC", Flow::Godwit("fair"), Some(Flow::Tcp("cubic"))),
    ("fair-bbr", "fair and TCP BBR", Flow::Godwit("fair"), Some(Flow::Tcp("bbr"))),
    ("fair-fair", "fair and fair", Flow::Godwit("fair"), Some(Flow::Godwit("fair"))),
    ("high-fair", "high and fair", Flow::Godwit("high"), Some(Flow::Godwit("fair"))),
    ("low-cubic", "low and TCP CUBIC", Flow::Godwit("low"), Some(Flow::Tcp("cubic"))),
    ("low", "low alone", Flow::Godwit("low"), None),
];

/// About how long it takes, in seconds.
pub(crate) fn estimate(options: &Options) -> f64 {
    let pairs = PAIRS.iter().filter(|pair| options.wants(pair.0)).count();
    (pairs * options.rounds * (UNTIL + 3)) as f64 + 5.0
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    let field = Field::open(Lab::wan(), &options.folder("sharing"), false);
    // A server each: their flows are told apart by its port.
    let other = Godwit::start(&field.lab, &field.folder, &field.docroot, "");
    let nginx = servers::nginx(&field.lab, &field.folder, &field.docroot);
    // More than the whole line carries in that time.
    tree::file(&field.docroot.join("file.bin"), u64::from(RATE) * 125_000 * (UNTIL as u64 + 10), 1);
    let row = format!("{RATE} Mbit/s, {DELAY} ms, queue {} ms", options.queue);
    for round in 1..=options.rounds {
        for (id, name, first, second) in PAIRS {
            let key = Key { part: "sharing".into(), row: row.clone(), contestant: name.to_owned(), round };
            if !options.wants(id) || journal.has(&key) {
                continue;
            }
            let congestion = [Some(first), second].into_iter().flatten().find_map(|flow| match flow {
                Flow::Tcp(name) => Some(name),
                Flow::Godwit(_) => None,
            });
            let line = Line { rate: RATE, delay: DELAY, queue: options.queue, ..Line::default() };
            let link = field.lab.connect(&line, congestion.unwrap_or("cubic"), &field.folder);
            let begin = Instant::now();
            let mut ports = Vec::new();
            let mut children = Vec::new();
            for (flow, server, out) in [(Some(first), &field.godwit, "a"), (second, &other, "b")] {
                let (command, port) = match flow {
                    Some(Flow::Godwit(policy)) => (ours(&field, server, policy, out), server.service.port),
                    Some(Flow::Tcp(_)) => {
                        let Some(nginx) = &nginx else { continue };
                        (curl(&field, nginx.port, out), nginx.port)
                    }
                    None => continue,
                };
                ports.push(port);
                children.push(start(command));
            }
            let end = Duration::from_secs(UNTIL as u64 + 1);
            pause(end.saturating_sub(begin.elapsed()));
            let early = children.iter_mut().any(|child| child.try_wait().is_ok_and(|end| end.is_some()));
            children.iter_mut().for_each(end_group);
            let line = link.end();
            let note = if early { "one ended early".to_owned() } else { String::new() };
            journal.add(Measurement { key, values: shares(&line["b_to_a"], &ports), note });
        }
    }
}

/// The figures of two flows to the client that come from these ports; of one, its own.
fn shares(direction: &Value, ports: &[u16]) -> Values {
    let mbit = |port: &u16| {
        let spans = tenths(direction, |flow| flow["from"].as_u64() == Some(u64::from(*port)));
        let bytes: u64 = spans.iter().take(UNTIL * 10).skip(FROM * 10).sum();
        bytes as f64 * 8e-6 / (UNTIL - FROM) as f64
    };
    let rates: Vec<f64> = ports.iter().map(mbit).collect();
    let mut values = Values::new();
    let mut add = |name: &str, value: f64| values.insert(name.to_owned(), value);
    add("queue_median", direction["queue_ms"]["median"].as_f64().unwrap_or(f64::NAN));
    if let Some(first) = rates.first() {
        add("first", *first);
        add("part", *first / f64::from(RATE) * 100.0);
    }
    if let [first, second] = rates[..] {
        add("second", second);
        add("ratio", first / second);
        add("equal", 2.0 * first / (first + second));
        // Jain, Chiu, Hawe: "A quantitative measure of fairness" (1984).
        add("jain", (first + second).powi(2) / (2.0 * (first * first + second * second)));
    }
    values
}

fn ours(field: &Field, server: &Godwit, policy: &str, out: &str) -> Command {
    let out = emptied(field, out);
    let mut command = godwit(field, server);
    command.args(["--policy", policy]).arg(format!("{USER}@{}:/file.bin", field.lab.address())).arg(out.join(""));
    command
}

fn curl(field: &Field, port: u16, out: &str) -> Command {
    let out = emptied(field, out);
    let mut command = field.lab.here("curl");
    command.args(["--insecure", "--silent", "--output"]).arg(out.join("file.bin"));
    command.arg(format!("https://{}:{port}/file.bin", field.lab.address()));
    command
}

fn emptied(field: &Field, name: &str) -> std::path::PathBuf {
    let folder = field.out.join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn start(mut command: Command) -> std::process::Child {
    let command = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shares_are_counted_between_second_20_and_50() {
        // 100 kB in a tenth of a second are 8 Mbit/s; what is before and after does not count.
        let flow = |port: u16, bytes: u64| {
            let spans: Vec<u64> = (0..600).map(|n| if (200..500).contains(&n) { bytes } else { 9_000_000 }).collect();
            json!({"from": port, "bytes_per_100ms": spans})
        };
        let direction = json!({"flows": [flow(1, 100_000), flow(2, 50_000), flow(3, 1)], "queue_ms": {"median": 7}});
        let values = shares(&direction, &[1, 2]);
        let near = |name: &str, value: f64| assert!((values[name] - value).abs() < 1e-6, "{name}: {values:?}");
        near("first", 8.0);
        near("second", 4.0);
        near("ratio", 2.0);
        near("equal", 4.0 / 3.0);
        near("jain", 0.9);
        near("queue_median", 7.0);
        assert!(!shares(&direction, &[1]).contains_key("jain"));
    }
}
