//! Too much of everything. The interest is in memory and time, not in the words of the answer.

use super::{Expect, PROTOCOL, Row, frame};
use crate::fake::{End, Step, sample, segment};
use godwit_protocol::wire::{SegmentHead, UNIT};
use serde_json::{Value, json};

/// Memory that one hostile session may cost at its peak, beyond what the process had.
pub(super) const MEMORY: u64 = 150 * 1024 * 1024;

/// Against a receiver of which entry 0, ten bytes, is wanted.
pub(super) fn to_receiver(size: u32) -> Vec<Row> {
    let end = || frame(json!({"t": "entries-end", "count": 1, "bytes": 10, "failed": []}));
    let good = || Step::Data(segment(0, b"0123456789", &[*blake3::hash(b"0123456789").as_bytes()]), End::Finish);
    let over = || Expect::Lives(vec![end(), good()], "result");
    let beginning = SegmentHead { offset: 0, length: 10 }.encode().to_vec();
    vec![
        Row::new("signs of life", vec![Step::Flood(size, sample("alive"))], over()).within(60),
        Row::new("unknown frames", vec![Step::Flood(size, sample("telepathy"))], over()).within(60),
        Row::new(
            "failures",
            vec![Step::Flood(size / 10, sample("failed"))],
            Expect::Lives(vec![end(), good()], "result"),
        )
        .within(60),
        Row::new(
            "streams that are reset",
            vec![Step::Streams(size / 50, beginning.clone(), End::Reset)],
            Expect::Code(&[PROTOCOL]),
        )
        .within(60),
        Row::new("streams that say nothing more", vec![Step::Streams(1_000, beginning, End::Open)], Expect::Leave),
        Row::new("streams without a head", vec![Step::Streams(1_000, vec![0; 3], End::Open)], Expect::Leave),
        Row::new("empty streams", vec![Step::Streams(size / 50, Vec::new(), End::Finish)], Expect::Code(&[PROTOCOL]))
            .within(60),
        Row::new("open entries", vec![Step::Frames(140, short_names)], Expect::Code(&[PROTOCOL])).within(60),
        Row::new("folders in folders", vec![Step::Frames(20, deep_folders)], Expect::Leave).within(60),
        Row::new(
            "an open frame",
            vec![Step::Raw(1_000_000_u32.to_le_bytes().to_vec()), Step::Raw(vec![b'['; 900_000])],
            Expect::Leave,
        ),
    ]
}

/// For the long form: takes half a minute where the bytes of names are not limited.
pub(super) fn names() -> Row {
    let name = "open entries with the longest names";
    Row::new(name, vec![Step::Frames(700, long_names)], Expect::Code(&[PROTOCOL])).within(60)
}

/// Against a sender that has announced one file of three units. What it sends is not read.
pub(super) fn to_sender(size: u32) -> Vec<Row> {
    let over = || Expect::Lives(vec![frame(sample("result"))], "bye");
    vec![
        Row::new("progress", vec![Step::Flood(size, sample("progress"))], over()).within(60),
        Row::new("new limits", vec![Step::Flood(size / 10, sample("set-rate"))], over()).within(60),
        Row::new("the same wish", vec![Step::Flood(size / 10, sample("want"))], over()).within(60),
        Row::new("many wishes", vec![Step::Frames(200, wishes)], Expect::Error).within(60),
        Row::new("comparisons of one file", vec![Step::Frames(100, comparisons)], Expect::Leave).within(60),
        Row::new("checks of one file", vec![Step::Frames(100, checks)], Expect::Leave).within(60),
    ]
}

fn entries(n: u64, count: u64, name: impl Fn(u64) -> String) -> Value {
    let entries: Vec<_> = (0..count).map(|m| json!({"p": name(n * count + m), "k": "f", "s": 1})).collect();
    json!({"t": "entries", "entries": entries})
}

fn short_names(n: u64) -> Value {
    entries(n, 1_000, |n| format!("f/{n}"))
}

fn long_names(n: u64) -> Value {
    let folder = "n".repeat(250);
    let above = vec![folder.as_str(); 15].join("/");
    entries(n, 200, |n| format!("f/{above}/{n}"))
}

fn deep_folders(n: u64) -> Value {
    let entries: Vec<_> =
        (0..500).map(|m| json!({"p": format!("f/{n}-{m}/{}", vec!["d"; 100].join("/")), "k": "d"})).collect();
    json!({"t": "entries", "entries": entries})
}

fn wishes(_: u64) -> Value {
    // Not to be joined, as each begins before the last one ends.
    json!({"t": "want", "spans": vec![[0, UNIT]; 10_000]})
}

fn comparisons(_: u64) -> Value {
    json!({"t": "compare", "entries": vec![json!([0, "0".repeat(64)]); 1_000]})
}

fn checks(_: u64) -> Value {
    let units: Vec<_> = (0..3).map(|n| json!([n, "0".repeat(64)])).collect();
    json!({"t": "check", "entry": 0, "units": units})
}
