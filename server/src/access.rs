//! Who comes in: checks what clients prove themselves with, on the data port and the API alike, and slows those down who
//! guess.
//!
//! Answers are the same for an unknown name and a wrong password, after the same work.

use crate::account::UserAccount;
use crate::backoff::Backoff;
use crate::bearer;
use crate::catalogue::CatalogueError;
use crate::directory::{Directory, Known, Principal};
use crate::metrics::{self, Metrics};
use crate::password::Checker;
use crate::sessions::{Opened, Sessions};
use crate::state::StateError;
use crate::token::{Grant, TokenError, TokenKey};
use crate::verified::Verified;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::worker::{Credential, Failure};
use godwit_protocol::{ErrorCode, Secret};
use godwit_transport::places::PerAddress;
use godwit_transport::server::{Account, Authority};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// Logins of one address that may wait or be checked at the same moment.
const LOGINS_PER_ADDRESS: usize = 64;
/// Logins of all addresses that may wait or be checked at the same moment.
const LOGINS: usize = 1024;
/// Queues for the check of passwords, see [`Verified::queue`].
const QUEUES: usize = 64;
/// What `/info` tells clients to log in as when they come with a token: the token says who they are.
pub const TRANSFER_USER: &str = "xfer";

/// Now in seconds since the Unix epoch, for tokens.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// What somebody comes with.
pub enum Proof {
    /// Name of a user or access key, and password or secret.
    Password(String, Secret),
    /// A transfer token of ours, with the login name that came along.
    Token(String, Secret),
    /// A web application's token; the access key if it was named beside it.
    Bearer(Option<String>, Secret),
}

impl Proof {
    /// Reads an HTTP `Authorization` value; `key` is the access key named beside it.
    #[must_use]
    pub fn from_header(value: &str, key: Option<&str>) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(key.map(str::to_owned), Secret::new(rest)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Password(name.to_owned(), Secret::new(password)))
    }

    fn name(&self) -> &str {
        match self {
            Self::Password(name, _) | Self::Token(name, _) => name,
            Self::Bearer(key, _) => key.as_deref().unwrap_or_default(),
        }
    }
}

/// Why somebody does not come in.
#[derive(Debug)]
pub enum Refused {
    /// The proof is no good.
    Wrong(Failure),
    /// Too many are being looked at right now.
    Busy,
    /// Too many failures from there; how long it lasts.
    Banned(Duration),
    /// The catalogue failed; the log says more.
    Broken,
}

/// Somebody who came in.
pub struct Login {
    /// Who.
    pub principal: Principal,
    /// By a transfer token: what it allows.
    pub grant: Option<Grant>,
    /// By a web application's token for one of its users: who that is.
    pub on_behalf: Option<String>,
    /// For that user only, with his permissions.
    pub limited: bool,
}

/// Knows the users, the token key and the failures of the recent past. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    directory: Directory,
    tokens: TokenKey,
    checker: Checker,
    verified: Mutex<Verified>,
    queues: [tokio::sync::Mutex<()>; QUEUES],
    sessions: Mutex<Sessions>,
    backoff: Mutex<Backoff>,
    logins: PerAddress,
    metrics: Metrics,
}

impl Access {
    /// Fails only if the system gives no random bytes.
    pub fn new(directory: Directory, tokens: TokenKey) -> Result<Self, StateError> {
        Ok(Self(Arc::new(Inner {
            directory,
            tokens,
            checker: Checker::default(),
            verified: Mutex::new(Verified::new().map_err(|_| StateError::Random)?),
            queues: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            sessions: Mutex::new(Sessions::new().map_err(|_| StateError::Random)?),
            backoff: Mutex::default(),
            logins: PerAddress::new(LOGINS, LOGINS_PER_ADDRESS),
            metrics: Metrics::default(),
        })))
    }

    /// Everybody.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Makes transfer tokens.
    #[must_use]
    pub fn tokens(&self) -> &TokenKey {
        &self.0.tokens
    }

