//! Who may do what: the [`Authority`] and [`Account`] that the transport asks.
//!
//! Everything in a request is the peer's: paths become [`RelPath`]s and are looked at beneath the user's root handle
//! only. The checks sit in front of the session as a whole, so that no handler can forget one.

use crate::backoff::Backoff;
use crate::config::{Settings, User, UserRoot};
use crate::password::{Checker, Hash, PasswordError};
use crate::token::{Grant, TokenError, TokenKey};
use async_trait::async_trait;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::SessionRequest;
use godwit_protocol::worker::{Credential, Failure};
use godwit_protocol::{ErrorCode, RelPath, Secret};
use godwit_transport::places::PerAddress;
use godwit_transport::root::{Kind, Root};
use godwit_transport::server::{Account, Authority, Permission};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Logins of one address that may wait or be checked at the same moment.
const LOGINS_PER_ADDRESS: usize = 64;
/// Logins of all addresses that may wait or be checked at the same moment.
const LOGINS: usize = 1024;

/// Now in seconds since the Unix epoch, for tokens.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Knows the users, the token key and the failures of the recent past.
pub struct Access {
    docroot: Arc<PathBuf>,
    users: BTreeMap<String, Arc<User>>,
    decoy: Hash,
    tokens: TokenKey,
    checker: Checker,
    backoff: Mutex<Backoff>,
    logins: PerAddress,
}

impl Access {
    /// Takes the users out of `settings`. Hashes once, so not on an async thread.
    pub fn new(settings: &Settings, tokens: TokenKey) -> Result<Self, PasswordError> {
        // As costly as the costliest real one: the answer for an unknown user is never the quick one.
        let costliest = settings.users.values().filter_map(|u| u.password.as_ref()).max_by_key(|h| h.work());
        let decoy = match costliest {
            Some(hash) => hash.decoy()?,
            None => Hash::of(&Secret::new("nobody"))?.decoy()?,
        };
        Ok(Self {
            docroot: Arc::new(settings.docroot.clone()),
            users: settings.users.iter().map(|(name, user)| (name.clone(), Arc::new(user.clone()))).collect(),
            decoy,
            tokens,
            checker: Checker::default(),
            backoff: Mutex::default(),
            logins: PerAddress::new(LOGINS, LOGINS_PER_ADDRESS),
        })
    }

    async fn by_password(&self, user: &str, password: &Secret) -> Result<UserAccount, Failure> {
        let known = self.users.get(user);
        let hash = known.and_then(|u| u.password.as_ref()).unwrap_or(&self.decoy);
        let fits = self.checker.check(hash.clone(), password.clone()).await;
        match known {
            Some(known) if fits => Ok(self.account(user, known, None)),
            _ => Err(Failure::new(ErrorCode::Authentication, "")),
        }
    }

    fn by_token(&self, user: &str, token: &Secret) -> Result<UserAccount, Failure> {
        let grant = self.tokens.verify(token, unix_now()).map_err(|e| token_failure(&e))?;
        if !user.is_empty() && user != grant.user {
            return Err(Failure::new(ErrorCode::Authentication, "the token was made for another user"));
        }
        // A token outlives neither its user nor his rights.
        let Some(known) = self.users.get(&grant.user) else {
            return Err(Failure::new(ErrorCode::Authentication, "the token's user does not exist any more"));
        };
        let name = grant.user.clone();
        Ok(self.account(&name, known, Some(grant)))
    }

    fn account(&self, name: &str, user: &Arc<User>, grant: Option<Grant>) -> UserAccount {
        UserAccount { name: name.to_owned(), user: user.clone(), docroot: self.docroot.clone(), grant }
    }

    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authority for Access {
    async fn authenticate(
        &self,
        peer: SocketAddr,
        user: &str,
        credential: &Credential,
    ) -> Result<Arc<dyn Account>, Failure> {
        let address = peer.ip();
        let Some(_place) = self.logins.enter(address) else {
            let detail = "too many logins at the same moment; try again shortly";
            return Err(Failure::new(ErrorCode::ControlFailed, detail));
        };
        let wait = self.backoff().wait(address, user, Instant::now());
        if !wait.is_zero() {
            tracing::info!(%peer, ?user, ?wait, "login waits after failures");
            tokio::time::sleep(wait).await;
        }
        let result = match credential {
            Credential::Password { password } => self.by_password(user, password).await,
            Credential::Token { token } => self.by_token(user, token),
        };
        match result {
            Ok(account) => {
                self.backoff().succeeded(address);
                tracing::info!(%peer, user = ?account.name, token = account.grant.is_some(), "login");
                Ok(Arc::new(account))
            }
            Err(failure) => {
                self.backoff().failed(address, user, Instant::now());
                tracing::warn!(%peer, ?user, reason = %failure, "login refused");
                Err(failure)
            }
        }
    }
}

/// Somebody who came in, by password or with a token.
struct UserAccount {
    name: String,
    user: Arc<User>,
    docroot: Arc<PathBuf>,
    grant: Option<Grant>,
}

#[async_trait]
impl Account for UserAccount {
    fn name(&self) -> &str {
        &self.name
    }

