//! What is there now. No link is followed.

use crate::receipt::{Receipt, sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Larger files are none of ours.
const MOST: u64 = 4 * 1024 * 1024;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A folder; true if something is in it.
    Folder {
        /// Something is in it.
        full: bool,
    },
    /// A file.
    File {
        /// Its content; `None` if it is too large to be ours.
        content: Option<Vec<u8>>,
    },
    /// A link.
    Link {
        /// As it stands in the link.
        to: PathBuf,
    },
    /// A device or a socket.
    Other,
}

impl There {
    /// SHA-256 of a file.
    #[must_use]
    pub fn sha256(&self) -> Option<String> {
        match self {
            Self::File { content: Some(content) } => Some(sha256(content)),
            _ => None,
        }
    }
}

/// What is there, by path; what is not in it is not there.
#[derive(Clone, Debug, Default)]
pub struct View {
    seen: BTreeMap<PathBuf, There>,
    /// The receipt of an earlier installation.
    pub receipt: Option<Receipt>,
    /// What the link to the current version says.
    pub current: Option<PathBuf>,
    /// The names of the versions that are there.
    pub versions: Vec<String>,
}

impl View {
    /// What stands at a path.
    #[must_use]
    pub fn at(&self, path: &Path) -> &There {
        self.seen.get(path).unwrap_or(&There::Nothing)
    }

    /// Notes what stands at a path.
    pub fn note(&mut self, path: &Path, there: There) {
        self.seen.insert(path.to_owned(), there);
    }

    /// Looks at a path and at all folders above it.
    ///
    /// # Errors
    /// A path that cannot be looked at, with its name.
    pub fn look(&mut self, path: &Path) -> io::Result<()> {
        for path in path.ancestors() {
            if self.seen.contains_key(path) {
                break;
            }
            let there = there(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
            self.note(path, there);
        }
        Ok(())
    }
}

/// What stands at a path.
///
/// # Errors
/// What the system says, except that nothing is there.
pub fn there(path: &Path) -> io::Result<There> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(There::Nothing);
        }
        Err(e) => return Err(e),
    };
    let kind = metadata.file_type();
    Ok(if kind.is_symlink() {
        There::Link { to: fs::read_link(path)? }
    } else if kind.is_dir() {
        There::Folder { full: fs::read_dir(path).map_or(true, |mut entries| entries.next().is_some()) }
    } else if kind.is_file() {
        There::File { content: if metadata.size() <= MOST { Some(fs::read(path)?) } else { None } }
    } else {
        There::Other
    })
}
