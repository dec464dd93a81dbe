//! Transfers as the API tells them, and those that a server makes with another one.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, SOON, Server, password, session};
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Credential;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

fn start(place: &Place, config: &str) -> Server {
    let file = place.dir.path().join("server.toml");
    fs::write(&file, config).unwrap();
    place.start(&["--user", "ann:right", "--user", "bob:pw", "--config", file.to_str().unwrap()])
}

fn ann(server: &Server) -> Client {
    Client::basic(server.http, "ann", "right")
}

/// What a web application does between two servers: the spec of one's set-up is given to the other.
fn between(from: &Server, to: &Server, path: &str, folder: &str, more: Value) -> Value {
    let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": folder}]}}]});
    let mut spec = ann(to).ask("/files/upload_setup", &wish)["transfer_specs"][0]["transfer_spec"].clone();
    spec["paths"] = json!([{"source": path}]);
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = ann(from).post("/ops/transfers", &spec);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    assert!(!String::from_utf8_lossy(&made.body).contains("v4.public"), "the token is not told");
    made.json()
}

fn ended(server: &Server, id: &str) -> Value {
    let deadline = Instant::now() + 2 * SOON;
    loop {
        let object = ann(server).get(&format!("/ops/transfers/{id}")).json();
        if object["status"] != "running" {
            return object;
        }
        assert!(Instant::now() < deadline, "{object}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn one_server_sends_to_another_and_fetches_from_it() {
    let (here, there) = (Place::new(), Place::new());
    let (first, second) = (start(&here, "ops_private = true\n"), start(&there, ""));
    fs::create_dir(here.docroot().join("out")).unwrap();
    fs::write(here.docroot().join("out/a.bin"), vec![3; 3_000_000]).unwrap();
    let made = between(&first, &second, "/out/a.bin", "/in", json!({}));
    assert!(made["id"].is_string() && made["status"] == "running" && made["error_desc"] == "", "{made}");
    let done = ended(&first, made["id"].as_str().unwrap());
    assert_eq!((&done["status"], &done["bytes_transferred"]), (&json!("completed"), &json!(3_000_000)), "{done}");
    assert_eq!(
        done["precalc"],
        json!({
            "enabled": true, "status": "ready", "bytes_expected": 3_000_000, "files_expected": 1, "directories_expected": 0,
            "files_excluded": 0, "files_special": 0, "files_failed": 0,
        })
    );
    assert_eq!(fs::read(there.docroot().join("in/a.bin")).unwrap().len(), 3_000_000);
    // The other end tells of it too.
    let deadline = Instant::now() + SOON;
    loop {
        let seen = ann(&second).get("/ops/transfers").json();
        if seen[0]["status"] == "completed" {
            assert_eq!(seen[0]["id"], made["id"]);
            break;
        }
        assert!(Instant::now() < deadline, "{seen}");
    }
    assert_eq!(ann(&second).get("/ops/transfers?active_only=true").json(), json!([]));

    let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"source": "/in/a.bin"}]}}]});
    let mut spec = ann(&second).ask("/files/download_setup", &wish)["transfer_specs"][0]["transfer_spec"].clone();
    spec["destination_root"] = json!("/fetched");
    assert_eq!(ann(&first).post("/ops/transfers", &spec).status, 404, "the folder is missing");
    spec["create_dir"] = json!(true);
    let made = ann(&first).post("/ops/transfers", &spec).json();
    assert_eq!(ended(&first, made["id"].as_str().unwrap())["status"], "completed");
    assert_eq!(fs::read(here.docroot().join("fetched/a.bin")).unwrap().len(), 3_000_000);
    assert_eq!(
        Client::basic(first.http, "bob", "pw").get("/ops/transfers").json(),
        json!([]),
        "another's are not told"
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(Client::basic(first.http, "bob", "pw").get(&format!("/ops/transfers/{id}")).status, 404);
    let page = ann(&first).get("/ops/transfers?count=1");
    assert_eq!(page.json()[0]["id"], made["id"], "newest first");
    let next = page.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(ann(&first).get(&next).json().as_array().unwrap().len(), 1);
}

#[test]
fn a_running_transfer_is_slowed_and_cancelled() {
    let (here, there) = (Place::new(), Place::new());
    let (first, second) = (start(&here, "ops_private = true\n"), start(&there, ""));
    fs::write(here.docroot().join("big"), vec![1; 40_000_000]).unwrap();
    let made = between(&first, &second, "/big", "/", json!({"target_rate_kbps": 4_000}));
    let address = format!("/ops/transfers/{}", made["id"].as_str().unwrap());
    let put = ann(&first).send("PUT", &address, Some(b"{\"target_rate_kbps\": 2000}"));
    assert_eq!((put.status, &put.json()["sessions"][0]["target_rate_kbps"]), (200, &json!(2_000)));
    assert_eq!(ann(&first).send("CANCEL", &address, None).status, 200);
    let done = ended(&first, made["id"].as_str().unwrap());
    assert_eq!((&done["status"], &done["error_code"]), (&json!("failed"), &json!(28)), "{done}");
    assert!(!done["error_desc"].as_str().unwrap().is_empty());
    assert!(!there.docroot().join("big").exists());
    assert_eq!(ann(&first).send("PUT", &address, Some(b"{}")).status, 409);
}

