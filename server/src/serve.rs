//! The running server: binds every port, then serves until told to stop, then drains.

use crate::access::Access;
use crate::api::{self, Api};
use crate::catalogue::{Catalogue, CatalogueError, Sqlite};
use crate::certificate::{CertificateError, Identity};
use crate::config::Settings;
use crate::directory::Directory;
use crate::http;
use crate::password::PasswordError;
use crate::port_answer;
use crate::reload::Reload;
use crate::state::{StateDir, StateError};
use crate::token::{KeyError, TokenKey};
use crate::transfers::{Ops, now_usec};
use godwit_transport::server::{Authority, Credentials, DataServer, ServerOptions};
use godwit_transport::{TransportError, identity};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How often a free pair of equal UDP and TCP port numbers is sought when any number will do.
const PAIR_ATTEMPTS: usize = 32;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// State folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Token key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The data port, or the certificate is not usable for TLS.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A TCP port cannot be had.
    #[error(
        "TCP {address} ({what}) cannot be opened: {source}. Is another server running there? {option} chooses another port"
    )]
    Bind {
        /// What was wanted.
        address: SocketAddr,
        /// Which port of ours.
        what: &'static str,
        /// The command-line option.
        option: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The docroot is missing or no folder.
    #[error("docroot {path}: {reason}")]
    Docroot {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A task of ours ended by a panic.
    #[error("the server stopped by a fault of its own; its log says more")]
    Crashed,
}

/// The certificate in force, where each port takes it from.
#[derive(Clone)]
pub(crate) struct Identities {
    acceptor: watch::Sender<TlsAcceptor>,
    data: watch::Sender<Credentials>,
    fingerprint: watch::Sender<String>,
}

/// A certificate that every port can use.
pub(crate) struct Usable {
    acceptor: TlsAcceptor,
    data: Credentials,
    fingerprint: String,
}

impl Usable {
    pub(crate) fn new(identity: &Identity) -> Result<Self, ServeError> {
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(tls_config(identity)?)),
            data: Credentials::new(identity.chain.clone(), identity.key.clone_key())?,
            fingerprint: identity.chain.first().map(|c| identity::fingerprint(c)).unwrap_or_default(),
        })
    }
}

impl Identities {
    /// New connections get this one from now on.
    pub(crate) fn set(&self, Usable { acceptor, data, fingerprint }: Usable) {
        self.acceptor.send_replace(acceptor);
        self.data.send_replace(data);
        let before = self.fingerprint.send_replace(fingerprint.clone());
        if before != fingerprint {
            tracing::info!(before, fingerprint, "another certificate is in force");
        }
    }
}

/// Every port is open; nothing is served yet (connections wait in the system's queues).
pub struct Bound {
    data: DataServer,
    answer: TcpListener,
    api: TcpListener,
    plain: TcpListener,
    identities: Identities,
    addresses: [SocketAddr; 3],
    access: Access,
    drain: Duration,
}

impl Bound {
    /// Prepares state and docroot, then binds. Makes the certificate and the token key on first start.
    pub async fn open(settings: Settings) -> Result<Self, ServeError> {
        let prepare = tokio::task::spawn_blocking(move || prepare(settings));
        let (settings, identity, access) = prepare.await.map_err(|_| ServeError::Crashed)??;
        let authority: Arc<dyn Authority> = Arc::new(access.clone());
        let options = ServerOptions {
            max_sessions: settings.max_sessions,
            max_per_address: settings.max_sessions_per_address,
            rate_cap: settings.rate_cap,
            max_connections: settings.max_connections,
            login_timeout: settings.login,
            stall_timeout: settings.stall,
            drain_timeout: settings.drain,
            fsync: settings.fsync,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let Usable { acceptor, fingerprint, .. } = Usable::new(&identity)?;
        let (data, answer) = bind_pair(&settings, &identity, &authority, &options).await?;
        let api = SocketAddr::new(settings.bind, settings.api_port);
        let plain = SocketAddr::new(settings.http_bind, settings.http_port);
        let api = bind_tcp(api, "API, HTTPS", "--api-port").await?;
        let plain = bind_tcp(plain, "API, plain HTTP", "--http-port").await?;
        let local = |listener: &TcpListener| listener.local_addr().map_err(TransportError::Io);
        let addresses = [data.local_addr(), local(&api)?, local(&plain)?];
        let identities = Identities {
            acceptor: watch::Sender::new(acceptor),
            data: data.credentials(),
            fingerprint: watch::Sender::new(fingerprint),
        };
        Ok(Self { data, answer, api, plain, identities, addresses, access, drain: settings.drain })
    }

    /// The line that tells a parent process, or a person, that connections are accepted.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let [data, api, http] = self.addresses;
        format!("ready data={data} api={api} http={http} fingerprint={}", *self.identities.fingerprint.borrow())
    }

