//! Sessions of random frames and streams, nearly right and wrong, against both roles of a real server over loopback: the
//! session ends with an error within its time, nothing panics, and whatever stands under a final name is whole.
//!
//! Two seconds for each role; `GODWIT_FUZZ_SECONDS` makes it longer, `GODWIT_FUZZ_SEED` another sequence.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Server, content};
use godwit_protocol::wire::{ALPN, SegmentHead, UNIT};
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Panics of any thread since the start.
static PANICS: AtomicU64 = AtomicU64::new(0);
/// Sizes of files: around the borders of units.
const SIZES: [u64; 7] = [0, 1, 10, UNIT - 1, UNIT, UNIT + 1, 2 * UNIT + 5];
/// Numbers that mean something somewhere.
const NUMBERS: [u64; 12] = [0, 1, 2, 3, 10, UNIT - 1, UNIT, UNIT + 1, 2 * UNIT, 3 * UNIT, u64::MAX - UNIT, u64::MAX];

/// xorshift64*: small, seeded.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    fn number(&mut self) -> u64 {
        self.pick(&NUMBERS)
    }
}

struct Raw {
    connection: Connection,
    send: SendStream,
    recv: RecvStream,
}

impl Raw {
    async fn connect(endpoint: &Endpoint, server: &Server, request: &Value) -> Self {
        let connection = endpoint.connect(server.address, "localhost").unwrap().await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap();
        let mut raw = Self { connection, send, recv };
        raw.frame(&json!({"t": "hello", "product": "godwit", "version": "0"})).await;
        let credential = json!({"method": "password", "password": "secret"});
        raw.frame(&json!({"t": "authenticate", "user": "ann", "credential": credential})).await;
        raw.frame(request).await;
        raw
    }

    async fn frame(&mut self, frame: &Value) {
        let body = serde_json::to_vec(frame).unwrap();
        let _ = self.send.write_all(&[&(body.len() as u32).to_le_bytes()[..], &body].concat()).await;
    }

    async fn next(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        self.recv.read_exact(&mut length).await.ok()?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.recv.read_exact(&mut body).await.ok()?;
        serde_json::from_slice(&body).ok()
    }

    async fn data(&mut self, bytes: &[u8], reset: bool) {
        // A receiver whose streams are all in use has answered too.
        let opened = tokio::time::timeout(Duration::from_millis(200), self.connection.open_uni()).await;
        let Ok(Ok(mut stream)) = opened else { return };
        let _ = stream.write_all(bytes).await;
        if reset {
            let _ = stream.reset(VarInt::from_u32(1));
        } else {
            let _ = stream.finish();
        }
    }

    /// True if the other side ended the session, by an error, by its last word, or otherwise.
    async fn ends(mut self) -> bool {
        let read = async {
            while let Some(frame) = self.next().await {
                if frame["t"] == "result" || frame["t"] == "bye" {
                    self.connection.close(VarInt::from_u32(0), b"");
                    return;
                }
            }
            self.connection.closed().await;
        };
        tokio::time::timeout(Duration::from_secs(15), read).await.is_ok()
    }
}

fn endpoint(server: &Server) -> Endpoint {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    endpoint
}

/// Files of one upload as announced: start, size.
#[derive(Default)]
struct Space {
    files: Vec<(u64, u64)>,
    end: u64,
}

impl Space {
    fn entries(&mut self, dice: &mut Dice) -> Value {
        let count = 1 + dice.below(4);
        let entries: Vec<Value> = (0..count)
            .map(|n| {
                let size = dice.pick(&SIZES);
                self.files.push((self.end, size));
                self.end += size;
                // Few names, so that some meet.
                let name = format!("s{size}/{}", dice.below(3) + n % 2);
                json!({"p": name, "k": "f", "s": size, "m": dice.below(3)})
            })
            .collect();
        json!({"t": "entries", "entries": entries})
    }

    /// A segment: usually one that is wanted and right; else something is wrong with it.
    fn segment(&self, dice: &mut Dice) -> Vec<u8> {
        let Some(&(start, size)) = self.files.get(dice.below(self.files.len().max(1) as u64) as usize) else {
            return vec![7; 20];
        };
        if size == 0 {
            return SegmentHead { offset: start, length: dice.number() }.encode().to_vec();
        }
        let unit = dice.below(size.div_ceil(UNIT));
        let whole = content(size, size as usize);
        let (from, to) = (unit * UNIT, size.min((unit + 1) * UNIT));
        let bytes = &whole[from as usize..to as usize];
        let mut value = value(bytes, from, size);
        let mut head = SegmentHead { offset: start + from, length: to - from };
        match dice.below(12) {
            0 => head.offset = dice.number(),
            1 => head.length = dice.number(),
            2 => value[5] ^= 1,
            3 => return [&head.encode()[..], &bytes[..bytes.len() / 2]].concat(),
            4 => return [&head.encode()[..], bytes, &value, &value].concat(),
            _ => {}
        }
        [&head.encode()[..], bytes, &value].concat()
    }
}

fn value(bytes: &[u8], from: u64, size: u64) -> [u8; 32] {
    use blake3::hazmat::HasherExt as _;
    let mut hasher = blake3::Hasher::new();
    if size <= UNIT {
        return *hasher.update(bytes).finalize().as_bytes();
    }
    hasher.set_input_offset(from);
    hasher.update(bytes).finalize_non_root()
}

