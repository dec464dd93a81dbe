//! Requests that two programs could read in two ways, that are too much, or that ask for what is not given: on both HTTP
//! ports of the real server, byte by byte.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, SOON, Server, read_all};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

/// Of ann.
const AUTH: &str = "Authorization: Basic YW5uOnJpZ2h0\r\nContent-Type: application/json\r\n";
/// What hides in the body of another request; its answer would be recognised.
const HIDDEN: &str = "GET /info HTTP/1.1\r\nHost: x\r\n\r\n";

fn start(place: &Place) -> Server {
    place.start(&["--user", "ann:right"])
}

/// Everything that comes back for these bytes, over plain HTTP and over HTTPS.
struct Ports<'a> {
    server: &'a Server,
    tls: Arc<rustls::ClientConfig>,
}

impl<'a> Ports<'a> {
    fn of(place: &Place, server: &'a Server) -> Self {
        let pem = fs::read(place.dir.path().join("server/certificate.pem")).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server, tls: Arc::new(tls) }
    }

    fn ask(&self, bytes: &[u8]) -> [String; 2] {
        let plain = {
            let mut stream = connect(self.server.http);
            // Who is refused early may find the door closed.
            let _ = stream.write_all(bytes);
            read_all(stream)
        };
        let secured = {
            let name = ServerName::try_from("localhost").unwrap();
            let connection = rustls::ClientConnection::new(self.tls.clone(), name).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, connect(self.server.api));
            let _ = stream.write_all(bytes);
            let _ = stream.flush();
            read_all(stream)
        };
        [plain, secured].map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn connect(address: std::net::SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(2 * SOON)).unwrap();
    stream
}

/// Status of each answer.
fn statuses(answers: &str) -> Vec<u16> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

