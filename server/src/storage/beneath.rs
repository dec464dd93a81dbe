//! System calls of [`Local`](super::Local) that [`Root`] does not have: all by handle and single name, never following.

use super::{Kind, Stat, StorageError};
use crate::catalogue::Identity;
use crate::node_path::NodePath;
use godwit_protocol::RelPath;
use godwit_transport::root::Root;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
/// Deeper trees cannot be named, but can lie on the disk; each level costs a handle.
const MAX_DEPTH: usize = 900;

/// Turns an error of the system into ours. A link in the way is said to be one.
pub(super) fn error(path: &NodePath, source: io::Error) -> StorageError {
    let path = path.clone();
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => StorageError::NotFound(path),
        Some(Errno::EXIST | Errno::NOTEMPTY) => StorageError::Exists(path),
        Some(Errno::NOTDIR) => StorageError::NotFolder(path),
        Some(Errno::ISDIR) => StorageError::IsFolder(path),
        Some(Errno::LOOP | Errno::XDEV) => StorageError::Link(path),
        Some(Errno::NAMETOOLONG | Errno::INVAL) => StorageError::Name(crate::node_path::shown(path.as_str())),
        _ => StorageError::Io { path, source },
    }
}

/// The folder that holds `path`, and its name there as it stands on the disk.
pub(super) fn parent(root: &Root, path: &NodePath) -> Result<(Arc<OwnedFd>, CString), StorageError> {
    let Some(rel) = path.as_rel() else { return Err(StorageError::Root) };
    let folder = folder(root, &rel.parent().map(NodePath::from).unwrap_or_default())?;
    let name = on_disk(&folder, rel).map_err(|e| error(path, e))?;
    Ok((folder, name))
}

/// A handle of a folder.
pub(super) fn folder(root: &Root, path: &NodePath) -> Result<Arc<OwnedFd>, StorageError> {
    match root.folder(path.as_rel()) {
        Ok(handle) => Ok(handle),
        Err(e) if e.kind() == io::ErrorKind::NotFound && !path.as_str().is_ascii() => by_steps(root, path),
        // A link in the place of a folder is "no folder" to the system.
        Err(e) => Err(match (error(path, e), path.as_rel()) {
            (StorageError::NotFolder(path), Some(rel)) if has_link(root, rel) => StorageError::Link(path),
            (other, _) => other,
        }),
    }
}

/// Names in another Unicode form than ours: found by looking.
fn by_steps(root: &Root, path: &NodePath) -> Result<Arc<OwnedFd>, StorageError> {
    let mut at = root.handle();
    for name in path.as_rel().into_iter().flat_map(RelPath::components) {
        let step = name.parse::<RelPath>().map_err(|_| StorageError::Name(crate::node_path::shown(name)))?;
        let name = on_disk(&at, &step).map_err(|e| error(path, e))?;
        at = Arc::new(open(&at, &name, FOLDER).map_err(|e| error(path, e))?);
    }
    Ok(at)
}

fn has_link(root: &Root, path: &RelPath) -> bool {
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if root.stat(&path).is_ok_and(|meta| meta.kind == godwit_transport::root::Kind::Link) {
            return true;
        }
        at = path.parent();
    }
    false
}

/// The name as the disk has it: ours, or one that is the same text in another Unicode form.
fn on_disk(folder: &OwnedFd, path: &RelPath) -> io::Result<CString> {
    let name = path.name();
    let ours = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    if name.is_ascii() || rustix::fs::statat(folder, &ours, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(ours);
    }
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if let Ok(text) = entry.file_name().to_str()
            && text.nfc().eq(name.chars())
        {
            return Ok(entry.file_name().to_owned());
        }
    }
    Ok(ours)
}

