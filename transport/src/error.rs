//! What can go wrong when an end of the transport is set up. Failures of a session are [`Failure`]s instead, because
//! they cross the wire and reach the user with the predecessor's numbers.
//!
//! [`Failure`]: godwit_protocol::worker::Failure

use std::io;
use std::net::SocketAddr;

/// Why an endpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The UDP port cannot be had.
    #[error("UDP {address} cannot be opened: {source}. Is another server running there?")]
    Bind {
        /// What was wanted.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// A fingerprint that is none.
    #[error("'{0}' is not a certificate fingerprint: write SHA256: followed by 64 hexadecimal digits")]
    Fingerprint(String),
    /// A folder that cannot be opened.
    #[error("{path} cannot be opened as a folder: {source}")]
    Root {
        /// The folder.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Something of the operating system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
