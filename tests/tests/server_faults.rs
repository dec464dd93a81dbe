//! What strangers and broken clients do to the data port of the real server, packet by packet.

#![allow(clippy::unwrap_used)]

use godwit_tests::fake::{Answer, Client, End, Peer, Step, segment};
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Scratch, Server, ServerOptions, processes};
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const CONTENT: &[u8; 10] = b"0123456789";
const MIB: u64 = 1024 * 1024;
/// The protocol was broken.
const PROTOCOL: Answer = Answer::Error(1);
/// What arrives is not what was sent.
const DAMAGED: Answer = Answer::Error(35);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn start(scratch: &Scratch, settings: &str) -> Server {
    Server::start(scratch, ServerOptions { config: settings.to_owned(), ..ServerOptions::default() })
}

/// A session that may upload, in its own folder.
async fn uploading(client: &Client, id: &str) -> Peer {
    let mut peer = client.connect().await;
    for step in client.uploading(id) {
        peer.play(&step).await;
    }
    peer
}

fn good(entry: u64) -> Vec<u8> {
    segment(entry * 10, CONTENT, &[*blake3::hash(CONTENT).as_bytes()])
}

fn wrong(entry: u64) -> Vec<u8> {
    segment(entry * 10, CONTENT, &[[9; 32]])
}

fn entries(count: usize) -> Step {
    let entries: Vec<_> = (0..count).map(|n| json!({"p": format!("f-{n}"), "k": "f", "s": 10})).collect();
    Step::Frame(json!({"t": "entries", "entries": entries}))
}

fn end(count: usize) -> Step {
    Step::Frame(json!({"t": "entries-end", "count": count, "bytes": count * 10, "failed": []}))
}

/// An honest client is served from the first packet to the last.
async fn is_served(client: &Client, server: &Server, id: &str) {
    let mut peer = uploading(client, id).await;
    peer.play(&entries(1)).await;
    assert!(peer.is_asked_for(10).await, "{id}");
    peer.play(&Step::Data(good(0), End::Finish)).await;
    peer.play(&end(1)).await;
    assert_eq!(peer.wait("result", LONG).await, Answer::Frame("result"), "{id}");
    assert_eq!(std::fs::read(server.docroot().join(id).join("f-0")).unwrap(), CONTENT);
}

/// Somebody who sends the first packets of connections from an address of his own, and carries on with none.
struct Stranger {
    socket: UdpSocket,
    retries: usize,
    handshakes: usize,
}

impl Stranger {
    fn new(number: u8, more: u8) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from(([127, 1, number, more + 1], 0))).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, retries: 0, handshakes: 0 }
    }

    fn look(&mut self) {
        let mut packet = [0; 2_048];
        while let Ok(length) = self.socket.recv(&mut packet) {
            // A long header of type 3.
            if packet[0] & 0xf0 == 0xf0 {
                assert!(length < 300, "a Retry is small: {length}");
                self.retries += 1;
            } else {
                self.handshakes += 1;
            }
        }
    }
}

#[test]
fn t01_a_flood_of_first_packets_costs_no_state_and_who_is_there_gets_in() {
    let scratch = Scratch::new();
    let server = start(&scratch, "max_sessions = 16\nlogin_seconds = 600");
    let runtime = runtime();
    let _inside = runtime.enter();
    let client = Client::of(&server);
    let mut strangers: Vec<Stranger> = (0..40).flat_map(|a| (0..10).map(move |b| Stranger::new(a, b))).collect();
    let before = processes::resident(server.pid());
    processes::forget_peak(server.pid());
    let begin = Instant::now();
    let mut sent = 0;
    // None is given up for its silence meanwhile. So many at least, and until the server has begun to ask for proof.
    while sent < 4_000 || strangers.iter().all(|s| s.retries == 0) {
        assert!(begin.elapsed() < LONG, "nobody is asked to prove his address");
        for (stranger, packet) in strangers.iter_mut().zip(client.first_packets(400)) {
            // A kernel that has no room drops it.
            let _ = stranger.socket.send_to(&packet, server.data);
            stranger.look();
            sent += 1;
        }
        if sent == 2_000 {
            runtime.block_on(is_served(&client, &server, "amid"));
        }
    }
    runtime.block_on(is_served(&client, &server, "after"));
    strangers.iter_mut().for_each(Stranger::look);
    let let_in = strangers.iter().filter(|s| s.handshakes > 0).count();
    assert!(let_in <= 8, "half of the places are for those who prove their address, not {let_in}");
    let cost = processes::peak(server.pid()).saturating_sub(before);
    assert!(cost < 64 * MIB, "{} MiB", cost / MIB);
}

