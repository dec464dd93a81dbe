//! Accepting TCP connections: one loop for all ports, with the limits that must sit before any protocol.

use godwit_transport::places::PerAddress;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections of all addresses to one port. Idle ones leave after some seconds, so that even this many strangers hold
/// places for a short while only.
pub const CONNECTIONS: usize = 8_192;
/// Connections of one address to one port: web applications call from one.
pub const CONNECTIONS_PER_ADDRESS: usize = 256;
/// Rest after a failed accept (no file handles left, say), so that the loop does not spin.
const REST: Duration = Duration::from_millis(100);

/// Accepts until `shutdown` turns true, and returns when the last connection has ended. A connection over a limit is closed
/// without a word: answering would cost what the limit protects.
pub async fn accept_loop<H, F>(
    listener: TcpListener,
    name: &'static str,
    mut shutdown: watch::Receiver<bool>,
    handler: H,
) where
    H: Fn(TcpStream, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let places = PerAddress::new(CONNECTIONS, CONNECTIONS_PER_ADDRESS);
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.enter(peer.ip()) else {
                    tracing::debug!(%peer, name, "connection over the limit");
                    continue;
                };
                // The end of an answer of several segments would wait for the other side's acknowledgement, up to 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, name, %error, "answers may be a little late");
                }
                let handler = handler.clone();
                connections.spawn(async move {
                    handler(stream, peer).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, name, "accept failed");
                tokio::time::sleep(REST).await;
            }
        }
    }
    // Nobody new comes in from here on, not even into the system's queue.
    drop(listener);
    while connections.join_next().await.is_some() {}
}
