//! A server facing a client that does not play by the rules, frame by frame.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod raw;

use common::{Server, content, snapshot};
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{Control, MAX_OPEN_ENTRIES, MAX_OPEN_PATHS, SegmentHead, UNIT};
use godwit_protocol::worker::FileOutcome;
use raw::Raw;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn t09_names_that_lead_elsewhere_never_reach_the_disk() {
    let temp = tempfile::tempdir().unwrap();
    let docroot = temp.path().join("docroot");
    std::fs::create_dir(&docroot).unwrap();
    std::os::unix::fs::symlink(temp.path(), docroot.join("out")).unwrap();
    let server = Server::start(&docroot);
    for bad in ["../x", "/etc/x", "a/../../x", "a//b", ".", "", "a\u{0}b", "a\\b", "x/.."] {
        let mut raw = Raw::uploading(&server).await;
        raw.entries(json!([{"p": bad, "k": "f", "s": 0}])).await;
        assert_eq!(raw.error().await, ErrorCode::BadPath, "{bad:?}");
    }
    // A link in the docroot is not a way out; only that entry fails.
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "out/x", "k": "f", "s": 0}, {"p": "out/d", "k": "d"}, {"p": "fine", "k": "f", "s": 0}]))
        .await;
    raw.frame(&json!({"t": "entries-end", "count": 3, "bytes": 0, "failed": []})).await;
    let Control::Result(result) = raw.expect(|c| matches!(c, Control::Result(_))).await else { unreachable!() };
    assert_eq!((result.completed, result.failed), (1, 2));
    assert!(!temp.path().join("x").exists() && !temp.path().join("d").exists());
    assert!(docroot.join("fine").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_names_that_are_too_long_or_would_show_as_others_end_the_session_and_the_longest_is_stored() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let folder = vec!["d".repeat(255); 16].join("/");
    for bad in [
        "x".repeat(256),
        "\u{e9}".repeat(128),
        "\u{1f9a4}".repeat(64),
        "a\nb".into(),
        "a\tb".into(),
        "a\u{7f}b".into(),
        "a\u{85}b".into(),
        "photo\u{202e}gpj.exe".into(),
        format!("{folder}/x"),
        vec!["d"; 257].join("/"),
    ] {
        let mut raw = Raw::uploading(&server).await;
        raw.entries(json!([{"p": bad, "k": "f", "s": 0}])).await;
        assert_eq!(raw.error().await, ErrorCode::BadPath, "{bad:?}");
    }
    // Bytes that are no UTF-8 are no frame.
    let mut raw = Raw::uploading(&server).await;
    raw.bytes(b"{\"t\":\"entries\",\"entries\":[{\"p\":\"a\xff\",\"k\":\"f\",\"s\":0}]}").await;
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    assert!(snapshot(temp.path()).is_empty());
    // A name in the other Unicode form is stored in ours; as long as may be, it counts in ours too.
    let (longest, decomposed) = ("x".repeat(255), "e\u{301}".repeat(127));
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": longest, "k": "f", "s": 0}, {"p": decomposed, "k": "f", "s": 0}])).await;
    raw.frame(&json!({"t": "entries-end", "count": 2, "bytes": 0, "failed": []})).await;
    let Control::Result(result) = raw.expect(|c| matches!(c, Control::Result(_))).await else { unreachable!() };
    assert_eq!((result.completed, result.failed), (2, 0));
    assert!(temp.path().join(longest).is_file() && temp.path().join("\u{e9}".repeat(127)).is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn t05_content_that_nobody_asked_for_ends_the_session() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let head = |offset, length| SegmentHead { offset, length };
    for (wild, length) in [(head(0, 5), 5), (head(100, 10), 10), (head(0, 11), 11), (head(3, 7), 7), (head(10, 1), 1)] {
        let mut raw = Raw::uploading(&server).await;
        raw.entries(json!([{"p": "f", "k": "f", "s": 10}])).await;
        raw.expect(|c| matches!(c, Control::Want { .. })).await;
        raw.segment(wild, &vec![0; length], &[0; 32]).await;
        assert_eq!(raw.error().await, ErrorCode::Protocol, "{wild:?}");
    }
    // The right content, twice.
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "g", "k": "f", "s": 10}, {"p": "h", "k": "f", "s": 10}])).await;
    raw.expect(|c| matches!(c, Control::Want { .. })).await;
    let good = blake3::hash(&[7; 10]);
    raw.segment(head(0, 10), &[7; 10], good.as_bytes()).await;
    raw.expect(|c| matches!(c, Control::Files { .. })).await;
    raw.segment(head(0, 10), &[7; 10], good.as_bytes()).await;
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    // Heads that are impossible, streams too long and too short.
    for (bytes, finish) in [(vec![0xff; 16], true), (head(0, 10).encode().to_vec(), true), (vec![1; 6_000_000], false)]
    {
        let mut raw = Raw::uploading(&server).await;
        raw.entries(json!([{"p": "i", "k": "f", "s": 10}])).await;
        raw.expect(|c| matches!(c, Control::Want { .. })).await;
        let mut stream = raw.connection.open_uni().await.unwrap();
        let _ = stream.write_all(&bytes).await;
        if finish {
            let _ = stream.finish();
        }
        assert_eq!(raw.error().await, ErrorCode::Protocol);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_with_a_wrong_value_is_asked_again_and_then_given_up() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let data = content(1, UNIT as usize + 5);
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "f", "k": "f", "s": data.len()}])).await;
    raw.frame(&json!({"t": "entries-end", "count": 1, "bytes": data.len(), "failed": []})).await;
    for _ in 0..4 {
        raw.expect(|c| matches!(c, Control::Want { .. })).await;
        raw.segment(SegmentHead { offset: UNIT, length: 5 }, &data[UNIT as usize..], &[9; 32]).await;
    }
    let Control::Files { files } = raw.expect(|c| matches!(c, Control::Files { .. })).await else { unreachable!() };
    assert_eq!((files[0].outcome, files[0].failure.as_ref().unwrap().code), (FileOutcome::Failed, ErrorCode::DiskRead));
    assert!(snapshot(temp.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_unit_or_value_is_repaired_by_sending_it_again_and_others_are_not_held_up() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let (big, small) = (content(1, UNIT as usize + 5), content(2, 700));
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "big", "k": "f", "s": big.len()}, {"p": "small", "k": "f", "s": 700}, {"p": "bad", "k": "f", "s": 9}]))
        .await;
    let bytes = big.len() as u64 + 709;
    raw.frame(&json!({"t": "entries-end", "count": 3, "bytes": bytes, "failed": []})).await;
    let mut wanted = 0;
    while wanted < bytes {
        let Control::Want { spans } = raw.expect(|c| matches!(c, Control::Want { .. })).await else { unreachable!() };
        wanted += spans.iter().map(|(start, end)| end - start).sum::<u64>();
    }
    let value = |unit: u64, data: &[u8]| godwit_transport::hash::unit_value(big.len() as u64, unit, data);
    let flipped = |data: &[u8]| {
        let mut data = data.to_vec();
        data[3] ^= 1;
        data
    };
    let first = &big[..UNIT as usize];
    // Damaged in memory before it was sent; a wrong value; the right one. In each file, and one file never right.
    let (head, tail) = (SegmentHead { offset: 0, length: UNIT }, SegmentHead { offset: UNIT, length: 5 });
    raw.segment(tail, &big[UNIT as usize..], &value(1, &big[UNIT as usize..])).await;
    let (little, never) =
        (SegmentHead { offset: UNIT + 5, length: 700 }, SegmentHead { offset: UNIT + 705, length: 9 });
    let plain = *blake3::hash(&small).as_bytes();
    let mut results = Vec::new();
    raw.segment(head, &flipped(first), &value(0, first)).await;
    raw.segment(little, &small, &flipped(&plain)).await;
    raw.segment(never, b"all wrong", &[0; 32]).await;
    let (mut heads, mut littles) = (0, 0);
    while results.len() < 3 {
        match raw.expect(|c| matches!(c, Control::Want { .. } | Control::Files { .. })).await {
            Control::Files { files } => results.extend(files),
            // Each names what came damaged.
            Control::Want { spans } => {
                for span in spans {
                    match span {
                        (0, end) if end == UNIT => {
                            heads += 1;
                            let value = if heads == 1 { value(1, first) } else { value(0, first) };
                            raw.segment(head, first, &value).await;
                        }
                        (start, _) if start == UNIT + 5 => {
                            littles += 1;
                            raw.segment(little, &small, &plain).await;
                        }
                        (start, _) if start == UNIT + 705 => raw.segment(never, b"all wrong", &[0; 32]).await,
                        _ => panic!("{span:?}"),
                    }
                }
            }
            _ => unreachable!(),
        }
    }
    assert_eq!((heads, littles), (2, 1));
    results.sort_by_key(|r| r.entry);
    let codes: Vec<_> = results.iter().map(|r| r.failure.as_ref().map(|f| f.code)).collect();
    assert_eq!(codes, [None, None, Some(ErrorCode::DiskRead)]);
    assert_eq!(std::fs::read(temp.path().join("big")).unwrap(), big);
    assert_eq!(std::fs::read(temp.path().join("small")).unwrap(), small);
    assert_eq!(snapshot(temp.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_replace_others_keep_to_the_rules_or_end_the_session() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let again = |replaces: u64, path: &str, kind: &str| json!({"t": "again", "replaces": replaces, "entry": {"p": path, "k": kind, "s": 5}});
    for (name, frames) in [
        ("nothing came", vec![again(0, "a", "f")]),
        ("another name", vec![json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": 9}]}), again(0, "b", "f")]),
        ("a folder", vec![json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": 9}]}), again(0, "a", "d")]),
        (
            "twice",
            vec![
                json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": 9}]}),
                again(0, "a", "f"),
                again(0, "b", "f"),
            ],
        ),
        (
            "a check nobody asked for",
            vec![
                json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": 9}]}),
                json!({"t": "checked", "entry": 0, "same": [0]}),
            ],
        ),
        ("a check of nothing", vec![json!({"t": "checked", "entry": 7, "same": []})]),
    ] {
        let mut raw = Raw::uploading(&server).await;
        for frame in frames {
            raw.frame(&frame).await;
            if frame["t"] == "entries" {
                raw.expect(|c| matches!(c, Control::Want { .. })).await;
            }
        }
        assert_eq!(raw.error().await, ErrorCode::Protocol, "{name}");
    }
    // By the rules: what came of the old one is worthless, late content of it does no harm, the new one counts.
    let mut raw = Raw::uploading(&server).await;
    raw.entries(json!([{"p": "f", "k": "f", "s": 9}])).await;
    raw.expect(|c| matches!(c, Control::Want { .. })).await;
    raw.frame(&json!({"t": "entries-end", "count": 1, "bytes": 9, "failed": []})).await;
    raw.frame(&again(0, "f", "f")).await;
    let Control::Want { spans } = raw.expect(|c| matches!(c, Control::Want { .. })).await else { unreachable!() };
    assert_eq!(spans, [(9, 14)]);
    raw.segment(SegmentHead { offset: 0, length: 9 }, b"old words", blake3::hash(b"old words").as_bytes()).await;
    raw.segment(SegmentHead { offset: 9, length: 5 }, b"newer", blake3::hash(b"newer").as_bytes()).await;
    let Control::Files { files } = raw.expect(|c| matches!(c, Control::Files { .. })).await else { unreachable!() };
    assert_eq!((files.len(), files[0].entry, files[0].outcome), (1, Some(1), FileOutcome::Completed));
    raw.expect(|c| matches!(c, Control::Result(_))).await;
    assert_eq!(std::fs::read(temp.path().join("f")).unwrap(), b"newer");
    assert_eq!(snapshot(temp.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t05_frames_out_of_turn_too_long_or_senseless_end_the_session() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let frames = [
        json!({"t": "entries-end", "count": 7, "bytes": 0, "failed": []}),
        json!({"t": "result", "completed": 0, "skipped": 0, "failed": 0, "bytes": 0}),
        json!({"t": "want", "spans": [[0, 1]]}),
        json!({"t": "compared", "entries": [[5, true]]}),
        json!({"t": "unreadable", "entry": 9, "failure": {"code": 4, "message": ""}}),
        json!({"t": "entries", "entries": [{"p": "d", "k": "d", "s": 5}]}),
        json!({"t": "entries", "entries": [{"p": "a", "k": "f", "s": u64::MAX}, {"p": "b", "k": "f", "s": 2}]}),
        json!({"t": "entries", "entries": vec![json!({"p": "a", "k": "f"}); 1_001]}),
        json!({"t": "entries", "entries": "many"}),
    ];
    for frame in frames {
        let mut raw = Raw::uploading(&server).await;
        raw.frame(&frame).await;
        assert_eq!(raw.error().await, ErrorCode::Protocol, "{frame}");
    }
    for body in [&b"{"[..], b"\xff\xfe", b"", "[".repeat(100_000).as_bytes()] {
        let mut raw = Raw::uploading(&server).await;
        raw.bytes(body).await;
        assert_eq!(raw.error().await, ErrorCode::Protocol);
    }
    let mut raw = Raw::uploading(&server).await;
    raw.send.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    // Unknown frames of a later version do no harm.
    let mut raw = Raw::uploading(&server).await;
    raw.frame(&json!({"t": "telepathy", "strength": 9})).await;
    raw.frame(&json!({"t": "entries-end", "count": 0, "bytes": 0, "failed": []})).await;
    raw.expect(|c| matches!(c, Control::Result(_))).await;
    assert!(snapshot(temp.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn open_entries_are_bounded() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let mut raw = Raw::uploading(&server).await;
    for frame in 0..=MAX_OPEN_ENTRIES / 1_000 {
        let entries: Vec<_> = (0..1_000).map(|n| json!({"p": format!("{frame}-{n}"), "k": "f", "s": 1})).collect();
        raw.entries(json!(entries)).await;
    }
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    // Long paths reach their own bound long before.
    let mut raw = Raw::uploading(&server).await;
    let folder = vec!["x".repeat(250); 15].join("/");
    for frame in 0..=MAX_OPEN_PATHS / (200 * folder.len() as u64) {
        let entries: Vec<_> =
            (0..200).map(|n| json!({"p": format!("{folder}/{frame}-{n}"), "k": "f", "s": 1})).collect();
        raw.entries(json!(entries)).await;
    }
    assert_eq!(raw.error().await, ErrorCode::Protocol);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nothing_is_answered() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let mut raw = Raw::connect(&server).await;
    raw.frame(&json!({"t": "request", "transfer_id": "x", "direction": "send"})).await;
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    let mut raw = Raw::connect(&server).await;
    raw.login("guess").await;
    raw.frame(&json!({"t": "request", "transfer_id": "x", "direction": "send"})).await;
    assert_eq!(raw.error().await, ErrorCode::Authentication);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_streams_that_are_given_up_ends_the_session() {
    let temp = tempfile::tempdir().unwrap();
    let server = Server::start(temp.path());
    let raw = Raw::uploading(&server).await;
    let connection = raw.connection.clone();
    let flood = tokio::spawn(async move {
        while let Ok(mut stream) = connection.open_uni().await {
            let _ = stream.write_all(&[0]).await;
            let _ = stream.reset(0u32.into());
        }
    });
    assert_eq!(raw.error().await, ErrorCode::Protocol);
    flood.abort();
}
