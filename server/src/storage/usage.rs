//! How much lies beneath a folder: the sizes of all regular files, whatever their names. Links are not followed.

use super::{PARTIAL, beneath};
use crate::node_path::NodePath;
use godwit_transport::root::Root;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Deeper trees cannot be named, but can lie on the disk; each level costs a handle.
const MAX_DEPTH: usize = 900;
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW);

/// Bytes beneath `folder` of the tree at `root`; none if it is not there. Blocks as long as it takes to look at every file.
pub(super) fn usage(root: &Path, folder: &NodePath) -> io::Result<u64> {
    let root = Root::open(root).map_err(|error| io::Error::other(error.to_string()))?;
    match beneath::folder(&root, folder) {
        Ok(folder) => walk(&folder, 0),
        Err(super::StorageError::NotFound(_)) => Ok(0),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

fn walk(folder: &OwnedFd, depth: usize) -> io::Result<u64> {
    let own = beneath::open(folder, c".", FOLDER)?;
    let mut sum = 0u64;
    for entry in Dir::read_from(&own)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone meanwhile.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        sum = sum.saturating_add(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => bytes(name, &stat),
            FileType::Directory if depth < MAX_DEPTH => match beneath::open(folder, name, FOLDER) {
                Ok(inner) => walk(&inner, depth + 1)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(error),
            },
            _ => 0,
        });
    }
    Ok(sum)
}

/// A file on its way has holes: of it counts what is on the disk. Of others their size, whatever the disk makes of it.
fn bytes(name: &CStr, stat: &rustix::fs::Stat) -> u64 {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if !name.to_bytes().ends_with(PARTIAL.as_bytes()) {
        return size;
    }
    size.min(u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512))
}
