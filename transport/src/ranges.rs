//! A set of numbers kept as stretches: its memory follows the disorder, not the size.

use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint, non-touching half-open ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(BTreeMap<u64, u64>);

impl RangeSet {
    /// Adds every number of `range`.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        let (mut start, mut end) = (range.start, range.end);
        if start >= end {
            return;
        }
        while let Some((&s, &e)) = self.0.range(..=end).next_back() {
            if e < start {
                break;
            }
            self.0.remove(&s);
            start = start.min(s);
            end = end.max(e);
        }
        self.0.insert(start, end);
    }

    /// Takes one number out; false if it was not there.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        let Some((&start, &end)) = self.0.range(..=number).next_back() else { return false };
        if number >= end {
            return false;
        }
        self.0.remove(&start);
        if start < number {
            self.0.insert(start, number);
        }
        if number + 1 < end {
            self.0.insert(number + 1, end);
        }
        true
    }

    /// True if `number` is in it.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// The stretches in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }

    /// What of `whole` is missing here, in ascending order.
    pub(crate) fn gaps(&self, whole: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = whole.start;
        for range in self.iter() {
            if range.start >= whole.end {
                break;
            }
            if range.start > at {
                gaps.push(at..range.start);
            }
            at = at.max(range.end);
        }
        if at < whole.end {
            gaps.push(at..whole.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_behaves_as_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u64..60, 1u64..12), 0..80)) {
            let (mut ranges, mut plain) = (RangeSet::default(), BTreeSet::new());
            for (add, start, len) in steps {
                if add {
                    ranges.insert(start..start + len);
                    plain.extend(start..start + len);
                } else {
                    prop_assert_eq!(ranges.remove(start), plain.remove(&start));
                }
            }
            prop_assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| a.end < b.start));
            let missing: Vec<u64> = ranges.gaps(5..50).into_iter().flatten().collect();
            prop_assert_eq!(missing, (5..50).filter(|n| !plain.contains(n)).collect::<Vec<_>>());
        }
    }
}
