//! Passwords and tokens, sealed before they reach the database.
//!
//! XChaCha20-Poly1305 with a random nonce; the record's name is associated data, so that a ciphertext moved to another
//! record does not open. The key lives in a [`KeyStore`]: the desktop's key ring, or a file where there is none. Plain texts
//! are wiped after use.
//!
//! **Keys move, ciphertexts stay.** A key that was made while the key ring was away is added to the ring when it is back;
//! nothing is sealed anew, so that a copy of the database of any age can still be opened, and no step can lose a secret.
//!
//! **Must not know** what the secrets are for.

mod desktop;
mod keys;

pub use desktop::{DesktopKeyStore, UNLOCK_LIMIT};
pub use keys::{FileKeyStore, Key, KeyPlaces, KeyStore, Keys};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use godwit_protocol::prefs::KeyPlace;
use godwit_protocol::ui::Notice;
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
    /// The key ring: it is absent, locked, or does not answer.
    #[error("{0}")]
    KeyRing(String),
    /// Not sealed with a key at hand, not under this name, or damaged.
    #[error("a stored password cannot be opened with the keys that are at hand")]
    Sealed,
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, SecretError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| SecretError::Random)?;
    Ok(bytes)
}

/// Seals with one key and opens with every key at hand.
pub struct Vault {
    first: XChaCha20Poly1305,
    others: Vec<XChaCha20Poly1305>,
    place: KeyPlace,
    why: Option<String>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault with these keys.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let cipher = |key: &Key| XChaCha20Poly1305::new(key.as_slice().into());
        let others = keys.others.iter().map(cipher).collect();
        Self { first: cipher(&keys.first), others, place: keys.place, why: keys.why.clone() }
    }

    /// Where the key is.
    #[must_use]
    pub fn place(&self) -> KeyPlace {
        self.place
    }

    /// Why it is not in the key ring although the user wants that.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// What the user should know of the key.
    #[must_use]
    pub fn notice(&self) -> Notice {
        match (self.place, &self.why) {
            (KeyPlace::Desktop, _) => {
                Notice::new("key-ring", [], "Passwords are sealed with a key in your desktop's key ring.")
            }
            (KeyPlace::File, None) => {
                Notice::new("key-file", [], "Passwords are sealed with a key file of yours (mode 0600).")
            }
            (KeyPlace::File, Some(why)) => {
                let text = format!(
                    "Passwords are sealed with a key file of yours (mode 0600), because {why}. Those that were sealed with \
                     a key in the key ring can be used when it is back."
                );
                Notice::new("key-file-because", [why.clone()], text)
            }
        }
    }

    /// Seals `plain` for the record `name`.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        let sealed =
            self.first.encrypt(XNonce::from_slice(nonce.as_slice()), payload).map_err(|_| SecretError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the record `name`.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(SecretError::Sealed)?;
        let nonce = XNonce::from_slice(nonce);
        let open = |key: &XChaCha20Poly1305| {
            let payload = Payload { msg: sealed, aad: name.as_bytes() };
            key.decrypt(nonce, payload).ok()
        };
        let opened = std::iter::once(&self.first).chain(&self.others).find_map(open);
        opened.map(Zeroizing::new).ok_or(SecretError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn vault(dir: &std::path::Path) -> Vault {
        Vault::new(&KeyPlaces { file: dir.join("keys/key"), desktop: None }.settle().unwrap())
    }

    #[test]
    fn a_sealed_secret_opens_only_unchanged_under_its_own_name_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let ours = vault(dir.path());
        let sealed = ours.seal("transfer/1", b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(vault(dir.path()).unseal("transfer/1", &sealed).unwrap().as_slice(), b"hunter2");
        assert!(ours.unseal("transfer/2", &sealed).is_err());
        assert!(ours.unseal("transfer/1", &sealed[..10]).is_err());
        let mut bent = sealed.clone();
        bent[30] ^= 1;
        assert!(ours.unseal("transfer/1", &bent).is_err());
        assert!(vault(&dir.path().join("other")).unseal("transfer/1", &sealed).is_err());
        assert_ne!(ours.seal("transfer/1", b"hunter2").unwrap(), sealed, "a nonce is never used twice");
    }
}
