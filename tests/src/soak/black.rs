//! Paths that change under a transfer: they go black and come back, get slower, lose, double, delay, overtake and
//! corrupt, swallow large datagrams, forget the client's port. The session goes on by itself; nothing is lost.

use super::MIB;
use crate::relay::Faults;
use crate::tree;
use crate::wait::LONG;
use crate::worker_pipe::start;
use crate::{Relay, Scratch, Server, ServerOptions, WorkerPipe};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{RateSettings, Report};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A line like many: 20 ms both ways together, so that timers have something to measure.
const LINE: Faults = Faults { delay: Duration::from_millis(10), ..PERFECT };
const PERFECT: Faults = Faults {
    black: false,
    lost: 0,
    doubled: 0,
    corrupted: 0,
    late: 0,
    delay: Duration::ZERO,
    rate: 0,
    queue: Duration::ZERO,
    largest: 0,
};
/// This much must flow again for "it goes on".
const GOES_ON: u64 = MIB / 2;

/// A transfer over a path.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seen from the client.
    pub direction: Direction,
    /// Bytes of the file.
    pub size: u64,
    /// Target rate; none: the session finds it.
    pub kbps: Option<u64>,
    /// Connections of the session.
    pub sessions: u32,
}

impl Plan {
    /// At a fixed rate over one connection.
    #[must_use]
    pub fn fixed(direction: Direction, mib: u64, kbps: u64) -> Self {
        Self { direction, size: mib * MIB, kbps: Some(kbps), sessions: 1 }
    }
}

/// A transfer under way.
pub struct Run {
    plan: Plan,
    worker: WorkerPipe,
    relay: Relay,
    // Dropped in this order: processes before the folder.
    _server: Server,
    _scratch: Scratch,
    source: PathBuf,
    target: PathBuf,
    begin: Instant,
}

impl Run {
    /// Begins over a path that has these faults from the first datagram.
    #[must_use]
    pub fn begin(plan: Plan, faults: Faults) -> Self {
        let scratch = Scratch::new();
        let server = Server::start(&scratch, ServerOptions::default());
        let relay = Relay::to(server.data);
        relay.set(faults);
        let (here, there) = (scratch.folder("here").join("big.bin"), server.docroot().join("there/big.bin"));
        let (source, target, from, to) = match plan.direction {
            Direction::Send => (here.clone(), there, here.to_str().unwrap().to_owned(), PathBuf::from("there")),
            Direction::Receive => (there, here.clone(), "there/big.bin".to_owned(), here.parent().unwrap().to_owned()),
        };
        tree::file(&source, plan.size, 31);
        let mut job = start(&server, &relay, plan.direction, &from, Path::new(&to), 1);
        job.sessions = plan.sessions;
        job.rate = match plan.kbps {
            Some(kbps) => {
                RateSettings { policy: RatePolicy::Fixed, target: Some(RateKbps(kbps)), ..RateSettings::default() }
            }
            None => RateSettings::default(),
        };
        let worker = WorkerPipe::started(&scratch, job);
        Self { plan, worker, relay, _server: server, _scratch: scratch, source, target, begin: Instant::now() }
    }

    /// The path.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Bytes that carried content so far.
    #[must_use]
    pub fn content(&self) -> u64 {
        match self.plan.direction {
            Direction::Send => self.relay.up(),
            Direction::Receive => self.relay.down(),
        }
    }

    /// Waits until this many thousandths of the file have been sent.
    pub fn until(&self, thousandths: u64) {
        self.until_bytes(self.plan.size * thousandths / 1_000, LONG);
    }

