//! The API about files by path, as clients of the predecessor's Node API use it.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, Server, session};
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Credential;
use serde_json::{Value, json};
use std::fs;

fn start(place: &Place, config: &str) -> Server {
    let file = place.dir.path().join("server.toml");
    fs::write(&file, config).unwrap();
    place.start(&["--user", "ann:right", "--user", "bob:pw", "--config", file.to_str().unwrap()])
}

fn ann(server: &Server) -> Client {
    Client::basic(server.http, "ann", "right")
}

#[test]
fn a_tree_is_made_browsed_renamed_and_deleted() {
    let place = Place::new();
    let server = start(&place, "");
    let ann = ann(&server);
    let made = ann.ask(
        "/files/create",
        &json!({"paths": [
            {"type": "directory", "path": "/dir"},
            {"type": "file", "path": "/dir/a b.txt", "contents": STANDARD.encode("hello")},
            {"type": "file", "path": "/missing/x", "contents": ""},
            {"type": "directory", "path": "/dir"},
            {"type": "symbolic_link", "path": "/link", "target": {"path": "/etc"}},
            {"type": "directory", "path": "/../x"},
        ]}),
    );
    let codes: Vec<_> = made["paths"].as_array().unwrap().iter().map(|p| p["error"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, Value::Null, json!(404), json!(409), json!(403), json!(400)], "{made}");
    assert!(made["paths"][2]["error"]["user_message"].as_str().unwrap().contains("/missing"));

    let seen = ann.ask("/files/browse", &json!({"path": "/dir", "count": 1000, "skip": 0, "sort": "type"}));
    let entry = &seen["items"][0];
    assert_eq!((&entry["path"], &entry["basename"]), (&json!("/dir/a b.txt"), &json!("a b.txt")));
    assert_eq!((&entry["type"], &entry["size"]), (&json!("file"), &json!(5)));
    assert!(entry["mtime"].as_str().unwrap().ends_with('Z'));
    assert_eq!(entry["permissions"], json!([{"name": "view"}, {"name": "edit"}, {"name": "delete"}]));
    assert_eq!((&seen["self"]["type"], &seen["total_count"]), (&json!("directory"), &json!(1)));
    assert_eq!(seen["parameters"], json!({"count": 1000, "skip": 0, "sort": "type"}));
    let file = ann.ask("/files/browse", &json!({"path": "/dir/a b.txt"}));
    assert!(file["self"]["type"] == "file" && file.get("items").is_none(), "{file}");

    let content = ann.get("/files/%2Fdir%2Fa+b.txt/contents");
    assert_eq!((content.status, content.body.as_slice()), (200, &b"hello"[..]));
    assert!(content.header("content-disposition").unwrap().starts_with("attachment"));
    let part = ann.clone().with("Range", "bytes=1-3").get("/files/%2Fdir%2Fa%20b.txt/contents");
    assert_eq!(
        (part.status, part.body.as_slice(), part.header("content-range")),
        (206, &b"ell"[..], Some("bytes 1-3/5"))
    );

    let renamed = ann.ask(
        "/files/rename",
        &json!({"paths": [
            {"path": "/dir", "source": "a b.txt", "destination": "c.txt"},
            {"path": "/dir", "source": "gone", "destination": "x"},
            {"path": "/", "source": "dir", "destination": "dir/inside"},
            {"path": "/", "source": "dir", "destination": "../out"},
        ]}),
    );
    let codes: Vec<_> = renamed["paths"].as_array().unwrap().iter().map(|p| p["error"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!(404), json!(400), json!(400)], "{renamed}");
    assert_eq!(fs::read(place.docroot().join("dir/c.txt")).unwrap(), b"hello");
    let found = ann.ask("/files/search", &json!({"path": "/", "filters": {"basenames": ["*.txt"]}}));
    assert_eq!((&found["total_count"], &found["items"][0]["path"]), (&json!(1), &json!("/dir/c.txt")));
    let space = ann.ask("/space", &json!({"paths": [{"path": "/"}, {"path": "/nowhere"}]}));
    assert!(space["paths"][0]["bytes_free"].as_u64().unwrap() > 0);
    assert!(space["paths"][0]["percent_free"].as_f64().unwrap() <= 100.0);
    assert_eq!(space["paths"][1]["error"]["code"], 404);
    let deleted = ann.ask("/files/delete", &json!({"paths": [{"path": "/dir"}, {"path": "/dir"}, {"path": "/"}]}));
    let codes: Vec<_> = deleted["paths"].as_array().unwrap().iter().map(|p| p["error"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!(404), json!(400)], "{deleted}");
    assert_eq!(fs::read_dir(place.docroot()).unwrap().count(), 0);
}

