//! Hostile clients against the real server.

use super::rows::State;
use super::{Expect, Plan, Row, bodies, data, floods, frame, play, rows, some};
use crate::fake::{Client, Step, sample};
use crate::soak::MIB;
use crate::wait::LONG;
use crate::worker_pipe::start;
use crate::{Relay, Scratch, Server, ServerOptions, WorkerPipe, processes, tree};
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Report;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Hostile sessions at once.
const AT_ONCE: usize = 8;
/// The file that hostile clients download: three units.
const SHARED: &str = "shared.bin";
/// What the honest neighbour moves, slowly, while the others misbehave.
const NEIGHBOUR: u64 = 12 * MIB;
const NEIGHBOUR_KBPS: u64 = 20_000;

/// A server with an honest client that uploads all the time.
struct Scene {
    neighbour: WorkerPipe,
    source: PathBuf,
    relay: Relay,
    server: Server,
    scratch: Scratch,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, ServerOptions::default());
        tree::file(&server.docroot().join(SHARED), 3 * MIB, 5);
        let source = scratch.path("here/honest.bin");
        tree::file(&source, NEIGHBOUR, 6);
        let relay = Relay::to(server.data);
        let path = source.to_str().unwrap();
        let job = start(&server, &relay, Direction::Send, path, Path::new("honest"), NEIGHBOUR_KBPS);
        let neighbour = WorkerPipe::started(&scratch, job);
        neighbour.until_written(1, LONG);
        Self { neighbour, source, relay, server, scratch }
    }

    /// Lives, has not panicked, let nothing out of its root; and the neighbour's file arrives.
    fn assert_unharmed(mut self) {
        assert!(processes::is_alive(self.server.pid()), "the server has ended");
        let log = String::from_utf8_lossy(&self.server.log()).into_owned();
        let broken: Vec<&str> =
            log.lines().filter(|l| l.contains("panicked") || l.contains("a session broke")).take(3).collect();
        assert!(broken.is_empty(), "{broken:?}");
        let (end, _, _) = self.neighbour.until_end(LONG);
        assert!(matches!(end, Report::Done(_)), "the honest neighbour: {end:?}");
        tree::assert_same_file(&self.source, &self.server.docroot().join("honest/honest.bin"));
        assert!(self.relay.up() > NEIGHBOUR);
        for name in ["x", "etc", "etc/passwd"] {
            assert!(!self.scratch.path(name).exists(), "{name} was written outside the root");
        }
    }
}

