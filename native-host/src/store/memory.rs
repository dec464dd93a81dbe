//! A store in memory that remembers what would survive what, for tests.

use super::{Change, Store, StoreError, Tree};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Records = BTreeMap<(Tree, String), Vec<u8>>;

/// Shared by its clones, so that a test can look inside, "restart" on what survived, and make it fail.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    applied: Records,
    synced: Records,
    failing: bool,
}

impl MemoryStore {
    /// A store holding what would be there after a kill.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let applied = self.lock().applied.clone();
        Self(Arc::new(Mutex::new(Inner { synced: applied.clone(), applied, failing: false })))
    }

    /// A store holding what would be there after a power cut.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let synced = self.lock().synced.clone();
        Self(Arc::new(Mutex::new(Inner { applied: synced.clone(), synced, failing: false })))
    }

    /// From now on every write fails.
    pub fn fail(&self, failing: bool) {
        self.lock().failing = failing;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().applied.get(&(tree, key.to_owned())).cloned())
    }

    fn all(&self, tree: Tree) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let inner = self.lock();
        Ok(inner.applied.iter().filter(|((t, _), _)| *t == tree).map(|((_, k), v)| (k.clone(), v.clone())).collect())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.failing {
            return Err(StoreError::Io(std::io::Error::from(std::io::ErrorKind::StorageFull)));
        }
        for change in changes {
            match change {
                Change::Put(tree, key, value) => drop(inner.applied.insert((*tree, key.clone()), value.clone())),
                Change::Delete(tree, key) => drop(inner.applied.remove(&(*tree, key.clone()))),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.synced = inner.applied.clone();
        Ok(())
    }
}
