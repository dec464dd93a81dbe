//! The local HTTP door (reference, part 2): closed unless the user opens it, the same rights as a page through a browser,
//! and nothing for names, origins and senders that are not what they should be.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

const SITE: &str = "https://app.example";
const APP: &str = "an-unguessable-app-id-4711";

/// Names and values, as they are sent.
type Headers<'a> = Vec<(&'a str, &'a str)>;

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(SOON * 2)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// Sends bytes as they are; the answer until the door closes the connection. `None`: it closed without one.
fn raw(port: u16, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(port);
    // The door may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    raw(port, format!("{text}\r\n{body}").as_bytes()).expect("an answer")
}

fn get(port: u16, path: &str) -> Answer {
    request(port, "GET", path, &[("Host", &format!("127.0.0.1:{port}")), ("Origin", SITE)], "")
}

/// As the SDK posts: `text/plain`, so that the browser asks nothing before.
fn post(port: u16, path: &str, mut body: Value) -> Answer {
    body["aspera_connect_settings"] = json!({"app_id": APP});
    let host = format!("127.0.0.1:{port}");
    let headers = [("Host", host.as_str()), ("Origin", SITE), ("Content-Type", "text/plain;charset=UTF-8")];
    request(port, "POST", path, &headers, &body.to_string())
}

fn sign(scratch: &Scratch) -> PathBuf {
    scratch.home().join("run/http.uri")
}

fn set(browser: &Browserish, open: bool) {
    browser.ui("ui.change-settings", json!({"changes": {"security.local_http": open}})).unwrap();
}

/// Opens the door: its port.
fn open(scratch: &Scratch, browser: &Browserish) -> u16 {
    set(browser, true);
    let text = until("the address is announced", SOON, || std::fs::read_to_string(sign(scratch)).ok());
    text.trim().strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap()
}

#[test]
fn the_door_is_closed_until_the_user_opens_it_and_says_where_it_is_while_open() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    assert_eq!(browser.ui("ui.settings", json!({})).unwrap()["values"]["security"]["local_http"], json!(false));
    assert!(!sign(&scratch).exists());
    let port = open(&scratch, &browser);
    assert!((33_003..=33_022).contains(&port), "where the SDK looks: {port}");
    let answer = get(port, "/v5/connect/info/ping");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(SITE)));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let version = get(port, "/v5/connect/info/version").json();
    assert_eq!(version, browser.page(SITE, APP).get("/connect/info/version").1, "the same as through the browser");
    set(&browser, false);
    until_true("the sign is taken down", SOON, || !sign(&scratch).exists());
    until_true("nobody listens", SOON, || TcpStream::connect(("127.0.0.1", port)).is_err());

    // An agent that is told to end takes it down too; one that starts puts it up again.
    open(&scratch, &browser);
    browser.ui("ui.shutdown", json!({})).unwrap();
    until_true("the agent ends", SOON, || scratch.agents().is_empty());
    assert!(!sign(&scratch).exists());
    drop(browser);
    let _browser = Browserish::open(&scratch);
    until_true("the next one opens it", SOON, || sign(&scratch).exists());
}

#[test]
fn a_page_without_the_extension_moves_a_file_after_the_same_question() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 3 << 20, 8);
    let browser = Browserish::open(&scratch);
    let port = open(&scratch, &browser);
    let spec = server.spec("receive", server.data.port(), json!({"paths": [{"source": "f"}]}));
    let answer = post(port, "/v5/connect/transfers/start", json!({"transfer_specs": [{"transfer_spec": spec}]}));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(browser.prompts().len(), 1, "the user was asked, in the browser's window");
    let uuid = answer.json()["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    until("it completes", LONG, || {
        let info = post(port, &format!("/v5/connect/transfers/info/{uuid}"), json!({})).json();
        assert_ne!(info["transfer_info"]["status"], "failed", "{info}");
        (info["transfer_info"]["status"] == "completed").then_some(())
    });
    tree::assert_same_file(&server.docroot().join("f"), &scratch.home().join("Downloads/f"));
    // Seen by the same page through the browser, and by nobody else.
    assert_eq!(browser.page(SITE, APP).activity(0)["result_count"], json!(1));
    let other = format!("127.0.0.1:{port}");
    let headers = [("Host", other.as_str()), ("Origin", "https://other.example")];
    let body = json!({"aspera_connect_settings": {"app_id": APP}, "iteration_token": 0}).to_string();
    let news = request(port, "POST", "/v5/connect/transfers/activity", &headers, &body);
    assert_eq!(news.json()["result_count"], json!(0));
    // A path that nobody chose.
    let spec =
        server.spec("send", server.data.port(), json!({"paths": [{"source": "/etc/passwd"}], "destination_root": "/"}));
    let answer = post(port, "/v5/connect/transfers/start", json!({"transfer_specs": [{"transfer_spec": spec}]}));
    assert_eq!(answer.status, 406, "{answer:?}");
}

