//! The API about access keys, files by id and permissions, and the bearer tokens of web applications.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, Server};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

const PUBLIC_KEY: &str = include_str!("common/bearer-test-key.pub.pem");
/// For this test only.
const PRIVATE_KEY: &[u8] = include_bytes!("common/bearer-test-key.der");

fn ann(server: &Server) -> Client {
    Client::basic(server.http, "ann", "right")
}

/// Makes an access key below `/keys` and a client that uses it.
fn key(server: &Server, extra: Value) -> (String, Client, Value) {
    let mut wish = json!({"storage": {"type": "local", "path": "/keys"}});
    wish.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let made = ann(server).post("/access_keys", &wish);
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let made = made.json();
    let id = made["id"].as_str().unwrap().to_owned();
    let client = Client::basic(server.http, &id, made["secret"].as_str().unwrap());
    (id, client, made)
}

/// A token as web applications make them.
fn bearer(json: &Value) -> String {
    let text = json.to_string();
    let pair = ring::signature::RsaKeyPair::from_pkcs8(PRIVATE_KEY).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    pair.sign(&ring::signature::RSA_PKCS1_SHA512, &random, text.as_bytes(), &mut signature).unwrap();
    let encoded = STANDARD.encode(signature);
    let lines: Vec<_> = encoded.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let whole = format!("{text}\n==SIGNATURE==\n{}\n", lines.join("\n"));
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(whole.as_bytes()).unwrap();
    STANDARD.encode(packer.finish().unwrap())
}

fn claims(key: &str, kind: &str) -> Value {
    json!({
        "user_id": "777", "scope": format!("node.{key}:{kind}:all"), "auth_type": "access_key",
        "expires_at": "2099-01-01T00:00:00Z", "group_ids": ["g1"],
    })
}

fn with_bearer(server: &Server, key: &str, claims: &Value) -> Client {
    let value = format!("Bearer {}", bearer(claims));
    Client::new(server.http).with("Authorization", &value).with("X-Aspera-AccessKey", key)
}

#[test]
fn an_access_key_is_made_used_changed_and_removed() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right", "--user", "bob:pw"]);
    let (id, client, made) = key(&server, json!({"name": "web"}));
    assert!(place.docroot().join("keys").is_dir());
    let own = client.get("/access_keys/self").json();
    assert_eq!((&own["id"], &own["storage"]["path"], &own["name"]), (&json!(id), &json!("/keys"), &json!("web")));
    assert!(own["root_file_id"].is_string() && own["root_file_id"] == made["root_file_id"]);
    assert!(own.get("secret").is_none(), "the secret is told once");
    fs::write(place.docroot().join("keys/f"), "x").unwrap();
    fs::write(place.docroot().join("outside"), "x").unwrap();
    let seen = client.ask("/files/browse", &json!({"path": "/"}));
    assert_eq!((&seen["total_count"], &seen["items"][0]["path"]), (&json!(1), &json!("/f")));
    // Nobody else sees it, and a key manages none.
    assert_eq!(Client::basic(server.http, "bob", "pw").get(&format!("/access_keys/{id}")).status, 404);
    assert_eq!(Client::basic(server.http, "bob", "pw").get("/access_keys").json(), json!([]));
    assert_eq!(client.post("/access_keys", &json!({})).status, 403);
    let put = |client: &Client, body: Value| {
        client.send("PUT", &format!("/access_keys/{id}"), Some(body.to_string().as_bytes())).status
    };
    assert_eq!(put(&client, json!({"storage": {"path": "/"}})), 403);
    assert_eq!(put(&ann(&server), json!({"rights": {"view": true}})), 200);
    let refused = client.ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/x"}]}));
    assert_eq!(refused["paths"][0]["error"]["code"], 403);
    for bad in [
        json!({"token_verification_key": "nonsense"}),
        json!({"secret": "short"}),
        json!({"storage": {"type": "s3"}}),
        json!({"storage": {"path": "/../x"}}),
    ] {
        assert_eq!(put(&ann(&server), bad.clone()), 400, "{bad}");
    }
    for taken in ["ann", &id, "self", "a:b", ""] {
        let status = ann(&server).post("/access_keys", &json!({"id": taken})).status;
        assert!(status == 409 || status == 400, "{taken}: {status}");
    }
    assert_eq!(put(&ann(&server), json!({"secret": "another long secret"})), 200);
    assert_eq!(client.get("/access_keys/self").status, 401, "the old secret is worth nothing");
    assert_eq!(ann(&server).send("DELETE", &format!("/access_keys/{id}"), None).status, 204);
    assert_eq!(Client::basic(server.http, &id, "another long secret").get("/access_keys/self").status, 401);
}

