//! What strangers and broken clients do to the data port of the real server, packet by packet.

#![allow(clippy::unwrap_used)]

use godwit_protocol::wire::SegmentHead;
use godwit_tests::fake::{Answer, Client, End, Peer, Step, segment};
use godwit_tests::wait::{LONG, SOON};
use godwit_tests::{Scratch, Server, ServerOptions, processes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

const CONTENT: &[u8; 10] = b"0123456789";
const MIB: u64 = 1024 * 1024;
/// The protocol was broken.
const PROTOCOL: Answer = Answer::Error(1);
/// Nothing moved for too long.
const STALLED: Answer = Answer::Error(40);
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

/// The ids under which the server carries on with a stranger's connections, and how many it refused. What it refuses it
/// refuses in few bytes; the first packets of a handshake are filled up.
fn look_for_handshakes(socket: &UdpSocket, let_in: &mut BTreeSet<Vec<u8>>, refused: &mut usize) {
    let mut packet = [0; 2_048];
    while let Ok(length) = socket.recv(&mut packet) {
        if length < 600 {
            *refused += 1;
            continue;
        }
        let theirs = 6 + usize::from(packet[5]);
        let_in.insert(packet[theirs + 1..=theirs + usize::from(packet[theirs])].to_vec());
    }
}

#[test]
fn t03_handshakes_that_nobody_ends_hold_few_places_of_one_address_and_not_for_long() {
    let scratch = Scratch::new();
    let limit = Duration::from_secs(8);
    let server = start(&scratch, "login_seconds = 8\nmax_sessions_per_address = 4");
    let runtime = runtime();
    let _inside = runtime.enter();
    let client = Client::of(&server);
    let packets = client.first_packets(400);
    let socket = UdpSocket::bind(SocketAddr::from(([127, 1, 1, 1], 0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut let_in, mut refused) = (BTreeSet::new(), 0);
    let begin = Instant::now();
    for packet in &packets[..20] {
        socket.send_to(packet, server.data).unwrap();
    }
    while let_in.len() + refused < 20 {
        assert!(begin.elapsed() < LONG, "{} let in, {refused} refused", let_in.len());
        look_for_handshakes(&socket, &mut let_in, &mut refused);
    }
    let turns = begin.elapsed().as_secs() / limit.as_secs() + 1;
    assert!(let_in.len() as u64 <= 4 * turns, "{} let in at once", let_in.len());
    // Others come from elsewhere, and are served.
    runtime.block_on(is_served(&client, &server, "meanwhile"));
    let before = let_in.len();
    for packet in &packets[20..] {
        socket.send_to(packet, server.data).unwrap();
        look_for_handshakes(&socket, &mut let_in, &mut refused);
        if let_in.len() > before {
            return;
        }
    }
    panic!("a handshake that nobody ends holds its place after {:?}", begin.elapsed());
}

#[test]
fn t03_who_dawdles_over_the_login_or_leaves_streams_open_is_sent_away_and_others_are_served() {
    let scratch = Scratch::new();
    let server = start(&scratch, "login_seconds = 5\nstall_seconds = 5");
    runtime().block_on(async {
        let client = Client::of(&server);
        // A hello that would be right, byte by byte: it would take longer than the whole login may.
        let mut slow = client.connect().await;
        let hello = Client::hello().to_string();
        let frame = [&(hello.len() as u32).to_le_bytes()[..], hello.as_bytes()].concat();
        let mut answer = Answer::Silence;
        for byte in frame {
            slow.play(&Step::Raw(vec![byte])).await;
            answer = slow.wait("nothing", Duration::from_millis(200)).await;
            if answer != Answer::Silence {
                break;
            }
        }
        assert_eq!(answer, STALLED, "a byte now and then is no login");

        // Streams that were begun and stay so; the peer is alive all the time, and says so.
        let mut idle = uploading(&client, "idle").await;
        idle.play(&entries(2)).await;
        assert!(idle.is_asked_for(20).await);
        idle.play(&Step::Streams(20, good(0)[..20].to_vec(), End::Open)).await;
        is_served(&client, &server, "meanwhile").await;
        for _ in 0..LONG.as_secs() {
            idle.play(&Step::Frame(json!({"t": "ping"}))).await;
            answer = idle.wait("nothing", Duration::from_secs(1)).await;
            if answer != Answer::Silence {
                break;
            }
        }
        assert_eq!(answer, STALLED);
        assert!(!server.docroot().join("idle/f-0").exists());
        is_served(&client, &server, "after").await;
    });
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
fn t05_a_piece_that_fits_no_plan_ends_the_session_and_harms_nothing_that_came() {
    let scratch = Scratch::new();
    let server = start(&scratch, "");
    let value = [*blake3::hash(CONTENT).as_bytes()];
    let finished = |bytes: Vec<u8>| Step::Data(bytes, End::Finish);
    let head = |offset, length| finished(SegmentHead { offset, length }.encode().to_vec());
    let rows = [
        ("an offset of -1", finished(segment(u64::MAX, CONTENT, &value))),
        ("an offset of 2^63", finished(segment(1 << 63, CONTENT, &value))),
        ("an offset beyond the plan", finished(segment(20, CONTENT, &value))),
        ("a piece over the plan's end", finished(segment(10, &[7; 11], &value))),
        ("a length of 2^64 - 1", head(10, u64::MAX)),
        ("a length of 2^63", head(10, 1 << 63)),
        ("a length of 0", head(10, 0)),
        ("a piece that came before", finished(good(0))),
        ("a shorter piece", finished(segment(10, &CONTENT[..9], &value))),
        ("two pieces as one", finished(segment(0, &CONTENT.repeat(2), &[value[0], value[0]]))),
        ("a frame of 4 GiB", Step::Raw(u32::MAX.to_le_bytes().to_vec())),
    ];
    runtime().block_on(async {
        let client = Client::of(&server);
        for (n, (name, step)) in rows.into_iter().enumerate() {
            let id = format!("row-{n}");
            let mut peer = uploading(&client, &id).await;
            peer.play(&entries(2)).await;
            assert!(peer.is_asked_for(20).await, "{name}");
            peer.play(&finished(good(0))).await;
            assert_eq!(peer.wait("files", LONG).await, Answer::Frame("files"), "{name}");
            peer.play(&step).await;
            assert_eq!(peer.wait("nothing", LONG).await, PROTOCOL, "{name}");
            let folder = server.docroot().join(&id);
            assert_eq!(std::fs::read(folder.join("f-0")).unwrap(), CONTENT, "{name}");
            assert!(!folder.join("f-1").exists(), "{name}");
            // The next session brings the rest.
            let mut peer = uploading(&client, &id).await;
            peer.play(&Step::Frame(json!({"t": "entries", "entries": [{"p": "f-1", "k": "f", "s": 10}]}))).await;
            assert!(peer.is_asked_for(10).await, "{name}");
            peer.play(&finished(good(0))).await;
            peer.play(&end(1)).await;
            assert_eq!(peer.wait("result", LONG).await, Answer::Frame("result"), "{name}");
            assert_eq!(std::fs::read(folder.join("f-1")).unwrap(), CONTENT, "{name}");
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "{name}");
        }
    });
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

/// Bytes that the disk has given for a folder.
fn taken(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.map(|meta| meta.blocks() * 512).sum()
}

#[test]
fn t13_a_declared_size_is_no_promise_of_memory_or_disk_and_an_impossible_one_is_refused() {
    let scratch = Scratch::new();
    let server = start(&scratch, "");
    let sizes = |sizes: &[Value]| {
        let names = (0..).map(|n| format!("f-{n}"));
        let entries: Vec<_> = names.zip(sizes).map(|(name, size)| json!({"p": name, "k": "f", "s": size})).collect();
        Step::Frame(json!({"t": "entries", "entries": entries}))
    };
    let half = json!(1u64 << 63);
    let before = processes::resident(server.pid());
    processes::forget_peak(server.pid());
    runtime().block_on(async {
        let client = Client::of(&server);
        let impossible =
            [vec![json!(-1)], vec![json!(2e19)], vec![json!(1.5)], vec![json!("10")], vec![half.clone(), half.clone()]];
        for (n, row) in impossible.iter().enumerate() {
            let mut peer = uploading(&client, &format!("no-{n}")).await;
            peer.play(&sizes(row)).await;
            assert_eq!(peer.wait("nothing", LONG).await, PROTOCOL, "{row:?}");
            assert_eq!(std::fs::read_dir(server.docroot().join(format!("no-{n}"))).unwrap().count(), 0, "{row:?}");
        }
        // They may be true for all that is known. Nothing is set aside for them, and what comes is written as far as it goes.
        for (n, size) in [half, json!((1u64 << 63) - 1), json!(u64::MAX)].into_iter().enumerate() {
            let id = format!("huge-{n}");
            let mut peer = uploading(&client, &id).await;
            peer.play(&sizes(std::slice::from_ref(&size))).await;
            assert!(peer.is_asked_for(MIB).await, "{size}");
            let unit = vec![7; MIB as usize];
            let mut hasher = blake3::Hasher::new();
            let value = blake3::hazmat::HasherExt::finalize_non_root(hasher.update(&unit));
            peer.play(&Step::Data(segment(0, &unit, &[value]), End::Finish)).await;
            is_served(&client, &server, &format!("beside-{n}")).await;
            assert!(taken(&server.docroot().join(&id)) < 4 * MIB, "{size}");
            peer.play(&Step::Close).await;
            assert!(!server.docroot().join(&id).join("f-0").exists(), "{size}");
        }
        // Nothing is nothing: the file is there, and content for it is content that nobody asked for.
        let mut peer = uploading(&client, "empty").await;
        peer.play(&sizes(&[json!(0)])).await;
        assert_eq!(peer.wait("files", LONG).await, Answer::Frame("files"));
        assert_eq!(std::fs::metadata(server.docroot().join("empty/f-0")).unwrap().len(), 0);
        peer.play(&Step::Data(good(0), End::Finish)).await;
        assert_eq!(peer.wait("nothing", LONG).await, PROTOCOL);
        is_served(&client, &server, "honest").await;
    });
    let cost = processes::peak(server.pid()).saturating_sub(before);
    assert!(cost < 150 * MIB, "{} MiB", cost / MIB);
}
