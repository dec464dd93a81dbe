//! What somebody who came in on the data port may do there: the [`Account`] that the transport asks.
//!
//! Everything in a request is the peer's: paths become [`NodePath`]s and are looked at beneath the user's root only. The
//! checks sit in front of the session as a whole, so that no handler can forget one.

use crate::access::{Access, Login, token_failure, unix_now};
use crate::catalogue::FileId;
use crate::directory::Principal;
use crate::node_path::{NodePath, shown};
use crate::rights::Right;
use crate::storage::StorageError;
use crate::transfers::{Progress, finished, now_usec};
use async_trait::async_trait;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{SessionRequest, SessionResult};
use godwit_protocol::worker::{Failure, Stats};
use godwit_protocol::{ErrorCode, RelPath};
use godwit_transport::root::{Kind, Root};
use godwit_transport::server::{Account, Permission};
use serde_json::json;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Longest id of a transfer, bytes.
const MAX_ID: usize = 128;

/// Somebody who came in, by password or with a token.
pub(crate) struct UserAccount {
    login: Login,
    peer: IpAddr,
    access: Access,
    /// What is written down of the session, once it is let in.
    session: Mutex<Option<Progress>>,
}

impl UserAccount {
    pub(crate) fn new(login: Login, peer: IpAddr, access: Access) -> Self {
        Self { login, peer, access, session: Mutex::default() }
    }

    /// The folder that the request's paths are relative to: the caller's root, or the one of the id that it names.
    async fn base(&self, request: &SessionRequest) -> Result<NodePath, Failure> {
        let Some(id) = &request.root_id else { return Ok(NodePath::ROOT) };
        let gone = || Failure::new(ErrorCode::NoSuchFile, "there is no folder of this id");
        let id = FileId(id.parse().map_err(|_| gone())?);
        let placed = self.access.blocking(move |a| a.directory().catalogue().place(id)).await;
        let placed = placed.map_err(|error| {
            tracing::error!(%error, "the catalogue failed");
            Failure::new(ErrorCode::Internal, "")
        })?;
        let principal = &self.login.principal;
        let placed = placed.filter(|placed| placed.tree == principal.tree).ok_or_else(gone)?;
        NodePath::parse(&placed.path).ok().and_then(|path| path.below(principal.files.base())).ok_or_else(gone)
    }

    async fn begun(&self, request: &SessionRequest) {
        let name = self.login.principal.name.clone();
        let spec = json!({
            "direction": if request.direction == Direction::Send { "send" } else { "receive" },
            "destination_root": request.destination_root,
            "paths": request.paths,
            "cookie": request.cookie,
        });
        let id = request.transfer_id.clone();
        let mut progress = Progress::new(id, name, spec, self.peer.to_string(), now_usec());
        progress.rate = request.rate;
        self.access.metrics().session_began();
        self.write(&progress).await;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    async fn write(&self, progress: &Progress) {
        let record = progress.record(now_usec());
        // The transfer itself matters more than what is written down of it.
        let written = self.access.blocking(move |a| a.directory().catalogue().put_transfer(&record, false)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "a transfer could not be written down");
        }
    }
}

#[async_trait]
impl Account for UserAccount {
    fn name(&self) -> &str {
        // Keys count with their owner: a key more is not a limit more.
        let Principal { owner, .. } = &self.login.principal;
        owner
    }

    async fn authorize(&self, mut request: SessionRequest) -> Result<Permission, Failure> {
        let principal = &self.login.principal;
        let direction = request.direction;
        let base = self.base(&request).await?;
        let wanted = wanted(&mut request, &base)?;
        if request.transfer_id.len() > MAX_ID {
            return Err(Failure::new(ErrorCode::Usage, "the transfer's id is too long"));
        }
        if let Some(grant) = &self.login.grant {
            grant.check_time(unix_now()).map_err(|e| token_failure(&e))?;
            grant.check_direction(direction).map_err(|e| token_failure(&e))?;
            grant.check_paths(&wanted).map_err(|e| token_failure(&e))?;
        }
        let (right, rules) = match direction {
            Direction::Send => (Right::Edit, principal.upload.clone()),
            Direction::Receive => (Right::View, principal.download.clone()),
        };
        let root = principal.files.data_root(&wanted, right).await.map_err(|e| refused(&e))?;
        let create = request.create_dir;
        let task = tokio::task::spawn_blocking(move || {
            wanted.iter().filter_map(NodePath::as_rel).try_for_each(|path| look_at(&root, path, direction, create))?;
            Ok::<_, Failure>(root)
        });
        let root = task.await.map_err(|_| Failure::new(ErrorCode::Internal, ""))??;
        if principal.files.is_encrypted_only() {
            // What is on its way shall not look like a file that has arrived, whatever name a client would give it.
            request.partial_suffix = None;
            request.checkpoint_suffix = None;
        }
        let (rate_cap, max_sessions) = (principal.rate_cap, principal.max_sessions);
        self.begun(&request).await;
        Ok(Permission { root, request, rules, rate_cap, max_sessions })
    }

