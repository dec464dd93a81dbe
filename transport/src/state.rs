//! What the receiver knows of entries that have not ended: which of their units are wanted, which are there.

use crate::hash::{UnitTree, Value, unit_count, unit_len};
use crate::partial::Partial;
use crate::ranges::RangeSet;
use crate::root::Metadata;
use godwit_protocol::RelPath;
use godwit_protocol::wire::{MAX_SEGMENT_UNITS, SegmentHead, UNIT};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// How often a unit that arrives damaged is asked for again.
const MAX_REPEATS: u8 = 3;

/// A file that is being received, compared or looked at.
pub(crate) struct FileState {
    /// Number in the manifest.
    pub(crate) number: u64,
    /// Start in the virtual space.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Modification time of the source.
    pub(crate) mtime_ns: i64,
    /// Target.
    pub(crate) path: RelPath,
    /// It takes the place of these entries, whose source changed while it was sent.
    pub(crate) instead_of: Vec<u64>,
    /// It takes the place of some entry.
    pub(crate) again: bool,
    /// Held for reading by whoever writes to its partial file.
    writers: RwLock<()>,
    work: Mutex<Work>,
}

/// The changing part.
pub(crate) struct Work {
    /// Units that were asked for and have not arrived.
    asked: RangeSet,
    repeats: HashMap<u64, u8>,
    tree: UnitTree,
    done: u64,
    /// The file on its way, for files of several units.
    pub(crate) partial: Option<Arc<Partial>>,
    /// Bytes found from an earlier attempt.
    pub(crate) resumed: u64,
    /// Bytes of it that were counted as written.
    pub(crate) written: u64,
    /// The sender is asked about these.
    pub(crate) doubt: Option<Doubt>,
    /// What was at the target when it was decided to replace it; absent: nothing.
    pub(crate) before: Option<Metadata>,
    /// All units are there, or the entry has ended otherwise: nothing else may end it.
    closed: bool,
}

/// Units that may be the sender's, who is asked.
pub(crate) enum Doubt {
    /// A few, and all that the journal tells of.
    Samples(Vec<(u64, Value)>, RangeSet),
    /// All that the journal told of.
    All(Vec<(u64, Value)>),
    /// What the file at the target has.
    Base(File, Vec<(u64, Value)>),
}

impl Doubt {
    /// What is asked about, ascending.
    pub(crate) fn units(&self) -> &[(u64, Value)] {
        match self {
            Self::Samples(units, _) | Self::All(units) | Self::Base(_, units) => units,
        }
    }
}

/// What a unit that arrived is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Wanted; it is the caller's now.
    Wanted,
    /// Its entry has ended meanwhile.
    Late,
    /// Nobody asked for it.
    Unasked,
}

impl FileState {
    pub(crate) fn new(number: u64, offset: u64, size: u64, mtime_ns: i64, path: RelPath) -> Self {
        let work = Work {
            asked: RangeSet::default(),
            repeats: HashMap::new(),
            tree: UnitTree::new(size),
            done: 0,
            partial: None,
            resumed: 0,
            written: 0,
            doubt: None,
            before: None,
            closed: false,
        };
        Self {
            number,
            offset,
            size,
            mtime_ns,
            path,
            instead_of: Vec::new(),
            again: false,
            writers: RwLock::default(),
            work: Mutex::new(work),
        }
    }

    /// The same, in the place of entries whose source changed.
    pub(crate) fn again(self, instead_of: Vec<u64>) -> Self {
        Self { again: true, instead_of, ..self }
    }

