//! Real quinn-proto connections over the same virtual line: sockets and clock are the only things left out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use godwit_transport::rate::SharedRate;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig, Event, ServerConfig,
    StreamEvent, StreamId,
};

use super::link::{Fate, Link, LinkSpec};
use super::rng::Rng;
use super::transport::transport;
use super::world::BIN;
use super::{MS, SEC};

/// Size of a data stream and of one write, as the transport uses them.
const STREAM: u64 = 4 << 20;
const WRITE: usize = 256 << 10;
const STREAMS: usize = 24;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Change(usize),
    Datagram(usize, bool, usize),
    Timer(usize, bool),
    Start(usize),
    Watch(usize),
    Sample,
}

struct Side {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    armed: u64,
    heard: u64,
}

/// One session: a sending client and a receiving server.
pub struct Session {
    sides: [Side; 2],
    client_config: Option<ClientConfig>,
    pub shared: Arc<SharedRate>,
    open: HashMap<StreamId, u64>,
    connected: bool,
    pub received: Vec<u64>,
    pub sent_packets: u64,
    pub tail_drops: u64,
    pub closed: Option<String>,
}

type Change = Box<dyn FnOnce(&mut QuicWorld)>;

pub struct QuicWorld {
    pub now: u64,
    pub link: Link,
    pub sessions: Vec<Session>,
    pub queue: Vec<(u64, u64)>,
    origin: Instant,
    rng: Rng,
    events: BinaryHeap<Reverse<(u64, u64, What)>>,
    order: u64,
    datagrams: Vec<BytesMut>,
    free: Vec<usize>,
    changes: Vec<Option<Change>>,
    chunk: Bytes,
    trace: bool,
}

impl QuicWorld {
    pub fn new(spec: LinkSpec, seed: u64) -> Self {
        let mut world = Self {
            now: 0,
            link: Link::new(spec),
            sessions: Vec::new(),
            queue: Vec::new(),
            origin: Instant::now() + Duration::from_secs(1),
            rng: Rng::new(seed),
            events: BinaryHeap::new(),
            order: 0,
            datagrams: Vec::new(),
            free: Vec::new(),
            changes: Vec::new(),
            chunk: Bytes::from(vec![7; WRITE]),
            trace: std::env::var_os("RATE_TRACE").is_some(),
        };
        world.at(0, What::Sample);
        world
    }

