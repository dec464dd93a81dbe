//! The journal beside a partial file: which units of it are verified. Pure: bytes in, bytes out.
//!
//! A head names the source (size and time) and the partial file (device and inode), then records follow, each with a
//! unit's number, value and a check. Nothing in it is believed without reading the data again: a record says "this unit
//! *should* have this value", and counts only if it has. So no order of writes to disk can make it lie, and a torn or
//! damaged record costs one unit.

use crate::hash::Value;
use godwit_protocol::wire::HASH;

/// Bytes of the head.
pub const HEAD: usize = 64;
/// Bytes of a record.
pub const RECORD: usize = 8 + HASH + 8;
/// Also the version: another format has another one.
const MAGIC: [u8; 8] = *b"GWCKPT2\n";

/// What the journal belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the source.
    pub size: u64,
    /// Modification time of the source, nanoseconds.
    pub mtime_ns: i64,
    /// Device and inode of the partial file; zeros while it is being made.
    pub partial: (u64, u64),
}

impl Head {
    /// The bytes on disk.
    #[must_use]
    pub fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.size.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.mtime_ns.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.partial.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.partial.1.to_le_bytes());
        let check = check(&bytes[..40]);
        bytes[40..48].copy_from_slice(&check);
        bytes
    }

    /// Reads a head; `None` if it is not one of ours or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEAD)?;
        if bytes.get(..8)? != MAGIC || bytes.get(40..48)? != check(bytes.get(..40)?) {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self { size: number(8)?, mtime_ns: number(16)? as i64, partial: (number(24)?, number(32)?) })
    }
}

/// The bytes of one record.
#[must_use]
pub fn encode_record(head: &Head, unit: u64, value: &Value) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..8].copy_from_slice(&unit.to_le_bytes());
    bytes[8..8 + HASH].copy_from_slice(value);
    let check = record_check(head, &bytes[..8 + HASH]);
    bytes[8 + HASH..].copy_from_slice(&check);
    bytes
}

/// Reads one record; `None` if it is damaged or was written under another head.
#[must_use]
pub fn decode_record(head: &Head, bytes: &[u8]) -> Option<(u64, Value)> {
    let (body, sum) = bytes.get(..RECORD)?.split_at(8 + HASH);
    if sum != record_check(head, body) {
        return None;
    }
    let (unit, value) = body.split_at(8);
    Some((u64::from_le_bytes(unit.try_into().ok()?), value.try_into().ok()?))
}

/// The sound records of what follows the head. A damaged one is passed over, a torn tail ends it.
pub fn records<'a>(head: &'a Head, bytes: &'a [u8]) -> impl Iterator<Item = (u64, Value)> + 'a {
    bytes.chunks_exact(RECORD).filter_map(|record| decode_record(head, record))
}

/// A record belongs to one version of the source: one of an earlier version never counts for a later one, even if the
/// head was changed and the record is there still.
fn record_check(head: &Head, body: &[u8]) -> [u8; 8] {
    let mut bytes = [0; 40 + 8 + HASH];
    bytes[..40].copy_from_slice(&head.encode()[..40]);
    bytes[40..].copy_from_slice(body);
    check(&bytes)
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SOURCE: Head = Head { size: 7, mtime_ns: 8, partial: (9, 10) };

    fn written(units: &[(u64, Value)]) -> Vec<u8> {
        units.iter().flat_map(|(unit, value)| encode_record(&SOURCE, *unit, value)).collect()
    }

    #[test]
    fn a_record_counts_for_its_own_source_only() {
        let bytes = written(&[(1, [2; HASH])]);
        assert_eq!(records(&SOURCE, &bytes).count(), 1);
        for other in [Head { size: 8, ..SOURCE }, Head { mtime_ns: 9, ..SOURCE }, Head { partial: (9, 11), ..SOURCE }] {
            assert_eq!(records(&other, &bytes).count(), 0);
        }
    }

    proptest! {
        #[test]
        fn a_torn_tail_loses_only_the_torn_record(
            units in prop::collection::vec((any::<u64>(), any::<[u8; HASH]>()), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = written(&units);
            let cut = cut.index(bytes.len() + 1);
            let read: Vec<_> = records(&SOURCE, &bytes[..cut]).collect();
            prop_assert_eq!(&read[..], &units[..cut / RECORD]);
        }

        #[test]
        fn damage_never_makes_a_record_that_was_not_written(
            units in prop::collection::vec((any::<u64>(), any::<[u8; HASH]>()), 1..20),
            damage in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..10),
        ) {
            let mut bytes = written(&units);
            for (at, flip) in damage {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            for record in records(&SOURCE, &bytes) {
                prop_assert!(units.contains(&record));
            }
        }

        #[test]
        fn a_head_survives_and_a_damaged_one_is_refused(
            size in any::<u64>(), mtime_ns in any::<i64>(), partial in any::<(u64, u64)>(),
            at in 0usize..48, flip in 1u8..=255,
        ) {
            let head = Head { size, mtime_ns, partial };
            let mut bytes = head.encode();
            prop_assert_eq!(Head::decode(&bytes), Some(head));
            bytes[at] ^= flip;
            prop_assert_eq!(Head::decode(&bytes), None);
        }
    }
}
