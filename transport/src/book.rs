//! What the sender knows of entries that have not ended, and which of their content is wanted.

use crate::hash::{UnitTree, Value};
use crate::ranges::RangeSet;
use crate::root::Metadata;
use crate::scan::Source;
use crate::segment::{Geometry, Piece, WantError, Wanted};
use godwit_protocol::RelPath;
use godwit_protocol::wire::{EntryKind, UNIT};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// An entry that was announced.
pub(crate) struct Slot {
    /// Number in the manifest.
    pub(crate) number: u64,
    /// Start in the virtual space.
    pub(crate) offset: u64,
    /// Kind.
    pub(crate) kind: EntryKind,
    /// Bytes, as announced.
    pub(crate) size: u64,
    /// What was there when it was announced.
    pub(crate) seen: Metadata,
    /// How often it was announced before, because it had changed.
    pub(crate) changes: u8,
    /// Target.
    pub(crate) path: RelPath,
    /// Where its content is.
    pub(crate) source: Source,
    /// It changed or turned out to be unreadable; noticed once.
    pub(crate) dead: AtomicBool,
    /// What was read of it so far.
    pub(crate) values: Mutex<Values>,
}

/// Values of the units of one source that were read in this session, whatever became of them.
#[derive(Default)]
pub(crate) enum Values {
    /// Of none.
    #[default]
    None,
    /// Of the only one.
    One(Value),
    /// Of some of several.
    Some(Box<(RangeSet, UnitTree)>),
}

impl Slot {
    /// A unit was read.
    pub(crate) fn note(&self, unit: u64, value: Value) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if self.size <= UNIT {
            *values = Values::One(value);
            return;
        }
        if matches!(*values, Values::None) {
            *values = Values::Some(Box::new((RangeSet::default(), UnitTree::new(self.size))));
        }
        if let Values::Some(some) = &mut *values
            && !some.0.contains(unit)
        {
            some.0.insert(unit..unit + 1);
            some.1.insert(unit, value);
        }
    }

    /// The hash of the whole, if all of it was read in this session.
    pub(crate) fn root(&self) -> Option<Value> {
        match &*self.values.lock().unwrap_or_else(PoisonError::into_inner) {
            Values::None if self.size == 0 => Some(*blake3::hash(b"").as_bytes()),
            Values::None => None,
            Values::One(value) => Some(*value),
            Values::Some(some) => some.1.root(),
        }
    }
}

/// A piece together with its entry.
pub(crate) type Part = (Arc<Slot>, Piece);

/// See the module. Memory follows the number of open entries.
#[derive(Default)]
pub(crate) struct Book {
    by_number: HashMap<u64, Arc<Slot>>,
    with_content: Contents,
    wanted: Wanted,
    /// Bytes of the paths of open entries.
    paths: u64,
    /// Entries that were given up for later ones; what the receiver says of them does not matter any more.
    replaced: HashSet<u64>,
    /// Entries announced so far.
    pub(crate) count: u64,
    /// Bytes announced so far.
    pub(crate) bytes: u64,
}

/// By start in the virtual space.
#[derive(Default)]
struct Contents(BTreeMap<u64, Arc<Slot>>);

impl Geometry for Contents {
    fn file_at(&self, at: u64) -> Option<(u64, u64)> {
        let (start, slot) = self.0.range(..=at).next_back()?;
        (at - start < slot.size).then_some((*start, slot.size))
    }

    fn next_start(&self, at: u64) -> Option<u64> {
        self.0.range(at.saturating_add(1)..).next().map(|(start, _)| *start)
    }
}

impl Book {
    /// Announces an entry; `None` if the virtual space would overflow.
    pub(crate) fn announce(&mut self, make: impl FnOnce(u64, u64) -> Slot) -> Option<()> {
        let slot = Arc::new(make(self.count, self.bytes));
        let bytes = self.bytes.checked_add(slot.size)?;
        if slot.size > 0 {
            self.with_content.0.insert(self.bytes, slot.clone());
        }
        self.paths += slot.path.as_str().len() as u64;
        self.by_number.insert(self.count, slot);
        self.count += 1;
        self.bytes = bytes;
        Some(())
    }

    /// Entries that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.by_number.len()
    }

    /// Bytes of their paths.
    pub(crate) fn paths(&self) -> u64 {
        self.paths
    }

    /// An open entry.
    pub(crate) fn get(&self, number: u64) -> Option<Arc<Slot>> {
        self.by_number.get(&number).cloned()
    }

    /// The entry has ended; nothing of it will be served any more.
    pub(crate) fn end(&mut self, number: u64) -> Option<Arc<Slot>> {
        let slot = self.by_number.remove(&number)?;
        self.paths -= slot.path.as_str().len() as u64;
        if slot.size > 0 {
            self.with_content.0.remove(&slot.offset);
        }
        Some(slot)
    }

    /// The entry is given up for a new one; `false` if it has ended already.
    pub(crate) fn replace(&mut self, number: u64) -> bool {
        let open = self.end(number).is_some();
        if open {
            self.replaced.insert(number);
        }
        open
    }

    /// True if the entry was given up for a later one.
    pub(crate) fn is_replaced(&self, number: u64) -> bool {
        self.replaced.contains(&number)
    }

    /// The receiver wants a span.
    pub(crate) fn want(&mut self, span: (u64, u64)) -> Result<(), WantError> {
        self.wanted.push(span, self.bytes)
    }

    /// The next segment to serve; empty if nothing is wanted.
    pub(crate) fn next_segment(&mut self) -> Result<Vec<Part>, WantError> {
        let pieces = self.wanted.next(&self.with_content)?;
        let find = |piece: Piece| Some((self.with_content.0.get(&piece.file)?.clone(), piece));
        Ok(pieces.into_iter().filter_map(find).collect())
    }
}