    /// Runs something that may block, such as a look into the catalogue.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, CatalogueError> + Send + 'static,
    ) -> Result<T, CatalogueError> {
        let access = self.clone();
        let task = tokio::task::spawn_blocking(move || work(&access));
        task.await.unwrap_or_else(|_| Err(CatalogueError::Record("a call broke".into())))
    }

    /// Looks at a proof. Takes a while for an address that has guessed wrong before.
    pub async fn login(&self, address: IpAddr, proof: Proof) -> Result<Login, Refused> {
        let result = self.look(address, proof).await;
        match &result {
            Ok(_) => self.metrics().login(metrics::Login::Accepted),
            Err(Refused::Wrong(_)) => self.metrics().login(metrics::Login::Refused),
            Err(Refused::Banned(_)) => self.metrics().login(metrics::Login::Banned),
            Err(Refused::Busy) => self.metrics().login(metrics::Login::Busy),
            Err(Refused::Broken) => {}
        }
        result
    }

    async fn look(&self, address: IpAddr, proof: Proof) -> Result<Login, Refused> {
        if let Some(rest) = self.backoff().banned(address, Instant::now()) {
            return Err(Refused::Banned(rest));
        }
        if let Proof::Password(name, password) = &proof
            && let Some(login) = self.known_password(name, password).await?
        {
            return Ok(login);
        }
        let Some(_place) = self.0.logins.enter(address) else { return Err(Refused::Busy) };
        let name = proof.name().to_owned();
        let wait = self.backoff().wait(address, &name, Instant::now());
        if !wait.is_zero() {
            tracing::info!(%address, user = ?name, ?wait, "login waits after failures");
            tokio::time::sleep(wait).await;
        }
        let result = match proof {
            Proof::Password(name, password) => self.by_password(name, password).await,
            Proof::Token(name, token) => self.by_token(name, token).await,
            Proof::Bearer(key, token) => self.by_bearer(key, token).await,
        };
        match &result {
            Ok(_) => self.backoff().succeeded(address),
            Err(Refused::Wrong(failure)) => {
                self.backoff().failed(address, &name, Instant::now());
                tracing::warn!(%address, user = ?name, reason = %failure, "login refused");
            }
            Err(_) => {}
        }
        result
    }

    /// Signs somebody in to the web application, like any other login.
    pub async fn sign_in(&self, address: IpAddr, name: &str, password: Secret) -> Result<(Login, Opened), Refused> {
        // Read before it is checked: if it is changed meanwhile, the session is bound to the old one and worth nothing.
        let hash = self.find(name.to_owned()).await?.and_then(|known| known.password);
        let login = self.login(address, Proof::Password(name.to_owned(), password)).await?;
        let Some(hash) = hash else { return Err(wrong("")) };
        let life = self.0.directory.settings().web.life;
        let opened = self.sessions().open(name, &hash, life, Instant::now());
        opened.map(|opened| (login, opened)).map_err(|error| {
            tracing::error!(%error, "no random numbers for a session");
            Refused::Broken
        })
    }

    /// Who a cookie of the web application stands for; nobody if the session has ended, or the user or password changed.
    pub async fn signed_in(&self, cookie: &str) -> Result<Option<Login>, Refused> {
        let life = self.0.directory.settings().web.life;
        let name = self.sessions().name(cookie, life, Instant::now());
        let Some(name) = name else { return Ok(None) };
        let known = self.find(name).await?;
        let fits = self.sessions().fits(cookie, known.as_ref().and_then(|known| known.password.as_ref()));
        Ok(known.filter(|_| fits).map(|known| Login::of(known.principal)))
    }

    /// Who is signed in to the web application.
    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody who proved himself a short while ago: no waiting, no hashing.
    async fn known_password(&self, name: &str, password: &Secret) -> Result<Option<Login>, Refused> {
        let fresh = |known: &Known| {
            known.password.as_ref().is_some_and(|hash| self.verified().knows(hash, password, Instant::now()))
        };
        // The common case needs no look into the catalogue. Only who is let in notices: all others take the same way.
        if let Some(known) = self.0.directory.configured(name).filter(fresh) {
            return Ok(Some(Login::of(known.principal)));
        }
        let known = self.find(name.to_owned()).await?;
        Ok(known.filter(fresh).map(|known| Login::of(known.principal)))
    }

    async fn by_password(&self, name: String, password: Secret) -> Result<Login, Refused> {
        let known = self.find(name).await?;
        let hash = known.as_ref().and_then(|k| k.password.clone());
        let hash = hash.unwrap_or_else(|| self.0.directory.decoy());
        // Fifty clients that begin with the same password cost one computation.
        let queue = self.verified().queue(&hash, &password, QUEUES);
        let _turn = match self.0.queues.get(queue) {
            Some(queue) => Some(queue.lock().await),
            None => None,
        };
        let already = self.verified().knows(&hash, &password, Instant::now());
        let fits = already || self.0.checker.check(hash.clone(), password.clone()).await;
        match known {
            Some(known) if fits && known.password.is_some() => {
                if !already {
                    self.verified().add(&hash, &password, Instant::now());
                }
                Ok(Login::of(known.principal))
            }
            _ => Err(wrong("")),
        }
    }

    async fn by_token(&self, name: String, token: Secret) -> Result<Login, Refused> {
        let grant = self.0.tokens.verify(&token, unix_now()).map_err(|e| Refused::Wrong(token_failure(&e)))?;
        if !name.is_empty() && name != TRANSFER_USER && name != grant.user {
            return Err(wrong("the token was made for another user"));
        }
        let id = grant.id.clone();
        let revoked = self.blocking(move |a| a.0.directory.catalogue().is_revoked(&id)).await.map_err(broken)?;
        if revoked {
            return Err(Refused::Wrong(token_failure(&TokenError::Revoked)));
        }
        // A token outlives neither its user nor his rights.
        let Some(known) = self.find(grant.user.clone()).await? else {
            return Err(wrong("the token's user does not exist any more"));
        };
        Ok(Login { grant: Some(grant), ..Login::of(known.principal) })
    }

    async fn by_bearer(&self, key: Option<String>, token: Secret) -> Result<Login, Refused> {
        let Some(sealed) = bearer::open(token.expose()) else { return Err(wrong("")) };
        if key.is_some_and(|key| key != sealed.key) {
            return Err(wrong(""));
        }
        let known = self.find(sealed.key.clone()).await?;
        let Some((principal, key)) = known.and_then(|k| k.principal.key.clone().map(|key| (k.principal, key))) else {
            return Err(wrong(""));
        };
        let now = OffsetDateTime::from(SystemTime::now());
        let claims = key.verification_key.as_deref().and_then(|pem| sealed.verify(pem, now));
        let Some(claims) = claims else { return Err(wrong("")) };
        if claims.scope().is_some_and(|(_, all)| all) {
            return Ok(Login { on_behalf: Some(claims.user_id), ..Login::of(principal) });
        }
        let limited = self.blocking(move |access| {
            let principal = access.0.directory.limited(principal, &claims.user_id, &claims.group_ids)?;
            Ok(Login { on_behalf: Some(claims.user_id), limited: true, ..Login::of(principal) })
        });
        limited.await.map_err(broken)
    }

    async fn find(&self, name: String) -> Result<Option<Known>, Refused> {
        self.blocking(move |access| access.0.directory.find(&name)).await.map_err(broken)
    }

    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.0.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verified(&self) -> MutexGuard<'_, Verified> {
        self.0.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    fn of(principal: Principal) -> Self {
        Self { principal, grant: None, on_behalf: None, limited: false }
    }
}

