//! From a server's address to a connection, or to words that tell the user what is in the way.

use crate::endpoint::{endpoint, transport};
use crate::failure::from_connection;
use crate::identity::Identity;
use crate::rate::Limits;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Failure, ServerAddress};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connecting, Connection, ConnectionError, Endpoint, EndpointConfig};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Without an answer over UDP for so long, TCP is asked to find out who is silent.
const UDP_PATIENCE: Duration = Duration::from_secs(3);
/// How long TCP may take to answer.
const TCP_PATIENCE: Duration = Duration::from_secs(3);
/// UDP may still answer until so long after TCP did: lossy paths need more than one try.
const UDP_GRACE: Duration = Duration::from_secs(4);
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
    config.transport_config(transport(limits));
    let local = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let data = |e: &dyn std::fmt::Display| Failure::new(ErrorCode::DataConnection, e.to_string());
    let endpoint = endpoint(local, EndpointConfig::default(), None).map_err(|e| data(&e))?;
    // A name that TLS cannot carry still works with a fingerprint.
    let connecting = endpoint
        .connect_with(config.clone(), address, host)
        .or_else(|_| endpoint.connect_with(config, address, "server.invalid"))
        .map_err(|e| data(&e))?;
    let connection = match settle(connecting, SocketAddr::new(address.ip(), server.tcp_port)).await {
        Ok(connection) => connection,
        Err(Silent::Because(failure)) => return Err(failure),
        Err(Silent::Refused(error)) => return Err(identity.refusal().unwrap_or_else(|| refused(&error))),
    };
    let fingerprint = identity.seen().unwrap_or_default().to_owned();
    Ok(Connected { endpoint, connection, fingerprint })
}

enum Silent {
    Because(Failure),
    Refused(ConnectionError),
}

/// Waits for the handshake and, if UDP is silent, asks TCP whose fault that is.
async fn settle(mut connecting: Connecting, tcp: SocketAddr) -> Result<Connection, Silent> {
    if let Ok(answer) = tokio::time::timeout(UDP_PATIENCE, &mut connecting).await {
        return answer.map_err(Silent::Refused);
    }
    let probe = async {
        match tokio::time::timeout(TCP_PATIENCE, TcpStream::connect(tcp)).await {
            Ok(Ok(_)) => {
                tokio::time::sleep(UDP_GRACE).await;
                Failure::new(ErrorCode::DataTimeout, format!("TCP {tcp} answers, UDP does not"))
            }
            Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
                Failure::new(ErrorCode::ControlFailed, format!("nobody listens at {tcp}"))
            }
            Ok(Err(e)) => Failure::new(ErrorCode::ControlFailed, format!("{tcp}: {e}")),
            Err(_) => Failure::new(ErrorCode::ControlTimeout, tcp.to_string()),
        }
    };
    tokio::select! {
        answer = connecting => answer.map_err(Silent::Refused),
        failure = probe => Err(Silent::Because(failure)),
    }
}

fn refused(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectionClosed(close) => {
            Failure::new(ErrorCode::PeerAborted, format!("the server refuses: {close}"))
        }
        ConnectionError::TransportError(e) => Failure::new(ErrorCode::DataConnection, e.to_string()),
        ConnectionError::VersionMismatch => Failure::new(ErrorCode::Protocol, "no common version of QUIC"),
        other => from_connection(other),
    }
}
