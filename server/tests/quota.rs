//! Quotas of users and access keys, by every way in which bytes come.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, Server, password, session};
use godwit_protocol::ErrorCode;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{Failure, Start};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MB: usize = 1_000_000;

/// A server whose configuration gives Ann 3 MB; Bob has no limit.
fn start(place: &Place) -> Server {
    let config = place.dir.path().join("server.toml");
    fs::write(&config, "[users.ann]\ndocroot = 'ann'\nquota = '3m'\n").unwrap();
    place.start(&["--config", config.to_str().unwrap(), "--user", "ann:right", "--user", "bob:right"])
}

fn put(client: &Client, path: &str, size: usize) -> Value {
    let contents = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![7; size]);
    let body = json!({"paths": [{"type": "file", "path": path, "contents": contents}]});
    client.ask("/files/create", &body)["paths"][0]["error"].clone()
}

fn free(client: &Client) -> (u64, u64) {
    let space = &client.ask("/space", &json!({"paths": [{"path": "/"}]}))["paths"][0];
    (space["bytes_free"].as_u64().unwrap(), space["bytes_total"].as_u64().unwrap())
}

fn set_up(client: &Client) -> Value {
    let wish = json!({"transfer_request": {"paths": [{"destination": "/"}]}});
    client.ask("/files/upload_setup", &json!({"transfer_requests": [wish]}))["transfer_specs"][0]["error"].clone()
}

fn upload(server: &Server, place: &Place, name: &str, size: usize) -> Start {
    let file = place.dir.path().join(name);
    fs::write(&file, (0..size).map(|n| (n * 31 % 251) as u8).collect::<Vec<_>>()).unwrap();
    server.session("ann", password("right"), Direction::Send, &file, "/")
}

/// Bytes on the disk.
fn used(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // Blocks are counted when the disk has them.
    rustix::fs::sync();
    let mut sum = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        sum += if meta.is_dir() { used(&entry.path()) } else { meta.len().min(meta.blocks() * 512) };
    }
    sum
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn assert_full(failure: &Failure) {
    assert_eq!(failure.code, ErrorCode::NoSpace, "{failure:?}");
    assert!(failure.message.contains("quota") && failure.message.contains("3.0 MB"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_users_quota_holds_for_every_way_in_and_over_a_restart() {
    let place = Place::new();
    let server = start(&place);
    let (ann, bob) = (Client::basic(server.http, "ann", "right"), Client::basic(server.http, "bob", "right"));
    assert_eq!(free(&ann), (3 * MB as u64, 3 * MB as u64));
    assert_eq!(put(&ann, "/one", MB), Value::Null);
    assert_eq!(free(&ann).0, 2 * MB as u64);
    assert_eq!(set_up(&ann), Value::Null);

    // More than is left: it ends while it arrives, and the disk never holds more.
    let refused = session(upload(&server, &place, "large", 4 * MB)).await.unwrap_err();
    assert_full(&refused);
    let home = place.docroot().join("ann");
    assert!(!home.join("large").exists() && home.join("large.partial").exists());
    assert!(used(&home) <= 3 * MB as u64 + 64 * 1024, "{}", used(&home));
    fs::remove_file(home.join("large.partial")).unwrap();
    // Gone by other means than ours: seen at the latest before the next refusal.
    eventually("what was deleted by hand is free", || put(&ann, "/two", MB) == Value::Null);

    // Many small ones: as many as fit, to the byte.
    let many = place.dir.path().join("many");
    fs::create_dir(&many).unwrap();
    for n in 0..40 {
        fs::write(many.join(format!("{n}")), vec![n; 50_000]).unwrap();
    }
    let start_many = server.session("ann", password("right"), Direction::Send, &many, "/");
    assert_full(&session(start_many).await.unwrap_err());
    assert!(used(&home) <= 3 * MB as u64, "{}", used(&home));

    // Nothing is left at all.
    let mut turn = 0;
    eventually("it is full", || {
        // What the session gave up is free a moment later.
        turn += 1;
        put(&ann, &format!("/rest-{turn}"), usize::try_from(free(&ann).0).unwrap());
        put(&ann, &format!("/one-more-{turn}"), 1) != Value::Null
    });
    assert_eq!(used(&home), 3 * MB as u64, "to the byte");
    let error = put(&ann, "/more", 1);
    assert_eq!((&error["code"], &error["reason"]), (&json!(507), &json!("quota")), "{error}");
    assert_eq!(set_up(&ann)["code"], 507);
    assert_full(&session(upload(&server, &place, "tiny", 1)).await.unwrap_err());
    assert_eq!(free(&ann).0, 0);
    assert_eq!(put(&bob, "/bob", MB), Value::Null, "nobody else is concerned");

    drop(server);
    let server = start(&place);
    let ann = Client::basic(server.http, "ann", "right");
    assert_eq!(put(&ann, "/more", 1)["code"], 507, "a restart forgets nothing");
    let body = json!({"paths": [{"path": "/one"}]});
    assert_eq!(ann.ask("/files/delete", &body)["paths"][0]["error"], Value::Null);
    eventually("what was deleted is free", || put(&ann, "/again", MB) == Value::Null);
    // To look at it and to download it needs no room.
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    session(server.session("ann", password("right"), Direction::Receive, &back, "/two")).await.unwrap();
}

fn admin(place: &Place, arguments: &[&str]) -> String {
    let output = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_keys_quota_holds_in_its_folder_and_is_changed_while_the_server_runs() {
    let place = Place::new();
    let server = start(&place);
    admin(&place, &["user", "add", "carl", "--docroot", "carl", "--no-password", "--quota", "4m"]);
    assert!(admin(&place, &["user", "list"]).contains("catalogue\tquota 4.0 MB"));
    let line = admin(&place, &["key", "add", "--user", "carl", "--path", "/web", "--quota", "1m"]);
    let (id, secret) = line.trim().split_once('\t').unwrap();
    let whole = admin(&place, &["key", "add", "--user", "carl"]);
    let (whole, other) = whole.trim().split_once('\t').unwrap();
    let (key, whole) = (Client::basic(server.http, id, secret), Client::basic(server.http, whole, other));
    assert_eq!(put(&key, "/a", MB / 2), Value::Null);
    assert_eq!(put(&key, "/b", MB)["code"], 507);
    assert_eq!(free(&key).0, MB as u64 / 2);
    assert_eq!(free(&whole), (7 * MB as u64 / 2, 4 * MB as u64), "what the key holds is the owner's too");

    admin(&place, &["key", "quota", id, "none"]);
    assert_eq!(put(&key, "/b", MB), Value::Null);
    assert_eq!(put(&key, "/c", 3 * MB)["code"], 507, "the owner's own still holds");
    admin(&place, &["user", "quota", "carl", "8m"]);
    assert_eq!(put(&key, "/c", 3 * MB), Value::Null);
    let config = place.dir.path().join("server.toml");
    let ended = place.run(place.command(&["user", "quota", "ann", "1g", "--config", config.to_str().unwrap()]));
    assert!(!ended.status.success() && ended.stderr.contains("configuration file"), "{}", ended.stderr);
}