/// Opens one name in a folder; the kernel keeps it there. RACE: EAGAIN means that a rename elsewhere might have mattered.
pub(super) fn open(folder: &OwnedFd, name: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
    let keep = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..64 {
        match rustix::fs::openat2(folder, name, flags | OFlags::CLOEXEC, Mode::empty(), keep) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// A regular file for reading. A pipe is not waited for, a device not opened.
pub(super) fn open_file(folder: &OwnedFd, name: &CStr) -> io::Result<Option<File>> {
    // First only a handle of the place: opening a device can do things.
    let place = open(folder, name, OFlags::PATH | OFlags::NOFOLLOW)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let file = open(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    // RACE: another object may have taken the name in between; it was opened without waiting and is not used.
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    Ok(Some(file.into()))
}

/// Looks at one name in a folder.
pub(super) fn stat(folder: &OwnedFd, name: &CStr) -> io::Result<Stat> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    Ok(from_statx(&rustix::fs::statx(folder, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?))
}

/// Looks at what is open.
pub(super) fn stat_open(file: impl AsFd) -> io::Result<Stat> {
    let flags = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    Ok(from_statx(&rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, flags)?))
}

fn nanoseconds(seconds: i64, nanoseconds: u32) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanoseconds))
}

fn from_statx(found: &Statx) -> Stat {
    let kind = kind(FileType::from_raw_mode(found.stx_mode.into()));
    // A file with several names is as many objects: it cannot be told which of them was moved.
    let tells = found.stx_mask & StatxFlags::BTIME.bits() != 0 && (kind == Kind::Folder || found.stx_nlink == 1);
    let birth_ns = if tells { nanoseconds(found.stx_btime.tv_sec, found.stx_btime.tv_nsec) } else { 0 };
    let device = u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor);
    Stat {
        kind,
        size: if kind == Kind::File { found.stx_size } else { 0 },
        mtime_ns: nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        identity: Identity { device, inode: found.stx_ino, birth_ns },
    }
}

pub(super) fn kind(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    }
}

/// A name in a folder that can be told to clients, in our Unicode form, and as the disk has it.
pub(super) struct Named {
    pub(super) path: RelPath,
    pub(super) raw: CString,
    pub(super) kind: Option<Kind>,
}

/// Shows each name in a folder once, in no order. Names that no client could send back are left out.
pub(super) fn each_name(folder: &OwnedFd, mut look: impl FnMut(Named)) -> io::Result<()> {
    // A fresh handle: the position of a shared one would be shared too.
    let own = open(folder, c".", FOLDER)?;
    for entry in Dir::read_from(&own)? {
        let entry = entry?;
        let raw = entry.file_name();
        if raw == c"." || raw == c".." {
            continue;
        }
        let Some(path) = raw.to_str().ok().and_then(|text| text.parse::<RelPath>().ok()) else { continue };
        let kind = match entry.file_type() {
            FileType::Unknown => None,
            known => Some(self::kind(known)),
        };
        look(Named { path, raw: raw.to_owned(), kind });
    }
    Ok(())
}

/// All of them.
pub(super) fn names(folder: &OwnedFd) -> io::Result<Vec<Named>> {
    let mut names = Vec::new();
    each_name(folder, |named| names.push(named))?;
    Ok(names)
}

/// Removes a name; of a folder everything in it first. Links are removed, never entered; a disk mounted in the tree is not
/// emptied.
pub(super) fn remove(folder: &OwnedFd, name: &CStr, depth: usize) -> io::Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return Ok(other?),
    }
    match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        other => return Ok(other?),
    }
    if depth >= MAX_DEPTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let keep = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let inner = rustix::fs::openat2(folder, name, FOLDER, Mode::empty(), keep)?;
    let mut first = Ok(());
    for entry in Dir::read_from(&inner)? {
        let entry = entry?;
        let below = entry.file_name();
        if below == c"." || below == c".." {
            continue;
        }
        match remove(&inner, below, depth + 1) {
            // Somebody else was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            // The others go all the same; what stays is told.
            Err(e) if first.is_ok() => first = Err(e),
            _ => {}
        }
    }
    first?;
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}