    /// The changing part.
    pub(crate) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever is going to write to the partial file holds this from before he looks whether the entry is closed.
    pub(crate) fn busy(&self) -> RwLockReadGuard<'_, ()> {
        self.writers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody writes any more. The entry is closed already.
    pub(crate) fn idle(&self) {
        drop(self.writers.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Number of units.
    pub(crate) fn units(&self) -> u64 {
        unit_count(self.size)
    }

    /// The span of some units in the virtual space.
    pub(crate) fn span(&self, units: &Range<u64>) -> (u64, u64) {
        let end = units.end.saturating_mul(UNIT).min(self.size);
        (self.offset + units.start * UNIT, self.offset + end)
    }
}

impl Work {
    /// Units are asked for from now on.
    pub(crate) fn ask(&mut self, units: Range<u64>) {
        self.asked.insert(units);
    }

    /// A unit arrived.
    pub(crate) fn claim(&mut self, unit: u64) -> Claim {
        if self.closed {
            Claim::Late
        } else if self.asked.remove(unit) {
            Claim::Wanted
        } else {
            Claim::Unasked
        }
    }

    /// A unit arrived damaged; false if it was asked for too often already.
    pub(crate) fn repeat(&mut self, unit: u64) -> bool {
        let repeats = self.repeats.entry(unit).or_default();
        *repeats += 1;
        let again = *repeats <= MAX_REPEATS;
        if again {
            self.asked.insert(unit..unit + 1);
        }
        again
    }

    /// A unit is verified and stored. The file's root, if that was the last one; then the entry is closed.
    pub(crate) fn store(&mut self, unit: u64, value: Value, units: u64) -> Option<Value> {
        self.tree.insert(unit, value);
        self.done += 1;
        if self.done < units || self.closed {
            return None;
        }
        self.closed = true;
        self.tree.root()
    }

    /// A partial file was found; false if the entry has ended meanwhile.
    pub(crate) fn attach(&mut self, partial: &Arc<Partial>) -> bool {
        if !self.closed {
            self.partial = Some(partial.clone());
        }
        !self.closed
    }

    /// True once the entry has ended, or has all its units.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Ends the entry; false if it has ended already or is complete.
    pub(crate) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }
}

/// One unit of a segment and where its bytes are in it.
pub(crate) struct Place {
    /// The file.
    pub(crate) state: Arc<FileState>,
    /// The unit.
    pub(crate) unit: u64,
    /// In the content of the segment.
    pub(crate) bytes: Range<usize>,
}

/// Entries that have not ended.
#[derive(Default)]
pub(crate) struct Table {
    /// By number.
    pub(crate) open: HashMap<u64, Arc<FileState>>,
    /// By start, those of which something was ever asked. Failed ones stay, as their content may still be on its way.
    asked: BTreeMap<u64, Arc<FileState>>,
}

impl Table {
    /// Something of the file is asked for.
    pub(crate) fn asked(&mut self, state: &Arc<FileState>) {
        self.asked.entry(state.offset).or_insert_with(|| state.clone());
    }

    /// The entry has ended; `complete` says that nothing of it can be on its way.
    pub(crate) fn end(&mut self, state: &FileState, complete: bool) {
        self.open.remove(&state.number);
        // An empty file begins where the next file does, whose place in the table is not its to take away.
        if complete && self.asked.get(&state.offset).is_some_and(|s| s.number == state.number) {
            self.asked.remove(&state.offset);
        }
    }

    /// The units in these spans that were asked for and have not come.
    pub(crate) fn missing(&self, spans: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        for &(start, end) in spans {
            let mut at = start;
            while at < end {
                let file = self.asked.range(..=at).next_back().filter(|(start, state)| at - *start < state.size);
                let Some((start, state)) = file else {
                    let Some((next, _)) = self.asked.range(at.saturating_add(1)..).next() else { break };
                    at = *next;
                    continue;
                };
                let unit = (at - start) / UNIT;
                let span = state.span(&(unit..unit + 1));
                if state.work().asked.contains(unit) {
                    missing.push(span);
                }
                at = span.1;
            }
        }
        missing
    }

