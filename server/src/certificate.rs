//! The server's certificate: given by the administrator, or self-signed, made once and kept.
//!
//! Clients know a self-signed certificate by its fingerprint, so it must never change by itself: it is made when the
//! state folder has none, lies in one file with its key, and does not expire within any server's life.

use crate::state::{StateDir, StateError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// Name of the file in the state folder.
const FILE: &str = "certificate.pem";

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The state folder failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file could not be read as PEM.
    #[error("{path} holds no usable {what} (PEM expected): {reason}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The self-signed certificate could not be made.
    #[error("the self-signed certificate could not be made: {0}")]
    Generate(#[from] rcgen::Error),
}

/// A certificate chain and its private key.
#[derive(Debug)]
pub struct Identity {
    /// The server's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first one.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    /// Reads the administrator's files; both may be the same.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let read = |path: &Path| std::fs::read(path).map_err(|source| StateError::Io { path: path.to_owned(), source });
        Self::parse(certificate, &read(certificate)?, key, &read(key)?)
    }

    /// Reads the kept certificate, or makes and keeps one.
    pub fn load_or_make(state: &StateDir) -> Result<Self, CertificateError> {
        let bytes = state.load_or_make(FILE, make)?;
        let path = state.path().join(FILE);
        Self::parse(&path, &bytes, &path, &bytes)
    }

    fn parse(
        certificate_path: &Path,
        certificate: &[u8],
        key_path: &Path,
        key: &[u8],
    ) -> Result<Self, CertificateError> {
        let error = |path: &Path, what, reason: String| CertificateError::Pem { path: path.to_owned(), what, reason };
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| error(certificate_path, "certificate", e.to_string()))?;
        if chain.is_empty() {
            return Err(error(certificate_path, "certificate", "none found".into()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| error(key_path, "private key", e.to_string()))?;
        Ok(Self { chain, key })
    }
}

/// A new self-signed certificate and its key, as one PEM text.
fn make() -> Result<Vec<u8>, CertificateError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if !host.is_empty() && !names.contains(&host) && host.is_ascii() {
        names.push(host);
    }
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Godwit transfer server");
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()).into_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_self_signed_certificate_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let first = Identity::load_or_make(&state).unwrap();
        let second = Identity::load_or_make(&state).unwrap();
        assert_eq!(first.chain, second.chain);
        assert_eq!(first.chain.len(), 1);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(FILE), "nonsense").unwrap();
        let error = Identity::load_or_make(&state).unwrap_err().to_string();
        assert!(error.contains("certificate.pem"), "{error}");
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), b"nonsense");
    }
}
