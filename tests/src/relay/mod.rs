//! A network that counts, and misbehaves on demand: a UDP relay between workers and a server.
//!
//! The count is of UDP payload, headers of QUIC and retransmissions included, and independent of everything our own
//! programs say about themselves. It needs no rights: loss, doubling, turned bits, overtaking, delay, a rate with a
//! queue, a narrow spot, black-outs and a NAT that forgets are all made here. Every client (every flow of a session that
//! has several) gets a socket of its own toward the server.

mod late;
mod line;

pub use line::Faults;

use late::{Goal, Late};
use line::Direction;
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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

#[derive(Debug)]
struct Shared {
    up: AtomicU64,
    down: AtomicU64,
    /// Datagrams that a fault was done to: lost, doubled, corrupted.
    harmed: [AtomicU64; 3],
    flows: AtomicU64,
    faults: Mutex<Faults>,
    /// Upwards and downwards, each one line for all flows.
    directions: [Mutex<Direction>; 2],
    /// Bindings of earlier generations are forgotten.
    generation: AtomicU64,
    ended: AtomicBool,
}

/// Datagrams that the relay has done something to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Never arrived.
    pub lost: u64,
    /// Arrived twice.
    pub doubled: u64,
    /// Arrived with a bit turned.
    pub corrupted: u64,
}

impl Relay {
    /// A relay on a free port of 127.0.0.1 to `server`; perfect until told otherwise.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        let socket = socket();
        let address = socket.local_addr().unwrap();
        let direction = |seed| Mutex::new(Direction::new(seed, Instant::now()));
        let shared = Arc::new(Shared {
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            harmed: Default::default(),
            flows: AtomicU64::new(0),
            faults: Mutex::default(),
            directions: [direction(11), direction(12)],
            generation: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || clients(&Arc::new(socket), server, &theirs));
        Self { address, shared }
    }

    /// Where clients send to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Bytes from clients to the server so far, counted before any fault.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }

    /// Bytes from the server to clients so far, counted before any fault.
    #[must_use]
    pub fn down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }

    /// Client addresses (flows) seen so far.
    #[must_use]
    pub fn flows(&self) -> u64 {
        self.shared.flows.load(Ordering::SeqCst)
    }

    /// From now on the way is like this, in both directions.
    pub fn set(&self, faults: Faults) {
        *self.shared.faults.lock().unwrap() = faults;
    }

    /// What has been done to datagrams so far.
    #[must_use]
    pub fn harm(&self) -> Harm {
        let [lost, doubled, corrupted] = &self.shared.harmed;
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Harm { lost: count(lost), doubled: count(doubled), corrupted: count(corrupted) }
    }

    /// What a NAT does that forgets: the server sees every client at another port from now on, and answers to the old
    /// port reach nobody.
    pub fn rebind(&self) {
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
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

/// The way of one thread's datagrams.
struct Way<'a> {
    shared: &'a Shared,
    direction: &'a Mutex<Direction>,
    late: Option<Late>,
}

impl<'a> Way<'a> {
    fn up(shared: &'a Shared) -> Self {
        Self { shared, direction: &shared.directions[0], late: None }
    }

    fn down(shared: &'a Shared) -> Self {
        Self { shared, direction: &shared.directions[1], late: None }
    }

    fn carry(&mut self, bytes: &mut [u8], goal: &Goal) {
        let faults = *self.shared.faults.lock().unwrap();
        if faults == Faults::default() {
            goal.send(bytes);
            return;
        }
        let now = Instant::now();
        let [lost, doubled, corrupted] = &self.shared.harmed;
        let Some(fate) = self.direction.lock().unwrap().decide(&faults, bytes.len(), now) else {
            lost.fetch_add(1, Ordering::SeqCst);
            return;
        };
        if let Some((byte, bit)) = fate.turned {
            corrupted.fetch_add(1, Ordering::SeqCst);
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << bit;
            }
        }
        let times = 1 + u64::from(fate.again);
        doubled.fetch_add(times - 1, Ordering::SeqCst);
        for _ in 0..times {
            if fate.arrives <= now {
                goal.send(bytes);
            } else {
                self.late.get_or_insert_with(Late::new).send(fate.arrives, bytes.to_vec(), goal.clone());
            }
        }
    }
}

/// Takes datagrams of all clients.
fn clients(near: &Arc<UdpSocket>, server: SocketAddr, shared: &Arc<Shared>) {
    let mut far: HashMap<SocketAddr, Goal> = HashMap::new();
    let mut way = Way::up(shared);
    let mut generation = 0;
    let mut buffer = vec![0; 65536];
    while !shared.ended.load(Ordering::SeqCst) {
        let Ok((length, client)) = near.recv_from(&mut buffer) else { continue };
        let now = shared.generation.load(Ordering::SeqCst);
        if std::mem::replace(&mut generation, now) != now {
            far.clear();
        }
        let far = far.entry(client).or_insert_with(|| {
            let socket = Arc::new(socket());
            socket.connect(server).unwrap();
            shared.flows.fetch_add(1, Ordering::SeqCst);
            let goal = Goal { socket: Arc::clone(near), to: Some(client) };
            let (back, shared) = (Arc::clone(&socket), Arc::clone(shared));
            std::thread::spawn(move || answers(&back, &goal, now, &shared));
            Goal { socket, to: None }
        });
        // Counted before it can have any effect, so that nobody sees an effect that is not counted yet.
        shared.up.fetch_add(length as u64, Ordering::SeqCst);
        way.carry(&mut buffer[..length], far);
    }
}

/// Carries a server's datagrams back to one client, until its binding is forgotten.
fn answers(far: &UdpSocket, goal: &Goal, generation: u64, shared: &Shared) {
    let mut way = Way::down(shared);
    let mut buffer = vec![0; 65536];
    while !shared.ended.load(Ordering::SeqCst) && shared.generation.load(Ordering::SeqCst) == generation {
        let Ok(length) = far.recv(&mut buffer) else { continue };
        if shared.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        shared.down.fetch_add(length as u64, Ordering::SeqCst);
        way.carry(&mut buffer[..length], goal);
    }
}
