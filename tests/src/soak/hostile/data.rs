//! What can be wrong with frames that are well-formed, and with data streams. For a receiver, the state is: entry 0 is
//! wanted, ten bytes at offset 0. For a sender: it has announced one file of three units.

use super::{Expect, PROTOCOL, Row, frame};
use crate::fake::{End, Step, sample, segment};
use godwit_protocol::wire::{MAX_CONTROL_FRAME, MAX_SEGMENT, SegmentHead, UNIT};
use serde_json::{Value, json};

const BROKEN: Expect = Expect::Code(&[PROTOCOL]);
/// What the ten bytes are.
const CONTENT: &[u8; 10] = b"0123456789";

/// Announces what is wanted in the state, and waits until it is. `name` is what the receiver allows.
pub(super) fn wanted(name: &str) -> Vec<Step> {
    vec![frame(json!({"t": "entries", "entries": [{"p": name, "k": "f", "s": 10}]})), Step::Expect("want")]
}

fn good() -> Vec<u8> {
    segment(0, CONTENT, &[*blake3::hash(CONTENT).as_bytes()])
}

/// The transfer goes on to its end.
fn over() -> Expect {
    let end = frame(json!({"t": "entries-end", "count": 1, "bytes": 10, "failed": []}));
    Expect::Lives(vec![end], "result")
}

/// Against a receiver of which entry 0 is wanted.
pub(super) fn to_receiver() -> Vec<Row> {
    let data = |bytes: Vec<u8>| vec![Step::Data(bytes, End::Finish)];
    let head = |offset: u64, length: u64| SegmentHead { offset, length }.encode().to_vec();
    let value = [*blake3::hash(CONTENT).as_bytes()];
    let mut rows = vec![
        Row::new("a head of ones", data(vec![0xff; 16]), BROKEN),
        Row::new("a head of zeros", data(vec![0; 16]), BROKEN),
        Row::new("a head and nothing else", data(head(0, 10)), BROKEN),
        Row::new("half a head", data(vec![0; 7]), BROKEN),
        Row::new("an empty stream", data(Vec::new()), BROKEN),
        Row::new("a segment longer than allowed", data(head(0, MAX_SEGMENT + 1)), BROKEN),
        Row::new("a segment that ends beyond 2^64", data(head(u64::MAX, 1)), BROKEN),
        Row::new("a segment at 2^63", data(segment(1 << 63, CONTENT, &value)), BROKEN),
        Row::new("a segment beyond the manifest", data(segment(10, CONTENT, &value)), BROKEN),
        Row::new("a segment that runs over the manifest's end", data(segment(0, &[7; 11], &value)), BROKEN),
        Row::new("a segment that begins within a unit", data(segment(3, &[7; 7], &value)), BROKEN),
        Row::new("a segment that ends within a unit", data(segment(0, &[7; 9], &value)), BROKEN),
        Row::new("a trailer cut short", data(good()[..50].to_vec()), BROKEN),
        Row::new("a trailer too long", data([good(), vec![0; 32]].concat()), BROKEN),
        Row::new("a stream that never ends", vec![Step::Endless(head(0, 10))], BROKEN),
        Row::new("a stream of noise that never ends", vec![Step::Endless(Vec::new())], BROKEN),
        Row::new(
            "the same segment twice",
            [data(good()), data(good()), vec![frame(sample("joined"))]].concat(),
            Expect::Error,
        ),
        Row::new(
            "the same segment twice at once, halves first",
            vec![
                Step::Data(good()[..20].to_vec(), End::Open),
                Step::Data(good(), End::Finish),
                Step::Expect("files"),
                Step::Data(good(), End::Finish),
            ],
            BROKEN,
        ),
        Row::new(
            "a reset, then the real thing",
            vec![Step::Data(good()[..20].to_vec(), End::Reset), Step::Data(good(), End::Finish), Step::Expect("files")],
            over(),
        ),
        Row::new(
            "a wrong value, then the right one",
            vec![
                Step::Data(segment(0, CONTENT, &[[9; 32]]), End::Finish),
                Step::Expect("want"),
                Step::Data(good(), End::Finish),
                Step::Expect("files"),
            ],
            over(),
        ),
        Row::new(
            "wrong values without end",
            (0..4)
                .flat_map(|n| {
                    let expect = if n < 3 { "want" } else { "files" };
                    [Step::Data(segment(0, CONTENT, &[[n; 32]]), End::Finish), Step::Expect(expect)]
                })
                .collect(),
            over(),
        ),
        Row::new("the control stream ends", vec![Step::Finish], Expect::End),
        Row::new("the control stream is reset", vec![Step::Reset], Expect::End),
        Row::new(
            "a further bidirectional stream",
            vec![Step::Second, Step::Data(good(), End::Finish), Step::Expect("files")],
            over(),
        ),
        Row::new("no ear for answers", vec![Step::Deaf, Step::Data(good(), End::Finish)], Expect::Leave),
        Row::new(
            "a connection closed in mid-segment",
            vec![Step::Data(good()[..20].to_vec(), End::Open)],
            Expect::Leave,
        ),
    ];
    let broken = |name: &str, value: Value| Row::new(name, vec![frame(value)], BROKEN);
    let entry = json!({"p": "x", "k": "f", "s": 1});
    rows.extend([
        broken("a folder with content", json!({"t": "entries", "entries": [{"p": "d", "k": "d", "s": 5}]})),
        broken(
            "sizes that overflow",
            json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": u64::MAX}, {"p": "b", "k": "f", "s": 2}]}),
        ),
        broken("a frame of too many entries", json!({"t": "entries", "entries": vec![entry; 1_001]})),
        broken("a count that is wrong", json!({"t": "entries-end", "count": 2, "bytes": 10, "failed": []})),
        broken("bytes that are wrong", json!({"t": "entries-end", "count": 1, "bytes": 11, "failed": []})),
        broken("an answer that nobody asked for", json!({"t": "compared", "entries": [[0, true]]})),
        broken("units that nobody asked about", json!({"t": "checked", "entry": 0, "same": [0]})),
        broken(
            "a change of an entry that is not there",
            json!({"t": "again", "replaces": 7, "entry": {"p": "f", "k": "f", "s": 1}}),
        ),
        broken(
            "an unreadable entry that is not there",
            json!({"t": "unreadable", "entry": 7, "failure": {"code": 4, "message": ""}}),
        ),
        Row::new(
            "a frame longer than allowed",
            vec![Step::Raw((MAX_CONTROL_FRAME as u32 + 1).to_le_bytes().to_vec())],
            BROKEN,
        ),
        Row::new("a frame of four gigabytes", vec![Step::Raw(u32::MAX.to_le_bytes().to_vec())], BROKEN),
        Row::new(
            "a second end of the manifest",
            vec![
                frame(json!({"t": "entries-end", "count": 1, "bytes": 10, "failed": []})),
                frame(json!({"t": "entries-end", "count": 1, "bytes": 10, "failed": []})),
            ],
            BROKEN,
        ),
        Row::new(
            "entries after the end",
            vec![
                frame(json!({"t": "entries-end", "count": 1, "bytes": 10, "failed": []})),
                frame(json!({"t": "entries", "entries": [{"p": "later", "k": "f", "s": 0}]})),
            ],
            BROKEN,
        ),
    ]);
    for bad in ["../x", "/etc/x", "a/../../x", "a//b", ".", "", "a\u{0}b", "a\\b", "x/..", "\u{202e}x"] {
        let value = json!({"t": "entries", "entries": [{"p": bad, "k": "f", "s": 0}]});
        rows.push(Row::new(format!("the name {bad:?}"), vec![frame(value)], Expect::Code(&[41, 1])));
    }
    rows
}

