//! Where keys are kept, and which place is used: the key ring before the file, and never a key lost between them.

use super::{DesktopKeyStore, KEY, SecretError, random};
use crate::settings::replace_file;
use godwit_protocol::prefs::KeyPlace;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// A key; wiped when dropped.
pub type Key = Zeroizing<[u8; KEY]>;

/// A place that keeps keys.
pub trait KeyStore {
    /// All that it keeps; the first is the one to seal with.
    fn keys(&self) -> Result<Vec<Key>, SecretError>;
    /// Keeps one more. When this returns, [`Self::keys`] has given it back.
    fn keep(&self, key: &Key) -> Result<(), SecretError>;
}

/// A file for one key, mode 0600, in a folder of mode 0700.
#[derive(Clone, Debug)]
pub struct FileKeyStore {
    /// The file.
    pub path: PathBuf,
}

impl FileKeyStore {
    fn failed(&self, error: &io::Error) -> SecretError {
        SecretError::Key(format!("{}: {error}", self.path.display()))
    }

    /// Deletes the file: its key is kept elsewhere.
    fn discard(&self) -> Result<(), SecretError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }
}

impl KeyStore for FileKeyStore {
    fn keys(&self) -> Result<Vec<Key>, SecretError> {
        let wrong = |why: &str| self.failed(&io::Error::other(why));
        match std::fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed(&error)),
            Ok(meta) if !meta.is_file() || meta.mode() & 0o077 != 0 => {
                Err(wrong("others may read it; set its mode to 0600 or delete it"))
            }
            Ok(_) => {
                let bytes = Zeroizing::new(std::fs::read(&self.path).map_err(|e| self.failed(&e))?);
                let key = bytes.as_slice().try_into().map_err(|_| wrong("it has the wrong length"))?;
                Ok(vec![Zeroizing::new(key)])
            }
        }
    }

    fn keep(&self, key: &Key) -> Result<(), SecretError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        crate::home::create_private(folder).map_err(|e| self.failed(&e))?;
        replace_file(&self.path, key.as_slice()).map_err(|e| self.failed(&e))
    }
}

/// The keys at hand.
pub struct Keys {
    /// Seals.
    pub first: Key,
    /// Open what they sealed once.
    pub others: Vec<Key>,
    /// Where `first` is kept.
    pub place: KeyPlace,
    /// Why it is not kept in the key ring although the user wants that.
    pub why: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("place", &self.place).field("why", &self.why).finish_non_exhaustive()
    }
}

/// Where the keys of one agent may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlaces {
    /// The key file.
    pub file: PathBuf,
    /// The desktop's key ring is wanted, and gets so long for each conversation.
    pub desktop: Option<Duration>,
}

impl KeyPlaces {
    /// Gets the keys, and makes the first one. Takes no longer than the key ring's time limits.
    pub fn settle(&self) -> Result<Keys, SecretError> {
        let file = FileKeyStore { path: self.file.clone() };
        match self.desktop {
            Some(limit) => settle(&DesktopKeyStore { limit }, &file),
            None => settle_file(&file, None),
        }
    }

    /// As [`Self::settle`], after the user was asked to unlock the key ring. Takes as long as the user, within
    /// [`UNLOCK_LIMIT`](super::UNLOCK_LIMIT).
    pub fn unlock(&self) -> Result<Keys, SecretError> {
        if let Some(limit) = self.desktop {
            DesktopKeyStore { limit }.unlock()?;
        }
        self.settle()
    }
}

/// The key ring if it can be had, the file otherwise. A key in the file moves to the ring: the file goes only after the ring
/// has given the key back.
fn settle(ring: &dyn KeyStore, file: &FileKeyStore) -> Result<Keys, SecretError> {
    let mut kept = match ring.keys() {
        Ok(kept) => kept,
        Err(error) => return settle_file(file, Some(error.to_string())),
    };
    let old = file.keys()?.into_iter().next();
    let wanted = match &old {
        Some(old) if !kept.contains(old) => Some(old.clone()),
        None if kept.is_empty() => Some(random::<KEY>()?),
        _ => None,
    };
    if let Some(key) = wanted {
        if let Err(error) = ring.keep(&key) {
            let mut keys = settle_file(file, Some(error.to_string()))?;
            keys.others = kept;
            return Ok(keys);
        }
        kept.push(key);
    }
    if old.is_some() {
        file.discard()?;
    }
    let first = kept.remove(0);
    Ok(Keys { first, others: kept, place: KeyPlace::Desktop, why: None })
}

