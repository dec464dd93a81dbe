//! The server's end: accepts connections, asks an [`Authority`] who the caller is and what he may do, and runs the
//! session. It knows nothing of how users, tokens and limits are kept.

use crate::TransportError;
use crate::allot::{Allotment, ROUND};
use crate::endpoint::{Reach, transport};
use crate::holders::Holders;
use crate::identity::server_tls;
use crate::places::PerAddress;
use crate::rate::Limits;
use crate::root::Root;
use crate::rules::Rules;
use crate::serve::serve;
use crate::sessions::Sessions;
use async_trait::async_trait;
use godwit_protocol::RateKbps;
use godwit_protocol::wire::{SessionRequest, SessionResult};
use godwit_protocol::worker::{Credential, Failure, RateSettings, Stats};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::crypto::{self, CryptoError};
use quinn::{Endpoint, EndpointConfig, Incoming, ServerConfig};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// For the farewells after the drain.
const FAREWELL: Duration = Duration::from_secs(4);

/// Strangers whose first packets wait for [`DataServer::admit`]: a moment each. More are dropped without a state of their own.
const MOST_INCOMING: usize = 4_096;
/// Bytes of packets kept for each of them, and for all.
const INCOMING: u64 = 64 * 1024;
const INCOMING_TOTAL: u64 = 16 * 1024 * 1024;

/// Knows who may come in.
#[async_trait]
pub trait Authority: Send + Sync + 'static {
    /// Checks the proof; a refusal is code 19 and says nothing about which part was wrong.
    async fn authenticate(
        &self,
        peer: SocketAddr,
        user: &str,
        credential: &Credential,
    ) -> Result<Arc<dyn Account>, Failure>;
}

/// Somebody who came in.
#[async_trait]
pub trait Account: Send + Sync {
    /// Name for the log.
    fn name(&self) -> &str;
    /// Decides on a request: where its root is and what of it is granted.
    async fn authorize(&self, request: SessionRequest) -> Result<Permission, Failure>;
    /// The session is over: how, and what it moved. Called once for every session that was authorised.
    async fn ended(&self, _outcome: Result<SessionResult, Failure>, _stats: Stats) {}
}

/// What an account may do in this session.
pub struct Permission {
    /// Every path of the session lies beneath this folder.
    pub root: Root,
    /// The request as narrowed: paths, folder, policies.
    pub request: SessionRequest,
    /// Caps, defaults and locks for this session.
    pub rules: Rules,
    /// All sessions of the account together are no faster than this in the direction of this one.
    pub rate_cap: Option<RateKbps>,
    /// Sessions the account may have at once; absent: as many as the server.
    pub max_sessions: Option<usize>,
}

/// Tunables of a data server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Sessions at once; more are refused at the handshake. Default 256. Each costs at most about 128 MiB of buffers.
    pub max_sessions: usize,
    /// Of these (further connections of a session count too), from one address (see [`network`](crate::places::network)). Default 64.
    pub max_per_address: usize,
    /// All sessions together are no faster than this, in each direction by itself. Default: no limit.
    pub rate_cap: Option<RateKbps>,
    /// Connections of one session, with the first. Default 8. Each may hold its own buffers.
    pub max_connections: u32,
    /// Time a client has from the first packet to its request. Default 15 s. Shorter hurts clients on bad lines,
    /// longer lets strangers hold connections.
    pub login_timeout: Duration,
    /// How long running sessions may go on after shutdown was asked. Default 30 s.
    pub drain_timeout: Duration,
    /// A session in which nothing moves for so long ends with code 40. Default 60 s.
    pub stall_timeout: Duration,
    /// Wait for the disk before a received file gets its final name. Default true; false is faster and loses recent
    /// files at a power failure, never at a crash of the server.
    pub fsync: bool,
    /// Version told in the hello. Default: this crate's.
    pub version: String,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_sessions: 256,
            max_per_address: 64,
            rate_cap: None,
            max_connections: 8,
            login_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            fsync: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// A certificate and its key, ready for connections.
#[derive(Clone)]
pub struct Credentials(Arc<dyn crypto::ServerConfig>);

impl Credentials {
    /// `key` belongs to the first certificate.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TransportError> {
        let tls = server_tls(certificates, key)?;
        Ok(Self(Arc::new(QuicServerConfig::try_from(tls).map_err(|e| rustls::Error::General(e.to_string()))?)))
    }
}

/// A bound data server.
pub struct DataServer {
    endpoint: Endpoint,
    local: SocketAddr,
    /// Bytes the kernel has room for on our socket.
    granted: u64,
    crypto: watch::Sender<Credentials>,
    shared: Arc<Shared>,
    places: PerAddress,
}

/// What all sessions of a server share.
pub(crate) struct Shared {
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) options: ServerOptions,
    pub(crate) holders: Arc<Holders>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) allotment: Arc<Allotment>,
}

