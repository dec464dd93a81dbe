//! A server, a user or an access key that takes encrypted files only, by every way in which content comes.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, Server, password, session};
use godwit_protocol::spec::{ContentProtection, Direction};
use godwit_protocol::worker::{Credential, Failure, Protection, Start};
use godwit_protocol::{ErrorCode, Secret};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

const AGE: &[u8] = b"age-encryption.org/v1\n-> scrypt and so on";

fn start(place: &Place, config: &str) -> Server {
    let file = place.dir.path().join("server.toml");
    fs::write(&file, config).unwrap();
    place.start(&["--config", file.to_str().unwrap(), "--user", "ann:right", "--user", "bob:right"])
}

fn encoded(content: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, content)
}

/// The error's status and word.
fn put(client: &Client, path: &str, content: &[u8]) -> Value {
    let body = json!({"paths": [{"type": "file", "path": path, "contents": encoded(content)}]});
    let error = &client.ask("/files/create", &body)["paths"][0]["error"];
    json!([error["code"], error["reason"]])
}

fn rename(client: &Client, from: &str, to: &str) -> Value {
    let body = json!({"paths": [{"path": "/", "source": from, "destination": to}]});
    client.ask("/files/rename", &body)["paths"][0]["error"]["code"].clone()
}

fn upload_spec(client: &Client, more: &Value) -> Value {
    let mut wish = json!({"paths": [{"destination": "/"}]});
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({"transfer_requests": [{"transfer_request": wish}]});
    client.ask("/files/upload_setup", &body)["transfer_specs"][0]["transfer_spec"].clone()
}

fn is_demanded(client: &Client) -> bool {
    upload_spec(client, &json!({}))["content_protection"] == "encrypt"
}

fn demanded_of_all(server: &Server) -> Value {
    let info = Client::basic(server.http, "ann", "right").get("/info").json();
    let settings = info["settings"].as_array().unwrap().clone();
    settings.into_iter().find(|s| s["name"] == "content_protection_required").unwrap()["value"].clone()
}

fn file(place: &Place, name: &str, size: usize) -> PathBuf {
    let path = place.dir.path().join(name);
    fs::write(&path, (0..size).map(|n| (n * 31 % 251) as u8).collect::<Vec<_>>()).unwrap();
    path
}

fn upload(server: &Server, user: &str, credential: Credential, local: &Path) -> Start {
    server.session(user, credential, Direction::Send, local, "/")
}

fn encrypted(mut start: Start) -> Start {
    let passphrase = Secret::new("gelber Anorak");
    let scope = "test".into();
    start.protection = Some(Protection { mode: ContentProtection::Encrypt, passphrase, scope });
    start
}

