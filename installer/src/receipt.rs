//! What an installation made, in the order in which it was made. Written before anything is made, so that a kill leaves
//! nothing that is not in it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The shape of the file.
pub const SCHEMA: u32 = 1;

/// The file beside the versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Of the release that was put in last.
    pub version: String,
    /// Everything outside the root, and the root; in order.
    pub made: Vec<Made>,
}

/// One thing that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What it is, and by what it is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum What {
    /// A folder; removed if nothing is in it.
    Folder,
    /// A file with this SHA-256, in hexadecimal digits. Of an installation that was cut, it may be the one before.
    File {
        /// Of its content.
        sha256: String,
    },
    /// A link to this place.
    Link {
        /// As it stands in the link.
        to: PathBuf,
    },
}

impl Receipt {
    /// Of nothing.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self { schema: SCHEMA, version: version.to_owned(), made: Vec::new() }
    }

    /// All that is noted of a path.
    pub fn of<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a What> {
        self.made.iter().filter(move |made| made.path == path).map(|made| &made.what)
    }

    /// Adds what is not there yet, at the end.
    pub fn add(&mut self, path: &Path, what: What) {
        if !self.of(path).any(|known| *known == what) {
            self.made.push(Made { path: path.to_owned(), what });
        }
    }
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_receipt_is_read_back_and_names_nothing_twice() {
        let mut receipt = Receipt::new("1.2.3");
        receipt.add(Path::new("/a"), What::Folder);
        receipt.add(Path::new("/a"), What::Folder);
        receipt.add(Path::new("/a/f"), What::File { sha256: sha256(b"x") });
        receipt.add(Path::new("/a/f"), What::File { sha256: sha256(b"y") });
        receipt.add(Path::new("/a/l"), What::Link { to: "f".into() });
        assert_eq!(receipt.made.len(), 4);
        assert_eq!(receipt.of(Path::new("/a/f")).count(), 2);
        let text = serde_json::to_string(&receipt).unwrap();
        assert!(text.contains(r#"{"path":"/a","kind":"folder"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipt);
    }
}
