//! Bad frames, wrong callers, wrong origins: each with its error, and the agent serves the next one as if nothing had been.

#![allow(clippy::unwrap_used)]

use godwit_protocol::envelope::{Message, Response, codes};
use godwit_protocol::frame::{MAX_FRAME, decode_prefix, encode};
use godwit_protocol::ui::{Decision, Question};
use godwit_tests::host_pipe::{HostPipe, Output, chromium_argument, hello};
use godwit_tests::wait::SOON;
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A frame that has begun must have ended after ten seconds; give it some more.
const SLOW_LIMIT: Duration = Duration::from_secs(20);

fn still_serves(scratch: &Scratch) {
    let browser = Browserish::open(scratch);
    assert_eq!(browser.page("https://app.example", "app").get("/connect/info/ping").0, 200);
}

fn error_of(message: &Message) -> Option<(u64, String)> {
    match message {
        Message::Response(Response { id, error: Some(error), .. }) => Some((*id, error.code.clone())),
        _ => None,
    }
}

/// The host says why with this code, ends with 1, and the agent goes on.
fn ends_with(scratch: &Scratch, host: &HostPipe, code: &str, limit: Duration) {
    let seen = host.until_end(limit);
    let errors: Vec<_> = seen.iter().filter_map(error_of).collect();
    assert_eq!(errors, [(0, code.to_owned())], "one error that belongs to no request: {seen:?}");
    assert_eq!(host.wait_exit(SOON).code(), Some(1));
    still_serves(scratch);
}

/// An id of its own and the error that comes back for `text`; afterwards the connection still works.
fn answered(host: &HostPipe, text: &str) -> (u64, String) {
    assert!(host.send_payload(text.as_bytes()));
    let message = host.until_message("an error", |m| error_of(m).is_some());
    host.send_payload(br#"{"type":"request","id":990,"kind":"ui.trust"}"#);
    host.until_message("the next answer", |m| matches!(m, Message::Response(r) if r.id == 990 && r.result.is_some()));
    error_of(&message).unwrap()
}

#[test]
fn h02_an_oversize_frame_ends_the_connection_before_anything_is_allocated() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let before = processes::resident(host.pid());
    host.send_raw(&u32::MAX.to_ne_bytes());
    ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
    assert!(before < 64 << 20, "the host is thin: {before}");

    let host = HostPipe::greeted(&scratch);
    host.send_raw(&(MAX_FRAME as u32 + 1).to_ne_bytes());
    ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
}

#[test]
fn h01_an_empty_frame_ends_the_connection() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    host.send_raw(&[0; 4]);
    ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
}

#[test]
fn h01_a_truncated_frame_ends_the_connection() {
    let scratch = Scratch::new();
    for bytes in [&[1_u8][..], &[9, 0, 0], &[9, 0, 0, 0, b'{']] {
        let host = HostPipe::greeted(&scratch);
        host.send_raw(bytes);
        host.close_input();
        ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
    }
}

#[test]
fn h04_a_frame_that_never_ends_is_given_up_and_harms_nobody_else() {
    let scratch = Scratch::new();
    let slow = HostPipe::greeted(&scratch);
    let begin = Instant::now();
    slow.send_raw(&[9, 0, 0, 0, b'{']);
    still_serves(&scratch);
    assert!(begin.elapsed() < Duration::from_secs(10), "the other browser did not wait for the slow one");
    ends_with(&scratch, &slow, codes::TIMED_OUT, SLOW_LIMIT);
}

#[test]
fn h04_a_frame_that_trickles_in_is_given_up_too() {
    let scratch = Scratch::new();
    let slow = HostPipe::greeted(&scratch);
    slow.send_raw(&1000_u32.to_ne_bytes());
    let begin = Instant::now();
    // One byte now and then keeps no connection alive: the limit is for the whole frame.
    while slow.send_raw(b" ") && begin.elapsed() < SLOW_LIMIT {
        if matches!(slow.next(Duration::from_millis(300)), Some(Output::Frame(ref f)) if is_timeout(f)) {
            break;
        }
    }
    assert_eq!(slow.wait_exit(SOON).code(), Some(1));
    assert!(begin.elapsed() < SLOW_LIMIT);
    still_serves(&scratch);
}

