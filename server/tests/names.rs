//! Names of all kinds through both ports of the real server: stored exactly, or refused alone.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, password, session};
use godwit_protocol::spec::Direction;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Names that are stored as they are, all in one folder.
fn good() -> Vec<String> {
    let mut names: Vec<String> = [
        "-rf",
        "--help",
        "con",
        "NUL.txt",
        "aux",
        "com1.log",
        "emoji 🦤",
        "👩‍👩‍👧‍👦",
        "case",
        "CASE",
        "Case",
        "straße",
        "STRASSE",
        " leading",
        "trailing ",
        "dot at the end.",
        "...",
        "..a",
        "%2e%2e",
        "%00",
        "a:b",
        "a|b<c>d?e*",
        "'\"`$(x)`;&",
        "#frag?query=1",
        "caf\u{e9}",
        "\u{fb01}",
        "日本語",
        "עברית",
        "\u{feff}bom",
        "a\u{200b}b",
    ]
    .map(str::to_owned)
    .into();
    // 255 bytes, in one, two and four each.
    names.extend(["x".repeat(255), format!("y{}", "ä".repeat(127)), format!("zzz{}", "🦤".repeat(63))]);
    names
}

/// Names that no client could send back.
const ODD: [&[u8]; 4] = [b"\xff\xfe", b"new\nline", b"back\\slash", "right\u{202e}left".as_bytes()];

/// What lies in a folder, by its exact name.
fn content(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_names_of_all_kinds_go_up_and_come_back_exactly_by_both_ports() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let local = place.dir.path().join("names");
    fs::create_dir(&local).unwrap();
    for name in good() {
        fs::write(local.join(&name), format!("I am {name}")).unwrap();
    }
    let sent = content(&local);
    assert_eq!(sent.len(), good().len(), "this disk tells them all apart");
    session(server.session("ann", password("right"), Direction::Send, &local, "/")).await.unwrap();
    assert!(content(&place.docroot().join("names")) == sent, "stored as they were sent");
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    session(server.session("ann", password("right"), Direction::Receive, &back, "/names")).await.unwrap();
    assert!(content(&back.join("names")) == sent, "and the same when they come back");

    // One by one over the API, and made there.
    let http = server.http;
    let made = tokio::task::spawn_blocking(move || {
        let ann = Client::basic(http, "ann", "right");
        let encode = |name: &str| name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        ann.ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/made"}]}));
        for name in good() {
            let answer = ann.get(&format!("/files/%2Fnames%2F{}/contents", encode(&name)));
            assert_eq!((answer.status, answer.body), (200, format!("I am {name}").into_bytes()), "{name:?}");
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("I am {name}"));
            let body = json!({"paths": [{"type": "file", "path": format!("/made/{name}"), "contents": text}]});
            assert_eq!(ann.ask("/files/create", &body)["paths"][0]["error"], json!(null), "{name:?}");
        }
        let listed = ann.ask("/files/browse", &json!({"path": "/names", "count": 100}));
        let names =
            listed["items"].as_array().unwrap().iter().map(|item| item["basename"].as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    });
    let mut expected = good();
    expected.sort();
    assert_eq!(made.await.unwrap(), expected);
    assert!(content(&place.docroot().join("made")) == sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_unicode_twins_are_one_name_and_neither_is_lost_by_the_other() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let local = place.dir.path().join("twins");
    fs::create_dir(&local).unwrap();
    for name in [composed, decomposed, "other"] {
        fs::write(local.join(name), format!("{} bytes of {name}", name.len())).unwrap();
    }
    let start = || server.session("ann", password("right"), Direction::Send, &local, "/");
    // The second of them is told to be in the way of the first; the first and all others arrive.
    let failure = session(start()).await.unwrap_err();
    assert_eq!(failure.code.number(), 27, "{failure}");
    let stored = content(&place.docroot().join("twins"));
    assert_eq!(stored.keys().map(|name| name.to_str().unwrap()).collect::<Vec<_>>(), [composed, "other"]);
    let first = &stored[OsStr::new(composed)];
    assert!([composed, decomposed].iter().any(|name| *first == fs::read(local.join(name)).unwrap()), "one, whole");

    // What lies here in the other form is the same file: it is found, and not made a second time.
    fs::remove_dir_all(place.docroot().join("twins")).unwrap();
    fs::create_dir(place.docroot().join("twins")).unwrap();
    fs::write(place.docroot().join("twins").join(decomposed), "was here").unwrap();
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    session(server.session("ann", password("right"), Direction::Receive, &back, "/twins")).await.unwrap();
    assert_eq!(fs::read(back.join("twins").join(composed)).unwrap(), b"was here");
    let http = server.http;
    let asked = tokio::task::spawn_blocking(move || {
        let ann = Client::basic(http, "ann", "right");
        let body = json!({"paths": [{"type": "file", "path": format!("/twins/{composed}"), "contents": ""}]});
        let again = ann.ask("/files/create", &body)["paths"][0]["error"]["code"].clone();
        let read = [composed, decomposed].map(|name| {
            let name: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            ann.get(&format!("/files/%2Ftwins%2F{name}/contents")).body
        });
        (again, read)
    });
    let (again, read) = asked.await.unwrap();
    assert_eq!(again, json!(409), "it is there");
    assert_eq!(read, [b"was here", b"was here"]);
    assert_eq!(content(&place.docroot().join("twins")).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_names_that_cannot_be_sent_go_under_others_or_fail_alone() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let local = place.dir.path().join("odd");
    let there = place.docroot().join("there");
    for folder in [&local, &there] {
        fs::create_dir(folder).unwrap();
        for name in ODD.into_iter().chain([&b"good"[..]]) {
            fs::write(folder.join(OsStr::from_bytes(name)), name).unwrap();
        }
    }
    let before = content(&there);
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    // The server tells its files by text: one whose name is no text cannot come down under any name.
    for (replacement, up_ends, down_ends, first_down) in [(None, 27, 27, 0), (Some('_'), 0, 27, 1)] {
        let up = server.session("ann", password("right"), Direction::Send, &local, "/");
        let down = server.session("ann", password("right"), Direction::Receive, &back, "/there");
        let ways = [(up, place.docroot().join("odd"), up_ends, 0), (down, back.join("there"), down_ends, first_down)];
        for (mut start, arrived, number, first) in ways {
            start.options.replace_illegal = replacement;
            let ended = session(start).await.map_or_else(|failure| failure.code.number(), |_| 0);
            assert_eq!(ended, number, "{replacement:?}");
            let mut expected = BTreeMap::from([(OsString::from("good"), b"good".to_vec())]);
            if replacement.is_some() {
                let others = ["__", "new_line", "back_slash", "right_left"].map(OsString::from);
                expected.extend(others.into_iter().zip(ODD.map(<[u8]>::to_vec)).skip(first));
            }
            assert_eq!(content(&arrived), expected, "{replacement:?}");
        }
    }
    // Nothing happened to those that they were made of.
    assert!(content(&there) == before && content(&local) == before);
}