#[test]
fn t21_a_request_that_can_be_read_in_two_ways_gets_one_answer_and_the_connection_ends() {
    let place = Place::new();
    let server = start(&place);
    let ports = Ports::of(&place, &server);
    let long = "1".repeat(40);
    let with_head = |head: &str, body: &str| format!("POST /space HTTP/1.1\r\nHost: x\r\n{AUTH}{head}\r\n{body}");
    let chunked = |body: &str| with_head("Transfer-Encoding: chunked\r\n", body);
    let mut shapes: Vec<(String, String, &[u16])> = Vec::new();
    for head in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        &format!("Content-Length: {long}\r\n"),
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Content-Length: 5\r\n",
        "X: a\r\n b\r\n",
        "X: a\r\n\tContent-Length: 5\r\n",
        "X\0Y: a\r\n",
        "X: a\0b\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X Y: a\r\n",
    ] {
        shapes.push((head.to_owned(), with_head(head, HIDDEN), &[400]));
    }
    // Bodies in pieces that are none, which shows when the body is read.
    for body in
        ["g\r\n", "-1\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "2\r\n{}0\r\n\r\n", "2\r\n{}\r0\r\n\r\n"]
    {
        shapes.push((body.to_owned(), chunked(&format!("{body}{HIDDEN}")), &[400]));
    }
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n{HIDDEN}", "x".repeat(100_000));
    shapes.push(("a long extension".into(), chunked(&extension), &[400]));
    let trailers = format!("2\r\n{{}}\r\n0\r\n{}\r\n{HIDDEN}", "X: y\r\n".repeat(10_000));
    shapes.push(("many trailers".into(), chunked(&trailers), &[400]));
    // An older version knows no pieces.
    let old = format!("POST /space HTTP/1.0\r\n{AUTH}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
    shapes.push(("1.0".into(), old, &[400]));
    for (what, request, allowed) in shapes {
        for answers in ports.ask(request.as_bytes()) {
            let found = statuses(&answers);
            assert!(found.len() <= 1 && found.iter().all(|status| allowed.contains(status)), "{what:?}: {answers}");
            assert!(!answers.contains("\"application\""), "{what:?}: the hidden one was answered: {answers}");
        }
    }
    // With both the pieces count, and nothing after them, in whatever order both are told.
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\nConnection: keep-alive\r\n",
    ] {
        let body = "c\r\n{\"paths\":[]}\r\n0\r\n\r\n";
        for answers in ports.ask(with_head(head, &format!("{body}{HIDDEN}")).as_bytes()) {
            assert_eq!(statuses(&answers), [200], "{head:?}: {answers}");
        }
    }
    // And one that nobody can misread: what hides is a body, and the next request is the next request.
    let honest = format!("GET /ping HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
    for answers in
        ports.ask(format!("{honest}GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    {
        // A body that nobody reads may end the connection too.
        let found = statuses(&answers);
        assert!(found == [200] || found == [200, 404], "{answers}");
        assert!(!answers.contains("\"application\""), "{answers}");
    }
}

#[test]
fn t21_heads_that_are_too_much_are_refused_and_what_is_not_offered_is_not_done() {
    let place = Place::new();
    let server = start(&place);
    let ports = Ports::of(&place, &server);
    let many: String = (0..10_000).map(|n| format!("X{n}: 1\r\n")).collect();
    let sixty_five: String = (0..65).map(|n| format!("X{n}: 1\r\n")).collect();
    for (what, request) in [
        ("1 MB in one line", format!("GET /ping HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))),
        ("10,000 lines", format!("GET /ping HTTP/1.1\r\n{many}\r\n")),
        ("one line too many", format!("GET /ping HTTP/1.1\r\n{sixty_five}\r\n")),
        ("a long address", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000))),
        ("HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ] {
        for answers in ports.ask(request.as_bytes()) {
            // Refused in words, or the door was closed before all was said.
            assert!(statuses(&answers).iter().all(|status| [400, 414, 431].contains(status)), "{what}: {answers}");
        }
    }
    for (what, request, status) in [
        // Neither codings of the transfer nor packed answers, whatever the client can take.
        (
            "TE",
            "GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTE: trailers, deflate;q=0.5\r\nAccept-Encoding: gzip, br\r\n\r\n",
            200,
        ),
        ("an upgrade", "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n", 200),
        ("a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", 404),
        ("a proxy", "GET http://evil.example/secret HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 404),
        ("an unknown wish", "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: a-miracle\r\n\r\n", 200),
        // Who has not proven himself is not told to send ten gigabytes.
        (
            "Expect",
            "POST /space HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 10000000000\r\n\r\n",
            401,
        ),
    ] {
        for answers in ports.ask(request.as_bytes()) {
            assert_eq!(statuses(&answers), [status], "{what}: {answers}");
            let head = answers.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            assert!(!head.contains("content-encoding") && !head.contains("gzip"), "{what}: {head}");
        }
    }
    // Who has, is.
    let body = r#"{"paths":[]}"#;
    let expecting = format!(
        "POST /space HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n{body}"
    );
    for answers in ports.ask(expecting.as_bytes()) {
        assert_eq!(statuses(&answers), [100, 200], "{answers}");
    }
}

#[test]
fn t21_ranges_that_overlap_or_lie_beyond_the_file_are_cut_or_answered_with_the_whole() {
    let place = Place::new();
    let server = start(&place);
    let content: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(place.docroot().join("f"), &content).unwrap();
    fs::write(place.docroot().join("empty"), "").unwrap();
    let get = |range: &str, path: &str| {
        let ann = Client::basic(server.http, "ann", "right").with("Range", range);
        let answer = ann.get(&format!("/files/%2F{path}/contents"));
        (answer.status, answer.body)
    };
    let overlapping: Vec<_> = (0..1_000).map(|n| format!("{n}-")).collect();
    for (range, expected) in [
        (format!("bytes={}", overlapping.join(",")), (200, content.clone())),
        ("bytes=0-9999,0-9999".into(), (200, content.clone())),
        ("bytes=0-,-1".into(), (200, content.clone())),
        ("bytes=9-2".into(), (200, content.clone())),
        ("bytes=--5".into(), (200, content.clone())),
        ("items=0-5".into(), (200, content.clone())),
        ("bytes=-20000".into(), (206, content.clone())),
        ("bytes=-18446744073709551615".into(), (206, content.clone())),
        ("bytes=5-18446744073709551615".into(), (206, content[5..].to_vec())),
        ("bytes=9999-10000".into(), (206, content[9_999..].to_vec())),
    ] {
        assert!(get(&range, "f") == expected, "{}", &range[..range.len().min(60)]);
    }
    for (range, path) in [("bytes=10000-", "f"), ("bytes=-0", "f"), ("bytes=0-", "empty"), ("bytes=-1", "empty")] {
        assert_eq!(get(range, path).0, 416, "{range} of {path}");
    }
}

/// Most memory that the server has had, in bytes.
fn peak(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn t22_what_comes_packed_is_not_unpacked() {
    const UNPACKED: usize = 100 << 20;
    let place = Place::new();
    let server = start(&place);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..UNPACKED / piece.len() {
        packer.write_all(&piece).unwrap();
        zlib.write_all(&piece).unwrap();
    }
    let (bomb, zlib) = (packer.finish().unwrap(), zlib.finish().unwrap());
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let ann = Client::basic(server.http, "ann", "right");
    ann.ask("/space", &json!({"paths": []}));
    let before = peak(&server);
    let paths = [
        "/files/browse",
        "/files/search",
        "/files/create",
        "/files/upload_setup",
        "/files/download_setup",
        "/ops/transfers",
        "/access_keys",
        "/permissions",
        "/web/session",
        "/web/shares",
        "/web/shares/open",
    ];
    for path in paths {
        for coding in
            ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "compress", "identity, gzip", "gzip, gzip", "bomb"]
        {
            let answer = ann.clone().with("Content-Encoding", coding).send("POST", path, Some(&bomb));
            assert_eq!(
                (answer.status, &answer.json()["error"]["reason"]),
                (415, &json!("compressed")),
                "{path}: {coding}"
            );
        }
        // Not told to be packed, or told twice: it is read as it comes, and is no JSON.
        for client in [ann.clone(), ann.clone().with("Content-Encoding", "identity").with("Content-Encoding", "gzip")] {
            assert_eq!(client.send("POST", path, Some(&bomb)).status, 400, "{path}");
        }
    }
    // Packed for the way instead.
    let head =
        format!("POST /space HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n");
    let body = [format!("{head}\r\n{:x}\r\n", bomb.len()).as_bytes(), &bomb, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(Client::new(server.http).raw(&body).status, 400);
    // A bearer token is packed by its maker: what is too long for one is not unpacked to its end.
    let token = STANDARD.encode(zlib);
    let bearer = Client::new(server.http).with("Authorization", &format!("Bearer {token}"));
    assert!([400, 401, 431].contains(&bearer.post("/files/browse", &json!({"path": "/"})).status));
    let short = STANDARD.encode(&{
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        (0..20).for_each(|_| packer.write_all(&piece).unwrap());
        packer.finish().unwrap()
    });
    assert!(short.len() < 32 * 1024, "as long as a token may be: {}", short.len());
    let bearer = Client::new(server.http).with("Authorization", &format!("Bearer {short}"));
    assert_eq!(bearer.post("/files/browse", &json!({"path": "/"})).status, 401);
    let cost = peak(&server) - before;
    assert!(cost < (UNPACKED / 2) as u64, "{cost} bytes");
    ann.ask("/files/browse", &json!({"path": "/"}));
}
