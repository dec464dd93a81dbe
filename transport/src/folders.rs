//! Modification times of folders, kept until nothing changes in them any more. Pure.
//!
//! Whatever gets its name in a folder changes the folder's time, so the source's time can be set only after everything
//! beneath has ended. A manifest walks trees: once it names something outside a folder, nothing more comes for it. So a
//! folder is *left* at some number of the manifest, and *due* when all entries before that number have ended. What
//! waits is bounded by the entries that may be open; a manifest that jumps about only spoils its own times.

use godwit_protocol::RelPath;
use std::collections::VecDeque;

/// A folder and the time it had at the source.
type Folder = (RelPath, i64);

/// See the module.
#[derive(Default)]
pub(crate) struct FolderTimes {
    /// Those the manifest is in, outermost first.
    inside: Vec<Folder>,
    /// Those it has left, with the number of the entry it was left for.
    left: VecDeque<(u64, Folder)>,
    /// Every entry before this one has ended,
    low: u64,
    /// and of those after it, these have.
    ended: VecDeque<bool>,
}

impl FolderTimes {
    /// The manifest's next entry, in order.
    pub(crate) fn pass(&mut self, number: u64, path: &RelPath) {
        while let Some(folder) = self.inside.pop_if(|(folder, _)| !beneath(path, folder)) {
            self.left.push_back((number, folder));
        }
    }

    /// The entry that was passed last is a folder, which is there now.
    pub(crate) fn enter(&mut self, path: RelPath, mtime_ns: i64) {
        self.inside.push((path, mtime_ns));
    }

    /// An entry has ended. Those folders are due.
    pub(crate) fn end(&mut self, number: u64) -> Vec<Folder> {
        let Some(at) = number.checked_sub(self.low).and_then(|at| usize::try_from(at).ok()) else { return Vec::new() };
        if self.ended.len() <= at {
            self.ended.resize(at + 1, false);
        }
        if let Some(ended) = self.ended.get_mut(at) {
            *ended = true;
        }
        while self.ended.pop_front_if(|ended| *ended).is_some() {
            self.low += 1;
        }
        let mut due = Vec::new();
        while let Some((_, folder)) = self.left.pop_front_if(|(number, _)| *number <= self.low) {
            due.push(folder);
        }
        due
    }

    /// Everything has ended: the rest, inner ones first.
    pub(crate) fn rest(&mut self) -> Vec<Folder> {
        let left = std::mem::take(&mut self.left).into_iter().map(|(_, folder)| folder);
        left.chain(std::mem::take(&mut self.inside).into_iter().rev()).collect()
    }
}

/// Is `path` somewhere in `folder`?
pub(crate) fn beneath(path: &RelPath, folder: &RelPath) -> bool {
    path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_folder_is_due_when_it_was_left_and_all_before_has_ended_in_whatever_order() {
        let mut times = FolderTimes::default();
        for (number, (text, folder)) in
            [("a", true), ("a/b", true), ("a/b/f", false), ("a/bc", false), ("z", false)].into_iter().enumerate()
        {
            times.pass(number as u64, &path(text));
            if folder {
                times.enter(path(text), number as i64);
            }
        }
        assert_eq!(times.end(0), []);
        assert_eq!(times.end(4), []);
        assert_eq!(times.end(2), []);
        assert_eq!(times.end(1), [(path("a/b"), 1)]);
        assert_eq!(times.end(3), [(path("a"), 0)]);
        assert!(times.ended.is_empty() && times.rest().is_empty());
    }

    #[test]
    fn what_the_manifest_never_left_comes_at_the_end_inner_ones_first() {
        let mut times = FolderTimes::default();
        times.pass(0, &path("a"));
        times.enter(path("a"), 1);
        times.pass(1, &path("a/b"));
        times.enter(path("a/b"), 2);
        assert_eq!(times.rest(), [(path("a/b"), 2), (path("a"), 1)]);
    }
}