    async fn authorize(&self, mut request: SessionRequest) -> Result<Permission, Failure> {
        self.check_direction(request.direction)?;
        let wanted = Wanted::parse(&mut request)?;
        if let Some(grant) = &self.grant {
            grant.check_time(unix_now()).map_err(|e| token_failure(&e))?;
            for path in &wanted.paths {
                grant.check_path(path.as_ref()).map_err(|e| token_failure(&e))?;
            }
        }
        let rules = match request.direction {
            Direction::Send => self.user.upload.clone(),
            Direction::Receive => self.user.download.clone(),
        };
        let (docroot, place) = (self.docroot.clone(), self.user.root.clone());
        let direction = request.direction;
        let create = request.create_dir;
        let task = tokio::task::spawn_blocking(move || {
            let root = open_root(&docroot, &place)?;
            wanted.paths.iter().try_for_each(|path| look_at(&root, path.as_ref(), direction, create))?;
            Ok(root)
        });
        let root = task.await.map_err(|_| Failure::new(ErrorCode::Internal, ""))??;
        let (rate_cap, max_sessions) = (self.user.rate_cap, self.user.max_sessions);
        Ok(Permission { root, request, rules, rate_cap, max_sessions })
    }
}

impl UserAccount {
    fn check_direction(&self, direction: Direction) -> Result<(), Failure> {
        if let Some(grant) = &self.grant {
            grant.check_direction(direction).map_err(|e| token_failure(&e))?;
        }
        match direction {
            Direction::Send if !self.user.write => {
                Err(Failure::new(ErrorCode::Unauthorized, "this user may not upload"))
            }
            Direction::Receive if !self.user.read => {
                Err(Failure::new(ErrorCode::Unauthorized, "this user may not download"))
            }
            _ => Ok(()),
        }
    }
}

/// The places on the server that a request names; `None` is the user's whole root.
struct Wanted {
    paths: Vec<Option<RelPath>>,
}

impl Wanted {
    /// Checks every path in the request and rewrites it in its one clean form.
    fn parse(request: &mut SessionRequest) -> Result<Self, Failure> {
        for suffix in [&request.partial_suffix, &request.checkpoint_suffix].into_iter().flatten() {
            // A suffix becomes part of a name: nothing in it may make another path of that.
            let fits = suffix.starts_with('.') && suffix.len() <= 32 && !suffix.contains('/');
            if !fits || format!("x{suffix}").parse::<RelPath>().is_err() {
                return Err(Failure::new(ErrorCode::BadPath, format!("suffix '{}'", shown(suffix))));
            }
        }
        let paths = match request.direction {
            Direction::Send => {
                let folder = user_path(&request.destination_root)?;
                request.destination_root = clean(folder.as_ref());
                vec![folder]
            }
            Direction::Receive => {
                let mut paths = Vec::with_capacity(request.paths.len());
                for path in &mut request.paths {
                    let source = user_path(&path.source)?;
                    path.source = clean(source.as_ref());
                    paths.push(source);
                }
                if paths.is_empty() {
                    return Err(Failure::new(ErrorCode::NothingToTransfer, "the request names no path"));
                }
                paths
            }
        };
        Ok(Self { paths })
    }
}

/// Reads a path as clients write it: `/` (or nothing) is the user's root, a leading `/` starts there too.
pub fn user_path(text: &str) -> Result<Option<RelPath>, Failure> {
    let bare = text.trim_matches('/');
    if bare.is_empty() {
        return Ok(None);
    }
    match bare.parse() {
        Ok(path) => Ok(Some(path)),
        Err(reason) => Err(Failure::new(ErrorCode::BadPath, format!("'{}': {reason}", shown(text)))),
    }
}

fn clean(path: Option<&RelPath>) -> String {
    path.map_or_else(String::new, ToString::to_string)
}

/// A peer's text for a message: bounded, and unable to break a line or a terminal.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(|c| c.escape_debug()).collect()
}

fn token_failure(error: &TokenError) -> Failure {
    let code = match error {
        TokenError::Direction(_) | TokenError::Path(_) => ErrorCode::Unauthorized,
        _ => ErrorCode::Authentication,
    };
    Failure::new(code, error.to_string())
}

/// The user's root, opened anew for each session: a disk that was mounted meanwhile is seen.
fn open_root(docroot: &PathBuf, place: &UserRoot) -> Result<Root, Failure> {
    let internal = |error: &dyn std::fmt::Display| {
        // The client learns nothing of the server's folders; the log does.
        tracing::error!(%error, ?docroot, ?place, "the user's docroot cannot be opened");
        Failure::new(ErrorCode::Internal, "the server's administrator must look at this user's docroot")
    };
    match place {
        UserRoot::Main => Root::open(docroot).map_err(|e| internal(&e)),
        UserRoot::Absolute(path) => Root::open(path).map_err(|e| internal(&e)),
        UserRoot::Below(folder) => {
            let main = Root::open(docroot).map_err(|e| internal(&e))?;
            main.create_dir_all(folder).and_then(|_| main.descend(Some(folder))).map_err(|e| internal(&e))
        }
    }
}

/// Refuses what can be refused before the session starts. It is only a first look: the session opens everything
/// beneath the root handle again, so a change in between gains nothing.
fn look_at(root: &Root, path: Option<&RelPath>, direction: Direction, create: bool) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
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

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
