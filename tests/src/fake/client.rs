//! A fake client, for the real server.

use super::{Peer, Step};
use godwit_protocol::wire::ALPN;
use quinn::Endpoint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Makes connections to one server, all from one socket.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    server: SocketAddr,
    user: String,
    password: String,
    config: quinn::ClientConfig,
}

impl Client {
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn of(server: &crate::Server) -> Self {
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
        let (user, password) = (server.user().to_owned(), server.password().to_owned());
        Self { endpoint, server: server.data, user, password, config: config(ALPN) }
    }

    /// A connection with a control stream on which nothing was said.
    pub async fn connect(&self) -> Peer {
        self.try_connect(self.config.clone()).await.unwrap()
    }

    /// The same, from a server that may refuse it; why it did.
    pub async fn knock(&self) -> Result<Peer, String> {
        self.try_connect(self.config.clone()).await
    }

    /// The first packets of connections with which nobody will carry on. Needs a runtime of several threads.
    #[must_use]
    pub fn first_packets(&self, count: usize) -> Vec<Vec<u8>> {
        let sink = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        sink.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (mut held, mut packets) = (Vec::new(), BTreeMap::new());
        let mut buffer = [0; 2_048];
        while packets.len() < count {
            // Kept open: what is given up says goodbye.
            let address = sink.local_addr().unwrap();
            held.push(self.endpoint.connect_with(self.config.clone(), address, "localhost").unwrap());
            while packets.len() < held.len() {
                let length = sink.recv(&mut buffer).unwrap();
                // The id that the client has chosen for the server; the same again is the same packet again.
                let id = buffer[6..6 + usize::from(buffer[5])].to_vec();
                packets.entry(id).or_insert_with(|| buffer[..length].to_vec());
            }
        }
        packets.into_values().collect()
    }

    /// Whether a connection for another application protocol comes about.
    pub async fn speaks(&self, alpn: &[u8]) -> bool {
        self.try_connect(config(alpn)).await.is_ok()
    }

    async fn try_connect(&self, config: quinn::ClientConfig) -> Result<Peer, String> {
        let connecting = self.endpoint.connect_with(config, self.server, "localhost").map_err(|e| e.to_string())?;
        let connection = connecting.await.map_err(|e| e.to_string())?;
        let (send, recv) = connection.open_bi().await.map_err(|e| e.to_string())?;
        Ok(Peer::new(connection, send, recv))
    }

    /// The hello.
    #[must_use]
    pub fn hello() -> Value {
        json!({"t": "hello", "product": "godwit", "version": "0", "features": []})
    }

    /// The right credentials.
    #[must_use]
    pub fn authenticate(&self) -> Value {
        self.login_with(&self.password)
    }

    /// Some credentials.
    #[must_use]
    pub fn login_with(&self, password: &str) -> Value {
        json!({"t": "authenticate", "user": self.user, "credential": {"method": "password", "password": password}})
    }

    /// A session that may upload, under a transfer id of its own.
    #[must_use]
    pub fn uploading(&self, id: &str) -> Vec<Step> {
        let request = json!({"t": "request", "transfer_id": id, "direction": "send", "destination_root": id,
            "create_dir": true});
        self.accepted(request)
    }

    /// A session that downloads a file.
    #[must_use]
    pub fn downloading(&self, id: &str, path: &str) -> Vec<Step> {
        let mut steps = self
            .accepted(json!({"t": "request", "transfer_id": id, "direction": "receive", "paths": [{"source": path}]}));
        steps.push(Step::Expect("entries-end"));
        steps
    }

    fn accepted(&self, request: Value) -> Vec<Step> {
        vec![
            Step::Frame(Self::hello()),
            Step::Frame(self.authenticate()),
            Step::Frame(request),
            Step::Expect("accepted"),
        ]
    }
}

fn config(alpn: &[u8]) -> quinn::ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(120).try_into().unwrap()));
    transport.keep_alive_interval(Some(Duration::from_secs(2)));
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    config
}

/// An attacker does not care whom he attacks.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC is TLS 1.3".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
