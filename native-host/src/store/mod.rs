//! The agent's database: a narrow trait, one implementation on `sled`, one in memory for tests.
//!
//! **Durability.** [`Store::apply`] returns when the change survives a kill of this process; [`Store::sync`] when everything
//! applied so far survives a power cut. The core calls both before it acknowledges anything about the queue, trust or
//! secrets; progress of a running transfer is only applied.

mod memory;
mod record;
mod safety;
mod sled_store;
pub mod snapshot;

pub use memory::MemoryStore;
pub use record::{decode, encode};
pub use sled_store::{Opened, SledStore};

use std::path::PathBuf;

/// What kind of record; the first part of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// What each transfer shall do, by uuid; written seldom.
    Transfers,
    /// Where each transfer stands, by uuid.
    States,
    /// Removed transfers, by uuid.
    Tombstones,
    /// Trust decisions, by pattern.
    Trust,
    /// Confirmed certificates, by server.
    Pins,
    /// Saved passwords without the secret, by server and user.
    Passwords,
    /// Sealed secrets, by record name.
    Secrets,
    /// How the last transfers went, by uuid.
    Histories,
    /// What the policies of browsers say, by browser profile.
    Policies,
    /// Names of encrypted files that completed downloads brought, by uuid.
    Encrypted,
    /// Counters.
    Meta,
}

impl Tree {
    /// All trees.
    pub const ALL: [Self; 11] = [
        Self::Transfers,
        Self::States,
        Self::Tombstones,
        Self::Trust,
        Self::Pins,
        Self::Passwords,
        Self::Secrets,
        Self::Histories,
        Self::Policies,
        Self::Encrypted,
        Self::Meta,
    ];

    /// Its name in keys and exports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::States => "states",
            Self::Tombstones => "tombstones",
            Self::Trust => "trust",
            Self::Pins => "pins",
            Self::Passwords => "passwords",
            Self::Secrets => "secrets",
            Self::Histories => "histories",
            Self::Policies => "policies",
            Self::Encrypted => "encrypted",
            Self::Meta => "meta",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write a record.
    Put(Tree, String, Vec<u8>),
    /// Delete a record; none there is no error.
    Delete(Tree, String),
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database engine.
    #[error("the database failed: {0}")]
    Engine(#[from] sled::Error),
    /// The files.
    #[error("the database's files cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// Another process has it open.
    #[error("the database {0} is in use by another process")]
    InUse(PathBuf),
    /// A record that this build cannot read.
    #[error("a record of the database cannot be read: {0}")]
    Record(String),
}

/// Keys and records. One process, one writer.
pub trait Store: Send {
    /// The record, if there is one.
    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// All records of a tree, by key.
    fn all(&self, tree: Tree) -> Result<Vec<(String, Vec<u8>)>, StoreError>;
    /// All changes or none, safe from a kill when this returns.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;
    /// What was applied is safe from a power cut when this returns.
    fn sync(&mut self) -> Result<(), StoreError>;
}
