//! A network that counts: a UDP relay between a worker and a server.
//!
//! The count is of UDP payload, headers of QUIC and retransmissions included, and independent of everything our own
//! programs say about themselves.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often the threads look whether the relay has ended.
const LOOK: Duration = Duration::from_millis(100);
/// A burst must wait in the socket while this thread has no processor: a lost datagram would be counted twice.
const SOCKET_BUFFER: usize = 8 * 1024 * 1024;

/// A running relay; ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    up: AtomicU64,
    down: AtomicU64,
    ended: AtomicBool,
}

impl Relay {
    /// A relay on a free port of 127.0.0.1 to `server`.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        let socket = socket();
        let address = socket.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || clients(&Arc::new(socket), server, &theirs));
        Self { address, shared }
    }

    /// Where clients send to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Bytes from clients to the server so far.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }

    /// Bytes from the server to clients so far.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    // As root beyond the system's limit; else as much as it gives.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER).is_err() {
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    }
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    socket.set_read_timeout(Some(LOOK)).unwrap();
    socket
}

/// Takes datagrams of all clients; every client gets a socket of its own toward the server.
fn clients(near: &Arc<UdpSocket>, server: SocketAddr, shared: &Arc<Shared>) {
    let mut far: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; 65536];
    while !shared.ended.load(Ordering::SeqCst) {
        let Ok((length, client)) = near.recv_from(&mut buffer) else { continue };
        let far = far.entry(client).or_insert_with(|| {
            let socket = Arc::new(socket());
            socket.connect(server).unwrap();
            let (near, back, shared) = (Arc::clone(near), Arc::clone(&socket), Arc::clone(shared));
            std::thread::spawn(move || answers(&back, &near, client, &shared));
            socket
        });
        // Counted before it can have any effect, so that nobody sees an effect that is not counted yet. A server that
        // is down answers with ICMP, seen as an error here: the datagram is lost, as on a real network.
        shared.up.fetch_add(length as u64, Ordering::SeqCst);
        let _ = far.send(&buffer[..length]);
    }
}

/// Carries a server's datagrams back to one client.
fn answers(far: &UdpSocket, near: &UdpSocket, client: SocketAddr, shared: &Shared) {
    let mut buffer = vec![0; 65536];
    while !shared.ended.load(Ordering::SeqCst) {
        let Ok(length) = far.recv(&mut buffer) else { continue };
        shared.down.fetch_add(length as u64, Ordering::SeqCst);
        let _ = near.send_to(&buffer[..length], client);
    }
}
