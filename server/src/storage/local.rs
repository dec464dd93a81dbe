//! [`Storage`] on a local folder. Every path goes by `openat2` beneath the folder's handle without following links, so
//! that neither `..` nor a link planted at the same moment leads out.
//!
//! The folder is opened anew for every call: a disk that was mounted meanwhile is seen, and a folder that was moved out of
//! the tree is not reached through an old handle.

use super::leftovers::{self, DIGITS, HIDDEN};
use super::{
    Content, Kind, Listing, Page, Replace, Space, Stat, Storage, StorageError, UploadId, beneath, usage, walk,
};
use crate::node_path::{NodePath, shown};
use crate::quota::Measure;
use async_trait::async_trait;
use bytes::Bytes;
use godwit_transport::root::Root;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Folders that are listed at once: each may hold as many names in memory as the folder has.
static LISTINGS: Semaphore = Semaphore::const_new(8);
/// By themselves, because a search may take seconds.
static SEARCHES: Semaphore = Semaphore::const_new(8);

/// A tree in a local folder.
#[derive(Clone, Debug)]
pub struct Local {
    path: Arc<PathBuf>,
    /// Files are on the disk before they are visible.
    fsync: bool,
}

impl Local {
    /// The tree beneath `path`, which is the operator's own: links in it are followed.
    #[must_use]
    pub fn new(path: PathBuf, fsync: bool) -> Self {
        Self { path: Arc::new(path), fsync }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            let root = Root::open(path.as_path()).map_err(|error| {
                // Clients learn nothing of the server's folders; the log does.
                tracing::error!(%error, "a docroot cannot be opened");
                StorageError::Unavailable
            })?;
            work(&root)
        });
        task.await.unwrap_or(Err(StorageError::Unavailable))
    }
}

#[async_trait]
impl Storage for Local {
    async fn stat(&self, path: &NodePath) -> Result<Stat, StorageError> {
        let path = path.clone();
        self.run(move |root| stat(root, &path)).await
    }