fn wrong(detail: &str) -> Refused {
    Refused::Wrong(Failure::new(ErrorCode::Authentication, detail))
}

fn broken(error: CatalogueError) -> Refused {
    tracing::error!(%error, "the catalogue failed during a login");
    Refused::Broken
}

/// As clients are told.
pub(crate) fn token_failure(error: &TokenError) -> Failure {
    let code = match error {
        TokenError::Direction(_) | TokenError::Path(_) => ErrorCode::Unauthorized,
        _ => ErrorCode::Authentication,
    };
    Failure::new(code, error.to_string())
}

#[async_trait]
impl Authority for Access {
    async fn authenticate(
        &self,
        peer: SocketAddr,
        user: &str,
        credential: &Credential,
    ) -> Result<Arc<dyn Account>, Failure> {
        let proof = match credential {
            Credential::Password { password } => Proof::Password(user.to_owned(), password.clone()),
            // Clients of the API by file ids pass on what they logged in there with.
            Credential::Token { token } => {
                Proof::from_header(token.expose(), None).unwrap_or_else(|| Proof::Token(user.to_owned(), token.clone()))
            }
        };
        match self.login(peer.ip(), proof).await {
            Ok(login) => {
                tracing::info!(%peer, user = ?login.principal.name, token = login.grant.is_some(), "login");
                Ok(Arc::new(UserAccount::new(login, peer.ip(), self.clone())))
            }
            Err(Refused::Wrong(failure)) => Err(failure),
            Err(Refused::Busy) => {
                let detail = "too many logins at the same moment; try again shortly";
                Err(Failure::new(ErrorCode::ControlFailed, detail))
            }
            Err(Refused::Banned(rest)) => {
                tracing::info!(%peer, ?rest, "login refused unseen after many failures");
                let detail = format!("too many failed logins from your address; try again in {} s", rest.as_secs() + 1);
                Err(Failure::new(ErrorCode::ControlFailed, detail))
            }
            Err(Refused::Broken) => Err(Failure::new(ErrorCode::Internal, "")),
        }
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
