//! What TLS can do and the server must not let it do: data before the handshake is over, which could be a request sent twice;
//! a second handshake on a connection; versions of old.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::SOON;
use godwit_tests::{Scratch, Server, ServerOptions};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps what the server gives for the next visit, and reads more into it than it says: that data may come early.
#[derive(Debug)]
struct Liar {
    kept: ClientSessionMemoryCache,
    allowed: Mutex<Vec<u32>>,
}

impl ClientSessionStore for Liar {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(name)
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.kept.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.allowed.lock().unwrap().push(value.max_early_data_size());
        self.kept.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut value = self.kept.take_tls13_ticket(name)?;
        value._private_set_max_early_data_size(u32::MAX);
        Some(value)
    }
}

/// A client that trusts this server, and the tickets that it was given.
fn client(server: &Server, alpn: &[u8]) -> (ClientConfig, Arc<Liar>) {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(server.state().join("certificate.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.enable_early_data = true;
    let liar = Arc::new(Liar { kept: ClientSessionMemoryCache::new(8), allowed: Mutex::default() });
    config.resumption = Resumption::store(liar.clone());
    (config, liar)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.api).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn t28_https_takes_nothing_before_the_handshake_is_over() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let (config, liar) = client(&server, b"http/1.1");
    let config = Arc::new(config);
    let name = ServerName::try_from("localhost").unwrap();
    let ping = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let first = ClientConnection::new(config.clone(), name.clone()).unwrap();
    let mut stream = rustls::StreamOwned::new(first, connect(&server));
    stream.write_all(ping).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    let allowed = liar.allowed.lock().unwrap().clone();
    assert!(
        !allowed.is_empty() && allowed.iter().all(|most| *most == 0),
        "tickets, and none for early data: {allowed:?}"
    );

    // Whoever sends early all the same, as one who has listened and repeats would.
    let mut second = ClientConnection::new(config, name).unwrap();
    let login = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{}:{}", server.user(), server.password()),
    );
    let body = r#"{"paths":[{"type":"directory","path":"/early"}]}"#;
    let head = format!("POST /files/create HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n");
    let create = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    second.early_data().expect("the lie works").write_all(create.as_bytes()).unwrap();
    let mut stream = rustls::StreamOwned::new(second, connect(&server));
    let sent = stream.write_all(ping);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!stream.conn.is_early_data_accepted());
    assert!(sent.is_err() || answer.is_empty() || answer.starts_with(b"HTTP/1.1 200 "), "the ping's answer or none");
    assert!(!server.docroot().join("early").exists(), "what came early was done");

    // Without the lie the ticket is good: the handshake was resumed, only shorter.
    if sent.is_ok() && !answer.is_empty() {
        assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Resumed));
    }
    // The same request at its time is done.
    let (config, _) = client(&server, b"http/1.1");
    let third = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(third, connect(&server));
    stream.write_all(create.replacen("Host: localhost", "Host: localhost\r\nConnection: close", 1).as_bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(server.docroot().join("early").is_dir(), "the request is one that the server does");
}

#[test]
fn t28_the_data_port_takes_nothing_before_the_handshake_is_over() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (config, liar) = client(&server, godwit_protocol::wire::ALPN);
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
        let connect = || endpoint.connect_with(config.clone(), server.data, "localhost").unwrap();
        let first = connect().await.unwrap();
        let deadline = tokio::time::Instant::now() + SOON;
        while liar.allowed.lock().unwrap().is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "the server gives no tickets");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(liar.allowed.lock().unwrap().iter().all(|most| *most == 0));
        first.close(0u32.into(), b"");

        let Ok((second, accepted)) = connect().into_0rtt() else { panic!("the lie does not work") };
        let (mut send, _recv) = second.open_bi().await.unwrap();
        send.write_all(b"early").await.unwrap();
        assert!(!tokio::time::timeout(SOON, accepted).await.unwrap(), "early data were taken");
        assert!(send.write_all(b"more").await.is_err(), "the stream of before is gone");
    });
}

/// What `openssl s_client` says when it is given this to type, line by line, each after a word that it waits for.
fn s_client(server: &Server, arguments: &[&str], lines: &[(&str, &str)]) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &server.api.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let outputs: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    let readers = outputs.map(|mut output| {
        let said = said.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                said.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        })
    });
    let text = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    let mut stdin = child.stdin.take().unwrap();
    for (awaited, line) in lines {
        godwit_tests::wait::until_true(&format!("'{awaited}' of openssl"), SOON, || text().contains(awaited));
        let _ = stdin.write_all(line.as_bytes());
    }
    godwit_tests::until("openssl ends", SOON, || child.try_wait().unwrap());
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    text()
}

#[test]
fn t28_no_handshake_is_made_twice_and_none_of_an_old_version() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    // R at the beginning of a line asks for another handshake.
    let said = s_client(&server, &["-tls1_2"], &[("Verify return code", "R\n")]);
    assert!(said.contains("Protocol  : TLSv1.2") && said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    for old in ["-tls1", "-tls1_1"] {
        let said = s_client(&server, &[old, "-cipher", "ALL:@SECLEVEL=0"], &[]);
        // Which alert it is depends on what the old versions' hello offers.
        assert!(said.contains(" alert ") && !said.contains("BEGIN CERTIFICATE"), "{old}: {said}");
    }
    let alive = s_client(&server, &["-tls1_3"], &[("Verify return code", "Q\n")]);
    assert!(alive.contains("TLSv1.3"), "{alive}");
}
