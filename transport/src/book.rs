//! What the sender knows of entries that have not ended, and which of their content is wanted.

use crate::scan::Source;
use crate::segment::{Geometry, Piece, WantError, Wanted};
use godwit_protocol::RelPath;
use godwit_protocol::wire::EntryKind;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
    /// Modification time, as announced.
    pub(crate) mtime_ns: i64,
    /// Target.
    pub(crate) path: RelPath,
    /// Where its content is.
    pub(crate) source: Source,
    /// It turned out to be unreadable; told once.
    pub(crate) dead: AtomicBool,
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
