//! Kills at random moments: worker, server and agent die again and again during one transfer, which completes all the
//! same, with equal content, and without carrying anything verified twice. The proof of the last is the [`Relay`]'s
//! count.

use super::MIB;
use crate::tree::{self, Noise};
use crate::wait::{LONG, SOON, until_true};
use crate::worker_pipe::start;
use crate::{Browserish, Relay, Scratch, Server, ServerOptions, WorkerPipe, processes};
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Report;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a kill may cost: units begun and not verified, and datagrams under way.
const PER_KILL: u64 = 8_000_000;
/// Headers of QUIC, acknowledgements and lost datagrams, in percent of the file.
const OVERHEAD: u64 = 5;
/// After a kill the next moment may come at once: during the handshake, or while partial files are looked through.
const HASTE: u64 = 300;

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The client's process of this transfer.
    Worker,
    /// The server.
    Server,
    /// The process that keeps the queue; only in [`with_agent`].
    Agent,
}

/// A transfer and its misfortunes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seen from the client.
    pub direction: Direction,
    /// Bytes of the file.
    pub size: u64,
    /// How many kills.
    pub kills: u32,
    /// Who dies, in turn.
    pub victims: Vec<Victim>,
    /// Target rate.
    pub kbps: u64,
    /// Connections of a session.
    pub sessions: u32,
    /// Chooses the moments.
    pub seed: u64,
}

struct Scene {
    plan: Plan,
    moments: Vec<u64>,
    dice: Noise,
    // Dropped in this order: processes before the folder.
    relay: Relay,
    server: Server,
    scratch: Scratch,
    source: PathBuf,
    target: PathBuf,
    begin: Instant,
}

impl Scene {
    fn new(plan: &Plan) -> Self {
        println!("kills: {plan:?}");
        let scratch = Scratch::new();
        let server = Server::start(&scratch, ServerOptions::default());
        let relay = Relay::to(server.data);
        let (here, there) = (scratch.folder("here").join("big.bin"), server.docroot().join("there/big.bin"));
        let (source, target) = match plan.direction {
            Direction::Send => (here, there),
            Direction::Receive => (there, here),
        };
        tree::file(&source, plan.size, plan.seed);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut dice = Noise::new(plan.seed);
        // Of the bytes on the wire, so that none can lie behind the end of the transfer.
        let mut moments: Vec<u64> = (0..plan.kills).map(|_| dice.below(plan.size)).collect();
        moments.sort_unstable();
        Self { plan: plan.clone(), moments, dice, relay, server, scratch, source, target, begin: Instant::now() }
    }

    fn victim(&self, n: usize) -> Victim {
        self.plan.victims[n % self.plan.victims.len()]
    }

    /// Bytes that carried content so far.
    fn content(&self) -> u64 {
        match self.plan.direction {
            Direction::Send => self.relay.up(),
            Direction::Receive => self.relay.down(),
        }
    }