    async fn list(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError> {
        let (folder, page) = (folder.clone(), page.clone());
        let turn = LISTINGS.acquire().await;
        self.run(move |root| {
            let _turn = turn;
            walk::list(root, &folder, &page)
        })
        .await
    }

    async fn find(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError> {
        let (folder, page) = (folder.clone(), page.clone());
        let turn = SEARCHES.acquire().await;
        self.run(move |root| {
            let _turn = turn;
            walk::find(root, &folder, &page)
        })
        .await
    }

    async fn open(&self, path: &NodePath) -> Result<Box<dyn Content>, StorageError> {
        let path = path.clone();
        self.run(move |root| {
            if path.is_root() {
                return Err(StorageError::IsFolder(path));
            }
            let (folder, name) = beneath::parent(root, &path)?;
            match beneath::open_file(&folder, &name).map_err(|e| beneath::error(&path, e))? {
                Some(file) => {
                    let stat = beneath::stat_open(&file).map_err(|e| beneath::error(&path, e))?;
                    Ok(Box::new(Open { path, stat, file: Arc::new(file) }) as Box<dyn Content>)
                }
                None => Err(match stat(root, &path)?.kind {
                    Kind::Folder => StorageError::IsFolder(path),
                    Kind::Link => StorageError::Link(path),
                    _ => StorageError::NotRegular(path),
                }),
            }
        })
        .await
    }

    async fn make_folder(&self, path: &NodePath, parents: bool) -> Result<(), StorageError> {
        let path = path.clone();
        let fsync = self.fsync;
        self.run(move |root| {
            let Some(rel) = path.as_rel() else {
                return if parents { Ok(()) } else { Err(StorageError::Exists(path)) };
            };
            if parents {
                root.create_dir_all(rel).map_err(|e| beneath::error(&path, e))?;
                return Ok(());
            }
            let (folder, name) = beneath::parent(root, &path)?;
            rustix::fs::mkdirat(&folder, &name, Mode::from_raw_mode(0o777))
                .map_err(|e| beneath::error(&path, e.into()))?;
            sync(&folder, fsync, &path)
        })
        .await
    }

    async fn remove(&self, path: &NodePath) -> Result<(), StorageError> {
        let path = path.clone();
        self.run(move |root| {
            let (folder, name) = beneath::parent(root, &path)?;
            beneath::remove(&folder, &name, 0).map_err(|e| match beneath::error(&path, e) {
                // Something came in while the rest went.
                StorageError::Exists(path) => {
                    StorageError::Io { path, source: io::ErrorKind::DirectoryNotEmpty.into() }
                }
                other => other,
            })
        })
        .await
    }

    async fn rename(&self, from: &NodePath, to: &NodePath) -> Result<(), StorageError> {
        let (from, to) = (from.clone(), to.clone());
        let fsync = self.fsync;
        self.run(move |root| {
            let (source, old) = beneath::parent(root, &from)?;
            let (target, new) = beneath::parent(root, &to)?;
            if from != to && to.is_within(&from) {
                return Err(StorageError::IntoItself(from));
            }
            match rustix::fs::renameat_with(&source, &old, &target, &new, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                Err(rustix::io::Errno::EXIST) => return Err(StorageError::Exists(to)),
                Err(e) => return Err(beneath::error(&from, e.into())),
            }
            sync(&target, fsync, &to)?;
            sync(&source, fsync, &from)
        })
        .await
    }

    async fn space(&self, path: &NodePath) -> Result<Space, StorageError> {
        let path = path.clone();
        self.run(move |root| {
            let place = match stat(root, &path)?.kind {
                Kind::Folder => path.clone(),
                _ => path.parent().unwrap_or_default(),
            };
            let folder = beneath::folder(root, &place)?;
            let found = rustix::fs::fstatvfs(&folder).map_err(|e| beneath::error(&path, e.into()))?;
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            Ok(Space { total: bytes(found.f_blocks), free: bytes(found.f_bavail) })
        })
        .await
    }

    async fn begin(&self, path: &NodePath, size: u64) -> Result<UploadId, StorageError> {
        let path = path.clone();
        self.run(move |root| {
            let (folder, _) = beneath::parent(root, &path)?;
            leftovers::sweep_once(&folder);
            let mut random = [0u8; DIGITS / 2];
            getrandom::fill(&mut random).map_err(|_| StorageError::Unavailable)?;
            let upload = UploadId { id: hex(&random), path, size, held: None };
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let name = hidden(&upload)?;
            let file = rustix::fs::openat(&folder, &name, flags, Mode::from_raw_mode(0o666))
                .map_err(|e| beneath::error(&upload.path, e.into()))?;
            // RACE: another server may find it before it is held, and remove it: the first part then says so.
            leftovers::hold(&file);
            Ok(UploadId { held: Some(Arc::new(file)), ..upload })
        })
        .await
    }

    async fn put_part(&self, upload: &UploadId, offset: u64, part: Bytes) -> Result<(), StorageError> {
        let upload = upload.clone();
        self.run(move |root| {
            let end = offset.checked_add(part.len() as u64).filter(|end| *end <= upload.size);
            if end.is_none() {
                return Err(StorageError::Part);
            }
            let (_, file) = on_its_way(root, &upload)?;
            file.write_all_at(&part, offset).map_err(|e| beneath::error(&upload.path, e))
        })
        .await
    }

    async fn commit(&self, upload: &UploadId, replace: Replace) -> Result<(), StorageError> {
        let (upload, fsync) = (upload.clone(), self.fsync);
        self.run(move |root| {
            let path = &upload.path;
            let failed = |e: io::Error| beneath::error(path, e);
            let (folder, file) = on_its_way(root, &upload)?;
            if file.metadata().map_err(failed)?.len() != upload.size {
                return Err(StorageError::Part);
            }
            if fsync {
                file.sync_all().map_err(failed)?;
            }
            let (_, name) = beneath::parent(root, path)?;
            let flags = if replace == Replace::Never { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
            // Over a folder the system itself refuses to put a file.
            rustix::fs::renameat_with(&folder, &hidden(&upload)?, &folder, &name, flags)
                .map_err(|e| failed(e.into()))?;
            sync(&folder, fsync, path)
        })
        .await
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), StorageError> {
        let upload = upload.clone();
        self.run(move |root| {
            let (folder, _) = beneath::parent(root, &upload.path)?;
            match rustix::fs::unlinkat(&folder, &hidden(&upload)?, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
                Err(e) => Err(beneath::error(&upload.path, e.into())),
            }
        })
        .await
    }

    fn measure(&self, folder: &NodePath) -> Measure {
        let (path, folder) = (self.path.clone(), folder.clone());
        Arc::new(move || usage::usage(&path, &folder))
    }

    async fn data_root(&self, folder: &NodePath) -> Result<Root, StorageError> {
        let folder = folder.clone();
        self.run(move |root| match folder.as_rel() {
            None => Ok(root.clone()),
            Some(rel) => {
                root.create_dir_all(rel).and_then(|_| root.descend(Some(rel))).map_err(|e| beneath::error(&folder, e))
            }
        })
        .await
    }
}

fn stat(root: &Root, path: &NodePath) -> Result<Stat, StorageError> {
    if path.is_root() {
        return beneath::stat_open(root.handle()).map_err(|e| beneath::error(path, e));
    }
    let (folder, name) = beneath::parent(root, path)?;
    beneath::stat(&folder, &name).map_err(|e| beneath::error(path, e))
}

fn sync(folder: &OwnedFd, wanted: bool, path: &NodePath) -> Result<(), StorageError> {
    if wanted { rustix::fs::fsync(folder).map_err(|e| beneath::error(path, e.into())) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name in the target's folder while it is on its way. The id may have come from another node: it is looked at again.
fn hidden(upload: &UploadId) -> Result<CString, StorageError> {
    let name = || StorageError::Name(shown(&upload.id));
    if upload.id.len() != DIGITS || !upload.id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(name());
    }
    CString::new(format!("{}{}{}", HIDDEN.0, upload.id, HIDDEN.1)).map_err(|_| name())
}

fn on_its_way(root: &Root, upload: &UploadId) -> Result<(Arc<OwnedFd>, File), StorageError> {
    let (folder, _) = beneath::parent(root, &upload.path)?;
    let name: &CStr = &hidden(upload)?;
    match beneath::open(&folder, name, OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK) {
        Ok(file) => Ok((folder, file.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(StorageError::Part),
        Err(e) => Err(beneath::error(&upload.path, e)),
    }
}

/// An open file.
struct Open {
    path: NodePath,
    stat: Stat,
    file: Arc<File>,
}

#[async_trait]
impl Content for Open {
    fn stat(&self) -> Stat {
        self.stat
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StorageError> {
        let file = self.file.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; length];
            let read = file.read_at(&mut buffer, offset)?;
            buffer.truncate(read);
            Ok::<_, io::Error>(Bytes::from(buffer))
        });
        let read = task.await.map_err(|_| StorageError::Unavailable)?;
        read.map_err(|e| beneath::error(&self.path, e))
    }
}