#[test]
fn t02_nobody_gets_more_than_three_times_what_he_sent_before_his_address_is_proven() {
    let scratch = Scratch::new();
    let names = (0..80).map(|n| format!("host-{n}.of-a-long-name.example.org")).collect::<Vec<_>>();
    let mut chain = String::new();
    let mut key = None;
    for _ in 0..3 {
        let made = rcgen::generate_simple_self_signed(names.clone()).unwrap();
        chain.push_str(&made.cert.pem());
        key.get_or_insert(made.signing_key.serialize_pem());
    }
    let (chain_file, key_file) = (scratch.path("chain.pem"), scratch.path("key.pem"));
    std::fs::write(&chain_file, chain).unwrap();
    std::fs::write(&key_file, key.unwrap()).unwrap();
    let paths = format!("certificate = '{}'\nkey = '{}'\n", chain_file.display(), key_file.display());
    let server = start(&scratch, &format!("{paths}login_seconds = 2"));
    let runtime = runtime();
    let _inside = runtime.enter();
    let client = Client::of(&server);
    let packet = client.first_packets(1).remove(0);
    assert!(packet.len() >= 1_200);
    let socket = UdpSocket::bind(SocketAddr::from(([127, 1, 1, 1], 0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // Longer than the server waits for the rest of a login; slower machines only see less of it.
    let collect = |span: Duration| {
        let (begin, mut received, mut buffer) = (Instant::now(), 0, [0; 2_048]);
        while begin.elapsed() < span {
            received += socket.recv(&mut buffer).unwrap_or(0);
        }
        received
    };
    for short in [600, 1_199] {
        socket.send_to(&packet[..short], server.data).unwrap();
    }
    assert_eq!(collect(Duration::from_secs(1)), 0, "a first packet that is too short is not answered");
    socket.send_to(&packet, server.data).unwrap();
    let received = collect(Duration::from_secs(5));
    assert!(received > 0, "the server answers");
    assert!(received <= 3 * packet.len(), "{received} bytes for {}", packet.len());
    // The certificates are as long as that, and who goes on gets them all.
    assert!(std::fs::metadata(&chain_file).unwrap().len() > 2 * 3 * packet.len() as u64);
    runtime.block_on(is_served(&client, &server, "honest"));
}

#[test]
fn t04_streams_that_are_reset_empty_or_of_nothing_end_the_session_and_cost_nothing() {
    let scratch = Scratch::new();
    let server = start(&scratch, "");
    let beginning = good(0)[..20].to_vec();
    let finished = |bytes: Vec<u8>| Step::Data(bytes, End::Finish);
    let rows = [
        ("reset", Step::Streams(20_000, beginning, End::Reset)),
        ("empty", Step::Streams(20_000, Vec::new(), End::Finish)),
        ("no length", finished(segment(0, b"", &[]))),
        ("no such entry", finished(segment(1 << 40, CONTENT, &[*blake3::hash(CONTENT).as_bytes()]))),
    ];
    let before = processes::resident(server.pid());
    processes::forget_peak(server.pid());
    runtime().block_on(async {
        let client = Client::of(&server);
        for (name, step) in rows {
            let mut peer = uploading(&client, name).await;
            peer.play(&entries(1)).await;
            assert!(peer.is_asked_for(10).await, "{name}");
            peer.play(&step).await;
            assert_eq!(peer.wait("nothing", LONG).await, PROTOCOL, "{name}");
            assert!(!server.docroot().join(name).join("f-0").exists(), "{name}");
        }
        is_served(&client, &server, "honest").await;
    });
    let cost = processes::peak(server.pid()).saturating_sub(before);
    assert!(cost < 150 * MIB, "{} MiB", cost / MIB);
}

#[test]
fn t06_pieces_with_a_wrong_hash_are_refused_and_who_sends_nothing_else_is_cut_off() {
    let scratch = Scratch::new();
    let server = start(&scratch, "");
    runtime().block_on(async {
        let client = Client::of(&server);
        // One file never comes right; the other is not harmed by that.
        let mut peer = uploading(&client, "one").await;
        peer.play(&entries(2)).await;
        assert!(peer.is_asked_for(20).await);
        peer.play(&end(2)).await;
        peer.play(&Step::Data(good(1), End::Finish)).await;
        peer.play(&Step::Data(wrong(0), End::Finish)).await;
        for _ in 0..3 {
            assert!(peer.is_asked_for(10).await, "it is asked for again");
            peer.play(&Step::Data(wrong(0), End::Finish)).await;
        }
        assert_eq!(peer.wait("result", LONG).await, Answer::Frame("result"));
        let folder = server.docroot().join("one");
        assert_eq!(std::fs::read(folder.join("f-1")).unwrap(), CONTENT);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing of the other one is there");

        // Every piece is wrong: the session ends long before each was asked for again and again.
        let mut peer = uploading(&client, "all").await;
        peer.play(&entries(400)).await;
        assert!(peer.is_asked_for(4_000).await);
        for entry in 0..400 {
            peer.play(&Step::Data(wrong(entry), End::Finish)).await;
        }
        assert_eq!(peer.wait("nothing", SOON).await, DAMAGED);
        assert_eq!(std::fs::read_dir(server.docroot().join("all")).unwrap().count(), 0);
        is_served(&client, &server, "honest").await;
    });
}
