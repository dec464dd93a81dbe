//! From a server's address to a connection, or to words that tell the user what is in the way.

use crate::blame::{Place, Tcp, Udp, patience, verdict};
use crate::endpoint::{Reach, transport};
use crate::failure::from_connection;
use crate::heard::Heard;
use crate::identity::Identity;
use crate::rate::Limits;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Failure, ServerAddress};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connecting, Connection, ConnectionError, Endpoint, EndpointConfig, TransportErrorCode};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

/// A handshake that is over by then needs nobody's opinion.
const PROBE_AFTER: Duration = Duration::from_millis(250);
/// UDP is asked again for a refusal this often.
const ASK_AGAIN: Duration = Duration::from_millis(700);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 3;

/// A connection and who is at its other end.
pub(crate) struct Connected {
    pub(crate) endpoint: Endpoint,
    pub(crate) connection: Connection,
    /// Of the server's certificate.
    pub(crate) fingerprint: String,
}

/// Connects; tries a name's addresses in turn.
pub(crate) async fn connect(server: &ServerAddress, limits: Arc<Limits>) -> Result<Connected, Failure> {
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    let unknown = |why: &str| Failure::new(ErrorCode::ControlFailed, format!("the name {host} is not known{why}"));
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, server.data_port)],
        Err(_) => tokio::net::lookup_host((host, server.data_port))
            .await
            .map_err(|e| unknown(&format!(": {e}")))?
            .take(ADDRESSES)
            .collect(),
    };
    let mut last = unknown("");
    for address in addresses {
        match one(server, host, address, limits.clone()).await {
            Ok(connected) => return Ok(connected),
            // A wrong certificate is an answer; another address would not make it right.
            Err(failure) if failure.code == ErrorCode::Insecure => return Err(failure),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn one(
    server: &ServerAddress,
    host: &str,
    address: SocketAddr,
    limits: Arc<Limits>,
) -> Result<Connected, Failure> {
    let internal = |e: &dyn std::fmt::Display| Failure::new(ErrorCode::Internal, e.to_string());
    let expected = server.identity.clone();
    let identity = tokio::task::spawn_blocking(move || Identity::new(&expected)).await.map_err(|e| internal(&e))??;
    let crypto = QuicClientConfig::try_from(identity.tls.clone()).map_err(|e| internal(&e))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    let data = |e: &dyn std::fmt::Display| Failure::new(ErrorCode::DataConnection, e.to_string());
    let (endpoint, heard, granted) = listening(any(address)).map_err(|e| data(&e))?;
    config.transport_config(transport(limits, Reach::to(address, granted)));
    // A name that TLS cannot carry still works with a fingerprint.
    let connecting = endpoint
        .connect_with(config.clone(), address, host)
        .or_else(|_| endpoint.connect_with(config, address, "server.invalid"))
        .map_err(|e| data(&e))?;
    let place = Place { ip: address.ip(), udp: address.port(), tcp: server.tcp_port };
    let connection = match (Attempt { connecting, heard: &heard, place }).settle().await {
        Ok(connection) => connection,
        Err(Silent::Because(failure)) => return Err(failure),
        Err(Silent::Refused(error)) => return Err(identity.refusal().unwrap_or_else(|| refused(&error))),
    };
    let fingerprint = identity.seen().unwrap_or_default().to_owned();
    Ok(Connected { endpoint, connection, fingerprint })
}

/// An endpoint that tells whether anything came in.
fn listening(address: SocketAddr) -> io::Result<(Endpoint, Arc<AtomicBool>, u64)> {
    let bound = crate::socket::bind(address)?;
    let (socket, heard) = Heard::new(bound.socket);
    let config = crate::socket::fitted(EndpointConfig::default());
    let endpoint = Endpoint::new_with_abstract_socket(config, None, socket, Arc::new(quinn::TokioRuntime))?;
    Ok((endpoint, heard, bound.granted))
}

/// A session under way to this address. `heard` turns true with the first packet that comes back.
struct Attempt<'a> {
    connecting: Connecting,
    heard: &'a AtomicBool,
    place: Place,
}

/// Why there is no connection.
enum Silent {
    Because(Failure),
    Refused(ConnectionError),
}

impl Attempt<'_> {
    /// Waits for the handshake and, if UDP stays silent, finds out whose fault that is.
    async fn settle(mut self) -> Result<Connection, Silent> {
        if let Ok(answer) = tokio::time::timeout(PROBE_AFTER, &mut self.connecting).await {
            return answer.map_err(Silent::Refused);
        }
        let begin = Instant::now();
        let (mut tcp, mut udp) = (Tcp::Pending, Udp::Silent);
        let (ask_tcp, ask_udp) = (ask_tcp(SocketAddr::new(self.place.ip, self.place.tcp)), ask_udp(self.place));
        tokio::pin!(ask_tcp, ask_udp);
        loop {
            if self.heard.load(Ordering::Relaxed) {
                udp = Udp::Heard;
            }
            let deadline = begin + patience(&tcp, &udp);
            tokio::select! {
                biased;
                answer = &mut self.connecting => return answer.map_err(Silent::Refused),
                said = &mut ask_tcp, if tcp == Tcp::Pending => tcp = said,
                why = &mut ask_udp, if udp == Udp::Silent => udp = Udp::Refused(why),
                () = tokio::time::sleep_until(deadline) => {
                    // Something may have come in the meantime: then there is another deadline.
                    let late = udp != Udp::Heard && self.heard.load(Ordering::Relaxed);
                    if !late {
                        return Err(Silent::Because(verdict(&tcp, &udp, self.place)));
                    }
                }
            }
        }
    }
}

async fn ask_tcp(address: SocketAddr) -> Tcp {
    let begin = Instant::now();
    match TcpStream::connect(address).await {
        Ok(_) => Tcp::Answers(begin.elapsed()),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Tcp::Refused(begin.elapsed()),
        Err(e) => Tcp::Failed(e.to_string()),
    }
}

/// Returns only if the system or the network refuses packets to this address: QUIC's own socket, which is not bound to
/// one address, does not hear of that. One byte is no QUIC packet, so a server takes no notice.
async fn ask_udp(place: Place) -> String {
    let address = SocketAddr::new(place.ip, place.udp);
    let ask = async {
        let socket = UdpSocket::bind(any(address)).await?;
        socket.connect(address).await?;
        loop {
            socket.send(&[0]).await?;
            if let Ok(answer) = tokio::time::timeout(ASK_AGAIN, socket.recv(&mut [0; 1])).await {
                answer?;
            }
        }
    };
    let never: io::Result<Infallible> = ask.await;
    match never {
        Err(error) => error.to_string(),
        Ok(never) => match never {},
    }
}

/// The address to bind to for this peer.
fn any(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

fn refused(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
            Failure::new(ErrorCode::PeerAborted, "the server takes no more sessions at present")
        }
        ConnectionError::ConnectionClosed(close) => {
            Failure::new(ErrorCode::Protocol, format!("the server refuses: {close}"))
        }
        // What listens there speaks QUIC, but not ours.
        ConnectionError::TransportError(e) => Failure::new(ErrorCode::Protocol, e.to_string()),
        ConnectionError::TimedOut => Failure::new(ErrorCode::DataTimeout, "the session could not be set up"),
        ConnectionError::VersionMismatch => Failure::new(ErrorCode::Protocol, "no common version of QUIC"),
        other => from_connection(other),
    }
}
