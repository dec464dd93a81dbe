//! A folder as the limit of what may be touched. Every name of a peer reaches the disk through here: as a [`RelPath`],
//! opened by `openat2` beneath a handle, without following any link. So neither `..`, nor a link planted by another
//! user between check and use, leads out.

use crate::TransportError;
use crate::failure::naming;
use godwit_protocol::RelPath;
use godwit_protocol::worker::Failure;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folder handles kept open per root. More would only matter for trees with more folders in use at the same moment.
const CACHED_FOLDERS: usize = 128;
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// Says how much may still be written beneath a root.
pub trait Room: Send + Sync {
    /// Asked for the bytes of every piece before it is written; may block. A refusal ends the session with its failure.
    fn take(&self, bytes: u64) -> Result<(), Failure>;
}

/// An open folder beneath which everything stays. Cheap to clone.
#[derive(Clone)]
pub struct Root(Arc<Inner>);

struct Inner {
    handle: Arc<OwnedFd>,
    path: PathBuf,
    cache: Mutex<Cache>,
    room: Option<Arc<dyn Room>>,
    encrypted_only: bool,
}

/// Least recently used folders leave first; `turn` is a logical clock.
#[derive(Default)]
struct Cache {
    folders: HashMap<RelPath, (Arc<OwnedFd>, u64)>,
    order: BTreeMap<u64, RelPath>,
    turn: u64,
}

/// What is known of an object without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Kind.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch.
    pub mtime_ns: i64,
    /// Time of the last change of content, name or rights, nanoseconds; no program can set it.
    pub ctime_ns: i64,
    /// Device and inode.
    pub id: (u64, u64),
}

/// Kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Symbolic link.
    Link,
    /// Device, socket, pipe.
    Special,
}

impl From<rustix::fs::Stat> for Metadata {
    fn from(stat: rustix::fs::Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        };
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // the types differ between targets
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: (stat.st_mtime as i64).saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64),
            ctime_ns: (stat.st_ctime as i64).saturating_mul(1_000_000_000).saturating_add(stat.st_ctime_nsec as i64),
            id: (stat.st_dev as u64, stat.st_ino as u64),
        }
    }
}

impl Metadata {
    /// Of an open file.
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(rustix::fs::fstat(file)?.into())
    }
}

/// One line of a folder's listing. Names that are not UTF-8 are given as `Err` with the lossy text.
pub type Listed = Result<String, String>;

