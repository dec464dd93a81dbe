//! A copy of the database from before it is opened: `sled` repairs what it opens, and takes a damaged file for an empty one
//! and writes over it.

use std::io;
use std::path::{Path, PathBuf};

/// Copies `from` to `to`, which appears only when it is whole. Cheap: only the log is copied, at the disk's speed or by
/// reference; the other files are written once and never changed, so a second name for them is enough.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let unfinished = unfinished(to);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    copy_folder(from, &unfinished)?;
    std::fs::rename(&unfinished, to)
}

/// Removes a copy so that no half of it is ever taken for the whole.
pub(super) fn discard(copy: &Path) -> io::Result<()> {
    let unfinished = unfinished(copy);
    std::fs::rename(copy, &unfinished)?;
    std::fs::remove_dir_all(&unfinished)
}

fn unfinished(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            let changes = ["db", "conf"].iter().any(|name| entry.file_name() == *name);
            if changes || std::fs::hard_link(entry.path(), &target).is_err() {
                std::fs::copy(entry.path(), &target)?;
            }
        }
    }
    Ok(())
}
