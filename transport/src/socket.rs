//! UDP sockets: large kernel buffers, and receive buffers of our own no larger than what the kernel can hand over.

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, EndpointConfig, Runtime as _, TokioRuntime, UdpPoller};
use rustix::net::sockopt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Asked of the kernel for both directions; the usual 208 KiB are less than 2 ms at 1 Gbit/s.
const ASKED: usize = 16 * 1024 * 1024;
/// Less than this is worth a line in the log: at 1 Gbit/s a program that is not scheduled for 8 ms loses packets.
const FAIR: usize = 1024 * 1024;
/// What fits into one message of the kernel, be it one packet or many joined; the largest UDP payload there can be.
const MESSAGE: u16 = 65_527;
/// Messages taken from the kernel at once. More would push each other out of the cache before they are looked at.
const MESSAGES: usize = 8;
/// The largest UDP payload that a path inside the machine carries, with either version of IP.
pub(crate) const MOST_PAYLOAD: u16 = 65_480;

/// A socket for quinn.
pub(crate) struct Bound {
    pub(crate) socket: Arc<dyn AsyncUdpSocket>,
    /// Bytes of the kernel's receive buffer.
    pub(crate) granted: u64,
}

/// Binds a socket with large buffers.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Bound> {
    let (socket, granted) = large(address)?;
    Ok(Bound { socket: Arc::new(Socket(TokioRuntime.wrap_udp_socket(socket)?)), granted })
}

/// Settings of an endpoint on such a socket.
pub(crate) fn fitted(mut config: EndpointConfig) -> EndpointConfig {
    // Cannot fail: it is above the least size there is.
    let _ = config.max_udp_payload_size(MESSAGE);
    config
}

fn large(address: SocketAddr) -> io::Result<(UdpSocket, u64)> {
    let socket = UdpSocket::bind(address)?;
    // With the privilege the kernel's limit does not apply; without it, the usual call gets what it may.
    if sockopt::set_socket_recv_buffer_size_force(&socket, ASKED).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(&socket, ASKED);
    }
    let _ = sockopt::set_socket_send_buffer_size(&socket, ASKED);
    let granted = sockopt::socket_recv_buffer_size(&socket).unwrap_or(0);
    // The kernel tells twice what it was asked for, to cover its own book-keeping.
    if granted < 2 * FAIR {
        tracing::warn!(
            %address,
            bytes = granted / 2,
            "the kernel grants a small receive buffer, fast transfers may lose packets; raise net.core.rmem_max and \
             net.core.wmem_max to 16777216"
        );
    } else {
        tracing::debug!(%address, granted, "socket buffer");
    }
    Ok((socket, granted as u64))
}

/// quinn makes room for 64 packets of the largest size in each of 32 messages: 128 MiB where packets may be of 64 KiB.
/// The kernel never joins more than 64 KiB.
#[derive(Debug)]
struct Socket(Arc<dyn AsyncUdpSocket>);

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.0.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let most = bufs.len().min(MESSAGES);
        match bufs.get_mut(..most) {
            Some(bufs) => self.0.poll_recv(cx, bufs, meta),
            None => Poll::Pending,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        1
    }
}