fn settle_file(file: &FileKeyStore, why: Option<String>) -> Result<Keys, SecretError> {
    let first = match file.keys()?.into_iter().next() {
        Some(key) => key,
        None => {
            let key = random::<KEY>()?;
            file.keep(&key)?;
            key
        }
    };
    Ok(Keys { first, others: Vec::new(), place: KeyPlace::File, why })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::secrets::Vault;
    use std::cell::{Cell, RefCell};
    use std::os::unix::fs::PermissionsExt;

    #[derive(Default)]
    struct Ring {
        keys: RefCell<Vec<Key>>,
        away: Cell<bool>,
        full: Cell<bool>,
    }

    impl KeyStore for Ring {
        fn keys(&self) -> Result<Vec<Key>, SecretError> {
            let away = SecretError::KeyRing("it is away".into());
            if self.away.get() { Err(away) } else { Ok(self.keys.borrow().clone()) }
        }
        fn keep(&self, key: &Key) -> Result<(), SecretError> {
            if self.full.get() {
                return Err(SecretError::KeyRing("it is full".into()));
            }
            self.keys.borrow_mut().push(key.clone());
            Ok(())
        }
    }

    fn file(dir: &Path) -> FileKeyStore {
        FileKeyStore { path: dir.join("keys/key") }
    }

    #[test]
    fn the_key_file_is_private_and_one_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        let first = settle_file(&file, None).unwrap().first;
        assert_eq!(first, settle_file(&file, None).unwrap().first);
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(file.path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(file.keys().is_err());
        assert!(settle(&Ring::default(), &file).is_err(), "nor is another one made in its place");
    }

    #[test]
    fn with_a_key_ring_no_key_touches_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, file) = (Ring::default(), file(dir.path()));
        let keys = settle(&ring, &file).unwrap();
        assert_eq!(keys.place, KeyPlace::Desktop);
        assert!(!file.path.exists());
        assert_eq!(settle(&ring, &file).unwrap().first, keys.first);
    }

    #[test]
    fn a_key_from_the_file_moves_into_the_ring_and_the_file_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, file) = (Ring::default(), file(dir.path()));
        let sealed = Vault::new(&settle_file(&file, None).unwrap()).seal("a", b"x").unwrap();
        let keys = settle(&ring, &file).unwrap();
        assert_eq!((keys.place, file.path.exists()), (KeyPlace::Desktop, false));
        assert!(Vault::new(&keys).unseal("a", &sealed).is_ok());
    }

    #[test]
    fn a_ring_that_keeps_nothing_leaves_the_file_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, file) = (Ring::default(), file(dir.path()));
        let first = settle_file(&file, None).unwrap().first;
        ring.full.set(true);
        let keys = settle(&ring, &file).unwrap();
        assert_eq!((keys.place, &keys.first), (KeyPlace::File, &first));
        assert!(file.path.exists() && keys.why.unwrap().contains("full"));
    }

    #[test]
    fn whatever_was_sealed_while_the_ring_came_and_went_opens_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (ring, file) = (Ring::default(), file(dir.path()));
        let mut sealed = Vec::new();
        for round in 0..6 {
            ring.away.set(round % 2 == 1);
            let vault = Vault::new(&settle(&ring, &file).unwrap());
            sealed.push(vault.seal("a", b"x").unwrap());
            if round == 1 {
                assert!(vault.unseal("a", &sealed[0]).is_err(), "without the ring its key is not at hand");
                assert!(vault.notice().text.contains("because it is away"), "{:?}", vault.notice());
            }
        }
        ring.away.set(false);
        let vault = Vault::new(&settle(&ring, &file).unwrap());
        assert!(sealed.iter().all(|s| vault.unseal("a", s).is_ok()));
        assert!(!file.path.exists());
    }
}
