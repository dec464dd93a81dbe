//! The functions the extension calls agree with the golden messages that all rooms share.

#![allow(clippy::unwrap_used)]

use godwit_extension_wasm::bindings::{answer_for_error, check_request, hello, parse_message};
use serde_json::{Value, json};
use std::path::Path;

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/golden").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_the_agent_may_send_is_read_unchanged_and_what_it_may_not_is_refused() {
    let may = [
        "message-hello-agent.json",
        "message-hello-host.json",
        "message-response.json",
        "message-response-empty.json",
        "message-response-error.json",
        "message-part.json",
        "message-event.json",
    ];
    for name in may {
        let message = golden(name);
        assert_eq!(value(&parse_message(&message.to_string())), json!({ "message": message }), "{name}");
    }
    let may_not = [
        "message-hello-cli.json",
        "message-hello-extension.json",
        "message-hello-forwarded.json",
        "message-request-page.json",
        "message-request-ui.json",
    ];
    for name in may_not {
        assert!(value(&parse_message(&golden(name).to_string()))["error"].is_string(), "{name}");
    }
}

#[test]
fn the_hello_is_the_golden_one_but_for_abilities_it_does_not_have() {
    let mut wanted = golden("message-hello-extension.json");
    wanted["capabilities"] = json!([]);
    let session = wanted["session"].as_str().unwrap().to_owned();
    let version = wanted["version"].as_str().unwrap().to_owned();
    assert_eq!(value(&hello(&version, &session)), wanted);
}

#[test]
fn the_golden_calls_come_out_of_the_requests_a_page_sends() {
    for name in ["page-call.json", "page-call-dialog.json"] {
        let call = golden(name);
        let request = json!({
            "request_id": 10003,
            "method": call["method"],
            "uri_reference": call["uri"],
            "body": call["body"],
            "min_version": call["min_version"],
            "timeout": call["timeout"],
        });
        assert_eq!(
            value(&check_request(&request.to_string(), "https://example.com")),
            json!({ "call": call }),
            "{name}"
        );
    }
}

#[test]
fn every_error_of_the_agent_has_an_answer_for_the_page() {
    for error in golden("error-frames.json").as_array().unwrap() {
        let (code, message) = (error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
        let answer = value(&answer_for_error(code, message));
        let status = answer["status"].as_u64().unwrap();
        assert!(status == 0 || (400..600).contains(&status), "{code}");
        assert!(value(answer["body"].as_str().unwrap())["error"].is_object(), "{code}");
    }
}