fn is_timeout(frame: &[u8]) -> bool {
    Message::parse(frame).is_ok_and(|m| error_of(&m).is_some_and(|(_, code)| code == codes::TIMED_OUT))
}

#[test]
fn h02_the_agents_socket_refuses_bad_frames_by_itself() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let mut closed = 0;
    for bytes in [&u32::MAX.to_ne_bytes()[..], &[0; 4], &encode(b"no json").unwrap(), &encode(b"{}").unwrap()] {
        let mut socket = UnixStream::connect(scratch.home().join("run/agent.sock")).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("the agent closes the connection");
        // Its own hello may stand first; the error comes last.
        let mut last = None;
        let mut rest = &answer[..];
        while let Some((prefix, after)) = rest.split_first_chunk() {
            let (frame, after) = after.split_at(decode_prefix(*prefix).unwrap());
            last = Some(Message::parse(frame).unwrap());
            rest = after;
        }
        let last = last.expect("the agent says why");
        assert_eq!(error_of(&last), Some((0, codes::BAD_REQUEST.to_owned())), "{last:?}");
        closed += 1;
    }
    assert_eq!(closed, 4);
    assert_eq!(browser.page("https://app.example", "app").get("/connect/info/ping").0, 200);
}

#[test]
fn h05_a_frame_that_is_no_json_gets_an_error_and_the_connection_stays() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    for text in ["no json", "[]", "5", "null", "{", "{}", r#"{"type":"telepathy","id":3}"#, "\u{feff}{}"] {
        let (_, code) = answered(&host, text);
        assert_eq!(code, codes::BAD_REQUEST, "{text}");
    }
}

#[test]
fn h05_text_that_is_not_utf8_and_lone_surrogates_get_an_error() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    host.send_payload(b"{\"type\":\"request\",\"id\":1,\"kind\":\"ui.\xff\xfe\"}");
    let message = host.until_message("an error", |m| error_of(m).is_some());
    assert_eq!(error_of(&message).unwrap().1, codes::BAD_REQUEST);
    assert_eq!(answered(&host, r#"{"type":"request","id":2,"kind":"\ud800"}"#).1, codes::BAD_REQUEST);
}

#[test]
fn h06_deep_nesting_gets_an_error() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let deep = format!(
        r#"{{"type":"request","id":3,"kind":"page","params":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(answered(&host, &deep).1, codes::BAD_REQUEST);
    let objects = format!(
        r#"{{"type":"request","id":3,"kind":"page","params":{}1{}}}"#,
        "{\"a\":".repeat(50_000),
        "}".repeat(50_000)
    );
    assert_eq!(answered(&host, &objects).1, codes::BAD_REQUEST);
}

#[test]
fn h06_duplicate_keys_get_an_error() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    for text in [
        r#"{"type":"request","id":4,"id":5,"kind":"ui.status"}"#,
        r#"{"type":"request","id":4,"kind":"ui.status","kind":"ui.shutdown"}"#,
        r#"{"type":"request","id":4,"kind":"ui.stop","params":{"uuid":"a","uuid":"b"}}"#,
        r#"{"type":"request","id":4,"kind":"ui.stop","params":{"uuid":"a","\u0075uid":"b"}}"#,
    ] {
        assert_eq!(answered(&host, text).1, codes::BAD_REQUEST, "{text}");
    }
}

#[test]
fn h07_wrong_types_huge_numbers_and_unknown_fields_get_an_error() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    for text in [
        r#"{"type":"request","id":"six","kind":"ui.status"}"#,
        r#"{"type":"request","id":-1,"kind":"ui.status"}"#,
        r#"{"type":"request","id":1e400,"kind":"ui.status"}"#,
        r#"{"type":"request","id":340282366920938463463374607431768211456,"kind":"ui.status"}"#,
        r#"{"type":"request","id":6,"kind":["ui.status"]}"#,
        r#"{"type":"request","id":6,"kind":"ui.status","__proto__":{}}"#,
        r#"{"type":"request","id":6,"kind":"ui.stop","params":{"uuid":7}}"#,
        r#"{"type":"request","id":6,"kind":"ui.stop","params":[]}"#,
        r#"{"type":"request","id":6,"kind":"page","origin":"https://a.example","params":{"method":5}}"#,
    ] {
        assert_eq!(answered(&host, text).1, codes::BAD_REQUEST, "{text}");
    }
}