#[test]
fn a_folder_is_read_page_by_page_until_its_total_is_reached() {
    let place = Place::new();
    let server = start(&place, "");
    for n in 0..25 {
        fs::write(place.docroot().join(format!("f{n:02}")), "").unwrap();
    }
    let (mut names, mut skip) = (Vec::new(), 0);
    loop {
        let page = ann(&server).ask("/files/browse", &json!({"path": "/", "count": 10, "skip": skip}));
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|i| i["basename"].as_str().unwrap().to_owned()));
        skip += items.len();
        if names.len() as u64 >= page["total_count"].as_u64().unwrap() {
            break;
        }
        assert!(!items.is_empty());
    }
    let expected: Vec<_> = (0..25).map(|n| format!("f{n:02}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn t09_everybody_sees_the_own_folder_with_the_own_rights_and_nothing_else() {
    let place = Place::new();
    let config =
        "[users.ann]\ndocroot = 'homes/ann'\ndelete = false\n[users.bob]\ndocroot = 'homes/bob'\nread = false\n";
    let server = start(&place, config);
    let (ann, bob) = (ann(&server), Client::basic(server.http, "bob", "pw"));
    ann.ask("/files/create", &json!({"paths": [{"type": "file", "path": "/f", "contents": ""}]}));
    assert!(place.docroot().join("homes/ann/f").exists());
    let entry = ann.ask("/files/browse", &json!({"path": "/f"}));
    assert_eq!(entry["self"]["permissions"], json!([{"name": "view"}, {"name": "edit"}]));
    let refused = ann.ask("/files/delete", &json!({"paths": [{"path": "/f"}]}));
    assert_eq!(refused["paths"][0]["error"]["reason"], "permission_denied");
    assert!(place.docroot().join("homes/ann/f").exists());
    for (path, body) in [("/files/browse", json!({"path": "/"})), ("/files/search", json!({"path": "/"}))] {
        let answer = bob.post(path, &body);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)), "{path}");
    }
    assert_eq!(bob.get("/files/%2Ff/contents").status, 403);
    bob.ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/in"}]}));
    assert!(place.docroot().join("homes/bob/in").is_dir());
    for outside in ["/../ann/f", "../ann", "/homes/ann"] {
        let answer = ann.post("/files/browse", &json!({"path": outside}));
        assert!(answer.status == 400 || answer.status == 404, "{outside}: {}", answer.status);
    }
}

