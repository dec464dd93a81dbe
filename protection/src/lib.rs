//! Encryption at rest: files in the [age](https://c2sp.org/age) format with a passphrase, which any `age` tool opens.
//!
//! A sender reads a file through a [`Sealed`] view of it: the bytes of the encrypted file at any offset, made when they are
//! asked for. So what is sent in units, over several connections, and again after a break, is the same encrypted file each
//! time, and nothing of it lies on the sender's disk.
//!
//! # What is secret, and why no key stream is used twice
//!
//! One derivation (scrypt) for each [`Sealer`], that is for each attempt of a transfer, not for each file: at half a second
//! each, ten thousand files would need an hour and more. All files of a transfer carry the same header, and with it the same file
//! key; each has a nonce of its own, from which (HKDF) it gets a payload key of its own. The nonce follows from what the file is
//! (transfer, path, device, inode, size, times), so a later attempt continues the same encrypted file; one that changed
//! is another file, and shares no key with it.
//!
//! The format asks for a new file key for each file. What that guards against is one payload key for two contents; the nonces
//! do that here. What it would give beyond: who is handed the key of one file (not the passphrase) could open that file only.

mod open;
mod seal;

pub use open::{OpenError, Opener};
pub use seal::{Sealed, Sealer};

/// What the name of an encrypted file ends with.
pub const SUFFIX: &str = godwit_protocol::worker::ENCRYPTED_SUFFIX;
/// What the content of an encrypted file begins with.
pub const MAGIC: &[u8] = b"age-encryption.org/v1
";

/// Content of a chunk, bytes.
const CHUNK: usize = 64 * 1024;
/// What a chunk has beyond its content, bytes.
const TAG: usize = 16;
/// Bytes of a nonce of a payload.
const NONCE: usize = 16;
/// Logarithm of the work of one derivation: 0.3 s and 128 MiB.
const WORK: u8 = 17;
/// Most work that a file may ask of who opens it: some seconds and 1 GiB.
const MOST_WORK: u8 = 20;