impl Root {
    /// Opens `path`, following links in it: the path is the operator's own.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        let path = path.as_ref();
        let handle = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| TransportError::Root { path: path.display().to_string(), source: e.into() })?;
        let (handle, path) = (Arc::new(handle), path.to_owned());
        Ok(Self(Arc::new(Inner { handle, path, cache: Mutex::default(), room: None, encrypted_only: false })))
    }

    /// Another view, with nothing remembered of its folders.
    fn view(&self) -> Inner {
        let Inner { handle, path, room, encrypted_only, .. } = &*self.0;
        let (handle, path, room) = (handle.clone(), path.clone(), room.clone());
        Inner { handle, path, cache: Mutex::default(), room, encrypted_only: *encrypted_only }
    }

    /// The same folder, in which no more may be written than `room` allows.
    #[must_use]
    pub fn with_room(&self, room: Arc<dyn Room>) -> Self {
        Self(Arc::new(Inner { room: Some(room), ..self.view() }))
    }

    /// The same folder, in which sessions receive encrypted files only, see [`crate::protect::is_encrypted`].
    #[must_use]
    pub fn encrypted_only(&self) -> Self {
        Self(Arc::new(Inner { encrypted_only: true, ..self.view() }))
    }

    /// Whether sessions receive encrypted files only.
    #[must_use]
    pub fn is_encrypted_only(&self) -> bool {
        self.0.encrypted_only
    }

    /// Asks for room for what is written next.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Failure> {
        self.0.room.as_ref().map_or(Ok(()), |room| room.take(bytes))
    }

    /// The path it was opened by, for messages only.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The handle of the folder itself.
    #[must_use]
    pub fn handle(&self) -> Arc<OwnedFd> {
        self.0.handle.clone()
    }

    /// A root further down. `None` is this one.
    pub fn descend(&self, folder: Option<&RelPath>) -> io::Result<Self> {
        let Some(folder) = folder else { return Ok(self.clone()) };
        let handle = self.folder(Some(folder))?;
        let path = self.0.path.join(folder.as_str());
        Ok(Self(Arc::new(Inner { handle, path, ..self.view() })))
    }

    /// A handle of a folder, from the cache if it is there. `None` is the root itself.
    pub fn folder(&self, folder: Option<&RelPath>) -> io::Result<Arc<OwnedFd>> {
        let Some(folder) = folder else { return Ok(self.0.handle.clone()) };
        if let Some(handle) = self.cache().get(folder) {
            return Ok(handle);
        }
        let handle = Arc::new(openat2(&self.0.handle, folder.as_str(), FOLDER, Mode::empty())?);
        self.cache().put(folder, handle.clone());
        Ok(handle)
    }

    /// Makes a folder and those above it; an existing one is fine. Anything else at that name is an error.
    pub fn create_dir_all(&self, folder: &RelPath) -> io::Result<Arc<OwnedFd>> {
        match self.folder(Some(folder)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let parent = match folder.parent() {
            Some(parent) => self.create_dir_all(&parent)?,
            None => self.0.handle.clone(),
        };
        match rustix::fs::mkdirat(&parent, folder.name(), Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => self.folder(Some(folder)),
            Err(e) => Err(naming(e)),
        }
    }

    /// Makes a folder and those above it; true if it was not there. Anything else at that name is an error.
    pub(crate) fn make_dir(&self, folder: &RelPath) -> io::Result<bool> {
        let parent = match folder.parent() {
            Some(parent) => self.create_dir_all(&parent)?,
            None => self.0.handle.clone(),
        };
        match rustix::fs::mkdirat(&parent, folder.name(), Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => self.folder(Some(folder)).map(|_| false),
            Err(e) => Err(naming(e)),
        }
    }

    /// Opens a regular file for reading. Never blocks on a pipe; what is not a regular file is an error.
    pub fn open_file(&self, path: &RelPath) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let folder = self.folder(path.parent().as_ref())?;
        Ok(openat2(&folder, path.name(), flags, Mode::empty())?.into())
    }

    /// As [`Root::open_file`], by a name as it stands on the disk (which need not be in normal form). The kernel keeps
    /// it beneath, whatever it says.
    pub(crate) fn open_file_raw(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(openat2(&self.0.handle, path, flags, Mode::empty())?.into())
    }

    /// A handle of a folder by a name as it stands on the disk, not cached.
    pub(crate) fn folder_raw(&self, path: &str) -> io::Result<OwnedFd> {
        openat2(&self.0.handle, path, FOLDER, Mode::empty())
    }

    /// Looks at an object without following a link at its end.
    pub fn stat(&self, path: &RelPath) -> io::Result<Metadata> {
        let folder = self.folder(path.parent().as_ref())?;
        Ok(rustix::fs::statat(&folder, path.name(), AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// The names in a folder, sorted by bytes, without `.` and `..`.
    pub fn list(&self, folder: Option<&RelPath>) -> io::Result<Vec<Listed>> {
        // A fresh handle: the position of a shared one would be shared too.
        let own = match folder {
            Some(folder) => openat2(&self.0.handle, folder.as_str(), FOLDER, Mode::empty())?,
            None => openat2(&self.0.handle, ".", FOLDER, Mode::empty())?,
        };
        Ok(list_handle(own.as_fd())?
            .into_iter()
            .map(|name| name.into_string().map_err(|name| name.to_string_lossy().into_owned()))
            .collect())
    }

    /// Gives a file another name; what is at the new name is replaced.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        let source = self.folder(from.parent().as_ref())?;
        let target = self.folder(to.parent().as_ref())?;
        self.cache().forget(from);
        Ok(rustix::fs::renameat(&source, from.name(), &target, to.name())?)
    }

    /// Removes a file.
    pub fn remove_file(&self, path: &RelPath) -> io::Result<()> {
        let folder = self.folder(path.parent().as_ref())?;
        Ok(rustix::fs::unlinkat(&folder, path.name(), AtFlags::empty())?)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn get(&mut self, folder: &RelPath) -> Option<Arc<OwnedFd>> {
        let (handle, turn) = self.folders.get_mut(folder)?;
        self.order.remove(turn);
        self.turn += 1;
        *turn = self.turn;
        self.order.insert(self.turn, folder.clone());
        Some(handle.clone())
    }

    fn put(&mut self, folder: &RelPath, handle: Arc<OwnedFd>) {
        self.turn += 1;
        if let Some((_, old)) = self.folders.insert(folder.clone(), (handle, self.turn)) {
            self.order.remove(&old);
        }
        self.order.insert(self.turn, folder.clone());
        while self.folders.len() > CACHED_FOLDERS {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.folders.remove(&oldest);
        }
    }

    fn forget(&mut self, folder: &RelPath) {
        if let Some((_, turn)) = self.folders.remove(folder) {
            self.order.remove(&turn);
        }
    }
}

/// The names in an open folder, sorted by bytes, without `.` and `..`.
pub(crate) fn list_handle(folder: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// RACE: `openat2` answers EAGAIN when a rename elsewhere might have mattered; trying again is what its manual says.
pub(crate) fn openat2(folder: impl AsFd, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    for _ in 0..64 {
        match rustix::fs::openat2(folder.as_fd(), path, flags, mode, BENEATH) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn folders_are_made_found_and_listed() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root::open(temp.path()).unwrap();
        root.create_dir_all(&path("a/b/c")).unwrap();
        root.create_dir_all(&path("a/b/c")).unwrap();
        std::fs::write(temp.path().join("a/b/f"), b"x").unwrap();
        assert_eq!(root.list(Some(&path("a/b"))).unwrap(), [Ok("c".to_owned()), Ok("f".to_owned())]);
        assert_eq!(root.stat(&path("a/b/f")).unwrap().size, 1);
        root.rename(&path("a/b/f"), &path("a/g")).unwrap();
        assert!(root.open_file(&path("a/g")).is_ok());
        assert_eq!(root.create_dir_all(&path("a/g/x")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn t10_no_link_is_followed_anywhere_in_a_path() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"x").unwrap();
        std::fs::create_dir(temp.path().join("in")).unwrap();
        std::os::unix::fs::symlink(outside.path(), temp.path().join("out")).unwrap();
        std::os::unix::fs::symlink("in", temp.path().join("inner")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), temp.path().join("file")).unwrap();
        let root = Root::open(temp.path()).unwrap();
        for bad in ["out/secret", "file"] {
            assert!(root.open_file(&path(bad)).is_err(), "{bad}");
        }
        assert!(root.create_dir_all(&path("out/new")).is_err());
        assert!(root.folder(Some(&path("inner"))).is_err());
        assert!(root.descend(Some(&path("out"))).is_err());
        assert!(root.rename(&path("out/secret"), &path("stolen")).is_err());
        assert_eq!(root.stat(&path("file")).unwrap().kind, Kind::Link);
    }

    #[test]
    fn the_cache_of_folders_is_bounded() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root::open(temp.path()).unwrap();
        for n in 0..3 * CACHED_FOLDERS {
            root.create_dir_all(&path(&format!("d{n}"))).unwrap();
        }
        let cache = root.cache();
        assert!(cache.folders.len() <= CACHED_FOLDERS);
        assert_eq!(cache.folders.len(), cache.order.len());
    }
}