#[test]
fn hostile_names_and_origins_get_nothing_that_a_page_could_read() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let port = open(&scratch, &browser);
    let here = format!("127.0.0.1:{port}");
    let rebound = format!("evil.example:{port}");
    let wrong_port = format!("127.0.0.1:{}", port - 1);
    let rows: Vec<(&str, u16, Headers<'_>)> = vec![
        ("a name pointed at this machine", 421, vec![("Host", &rebound), ("Origin", SITE)]),
        ("another port", 421, vec![("Host", &wrong_port), ("Origin", SITE)]),
        ("no port", 421, vec![("Host", "127.0.0.1"), ("Origin", SITE)]),
        ("two names", 421, vec![("Host", &here), ("Host", &rebound), ("Origin", SITE)]),
        ("no name", 421, vec![("Origin", SITE)]),
        ("no origin, as of a picture or a link", 403, vec![("Host", &here)]),
        ("a sandboxed frame", 403, vec![("Host", &here), ("Origin", "null")]),
        ("a page over plain http", 403, vec![("Host", &here), ("Origin", "http://app.example")]),
        ("another extension", 403, vec![("Host", &here), ("Origin", "chrome-extension://abcdef")]),
        ("a file", 403, vec![("Host", &here), ("Origin", "file://")]),
        ("two origins", 403, vec![("Host", &here), ("Origin", SITE), ("Origin", "https://b.example")]),
        ("a program's identity as a page", 403, vec![("Host", &here), ("Origin", "https://ascli.invalid")]),
    ];
    for method in ["GET", "POST", "OPTIONS", "DELETE"] {
        for (what, status, headers) in &rows {
            let answer = request(port, method, "/v5/connect/info/version", headers, "");
            assert_eq!(answer.status, *status, "{what}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{what}: {answer:?}");
            assert!(!answer.body.contains("version"), "{what}: {answer:?}");
        }
    }
    let good = [("Host", here.as_str()), ("Origin", SITE)];
    for path in
        ["/", "/connect/info/version", "/v5/../v5/connect/info/version", "/v5/connect/nothing", "/v5/connect/%2e%2e/x"]
    {
        assert_eq!(request(port, "GET", path, &good, "").status, 404, "{path}");
    }
    let absolute = format!("http://evil.example:{port}/v5/connect/info/version");
    assert_eq!(request(port, "GET", &absolute, &good, "").status, 421);
    for rubbish in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 40_000]]
    {
        assert!(raw(port, rubbish).is_none_or(|answer| answer.status >= 400));
    }
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = raw(port, format!("GET /v5/connect/info/ping HTTP/1.1\r\nHost: {here}\r\n{many}\r\n").as_bytes());
    assert!(answer.is_none_or(|answer| answer.status >= 400), "too many fields");
    assert!(browser.prompts().is_empty(), "nobody was asked anything");
    assert_eq!(get(port, "/v5/connect/info/ping").status, 200, "the door stands");
}

#[test]
fn a_browser_that_asks_first_hears_what_the_page_may_send() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let port = open(&scratch, &browser);
    let here = format!("localhost:{port}");
    let ask = |more: &[(&str, &str)]| {
        let mut headers = vec![
            ("Host", here.as_str()),
            ("Origin", SITE),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        headers.extend(more);
        request(port, "OPTIONS", "/v5/connect/transfers/start", &headers, "")
    };
    let answer = ask(&[]);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(SITE)));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("content-type"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("access-control-allow-private-network"), None);
    let answer = ask(&[("Access-Control-Request-Private-Network", "true")]);
    assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
    // A program is told apart from every page, and named to the user as what it is.
    let program = [("Host", here.as_str()), ("Origin", "ascli"), ("Content-Type", "application/json")];
    let body = json!({"aspera_connect_settings": {"app_id": APP}}).to_string();
    let answer = request(port, "POST", "/v5/connect/windows/select-open-file-dialog/", &program, &body);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("ascli")), "{answer:?}");
    assert!(browser.prompts().iter().all(|prompt| prompt.origin.as_str() == "https://ascli.invalid"));
}

#[test]
fn slow_and_endless_requests_end_and_hold_up_nobody() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let port = open(&scratch, &browser);
    let agent = browser.status().pid;
    // More than the door takes at once, each with half a request.
    let mut slow: Vec<TcpStream> = Vec::new();
    for n in 0..80 {
        let mut stream = connect(port);
        let half = if n % 2 == 0 {
            "GET /v5/connect/info/ping HTTP/1.1\r\nHost: 127".to_owned()
        } else {
            format!(
                "POST /v5/connect/transfers/start HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {SITE}\r\nContent-Length: 9\r\n\r\n{{"
            )
        };
        let _ = stream.write_all(half.as_bytes());
        slow.push(stream);
    }
    assert_eq!(browser.page(SITE, APP).get("/connect/info/ping").0, 200, "browsers notice nothing");
    for mut stream in slow {
        let mut rest = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // An end, an answer, or a reset; only waiting for ever is wrong.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it was held open");
        }
    }
    assert_eq!(get(port, "/v5/connect/info/ping").status, 200, "and then there is room again");

    let before = processes::resident(agent);
    let head = |length: &str| {
        format!(
            "POST /v5/connect/transfers/start HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {SITE}\r\n{length}\r\n\r\n"
        )
    };
    let announced = raw(port, head("Content-Length: 99999999999").as_bytes()).unwrap();
    assert_eq!(announced.status, 413);
    let mut stream = connect(port);
    stream.write_all(head("Transfer-Encoding: chunked").as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let taken = (0..2_000).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(taken < 2_000, "an endless body was taken: {taken} pieces of 64 KiB");
    let after = processes::resident(agent);
    assert!(after < before + (32 << 20), "{before} bytes of memory became {after}");
    assert_eq!(get(port, "/v5/connect/info/ping").status, 200);
}

#[test]
fn another_users_program_is_not_heard() {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != 0 {
        eprintln!("SKIPPED: no right to become another user");
        return;
    }
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let port = open(&scratch, &browser);
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /v5/connect/info/ping HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\
         Origin: {SITE}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    );
    let ask = |user: &[&str]| {
        let mut words: Vec<&str> = user.to_vec();
        words.extend(["bash", "-c", &script]);
        let output = processes::output(std::process::Command::new(words[0]).args(&words[1..]), SOON);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(ask(&["env"]).contains(" 200 "), "the same user is");
    assert_eq!(ask(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]), "", "somebody else is not");
}