    /// Waits for a moment; one that has passed already means: at once, or soon.
    fn wait_for(&mut self, moment: u64, mut meanwhile: impl FnMut(&Self)) {
        let deadline = Instant::now() + LONG;
        if self.content() >= moment {
            let haste = Instant::now() + Duration::from_millis(self.dice.below(HASTE));
            while Instant::now() < haste {
                meanwhile(self);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        while self.content() < moment {
            meanwhile(self);
            assert!(Instant::now() < deadline, "{} bytes crossed the wire, and no more come", self.content());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill_server(&mut self) {
        self.server.kill();
        // Sometimes clients notice that nobody is there, sometimes not.
        std::thread::sleep(Duration::from_millis(self.dice.below(HASTE)));
        self.server.restart();
    }

    fn no_half_file(&self) {
        assert!(!self.target.exists(), "a half file stands under the final name");
    }

    fn figures(&self) -> Value {
        tree::assert_same_file(&self.source, &self.target);
        let folder = self.target.parent().unwrap();
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["big.bin"], "no partial file and no journal stay behind");
        let wire = self.relay.up() + self.relay.down();
        let (size, kills) = (self.plan.size, u64::from(self.plan.kills));
        let allowed = size + size * OVERHEAD / 100 + kills * PER_KILL;
        let figures = json!({
            "size": size, "kills": kills, "wire": wire, "allowed": allowed, "seed": self.plan.seed,
            "flows": self.relay.flows(),
            "repeated_mb_per_kill": (wire as f64 - size as f64 * 1.035) / 1e6 / kills.max(1) as f64,
            "seconds": self.begin.elapsed().as_secs_f64(),
        });
        assert!(wire >= size, "the relay saw all of it: {figures}");
        assert!(wire < allowed, "verified units were sent again: {figures}");
        figures
    }
}

/// Worker and server die in turn; this function plays the agent.
#[must_use]
pub fn alone(plan: &Plan) -> Value {
    let mut scene = Scene::new(plan);
    let mut client = Client::begin(&scene);
    for (n, moment) in scene.moments.clone().into_iter().enumerate() {
        scene.wait_for(moment, |scene| assert!(!client.look(scene), "it ended before its content was carried"));
        scene.no_half_file();
        match scene.victim(n) {
            Victim::Worker => client.killed(&scene),
            Victim::Server => {
                scene.kill_server();
                client.excused = true;
            }
            Victim::Agent => panic!("there is no agent here"),
        }
    }
    let deadline = Instant::now() + LONG;
    while !client.look(&scene) {
        assert!(Instant::now() < deadline, "it does not complete");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut figures = scene.figures();
    figures["attempts"] = json!(client.attempt);
    figures
}

/// The workers of one transfer, one after the other.
struct Client {
    worker: WorkerPipe,
    attempt: u32,
    /// The server was killed since this attempt began: it may fail.
    excused: bool,
}

impl Client {
    fn begin(scene: &Scene) -> Self {
        Self { worker: Self::spawn(scene, 1), attempt: 1, excused: false }
    }

    fn spawn(scene: &Scene, attempt: u32) -> WorkerPipe {
        let plan = &scene.plan;
        let (direction, kbps) = (plan.direction, plan.kbps);
        let mut job = match direction {
            Direction::Send => {
                let source = scene.source.to_str().unwrap();
                start(&scene.server, &scene.relay, direction, source, std::path::Path::new("there"), kbps)
            }
            Direction::Receive => {
                let folder = scene.target.parent().unwrap();
                start(&scene.server, &scene.relay, direction, "there/big.bin", folder, kbps)
            }
        };
        (job.attempt, job.sessions) = (attempt, plan.sessions);
        WorkerPipe::started(&scene.scratch, job)
    }

    fn again(&mut self, scene: &Scene) {
        self.attempt += 1;
        self.worker = Self::spawn(scene, self.attempt);
        self.excused = false;
    }

    fn killed(&mut self, scene: &Scene) {
        processes::kill_hard(self.worker.pid());
        self.again(scene);
    }

    /// True when it is done; a failed attempt is followed by the next, if there was a reason to fail.
    fn look(&mut self, scene: &Scene) -> bool {
        match self.worker.ended() {
            None => false,
            Some(Report::Done(_)) => true,
            Some(report) => {
                assert!(self.excused, "attempt {} failed without a kill: {report:?}", self.attempt);
                self.again(scene);
                false
            }
        }
    }
}

/// As [`alone`], but driven by a page through host and agent, which may die too.
#[must_use]
pub fn with_agent(plan: &Plan) -> Value {
    const SITE: (&str, &str) = ("https://app.example", "an-unguessable-app-id-4711");
    let mut scene = Scene::new(plan);
    scene.scratch.write_settings("[retry]\nattempts = 1000\ninterval_seconds = 1\n\n[queue]\nactive = 3\n");
    let mut browser = Browserish::open(&scene.scratch);
    let uuid = {
        let page = browser.page(SITE.0, SITE.1);
        let rate = json!({"rate_policy": "fixed", "target_rate_kbps": plan.kbps});
        let (direction, mut more) = match plan.direction {
            Direction::Send => {
                page.pick_files(&[&scene.source]);
                ("send", json!({"paths": [{"source": scene.source}], "destination_root": "/there"}))
            }
            Direction::Receive => {
                let folder = scene.target.parent().unwrap();
                page.pick_folders(&[folder]);
                ("receive", json!({"paths": [{"source": "/there/big.bin"}], "destination_root": folder}))
            }
        };
        crate::server::merge(&mut more, rate);
        let spec = scene.server.spec(direction, scene.relay.port(), more);
        match plan.direction {
            Direction::Send => page.start(&spec),
            Direction::Receive => page.start_absolute(&spec),
        }
    };
    for (n, moment) in scene.moments.clone().into_iter().enumerate() {
        scene.wait_for(moment, |_| {});
        scene.no_half_file();
        match scene.victim(n) {
            Victim::Worker => {
                let pid = crate::until("there is a worker", SOON, || scene.scratch.workers().first().copied());
                processes::kill_hard(pid);
            }
            Victim::Server => scene.kill_server(),
            Victim::Agent => {
                processes::kill_hard(browser.status().pid);
                until_true("the workers end with their agent", SOON, || scene.scratch.workers().is_empty());
                drop(browser);
                browser = Browserish::open(&scene.scratch);
            }
        }
    }
    browser.page(SITE.0, SITE.1).wait_status(&uuid, "completed", LONG);
    let attempts = browser.status().transfers.into_iter().find(|t| t.uuid == uuid).map(|t| t.attempts);
    let mut figures = scene.figures();
    figures["attempts"] = json!(attempts);
    figures
}

/// The parts of the long form: both directions, with the worker alone and with the whole chain, one connection and
/// several.
#[must_use]
pub fn long(rounds: u32, seed: u64, sessions: &[u32]) -> Vec<super::Outcome> {
    let mut outcomes = Vec::new();
    for round in 0..rounds {
        for direction in [Direction::Send, Direction::Receive] {
            for &sessions in sessions {
                let seed = seed.wrapping_add(u64::from(round));
                let victims = vec![Victim::Worker, Victim::Server];
                let plan = Plan { direction, size: 2000 * MIB, kills: 20, victims, kbps: 500_000, sessions, seed };
                let name = format!("kills {direction:?} sessions={sessions}");
                outcomes.push(super::Outcome::of(&name, || alone(&plan)));
            }
            let victims = vec![Victim::Worker, Victim::Agent, Victim::Server];
            let plan = Plan { direction, size: 2000 * MIB, kills: 20, victims, kbps: 500_000, sessions: 1, seed };
            let name = format!("kills {direction:?} with agent");
            outcomes.push(super::Outcome::of(&name, || with_agent(&plan)));
        }
    }
    outcomes
}
