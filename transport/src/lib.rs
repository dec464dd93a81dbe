//! Moving bytes: QUIC sessions between a worker and a server, rate control, units, journal, integrity.
//!
//! **Purpose.** One session code for both ends: whoever opened the connection, one side is the *sender* (scans, reads,
//! hashes, serves) and the other the *receiver* (plans, asks, verifies, writes, journals). The messages are specified in
//! [`godwit_protocol::wire`]; the settings and their reasons are in the project's transport reference.
//!
//! **Must not know:** browsers, pages, queues, retries, users' preferences, how a server keeps its users.

mod allot;
mod answer;
mod blame;
mod book;
mod checkpoint;
mod ciphers;
pub mod client;
mod connect;
mod control;
mod direct;
mod disk;
mod doubts;
mod endpoint;
pub mod error;
mod failure;
mod flush;
mod folders;
mod group;
mod handles;
pub mod hash;
mod heard;
mod holders;
pub mod identity;
mod intake;
mod join;
pub mod journal;
mod land;
mod lines;
mod meter;
mod names;
mod partial;
pub mod places;
mod plan;
mod pool;
pub mod protect;
mod quiet;
mod ranges;
pub mod rate;
mod ration;
pub mod reach;
mod read;
mod receiver;
mod replace;
mod report;
mod resume;
pub mod root;
pub mod rules;
mod scan;
mod segment;
mod sender;
mod serve;
pub mod server;
mod sessions;
mod socket;
mod state;
mod tidy;
pub mod unlock;
mod watch;
mod windows;

pub use error::TransportError;
pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
