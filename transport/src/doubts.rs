//! The receiver's questions about units that it has from earlier, and the sender's answers. Pure.

use crate::failure::protocol;
use crate::hash::{Value, hex};
use crate::ranges::RangeSet;
use crate::state::FileState;
use godwit_protocol::wire::{Control, MAX_CHECKED};
use godwit_protocol::worker::Failure;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Units in one question: the sender reads them in one go, and cannot be stopped meanwhile.
const ASKED: usize = 128;
const _: () = assert!(ASKED <= MAX_CHECKED);

/// See the module. At most one question of an entry is open at a time.
#[derive(Default)]
pub(crate) struct Doubts(HashMap<u64, Doubted>);

struct Doubted {
    state: Arc<FileState>,
    waiting: VecDeque<(u64, Value)>,
    asked: Vec<u64>,
    same: RangeSet,
}

/// What follows from an answer.
pub(crate) enum Answered {
    /// More is to be asked.
    Ask(Control),
    /// All is known: these are the same.
    Known(Arc<FileState>, RangeSet),
}

impl Doubts {
    /// Begins to ask about units of an entry, at least one; returns the first question.
    pub(crate) fn begin(&mut self, state: Arc<FileState>, units: Vec<(u64, Value)>) -> Control {
        let number = state.number;
        let mut doubted = Doubted { state, waiting: units.into(), asked: Vec::new(), same: RangeSet::default() };
        let question = doubted.ask();
        self.0.insert(number, doubted);
        question
    }

    /// The sender answered.
    pub(crate) fn answer(&mut self, number: u64, same: &[u64]) -> Result<Answered, Failure> {
        let mut doubted = self.0.remove(&number).ok_or_else(|| protocol("an answer to a check nobody asked for"))?;
        let ascending = same.windows(2).all(|w| w.first() < w.last());
        if !ascending || same.iter().any(|unit| doubted.asked.binary_search(unit).is_err()) {
            return Err(protocol("an answer to another check"));
        }
        same.iter().for_each(|unit| doubted.same.insert(*unit..unit + 1));
        if doubted.waiting.is_empty() {
            return Ok(Answered::Known(doubted.state, doubted.same));
        }
        let question = doubted.ask();
        self.0.insert(number, doubted);
        Ok(Answered::Ask(question))
    }

    /// The entry has ended; no answer is expected.
    pub(crate) fn forget(&mut self, number: u64) {
        self.0.remove(&number);
    }
}

impl Doubted {
    fn ask(&mut self) -> Control {
        let units: Vec<_> = self.waiting.drain(..self.waiting.len().min(ASKED)).collect();
        self.asked = units.iter().map(|(unit, _)| *unit).collect();
        let units = units.into_iter().map(|(unit, value)| (unit, hex(&value))).collect();
        Control::Check { entry: self.state.number, units }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_units_are_asked_about_in_turn_and_wild_answers_are_refused() {
        let state = || Arc::new(FileState::new(3, 0, 1 << 30, 0, "f".parse().unwrap()));
        let units = |n: u64| (0..n).map(|unit| (unit, [0; 32])).collect::<Vec<_>>();
        let mut doubts = Doubts::default();
        let Control::Check { entry: 3, units: first } = doubts.begin(state(), units(130)) else { panic!() };
        assert_eq!(first.len(), ASKED);
        let Answered::Ask(Control::Check { units: second, .. }) = doubts.answer(3, &[0, 5]).unwrap() else { panic!() };
        assert_eq!(second.iter().map(|u| u.0).collect::<Vec<_>>(), [128, 129]);
        let Answered::Known(_, same) = doubts.answer(3, &[129]).unwrap() else { panic!() };
        assert_eq!(same.iter().flatten().collect::<Vec<_>>(), [0, 5, 129]);
        for wild in [&[7][..], &[1, 1], &[1, 0]] {
            doubts.begin(state(), units(2));
            assert!(doubts.answer(3, wild).is_err());
        }
        assert!(doubts.answer(4, &[]).is_err());
    }
}