impl DataServer {
    /// Binds the UDP port. `key` belongs to the first certificate.
    pub fn bind(
        addr: SocketAddr,
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authority: Arc<dyn Authority>,
        options: ServerOptions,
    ) -> Result<Self, TransportError> {
        let config_for_restarts = crate::socket::fitted(recognising_predecessors(key.secret_der()));
        let crypto = Credentials::new(certificates, key)?;
        let config = server_config(&crypto, &Arc::new(Limits::new(RateSettings::default())), Reach::Beyond);
        let bound = crate::socket::bind(addr).map_err(|source| TransportError::Bind { address: addr, source })?;
        let (granted, runtime) = (bound.granted, Arc::new(quinn::TokioRuntime));
        let endpoint = Endpoint::new_with_abstract_socket(config_for_restarts, Some(config), bound.socket, runtime)
            .map_err(|source| TransportError::Bind { address: addr, source })?;
        let local = endpoint.local_addr()?;
        let allotment = Arc::new(Allotment::new(options.rate_cap));
        let (holders, sessions) = (Arc::default(), Arc::default());
        let places = PerAddress::new(options.max_sessions, options.max_per_address);
        let shared = Arc::new(Shared { authority, options, holders, sessions, allotment });
        let crypto = watch::Sender::new(crypto);
        Ok(Self { endpoint, local, granted, crypto, shared, places })
    }

    /// The address in use, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What is sent here new connections get from then on; those that stand keep theirs.
    #[must_use]
    pub fn credentials(&self) -> watch::Sender<Credentials> {
        self.crypto.clone()
    }

    /// Serves until `shutdown` turns true (or its sender goes), then drains: no new sessions; running ones get
    /// [`ServerOptions::drain_timeout`], then code 39.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let (abort, aborted) = watch::channel(false);
        let mut sessions = JoinSet::new();
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                now = rounds.tick() => self.shared.allotment.round(now.into_std()),
                _ = shutdown.wait_for(|stop| *stop) => break,
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.admit(incoming, &mut sessions, &aborted),
                    None => break,
                },
                Some(ended) = sessions.join_next() => report_panic(&ended),
            }
        }
        self.endpoint.set_server_config(None);
        tracing::info!(sessions = sessions.len(), "draining");
        let drained = async {
            loop {
                tokio::select! {
                    now = rounds.tick() => self.shared.allotment.round(now.into_std()),
                    ended = sessions.join_next() => if ended.is_none() { break },
                }
            }
        };
        if tokio::time::timeout(self.shared.options.drain_timeout, drained).await.is_err() {
            let _ = abort.send(true);
            let ended = async { while sessions.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(FAREWELL, ended).await;
        }
        self.endpoint.close(0u32.into(), b"the server has stopped");
        let _ = tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }

    fn admit(&self, incoming: Incoming, sessions: &mut JoinSet<()>, aborted: &watch::Receiver<bool>) {
        let most = self.shared.options.max_sessions;
        // Half full, strangers must show that their address is their own before they cost anything.
        if sessions.len() >= most / 2 && !incoming.remote_address_validated() && incoming.may_retry() {
            let _ = incoming.retry();
            return;
        }
        let Some(place) = self.places.enter(incoming.remote_address().ip()) else {
            tracing::warn!(peer = %incoming.remote_address(), "too many sessions");
            incoming.refuse();
            return;
        };
        // Every connection has its own limits, before anybody knows whose it is.
        let limits = Arc::new(Limits::new(RateSettings::default()));
        let reach = Reach::of(incoming.remote_address().ip(), incoming.local_ip(), self.granted);
        let credentials = self.crypto.borrow().clone();
        match incoming.accept_with(Arc::new(server_config(&credentials, &limits, reach))) {
            Ok(connecting) => {
                sessions.spawn(serve(self.shared.clone(), connecting, limits, aborted.clone(), place));
            }
            Err(error) => tracing::debug!(%error, "not accepted"),
        }
    }
}

fn server_config(credentials: &Credentials, limits: &Arc<Limits>, reach: Reach) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(credentials.0.clone());
    config.transport_config(transport(limits.clone(), reach));
    config.max_incoming(MOST_INCOMING).incoming_buffer_size(INCOMING).incoming_buffer_size_total(INCOMING_TOTAL);
    config
}

/// A restarted server with the same key recognises the packets of its predecessor's sessions and tells the clients at
/// once that those are gone; else they would wait for the idle time. Both the connection ids and the reset tokens must
/// be the same for that: packets whose id a server cannot have given are dropped without an answer.
fn recognising_predecessors(secret: &[u8]) -> EndpointConfig {
    let reset = ResetKey(blake3::derive_key("godwit 2026 QUIC stateless reset", secret));
    let ids = blake3::derive_key("godwit 2026 QUIC connection ids", secret);
    let ids = ids.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte));
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn report_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a session broke");
    }
}

/// Key of stateless resets.
struct ResetKey([u8; 32]);

impl crypto::HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let mac = blake3::keyed_hash(&self.0, data);
        for (out, byte) in signature_out.iter_mut().zip(mac.as_bytes()) {
            *out = *byte;
        }
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mac = blake3::keyed_hash(&self.0, data);
        let given = <[u8; 32]>::try_from(signature).map_err(|_| CryptoError)?;
        // Compared in constant time by blake3's own type.
        if mac == blake3::Hash::from_bytes(given) { Ok(()) } else { Err(CryptoError) }
    }
}
