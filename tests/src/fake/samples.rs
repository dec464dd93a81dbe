//! One well-formed frame of every kind there is.

use serde_json::{Value, json};

/// The tag of a frame.
pub type Kind = &'static str;

/// All of them. The test below fails to compile when the protocol gets another.
pub const KINDS: &[Kind] = &[
    "hello",
    "authenticate",
    "request",
    "accepted",
    "entries",
    "entries-end",
    "failed",
    "compare",
    "compared",
    "check",
    "checked",
    "again",
    "want",
    "want-end",
    "unreadable",
    "files",
    "progress",
    "alive",
    "ping",
    "join",
    "joined",
    "lost",
    "set-rate",
    "result",
    "bye",
    "error",
    "telepathy",
];

/// A well-formed frame of this kind, about entry 0 where it is about one.
#[must_use]
pub fn sample(kind: Kind) -> Value {
    let zero = "0".repeat(64);
    let failure = json!({"code": 28, "message": "words"});
    let entry = json!({"p": "a/b", "k": "f", "s": 0, "m": 5});
    let rate = json!({"policy": "fair", "target": 1000, "minimum": 0, "cap": 5000});
    let mut frame = match kind {
        "hello" => json!({"product": "godwit", "version": "9.9.9", "features": ["x"]}),
        "authenticate" => json!({"user": "ann", "credential": {"method": "password", "password": "wrong"}}),
        "request" => json!({"transfer_id": "other", "attempt": 1, "direction": "send", "paths": [], "rate": rate}),
        "accepted" => {
            json!({"session_id": "s", "rate": rate, "locks": {"policy": true}, "ticket": "t", "connections": 2})
        }
        "entries" => json!({"entries": [entry]}),
        "entries-end" => json!({"count": 0, "bytes": 0, "failed": []}),
        "failed" => {
            json!({"files": [{"path": "gone", "outcome": "failed", "failure": {"code": 4, "message": "words"}}]})
        }
        "compare" => json!({"entries": [[0, zero]]}),
        "compared" => json!({"entries": [[0, true]]}),
        "check" => json!({"entry": 0, "units": [[0, zero]]}),
        "checked" => json!({"entry": 0, "same": [0]}),
        "again" => json!({"replaces": 0, "entry": entry}),
        "want" => json!({"spans": [[0, 1_048_576]]}),
        "unreadable" => json!({"entry": 0, "failure": failure}),
        "files" => json!({"files": [{"entry": 0, "outcome": "completed", "blake3": zero, "resumed": 0}]}),
        "progress" => json!({"written": 1, "received": 1}),
        "join" => json!({"ticket": "guess"}),
        "joined" => json!({"connection": 1}),
        "lost" => json!({"connection": 1, "spans": [[0, 1_048_576]]}),
        "set-rate" => rate,
        "result" => json!({"completed": 0, "skipped": 0, "failed": 0, "bytes": 0}),
        "error" => failure,
        _ => json!({}),
    };
    frame["t"] = json!(kind);
    frame
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use godwit_protocol::wire::Control;

    fn kind(frame: &Control) -> Kind {
        match frame {
            Control::Hello(_) => "hello",
            Control::Authenticate { .. } => "authenticate",
            Control::Request(_) => "request",
            Control::Accepted(_) => "accepted",
            Control::Entries { .. } => "entries",
            Control::EntriesEnd { .. } => "entries-end",
            Control::Failed { .. } => "failed",
            Control::Compare { .. } => "compare",
            Control::Compared { .. } => "compared",
            Control::Check { .. } => "check",
            Control::Checked { .. } => "checked",
            Control::Again { .. } => "again",
            Control::Want { .. } => "want",
            Control::WantEnd => "want-end",
            Control::Unreadable { .. } => "unreadable",
            Control::Files { .. } => "files",
            Control::Progress { .. } => "progress",
            Control::Alive => "alive",
            Control::Ping => "ping",
            Control::Join { .. } => "join",
            Control::Joined { .. } => "joined",
            Control::Lost { .. } => "lost",
            Control::SetRate(_) => "set-rate",
            Control::Result(_) => "result",
            Control::Bye => "bye",
            Control::Error(_) => "error",
            Control::Unknown => "telepathy",
        }
    }

    #[test]
    fn every_kind_of_frame_has_a_sample_that_is_one() {
        for tag in KINDS {
            let frame: Control = serde_json::from_value(sample(tag)).unwrap();
            assert_eq!(kind(&frame), *tag);
        }
        assert_eq!(KINDS.len(), 27, "a kind named in the match above is missing in the list");
    }
}