/// A frame of any kind with numbers of any kind.
fn wild(dice: &mut Dice) -> Value {
    let (a, b, zero) = (dice.number(), dice.number(), "0".repeat(64));
    let failure = json!({"code": a % 70, "message": "words"});
    let entry = json!({"p": "wild/x", "k": dice.pick(&["f", "d"]), "s": a, "m": 0});
    match dice.below(19) {
        0 => json!({"t": "entries", "entries": [entry]}),
        1 => json!({"t": "entries-end", "count": a, "bytes": b, "failed": []}),
        2 => json!({"t": "failed", "files": [{"path": "p", "outcome": "failed", "failure": failure}]}),
        3 => json!({"t": "compare", "entries": [[a, zero]]}),
        4 => json!({"t": "compared", "entries": [[a, b % 2 == 0]]}),
        5 => json!({"t": "check", "entry": a, "units": [[b, zero]]}),
        6 => json!({"t": "checked", "entry": a, "same": [b]}),
        7 => json!({"t": "again", "replaces": a, "entry": entry}),
        8 | 9 => json!({"t": "want", "spans": [[a, b]]}),
        10 => json!({"t": "want-end"}),
        11 => json!({"t": "unreadable", "entry": a, "failure": failure}),
        12 => json!({"t": "files", "files": [{"entry": a, "outcome": "skipped", "resumed": b}]}),
        13 => json!({"t": "progress", "written": a, "received": b}),
        14 => json!({"t": "set-rate", "policy": "fair", "target": a, "cap": b}),
        15 => json!({"t": "result", "completed": a, "skipped": b, "failed": 0, "bytes": 0}),
        16 => json!({"t": "alive"}),
        17 => json!({"t": "lost", "connection": a, "spans": [[a, b]]}),
        _ => json!({"t": "bye"}),
    }
}

async fn upload(raw: &mut Raw, dice: &mut Dice) {
    let mut space = Space::default();
    for _ in 0..=dice.below(10) {
        match dice.below(8) {
            0 | 1 => raw.frame(&space.entries(dice)).await,
            2 => {
                let (count, bytes) = (space.files.len(), space.end);
                raw.frame(&json!({"t": "entries-end", "count": count, "bytes": bytes, "failed": []})).await;
            }
            3 => raw.frame(&wild(dice)).await,
            _ => raw.data(&space.segment(dice), dice.below(10) == 0).await,
        }
        // Sometimes the answer is there before the next move, sometimes not.
        if dice.below(3) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
        }
    }
}

async fn download(raw: &mut Raw, dice: &mut Dice) {
    for _ in 0..=dice.below(10) {
        let (from, to) = (dice.below(4) * UNIT, dice.below(4) * UNIT + dice.pick(&[0, 0, 5, 10]));
        match dice.below(4) {
            0 => raw.frame(&json!({"t": "want", "spans": [[from, to], [to, from.max(to + UNIT)]]})).await,
            1 => raw.frame(&json!({"t": "want", "spans": [[from, from + UNIT]]})).await,
            2 => raw.data(&[1; 20], false).await,
            _ => raw.frame(&wild(dice)).await,
        }
        if dice.below(3) == 0
            && let Ok(Ok(mut stream)) =
                tokio::time::timeout(Duration::from_millis(5), raw.connection.accept_uni()).await
        {
            let _ = stream.stop(VarInt::from_u32(1));
        }
    }
}

/// Nothing but what was announced and verified.
fn assert_whole(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_whole(&path);
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        if name.contains(".partial") || name.contains("-ckpt") || name.contains("/wild/") || name.contains("shared") {
            continue;
        }
        let size = path.parent().and_then(|p| p.file_name()?.to_str()?.strip_prefix('s')?.parse::<u64>().ok());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(size, Some(bytes.len() as u64), "{name}");
        assert!(bytes == content(bytes.len() as u64, bytes.len()), "{name} is not what was sent");
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn soak(direction: &str) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(info);
    }));
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("shared"), content(9, 3 * UNIT as usize)).unwrap();
    let server = Server::start(temp.path());
    let endpoint = endpoint(&server);
    let seed = number("GODWIT_FUZZ_SEED", 0x0006_0d17).max(1);
    let end = Instant::now() + Duration::from_secs(number("GODWIT_FUZZ_SECONDS", 2));
    let mut sessions = 0_u64;
    while Instant::now() < end {
        let mut dice = Dice(seed.wrapping_add(sessions.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        let paths = if direction == "send" { json!([]) } else { json!([{"source": "shared"}]) };
        let request = json!({"t": "request", "transfer_id": format!("{sessions}"), "direction": direction,
            "paths": paths, "overwrite": dice.pick(&["always", "diff", "never", "older"]),
            "resume": dice.pick(&["none", "attributes", "sparse_checksum", "full_checksum"])});
        let mut raw = Raw::connect(&endpoint, &server, &request).await;
        if direction == "send" {
            upload(&mut raw, &mut dice).await;
        } else {
            download(&mut raw, &mut dice).await;
        }
        // No client says this, whatever came before.
        raw.frame(&json!({"t": "joined", "connection": 0})).await;
        assert!(raw.ends().await, "session {sessions} of seed {seed} does not end");
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "session {sessions} of seed {seed}");
        sessions += 1;
    }
    assert_whole(temp.path());
    println!("{direction}: {sessions} sessions, GODWIT_FUZZ_SEED={seed}");
    assert!(sessions > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_a_senders_frames_and_streams_harms_a_receiver() {
    soak("send").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_a_receivers_frames_harms_a_sender() {
    soak("receive").await;
}