#[test]
fn h06_a_million_keys_are_read_or_refused_but_cost_no_memory_that_stays() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let agent = scratch.agents()[0];
    let mut text = String::from(r#"{"type":"request","id":7,"kind":"ui.stop","params":{"#);
    let mut n = 0_u64;
    while text.len() < MAX_FRAME - 100 {
        text.push_str(&format!("\"{n:x}\":0,"));
        n += 1;
    }
    text.push_str("\"z\":0}}");
    assert_eq!(answered(&host, &text).1, codes::BAD_REQUEST);
    for _ in 0..20 {
        answered(&host, &text);
    }
    let resident = processes::resident(agent);
    assert!(resident < 300 << 20, "the agent holds {resident} bytes");
}

#[test]
fn h07_an_unknown_kind_gets_its_own_error_with_the_id_of_the_request() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    assert_eq!(answered(&host, r#"{"type":"request","id":8,"kind":"ui.fly"}"#), (8, codes::UNKNOWN_KIND.to_owned()));
}

#[test]
fn h08_a_request_of_an_extension_page_may_not_carry_an_origin_and_a_page_must() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let ui = r#"{"type":"request","id":9,"kind":"ui.status","origin":"https://a.example"}"#;
    assert_eq!(answered(&host, ui), (9, codes::FORBIDDEN.to_owned()));
    let page = r#"{"type":"request","id":10,"kind":"page","params":{"method":"GET","uri":"/connect/info/version"}}"#;
    let (id, code) = answered(&host, page);
    assert_eq!(id, 10);
    assert!(code == codes::FORBIDDEN || code == codes::BAD_REQUEST, "{code}");
}

#[test]
fn h08_pages_without_an_origin_and_plain_http_pages_are_refused() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    for origin in [
        json!("null"),
        json!(""),
        json!(null),
        json!("http://app.example"),
        json!("file:///home/me/a.html"),
        json!("moz-extension://abc"),
        json!("https://app.example/"),
        json!("https://APP.example"),
        json!("https://app.example:443"),
        json!("https://user@app.example"),
        json!("javascript:alert(1)"),
        json!(5),
    ] {
        let request = json!({"type": "request", "id": 11, "kind": "page", "origin": origin,
            "params": {"method": "GET", "uri": "/connect/info/version", "body": ""}});
        let (_, code) = answered(&host, &request.to_string());
        assert!(code == codes::BAD_REQUEST || code == codes::FORBIDDEN, "{origin}: {code}");
    }
}

#[test]
fn h09_a_host_started_for_another_extension_says_nothing_and_starts_nothing() {
    let scratch = Scratch::new();
    let ours = chromium_argument();
    for arguments in [
        vec!["chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"],
        vec![ours.trim_end_matches('/')],
        vec!["https://app.example/"],
        vec!["/tmp/manifest.json", "other@example.com"],
        vec![],
    ] {
        let host = HostPipe::spawn(&scratch, &arguments);
        host.send(&hello("s"));
        assert_eq!(host.wait_exit(SOON).code(), Some(2), "{arguments:?}");
        assert!(host.until_end(SOON).is_empty());
        assert!(host.raw().is_empty(), "not a byte for a stranger");
    }
    assert!(scratch.agents().is_empty(), "no agent for a stranger");
}

#[test]
fn h19_the_first_frame_must_be_the_extensions_hello() {
    let scratch = Scratch::new();
    let host = HostPipe::chromium(&scratch);
    host.send_payload(br#"{"type":"request","id":1,"kind":"ui.status"}"#);
    ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
}

#[test]
fn h19_a_hello_of_another_major_version_is_refused_and_says_which_part_is_old() {
    let scratch = Scratch::new();
    let host = HostPipe::chromium(&scratch);
    let mut hello: Value = serde_json::to_value(hello("s")).unwrap();
    hello["protocol"]["major"] = json!(2);
    host.send_payload(hello.to_string().as_bytes());
    let message = host.until_message("an error", |m| error_of(m).is_some());
    let Message::Response(Response { error: Some(error), .. }) = message else { panic!("{message:?}") };
    assert_eq!(error.code, codes::VERSION_MISMATCH);
    assert!(error.message.to_lowercase().contains("update"), "the user learns what to do: {}", error.message);
    still_serves(&scratch);
}

#[test]
fn h03_an_answer_larger_than_a_frame_comes_in_parts_that_join() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    tree::file(&server.docroot().join("f"), 10, 1);
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "app-id-of-this-test");
    // Opaque tags come back in every TransferInfo: five of them are far beyond the inline limit.
    for n in 0..5 {
        let tags = json!({"mine": {"n": n, "text": "x".repeat(300_000)}});
        let spec = server.spec("receive", server.data.port(), json!({"paths": [{"source": "f"}], "tags": tags}));
        let _ = page.start(&spec);
    }
    let body = page.activity(0);
    assert_eq!(body["result_count"], json!(5));
    assert_eq!(browser.faults(), Vec::<String>::new());
}

