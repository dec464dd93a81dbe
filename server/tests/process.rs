//! What the server promises as a process: its line, its files, its ports, its errors.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, SOON, read_all};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    String::from_utf8(read_all(stream)).unwrap()
}

#[test]
fn with_defaults_alone_it_runs_and_says_how_to_add_a_user() {
    let place = Place::new();
    let mut command =
        place.command(&["--data-port", "0", "--api-port", "0", "--http-port", "0", "--bind", "127.0.0.1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 6];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"ready ");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let rest = String::from_utf8(read_all(stdout)).unwrap();
    assert_eq!(rest.matches('\n').count(), 1, "exactly one line: {rest}");
    let stderr = String::from_utf8(read_all(child.stderr.take().unwrap())).unwrap();
    assert!(stderr.contains("no users") && stderr.contains("--user NAME:PASSWORD"), "{stderr}");
    assert!(child.wait().unwrap().success());
    assert!(place.dir.path().join("files").is_dir(), "the default docroot is made");
}

#[test]
fn the_fingerprint_stays_and_keys_are_the_owners_alone() {
    let place = Place::new();
    let first = place.start(&["--user", "ann:pw"]);
    let fingerprint = first.fingerprint.clone();
    drop(first);
    let second = place.start(&["--user", "ann:pw"]);
    assert_eq!(second.fingerprint, fingerprint);
    assert_eq!(fingerprint.len(), "SHA256:".len() + 64);
    let state = place.dir.path().join("server");
    assert_eq!(state.metadata().unwrap().mode() & 0o777, 0o700);
    for file in ["certificate.pem", "token.key"] {
        assert_eq!(state.join(file).metadata().unwrap().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn the_data_port_answers_on_tcp_with_one_line() {
    let place = Place::new();
    let server = place.start(&[]);
    assert_ne!(server.data.port(), 0);
    for _ in 0..3 {
        let text = String::from_utf8(read_all(connect(server.data))).unwrap();
        assert!(text.starts_with("godwit ") && text.ends_with("\r\n") && text.lines().count() == 1, "{text:?}");
    }
    let mut talkative = connect(server.data);
    talkative.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(read_all(talkative).starts_with(b"godwit "), "input does not destroy the answer");
}

#[test]
fn ping_is_empty_info_tells_no_secrets_and_the_rest_is_404_in_the_apis_shape() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:pw"]);
    let ping = http(server.http, "GET /ping");
    assert!(ping.starts_with("HTTP/1.1 200 ") && ping.ends_with("\r\n\r\n"), "{ping}");
    let info = http(server.http, "GET /info");
    let body: serde_json::Value = serde_json::from_str(info.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["application"], "node");
    assert!(body["settings"].as_array().unwrap().iter().any(|s| s["name"] == "wss_enabled" && s["value"] == false));
    let home = place.dir.path().to_str().unwrap();
    assert!(!info.contains(home) && !info.contains("ann"), "{info}");
    for request in ["GET /files/browse", "POST /ping", "DELETE /", "GET /../etc/passwd"] {
        let answer = http(server.http, request);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{request}: {answer}");
        let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(body["error"]["code"] == 404 && body["error"]["user_message"].is_string(), "{answer}");
    }
}

#[test]
fn the_api_speaks_https_with_the_certificate_of_the_fingerprint() {
    let place = Place::new();
    let server = place.start(&[]);
    let pem = std::fs::read(place.dir.path().join("server/certificate.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
    assert_eq!(godwit_transport::identity::fingerprint(&certificate), server.fingerprint);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, connect(server.api));
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_all(stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn t21_bad_http_and_too_many_connections_do_not_stop_it() {
    let place = Place::new();
    let server = place.start(&[]);
    for bad in ["\r\n\r\n\r\nnonsense\r\n\r\n", "GET /ping HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut stream = connect(server.http);
        stream.write_all(bad.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!String::from_utf8_lossy(&read_all(stream)).contains(" 200 "), "{bad:?}");
    }
    let mut stream = connect(server.http);
    let _ = stream.write_all(format!("GET /ping HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
    assert!(!String::from_utf8_lossy(&read_all(stream)).contains(" 200 "), "a head of 1 MiB is refused");

    let idle: Vec<_> = (0..godwit_server::listen::CONNECTIONS_PER_ADDRESS).map(|_| connect(server.http)).collect();
    let mut over = connect(server.http);
    match over.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("a connection over the limit is closed, not {other:?}"),
    }
    drop(idle);
    let deadline = Instant::now() + SOON;
    loop {
        // The server learns of the closed ones one by one.
        let mut stream = connect(server.http);
        let sent = stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if sent.is_ok() && read_all(stream).starts_with(b"HTTP/1.1 200 ") {
            break;
        }
        assert!(Instant::now() < deadline, "places are not given back");
    }
}

#[test]
fn a_second_server_on_the_same_ports_says_so_and_ends() {
    let place = Place::new();
    let server = place.start(&[]);
    let [data, api, http] = [server.data, server.api, server.http].map(|a| a.port().to_string());
    for (option, port) in [("--data-port", &data), ("--api-port", &api), ("--http-port", &http)] {
        let ended = place.run(place.serving(&[option, port]));
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{}", ended.stdout);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(port.as_str()) && last.contains("another server"), "{last}");
    }
    assert!(http_is_alive(&server));
}

fn http_is_alive(server: &common::Server) -> bool {
    http(server.http, "GET /ping").starts_with("HTTP/1.1 200 ")
}

#[test]
fn a_wrong_configuration_is_told_by_its_key() {
    let place = Place::new();
    let file = place.dir.path().join("godwit.toml");
    for (text, key) in [
        ("collour = 'blue'\n", "collour"),
        ("[users.ann]\npasword_hash = 'x'\n", "pasword_hash"),
        ("[users.ann]\npassword_hash = 'hunter2'\n", "users.ann.password_hash"),
        ("data_port = 'many'\n", "data_port"),
        ("not toml", "godwit.toml"),
    ] {
        std::fs::write(&file, text).unwrap();
        let ended = place.run(place.serving(&["--config", file.to_str().unwrap()]));
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{text}");
        assert!(ended.stderr.contains(key), "{text}: {}", ended.stderr);
    }
    std::fs::remove_file(&file).unwrap();
    let ended = place.run(place.serving(&["--config", file.to_str().unwrap()]));
    assert!(!ended.status.success() && ended.stderr.contains("godwit.toml"), "{}", ended.stderr);
    let missing = place.dir.path().join("missing");
    let ended = place.run(place.serving(&["--state", file.to_str().unwrap(), "--docroot", missing.to_str().unwrap()]));
    assert!(!ended.status.success() && ended.stderr.contains("missing"), "{}", ended.stderr);
}

#[test]
fn a_damaged_certificate_is_named_and_kept() {
    let place = Place::new();
    drop(place.start(&[]));
    let file = place.dir.path().join("server/certificate.pem");
    std::fs::write(&file, "damaged").unwrap();
    let ended = place.run(place.serving(&[]));
    assert!(!ended.status.success() && ended.stderr.contains("certificate.pem"), "{}", ended.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), b"damaged");
}

#[test]
fn a_hash_is_printed_for_the_password_on_standard_input() {
    let place = Place::new();
    let mut command = place.command(&["hash-password"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a secret\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && hash.starts_with("$argon2id$v=19$m="), "{hash}");
    assert_eq!(hash.lines().count(), 1);
    godwit_server::password::Hash::parse(hash.trim()).unwrap();
    let ended = place.run(place.command(&["hash-password"]));
    assert!(!ended.status.success() && ended.stderr.contains("1 to"), "no password is no password: {}", ended.stderr);
}

#[test]
fn a_token_is_issued_on_one_line_or_refused_with_a_reason() {
    let place = Place::new();
    let issue = |more: &[&str]| {
        let base = ["token", "issue", "--user", "ann", "--direction", "send"];
        place.run(place.command(&[&base[..], more].concat()))
    };
    let issued = issue(&["--path", "/in", "--path", "out", "--ttl", "12h"]);
    assert!(issued.status.success() && issued.stdout.starts_with("v4.public."), "{}", issued.stderr);
    assert_eq!(issued.stdout.lines().count(), 1);
    for (bad, word) in [
        (&["--path", "../x"][..], "'../x'"),
        (&["--path", "/", "--ttl", "400d"], "366 days"),
        (&["--path", "/", "--ttl", "soon"], "--ttl"),
        (&[], "--path"),
    ] {
        let refused = issue(bad);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{bad:?}");
        assert!(refused.stderr.contains(word), "{bad:?}: {}", refused.stderr);
    }
}

#[test]
fn a_password_never_reaches_the_log() {
    let place = Place::new();
    let mut server = place.start(&["--user", "ann:hunter2-unmistakable"]);
    server.signal(Signal::INT);
    assert!(server.wait(SOON).success());
    let log = place.log();
    assert!(log.contains("ended") && !log.contains("hunter2"), "{log}");
}
