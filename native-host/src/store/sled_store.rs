//! The store on `sled`, used with its weaknesses known.
//!
//! `sled` loses acknowledged writes on a kill unless flushed, and its flush is `sync_file_range` on Linux, not an fsync. So
//! [`apply`](Store::apply) flushes every batch, and [`sync`](Store::sync) fsyncs the database's files itself.

use super::{Change, Store, StoreError, Tree, safety};
use std::collections::BTreeSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Memory that `sled` may use for pages; our records are few and small.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// `sled`'s configuration file ends with a checksum of this many bytes; one that is not longer holds nothing.
const CONF_CHECKSUM: u64 = 8;

/// A `sled` database in a folder.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    folder: PathBuf,
    /// Kept open: an fsync through any descriptor covers the whole file.
    log: File,
    /// Files beside it that are on the disk already.
    synced: BTreeSet<PathBuf>,
}

/// A database that was opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub store: SledStore,
    /// Where the old one was put, if it could not be opened and this one is new.
    pub set_aside: Option<PathBuf>,
}

impl SledStore {
    /// Opens or makes the database in `folder`. One that cannot be read is set aside as it was before, never deleted;
    /// `stamp` goes into its new name.
    pub fn open(folder: &Path, stamp: u64) -> Result<Opened, StoreError> {
        let copy = beside(folder, "before-open");
        // A copy that is there already is that of an agent killed while it opened: the only one that is surely whole.
        let made = folder.join("db").exists() && !copy.exists();
        if made {
            safety::copy(folder, &copy)?;
        }
        let (store, set_aside) = match Self::try_open(folder) {
            Ok(store) => (store, None),
            Err(StoreError::Engine(sled::Error::Io(error))) if is_lock(&error) => {
                if made {
                    safety::discard(&copy)?;
                }
                return Err(StoreError::InUse(folder.to_owned()));
            }
            Err(why) => {
                let aside = beside(folder, &format!("unreadable-{stamp}"));
                tracing::error!(%why, folder = %folder.display(), aside = %aside.display(), "database set aside");
                if copy.exists() {
                    // What sled has made of it meanwhile is worth nothing; the copy is what was there.
                    std::fs::rename(&copy, &aside)?;
                    std::fs::remove_dir_all(folder)?;
                } else {
                    std::fs::rename(folder, &aside)?;
                }
                (Self::try_open(folder)?, Some(aside))
            }
        };
        if copy.exists() {
            safety::discard(&copy)?;
        }
        Ok(Opened { store, set_aside })
    }

    fn try_open(folder: &Path) -> Result<Self, StoreError> {
        let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |m| m.len());
        let existed = size("db") > 0;
        let damaged = || StoreError::Record("the database's files are damaged".into());
        // sled would take a database with a torn configuration for a new one, and write over it.
        if existed && size("conf") <= CONF_CHECKSUM {
            return Err(damaged());
        }
        // A damaged file can make sled panic rather than return an error.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let db = sled::Config::new()
                .path(folder)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .mode(sled::Mode::LowSpace)
                .open()?;
            // Damage in the middle shows only when it is read.
            for item in db.iter() {
                item?;
            }
            Ok::<_, sled::Error>(db)
        }));
        let db = opened.map_err(|_| damaged())??;
        if existed && !db.was_recovered() {
            return Err(damaged());
        }
        let log = File::open(folder.join("db"))?;
        Ok(Self { db, folder: folder.to_owned(), log, synced: BTreeSet::new() })
    }

    fn sync_files(&mut self) -> std::io::Result<()> {
        self.log.sync_all()?;
        // Large records live in files of their own, which sled never syncs; each is written once under a new name.
        let mut present = BTreeSet::new();
        for folder in [self.folder.join("blobs"), self.folder.clone()] {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let mut changed = false;
            for entry in entries {
                let entry = entry?;
                let path = entry.path();
                if !entry.file_type()?.is_file() || entry.file_name() == "db" {
                    continue;
                }
                // It may just have been collected.
                if !self.synced.contains(&path)
                    && let Ok(file) = File::open(&path)
                {
                    file.sync_all()?;
                    changed = true;
                }
                present.insert(path);
            }
            if changed {
                File::open(&folder)?.sync_all()?;
            }
        }
        self.synced = present;
        Ok(())
    }
}

/// `FOLDER.what`
fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

