//! A client that says and does what a test wants, frame by frame.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use crate::common::Server;
use godwit_protocol::wire::{ALPN, Control, SegmentHead, SessionHello};
use godwit_protocol::worker::Credential;
use godwit_protocol::{ErrorCode, Secret};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A client of our own making.
pub struct Raw {
    pub connection: Connection,
    pub send: SendStream,
    pub recv: RecvStream,
    _endpoint: Endpoint,
}

impl Raw {
    pub async fn connect(server: &Server) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(server.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        let connection = endpoint.connect_with(config, server.address, "localhost").unwrap().await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap();
        Self { connection, send, recv, _endpoint: endpoint }
    }

    /// Logged in and allowed to upload.
    pub async fn uploading(server: &Server) -> Self {
        let mut raw = Self::connect(server).await;
        raw.login("secret").await;
        raw.frame(&json!({"t": "request", "transfer_id": "x", "direction": "send"})).await;
        raw.expect(|c| matches!(c, Control::Accepted(_))).await;
        raw
    }

    pub async fn login(&mut self, password: &str) {
        let hello = SessionHello { product: "godwit".into(), version: "0".into(), features: vec!["future".into()] };
        self.frame(&Control::Hello(hello)).await;
        let credential = Credential::Password { password: Secret::new(password) };
        self.frame(&Control::Authenticate { user: "ann".into(), credential }).await;
    }

    pub async fn frame(&mut self, frame: &impl serde::Serialize) {
        self.bytes(&serde_json::to_vec(frame).unwrap()).await;
    }

    pub async fn bytes(&mut self, body: &[u8]) {
        let _ = self.send.write_all(&(body.len() as u32).to_le_bytes()).await;
        let _ = self.send.write_all(body).await;
    }

    pub async fn next(&mut self) -> Option<Control> {
        let read = async {
            let mut length = [0; 4];
            self.recv.read_exact(&mut length).await.ok()?;
            let mut body = vec![0; u32::from_le_bytes(length) as usize];
            self.recv.read_exact(&mut body).await.ok()?;
            serde_json::from_slice(&body).ok()
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap()
    }

    pub async fn expect(&mut self, wanted: impl Fn(&Control) -> bool) -> Control {
        loop {
            let frame = self.next().await.unwrap();
            if wanted(&frame) {
                return frame;
            }
            assert!(!matches!(frame, Control::Error(_)), "{frame:?}");
        }
    }

    /// The error the server ends the session with.
    pub async fn error(mut self) -> ErrorCode {
        loop {
            match self.next().await {
                Some(Control::Error(failure)) => return failure.code,
                Some(_) => {}
                None => panic!("no error: {:?}", self.connection.close_reason()),
            }
        }
    }

    /// What the server says last, apart from its hello: an acceptance, an error or nothing.
    pub async fn last(&mut self) -> Option<Control> {
        loop {
            match self.next().await {
                Some(Control::Hello(_)) => {}
                other => return other,
            }
        }
    }

    pub async fn segment(&self, head: SegmentHead, content: &[u8], trailer: &[u8]) {
        let mut stream = self.connection.open_uni().await.unwrap();
        let _ = stream.write_all(&[&head.encode()[..], content, trailer].concat()).await;
        let _ = stream.finish();
    }

    pub async fn entries(&mut self, entries: Value) {
        self.frame(&json!({"t": "entries", "entries": entries})).await;
    }
}