#[test]
fn t25_a_transfer_reaches_nothing_that_its_owner_may_not_and_no_private_address() {
    let (here, there) = (Place::new(), Place::new());
    let config = "[users.ann]\ndocroot = 'homes/ann'\n[users.bob]\nread = false\n";
    let (first, second) = (start(&here, config), start(&there, ""));
    fs::create_dir_all(here.docroot().join("homes/ann")).unwrap();
    fs::write(here.docroot().join("secret"), "x").unwrap();
    fs::write(here.docroot().join("homes/ann/mine"), "x").unwrap();
    std::os::unix::fs::symlink("../../secret", here.docroot().join("homes/ann/link")).unwrap();
    let spec = |source: &str| {
        json!({
            "direction": "send", "remote_host": "127.0.0.1", "fasp_port": second.data.port(), "ssh_port": second.data.port(),
            "remote_user": "ann", "remote_password": "right", "sshfp": second.fingerprint, "paths": [{"source": source}],
            "destination_root": "/",
        })
    };
    for (client, spec, status) in [
        (ann(&first), spec("/mine"), 403),
        (ann(&first), spec("/../secret"), 400),
        (ann(&first), spec("/missing"), 404),
        (Client::basic(first.http, "bob", "pw"), spec("/secret"), 403),
        (ann(&first), json!({"direction": "send"}), 400),
        (ann(&first), json!([]), 400),
    ] {
        let answer = client.post("/ops/transfers", &spec);
        assert_eq!(answer.status, status, "{spec}: {}", String::from_utf8_lossy(&answer.body));
    }
    let mut blind = spec("/mine");
    blind.as_object_mut().unwrap().remove("sshfp");
    assert_eq!(ann(&first).post("/ops/transfers", &blind).status, 400, "no fingerprint");
    // To itself it may: what it is is no secret to its users. The link is not followed.
    let mut own = spec("/link");
    for port in ["fasp_port", "ssh_port"] {
        own[port] = json!(first.data.port());
    }
    own["sshfp"] = json!(first.fingerprint);
    own["destination_root"] = json!("/copy");
    own["create_dir"] = json!(true);
    let made = ann(&first).post("/ops/transfers", &own);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    assert_ne!(ended(&first, made.json()["id"].as_str().unwrap())["status"], "completed");
    assert!(!here.docroot().join("homes/ann/copy/link").exists());
}

#[test]
fn t15_a_transfer_that_the_servers_end_cut_is_told_as_failed_after_the_restart() {
    let (here, there) = (Place::new(), Place::new());
    let (mut first, second) = (start(&here, "ops_private = true\n"), start(&there, ""));
    fs::write(here.docroot().join("big"), vec![1; 40_000_000]).unwrap();
    let made = between(&first, &second, "/big", "/", json!({"target_rate_kbps": 2_000}));
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let first = start(&here, "");
    let done = ann(&first).get(&format!("/ops/transfers/{}", made["id"].as_str().unwrap())).json();
    assert_eq!((&done["status"], &done["error_code"]), (&json!("failed"), &json!(39)), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_by_file_id_stays_in_that_folder_and_takes_what_the_api_takes_as_login() {
    let place = Place::new();
    let server = start(&place, "");
    let http = server.http;
    let setup = tokio::task::spawn_blocking(move || {
        let ann = Client::basic(http, "ann", "right");
        let made =
            ann.post("/access_keys", &json!({"storage": {"path": "/key"}, "secret": "a secret for tests"})).json();
        let id = made["id"].as_str().unwrap().to_owned();
        let key = Client::basic(http, &id, "a secret for tests");
        let root = made["root_file_id"].as_str().unwrap().to_owned();
        let folder = key.post(&format!("/files/{root}/files"), &json!({"name": "sub", "type": "folder"})).json();
        (id, folder["id"].as_str().unwrap().to_owned())
    });
    let (key, folder) = setup.await.unwrap();
    fs::create_dir(place.docroot().join("other")).unwrap();
    let local = place.dir.path().join("f.bin");
    fs::write(&local, "by id").unwrap();
    let basic = format!("Basic {}", STANDARD.encode(format!("{key}:a secret for tests")));
    let credential = Credential::Token { token: Secret::new(basic) };
    let mut start = server.session("xfer", credential.clone(), Direction::Send, &local, "/");
    start.root_id = Some(folder.clone());
    session(start.clone()).await.unwrap();
    assert_eq!(fs::read(place.docroot().join("key/sub/f.bin")).unwrap(), b"by id");
    for (id, remote, code) in [(folder.as_str(), "../../other", 41), ("99999", "/", 4), ("x", "/", 4)] {
        let mut bad = start.clone();
        bad.root_id = Some(id.to_owned());
        bad.destination_root = remote.to_owned();
        assert_eq!(session(bad).await.unwrap_err().code.number(), code, "{id} {remote}");
    }
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    let mut start = server.session("xfer", credential, Direction::Receive, &back, "f.bin");
    start.root_id = Some(folder.clone());
    session(start).await.unwrap();
    assert_eq!(fs::read(back.join("f.bin")).unwrap(), b"by id");
    // The folder may be anywhere meanwhile; a user's own password works with ids too.
    fs::rename(place.docroot().join("key/sub"), place.docroot().join("key/moved")).unwrap();
    let mut moved = server.session("ann", password("right"), Direction::Send, &local, "/");
    moved.root_id = Some(folder);
    assert_eq!(session(moved).await.unwrap_err().code.number(), 4, "not seen yet at its new place");
}