#[test]
fn files_are_made_read_moved_and_removed_by_ids_that_stay() {
    let place = Place::new();
    let mut server = place.start(&["--user", "ann:right"]);
    let (id, client, made) = key(&server, json!({"secret": "a secret for tests"}));
    let root = made["root_file_id"].as_str().unwrap().to_owned();
    let new = |client: &Client, at: &str, body: Value| client.post(&format!("/files/{at}/files"), &body);
    let folder = new(&client, &root, json!({"name": "folder", "type": "folder"}));
    assert_eq!(folder.status, 201);
    let folder = folder.json()["id"].as_str().unwrap().to_owned();
    let file = new(&client, &folder, json!({"name": "f.txt", "type": "file", "contents": STANDARD.encode("hi")}));
    let file = file.json();
    assert_eq!((&file["name"], &file["type"], &file["size"]), (&json!("f.txt"), &json!("file"), &json!(2)));
    let file = file["id"].as_str().unwrap().to_owned();
    assert_eq!(new(&client, &folder, json!({"name": "f.txt", "type": "file"})).status, 409);
    assert_eq!(new(&client, &folder, json!({"name": "l", "type": "link", "target_id": "1"})).status, 403);
    for name in ["../x", "a/b", "", ".", ".."] {
        assert_eq!(new(&client, &folder, json!({"name": name, "type": "folder"})).status, 400, "{name}");
    }
    let rename = |client: &Client, id: &str, name: &str| {
        client.send("PUT", &format!("/files/{id}"), Some(json!({"name": name}).to_string().as_bytes())).status
    };
    assert_eq!(rename(&client, &folder, "moved"), 204);
    assert_eq!(client.get(&format!("/files/{file}/content")).body, b"hi");
    assert_eq!(rename(&client, &root, "x"), 400);
    // Behind the server's back, and over a restart.
    fs::rename(place.docroot().join("keys/moved"), place.docroot().join("keys/again")).unwrap();
    let listed = client.get(&format!("/files/{root}/files")).json();
    assert_eq!((&listed[0]["id"], &listed[0]["name"]), (&json!(folder), &json!("again")));
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = place.start(&["--user", "ann:right"]);
    let client = Client::basic(server.http, &id, "a secret for tests");
    assert_eq!(client.get(&format!("/files/{folder}")).json()["name"], "again");
    assert_eq!(client.get(&format!("/files/{file}")).json()["name"], "f.txt");
    assert_eq!(client.send("DELETE", &format!("/files/{folder}"), None).status, 204);
    for gone in [folder.as_str(), &file, "0", "-1", "99999999999999999999", "x", "%00"] {
        assert_eq!(client.get(&format!("/files/{gone}")).status, 404, "{gone}");
    }
}

#[test]
fn t09_a_key_sees_no_id_outside_its_folder_and_children_come_in_parts() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (_, whole, made) = key(&server, json!({"storage": {"path": "/"}}));
    let top = made["root_file_id"].as_str().unwrap();
    fs::write(place.docroot().join("secret"), "x").unwrap();
    let listed = whole.get(&format!("/files/{top}/files")).json();
    let secret = listed.as_array().unwrap().iter().find(|e| e["name"] == "secret").unwrap()["id"].clone();
    let (_, client, made) = key(&server, json!({}));
    for outside in [secret.as_str().unwrap(), top] {
        assert_eq!(client.get(&format!("/files/{outside}")).status, 404);
        assert_eq!(client.send("DELETE", &format!("/files/{outside}"), None).status, 404);
    }
    for n in 0..5 {
        fs::write(place.docroot().join(format!("keys/f{n}")), "").unwrap();
    }
    let root = made["root_file_id"].as_str().unwrap();
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/files/{root}/files?per_page=2&iteration_token={token}"));
        assert_eq!(answer.header("x-aspera-total-count"), Some("5"));
        names.extend(answer.json().as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()));
        match answer.header("x-aspera-next-iteration-token") {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["f0", "f1", "f2", "f3", "f4"]);
}