    async fn ended(&self, outcome: Result<SessionResult, Failure>, stats: Stats) {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(session) = session else { return };
        let upload = session.start_spec.get("direction").is_some_and(|direction| direction == "send");
        self.access.metrics().session_ended(upload, outcome.is_ok(), stats.bytes_transferred);
        let outcome = match outcome {
            Ok(result) if result.failed > 0 => Err(Failure::new(ErrorCode::SomeFilesFailed, "")),
            Ok(_) => Ok(stats.clone()),
            Err(failure) => Err(failure),
        };
        let progress = finished(Progress { stats, ..session }, outcome);
        tracing::info!(
            target: "transfer", id = progress.id, user = ?progress.owner, peer = progress.peer, status = progress.status,
            bytes = progress.stats.bytes_transferred, error = progress.error.0, "transfer ended"
        );
        self.write(&progress).await;
    }
}

fn refused(error: &StorageError) -> Failure {
    match error {
        StorageError::Denied { right: Right::Edit, .. } => {
            Failure::new(ErrorCode::Unauthorized, "this user may not upload there")
        }
        StorageError::Denied { .. } => Failure::new(ErrorCode::Unauthorized, "this user may not download from there"),
        StorageError::Unavailable => {
            Failure::new(ErrorCode::Internal, "the server's administrator must look at this user's docroot")
        }
        StorageError::Plain(_) => Failure::new(ErrorCode::FileEncryption, error.to_string()),
        StorageError::Full(_) => Failure::new(ErrorCode::NoSpace, error.to_string()),
        StorageError::Link(_) => Failure::new(ErrorCode::BadPath, error.to_string()),
        StorageError::NotFound(_) => Failure::new(ErrorCode::NoSuchFile, error.to_string()),
        other => Failure::new(ErrorCode::Internal, other.to_string()),
    }
}

/// The places on the server that a request names. Checks every path in it and rewrites it in its one clean form.
fn wanted(request: &mut SessionRequest, base: &NodePath) -> Result<Vec<NodePath>, Failure> {
    for suffix in [&request.partial_suffix, &request.checkpoint_suffix].into_iter().flatten() {
        // A suffix becomes part of a name: nothing in it may make another path of that.
        let fits = suffix.starts_with('.') && suffix.len() <= 32 && !suffix.contains('/');
        if !fits || format!("x{suffix}").parse::<RelPath>().is_err() {
            return Err(Failure::new(ErrorCode::BadPath, format!("suffix '{}'", shown(suffix))));
        }
    }
    if request.direction == Direction::Send {
        let folder = below(base, &request.destination_root)?;
        request.destination_root = folder.as_str().to_owned();
        return Ok(vec![folder]);
    }
    let mut paths = Vec::with_capacity(request.paths.len());
    for path in &mut request.paths {
        let source = below(base, &path.source)?;
        path.source = source.as_str().to_owned();
        paths.push(source);
    }
    if paths.is_empty() {
        return Err(Failure::new(ErrorCode::NothingToTransfer, "the request names no path"));
    }
    Ok(paths)
}

fn below(base: &NodePath, text: &str) -> Result<NodePath, Failure> {
    let path = user_path(text)?;
    base.join(&path).map_err(|reason| Failure::new(ErrorCode::BadPath, format!("'{}': {reason}", shown(text))))
}

/// Reads a path as clients write it, see [`NodePath::parse`].
pub fn user_path(text: &str) -> Result<NodePath, Failure> {
    NodePath::parse(text).map_err(|reason| Failure::new(ErrorCode::BadPath, format!("'{}': {reason}", shown(text))))
}

/// Refuses what can be refused before the session starts. It is only a first look: the session opens everything
/// beneath the root handle again, so a change in between gains nothing.
fn look_at(root: &Root, path: &RelPath, direction: Direction, create: bool) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        let code = ErrorCode::from_io(error, false);
        // Links are never followed here. Depending on where one stands, the system calls it a loop or no folder.
        let link = code == ErrorCode::LinkLoop || code == ErrorCode::NotDirectory && has_link(root, path);
        let path = shown(path.as_str());
        match link {
            true => Failure::new(ErrorCode::BadPath, format!("'/{path}': links are not followed")),
            false => Failure::new(code, format!("'/{path}'")),
        }
    };
    match direction {
        Direction::Send => match root.folder(Some(path)) {
            Ok(_) => Ok(()),
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed(&e)),
        },
        Direction::Receive => match root.stat(path) {
            Ok(meta) if meta.kind == Kind::Link => Err(failed(&io::Error::from_raw_os_error(40))), // ELOOP
            Ok(_) => Ok(()),
            // Missing sources are told one by one in the session, so that the others still arrive.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed(&e)),
        },
    }
}

/// Whether `path` or a folder above it is a link.
fn has_link(root: &Root, path: &RelPath) -> bool {
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if root.stat(&path).is_ok_and(|meta| meta.kind == Kind::Link) {
            return true;
        }
        at = path.parent();
    }
    false
}
