//! The extension's side of the frames: its hello, and the strict reading of what arrives.

use godwit_protocol::envelope::{Hello, Message, PROTOCOL, Role};

/// Longest session name; the background makes a UUID.
const MAX_SESSION: usize = 64;

/// The extension's first frame. `session` names the browser session.
#[must_use]
pub fn hello(version: &str, session: &str) -> Message {
    Message::Hello(Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: version.into(),
        role: Role::Extension,
        capabilities: Vec::new(),
        session: Some(session.chars().take(MAX_SESSION).collect()),
        caller: None,
    })
}

/// Reads a frame that came through the native port. Requests are refused: nobody asks the extension anything.
pub fn parse(text: &str) -> Result<Message, String> {
    match Message::parse(text.as_bytes()).map_err(|error| error.to_string())? {
        Message::Request(_) => Err("the agent sent a request".into()),
        Message::Hello(hello) if hello.product != "godwit" => Err("the other side is not Godwit".into()),
        Message::Hello(hello) if matches!(hello.role, Role::Extension | Role::Cli) => {
            Err("the other side is neither the host nor the agent".into())
        }
        Message::Response(response) if response.result.is_some() == response.error.is_some() => {
            Err("a response needs either a result or an error".into())
        }
        message => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_hello_names_the_session_and_never_a_caller() {
        let value = serde_json::to_value(hello("0.1.0", "s-1")).unwrap();
        assert_eq!(value["type"], "hello");
        assert_eq!(value["role"], "extension");
        assert_eq!(value["session"], "s-1");
        assert_eq!(value["protocol"]["major"], PROTOCOL.major);
        assert!(value.get("caller").is_none());
    }

    #[test]
    fn what_the_agent_may_send_is_read_and_the_rest_refused() {
        let good = [
            json!({"type": "hello", "id": 0, "protocol": {"major": 1, "minor": 7}, "product": "godwit", "version": "1",
                "role": "agent"}),
            json!({"type": "response", "id": 4, "result": {"status": 200, "body": "{}"}}),
            json!({"type": "response", "id": 4, "error": {"code": "busy", "message": "m"}}),
            json!({"type": "part", "id": 4, "index": 0, "last": false, "status": 200, "body64": "e30="}),
            json!({"type": "event", "id": 1, "topic": "badge", "seq": 0, "data": {"active": 1, "failed": 0}}),
        ];
        for value in good {
            assert!(parse(&value.to_string()).is_ok(), "{value}");
        }
        let bad: [Value; 8] = [
            json!({"type": "request", "id": 1, "kind": "page"}),
            json!({"type": "hello", "id": 0, "protocol": {"major": 1, "minor": 0}, "product": "other", "version": "1",
                "role": "agent"}),
            json!({"type": "hello", "id": 0, "protocol": {"major": 1, "minor": 0}, "product": "godwit", "version": "1",
                "role": "cli"}),
            json!({"type": "response", "id": 4}),
            json!({"type": "response", "id": 4, "result": {}, "error": {"code": "busy", "message": "m"}}),
            json!({"type": "response", "id": -4, "result": {}}),
            json!({"type": "surprise", "id": 1}),
            json!([]),
        ];
        for value in bad {
            assert!(parse(&value.to_string()).is_err(), "{value}");
        }
        assert!(parse("").is_err());
        assert!(parse("{\"type\":").is_err());
    }
}
