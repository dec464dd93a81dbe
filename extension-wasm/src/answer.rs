//! Answers the background gives without the agent.

use godwit_protocol::envelope::{ErrorFrame, codes};
use godwit_protocol::page::PageAnswer;

/// Status the vendor's SDK takes as "no answer": it puts the request back in its queue.
pub const NO_ANSWER: u16 = 0;
/// Status the vendor's SDK takes as "the application is too old".
pub const OUTDATED: u16 = 503;

/// The page's answer for an error the agent or the host gave to a request.
#[must_use]
pub fn for_error(error: &ErrorFrame) -> PageAnswer {
    let status = match error.code.as_str() {
        codes::BAD_REQUEST => 400,
        codes::FORBIDDEN => 403,
        codes::NOT_FOUND | codes::UNKNOWN_KIND => 404,
        codes::TIMED_OUT => 408,
        codes::BUSY => 429,
        codes::AGENT_UNAVAILABLE => NO_ANSWER,
        codes::VERSION_MISMATCH => OUTDATED,
        _ => 500,
    };
    PageAnswer::error(status, &error.code, &error.message)
}

/// The answer for a request that could not be delivered at all.
#[must_use]
pub fn unavailable(reason: &str) -> PageAnswer {
    PageAnswer::error(NO_ANSWER, reason, "Godwit could not be reached.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    fn error(code: &str) -> ErrorFrame {
        ErrorFrame { code: code.into(), message: "why".into(), retryable: false, note: None }
    }

    #[test]
    fn an_unreachable_agent_looks_to_the_sdk_like_no_answer() {
        assert_eq!(for_error(&error(codes::AGENT_UNAVAILABLE)).status, 0);
        assert_eq!(unavailable("gone").status, 0);
    }

    #[test]
    fn only_a_version_mismatch_is_reported_as_outdated() {
        let all = [
            codes::BAD_REQUEST,
            codes::UNKNOWN_KIND,
            codes::FORBIDDEN,
            codes::NOT_FOUND,
            codes::TIMED_OUT,
            codes::BUSY,
            codes::AGENT_UNAVAILABLE,
            codes::INTERNAL,
            "a word of a later version",
        ];
        for code in all {
            assert_ne!(for_error(&error(code)).status, OUTDATED, "{code}");
        }
        assert_eq!(for_error(&error(codes::VERSION_MISMATCH)).status, OUTDATED);
    }

    #[test]
    fn every_answer_has_a_body_with_an_error_object() {
        for answer in [for_error(&error("x")), unavailable("y")] {
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(body["error"]["user_message"].is_string());
        }
    }
}
