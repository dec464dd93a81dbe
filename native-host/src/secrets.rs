//! Passwords and tokens of queued transfers, sealed before they reach the database.
//!
//! XChaCha20-Poly1305 with a random nonce; the record's name is associated data, so that a ciphertext moved to another
//! record does not open. The key lives in a [`KeyStore`]; plain texts are wiped after use.

use crate::settings::replace_file;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Bytes of the key.
pub const KEY: usize = 32;
const NONCE: usize = 24;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key.
    #[error("the key for stored passwords cannot be used: {0}")]
    Key(String),
    /// Not sealed with this key, not under this name, or damaged.
    #[error("a stored password cannot be opened with the present key")]
    Sealed,
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Where the key is kept. (The desktop's Secret Service is another one.)
pub trait KeyStore {
    /// The key, made on first use.
    fn key(&self) -> Result<Zeroizing<[u8; KEY]>, SecretError>;
}

/// A file, mode 0600, in a folder of mode 0700.
#[derive(Clone, Debug)]
pub struct FileKeyStore {
    /// The file.
    pub path: PathBuf,
}

impl KeyStore for FileKeyStore {
    fn key(&self) -> Result<Zeroizing<[u8; KEY]>, SecretError> {
        let failed = |e: io::Error| SecretError::Key(format!("{}: {e}", self.path.display()));
        if let Some(folder) = self.path.parent() {
            crate::home::create_private(folder).map_err(failed)?;
        }
        match std::fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = random::<KEY>()?;
                replace_file(&self.path, key.as_slice()).map_err(failed)?;
                Ok(Zeroizing::new(*key))
            }
            Err(error) => Err(failed(error)),
            Ok(meta) if !meta.is_file() || meta.mode() & 0o077 != 0 => {
                Err(failed(io::Error::other("others may read it; set its mode to 0600 or delete it")))
            }
            Ok(_) => {
                let bytes = Zeroizing::new(std::fs::read(&self.path).map_err(failed)?);
                let key =
                    bytes.as_slice().try_into().map_err(|_| failed(io::Error::other("it has the wrong length")))?;
                Ok(Zeroizing::new(key))
            }
        }
    }
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, SecretError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| SecretError::Random)?;
    Ok(bytes)
}

/// Seals and opens.
pub struct Vault(XChaCha20Poly1305);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// A vault with the key of `keys`.
    pub fn open(keys: &dyn KeyStore) -> Result<Self, SecretError> {
        Ok(Self(XChaCha20Poly1305::new(keys.key()?.as_slice().into())))
    }

    /// Seals `plain` for the record `name`.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        let sealed = self.0.encrypt(XNonce::from_slice(nonce.as_slice()), payload).map_err(|_| SecretError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the record `name`.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(SecretError::Sealed)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        self.0.decrypt(XNonce::from_slice(nonce), payload).map(Zeroizing::new).map_err(|_| SecretError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_sealed_secret_opens_only_unchanged_under_its_own_name_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys = FileKeyStore { path: dir.path().join("keys/key") };
        let vault = Vault::open(&keys).unwrap();
        let sealed = vault.seal("transfer/1", b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(Vault::open(&keys).unwrap().unseal("transfer/1", &sealed).unwrap().as_slice(), b"hunter2");
        assert!(vault.unseal("transfer/2", &sealed).is_err());
        assert!(vault.unseal("transfer/1", &sealed[..10]).is_err());
        let mut bent = sealed.clone();
        bent[30] ^= 1;
        assert!(vault.unseal("transfer/1", &bent).is_err());
        let other = Vault::open(&FileKeyStore { path: dir.path().join("other/key") }).unwrap();
        assert!(other.unseal("transfer/1", &sealed).is_err());
        assert_ne!(vault.seal("transfer/1", b"hunter2").unwrap(), sealed, "a nonce is never used twice");
    }

    #[test]
    fn the_key_file_is_private_and_one_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let keys = FileKeyStore { path: dir.path().join("keys/key") };
        let first = keys.key().unwrap();
        assert_eq!(first, keys.key().unwrap());
        let mode = |p: &std::path::Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&keys.path), mode(keys.path.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&keys.path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keys.key().is_err());
    }
}