fn assert_refused(failure: &Failure) {
    assert_eq!(failure.code, ErrorCode::FileEncryption, "{failure:?}");
    assert!(failure.message.contains("this server takes encrypted files only: send with a passphrase"), "{failure:?}");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn admin(place: &Place, arguments: &[&str]) -> String {
    let output = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_encrypted_files_only_gets_no_others_by_any_way() {
    let place = Place::new();
    let server = start(&place, "content_protection = 'required'\nops_private = true\n");
    let ann = Client::basic(server.http, "ann", "right");
    assert_eq!(demanded_of_all(&server), true);
    // Whatever is wished, the set-up says what must be.
    assert_eq!(upload_spec(&ann, &json!({"content_protection": "decrypt"}))["content_protection"], "encrypt");
    let down = json!({"transfer_requests": [{"transfer_request": {"paths": [{"source": "/"}]}}]});
    let down = ann.ask("/files/download_setup", &down)["transfer_specs"][0]["transfer_spec"].clone();
    assert_eq!(down["content_protection"], Value::Null, "a download is as ever");

    // Over the data port: without a passphrase, with a name that lies, with the token of the set-up, and as it should be.
    let (small, large) = (file(&place, "small.txt", 1_000), file(&place, "large.age", 5_000_000));
    for local in [&small, &large] {
        assert_refused(&session(upload(&server, "ann", password("right"), local)).await.unwrap_err());
    }
    let token = upload_spec(&ann, &json!({}))["token"].as_str().unwrap().to_owned();
    let by_token = Credential::Token { token: Secret::new(token) };
    let mut odd = upload(&server, "xfer", by_token.clone(), &large);
    (odd.options.partial_suffix, odd.options.checkpoint_suffix) = (".mov".into(), ".doc".into());
    assert_refused(&session(odd).await.unwrap_err());
    assert!(names(&place.docroot()).is_empty());
    session(encrypted(upload(&server, "xfer", by_token, &small))).await.unwrap();
    assert_eq!(names(&place.docroot()), ["small.txt.age"]);
    assert!(fs::read(place.docroot().join("small.txt.age")).unwrap().starts_with(&AGE[..22]));

    // Over the API.
    let forbidden = json!([403, "content_protection_required"]);
    assert_eq!(put(&ann, "/a.txt", b"plain"), forbidden);
    assert_eq!(put(&ann, "/a.age", b"plain"), forbidden);
    assert_eq!(put(&ann, "/a.age", b""), forbidden);
    assert_eq!(put(&ann, "/a.txt", AGE), forbidden);
    assert_eq!(put(&ann, "/a.age", AGE), json!([null, null]));
    let made = ann.ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/folder"}]}));
    assert_eq!(made["paths"][0]["error"], Value::Null);
    // By a new name: what was there before stays what it is.
    fs::write(place.docroot().join("old.txt"), "from before").unwrap();
    fs::write(place.docroot().join("b.age.partial"), "on its way").unwrap();
    for (from, to, error) in [
        ("old.txt", "old.age", json!(403)),
        ("old.txt", "other.txt", json!(403)),
        ("b.age.partial", "b.txt", json!(403)),
        ("a.age", "a.txt", json!(403)),
        ("a.age", "c.age", Value::Null),
        ("folder", "files", Value::Null),
    ] {
        assert_eq!(rename(&ann, from, to), error, "{from} {to}");
    }
    assert_eq!(names(&place.docroot()), ["b.age.partial", "c.age", "files", "old.txt", "small.txt.age"]);
    // To look at and to take away nothing is asked.
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    session(server.session("ann", password("right"), Direction::Receive, &back, "/old.txt")).await.unwrap();

    // From another server, which has both kinds.
    let there = Place::new();
    let other = start(&there, "");
    fs::create_dir(there.docroot().join("both")).unwrap();
    fs::write(there.docroot().join("both/plain.txt"), "plain").unwrap();
    fs::write(there.docroot().join("both/good.age"), AGE).unwrap();
    let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"source": "/both"}]}}]});
    let bob = Client::basic(other.http, "bob", "right");
    let mut spec = bob.ask("/files/download_setup", &wish)["transfer_specs"][0]["transfer_spec"].clone();
    spec["destination_root"] = json!("/");
    let made = ann.post("/ops/transfers", &spec).json();
    let deadline = Instant::now() + 2 * SOON;
    let ended = loop {
        let object = ann.get(&format!("/ops/transfers/{}", made["id"].as_str().unwrap())).json();
        if object["status"] != "running" {
            break object;
        }
        assert!(Instant::now() < deadline, "{object}");
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    };
    assert_ne!(ended["status"], "completed", "{ended}");
    assert!(ended["error_desc"].as_str().unwrap().contains("encrypted files only"), "{ended}");
    assert_eq!(names(&place.docroot().join("both")), ["good.age"]);
    spec["content_protection"] = json!("decrypt");
    spec["content_protection_passphrase"] = json!("x");
    assert_eq!(ann.post("/ops/transfers", &spec).status, 403, "it would not stay encrypted here");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_or_one_key_may_have_to_encrypt_and_commands_change_it_while_the_server_runs() {
    let place = Place::new();
    let server = start(&place, "[users.bob]\ncontent_protection = 'required'\n");
    assert_eq!(demanded_of_all(&server), false);
    let local = file(&place, "film.mov", 10_000);
    assert_refused(&session(upload(&server, "bob", password("right"), &local)).await.unwrap_err());
    session(upload(&server, "ann", password("right"), &local)).await.unwrap();

    admin(&place, &["user", "add", "carl", "--docroot", "carl", "--no-password", "--require-encryption"]);
    assert!(admin(&place, &["user", "list"]).contains("catalogue\tencrypted files only"));
    let key = |more: &[&str]| {
        let line = admin(&place, &[&["key", "add", "--user", "carl", "--path", "/web"], more].concat());
        let (id, secret) = line.trim().split_once('\t').unwrap();
        (id.to_owned(), secret.to_owned(), Client::basic(server.http, id, secret))
    };
    let ((_, _, plain), (id, secret, strict)) = (key(&[]), key(&["--require-encryption"]));
    assert!(is_demanded(&plain) && is_demanded(&strict), "the owner must");
    admin(&place, &["user", "encryption", "carl", "optional"]);
    assert!(!is_demanded(&plain) && is_demanded(&strict), "the key must");
    assert_eq!(strict.get("/access_keys/self").json()["content_protection_required"], true);
    assert_eq!(plain.get("/access_keys/self").json()["content_protection_required"], false);
    assert!(admin(&place, &["key", "list"]).contains("\tencrypted files only"));
    // The same folder, by two keys.
    assert_eq!(put(&plain, "/a.txt", b"plain"), json!([null, null]));
    assert_eq!(put(&strict, "/b.txt", b"plain"), json!([403, "content_protection_required"]));
    assert_refused(&session(upload(&server, &id, password(&secret), &local)).await.unwrap_err());
    session(encrypted(upload(&server, &id, password(&secret), &local))).await.unwrap();
    admin(&place, &["key", "encryption", &id, "optional"]);
    assert_eq!(put(&strict, "/b.txt", b"plain"), json!([null, null]));
    admin(&place, &["user", "encryption", "carl", "required"]);
    assert_eq!(put(&strict, "/c.txt", b"plain"), json!([403, "content_protection_required"]));
    assert_eq!(names(&place.docroot().join("carl/web")), ["a.txt", "b.txt", "film.mov.age"]);

    let config = place.dir.path().join("server.toml");
    let ended =
        place.run(place.command(&["user", "encryption", "bob", "optional", "--config", config.to_str().unwrap()]));
    assert!(!ended.status.success() && ended.stderr.contains("configuration file"), "{}", ended.stderr);
}
