//! Hostile peers, as a table: every message a peer can send, in every state, well-formed and not; streams that lie, stop
//! or never end; floods. What must hold in every row: that session ends within its time with an error of the right
//! number (or goes on, where the rules allow what came), the process lives, its memory stays bounded, and a transfer that
//! runs at the same time arrives whole.

mod bodies;
mod data;
mod floods;
mod rows;
pub mod server;
pub mod worker;

use crate::fake::{Answer, Kind, Peer, Step};
use crate::tree::Noise;
use serde_json::Value;
use std::time::{Duration, Instant};

/// An error's own number; it must never be the answer to what a peer does.
const INTERNAL: u16 = 11;
/// The number of [`godwit_protocol::ErrorCode::Protocol`].
const PROTOCOL: u16 = 1;
/// How long an answer may take. Two seconds of it are our programs' own patience with a stream that just ends.
const SOON: Duration = Duration::from_secs(15);

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Malformed frames that are tried, at most; chosen by the seed.
    pub malformed: usize,
    /// Frames of a flood.
    pub flood: u32,
    /// Rows that wait for time limits of a minute.
    pub slow: bool,
    /// Chooses.
    pub seed: u64,
}

impl Plan {
    /// For the test command: seconds.
    #[must_use]
    pub fn short(seed: u64) -> Self {
        Self { malformed: 60, flood: 100_000, slow: false, seed }
    }

    /// For the soak.
    #[must_use]
    pub fn long(seed: u64) -> Self {
        Self { malformed: usize::MAX, flood: 1_000_000, slow: true, seed }
    }
}

/// One thing that a hostile peer tries.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    steps: Vec<Step>,
    expect: Expect,
    within: Duration,
}

impl Row {
    fn new(name: impl Into<String>, steps: Vec<Step>, expect: Expect) -> Self {
        Self { name: name.into(), steps, expect, within: SOON }
    }

    fn within(mut self, seconds: u64) -> Self {
        self.within = Duration::from_secs(seconds);
        self
    }
}

/// What must follow.
#[derive(Clone, Debug)]
enum Expect {
    /// The session ends with one of these numbers.
    Code(&'static [u16]),
    /// The session ends with any error but an internal one.
    Error,
    /// The session ends with any error but an internal one, or properly: what was sent may by chance be right.
    Over,
    /// The session ends, with or without a word.
    End,
    /// The session goes on: these steps follow, and this frame answers.
    Lives(Vec<Step>, Kind),
    /// Nothing in particular; the peer leaves.
    Leave,
}

/// Plays the row; what was wrong, if something was.
async fn play(peer: &mut Peer, before: &[Step], row: &Row) -> Result<(), String> {
    let begin = Instant::now();
    for step in before.iter().chain(&row.steps) {
        peer.play(step).await;
    }
    let wanted = match &row.expect {
        Expect::Lives(then, kind) => {
            for step in then {
                peer.play(step).await;
            }
            *kind
        }
        Expect::Leave => {
            peer.play(&Step::Close).await;
            return Ok(());
        }
        Expect::Over => "over",
        _ => "nothing",
    };
    let answer = peer.wait(wanted, row.within).await;
    let fits = match (&row.expect, &answer) {
        (Expect::Code(codes), Answer::Error(code)) => codes.contains(code),
        (Expect::Error | Expect::Over, Answer::Error(code)) => *code != INTERNAL,
        (Expect::End, Answer::Error(_) | Answer::Gone(_)) => true,
        (Expect::Lives(..) | Expect::Over, Answer::Frame(_)) => true,
        // Whoever has succeeded leaves soon; its last frame may be overtaken by that.
        (Expect::Lives(_, "bye") | Expect::Over, Answer::Gone(why)) => why == "closed by peer: 0",
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(format!("{}: {answer:?} after {:?}, but wanted {:?}", row.name, begin.elapsed(), row.expect))
}

/// At most `most` of them, chosen by the seed, in their order.
fn some<T>(mut all: Vec<T>, most: usize, seed: u64) -> Vec<T> {
    let mut dice = Noise::new(seed);
    while all.len() > most {
        let at = dice.below(all.len() as u64) as usize;
        all.remove(at);
    }
    all
}

/// The long form of both sides.
#[must_use]
pub fn long(rounds: u32, seed: u64) -> Vec<super::Outcome> {
    let mut outcomes = Vec::new();
    for round in 0..rounds {
        let plan = Plan::long(seed.wrapping_add(u64::from(round)));
        outcomes.push(super::Outcome::of("hostile clients against the server", || server::messages(&plan)));
        outcomes.push(super::Outcome::of("floods against the server", || server::floods(&plan)));
        outcomes.push(super::Outcome::of("hostile servers against the worker", || worker::messages(&plan)));
        outcomes.push(super::Outcome::of("floods against the worker", || worker::floods(&plan)));
    }
    outcomes
}

fn frame(value: Value) -> Step {
    Step::Frame(value)
}
