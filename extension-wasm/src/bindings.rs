//! The functions JavaScript calls: text in, JSON text out, no other types across the border.
//!
//! None of them panics or throws; what cannot be read comes back as `{"error": "…"}`.

use crate::{answer, frames, request};
use godwit_protocol::Origin;
use godwit_protocol::envelope::{ErrorFrame, MAX_PART, PROTOCOL, codes};
use godwit_protocol::json;
use godwit_protocol::page::{API_VERSION, MAX_PAGE_BODY, PageCall};
use godwit_protocol::ui::TrustView;
use serde::Serialize;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

/// `{api_version, max_page_body, max_part, protocol: {major, minor}}`.
#[wasm_bindgen]
#[must_use]
pub fn constants() -> String {
    to_json(&json!({
        "api_version": API_VERSION,
        "max_page_body": MAX_PAGE_BODY,
        "max_part": MAX_PART,
        "protocol": PROTOCOL,
    }))
}

/// Page request in; `{"call": PageCall}` or `{"answer": {status, body}}` out.
#[wasm_bindgen]
#[must_use]
pub fn check_request(detail: &str, origin: &str) -> String {
    to_json(&request::check(detail, origin))
}

/// `PageCall` and `TrustView` in; `"forward"` or `{"answer": {status, body}}` out.
#[wasm_bindgen]
#[must_use]
pub fn precheck(call: &str, origin: &str, trust: &str) -> String {
    let Ok(call) = json::parse::<PageCall>(call.as_bytes()) else {
        return to_json(&request::Prechecked::Answer(answer::for_error(&frame(codes::BAD_REQUEST, "not a call"))));
    };
    // A list that cannot be read filters nothing: the agent decides anyway.
    let trust = json::parse::<TrustView>(trust.as_bytes()).unwrap_or_default();
    to_json(&request::precheck(&call, origin, &trust))
}

/// The first frame of the extension.
#[wasm_bindgen]
#[must_use]
pub fn hello(version: &str, session: &str) -> String {
    to_json(&frames::hello(version, session))
}

/// A frame of the agent in; `{"message": …}` or `{"error": "…"}` out.
#[wasm_bindgen]
#[must_use]
pub fn parse_message(text: &str) -> String {
    match frames::parse(text) {
        Ok(message) => to_json(&json!({ "message": message })),
        Err(error) => to_json(&json!({ "error": error })),
    }
}

/// The host of an origin in its own letters, or `null` if it has no others than those of the origin.
#[wasm_bindgen]
#[must_use]
pub fn unicode_host(origin: &str) -> String {
    to_json(&origin.parse::<Origin>().ok().and_then(|origin| origin.unicode_host()))
}

/// The page's answer `{status, body}` for an error of the agent, given as code and message.
#[wasm_bindgen]
#[must_use]
pub fn answer_for_error(code: &str, message: &str) -> String {
    to_json(&answer::for_error(&frame(code, message)))
}

/// The page's answer `{status, body}` when the agent cannot be reached.
#[wasm_bindgen]
#[must_use]
pub fn answer_unavailable(reason: &str) -> String {
    to_json(&answer::unavailable(reason))
}

fn frame(code: &str, message: &str) -> ErrorFrame {
    ErrorFrame { code: code.into(), message: message.into(), retryable: false, note: None }
}

/// Our own types always serialise; the fallback keeps the promise never to panic.
fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{\"error\":\"internal\"}".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    fn value(text: String) -> Value {
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_function_answers_in_the_documented_shape() {
        let checked =
            value(check_request(r#"{"method":"GET","uri_reference":"/connect/info/version"}"#, "https://a.test"));
        assert_eq!(checked["call"]["uri"], "/connect/info/version");
        let call = checked["call"].to_string();
        assert_eq!(value(precheck(&call, "https://a.test", "{}")), "forward");
        assert_eq!(value(check_request("{}", "null"))["answer"]["status"], 403);
        assert_eq!(value(precheck("junk", "https://a.test", "junk"))["answer"]["status"], 400);
        assert_eq!(value(hello("1", "s"))["type"], "hello");
        assert!(value(parse_message("{}"))["error"].is_string());
        assert_eq!(value(parse_message(&hello("1", "s")))["error"], "the other side is neither the host nor the agent");
        assert_eq!(value(unicode_host("https://xn--bcher-kva.example:8443")), "bücher.example");
        assert_eq!(value(unicode_host("https://a.example")), Value::Null);
        assert_eq!(value(unicode_host("null")), Value::Null);
        assert_eq!(value(answer_for_error("busy", "m"))["status"], 429);
        assert_eq!(value(answer_unavailable("m"))["status"], 0);
        assert_eq!(value(constants())["api_version"], API_VERSION);
    }
}