    /// What a segment holds; `None` if it does not follow the borders of units of files that were asked for.
    pub(crate) fn layout(&self, head: SegmentHead) -> Option<Vec<Place>> {
        let end = head.offset.checked_add(head.length)?;
        let mut places = Vec::new();
        let mut at = head.offset;
        while at < end {
            let (start, state) = self.asked.range(..=at).next_back()?;
            let within = at - start;
            let len = unit_len(state.size, within / UNIT);
            if within >= state.size
                || !within.is_multiple_of(UNIT)
                || at + len > end
                || places.len() >= MAX_SEGMENT_UNITS
            {
                return None;
            }
            let begin = (at - head.offset) as usize;
            places.push(Place { state: state.clone(), unit: within / UNIT, bytes: begin..begin + len as usize });
            at += len;
        }
        Some(places)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(number: u64, offset: u64, size: u64) -> Arc<FileState> {
        Arc::new(FileState::new(number, offset, size, 0, "f".parse().unwrap()))
    }

    #[test]
    fn a_unit_counts_once_and_only_if_asked_for() {
        let state = file(0, 0, 3 * UNIT);
        let mut work = state.work();
        work.ask(0..2);
        assert_eq!(work.claim(2), Claim::Unasked);
        assert_eq!(work.claim(1), Claim::Wanted);
        assert_eq!(work.claim(1), Claim::Unasked);
        for _ in 0..MAX_REPEATS {
            assert!(work.repeat(1));
            assert_eq!(work.claim(1), Claim::Wanted);
        }
        assert!(!work.repeat(1));
        assert!(work.close());
        assert_eq!(work.claim(0), Claim::Late);
    }

    #[test]
    fn a_complete_file_cannot_be_failed_any_more() {
        let state = file(0, 0, UNIT);
        let mut work = state.work();
        work.ask(0..1);
        assert_eq!(work.claim(0), Claim::Wanted);
        assert_eq!(work.store(0, [7; 32], 1), Some([7; 32]));
        assert!(!work.close());
    }

    #[test]
    fn the_end_of_an_empty_file_leaves_the_file_behind_it_in_the_table() {
        let mut table = Table::default();
        let empty = file(0, 7, 0);
        table.asked(&file(1, 7, 5));
        table.end(&empty, true);
        assert_eq!(table.layout(SegmentHead { offset: 7, length: 5 }).map(|places| places.len()), Some(1));
    }

    #[test]
    fn of_what_went_down_with_a_connection_only_what_is_still_asked_for_is_missing() {
        let mut table = Table::default();
        let (large, small) = (file(0, 0, 3 * UNIT), file(2, 3 * UNIT + 50, 10));
        table.asked(&large);
        table.asked(&small);
        large.work().ask(0..3);
        small.work().ask(0..1);
        assert_eq!(large.work().claim(1), Claim::Wanted);
        let all = (0, 3 * UNIT + 60);
        assert_eq!(table.missing(&[all]), [(0, UNIT), (2 * UNIT, 3 * UNIT), (3 * UNIT + 50, 3 * UNIT + 60)]);
        assert_eq!(table.missing(&[(UNIT, 2 * UNIT), (u64::MAX - 1, u64::MAX)]), []);
    }

    #[test]
    fn a_segment_off_the_borders_or_over_a_gap_has_no_layout() {
        let mut table = Table::default();
        table.asked(&file(0, 0, UNIT + 10));
        table.asked(&file(1, UNIT + 10, 5));
        table.asked(&file(3, UNIT + 100, 5));
        let layout = |offset, length| table.layout(SegmentHead { offset, length }).map(|places| places.len());
        assert_eq!(layout(0, UNIT + 15), Some(3));
        assert_eq!(layout(UNIT, 15), Some(2));
        for (offset, length) in [(1, UNIT), (0, UNIT + 1), (UNIT, 16), (UNIT + 50, 5), (UNIT + 10, 95), (u64::MAX, 2)] {
            assert_eq!(layout(offset, length), None, "{offset}+{length}");
        }
    }
}