/// Steps that lead to a state.
fn leading(client: &Client, state: State, id: &str) -> Vec<Step> {
    match state {
        State::Greeting | State::Login => vec![],
        State::Hello => vec![frame(Client::hello())],
        State::Known => vec![frame(Client::hello()), frame(client.authenticate())],
        State::Receiving => client.uploading(id),
        State::Sending => client.downloading(id, SHARED),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Messages and streams, one session for each row, several at once.
#[must_use]
pub fn messages(plan: &Plan) -> Value {
    println!("hostile clients: {plan:?}");
    let scene = Scene::new();
    let mut table: Vec<(State, Row)> = Vec::new();
    for state in [State::Greeting, State::Hello, State::Known, State::Receiving, State::Sending] {
        table.extend(rows::all(state).into_iter().map(|row| (state, row)));
    }
    let wanted = |mut row: Row| {
        row.steps.splice(0..0, data::wanted("f"));
        row
    };
    table.extend(data::to_receiver().into_iter().map(|row| (State::Receiving, wanted(row))));
    table.extend(data::to_sender().into_iter().map(|row| (State::Sending, row)));
    // No client ever says "joined": whatever came before, that ends the session.
    for (n, (kind, body)) in some(bodies::malformed(plan.seed), plan.malformed, plan.seed).into_iter().enumerate() {
        let state = match kind {
            "hello" => State::Greeting,
            "authenticate" | "join" => State::Hello,
            "request" => State::Known,
            "want" | "files" | "compare" | "check" | "progress" | "set-rate" | "result" | "want-end" => State::Sending,
            _ => State::Receiving,
        };
        // Its own error's number comes back to a peer that sends one.
        let expect = if kind == "error" { Expect::End } else { Expect::Over };
        let steps = vec![Step::Body(body), frame(sample("joined"))];
        table.push((state, Row::new(format!("malformed {n}: {kind}"), steps, expect)));
    }
    let silent = |state, seconds: u64, expect| {
        (state, Row::new(format!("silence when {state:?}"), vec![], expect).within(seconds))
    };
    table.extend([silent(State::Hello, 25, Expect::Code(&[40])), silent(State::Known, 25, Expect::Code(&[40]))]);
    if plan.slow {
        let half = vec![Step::Raw(1_000_u32.to_le_bytes().to_vec()), Step::Raw(b"{".to_vec())];
        table.push((State::Receiving, Row::new("half a frame", half, Expect::Code(&[40])).within(90)));
        let stream = vec![Step::Data(vec![0; 5], crate::fake::End::Open)];
        table.push((State::Receiving, Row::new("half a stream", stream, Expect::Code(&[40])).within(90)));
        table.push(silent(State::Receiving, 90, Expect::Code(&[40])));
        table.push(silent(State::Sending, 90, Expect::Code(&[40])));
    }
    let rows = table.len();
    processes::forget_peak(scene.server.pid());
    let before = processes::resident(scene.server.pid());
    let (failures, slowest) = runtime().block_on(all(&scene.server, table));
    let peak = processes::peak(scene.server.pid());
    strangers(&scene.server);
    assert!(failures.is_empty(), "{} of {rows} rows failed:\n{}", failures.len(), failures.join("\n"));
    scene.assert_unharmed();
    json!({"rows": rows, "slowest": slowest, "memory_before": before, "memory_peak": peak, "seed": plan.seed})
}

async fn all(server: &Server, table: Vec<(State, Row)>) -> (Vec<String>, String) {
    let client = Client::of(server);
    assert!(!client.speaks(b"h3").await, "only our own protocol is spoken");
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = tokio::task::JoinSet::new();
    for (n, (state, row)) in table.into_iter().enumerate() {
        let (client, turns) = (client.clone(), turns.clone());
        running.spawn(async move {
            // Those that only wait do not keep others waiting.
            let _turn = if row.steps.is_empty() { None } else { turns.acquire_owned().await.ok() };
            let begin = Instant::now();
            let mut peer = client.connect().await;
            let result = play(&mut peer, &leading(&client, state, &format!("row-{n}")), &row).await;
            (result, begin.elapsed(), row.name)
        });
    }
    let mut failures = Vec::new();
    let mut slowest = (std::time::Duration::ZERO, String::new());
    while let Some(ended) = running.join_next().await {
        let (result, time, name) = ended.unwrap();
        failures.extend(result.err());
        if time > slowest.0 && !name.starts_with("silence") {
            slowest = (time, name);
        }
    }
    failures.sort();
    (failures, format!("{:?} {}", slowest.0, slowest.1))
}

/// Datagrams that are no QUIC, and some that begin like it.
fn strangers(server: &Server) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let mut noise = tree::Noise::new(3);
    let mut bytes = [0; 1_400];
    for n in 0..20_000 {
        noise.fill(&mut bytes);
        bytes[0] |= 0xc0 * u8::from(n % 2 == 0);
        let length = noise.below(1_400) as usize;
        let _ = socket.send_to(&bytes[..length], server.data);
    }
}

/// Floods, one after the other, each measured by itself.
#[must_use]
pub fn floods(plan: &Plan) -> Value {
    println!("floods: {plan:?}");
    let scene = Scene::new();
    let mut table: Vec<(State, Row)> = Vec::new();
    let long = plan.slow.then(floods::names);
    for mut row in floods::to_receiver(plan.flood).into_iter().chain(long) {
        row.steps.splice(0..0, data::wanted("f/0"));
        table.push((State::Receiving, row));
    }
    table.extend(floods::to_sender(plan.flood).into_iter().map(|row| (State::Sending, row)));
    let (mut failures, mut figures) = (Vec::new(), Vec::new());
    let runtime = runtime();
    let pid = scene.server.pid();
    for (n, (state, row)) in table.into_iter().enumerate() {
        let before = processes::resident(pid);
        let fresh = processes::forget_peak(pid);
        let begin = Instant::now();
        let result = runtime.block_on(async {
            let client = Client::of(&scene.server);
            let mut peer = client.connect().await;
            play(&mut peer, &leading(&client, state, &format!("flood-{n}")), &row).await
        });
        let cost = processes::peak(pid).saturating_sub(before);
        figures.push(json!({"flood": row.name, "mib": cost / MIB, "seconds": begin.elapsed().as_secs_f64()}));
        println!("{}", figures[figures.len() - 1]);
        failures.extend(result.err());
        if fresh && cost > floods::MEMORY {
            failures.push(format!("{}: {} MiB of memory", row.name, cost / MIB));
        }
    }
    guesses(&runtime, &scene.server, &mut failures);
    assert!(failures.is_empty(), "{} floods did harm:\n{}", failures.len(), failures.join("\n"));
    scene.assert_unharmed();
    json!({"floods": figures})
}

/// Nobody gets into a session by guessing its ticket.
fn guesses(runtime: &tokio::runtime::Runtime, server: &Server, failures: &mut Vec<String>) {
    runtime.block_on(async {
        let client = Client::of(server);
        for n in 0..20 {
            let steps = vec![frame(Client::hello()), frame(json!({"t": "join", "ticket": format!("{n:032x}")}))];
            let row = Row::new(format!("guess {n}"), steps, Expect::Code(&[1, 19, 34]));
            let mut peer = client.connect().await;
            failures.extend(play(&mut peer, &[], &row).await.err());
        }
    });
}