#[test]
fn t09_no_path_in_any_request_leads_out() {
    let place = Place::new();
    let server = start(&place, "");
    let ann = ann(&server);
    let outside = place.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "unmistakable").unwrap();
    ann.ask("/files/create", &json!({"paths": [{"type": "file", "path": "/f", "contents": ""}]}));
    for out in ["../outside", "/../outside", "x/../../outside", "/./../outside", "..", "..\\outside", "f/../../outside"]
    {
        let secret = format!("{out}/secret");
        // Asked about one by one.
        let list = |path: &str, one: Value| {
            let answer = ann.ask(path, &json!({"paths": [one]}));
            let error = &answer["paths"][0]["error"];
            assert_eq!((&error["code"], &error["reason"]), (&json!(400), &json!("bad_path")), "{path} {out}: {answer}");
            assert!(!answer.to_string().contains("unmistakable"));
        };
        list("/files/create", json!({"type": "file", "path": format!("{out}/new"), "contents": ""}));
        list("/files/create", json!({"type": "directory", "path": format!("{out}/new")}));
        list("/files/delete", json!({"path": secret}));
        list("/files/rename", json!({"path": "/", "source": "f", "destination": format!("{out}/f")}));
        list("/files/rename", json!({"path": "/", "source": secret, "destination": "stolen"}));
        list("/files/rename", json!({"path": out, "source": "secret", "destination": "stolen"}));
        list("/space", json!({"path": out}));
        // Asked about as a whole.
        let whole = |answer: common::http::Answer, what: &str| {
            assert_eq!(answer.status, 400, "{what} {out}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.json()["error"]["reason"], "bad_path", "{what} {out}");
        };
        for path in ["/files/browse", "/files/search"] {
            whole(ann.post(path, &json!({"path": out})), path);
        }
        whole(ann.post("/access_keys", &json!({"storage": {"path": out}})), "access key");
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        whole(ann.get(&format!("/files/{encoded}/contents")), "contents");
        // Set-ups of transfers.
        for (path, wish) in [
            ("/files/upload_setup", json!({"paths": [{"destination": out}]})),
            ("/files/upload_setup", json!({"paths": [{}], "destination_root": out})),
            ("/files/download_setup", json!({"paths": [{"source": secret}]})),
            ("/files/download_setup", json!({"paths": [{"source": "secret"}], "source_root": out})),
        ] {
            let answer = ann.ask(path, &json!({"transfer_requests": [{"transfer_request": wish}]}));
            let spec = &answer["transfer_specs"][0];
            assert_eq!(spec["error"]["code"], json!(400), "{path} {wish}: {answer}");
            assert!(spec.get("transfer_spec").is_none_or(Value::is_null), "{path} {wish}: {answer}");
        }
    }
    // Names below a folder that is known by its id.
    let root = ann.post("/access_keys", &json!({"storage": {"path": "/key"}})).json();
    let word = |name: &str| root[name].as_str().unwrap().to_owned();
    let key = Client::basic(server.http, &word("id"), &word("secret"));
    for name in ["../f", "..", "a/b", "/etc", "", "a\\b"] {
        let path = format!("/files/{}/files", word("root_file_id"));
        let made = key.post(&path, &json!({"name": name, "type": "folder"}));
        assert_eq!(made.status, 400, "{name:?}: {}", String::from_utf8_lossy(&made.body));
    }
    let mut left: Vec<_> = fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["docroot", "log", "outside", "server", "server.toml"], "nothing new beside the docroot");
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "unmistakable");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(place.docroot().join("f").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_a_set_up_transfer_runs_with_its_token_and_the_token_opens_nothing_else() {
    let place = Place::new();
    let server = start(&place, "[users.ann]\nrate_default = '200m'\n");
    fs::create_dir(place.docroot().join("in")).unwrap();
    fs::create_dir(place.docroot().join("other")).unwrap();
    let local = place.dir.path().join("a.bin");
    fs::write(&local, vec![7; 2_000_000]).unwrap();
    let wish = json!({"transfer_requests": [{
        "transfer_request": {"paths": [{"destination": "/in"}], "tags": {"a": 1}}, "mine": 5
    }]});
    let http = server.http;
    let ask = |path: &'static str, wish: Value| async move {
        tokio::task::spawn_blocking(move || Client::basic(http, "ann", "right").ask(path, &wish)).await.unwrap()
    };
    let answer = ask("/files/upload_setup", wish).await;
    assert_eq!(answer["transfer_specs"][0]["mine"], 5, "what else was given comes back");
    let spec = &answer["transfer_specs"][0]["transfer_spec"];
    for (name, value) in [
        ("direction", json!("send")),
        ("destination_root", json!("/in")),
        ("remote_host", json!("127.0.0.1")),
        ("remote_user", json!("xfer")),
        ("ssh_port", json!(server.data.port())),
        ("fasp_port", json!(server.data.port())),
        ("sshfp", json!(server.fingerprint)),
        ("authentication", json!("token")),
        ("http_fallback", json!(false)),
        ("target_rate_kbps", json!(200_000)),
        ("tags", json!({"a": 1})),
    ] {
        assert_eq!(spec[name], value, "{name}: {spec}");
    }
    assert!(!spec.to_string().contains("null"), "{spec}");
    let token = |spec: &Value| Credential::Token { token: Secret::new(spec["token"].as_str().unwrap()) };
    let up = token(spec);
    let start = |credential: &Credential, direction, remote: &str| {
        let local = if direction == Direction::Send { local.clone() } else { place.dir.path().join("back") };
        server.session("xfer", credential.clone(), direction, &local, remote)
    };
    session(start(&up, Direction::Send, "/in")).await.unwrap();
    assert_eq!(fs::read(place.docroot().join("in/a.bin")).unwrap().len(), 2_000_000);
    let refused = session(start(&up, Direction::Send, "/other")).await.unwrap_err();
    assert_eq!(refused.code.number(), 34, "{refused}");
    fs::create_dir(place.dir.path().join("back")).unwrap();
    let refused = session(start(&up, Direction::Receive, "/in/a.bin")).await.unwrap_err();
    assert_eq!(refused.code.number(), 34, "{refused}");

    let wish = json!({"transfer_requests": [
        {"transfer_request": {"paths": [{"source": "a.bin"}], "source_root": "/in"}},
        {"transfer_request": {"paths": [{"source": "/nothing"}]}},
        {"transfer_request": {"paths": []}},
        {"transfer_request": {"paths": [{"source": "/../etc"}]}},
        {"transfer_request": 7},
    ]});
    let answer = ask("/files/download_setup", wish).await;
    let specs = answer["transfer_specs"].as_array().unwrap();
    let codes: Vec<_> = specs.iter().map(|s| s["error"]["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!(404), json!(400), json!(400), json!(400)], "{answer}");
    let spec = &specs[0]["transfer_spec"];
    assert_eq!((&spec["source_root"], &spec["paths"]), (&json!("/in"), &json!([{"source": "a.bin"}])));
    session(start(&token(spec), Direction::Receive, "/in/a.bin")).await.unwrap();
    assert_eq!(fs::read(place.dir.path().join("back/a.bin")).unwrap().len(), 2_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronisation_gets_one_token_for_the_directions_it_needs() {
    let place = Place::new();
    let server = start(&place, "[users.bob]\nread = false\n");
    fs::create_dir(place.docroot().join("pair")).unwrap();
    let http = server.http;
    let setup = move |user: &'static str, password: &'static str, kind: &'static str| {
        let wish = json!({"transfer_requests": [{"transfer_request": {
            "type": kind, "paths": [{"source": "/pair", "destination": "/pair"}]
        }}]});
        Client::basic(http, user, password).ask("/files/sync_setup", &wish)["transfer_specs"][0].clone()
    };
    let token = tokio::task::spawn_blocking(move || {
        for (kind, direction) in [("sync_upload", "send"), ("sync_download", "receive"), ("sync", "send")] {
            assert_eq!(setup("ann", "right", kind)["transfer_spec"]["direction"], direction, "{kind}");
        }
        assert_eq!(setup("bob", "pw", "sync_upload")["error"], Value::Null);
        for kind in ["sync_download", "sync"] {
            assert_eq!(setup("bob", "pw", kind)["error"]["code"], 403, "{kind}");
        }
        assert_eq!(setup("ann", "right", "merge")["error"]["code"], 400);
        setup("ann", "right", "sync")["transfer_spec"]["token"].as_str().unwrap().to_owned()
    });
    let credential = Credential::Token { token: Secret::new(token.await.unwrap()) };
    let local = place.dir.path().join("pair-here");
    fs::create_dir(&local).unwrap();
    fs::write(local.join("f"), "x").unwrap();
    session(server.session("", credential.clone(), Direction::Send, &local.join("f"), "/pair")).await.unwrap();
    fs::remove_file(local.join("f")).unwrap();
    session(server.session("", credential, Direction::Receive, &local, "/pair/f")).await.unwrap();
    assert_eq!(fs::read(local.join("f")).unwrap(), b"x");
}

#[test]
fn t23_who_does_not_prove_himself_gets_the_same_401_everywhere() {
    let place = Place::new();
    let server = start(&place, "");
    let mut answers = Vec::new();
    for client in [
        Client::new(server.http),
        Client::basic(server.http, "ann", "wrong"),
        Client::basic(server.http, "nobody", "wrong"),
        Client::new(server.http).with("Authorization", "Basic !!!"),
        Client::new(server.http).with("Authorization", "Bearer eJw="),
        Client::new(server.http).with("Authorization", "Negotiate x"),
    ] {
        let answer = client.post("/files/browse", &json!({"path": "/"}));
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
        let message = answer.json()["error"]["user_message"].as_str().unwrap().to_owned();
        assert!(message.contains("authentication failed"), "{message}");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn t23_an_address_that_guesses_is_banned_for_a_while_and_told_how_long() {
    let place = Place::new();
    let server = start(&place, "");
    let guessing: Vec<_> = (0..60)
        .map(|n| {
            let client = Client::basic(server.http, &format!("user{n}"), "guess");
            std::thread::spawn(move || client.post("/space", &json!({"paths": []})))
        })
        .collect();
    let statuses: Vec<_> = guessing.into_iter().map(|t| t.join().unwrap().status).collect();
    assert!(statuses.iter().all(|s| *s == 401 || *s == 429), "{statuses:?}");
    let banned = ann(&server).post("/space", &json!({"paths": []}));
    assert_eq!(banned.status, 429, "even with the right password, unseen");
    assert!(banned.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(Client::new(server.http).get("/ping").status, 200);
}

#[test]
fn t22_bodies_that_are_no_requests_are_refused_with_a_reason() {
    let place = Place::new();
    let server = start(&place, "");
    let ann = ann(&server);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, status) in [
        (&b""[..], 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{\"path\": 5}", 400),
        (b"{\"path\": \"/\", \"path\": \"/\"}", 400),
        (b"{\"path\": \"/\", \"count\": -1}", 400),
        (b"{\"path\": \"/\", \"sort\": \"colour\"}", 400),
        (b"{\"path\": \"a\\u0000b\"}", 400),
        (b"{\"path\": \"\xff\"}", 400),
        (deep.as_bytes(), 400),
        (&vec![b' '; 5 * 1024 * 1024], 413),
    ] {
        let answer = ann.send("POST", "/files/browse", Some(body));
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        assert_eq!(answer.json()["error"]["code"], status);
    }
    let many: Vec<_> = (0..1_001).map(|n| json!({"path": format!("/{n}")})).collect();
    assert_eq!(ann.post("/files/delete", &json!({"paths": many})).status, 413);
    for (name, value) in [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")] {
        let answer = ann.clone().with(name, value).post("/files/browse", &json!({"path": "/"}));
        assert_eq!(answer.status, 415, "{name}");
    }
}

#[test]
fn t24_pages_of_other_sites_cannot_use_what_the_browser_remembers() {
    let place = Place::new();
    let server = start(&place, "");
    let body = json!({"path": "/"});
    for (name, value, status) in [
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "same-origin", 200),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://127.0.0.1:9092", 200),
    ] {
        let answer = ann(&server).with(name, value).post("/files/browse", &body);
        assert_eq!(answer.status, status, "{name}: {value}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}
