//! Large buffers that are used again and again within a session.
//!
//! Each is an anonymous mapping of its own: the allocator would keep the memory of a session that is over (glibc's arenas
//! gave back a few MiB of 279), and would have the kernel clear every page again whenever it does not. Dropped, a buffer
//! returns to its pool; when the session has ended the last one takes the pool and all mappings with it.
//!
//! Must not know: who fills the buffers and with what.

use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// What a buffer of the pool holds: a unit and the values of its pieces. What is longer, or much shorter, is no matter of
/// the pool.
const ROOM: usize = 1024 * 1024 + 64 * 1024;
const LEAST: usize = 128 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<MmapMut>>);

/// A buffer; what it holds before it is written is arbitrary content of the same session.
#[derive(Debug)]
pub(crate) struct Buffer {
    store: Store,
    len: usize,
}

#[derive(Debug)]
enum Store {
    Own(Vec<u8>),
    Pooled(Arc<Pool>, Option<MmapMut>),
}

impl Pool {
    /// A buffer of `len` bytes.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let mapped = || self.free().pop().or_else(|| MmapMut::map_anon(ROOM).ok());
        let mapped = if (LEAST..=ROOM).contains(&len) { mapped() } else { None };
        let store = match mapped {
            Some(mapped) => Store::Pooled(self.clone(), Some(mapped)),
            None => Store::Own(vec![0; len]),
        };
        Buffer { store, len }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<MmapMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// Shortens it.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &self.store {
            Store::Own(own) => own,
            Store::Pooled(_, mapped) => mapped.as_deref().unwrap_or_default(),
        };
        all.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let all: &mut [u8] = match &mut self.store {
            Store::Own(own) => own,
            Store::Pooled(_, mapped) => mapped.as_deref_mut().unwrap_or_default(),
        };
        all.get_mut(..self.len).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Store::Pooled(pool, mapped) = &mut self.store {
            pool.free().extend(mapped.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_asked_for_whatever_it_is_made_of() {
        let pool = Arc::new(Pool::default());
        for len in [0, 1, LEAST - 1, LEAST, ROOM, ROOM + 1] {
            let mut buffer = pool.take(len);
            assert_eq!(buffer.len(), len);
            buffer.fill(7);
            buffer.truncate(len / 2);
            assert_eq!((buffer.len(), buffer.iter().all(|b| *b == 7)), (len / 2, true));
        }
    }

    #[test]
    fn memory_follows_the_buffers_in_use_at_once_and_not_their_number() {
        let pool = Arc::new(Pool::default());
        for _ in 0..1_000 {
            let pair = (pool.take(ROOM), pool.take(ROOM));
            assert_eq!(pair.0.len(), pair.1.len());
        }
        assert_eq!(pool.free().len(), 2);
        let last = bytes::Bytes::from_owner(pool.take(ROOM));
        let gone = Arc::downgrade(&pool);
        drop(pool);
        assert!(gone.upgrade().is_some(), "a buffer in use keeps its pool");
        drop(last);
        assert!(gone.upgrade().is_none(), "the last one takes it along");
    }
}
