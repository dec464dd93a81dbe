//! The web application's own requests: its files, signing in, links.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::{Answer, Client};
use common::{Place, SOON, Server, read_all, session};
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Credential;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

fn start(place: &Place) -> Server {
    place.start(&["--user", "ann:right", "--user", "bob:right"])
}

/// Waits until the log has said it so often: it comes a moment after the answer.
fn logged(place: &Place, what: &str, times: usize) {
    let deadline = std::time::Instant::now() + SOON;
    while place.log().matches(what).count() < times {
        assert!(std::time::Instant::now() < deadline, "{}", place.log());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

/// The cookie that an answer sets, and what it says besides.
fn cookie(answer: &Answer) -> (String, String) {
    let whole = answer.header("set-cookie").unwrap();
    let (pair, rest) = whole.split_once(';').unwrap();
    (pair.to_owned(), rest.to_owned())
}

/// A page on which somebody has signed in.
fn signed_in(server: &Server, user: &str) -> (Client, String, Value) {
    let answer = Client::new(server.http).post("/web/session", &json!({"user": user, "password": "right"}));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let (pair, _) = cookie(&answer);
    let state = answer.json();
    let page = Client::new(server.http).with("Cookie", &pair).with("X-Godwit-Proof", state["proof"].as_str().unwrap());
    (page, pair, state)
}

#[test]
fn t24_over_https_the_cookie_is_this_hosts_alone_secret_to_scripts_and_to_other_sites() {
    let place = Place::new();
    let server = start(&place);
    let pem = fs::read(place.dir.path().join("server/certificate.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection =
        rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let stream = TcpStream::connect(server.api).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let body = json!({"user": "ann", "password": "right"}).to_string();
    let head = "POST /web/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let answer = String::from_utf8(read_all(stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let cookies: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect();
    let [cookie] = cookies.as_slice() else { panic!("{cookies:?}") };
    let mut parts: Vec<_> = cookie.split("; ").collect();
    let value = parts.remove(0).strip_prefix("__Host-godwit=").unwrap();
    assert!(value.len() >= 32, "it cannot be guessed");
    parts.sort_unstable();
    // Without a Domain and without an end of its own.
    assert_eq!(parts, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]);
}

#[test]
fn t24_the_page_and_its_parts_come_with_a_policy_that_allows_nothing_else() {
    let place = Place::new();
    let sdk = place.dir.path().join("connect-sdk.js");
    fs::write(&sdk, "// the vendor's").unwrap();
    let server = place.start(&["--user", "ann:right", "--web-sdk", place.dir.path().to_str().unwrap()]);
    let anybody = Client::new(server.http);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/ui/base.css", "text/css; charset=utf-8"),
        ("/icons/godwit.svg", "image/svg+xml"),
        ("/sdk/connect-sdk.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = anybody.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let tag = answer.header("etag").unwrap();
        assert_eq!(anybody.clone().with("If-None-Match", tag).get(path).status, 304, "{path}");
    }
    assert_eq!(anybody.get("/sdk/connect-sdk.js").body, b"// the vendor's");
    for path in ["/app/", "/app/nothing.js", "/app/..%2fweb.css", "/ui/../app/main.js", "/sdk/other.js"] {
        assert_eq!(anybody.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_server_without_the_application_or_without_the_sdk_says_so() {
    let place = Place::new();
    let server = start(&place);
    assert_eq!(Client::new(server.http).get("/sdk/connect-sdk.js").status, 404);
    assert_eq!(Client::new(server.http).get("/web/session").json()["sdk"], false);
    drop(server);
    let file = place.dir.path().join("server.toml");
    fs::write(&file, "[web]\nenabled = false\n").unwrap();
    let server = place.start(&["--user", "ann:right", "--config", file.to_str().unwrap()]);
    assert_eq!(Client::new(server.http).get("/").status, 404);
    let body = json!({"user": "ann", "password": "right"});
    assert_eq!(Client::new(server.http).post("/web/session", &body).status, 404);
}

#[test]
fn t24_who_signs_in_works_with_cookie_and_proof_and_with_neither_alone() {
    let place = Place::new();
    let server = start(&place);
    let answer = Client::new(server.http).post("/web/session", &json!({"user": "ann", "password": "right"}));
    let (pair, rules) = cookie(&answer);
    assert_eq!(rules, " Path=/; HttpOnly; SameSite=Strict");
    let (page, _, state) = signed_in(&server, "ann");
    assert_eq!(state["rights"], json!({"view": true, "edit": true, "delete": true}));
    page.ask("/files/browse", &json!({"path": "/"}));
    let proof = state["proof"].as_str().unwrap();
    let cookie_only = Client::new(server.http).with("Cookie", &pair);
    // The proof of another session is none.
    let wrong = cookie_only.clone().with("X-Godwit-Proof", proof);
    let proof_only = Client::new(server.http).with("X-Godwit-Proof", proof);
    for (client, scheme) in [(&cookie_only, "Basic"), (&wrong, "Session"), (&proof_only, "Session")] {
        let answer = client.post("/files/browse", &json!({"path": "/"}));
        assert_eq!(answer.status, 401);
        // A browser that is told Basic asks for a password in a window of its own.
        assert!(answer.header("www-authenticate").unwrap().starts_with(scheme));
    }
    assert_eq!(cookie_only.get("/web/session").json()["user"], "ann");
    assert_eq!(Client::new(server.http).get("/web/session").json()["user"], Value::Null);
    // What the browser remembers of another user's login does not make the page his.
    let mixed = page.clone().with("Authorization", "Basic Ym9iOnJpZ2h0");
    mixed.ask("/files/create", &json!({"paths": [{"type": "directory", "path": "/made"}]}));
    logged(&place, "user=\"ann\" kind=\"folder.created\"", 1);
}

#[test]
fn t24_a_page_of_another_site_gets_nothing_with_the_cookie() {
    let place = Place::new();
    let server = start(&place);
    let (page, pair, state) = signed_in(&server, "ann");
    for headers in [
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "http://127.0.0.1:1"), ("Sec-Fetch-Site", "same-site")],
        [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        let with = |client: Client| headers.iter().fold(client, |client, (name, value)| client.with(name, value));
        let body = json!({"paths": [{"path": "/x"}]});
        for client in [with(page.clone()), with(Client::new(server.http).with("Cookie", &pair))] {
            assert_eq!(client.post("/files/delete", &body).status, 403, "{headers:?}");
            assert_eq!(client.get("/web/session").status, 403, "{headers:?}");
        }
        let body = json!({"user": "ann", "password": "right"});
        assert_eq!(with(Client::new(server.http)).post("/web/session", &body).status, 403, "{headers:?}");
    }
    assert!(state["proof"].as_str().unwrap().len() > 40);
}

#[test]
fn a_session_ends_by_signing_out_and_with_the_password_and_wrong_ones_open_none() {
    let place = Place::new();
    let server = start(&place);
    let (page, _, _) = signed_in(&server, "ann");
    let answer = page.send("DELETE", "/web/session", None);
    assert_eq!(answer.status, 204);
    assert!(cookie(&answer).1.contains("Max-Age=0"));
    let answer = page.post("/files/browse", &json!({"path": "/"}));
    assert_eq!((answer.status, answer.json()["error"]["reason"].clone()), (401, json!("signed_out")));

    let mut add = place.command(&["user", "add", "eve"]);
    add.stdin(fs::File::open(input(&place, "right\n")).unwrap());
    assert!(place.run(add).status.success());
    let (page, _, _) = signed_in(&server, "eve");
    page.ask("/space", &json!({"paths": [{"path": "/"}]}));
    let mut change = place.command(&["user", "passwd", "eve"]);
    change.stdin(fs::File::open(input(&place, "other\n")).unwrap());
    assert!(place.run(change).status.success());
    assert_eq!(page.post("/space", &json!({"paths": [{"path": "/"}]})).status, 401);

    for body in [
        json!({"user": "ann", "password": "wrong"}),
        json!({"user": "nobody", "password": "right"}),
        json!({"user": "", "password": ""}),
    ] {
        let answer = Client::new(server.http).post("/web/session", &body);
        assert_eq!(answer.status, 401, "{body}");
        assert!(answer.header("set-cookie").is_none());
        assert!(answer.header("www-authenticate").unwrap().starts_with("Session"));
    }
    assert!(!place.log().contains("wrong\""), "passwords are in no log");
}

/// A file to be read as standard input.
fn input(place: &Place, text: &str) -> std::path::PathBuf {
    let file = place.dir.path().join("input");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn t23_guessing_at_the_sign_in_is_slowed_down_and_banned_like_everywhere() {
    let place = Place::new();
    let server = start(&place);
    let wrong = json!({"user": "ann", "password": "wrong"});
    let began = std::time::Instant::now();
    // Four cost nothing; then each waits for a quarter of a second at least. Failures fade: on a slow machine it takes more.
    let mut guesses = 0;
    while place.log().matches("login waits after failures").count() < 2 {
        assert_eq!(Client::new(server.http).post("/web/session", &wrong).status, 401);
        guesses += 1;
        assert!(guesses < 20, "nobody is slowed down");
    }
    assert!(guesses >= 6, "{guesses}");
    assert!(began.elapsed() > std::time::Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_downloads_what_it_names_until_it_ends_and_opens_nothing_else() {
    let place = Place::new();
    fs::create_dir(place.docroot().join("dir")).unwrap();
    fs::write(place.docroot().join("dir/shared.txt"), "for all").unwrap();
    fs::write(place.docroot().join("secret.txt"), "for ann").unwrap();
    let server = start(&place);
    let (page, _, _) = signed_in(&server, "ann");
    let made = page.post("/web/shares", &json!({"paths": ["/dir/shared.txt"], "seconds": 3600}));
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let made = made.json();
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(!place.log().contains(&token));

    let stranger = Client::new(server.http);
    let opened = stranger.ask("/web/shares/open", &json!({"token": token}));
    assert_eq!(opened["items"], json!([{"name": "shared.txt", "type": "file", "size": 7}]));
    assert_eq!((&opened["from"], &opened["expires"]), (&json!("ann"), &made["expires"]));
    let spec = &opened["transfer_spec"];
    assert_eq!((&spec["direction"], &spec["fasp_port"]), (&json!("receive"), &json!(server.data.port())));

    let local = tempfile::tempdir().unwrap();
    let credential = || Credential::Token { token: Secret::new(token.as_str()) };
    let get = |path: &str| server.session("xfer", credential(), Direction::Receive, local.path(), path);
    session(get("/dir/shared.txt")).await.unwrap();
    assert_eq!(fs::read_to_string(local.path().join("shared.txt")).unwrap(), "for all");
    session(get("/secret.txt")).await.unwrap_err();
    let up = server.session("xfer", credential(), Direction::Send, &local.path().join("shared.txt"), "/dir");
    session(up).await.unwrap_err();
    // The link is no login.
    assert_eq!(stranger.clone().with("Authorization", &format!("Bearer {token}")).get("/access_keys").status, 401);

    let listed = page.get("/web/shares").json();
    assert_eq!(listed["links"], json!([{"id": made["id"], "paths": ["/dir/shared.txt"], "expires": made["expires"]}]));
    // Another user neither sees nor ends it.
    let (bob, _, _) = signed_in(&server, "bob");
    assert_eq!(bob.get("/web/shares").json()["links"], json!([]));
    let address = format!("/web/shares/{}", made["id"].as_str().unwrap());
    assert_eq!(bob.send("DELETE", &address, None).status, 404);
    assert_eq!(page.send("DELETE", &address, None).status, 204);
    assert_eq!(stranger.post("/web/shares/open", &json!({"token": token})).status, 410);
    session(get("/dir/shared.txt")).await.unwrap_err();
    assert_eq!(page.get("/web/shares").json()["links"], json!([]));
}

#[test]
fn links_are_made_only_of_what_their_maker_may_see_and_live_no_longer_than_allowed() {
    let place = Place::new();
    fs::write(place.docroot().join("f"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.docroot().join("link")).unwrap();
    let file = place.dir.path().join("server.toml");
    fs::write(&file, "[web]\nshare_days = 1\n[users.in]\nread = false\n").unwrap();
    let server = place.start(&["--config", file.to_str().unwrap(), "--user", "ann:right", "--user", "in:right"]);
    let (page, _, _) = signed_in(&server, "ann");
    let wish = |paths: Value, seconds: u64| json!({"paths": paths, "seconds": seconds});
    let made = page.post("/web/shares", &wish(json!(["/f"]), u64::MAX)).json();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(made["expires"].as_u64().unwrap() <= now + 86_400);
    for (paths, status) in [
        (json!([]), 400),
        (json!(["/missing"]), 404),
        (json!(["/link"]), 403),
        (json!(["/../f"]), 400),
        (json!(vec!["/f"; 101]), 400),
    ] {
        assert_eq!(page.post("/web/shares", &wish(paths.clone(), 60)).status, status, "{paths}");
    }
    let (uploader, _, _) = signed_in(&server, "in");
    assert_eq!(uploader.post("/web/shares", &wish(json!(["/f"]), 60)).status, 403);
    // An upload token, or none at all, leads nowhere.
    let setup = json!({"transfer_requests": [{"transfer_request": {"destination_root": "/"}}]});
    let token = page.ask("/files/upload_setup", &setup)["transfer_specs"][0]["transfer_spec"]["token"].clone();
    for token in [token, json!("v4.public.x"), json!("")] {
        assert_eq!(Client::new(server.http).post("/web/shares/open", &json!({"token": token})).status, 410);
    }
}
