//! Where files lie: the [`Storage`] trait, one implementation on a local folder ([`Local`]), and the wrapper that checks
//! rights in front of it ([`Guarded`]), which is all that handlers ever get.
//!
//! **What the trait must allow** for stores to come: a file arrives in parts, written in any order by any node, and
//! becomes visible whole in one step ([`Storage::commit`]) or not at all.
//!
//! It knows nothing of users; paths are from the root of the tree it serves.

mod beneath;
mod guard;
mod leftovers;
mod local;
mod select;
#[cfg(test)]
mod tests;
mod usage;
mod walk;

pub use guard::Guarded;
pub use local::Local;
pub use select::{Filter, Sort, SortBy};

use crate::catalogue::Identity;
use crate::node_path::NodePath;
use crate::quota::{Full, Measure};
use crate::rights::Right;
use async_trait::async_trait;
use bytes::Bytes;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::ENCRYPTED_ONLY;
use godwit_transport::root::Root;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Names that end so are files on their way.
pub const PARTIAL: &str = ".partial";

/// Why storage refused or failed. Texts are for clients: no path of the server's own is in them.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Nothing there.
    #[error("'{0}' does not exist")]
    NotFound(NodePath),
    /// Something is there already.
    #[error("'{0}' exists already")]
    Exists(NodePath),
    /// A folder was needed.
    #[error("'{0}' is not a folder")]
    NotFolder(NodePath),
    /// A file was needed.
    #[error("'{0}' is a folder")]
    IsFolder(NodePath),
    /// Device, pipe, socket.
    #[error("'{0}' is not a regular file")]
    NotRegular(NodePath),
    /// A link is there, or on the way there.
    #[error("'{0}': links are not followed")]
    Link(NodePath),
    /// The caller lacks a right.
    #[error("no {} permission for '{path}'", .right.name())]
    Denied {
        /// Where.
        path: NodePath,
        /// Which.
        right: Right,
    },
    /// The root itself cannot be deleted, renamed or written.
    #[error("this cannot be done with the root folder")]
    Root,
    /// A folder into itself.
    #[error("'{0}' cannot be moved into itself")]
    IntoItself(NodePath),
    /// A name or path too long, or not a name.
    #[error("'{0}' cannot be a name here")]
    Name(String),
    /// Part of an upload outside of its size, or an unknown upload.
    #[error("the part does not belong to the file")]
    Part,
    /// The system refused or failed.
    #[error("'{path}': {}", ErrorCode::from_io(.source, true).text())]
    Io {
        /// Where.
        path: NodePath,
        /// Why.
        source: io::Error,
    },
    /// Not encrypted, where only encrypted files come in.
    #[error("'{0}': {why}", why = ENCRYPTED_ONLY)]
    Plain(NodePath),
    /// A quota is used up.
    #[error("{0}")]
    Full(Full),
    /// The docroot itself is missing.
    #[error("the server's administrator must look at this docroot")]
    Unavailable,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Symbolic link; never followed.
    Link,
    /// Device, pipe, socket: shown, never opened.
    Special,
}

/// What is known of an object without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Kind.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch.
    pub mtime_ns: i64,
    /// What stays when it is moved.
    pub identity: Identity,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where, from the caller's root.
    pub path: NodePath,
    /// What.
    pub stat: Stat,
}

/// Part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What was asked for.
    pub items: Vec<Item>,
    /// How many there are in all.
    pub total: usize,
    /// The search ended early because it took too long; there may be more.
    pub incomplete: bool,
}

/// Which part of a listing, in which order.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// So many are left out first.
    pub skip: usize,
    /// At most so many.
    pub count: usize,
    /// Order.
    pub sort: Sort,
    /// Which objects.
    pub filter: Filter,
}

/// Room on the disk under a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// In all, bytes.
    pub total: u64,
    /// Free for us, bytes.
    pub free: u64,
}

/// A file being read.
#[async_trait]
pub trait Content: Send + Sync {
    /// Its size when it was opened.
    fn stat(&self) -> Stat;
    /// Up to `length` bytes from `offset`; nothing at the end.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StorageError>;
}

/// Names an upload under way; texts so that another node can carry on with it.
#[derive(Clone, Debug)]
pub struct UploadId {
    /// Where it shall be.
    pub path: NodePath,
    /// Unguessable.
    pub id: String,
    /// Bytes it shall have.
    pub size: u64,
    /// Kept by the node that began it, so that others see that somebody is at work.
    pub held: Option<Arc<OwnedFd>>,
}

/// What to do with something at the final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Refuse.
    Never,
    /// Replace a file; its name never stands for anything but old or new content.
    File,
}

/// A tree of files. Every call is safe against links and renames by others at the same moment: nothing outside the tree is
/// ever touched.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Looks at an object; a link itself, not what it points to.
    async fn stat(&self, path: &NodePath) -> Result<Stat, StorageError>;
    /// Part of a folder's content.
    async fn list(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError>;
    /// Everything below a folder that fits the filter, by path.
    async fn find(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError>;
    /// Opens a regular file.
    async fn open(&self, path: &NodePath) -> Result<Box<dyn Content>, StorageError>;
    /// Makes one folder; with `parents` those above it too, and an existing one is fine.
    async fn make_folder(&self, path: &NodePath, parents: bool) -> Result<(), StorageError>;
    /// Removes a file, a link, or a folder with everything in it.
    async fn remove(&self, path: &NodePath) -> Result<(), StorageError>;
    /// Gives an object another path; never replaces anything.
    async fn rename(&self, from: &NodePath, to: &NodePath) -> Result<(), StorageError>;
    /// Room under a place.
    async fn space(&self, path: &NodePath) -> Result<Space, StorageError>;

    /// Begins a file of `size` bytes. Nothing is visible under its name until [`Storage::commit`].
    async fn begin(&self, path: &NodePath, size: u64) -> Result<UploadId, StorageError>;
    /// Writes a part at `offset`; parts may come in any order, twice, and from several nodes.
    async fn put_part(&self, upload: &UploadId, offset: u64, part: Bytes) -> Result<(), StorageError>;
    /// Makes the file visible in one step. The caller knows that all parts were put.
    async fn commit(&self, upload: &UploadId, replace: Replace) -> Result<(), StorageError>;
    /// Gives it up; what is there of it goes away.
    async fn abort(&self, upload: &UploadId) -> Result<(), StorageError>;

    /// What finds out how many bytes lie beneath a folder; it blocks.
    fn measure(&self, folder: &NodePath) -> Measure;

    /// The folder for the data endpoint, made if missing.
    async fn data_root(&self, folder: &NodePath) -> Result<Root, StorageError>;
}
