//! A renewed certificate is taken over by both ports while the server runs.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, Running, SOON, Server, password, session};
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{Failure, Start, Stats};
use godwit_protocol::{ErrorCode, RateKbps};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A certificate with its key, as an authority would hand it out.
struct Issued {
    der: CertificateDer<'static>,
    pem: String,
    key: String,
}

impl Issued {
    fn new() -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        Self { der: cert.der().clone(), pem: cert.pem(), key: signing_key.serialize_pem() }
    }

    fn fingerprint(&self) -> String {
        godwit_transport::identity::fingerprint(&self.der)
    }

    fn install(&self, place: &Place) {
        fs::write(place.dir.path().join("chain.pem"), &self.pem).unwrap();
        fs::write(place.dir.path().join("key.pem"), &self.key).unwrap();
    }

    /// Whether the HTTPS port shows this one.
    fn is_shown_by(&self, api: SocketAddr) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(api).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        connection.complete_io(&mut stream).is_ok() && !connection.is_handshaking()
    }
}

fn upload(server: &Server, file: &Path, shown: &Issued) -> Start {
    let mut start = server.session("ann", password("right"), Direction::Send, file, "/");
    start.server.identity.fingerprint = Some(shown.fingerprint());
    start
}

fn code(result: Result<Stats, Failure>) -> Option<ErrorCode> {
    result.err().map(|failure| failure.code)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_a_renewed_certificate_is_shown_by_both_ports_after_a_hangup_and_running_sessions_go_on() {
    let place = Place::new();
    let [first, second, third] = [Issued::new(), Issued::new(), Issued::new()];
    first.install(&place);
    let config = place.dir.path().join("server.toml");
    let path = |name: &str| place.dir.path().join(name).display().to_string();
    let text = format!("certificate = '{}'\nkey = '{}'\n", path("chain.pem"), path("key.pem"));
    fs::write(&config, text).unwrap();
    let server = place.start(&["--user", "ann:right", "--config", config.to_str().unwrap()]);
    assert_eq!(server.fingerprint, first.fingerprint());
    assert!(first.is_shown_by(server.api) && !second.is_shown_by(server.api));
    let small = place.dir.path().join("small");
    fs::write(&small, "small").unwrap();
    assert_eq!(code(session(upload(&server, &small, &first)).await), None);
    let large = place.dir.path().join("large");
    fs::write(&large, vec![7; 4_000_000]).unwrap();
    let mut slow = upload(&server, &large, &first);
    slow.rate.policy = RatePolicy::Fixed;
    slow.rate.target = Some(RateKbps(8_000));
    let mut running = Running::start(slow);
    running.moving().await;

    second.install(&place);
    server.signal(Signal::HUP);
    eventually("the API shows the new one", || second.is_shown_by(server.api));
    assert!(!first.is_shown_by(server.api));
    assert_eq!(code(session(upload(&server, &small, &second)).await), None);
    let refused = code(session(upload(&server, &small, &first)).await);
    assert!(refused.is_some(), "who expects the old one does not talk to the new one");
    let info = Client::new(server.http).get("/info").json();
    assert!(info.to_string().contains(&second.fingerprint()) && !info.to_string().contains(&first.fingerprint()));

    // Two files that do not fit each other change nothing.
    fs::write(place.dir.path().join("key.pem"), &third.key).unwrap();
    server.signal(Signal::HUP);
    eventually("the log says what is wrong", || place.log().contains("the old one stays in force"));
    assert!(second.is_shown_by(server.api));
    assert_eq!(code(session(upload(&server, &small, &second)).await), None);

    assert_eq!(code(running.end().await), None);
    assert_eq!(fs::read(place.docroot().join("large")).unwrap(), vec![7; 4_000_000]);
}