#[test]
fn h10_a_site_the_user_refuses_gets_an_error_and_is_not_asked_about_again() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    browser.user(|user| user.consent = Some(Decision::Deny { remember: true }));
    let page = browser.page("https://app.example", "app");
    for _ in 0..2 {
        let (status, body) = page.post("/connect/windows/select-open-file-dialog/", json!({}));
        assert!(status >= 400, "{status} {body}");
        assert!(body["error"]["user_message"].is_string(), "{body}");
    }
    let asked = browser.prompts().iter().filter(|p| matches!(p.question, Question::Consent { .. })).count();
    assert_eq!(asked, 1, "remembered");
    assert_eq!(browser.prompts().len(), 1, "no picker for a refused site");
    assert_eq!(page.get("/connect/info/version").0, 200, "what needs no consent is still answered");
}

#[test]
fn a_consent_is_remembered_over_an_agents_kill_and_holds_for_its_site_only() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let consents =
        |b: &Browserish| b.prompts().iter().filter(|p| matches!(p.question, Question::Consent { .. })).count();
    let ask =
        |b: &Browserish, site: &str| b.page(site, "app").post("/connect/windows/select-open-file-dialog/", json!({})).0;
    assert_eq!(ask(&browser, "https://app.example"), 200);
    assert_eq!(consents(&browser), 1);
    processes::kill_hard(browser.status().pid);
    drop(browser);
    let browser = Browserish::open(&scratch);
    assert_eq!(ask(&browser, "https://app.example"), 200);
    assert_eq!(consents(&browser), 0, "an acknowledged decision survives SIGKILL");
    assert_eq!(ask(&browser, "https://other.example"), 200);
    assert_eq!(consents(&browser), 1, "another site asks for itself");
}

#[test]
fn h04_a_length_in_the_wrong_byte_order_is_refused_at_once() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let begin = Instant::now();
    let payload = br#"{"type":"request","id":1,"kind":"ui.status"}"#;
    let mut wrong = u32::try_from(payload.len()).unwrap().swap_bytes().to_ne_bytes().to_vec();
    wrong.extend_from_slice(payload);
    host.send_raw(&wrong);
    ends_with(&scratch, &host, codes::BAD_REQUEST, SOON);
    assert!(begin.elapsed() < Duration::from_secs(10), "nobody waited for 700 MB");
}

#[test]
fn h16_nothing_but_frames_leaves_the_host_however_much_is_logged_and_whatever_goes_wrong() {
    let scratch = Scratch::new();
    scratch.write_settings("[log]\nlevel = \"trace\"\n");
    let mut command = scratch.command("godwit-host");
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("GODWIT_LOG", "trace").arg(chromium_argument());
    let host = HostPipe::spawn_command(&scratch, command);
    host.send(&hello("s"));
    host.until_message("the hello", |m| matches!(m, Message::Hello(_)));
    answered(&host, "no json");
    answered(&host, r#"{"type":"request","id":8,"kind":"ui.fly"}"#);
    host.send_raw(&u32::MAX.to_ne_bytes());
    host.until_end(SOON);
    let raw = host.raw();
    let mut rest = &raw[..];
    let mut frames = 0;
    while let Some((prefix, after)) = rest.split_first_chunk() {
        let (frame, after) = after.split_at(decode_prefix(*prefix).expect("a length"));
        Message::parse(frame).expect("a message");
        rest = after;
        frames += 1;
    }
    assert_eq!(rest, b"", "what follows the last frame");
    assert!(frames >= 4, "{frames}");
}
