//! How many files may be open at once, by all sessions of this process together.
//!
//! Small files keep their handle from the first byte until they have a name, thousands of them at a time. Systems start
//! processes with a limit of 1,024 that programs without `select` may raise themselves (the hard limit is what their
//! administrator means), so that is done here, once. Half of what there is belongs to small files; who wants more waits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

/// More is of no use.
const MOST: u64 = 65_536;
/// A limit that a process of ours can hardly run with; what is below is taken for this.
const LEAST: u64 = 256;

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles::new(raised() / 2));

/// A number of handles that are free, and those who wait for some.
struct Handles {
    most: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// Some handles of the process; free again when dropped.
pub(crate) struct Taken {
    from: &'static Handles,
    count: usize,
}

/// Takes `count` handles; waits (and blocks) until they are free.
pub(crate) fn take(count: usize) -> Taken {
    HANDLES.take(count)
}

/// Takes `count` handles if they are free now.
pub(crate) fn try_take(count: usize) -> Option<Taken> {
    HANDLES.try_take(count)
}

/// What one group of files may hold, so that the next can fill while it waits for the disk.
pub(crate) fn share() -> usize {
    HANDLES.most / 3
}

impl Handles {
    fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(LEAST as usize);
        Self { most, free: Mutex::new(most), freed: Condvar::new() }
    }

    fn try_take(&'static self, count: usize) -> Option<Taken> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(count)?;
        Some(Taken { from: self, count })
    }

    fn take(&'static self, count: usize) -> Taken {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < count {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= count;
        Taken { from: self, count }
    }
}

impl Taken {
    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds those of `other`, to be free at the same time: who waits is woken each time that some become free.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        *self.from.free.lock().unwrap_or_else(PoisonError::into_inner) += self.count;
        // Not only one: whoever wants two may not be served by this one.
        self.from.freed.notify_all();
    }
}

/// Raises the limit of this process as far as it is of use; what it is then.
fn raised() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(MOST);
    let wish = now.maximum.unwrap_or(MOST).min(MOST);
    let raised = wish > current && setrlimit(Resource::Nofile, Rlimit { current: Some(wish), ..now }).is_ok();
    let limit = if raised { wish } else { current.min(MOST) };
    tracing::debug!(limit, "open files");
    limit.max(LEAST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_wants_more_than_is_free_waits_until_it_is() {
        let handles: &'static Handles = Box::leak(Box::new(Handles::new(4)));
        let mut first = handles.take(1);
        first.join(handles.take(2));
        let other = std::thread::spawn(|| drop(handles.take(2)));
        let third = handles.take(1);
        assert!(!other.is_finished());
        drop(first);
        other.join().unwrap();
        drop(third);
        assert_eq!(*handles.free.lock().unwrap(), 4);
    }
}
