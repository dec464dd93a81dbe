//! Frames and page calls.

use crate::{Case, case};
use godwit_protocol::envelope::{
    Caller, ErrorFrame, Event, Hello, Message, PROTOCOL, Part, Request, Response, Role, codes, topics,
};
use godwit_protocol::page::{PageAnswer, PageCall};
use godwit_protocol::ui::{Notice, kinds};
use serde_json::{Value, json};

const MESSAGE: &str = "envelope::Message";

fn hello(role: Role) -> Hello {
    Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: "0.1.0".into(),
        role,
        capabilities: vec![],
        session: None,
        caller: None,
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let message = |name, message| case(name, MESSAGE, message);
    let from_extension = Hello {
        capabilities: vec!["picker".into()],
        session: Some("0f8fad5b-d9cb-469f-a165-70867728950e".into()),
        ..hello(Role::Extension)
    };
    let caller = Caller {
        browser: "firefox".into(),
        extension_id: "godwit@example.com".into(),
        host_pid: 4711,
        host_version: "0.1.0".into(),
        environment: [("DISPLAY".to_owned(), ":0".to_owned())].into(),
        manifest: None,
    };
    let page_call = PageCall {
        method: "POST".into(),
        uri: "/connect/transfers/activity".into(),
        body: "{\"iteration_token\":0}".into(),
        min_version: "3.6.0".into(),
        timeout: None,
        dropped: vec![],
    };
    let dialog_call = PageCall {
        uri: "/connect/windows/select-open-file-dialog/".into(),
        body: "{\"title\":\"B\u{fc}cher\"}".into(),
        min_version: String::new(),
        timeout: Some(86_400_000),
        ..page_call.clone()
    };
    let page_request = Request {
        id: 7,
        kind: kinds::PAGE.into(),
        origin: Some("https://app.example.com:8443".parse().unwrap()),
        deadline_ms: Some(30_000),
        params: serde_json::to_value(&page_call).unwrap(),
    };
    let ui_request =
        Request { id: 8, kind: kinds::STATUS.into(), origin: None, deadline_ms: None, params: Value::Null };
    let answer = PageAnswer { status: 200, body: "{\"version\":\"4.2.0.1\"}".into() };
    vec![
        message("message-hello-extension", Message::Hello(from_extension.clone())),
        message("message-hello-forwarded", Message::Hello(Hello { caller: Some(caller), ..from_extension })),
        message("message-hello-host", Message::Hello(hello(Role::Host))),
        message("message-hello-agent", Message::Hello(hello(Role::Agent))),
        message("message-hello-cli", Message::Hello(hello(Role::Cli))),
        message("message-request-page", Message::Request(page_request)),
        message("message-request-ui", Message::Request(ui_request)),
        message("message-response", Message::Response(Response::ok(7, serde_json::to_value(&answer).unwrap()))),
        message("message-response-empty", Message::Response(Response::ok(8, json!({})))),
        message(
            "message-response-error",
            Message::Response(Response::err(8, codes::BUSY, "Too many requests at once.")),
        ),
        message(
            "message-part",
            Message::Part(Part { id: 7, index: 0, last: true, status: 200, body64: "e30=".into() }),
        ),
        message(
            "message-event",
            Message::Event(Event {
                id: 3,
                topic: topics::BADGE.into(),
                seq: 2,
                data: json!({"active": 1, "failed": 0}),
            }),
        ),
        case(
            "error-frames",
            "Vec<envelope::ErrorFrame>",
            [
                codes::BAD_REQUEST,
                codes::UNKNOWN_KIND,
                codes::FORBIDDEN,
                codes::NOT_FOUND,
                codes::VERSION_MISMATCH,
                codes::TIMED_OUT,
                codes::BUSY,
                codes::AGENT_UNAVAILABLE,
                codes::INTERNAL,
            ]
            .map(error)
            .into_iter()
            .chain([error_saying()])
            .collect::<Vec<_>>(),
        ),
        case("page-call", "page::PageCall", page_call),
        case("page-call-dialog", "page::PageCall", dialog_call),
        case("page-answer", "page::PageAnswer", answer),
        case("page-answer-error", "page::PageAnswer", PageAnswer::error(404, "no such transfer", "Invalid request")),
    ]
}

fn error_saying() -> ErrorFrame {
    let args = ["", "queue.active", "1", "100", "0"].map(String::from);
    let note = Notice::new("setting-range", args, "queue.active: it must be 1 to 100, not 0");
    Response::err_saying(1, codes::BAD_REQUEST, note).error.unwrap()
}

fn error(code: &str) -> ErrorFrame {
    Response::err(1, code, "why").error.unwrap()
}
