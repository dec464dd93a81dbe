//! Who waits, in order; found without looking at ten thousand others.

use super::{Lane, TransferId};
use std::collections::BTreeSet;

/// Distance between the orders of two that were added one after the other.
pub(super) const GAP: u64 = 1 << 20;

/// The waiting transfers of both lanes.
#[derive(Debug, Default)]
pub(super) struct Line {
    downloads: BTreeSet<(u64, TransferId)>,
    uploads: BTreeSet<(u64, TransferId)>,
}

impl Line {
    fn lane(&mut self, lane: Lane) -> &mut BTreeSet<(u64, TransferId)> {
        match lane {
            Lane::Download => &mut self.downloads,
            Lane::Upload => &mut self.uploads,
        }
    }

    pub(super) fn insert(&mut self, lane: Lane, order: u64, id: TransferId) {
        self.lane(lane).insert((order, id));
    }

    pub(super) fn remove(&mut self, lane: Lane, order: u64, id: &TransferId) {
        self.lane(lane).remove(&(order, id.clone()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.downloads.is_empty() && self.uploads.is_empty()
    }

    /// The first of the open lanes that `may` start.
    pub(super) fn first(&self, open: [bool; 2], may: impl Fn(&TransferId) -> bool) -> Option<TransferId> {
        let first = |lane: &BTreeSet<(u64, TransferId)>, open: bool| {
            lane.iter().filter(|_| open).find(|(_, id)| may(id)).cloned()
        };
        let both = [first(&self.downloads, open[0]), first(&self.uploads, open[1])];
        both.into_iter().flatten().min().map(|(_, id)| id)
    }

    /// All, in order.
    pub(super) fn all(&self) -> Vec<(u64, TransferId)> {
        let mut all: Vec<_> = self.downloads.iter().chain(&self.uploads).cloned().collect();
        all.sort();
        all
    }
}