/// Against a sender that has announced one file of three units.
pub(super) fn to_sender() -> Vec<Row> {
    let span = |start: u64, end: u64| vec![frame(json!({"t": "want", "spans": [[start, end]]}))];
    let files = |entry: Value| {
        vec![frame(json!({"t": "files", "files": [{"entry": entry, "outcome": "completed", "resumed": 0}]}))]
    };
    let zero = "0".repeat(64);
    let over = || {
        Expect::Lives(vec![frame(json!({"t": "result", "completed": 1, "skipped": 0, "failed": 0, "bytes": 0}))], "bye")
    };
    vec![
        Row::new("a wish for nothing", span(0, 0), BROKEN),
        Row::new("a wish that ends before it begins", span(UNIT, 0), BROKEN),
        Row::new("a wish beyond the manifest", span(0, 4 * UNIT), BROKEN),
        Row::new("a wish up to 2^64", span(0, u64::MAX), BROKEN),
        Row::new("a wish that begins within a unit", span(5, UNIT), BROKEN),
        Row::new("a wish that ends within a unit", span(0, UNIT - 1), BROKEN),
        Row::new(
            "overlapping wishes",
            vec![frame(json!({"t": "want", "spans": [[0, 2 * UNIT], [UNIT, 3 * UNIT]]}))],
            over(),
        ),
        Row::new("the end of an entry that is not there", files(json!(7)), BROKEN),
        Row::new("the end of no entry", files(Value::Null), BROKEN),
        Row::new("the end of an entry twice", [files(json!(0)), files(json!(0))].concat(), BROKEN),
        Row::new("a wish for what has ended", [files(json!(0)), span(0, UNIT)].concat(), over()),
        Row::new(
            "a comparison of an entry that is not there",
            vec![frame(json!({"t": "compare", "entries": [[7, zero]]}))],
            BROKEN,
        ),
        Row::new(
            "a check of an entry that is not there",
            vec![frame(json!({"t": "check", "entry": 7, "units": [[0, zero]]}))],
            BROKEN,
        ),
        Row::new(
            "a check of units that are not there",
            vec![frame(json!({"t": "check", "entry": 0, "units": [[3, zero]]}))],
            Expect::Error,
        ),
        Row::new(
            "a check of more units than allowed",
            vec![frame(json!({"t": "check", "entry": 0, "units": vec![json!([0, "0"]); 4_097]}))],
            BROKEN,
        ),
        Row::new("data from a receiver", vec![Step::Data(good(), End::Finish)], over()),
        Row::new(
            "a data stream that is stopped",
            [span(0, 3 * UNIT), vec![Step::StopTheirs, frame(sample("joined"))]].concat(),
            Expect::Error,
        ),
        Row::new("the control stream ends", vec![Step::Finish], Expect::End),
        Row::new("the control stream is reset", vec![Step::Reset], Expect::End),
        Row::new("a frame of four gigabytes", vec![Step::Raw(u32::MAX.to_le_bytes().to_vec())], BROKEN),
        Row::new(
            "impossible progress",
            vec![
                frame(json!({"t": "progress", "written": u64::MAX, "received": u64::MAX})),
                frame(json!({"t": "progress", "written": 0, "received": 0})),
            ],
            over(),
        ),
        Row::new("a close in mid-stream", span(0, 3 * UNIT), Expect::Leave),
    ]
}
