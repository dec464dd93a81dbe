//! Which session of this process writes which partial file.
//!
//! The lock on a journal tells that somebody writes; this tells who, so that a session whose client was killed (and
//! which QUIC gives up only after its idle time) makes room for the client's next attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A session as seen by others that want its file.
pub(crate) struct Holder {
    /// Counts what was heard of the peer.
    pub(crate) heard: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Ends the session.
    pub(crate) evict: Box<dyn Fn() + Send + Sync>,
}

/// By device and inode of the partial file.
#[derive(Default)]
pub(crate) struct Holders(Mutex<HashMap<(u64, u64), Weak<Holder>>>);

impl Holders {
    /// Notes who writes.
    pub(crate) fn enter(&self, id: (u64, u64), holder: &Arc<Holder>) {
        self.lock().insert(id, Arc::downgrade(holder));
    }

    /// Nobody writes any more.
    pub(crate) fn leave(&self, id: (u64, u64)) {
        self.lock().remove(&id);
    }

    /// Who writes; `None` if it is another process.
    pub(crate) fn who(&self, id: (u64, u64)) -> Option<Arc<Holder>> {
        self.lock().get(&id).and_then(Weak::upgrade)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, u64), Weak<Holder>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