#[test]
fn a_bearer_token_opens_what_its_users_permissions_say() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (id, client, made) = key(&server, json!({"token_verification_key": PUBLIC_KEY}));
    let root = made["root_file_id"].as_str().unwrap();
    let folder = client.post(&format!("/files/{root}/files"), &json!({"name": "for777", "type": "folder"})).json();
    let folder = folder["id"].as_str().unwrap();
    fs::write(place.docroot().join("keys/for777/f"), "x").unwrap();
    fs::write(place.docroot().join("keys/other"), "x").unwrap();

    let user = with_bearer(&server, &id, &claims(&id, "user"));
    assert_eq!(user.post("/files/browse", &json!({"path": "/"})).status, 403, "no permission yet");
    let wish =
        |levels: Value| json!({"file_id": folder, "access_type": "user", "access_id": "777", "access_levels": levels});
    let permission = client.post("/permissions", &wish(json!(["list", "read"])));
    assert_eq!(permission.status, 201);
    let permission = permission.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(user.ask("/files/browse", &json!({"path": "/for777"}))["total_count"], 1);
    assert_eq!(user.get(&format!("/files/{folder}")).json()["access_levels"], json!(["list", "preview", "read"]));
    for (path, status) in [("/", 403), ("/other", 403), ("/for777x", 403)] {
        assert_eq!(user.post("/files/browse", &json!({"path": path})).status, status, "{path}");
    }
    assert_eq!(user.post(&format!("/files/{folder}/files"), &json!({"name": "n", "type": "folder"})).status, 403);
    assert_eq!(user.get("/permissions").status, 403, "permissions are the key's to give");
    let upload = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/for777"}]}}]});
    assert_eq!(user.ask("/files/upload_setup", &upload)["transfer_specs"][0]["error"]["code"], 403);
    let all = json!({"access_levels": ["list", "read", "write", "mkdir", "rename"]});
    let put = client.send("PUT", &format!("/permissions/{permission}"), Some(all.to_string().as_bytes()));
    assert_eq!(put.status, 200);
    assert!(user.ask("/files/upload_setup", &upload)["transfer_specs"][0]["transfer_spec"]["token"].is_string());
    let listed = client.get(&format!("/permissions?file_id={folder}"));
    assert_eq!((listed.json().as_array().unwrap().len(), listed.header("x-total-count")), (1, Some("1")));
    assert_eq!(client.get(&format!("/permissions?file_id={root}")).json(), json!([]));

    let admin = with_bearer(&server, &id, &claims(&id, "admin"));
    assert_eq!(admin.ask("/files/browse", &json!({"path": "/"}))["total_count"], 2);
    assert_eq!(client.send("DELETE", &format!("/permissions/{permission}"), None).status, 204);
    assert_eq!(user.post("/files/browse", &json!({"path": "/for777"})).status, 403, "at once");
}

#[test]
fn t07_a_bearer_token_that_is_old_foreign_or_for_another_key_is_worth_nothing() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (id, _, _) = key(&server, json!({"token_verification_key": PUBLIC_KEY}));
    let (other, _, _) = key(&server, json!({}));
    let good = claims(&id, "admin");
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let status = |client: Client| client.post("/files/browse", &json!({"path": "/"})).status;
    assert_eq!(status(with_bearer(&server, &id, &good)), 200);
    assert_eq!(status(with_bearer(&server, &other, &good)), 401, "named beside another key");
    for bad in [
        with("expires_at", json!("2020-01-01T00:00:00Z")),
        with("expires_at", json!("never")),
        with("user_id", json!("")),
        with("auth_type", json!("x")),
        with("scope", json!(format!("node.{other}:admin:all"))),
        with("scope", json!("node.nobody:admin:all")),
        with("scope", json!(format!("node.{id}:root:all"))),
        with("scope", json!(id)),
        json!({}),
    ] {
        let client = Client::new(server.http).with("Authorization", &format!("Bearer {}", bearer(&bad)));
        assert_eq!(status(client), 401, "{bad}");
        // A success in between keeps the waiting short that failures earn.
        assert_eq!(status(with_bearer(&server, &id, &good)), 200);
    }
    // Changed after it was signed.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(format!("{good}\n==SIGNATURE==\nAAAA\n").as_bytes()).unwrap();
    let forged = STANDARD.encode(packed.finish().unwrap());
    assert_eq!(status(Client::new(server.http).with("Authorization", &format!("Bearer {forged}"))), 401);
    // A small token that unpacks to a gigabyte.
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 20 << 20]).unwrap();
    let bomb = STANDARD.encode(bomb.finish().unwrap());
    assert_eq!(status(Client::new(server.http).with("Authorization", &format!("Bearer {bomb}"))), 401);
}

#[test]
fn events_tell_what_happened_to_the_one_who_did_it() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right", "--user", "bob:pw"]);
    ann(&server).ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/d"}]}));
    ann(&server).ask("/files/delete", &json!({"paths": [{"path": "/d"}]}));
    let first = ann(&server).get("/events?count=1");
    assert_eq!((&first.json()[0]["type"], &first.json()[0]["data"]["path"]), (&json!("folder.created"), &json!("/d")));
    let token = first.header("x-aspera-next-iteration-token").unwrap();
    let rest = ann(&server).get(&format!("/events?iteration_token={token}")).json();
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["type"]), (1, &json!("file.deleted")));
    assert_eq!(Client::basic(server.http, "bob", "pw").get("/events").json(), json!([]));
}
