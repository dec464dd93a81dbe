//! What has changed since a token: found without looking at the ten thousand transfers that have not.

use crate::queue::TransferId;
use std::collections::BTreeSet;

/// Every transfer, and every one that was removed, by the token of its last visible change.
#[derive(Debug)]
pub(super) struct News {
    last: u64,
    by_token: BTreeSet<(u64, TransferId)>,
}

impl News {
    /// Tokens go on after `last`.
    pub(super) fn new(last: u64) -> Self {
        Self { last, by_token: BTreeSet::new() }
    }

    /// Token of the last change of all.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes up what was stored.
    pub(super) fn restore(&mut self, id: &TransferId, token: u64) {
        self.by_token.insert((token, id.clone()));
    }

    /// The token of a change; `before` is that of the last one.
    pub(super) fn change(&mut self, id: &TransferId, before: u64) -> u64 {
        self.forget(id, before);
        self.last += 1;
        self.by_token.insert((self.last, id.clone()));
        self.last
    }

    /// It is neither on the list nor told any more.
    pub(super) fn forget(&mut self, id: &TransferId, token: u64) {
        self.by_token.remove(&(token, id.clone()));
    }

    /// What changed after `token`, oldest change first.
    pub(super) fn since(&self, token: u64) -> impl Iterator<Item = &TransferId> {
        let first = (token.saturating_add(1), TransferId::new(""));
        self.by_token.range(first..).map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transfer_is_told_once_with_its_last_change() {
        let [a, b] = ["a", "b"].map(TransferId::new);
        let mut news = News::new(10);
        news.restore(&a, 3);
        news.restore(&b, 3);
        let since = |news: &News, token| news.since(token).map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(since(&news, 0), ["a", "b"]);
        assert_eq!(news.change(&a, 3), 11);
        assert_eq!(since(&news, 0), ["b", "a"]);
        assert_eq!(since(&news, 3), ["a"]);
        assert!(since(&news, 11).is_empty());
        assert_eq!(news.change(&a, 11), 12);
        assert_eq!(since(&news, 11), ["a"]);
        news.forget(&a, 12);
        assert_eq!(since(&news, 0), ["b"]);
        assert_eq!((news.last(), since(&news, u64::MAX).len()), (12, 0));
    }
}
