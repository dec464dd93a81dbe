//! Moving bytes: QUIC sessions between a worker and a server, rate control, units, journal, integrity.
//!
//! **Purpose.** One session code for both ends: whoever opened the connection, one side is the *sender* (scans, reads,
//! hashes, serves) and the other the *receiver* (plans, asks, verifies, writes, journals). The messages are specified in
//! [`godwit_protocol::wire`]; the settings and their reasons are in the project's transport reference.
//!
//! **Must not know:** browsers, pages, queues, retries, users' preferences, how a server keeps its users.

pub mod client;
pub mod error;
pub mod identity;
pub mod root;
pub mod server;

pub use error::TransportError;
pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