fn is_lock(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

fn key(tree: Tree, key: &str) -> Vec<u8> {
    format!("{}/{key}", tree.name()).into_bytes()
}

impl Store for SledStore {
    fn get(&self, tree: Tree, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(key(tree, name))?.map(|v| v.to_vec()))
    }

    fn all(&self, tree: Tree) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let prefix = key(tree, "");
        let mut records = Vec::new();
        for item in self.db.scan_prefix(&prefix) {
            let (name, value) = item?;
            let name = name.get(prefix.len()..).unwrap_or_default();
            records.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        }
        Ok(records)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for change in changes {
            match change {
                Change::Put(tree, name, value) => batch.insert(key(*tree, name), value.as_slice()),
                Change::Delete(tree, name) => batch.remove(key(*tree, name)),
            }
        }
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(self.sync_files()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_applied_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("db");
        let mut store = SledStore::open(&folder, 1).unwrap().store;
        store.apply(&[Change::Put(Tree::Trust, "a".into(), b"1".to_vec())]).unwrap();
        store.apply(&[Change::Put(Tree::Meta, "a".into(), vec![7; 2_000_000])]).unwrap();
        store.sync().unwrap();
        drop(store);
        let opened = SledStore::open(&folder, 2).unwrap();
        assert!(opened.set_aside.is_none());
        assert_eq!(opened.store.all(Tree::Trust).unwrap(), [("a".to_owned(), b"1".to_vec())]);
        assert_eq!(opened.store.get(Tree::Meta, "a").unwrap().unwrap().len(), 2_000_000);
        assert_eq!(opened.store.get(Tree::Trust, "b").unwrap(), None);
    }

    #[test]
    fn a_database_that_cannot_be_read_is_set_aside_not_deleted() {
        for conf in [&b"this is not a configuration"[..], b"torn", b""] {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("db");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("conf"), conf).unwrap();
            std::fs::write(folder.join("db"), b"precious").unwrap();
            let opened = SledStore::open(&folder, 42).unwrap();
            let aside = opened.set_aside.unwrap();
            assert_eq!(aside, dir.path().join("db.unreadable-42"));
            assert_eq!(std::fs::read(aside.join("db")).unwrap(), b"precious");
            assert!(opened.store.all(Tree::Transfers).unwrap().is_empty());
        }
    }

    #[test]
    fn what_sled_would_write_over_is_kept_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("db");
        let mut store = SledStore::open(&folder, 1).unwrap().store;
        store.apply(&[Change::Put(Tree::Trust, "a".into(), b"1".to_vec())]).unwrap();
        store.apply(&[Change::Put(Tree::Meta, "large".into(), vec![7; 2_000_000])]).unwrap();
        drop(store);
        let garbage = vec![0xa5; 100_000];
        std::fs::write(folder.join("db"), &garbage).unwrap();
        let opened = SledStore::open(&folder, 2).unwrap();
        let aside = opened.set_aside.unwrap();
        assert_eq!(std::fs::read(aside.join("db")).unwrap(), garbage);
        assert!(aside.join("blobs").read_dir().unwrap().next().is_some());
        drop(opened.store);
        assert!(SledStore::open(&folder, 3).unwrap().set_aside.is_none());
        assert_eq!(dir.path().read_dir().unwrap().count(), 2, "no copies are left about");
    }

    #[test]
    fn a_torn_end_of_the_log_costs_nothing_that_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("db");
        let mut store = SledStore::open(&folder, 1).unwrap().store;
        store.apply(&[Change::Put(Tree::Trust, "a".into(), b"1".to_vec())]).unwrap();
        store.sync().unwrap();
        // As after a kill: the files are copied while the database is open.
        let copy = dir.path().join("copy");
        std::fs::create_dir_all(copy.join("blobs")).unwrap();
        for name in ["conf", "db"] {
            std::fs::copy(folder.join(name), copy.join(name)).unwrap();
        }
        let opened = SledStore::open(&copy, 2).unwrap();
        assert!(opened.set_aside.is_none());
        assert_eq!(opened.store.get(Tree::Trust, "a").unwrap().unwrap(), b"1");
    }

    #[test]
    fn a_database_in_use_is_left_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("db");
        let _first = SledStore::open(&folder, 1).unwrap();
        assert!(matches!(SledStore::open(&folder, 2), Err(StoreError::InUse(_))));
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }
}
