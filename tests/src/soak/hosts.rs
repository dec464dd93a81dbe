//! Paths that change between real hosts (namespaces): a pulled cable makes the kernel refuse to send, and a host that
//! moves gets another address. A relay on one host cannot show either.

use super::MIB;
use crate::namespaces::{CLIENT, Pair, SERVER};
use crate::wait::LONG;
use crate::{Scratch, Server, ServerOptions, WorkerPipe, tree};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{RateSettings, Report, Stats};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SIZE: u64 = 200 * MIB;
const KBPS: u64 = 150_000;

struct Scene {
    worker: WorkerPipe,
    _server: Server,
    source: PathBuf,
    target: PathBuf,
    pair: Pair,
    _scratch: Scratch,
}

impl Scene {
    fn new() -> Option<Self> {
        let pair = Pair::new()?;
        let scratch = Scratch::new();
        let options = ServerOptions { host: Some((pair.server.clone(), SERVER.into())), ..ServerOptions::default() };
        let server = Server::start(&scratch, options);
        let source = scratch.folder("here").join("big.bin");
        tree::file(&source, SIZE, 41);
        let relay = crate::Relay::to(server.data);
        let path = source.to_str().unwrap();
        let mut job = crate::worker_pipe::start(&server, &relay, Direction::Send, path, Path::new("there"), KBPS);
        job.server.host = SERVER.into();
        (job.server.data_port, job.server.tcp_port) = (server.data.port(), server.data.port());
        job.rate = RateSettings { policy: RatePolicy::Fixed, target: Some(RateKbps(KBPS)), ..RateSettings::default() };
        let target = server.docroot().join("there/big.bin");
        let worker = WorkerPipe::started_on(&scratch, &pair.client, job);
        Some(Self { worker, _server: server, source, target, pair, _scratch: scratch })
    }

    fn finish(mut self) -> Stats {
        let (end, stats, _) = self.worker.until_end(Duration::from_secs(300));
        assert!(matches!(end, Report::Done(_)), "{end:?}");
        tree::assert_same_file(&self.source, &self.target);
        stats
    }
}

/// A path that is back is asked every second; the rest is the machine's own slowness.
const BACK: Duration = Duration::from_secs(6);

/// The cable is pulled for so long.
#[must_use]
pub fn pulled(time: Duration) -> Value {
    let Some(scene) = Scene::new() else { return json!("skipped: no right to make namespaces") };
    let mut before = scene.worker.until_written(SIZE / 3, LONG).bytes_written;
    scene.pair.cable(false);
    std::thread::sleep(time);
    // What was told before the cable was out.
    before = scene.worker.newest().map_or(before, |stats| stats.bytes_written);
    scene.pair.cable(true);
    let light = Instant::now();
    scene.worker.until_written(before + 4 * MIB, LONG);
    let on = light.elapsed();
    assert!(on < BACK, "it went on after {on:?} only");
    let stats = scene.finish();
    json!({"pulled": time.as_secs_f64(), "seconds_until_it_goes_on": on.as_secs_f64(), "packets_lost": stats.packets_lost})
}

/// The client's host gets another address, twice.
#[must_use]
pub fn moved() -> Value {
    let Some(scene) = Scene::new() else { return json!("skipped: no right to make namespaces") };
    let mut figures = Vec::new();
    let mut from = CLIENT.to_owned();
    for (n, share) in [(3, SIZE / 4), (4, SIZE / 2)] {
        let before = scene.worker.until_written(share, LONG).bytes_written;
        let to = format!("10.78.0.{n}");
        scene.pair.move_client(&from, &to);
        from = to;
        let begin = Instant::now();
        scene.worker.until_written(before + 4 * MIB, LONG);
        figures.push(begin.elapsed().as_secs_f64());
    }
    scene.finish();
    json!({"seconds_until_it_goes_on": figures})
}

/// The long form.
#[must_use]
pub fn long(rounds: u32) -> Vec<super::Outcome> {
    use super::Outcome;
    let mut outcomes = Vec::new();
    for _ in 0..rounds {
        for seconds in [5, 20] {
            let time = Duration::from_secs(seconds);
            outcomes.push(Outcome::of(&format!("cable pulled for {seconds} s"), || pulled(time)));
        }
        outcomes.push(Outcome::of("the client's address changes", moved));
    }
    outcomes
}
