//! The catalogue: what the server must remember about users, access keys, tokens, files' ids, permissions, transfers and
//! events. One trait; [`Sqlite`] for one machine. A database shared by several nodes would be a second implementation.
//!
//! **Durability.** Users, keys, tokens and permissions survive a power cut once a call returns. Ids and events survive a
//! kill; what a permission names is made durable with it.
//!
//! Calls block (a disk is behind them): not for async threads. It knows nothing of rights or of what a path means.

mod calls;
mod ids;
mod keys;
mod people;
mod records;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;
mod transfers;

pub use records::{
    AccessKey, Event, FileId, Found, Identity, Permission, Placed, StoredUser, TokenRecord, TransferQuery,
    TransferRecord,
};
pub use sqlite::Sqlite;

use std::path::PathBuf;

/// Name of the database in the state folder.
pub const FILE: &str = "catalogue.db";

/// Why the catalogue failed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The engine.
    #[error("the catalogue failed: {0}")]
    Engine(#[from] rusqlite::Error),
    /// The files.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a catalogue, or damaged.
    #[error(
        "{path} is damaged ({reason}). Nothing was changed. Restore it from a backup, or move it away to begin with an \
         empty catalogue (users and keys made by command are lost, files are not)"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The database is gone and its log is there.
    #[error(
        "{path} is not there, but its log is ({log}). Nothing was changed. Restore both from a backup, or move the log away too to \
         begin with an empty catalogue (users and keys made by command are lost, files are not)"
    )]
    Orphaned {
        /// What is missing.
        path: PathBuf,
        /// What is there.
        log: PathBuf,
    },
    /// Written by a later build.
    #[error(
        "{path} has schema {found}, this build knows {known}: use the newer build, or restore the backup of before"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What it has.
        found: i64,
        /// What we know.
        known: i64,
    },
    /// On a network file system, where its locks and shared memory do not work.
    #[error("{0} lies on a network file system, which cannot hold the catalogue: give a local folder with --state")]
    Network(PathBuf),
    /// A name is taken.
    #[error("'{0}' exists already")]
    Exists(String),
    /// A record that this build cannot read.
    #[error("a record of the catalogue cannot be read: {0}")]
    Record(String),
    /// More than may be kept.
    #[error("the catalogue takes no more {0}")]
    Full(&'static str),
}

/// Result of the catalogue.
pub type Result<T> = std::result::Result<T, CatalogueError>;

/// What the server remembers.
pub trait Catalogue: Send + Sync {
    /// A user made by command.
    fn user(&self, name: &str) -> Result<Option<StoredUser>>;
    /// All of them, by name.
    fn users(&self) -> Result<Vec<StoredUser>>;
    /// Makes a user; a name taken by a user or a key is an error unless `replace`.
    fn put_user(&self, user: &StoredUser, replace: bool) -> Result<()>;
    /// Removes one with all access keys; false if there was none.
    fn remove_user(&self, name: &str) -> Result<bool>;

    /// An access key.
    fn key(&self, id: &str) -> Result<Option<AccessKey>>;
    /// The keys of an owner, or all, by id.
    fn keys(&self, owner: Option<&str>) -> Result<Vec<AccessKey>>;
    /// Makes a key; an id taken by a user or a key is an error unless `replace`.
    fn put_key(&self, key: &AccessKey, replace: bool) -> Result<()>;
    /// Removes one with its permissions; false if there was none.
    fn remove_key(&self, id: &str) -> Result<bool>;

    /// Writes down a token made by command, so that it can be listed.
    fn put_token(&self, token: &TokenRecord) -> Result<()>;
    /// All that have not expired at `now`.
    fn tokens(&self, now: u64) -> Result<Vec<TokenRecord>>;
    /// From now on the token of this id is worth nothing; `until` is when it would have expired anyway.
    fn revoke(&self, id: &str, until: u64) -> Result<()>;
    /// Whether it was revoked.
    fn is_revoked(&self, id: &str) -> Result<bool>;

    /// Ids of what lies in a tree, made where there are none. The same object keeps its id when it is moved or its
    /// content replaced.
    fn ids(&self, tree: &str, found: &[Found]) -> Result<Vec<FileId>>;
    /// Where the object of an id was seen last.
    fn place(&self, id: FileId) -> Result<Option<Placed>>;
    /// An object and everything below it got another path.
    fn moved(&self, tree: &str, from: &str, to: &str) -> Result<()>;
    /// An object and everything below it is gone.
    fn removed(&self, tree: &str, path: &str) -> Result<()>;

    /// Makes a permission, or replaces the one of its number.
    fn put_permission(&self, permission: &Permission) -> Result<i64>;
    /// One permission of a key.
    fn permission(&self, key: &str, id: i64) -> Result<Option<Permission>>;
    /// All permissions of a key, by number.
    fn permissions(&self, key: &str) -> Result<Vec<Permission>>;
    /// Removes one; false if there was none.
    fn remove_permission(&self, key: &str, id: i64) -> Result<bool>;

    /// Makes or replaces a transfer's record; `durable`: survives a power cut too.
    fn put_transfer(&self, transfer: &TransferRecord, durable: bool) -> Result<()>;
    /// One transfer of an owner.
    fn transfer(&self, owner: &str, id: &str) -> Result<Option<TransferRecord>>;
    /// Transfers of an owner, newest first.
    fn transfers(&self, query: &TransferQuery) -> Result<Vec<TransferRecord>>;
    /// Those under way when the server ended become failed ones; their number.
    fn close_transfers(&self, now_usec: i64, why: &str) -> Result<usize>;

    /// Writes an event down.
    fn add_event(&self, event: &Event) -> Result<()>;
    /// Events of an owner after a number, oldest first.
    fn events(&self, owner: &str, after: i64, count: usize) -> Result<Vec<Event>>;
}
