//! What the catalogue holds.

use crate::config::{ContentProtection, UserConfig};
use crate::quota::ByteCount;
use crate::rights::Rights;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A user made by command.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUser {
    /// Name.
    pub name: String,
    /// The same keys as in the configuration file.
    pub config: UserConfig,
}

/// An access key: a second way in, bound to a folder of its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Id; shares one name space with users.
    pub id: String,
    /// The user whose docroot and limits hold. Without him the key is worth nothing.
    pub owner: String,
    /// Argon2id of the secret, PHC form.
    pub secret_hash: String,
    /// Folder in the owner's root that is this key's root; empty: all of it.
    pub path: String,
    /// At most these, and never more than the owner's.
    pub rights: Rights,
    /// PEM of the RSA public key that bearer tokens are signed for.
    #[serde(default)]
    pub verification_key: Option<String>,
    /// Free text.
    #[serde(default)]
    pub name: String,
    /// What the client gave as `configuration`; only kept.
    #[serde(default)]
    pub configuration: Value,
    /// Uploads end when so many bytes lie in the key's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<ByteCount>,
    /// `required`: only encrypted files come in with this key.
    #[serde(default, skip_serializing_if = "ContentProtection::is_optional")]
    pub content_protection: ContentProtection,
    /// When it was made, unix seconds.
    pub created: u64,
}

/// A token made by command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its id.
    pub id: String,
    /// For whom.
    pub user: String,
    /// `send`, `receive` or `both`.
    pub direction: String,
    /// What it opens.
    pub paths: Vec<String>,
    /// First second at which it is worth nothing.
    pub expires: u64,
    /// Revoked before its time.
    #[serde(default)]
    pub revoked: bool,
}

/// Number of a file or folder that stays when it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub i64);

/// What makes an object the same one under another name: a number that comes back after deletion is told apart by the
/// time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// Birth, nanoseconds since the Unix epoch; 0 where the file system does not tell.
    pub birth_ns: i64,
}

/// Something that was seen at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In its tree, without leading slash.
    pub path: String,
    /// What is there.
    pub identity: Identity,
}

/// Where an id leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which tree.
    pub tree: String,
    /// Where in it.
    pub path: String,
}

/// Rights of a user or group of a web application at a file id of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Number; 0 for one to be made.
    pub id: i64,
    /// The key.
    pub key: String,
    /// At which file or folder.
    pub file: FileId,
    /// `user` or `group`.
    pub access_type: String,
    /// The web application's id of that user or group.
    pub access_id: String,
    /// Of `delete`, `list`, `mkdir`, `preview`, `read`, `rename`, `write`.
    pub levels: Vec<String>,
    /// Unix seconds.
    pub created: u64,
}

/// A transfer that this server takes or took part in.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferRecord {
    /// Id.
    pub id: String,
    /// User or key.
    pub owner: String,
    /// `waiting`, `running`, `completed`, `failed`, `partially_completed`.
    pub status: String,
    /// When it started, µs since the Unix epoch.
    pub start_usec: i64,
    /// The object as the API shows it, without secrets.
    pub body: Value,
}

/// Which transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferQuery {
    /// Whose.
    pub owner: String,
    /// Waiting or running ones only.
    pub active_only: bool,
    /// Only those that started before this one (µs and id), for paging.
    pub before: Option<(i64, String)>,
    /// At most.
    pub count: usize,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Number; 0 for a new one.
    pub id: i64,
    /// User or key.
    pub owner: String,
    /// Unix seconds.
    pub at: u64,
    /// Dotted word, such as `file.deleted`.
    pub kind: String,
    /// More.
    pub body: Value,
}
