//! Names and addresses that would like to be more than that: in headers, in the log, in answers that a browser shows.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::Client;
use common::{Place, SOON, Server};
use serde_json::json;
use std::fs;
use std::time::Instant;

/// Names that a disk may have and that mean something elsewhere: in headers, pages, tables, command lines, addresses.
const NAMES: [&str; 14] = [
    "\"; filename=\"evil.exe",
    "a;b,c=d'e\"f",
    "%0d%0aSet-Cookie: a=b",
    "100%.txt",
    "naïve €uro 漢字 🦤.txt",
    "<img src=x onerror=alert(1)>.html",
    "\"><svg onload=alert(1)>",
    "=cmd|' !A1",
    "+1+1, @SUM(1)",
    "-rf *",
    "${jndi:ldap:x} {{7*7}}",
    "javascript:alert(1)",
    "?query&x=1#share=x",
    " two  blanks ",
];

fn start(place: &Place) -> Server {
    place.start(&["--user", "ann:right"])
}

/// As an address has it: everything that is not a plain letter or digit is encoded.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        let byte = (bytes[at] == b'%').then(|| u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
        at += if byte.is_some() { 3 } else { 1 };
        out.push(byte.unwrap_or(bytes[at - 1]));
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn t24_whatever_a_file_is_called_it_is_saved_under_that_name_and_never_shown_as_a_page() {
    let place = Place::new();
    for name in NAMES {
        fs::write(place.docroot().join(name), "<script>alert(1)</script>").unwrap();
    }
    let server = start(&place);
    let ann = Client::basic(server.http, "ann", "right");
    for name in NAMES {
        let answer = ann.get(&format!("/files/{}/contents", encoded(&format!("/{name}"))));
        assert_eq!(answer.status, 200, "{name}: {}", String::from_utf8_lossy(&answer.body));
        let told = answer.header("content-disposition").unwrap();
        let value = told.strip_prefix("attachment; filename*=UTF-8''").unwrap_or_else(|| panic!("{name}: {told}"));
        let plain = |c: char| c.is_ascii_alphanumeric() || "%-._~".contains(c);
        assert!(value.chars().all(plain), "{name}: {told}");
        assert_eq!(decoded(value), name);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert!(answer.header("content-security-policy").unwrap().contains("sandbox"), "{name}");
        assert!(answer.header("set-cookie").is_none(), "{name}");
    }
    // A listing is JSON, told to be, with every name as it is.
    let answer = ann.post("/files/browse", &json!({"path": "/"}));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let items = answer.json()["items"].as_array().unwrap().clone();
    let mut found: Vec<_> = items.iter().map(|item| item["basename"].as_str().unwrap()).collect();
    let mut names = NAMES.to_vec();
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names);
}

#[test]
fn t24_no_address_leads_to_another_site() {
    let place = Place::new();
    let server = start(&place);
    for path in [
        "//evil.example",
        "//evil.example/",
        "///evil.example/%2e%2e",
        "/\\evil.example",
        "/%5cevil.example",
        "/%2f%2fevil.example",
        "/%2f%2fevil.example/",
        "/.evil.example",
        "/@evil.example",
        "/app//evil.example",
        "/app",
        "/ui",
        "/?next=https://evil.example",
        "/?url=//evil.example&redirect=https://evil.example&return_to=https://evil.example",
        "/web/session?next=https://evil.example",
        "/web/shares/open?to=https://evil.example",
        "/files/%2F..%2F%2Fevil.example/contents",
        "/%0d%0aLocation:%20https://evil.example",
        "/ping?%0d%0aLocation:%20https://evil.example",
    ] {
        for (name, value) in [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Original-URL", "//evil.example"),
            ("Forwarded", "host=evil.example"),
        ] {
            for method in ["GET", "HEAD", "POST"] {
                let answer = Client::new(server.http).with(name, value).send(method, path, None);
                assert!(!(300..400).contains(&answer.status), "{method} {path}: {}", answer.head);
                for header in ["location", "refresh", "content-location", "link"] {
                    assert_eq!(answer.header(header), None, "{method} {path}: {}", answer.head);
                }
                let page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
                assert!(!page || !String::from_utf8_lossy(&answer.body).contains("evil.example"), "{method} {path}");
            }
        }
    }
    // The host that a set-up names is one that somebody could have called.
    let ann = Client::basic(server.http, "ann", "right");
    let wish = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/"}]}}]});
    let spec = ann.clone().with("X-Forwarded-Host", "evil.example").ask("/files/upload_setup", &wish);
    assert!(!spec.to_string().contains("evil.example"), "{spec}");
}

#[test]
fn t24_nobody_writes_a_line_of_the_log_but_the_server() {
    let place = Place::new();
    let mut server = start(&place);
    let forged = "2026-01-01T00:00:00.000000Z  INFO forged: login accepted";
    let odd = [
        "\n",
        "\r\n",
        "\r",
        "\u{1b}[2J\u{1b}[31m",
        "\u{9b}2J",
        "\u{2028}",
        "\u{85}",
        "\u{202e}",
        "\0",
        "\u{7}\u{8}\u{7f}",
    ];
    for text in odd {
        let name = format!("x{text}{forged}");
        let ann = Client::basic(server.http, "ann", "right");
        // In an address, in a name, a password, a path, a cookie, a host.
        Client::new(server.http).get(&format!("/{}", encoded(&name)));
        ann.get(&format!("/files/{}/contents", encoded(&format!("/{name}"))));
        ann.post("/files/create", &json!({"paths": [{"type": "directory", "path": format!("/{name}")}]}));
        ann.post("/access_keys", &json!({"id": name, "storage": {"path": format!("/{name}")}}));
        ann.post("/web/shares", &json!({"paths": [format!("/{name}")], "seconds": 60}));
        let login = STANDARD.encode(format!("{name}:{name}"));
        Client::new(server.http).with("Authorization", &format!("Basic {login}")).post("/space", &json!({"paths": []}));
        Client::new(server.http).post("/web/session", &json!({"user": name, "password": name}));
        // Success in between: who fails too often would not be looked at any more.
        let known = ann.post("/access_keys", &json!({"storage": {"path": "/"}}));
        assert_eq!(known.status, 201, "{}", String::from_utf8_lossy(&known.body));
        let key =
            Client::basic(server.http, known.json()["id"].as_str().unwrap(), known.json()["secret"].as_str().unwrap());
        assert_eq!(key.post("/space", &json!({"paths": []})).status, 200);
    }
    let begin = Instant::now();
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait(SOON).success(), "{:?}", begin.elapsed());
    let log = place.log();
    assert!(log.contains("forged"), "the log has it, as a part of its own lines");
    for line in log.split_inclusive('\n') {
        let line = line.strip_suffix('\n').unwrap();
        assert!(line.starts_with("20") && line.contains("Z "), "a line that the server did not begin: {line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00.000000Z"), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || "\u{2028}\u{2029}\u{202e}".contains(c)), "{line:?}");
    }
}