    pub fn add(&mut self, shared: SharedRate, start: u64) -> usize {
        let id = self.sessions.len();
        let shared = Arc::new(shared);
        let cert = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(cert.signing_key.serialize_der().into());
        let mut server = ServerConfig::with_single_cert(vec![cert.cert.der().clone()], key).unwrap();
        server.transport_config(Arc::new(transport(Arc::new(SharedRate::default()), self.origin)));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert.cert.der().clone()).unwrap();
        let mut client = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
        client.transport_config(Arc::new(transport(Arc::clone(&shared), self.origin)));
        let config = Arc::new(EndpointConfig::default());
        let seed = Some([id as u8 + 1; 32]);
        let side = |server: Option<Arc<ServerConfig>>| Side {
            endpoint: Endpoint::new(Arc::clone(&config), server, true, seed),
            connection: None,
            armed: 0,
            heard: 0,
        };
        self.sessions.push(Session {
            sides: [side(None), side(Some(Arc::new(server)))],
            client_config: Some(client),
            shared,
            open: HashMap::new(),
            connected: false,
            received: Vec::new(),
            sent_packets: 0,
            tail_drops: 0,
            closed: None,
        });
        self.at(start, What::Start(id));
        id
    }

    pub fn change_at(&mut self, at: u64, change: impl FnOnce(&mut Self) + 'static) {
        self.changes.push(Some(Box::new(change)));
        self.at(at, What::Change(self.changes.len() - 1));
    }

    pub fn line_at(&mut self, at: u64, alter: impl FnOnce(&mut LinkSpec) + 'static) {
        self.change_at(at, move |world| {
            let mut spec = world.link.spec.clone();
            alter(&mut spec);
            world.link.change(world.now, spec);
        });
    }

    pub fn run(&mut self, until: u64) {
        while let Some(Reverse((at, _, _))) = self.events.peek() {
            if *at > until {
                break;
            }
            let Some(Reverse((at, _, what))) = self.events.pop() else { break };
            self.now = at;
            self.handle(what);
        }
        self.now = until;
    }

    /// Application bytes a session received in a span, bits per second.
    pub fn goodput(&self, session: usize, from: u64, to: u64) -> f64 {
        let bins = &self.sessions[session].received;
        let sum: u64 = (from / BIN..to / BIN).filter_map(|i| bins.get(i as usize)).sum();
        sum as f64 * 8.0 / ((to - from) as f64 / SEC as f64)
    }

    /// Goodput as a share of the line's limit.
    pub fn share(&self, session: usize, from: u64, to: u64) -> f64 {
        self.goodput(session, from, to) / self.link.spec.limit()
    }

    pub fn queue_ms(&self, from: u64, to: u64) -> (f64, f64) {
        let mut all: Vec<u64> = self.queue.iter().filter(|(t, _)| *t >= from && *t < to).map(|(_, q)| *q).collect();
        all.sort_unstable();
        let pick = |p: f64| all.get((all.len() as f64 * p) as usize).map_or(0.0, |q| *q as f64 / 1e6);
        (pick(0.5), pick(0.95))
    }

    fn at(&mut self, at: u64, what: What) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, what)));
    }

    fn instant(&self) -> Instant {
        self.origin + Duration::from_nanos(self.now)
    }

    fn handle(&mut self, what: What) {
        match what {
            What::Start(s) => {
                let now = self.instant();
                let session = &mut self.sessions[s];
                let config = session.client_config.take().unwrap();
                let made = session.sides[0].endpoint.connect(now, config, address(s, true), "localhost").unwrap();
                session.sides[0].connection = Some(made);
                self.at(self.now + SEC, What::Watch(s));
                self.drive(s, 0);
            }
            What::Watch(s) => self.watch(s),
            What::Datagram(s, at_server, slot) => {
                let data = std::mem::take(&mut self.datagrams[slot]);
                self.free.push(slot);
                self.deliver(s, usize::from(at_server), data);
            }
            What::Timer(s, at_server) => {
                let side = usize::from(at_server);
                let now = self.instant();
                if self.sessions[s].sides[side].armed == self.now {
                    self.sessions[s].sides[side].armed = 0;
                }
                if let Some((_, connection)) = &mut self.sessions[s].sides[side].connection
                    && connection.poll_timeout().is_some_and(|t| t <= now)
                {
                    connection.handle_timeout(now);
                }
                self.drive(s, side);
            }
            What::Change(i) => {
                if let Some(change) = self.changes[i].take() {
                    change(self);
                    for s in 0..self.sessions.len() {
                        self.drive(s, 0);
                    }
                }
            }
            What::Sample => {
                let delay = self.link.delay_now(self.now);
                self.queue.push((self.now, delay));
                if self.trace && self.now.is_multiple_of(100 * MS) {
                    self.print(delay);
                }
                self.at(self.now + 2 * MS, What::Sample);
            }
        }
    }

    /// What a session does every second at both ends: where nothing came, it asks whether the path is back.
    fn watch(&mut self, s: usize) {
        for side in 0..2 {
            let session = &mut self.sessions[s];
            let Some((_, connection)) = &mut session.sides[side].connection else { continue };
            let heard = connection.stats().udp_rx.datagrams;
            if std::mem::replace(&mut session.sides[side].heard, heard) == heard {
                if side == 0 {
                    session.shared.nudge();
                }
                connection.ping();
                self.drive(s, side);
            }
        }
        self.at(self.now + SEC, What::Watch(s));
    }

    fn print(&self, delay: u64) {
        let mut line = format!("{:7.2} q={:6.1}", self.now as f64 / 1e9, delay as f64 / 1e6);
        for (s, session) in self.sessions.iter().enumerate() {
            let seen = session.shared.observed();
            let from = self.now.saturating_sub(100 * MS);
            line += &format!(
                " | {:7.1} Mbit/s rate={:7.1} q={:5.1} base={:5.1} p0={:.3}",
                self.goodput(s, from, self.now) / 1e6,
                seen.rate as f64 / 1e6,
                seen.queue_delay.as_secs_f64() * 1e3,
                seen.base_rtt.as_secs_f64() * 1e3,
                seen.loss_floor,
            );
        }
        println!("{line}");
    }

    fn deliver(&mut self, s: usize, side: usize, data: BytesMut) {
        let now = self.instant();
        let mut buf = Vec::new();
        let this = &mut self.sessions[s].sides[side];
        match this.endpoint.handle(now, address(s, side == 0), None, None, data, &mut buf) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut this.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                if this.connection.is_none()
                    && let Ok(made) = this.endpoint.accept(incoming, now, &mut buf, None)
                {
                    this.connection = Some(made);
                }
            }
            _ => {}
        }
        self.drive(s, side);
    }

    fn drive(&mut self, s: usize, side: usize) {
        let now = self.instant();
        for _ in 0..3 {
            self.application(s, side);
            let mut outgoing: Vec<(Vec<u8>, usize)> = Vec::new();
            {
                let this = &mut self.sessions[s].sides[side];
                let Some((handle, connection)) = &mut this.connection else { return };
                while let Some(event) = connection.poll_endpoint_events() {
                    if let Some(event) = this.endpoint.handle_event(*handle, event) {
                        connection.handle_event(event);
                    }
                }
                // As many as quinn's driver sends in one round.
                for _ in 0..20 {
                    let mut buf = Vec::with_capacity(1500);
                    let Some(transmit) = connection.poll_transmit(now, 10, &mut buf) else { break };
                    outgoing.push((buf, transmit.segment_size.unwrap_or(transmit.size)));
                }
            }
            if outgoing.is_empty() {
                break;
            }
            for (buf, segment) in outgoing {
                for datagram in buf.chunks(segment.max(1)) {
                    self.put(s, side, datagram);
                }
            }
        }
        self.arm(s, side);
    }

    fn put(&mut self, s: usize, side: usize, datagram: &[u8]) {
        let arrives = if side == 0 {
            self.sessions[s].sent_packets += 1;
            match self.link.offer(self.now, datagram.len() as u64 + 28, &mut self.rng) {
                Fate::Arrives(at) => Some(at),
                Fate::TailDrop => {
                    self.sessions[s].tail_drops += 1;
                    None
                }
                Fate::Lost => None,
            }
        } else {
            self.link.back(self.now, &mut self.rng)
        };
        let Some(at) = arrives else { return };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.datagrams.push(BytesMut::new());
            self.datagrams.len() - 1
        });
        self.datagrams[slot] = BytesMut::from(datagram);
        self.at(at, What::Datagram(s, side == 0, slot));
    }

    fn arm(&mut self, s: usize, side: usize) {
        let now = self.instant();
        let this = &mut self.sessions[s].sides[side];
        let Some((_, connection)) = &mut this.connection else { return };
        let Some(due) = connection.poll_timeout() else { return };
        let wait = due.saturating_duration_since(now).as_nanos() as u64;
        // tokio's timers tick in milliseconds.
        let at = (self.now + wait).div_ceil(MS).max(self.now / MS + 1) * MS;
        if this.armed == 0 || this.armed > at || this.armed <= self.now {
            this.armed = at;
            self.at(at, What::Timer(s, side == 1));
        }
    }

    fn application(&mut self, s: usize, side: usize) {
        let bin = (self.now / BIN) as usize;
        let chunk = self.chunk.clone();
        let session = &mut self.sessions[s];
        let Some((_, connection)) = &mut session.sides[side].connection else { return };
        let mut readable = Vec::new();
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected => session.connected = true,
                Event::ConnectionLost { reason } => session.closed = Some(reason.to_string()),
                Event::Stream(StreamEvent::Readable { id }) => readable.push(id),
                _ => {}
            }
        }
        if side == 1 {
            while let Some(id) = connection.streams().accept(Dir::Uni) {
                readable.push(id);
            }
            if session.received.len() <= bin {
                session.received.resize(bin + 1, 0);
            }
            for id in readable {
                let mut stream = connection.recv_stream(id);
                let Ok(mut chunks) = stream.read(false) else { continue };
                while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                    session.received[bin] += chunk.bytes.len() as u64;
                }
                let _ = chunks.finalize();
            }
            return;
        }
        if !session.connected || session.closed.is_some() {
            return;
        }
        while session.open.len() < STREAMS
            && let Some(id) = connection.streams().open(Dir::Uni)
        {
            session.open.insert(id, 0);
        }
        let mut ids: Vec<StreamId> = session.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(written) = session.open.get_mut(&id) else { continue };
            let mut stream = connection.send_stream(id);
            while *written < STREAM {
                let mut chunks = [chunk.clone()];
                let Ok(done) = stream.write_chunks(&mut chunks) else { break };
                *written += done.bytes as u64;
                if done.bytes == 0 {
                    break;
                }
            }
            if *written >= STREAM {
                let _ = stream.finish();
                session.open.remove(&id);
            }
        }
    }
}

fn address(session: usize, server: bool) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, session as u8, if server { 1 } else { 2 }), 4433))
}
