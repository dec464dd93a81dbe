//! Every kind of frame, whole, in every state of a session: where it is allowed the session goes on, else it ends.

use super::{Expect, PROTOCOL, Row, frame};
use crate::fake::{KINDS, Kind, Step, sample};
use serde_json::json;

/// Where a session stands, seen from the program under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Server: nothing was said.
    Greeting,
    /// Server: the hello was said.
    Hello,
    /// Server: the login was right, the request is due.
    Known,
    /// Worker: it has said its part and waits for the server's.
    Login,
    /// It receives, and nothing is announced yet.
    Receiving,
    /// It sends one file of three units, all announced.
    Sending,
}

/// One row for each kind.
pub(super) fn all(state: State) -> Vec<Row> {
    KINDS
        .iter()
        .map(|kind| Row::new(format!("{kind} when {state:?}"), steps(state, kind), expect(state, kind)))
        .collect()
}

fn steps(state: State, kind: Kind) -> Vec<Step> {
    let mut steps = vec![frame(sample(kind))];
    if (state, kind) == (State::Sending, "check") {
        steps.push(frame(sample("result")));
    }
    steps
}

fn expect(state: State, kind: Kind) -> Expect {
    const NOT_ALLOWED: Expect = Expect::Code(&[PROTOCOL]);
    // A peer that reports an error has ended the session.
    if kind == "error" {
        return Expect::End;
    }
    let lives = |then: Vec<Step>, answer| Expect::Lives(then, answer);
    let end = |count: u64| frame(json!({"t": "entries-end", "count": count, "bytes": 0, "failed": []}));
    let result = || frame(sample("result"));
    match (state, kind) {
        (State::Greeting, "hello") => lives(vec![], "hello"),
        // The sample's password is wrong; so is its ticket.
        (State::Hello, "authenticate") => Expect::Code(&[19]),
        (State::Hello, "join") => Expect::Code(&[PROTOCOL, 19, 34]),
        (State::Known, "request") => lives(vec![], "accepted"),
        (State::Login, "hello") => lives(vec![frame(sample("accepted")), Step::Expect("entries-end"), result()], "bye"),
        (State::Login, "alive" | "ping" | "telepathy") => {
            lives(vec![frame(sample("hello")), frame(sample("accepted")), Step::Expect("entries-end"), result()], "bye")
        }
        (State::Receiving, "entries") => lives(vec![end(1)], "result"),
        (State::Receiving, "entries-end") => lives(vec![], "result"),
        (State::Receiving, "failed" | "lost" | "set-rate" | "alive" | "ping" | "telepathy" | "bye") => {
            lives(vec![end(0)], "result")
        }
        (State::Sending, "result") => lives(vec![], "bye"),
        (
            State::Sending,
            "want" | "want-end" | "files" | "progress" | "compare" | "set-rate" | "alive" | "ping" | "telepathy",
        ) => lives(vec![result()], "bye"),
        // Allowed where units can be checked; refused where not.
        (State::Sending, "check") => Expect::Over,
        // Answers nobody and says nothing of work: whoever sends only this runs into the time for the login.
        (_, "ping") => Expect::Leave,
        _ => NOT_ALLOWED,
    }
}
