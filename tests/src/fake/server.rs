//! A fake server, for the real worker.

use super::{Peer, Step};
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::ALPN;
use godwit_protocol::worker::{
    Credential, PathPair, RateSettings, ServerAddress, ServerIdentity, Start, TransferOptions,
};
use quinn::{Endpoint, VarInt};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Takes one connection after the other on a port of 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Server {
    endpoint: Endpoint,
    address: SocketAddr,
    fingerprint: String,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let mut transport = quinn::TransportConfig::default();
        transport.max_concurrent_uni_streams(VarInt::from_u32(1_000));
        transport.max_idle_timeout(Some(Duration::from_secs(120).try_into().unwrap()));
        transport.keep_alive_interval(Some(Duration::from_secs(2)));
        config.transport_config(Arc::new(transport));
        let endpoint = Endpoint::server(config, ([127, 0, 0, 1], 0).into()).unwrap();
        let address = endpoint.local_addr().unwrap();
        let mut fingerprint = "SHA256:".to_owned();
        for byte in Sha256::digest(&certificate) {
            let _ = write!(fingerprint, "{byte:02x}");
        }
        Self { endpoint, address, fingerprint }
    }

    /// What a worker is told to reach it: one source, one folder.
    #[must_use]
    pub fn job(&self, direction: Direction, source: &str, root: &Path) -> Start {
        Start {
            transfer_id: "0b5e0c1e-6f0a-4a43-9d3e-000000000002".into(),
            attempt: 1,
            direction,
            server: ServerAddress {
                host: "127.0.0.1".into(),
                data_port: self.address.port(),
                tcp_port: self.address.port(),
                user: "ann".into(),
                credential: Credential::Password { password: Secret::new("secret") },
                identity: ServerIdentity { fingerprint: Some(self.fingerprint.clone()), pin: None },
            },
            paths: vec![PathPair { source: source.into(), destination: None }],
            destination_root: root.to_str().unwrap().into(),
            create_dir: true,
            options: TransferOptions::default(),
            rate: RateSettings::default(),
            sessions: 1,
            cookie: String::new(),
            root_id: None,
            protection: None,
        }
    }

    /// The next client, with its control stream; nothing was said to it.
    pub async fn accept(&self) -> Option<Peer> {
        let connection = self.endpoint.accept().await?.await.ok()?;
        let (send, recv) = connection.accept_bi().await.ok()?;
        Some(Peer::new(connection, send, recv))
    }

    /// Greets and lets in.
    #[must_use]
    pub fn welcome() -> Vec<Step> {
        vec![
            Step::Expect("request"),
            Step::Frame(json!({"t": "hello", "product": "godwit", "version": "0"})),
            Step::Frame(json!({"t": "accepted", "session_id": "fake", "rate": {}})),
        ]
    }
}