    /// Whether nobody could log in.
    #[must_use]
    pub fn is_without_users(&self) -> bool {
        let directory = self.access.directory();
        directory.settings().users.is_empty() && directory.catalogue().users().is_ok_and(|users| users.is_empty())
    }

    /// What takes a changed configuration over while the server runs.
    #[must_use]
    pub fn reload(&self) -> Reload {
        Reload::new(self.access.clone(), self.identities.clone())
    }

    /// Serves until `shutdown` turns true, then lets running sessions and requests end.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<(), ServeError> {
        let data_port = self.data.local_addr().port();
        let ops = Ops::new(self.access.clone());
        let fingerprint = self.identities.fingerprint.subscribe();
        let api = Api { access: self.access, fingerprint, data_port, ops };
        let router = api::router(Arc::new(api));
        let acceptor = self.identities.acceptor.subscribe();
        tokio::spawn(port_answer::run(self.answer, shutdown.clone()));
        let api = http::run_tls(self.api, acceptor, router.clone(), shutdown.clone());
        let plain = http::run_plain(self.plain, router, shutdown.clone());
        let requests = tokio::spawn(drained(api, plain, self.drain, shutdown.clone()));
        // A task of its own: a panic in it must end the process with an error, not hang it.
        tokio::spawn(self.data.run(shutdown.clone())).await.map_err(|_| ServeError::Crashed)?;
        if *shutdown.borrow() {
            requests.await.map_err(|_| ServeError::Crashed)?;
        }
        Ok(())
    }
}

/// Runs both ports of the API until `shutdown`; requests under way then get as long as sessions do.
async fn drained(
    api: impl Future<Output = ()>,
    plain: impl Future<Output = ()>,
    limit: Duration,
    mut shutdown: watch::Receiver<bool>,
) {
    let both = async { tokio::join!(api, plain) };
    let late = async {
        let _ = shutdown.wait_for(|stop| *stop).await;
        tokio::time::sleep(limit).await;
    };
    tokio::select! {
        _ = both => {}
        () = late => tracing::warn!("requests that took too long were cut off"),
    }
}

fn prepare(settings: Settings) -> Result<(Settings, Identity, Access), ServeError> {
    let docroot = |reason: String| ServeError::Docroot { path: settings.docroot.clone(), reason };
    if settings.make_docroot {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&settings.docroot).map_err(|e| docroot(e.to_string()))?;
    }
    match std::fs::metadata(&settings.docroot) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(docroot("is not a folder".into())),
        Err(error) => return Err(docroot(error.to_string())),
    }
    let state = StateDir::open(&settings.state)?;
    let identity = match &settings.certificate {
        Some((certificate, key)) => Identity::from_files(certificate, key)?,
        None => Identity::load_or_make(&state)?,
    };
    if let Some(words) = Sqlite::loss(&state) {
        tracing::warn!("{words}");
    }
    let catalogue: Arc<dyn Catalogue> = Arc::new(Sqlite::open(&state)?);
    catalogue.close_transfers(now_usec(), "the server ended before the transfer did")?;
    let directory = Directory::new(Arc::new(settings.clone()), catalogue)?;
    let access = Access::new(directory, TokenKey::load_or_make(&state)?)?;
    Ok((settings, identity, access))
}

pub(crate) fn tls_config(identity: &Identity) -> Result<rustls::ServerConfig, ServeError> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TransportError::Certificate)?
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(TransportError::Certificate)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Binds the data port for UDP and the same number for TCP. With port 0 the pair is sought.
async fn bind_pair(
    settings: &Settings,
    identity: &Identity,
    authority: &Arc<dyn Authority>,
    options: &ServerOptions,
) -> Result<(DataServer, TcpListener), ServeError> {
    let wanted = SocketAddr::new(settings.bind, settings.data_port);
    let mut attempt = 0;
    loop {
        let key = identity.key.clone_key();
        let data = DataServer::bind(wanted, identity.chain.clone(), key, authority.clone(), options.clone())?;
        match bind_tcp(data.local_addr(), "answer on the data port", "--data-port").await {
            Ok(answer) => return Ok((data, answer)),
            // The next attempt gets another number: this one stays taken until `data` is dropped here, and the system
            // hands out UDP numbers at random.
            Err(_) if wanted.port() == 0 && attempt < PAIR_ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn bind_tcp(address: SocketAddr, what: &'static str, option: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, what, option, source })
}
