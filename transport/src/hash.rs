//! Values of units and how a file's root grows out of them, in any order of arrival and without reading data twice.
//!
//! BLAKE3 is a tree whose left parts are complete: 2^k units that begin at a multiple of 2^k form a subtree of their
//! own. [`UnitTree`] merges such neighbours as soon as both are there, so it holds one value per separate stretch of
//! finished units, not one per unit.

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use godwit_protocol::wire::{HASH, UNIT};
use std::collections::BTreeMap;

/// A BLAKE3 value.
pub type Value = [u8; HASH];

/// Number of units of a file of `size` bytes.
#[must_use]
pub fn unit_count(size: u64) -> u64 {
    size.div_ceil(UNIT)
}

/// Bytes of unit `unit` of a file of `size` bytes; 0 beyond its end.
#[must_use]
pub fn unit_len(size: u64, unit: u64) -> u64 {
    size.saturating_sub(unit.saturating_mul(UNIT)).min(UNIT)
}

/// The value of a unit: the subtree value, or the plain hash if it is the file's only one. `data` is not empty.
#[must_use]
pub fn unit_value(size: u64, unit: u64, data: &[u8]) -> Value {
    if size <= UNIT {
        return *blake3::hash(data).as_bytes();
    }
    let mut hasher = Hasher::new();
    hasher.set_input_offset(unit.saturating_mul(UNIT));
    hasher.update(data);
    hasher.finalize_non_root()
}

/// Text form of a root, for reports.
#[must_use]
pub fn hex(value: &Value) -> String {
    blake3::Hash::from_bytes(*value).to_hex().to_string()
}

/// Collects unit values of one file.
#[derive(Debug)]
pub struct UnitTree {
    units: u64,
    /// (height, index at that height) → value. No two neighbours that could be merged are ever held.
    nodes: BTreeMap<(u32, u64), Value>,
    held: u64,
}

impl UnitTree {
    /// For a file of `size` bytes.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { units: unit_count(size), nodes: BTreeMap::new(), held: 0 }
    }

    /// Adds a unit. Each must be added once only; one that is out of range is ignored.
    pub fn insert(&mut self, unit: u64, value: Value) {
        if unit >= self.units {
            return;
        }
        self.held += 1;
        let (mut height, mut index, mut value) = (0, unit, value);
        loop {
            let parent = index / 2;
            // The parent must be complete, and must not be the root, which is merged differently.
            let complete = (parent + 1).checked_shl(height + 1).is_some_and(|end| end <= self.units);
            let whole = parent == 0 && 1u64.checked_shl(height + 1).is_none_or(|n| n >= self.units);
            if !complete || whole {
                break;
            }
            let Some(other) = self.nodes.remove(&(height, index ^ 1)) else { break };
            value = if index % 2 == 0 {
                merge_subtrees_non_root(&value, &other, Mode::Hash)
            } else {
                merge_subtrees_non_root(&other, &value, Mode::Hash)
            };
            height += 1;
            index = parent;
        }
        self.nodes.insert((height, index), value);
    }

    /// The hash of the whole file, once every unit is there.
    #[must_use]
    pub fn root(&self) -> Option<Value> {
        if self.held < self.units {
            return None;
        }
        if self.units == 0 {
            return Some(*blake3::hash(b"").as_bytes());
        }
        // Left to right; heights fall strictly, as the binary digits of the count do.
        let mut peaks: Vec<(u64, Value)> =
            self.nodes.iter().map(|((height, index), value)| (index << height, *value)).collect();
        peaks.sort_unstable_by_key(|(start, _)| *start);
        let (_, mut right) = peaks.pop()?;
        while let Some((start, left)) = peaks.pop() {
            right = if start == 0 {
                *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
            } else {
                merge_subtrees_non_root(&left, &right, Mode::Hash)
            };
        }
        Some(right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn root_of(data: &[u8], order: &[u64]) -> Value {
        let size = data.len() as u64;
        let mut tree = UnitTree::new(size);
        for &unit in order {
            assert!(tree.root().is_none());
            let start = (unit * UNIT) as usize;
            let end = start + unit_len(size, unit) as usize;
            tree.insert(unit, unit_value(size, unit, &data[start..end]));
        }
        tree.root().unwrap()
    }

    #[test]
    fn the_root_from_units_is_the_hash_of_the_whole_at_every_border() {
        let unit = UNIT as usize;
        let data: Vec<u8> = (0..17 * unit + 5).map(|n| ((n * 31) >> 3) as u8).collect();
        for units in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17] {
            for delta in [-1025isize, -1, 0, 1, 5] {
                let Some(size) = (units * unit).checked_add_signed(delta) else { continue };
                let order: Vec<u64> = (0..unit_count(size as u64)).rev().collect();
                assert_eq!(root_of(&data[..size], &order), *blake3::hash(&data[..size]).as_bytes(), "{size}");
            }
        }
        assert_eq!(root_of(b"", &[]), *blake3::hash(b"").as_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (size, order) in (1u64..24 * UNIT).prop_flat_map(|size| {
                (Just(size), Just((0..unit_count(size)).collect::<Vec<_>>()).prop_shuffle())
            }),
            seed in any::<u8>(),
        ) {
            let data: Vec<u8> = (0..size).map(|n| (n >> 7) as u8 ^ seed).collect();
            prop_assert_eq!(root_of(&data, &order), *blake3::hash(&data).as_bytes());
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_file_when_units_come_in_order() {
        let mut tree = UnitTree::new(100_000 * UNIT);
        for unit in 0..100_000 {
            tree.insert(unit, [1; HASH]);
            assert!(tree.nodes.len() <= 17);
        }
        assert!(tree.root().is_some());
    }
}
