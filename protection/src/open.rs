//! From an encrypted file to its content.

use crate::MOST_WORK;
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::{ExposeSecret as _, SecretString};
use godwit_protocol::Secret;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Why a file was not opened. What was written so far is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no file in this format, or for keys instead of a passphrase.
    #[error("the file is not encrypted with a passphrase in the age format")]
    NotEncrypted,
    /// Another passphrase is wanted.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// It asks for more work than any honest file.
    #[error("the file asks for so much work that it is refused")]
    TooMuchWork,
    /// Something in it was changed, or its end is missing.
    #[error("the encrypted file is damaged or not complete")]
    Damaged,
    /// It could not be read.
    #[error("{0}")]
    Read(io::Error),
    /// Its content could not be written.
    #[error("{0}")]
    Write(io::Error),
}

/// Opens files with one passphrase; those with the same header at the price of one derivation.
pub struct Opener {
    identity: age::scrypt::Identity,
    known: Mutex<HashMap<Vec<u8>, Zeroizing<[u8; 16]>>>,
}

impl Opener {
    /// With this passphrase.
    #[must_use]
    pub fn new(passphrase: &Secret) -> Self {
        let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.expose().to_owned()));
        identity.set_max_work_factor(MOST_WORK);
        Self { identity, known: Mutex::default() }
    }

    /// Writes the content of the encrypted file `source` to `target`; returns its bytes. Only after a success it is whole.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(&self, source: impl Read, target: &mut impl Write) -> Result<u64, OpenError> {
        let source = io::BufReader::with_capacity(1024 * 1024, source);
        let decryptor = age::Decryptor::new_buffered(source).map_err(refused)?;
        let mut content = decryptor.decrypt(std::iter::once(self as &dyn age::Identity)).map_err(refused)?;
        let mut buffer = vec![0; 256 * 1024];
        let mut total = 0;
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                    return Err(OpenError::Damaged);
                }
                Err(e) => return Err(OpenError::Read(e)),
            };
            target.write_all(buffer.get(..read).unwrap_or_default()).map_err(OpenError::Write)?;
            total += read as u64;
        }
    }
}

impl age::Identity for Opener {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        let mut name = stanza.args.join(" ").into_bytes();
        name.push(b'\n');
        name.extend_from_slice(&stanza.body);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&name) {
            return Some(Ok(FileKey::new(Box::new(**key))));
        }
        let key = match self.identity.unwrap_stanza(stanza)? {
            Ok(key) => key,
            Err(error) => return Some(Err(error)),
        };
        known.insert(name, Zeroizing::new(*key.expose_secret()));
        Some(Ok(key))
    }
}

fn refused(error: age::DecryptError) -> OpenError {
    use age::DecryptError as E;
    match error {
        E::DecryptionFailed | E::KeyDecryptionFailed => OpenError::WrongPassphrase,
        E::ExcessiveWork { .. } => OpenError::TooMuchWork,
        E::InvalidMac => OpenError::Damaged,
        E::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => OpenError::NotEncrypted,
        E::Io(e) => OpenError::Read(e),
        _ => OpenError::NotEncrypted,
    }
}