    fn until_bytes(&self, bytes: u64, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.content() < bytes {
            if let Some(end) = self.worker.ended() {
                panic!("the session ended: {end:?}");
            }
            assert!(Instant::now() < deadline, "{} of {bytes} bytes after {limit:?}", self.content());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Black for so long, then as before; returns after how long it went on.
    #[must_use]
    pub fn black(&self, time: Duration, faults: Faults) -> Duration {
        self.relay.set(Faults { black: true, ..faults });
        std::thread::sleep(time);
        self.relay.set(faults);
        let (light, before) = (Instant::now(), self.content());
        // What is behind a limit of the rate cannot come faster.
        self.until_bytes(before + GOES_ON, Duration::from_secs(60));
        light.elapsed()
    }

    /// Waits for the end, which must be a good one, and compares.
    #[must_use]
    pub fn finish(mut self) -> Value {
        let (end, stats, _) = self.worker.until_end(Duration::from_secs(600));
        assert!(matches!(end, Report::Done(_)), "{end:?} after {:?}", self.relay.harm());
        tree::assert_same_file(&self.source, &self.target);
        let harm = self.relay.harm();
        json!({
            "size": self.plan.size, "seconds": self.begin.elapsed().as_secs_f64(),
            "wire": self.relay.up() + self.relay.down(), "lost": harm.lost, "doubled": harm.doubled,
            "corrupted": harm.corrupted, "flows": self.relay.flows(), "packets_lost": stats.packets_lost,
        })
    }
}

/// Black in mid-transfer.
#[must_use]
pub fn black(plan: Plan, time: Duration) -> Value {
    let run = Run::begin(plan, LINE);
    run.until(300);
    let on = run.black(time, LINE);
    let mut figures = run.finish();
    figures["seconds_until_it_goes_on"] = json!(on.as_secs_f64());
    figures["black"] = json!(time.as_secs_f64());
    figures
}

/// Everything at once, all the time.
#[must_use]
pub fn chaos(plan: Plan) -> Value {
    let faults = Faults { lost: 20, doubled: 20, corrupted: 10, late: 50, ..LINE };
    let run = Run::begin(plan, faults);
    run.until(500);
    let harm = run.relay().harm();
    assert!(harm.lost > 0 && harm.doubled > 0 && harm.corrupted > 0, "the path was a good one: {harm:?}");
    run.finish()
}

/// A NAT that forgets, three times.
#[must_use]
pub fn rebinding(plan: Plan) -> Value {
    let run = Run::begin(plan, LINE);
    for at in [250, 500, 750] {
        run.until(at);
        run.relay().rebind();
    }
    let figures = run.finish();
    assert!(figures["flows"].as_u64() >= Some(u64::from(plan.sessions) * 4), "{figures}");
    figures
}

/// Datagrams longer than 1280 bytes vanish from one moment on.
#[must_use]
pub fn narrow(plan: Plan) -> Value {
    let run = Run::begin(plan, LINE);
    run.until(300);
    run.relay().set(Faults { largest: 1_280, ..LINE });
    let (begin, before) = (Instant::now(), run.relay().harm().lost);
    // Sent, and not lost.
    let deadline = Instant::now() + LONG;
    let content = run.content();
    loop {
        let lost = (run.relay().harm().lost - before) * 1_200;
        if run.content() - content > lost + GOES_ON {
            break;
        }
        assert!(Instant::now() < deadline, "nothing passes the narrow spot");
        std::thread::sleep(Duration::from_millis(2));
    }
    let on = begin.elapsed();
    let mut figures = run.finish();
    figures["seconds_until_it_goes_on"] = json!(on.as_secs_f64());
    figures
}

/// 200 Mbit/s, then 50, then 200 again, each for some seconds.
#[must_use]
pub fn steps(plan: Plan, each: Duration) -> Value {
    let at = |mbit: u64| Faults { rate: mbit * 1_000_000, queue: Duration::from_millis(100), ..LINE };
    let run = Run::begin(plan, at(200));
    let mut rates = Vec::new();
    for mbit in [200, 50, 200] {
        run.relay().set(at(mbit));
        // Three seconds to find the new rate.
        std::thread::sleep(Duration::from_secs(3));
        let (begin, content, lost) = (Instant::now(), run.content(), run.relay().harm().lost);
        std::thread::sleep(each);
        let lost = (run.relay().harm().lost - lost) * 1_400;
        let mbits = (run.content() - content).saturating_sub(lost) as f64 * 8.0 / begin.elapsed().as_secs_f64() / 1e6;
        rates.push(json!({"limit": mbit, "carried": mbits}));
    }
    let mut figures = run.finish();
    figures["rates"] = json!(rates);
    figures
}

/// The long form.
#[must_use]
pub fn long(rounds: u32, sessions: &[u32]) -> Vec<super::Outcome> {
    use super::Outcome;
    let mut outcomes = Vec::new();
    for _ in 0..rounds {
        for direction in [Direction::Send, Direction::Receive] {
            for &sessions in sessions {
                let plan = |mib, kbps| Plan { direction, size: mib * MIB, kbps, sessions };
                let fixed = plan(300, Some(150_000));
                let name = |what: &str| format!("{what} {direction:?} sessions={sessions}");
                let seconds = Duration::from_secs;
                outcomes.push(Outcome::of(&name("black 5 s"), || black(fixed, seconds(5))));
                outcomes.push(Outcome::of(&name("black 20 s"), || black(fixed, seconds(20))));
                outcomes.push(Outcome::of(&name("black 20 s, no target"), || black(plan(300, None), seconds(20))));
                outcomes.push(Outcome::of(&name("200, 50, 200 Mbit/s"), || steps(plan(400, None), seconds(5))));
                outcomes.push(Outcome::of(&name("the client's port changes"), || rebinding(fixed)));
                outcomes.push(Outcome::of(&name("a narrow spot"), || narrow(fixed)));
                outcomes.push(Outcome::of(&name("chaos"), || chaos(fixed)));
                outcomes.push(Outcome::of(&name("chaos, no target"), || chaos(plan(100, None))));
            }
        }
    }
    outcomes
}
