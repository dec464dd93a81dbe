//! Rights in front of a [`Storage`]: handlers get a [`Guarded`] and nothing else, so that none can forget to ask.
//!
//! It also moves the root: clients' paths begin at their own folder, which they cannot leave because a path has no `..`.

use super::{Content, Item, Kind, Listing, Page, Replace, Space, Stat, Storage, StorageError, UploadId};
use crate::catalogue::Identity;
use crate::config::ContentProtection;
use crate::node_path::NodePath;
use crate::quota::{ByteCount, Full, Quota, SessionRoom, Writing};
use crate::rights::{Policy, Right, Rights};
use bytes::Bytes;
use godwit_transport::protect::{BEGIN, is_encrypted};
use godwit_transport::root::Root;
use std::sync::Arc;

/// Somebody's view of a tree.
#[derive(Clone)]
pub struct Guarded {
    storage: Arc<dyn Storage>,
    base: NodePath,
    policy: Policy,
    quotas: Vec<Quota>,
    protection: ContentProtection,
}

impl Guarded {
    /// The view of a caller whose root is `base` in the tree.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, base: NodePath, policy: Policy) -> Self {
        Self { storage, base, policy, quotas: Vec::new(), protection: ContentProtection::Optional }
    }

    /// The same, under these limits.
    #[must_use]
    pub fn within(self, quotas: Vec<Quota>) -> Self {
        Self { quotas, ..self }
    }

    /// The same; where it is required, only encrypted files come in.
    #[must_use]
    pub fn protected(self, protection: ContentProtection) -> Self {
        Self { protection, ..self }
    }

    /// Whether only encrypted files come in.
    #[must_use]
    pub fn is_encrypted_only(&self) -> bool {
        self.protection.is_required()
    }

    /// What limits it.
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// Refuses if nothing more may be written.
    pub async fn has_room(&self) -> Result<(), StorageError> {
        self.counted(|quotas| {
            for quota in quotas {
                let used = quota.used().map_err(|_| StorageError::Unavailable)?;
                if used >= quota.limit() {
                    let full = Full { used: ByteCount(used), limit: ByteCount(quota.limit()) };
                    return Err(StorageError::Full(full));
                }
            }
            Ok(())
        })
        .await
    }

    /// Asks the quotas; some walk a tree for the answer.
    async fn counted<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&[Quota]) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        if self.quotas.is_empty() {
            return ask(&[]);
        }
        let quotas = self.quotas.clone();
        let task = tokio::task::spawn_blocking(move || ask(&quotas));
        task.await.unwrap_or(Err(StorageError::Unavailable))
    }

    fn changed(&self) {
        self.quotas.iter().for_each(Quota::changed);
    }

    /// A root for uploads by the data endpoint.
    async fn for_upload(&self, root: Root) -> Result<Root, StorageError> {
        self.has_room().await?;
        let root = if self.is_encrypted_only() { root.encrypted_only() } else { root };
        Ok(SessionRoom::within(&self.quotas).map_or(root.clone(), |room| root.with_room(room)))
    }

    /// The same root with other rights.
    #[must_use]
    pub fn limited(&self, policy: Policy) -> Self {
        Self { policy, ..self.clone() }
    }

    /// Where the caller's root lies in the tree.
    #[must_use]
    pub fn base(&self) -> &NodePath {
        &self.base
    }

    /// The caller's rights at a place.
    #[must_use]
    pub fn rights(&self, path: &NodePath) -> Rights {
        self.policy.at(path)
    }

    /// Refuses unless the caller has the right at the place.
    pub fn check(&self, path: &NodePath, right: Right) -> Result<(), StorageError> {
        if self.rights(path).has(right) { Ok(()) } else { Err(StorageError::Denied { path: path.clone(), right }) }
    }

    /// Makes the caller's root, if it is a folder that is made when needed.
    pub async fn prepare(&self) -> Result<(), StorageError> {
        if self.base.is_root() {
            return Ok(()); // The tree itself is the operator's to make.
        }
        match self.storage.stat(&self.base).await {
            Err(StorageError::NotFound(_)) => self.storage.make_folder(&self.base, true).await.map_err(|e| self.out(e)),
            // Anything else shows when the place itself is used.
            _ => Ok(()),
        }
    }

    /// See [`Storage::stat`].
    pub async fn stat(&self, path: &NodePath) -> Result<Stat, StorageError> {
        self.check(path, Right::View)?;
        self.storage.stat(&self.inner(path)?).await.map_err(|e| self.out(e))
    }

    /// What an object is, without telling anything about it: for ids of places that the caller names himself.
    pub async fn identify(&self, path: &NodePath) -> Result<Identity, StorageError> {
        if self.rights(path) == Rights::NONE {
            return Err(StorageError::Denied { path: path.clone(), right: Right::View });
        }
        Ok(self.storage.stat(&self.inner(path)?).await.map_err(|e| self.out(e))?.identity)
    }

    /// Whether there is something, for a caller who may only edit. Says no more than an attempt to write would.
    pub async fn kind_for_edit(&self, path: &NodePath) -> Result<Stat, StorageError> {
        self.check(path, Right::Edit)?;
        self.storage.stat(&self.inner(path)?).await.map_err(|e| self.out(e))
    }

    /// See [`Storage::list`].
    pub async fn list(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError> {
        self.check(folder, Right::View)?;
        let listing = self.storage.list(&self.inner(folder)?, page).await.map_err(|e| self.out(e))?;
        Ok(self.listing(listing))
    }

    /// See [`Storage::find`].
    pub async fn find(&self, folder: &NodePath, page: &Page) -> Result<Listing, StorageError> {
        self.check(folder, Right::View)?;
        let listing = self.storage.find(&self.inner(folder)?, page).await.map_err(|e| self.out(e))?;
        Ok(self.listing(listing))
    }

    /// See [`Storage::open`].
    pub async fn open(&self, path: &NodePath) -> Result<Box<dyn Content>, StorageError> {
        self.check(path, Right::View)?;
        self.storage.open(&self.inner(path)?).await.map_err(|e| self.out(e))
    }

    /// See [`Storage::make_folder`].
    pub async fn make_folder(&self, path: &NodePath) -> Result<(), StorageError> {
        self.check(path, Right::Edit)?;
        self.storage.make_folder(&self.inner(path)?, false).await.map_err(|e| self.out(e))
    }

    /// See [`Storage::remove`]. The root itself stays, whatever the rights.
    pub async fn remove(&self, path: &NodePath) -> Result<(), StorageError> {
        self.check(path, Right::Delete)?;
        if path.is_root() {
            return Err(StorageError::Root);
        }
        let removed = self.storage.remove(&self.inner(path)?).await.map_err(|e| self.out(e));
        self.changed();
        removed
    }

    /// See [`Storage::rename`]. Needs the right to edit at both places.
    pub async fn rename(&self, from: &NodePath, to: &NodePath) -> Result<(), StorageError> {
        self.check(from, Right::Edit)?;
        self.check(to, Right::Edit)?;
        if from.is_root() || to.is_root() {
            return Err(StorageError::Root);
        }
        let (from, to) = (self.inner(from)?, self.inner(to)?);
        if self.is_encrypted_only() {
            self.may_be_renamed(&from, &to).await.map_err(|e| self.out(e))?;
        }
        self.storage.rename(&from, &to).await.map_err(|e| self.out(e))
    }

    /// Where only encrypted files come in, a file that is on its way or was never looked at gets no new name, and an encrypted one
    /// none that hides it. Folders may be called anything.
    async fn may_be_renamed(&self, from: &NodePath, to: &NodePath) -> Result<(), StorageError> {
        if self.storage.stat(from).await?.kind != Kind::File {
            return Ok(());
        }
        let begin = self.storage.open(from).await?.read(0, BEGIN).await?;
        if is_encrypted(to.name(), &begin) { Ok(()) } else { Err(StorageError::Plain(to.clone())) }
    }

    /// See [`Storage::space`].
    pub async fn space(&self, path: &NodePath) -> Result<Space, StorageError> {
        self.check(path, Right::View)?;
        let disk = self.storage.space(&self.inner(path)?).await.map_err(|e| self.out(e))?;
        let mut space = disk;
        for quota in &self.quotas {
            let quota = quota.clone();
            let limit = quota.limit();
            let used = tokio::task::spawn_blocking(move || quota.used()).await;
            let used = used.ok().and_then(Result::ok).ok_or(StorageError::Unavailable)?;
            space.total = space.total.min(limit);
            space.free = space.free.min(limit.saturating_sub(used));
        }
        Ok(space)
    }

    /// Writes a whole small file, which is visible only when all of it is there.
    pub async fn write(&self, path: &NodePath, content: Bytes, replace: Replace) -> Result<(), StorageError> {
        self.check(path, Right::Edit)?;
        if path.is_root() {
            return Err(StorageError::Root);
        }
        if self.is_encrypted_only() && !is_encrypted(path.name(), &content) {
            return Err(StorageError::Plain(path.clone()));
        }
        let path = self.inner(path)?;
        let bytes = content.len() as u64;
        let writing = self.counted(move |quotas| Writing::begin(quotas, bytes).map_err(StorageError::Full)).await?;
        let result = self.put_whole(&path, content, replace).await;
        drop(writing);
        if result.is_err() {
            // Counted, and not there.
            self.changed();
        }
        result
    }

    async fn put_whole(&self, path: &NodePath, content: Bytes, replace: Replace) -> Result<(), StorageError> {
        let upload = self.storage.begin(path, content.len() as u64).await.map_err(|e| self.out(e))?;
        let result = self.put(&upload, content, replace).await;
        if result.is_err() {
            // What cannot be removed stays as a hidden partial file; the error that led here matters more.
            let _ = self.storage.abort(&upload).await;
        }
        result.map_err(|e| self.out(e))
    }

    async fn put(&self, upload: &UploadId, content: Bytes, replace: Replace) -> Result<(), StorageError> {
        if !content.is_empty() {
            self.storage.put_part(upload, 0, content).await?;
        }
        self.storage.commit(upload, replace).await
    }

    /// The caller's root for the data endpoint, which narrows it to the paths it was asked for.
    pub async fn data_root(&self, paths: &[NodePath], right: Right) -> Result<Root, StorageError> {
        paths.iter().try_for_each(|path| self.check(path, right))?;
        let root = self.storage.data_root(&self.base).await.map_err(|e| self.out(e))?;
        if right == Right::Edit { self.for_upload(root).await } else { Ok(root) }
    }

    /// A folder of the caller's for the data endpoint to write into; made if missing and wanted.
    pub async fn data_folder(&self, folder: &NodePath, create: bool) -> Result<Root, StorageError> {
        self.check(folder, Right::Edit)?;
        let inner = self.inner(folder)?;
        if !create && self.storage.stat(&inner).await.map_err(|e| self.out(e))?.kind != Kind::Folder {
            return Err(StorageError::NotFolder(folder.clone()));
        }
        let root = self.storage.data_root(&inner).await.map_err(|e| self.out(e))?;
        self.for_upload(root).await
    }

    fn inner(&self, path: &NodePath) -> Result<NodePath, StorageError> {
        self.base.join(path).map_err(|_| StorageError::Name(crate::node_path::shown(path.as_str())))
    }

    /// Paths in the tree become the caller's.
    fn mine(&self, path: NodePath) -> NodePath {
        path.below(&self.base).unwrap_or_default()
    }

    fn listing(&self, listing: Listing) -> Listing {
        let items = listing.items.into_iter().map(|Item { path, stat }| Item { path: self.mine(path), stat });
        Listing { items: items.collect(), ..listing }
    }

    fn out(&self, error: StorageError) -> StorageError {
        use StorageError as E;
        match error {
            E::NotFound(path) => E::NotFound(self.mine(path)),
            E::Exists(path) => E::Exists(self.mine(path)),
            E::NotFolder(path) => E::NotFolder(self.mine(path)),
            E::IsFolder(path) => E::IsFolder(self.mine(path)),
            E::NotRegular(path) => E::NotRegular(self.mine(path)),
            E::Link(path) => E::Link(self.mine(path)),
            E::IntoItself(path) => E::IntoItself(self.mine(path)),
            E::Plain(path) => E::Plain(self.mine(path)),
            E::Denied { path, right } => E::Denied { path: self.mine(path), right },
            E::Io { path, source } => E::Io { path: self.mine(path), source },
            other @ (E::Root | E::Name(_) | E::Part | E::Full(_) | E::Unavailable) => other,
        }
    }
}
