//! A server with much to do: hundreds of sessions, thousands of connections that say nothing, and a flood of wrong passwords.
//! What the others get meanwhile is measured against what they had in the same run before it.

use super::crowd::{Crowd, Guesses, Idle, Sessions};
use super::{MIB, Outcome};
use crate::wait::LONG;
use crate::worker_pipe::start_at;
use crate::{Http, Scratch, Server, ServerOptions, WorkerPipe, processes, tree};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{Command as Order, RateSettings, Start};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Sessions at [`Plan::kbps`], half in each direction.
    pub slow: u32,
    /// Their rate.
    pub kbps: u64,
    /// Sessions without any limit.
    pub fast: u32,
    /// Connections that say nothing.
    pub idle: usize,
    /// Wrong logins in a second.
    pub guesses: u32,
    /// How long each part is measured.
    pub window: Duration,
}

impl Plan {
    /// What the server must bear.
    #[must_use]
    pub fn whole() -> Self {
        Self { slow: 200, kbps: 1_000, fast: 4, idle: 5_000, guesses: 1_000, window: Duration::from_secs(30) }
    }
}

/// Of their rate before, others must keep this much.
const KEPT: f64 = 0.8;
/// What the server may take at its peak: some MiB for each session.
const MEMORY: u64 = 1_536 * MIB;
/// Requests of the web application in a second.
const ASKS: u32 = 50;
/// Sessions that begin at the same time.
const AT_ONCE: usize = 8;
/// What a session without limit moves, again and again.
const FILE: u64 = 512 * MIB;

/// Everybody who only wants to be served.
struct Scene {
    plan: Plan,
    slow: Sessions,
    fast: Vec<Fast>,
    asker: Asker,
    // Dropped in this order: processes before the folders.
    server: Server,
    scratch: Scratch,
    memory: tempfile::TempDir,
}

/// Sessions as fast as they can be, one after the other.
struct Fast {
    moved: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A web application that sets a transfer up every some milliseconds.
struct Asker {
    times: Arc<Mutex<Vec<f64>>>,
    failed: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What was served in a part.
#[derive(Clone, Debug)]
struct Served {
    slow_kbps: f64,
    slowest_kbps: f64,
    fast_mbps: f64,
    asks: f64,
    p99_ms: f64,
    figures: Value,
}

impl Scene {
    fn new(plan: Plan) -> Self {
        let scratch = Scratch::new();
        let config = "max_sessions = 600\nmax_sessions_per_address = 600\n".to_owned();
        let options = ServerOptions { config, log: "info", ..ServerOptions::default() };
        let server = Server::start(&scratch, options);
        let memory = tempfile::Builder::new().prefix("gw").tempdir_in(in_memory()).unwrap();
        // Longer than the run at this rate.
        let size = plan.kbps * 125 * (600 + 8 * plan.window.as_secs());
        for file in [server.docroot().join("slow.bin"), memory.path().join("slow.bin")] {
            tree::file(&file, size, 41);
        }
        let asker = Asker::start(&server);
        Self { plan, slow: Sessions::new(), fast: Vec::new(), asker, server, scratch, memory }
    }

    fn job(&self, n: u32, direction: Direction, file: &str, rate: RateSettings) -> Start {
        let (source, target) = match direction {
            Direction::Send => (self.memory.path().join(file).display().to_string(), PathBuf::from(format!("up-{n}"))),
            Direction::Receive => (file.to_owned(), self.memory.path().join(format!("down-{n}"))),
        };
        let mut job = start_at(&self.server, self.server.data.port(), direction, &source, &target, 1);
        job.transfer_id = format!("0b5e0c1e-6f0a-4a43-9d3e-{n:012}");
        job.rate = rate;
        job
    }

    /// One that logs little: two hundred logs would be a load of their own.
    fn worker(&self) -> Command {
        let mut command = self.scratch.command("godwit-worker");
        command.env("RUST_LOG", "warn").stderr(self.scratch.log_file("worker"));
        command
    }

    fn add_slow(&mut self) {
        let rate = RateSettings {
            policy: RatePolicy::Fixed,
            target: Some(RateKbps(self.plan.kbps)),
            ..RateSettings::default()
        };
        for n in 0..self.plan.slow {
            let direction = if n % 2 == 0 { Direction::Send } else { Direction::Receive };
            self.slow.add(self.job(n, direction, "slow.bin", rate));
            // They come one after the other, a few at a time: beginning is work for the clients too, on the same machine.
            let waiting = || self.slow.look().iter().filter(|wire| **wire == 0).count() < AT_ONCE;
            crate::wait::until_true("sessions begin", LONG, waiting);
        }
        crate::wait::until_true("all of them have begun", LONG, || self.slow.look().iter().all(|wire| *wire > 0));
    }

    fn add_fast(&mut self) {
        tree::file(&self.server.docroot().join("fast.bin"), FILE, 43);
        for n in 0..self.plan.fast {
            let job = self.job(1_000 + n, Direction::Receive, "fast.bin", RateSettings::default());
            self.fast.push(Fast::start(self.worker(), job));
        }
        crate::wait::until_true("all of them move something", LONG, || {
            self.fast.iter().all(|fast| fast.moved.load(Ordering::Relaxed) > 0)
        });
    }

    /// Measures a part; everything in it runs already.
    fn serve(&mut self, name: &str) -> Served {
        let settle = Duration::from_secs(3).min(self.plan.window);
        std::thread::sleep(settle);
        processes::forget_peak(self.server.pid());
        self.asker.take();
        let before = self.slow.look();
        let moved: u64 = self.fast.iter().map(|fast| fast.moved.load(Ordering::Relaxed)).sum();
        let pid = self.server.pid();
        let cpu =
            || [processes::cpu_seconds(pid), processes::cpu_seconds(std::process::id()), processes::machine_seconds()];
        let (begin, worked) = (Instant::now(), cpu());
        std::thread::sleep(self.plan.window);
        let seconds = begin.elapsed().as_secs_f64();
        let mut cores = cpu();
        cores.iter_mut().zip(worked).for_each(|(now, then)| *now = ((*now - then) / seconds * 100.0).round() / 100.0);
        let after = self.slow.look().into_iter();
        let rates: Vec<f64> = after.zip(before).map(|(now, then)| (now - then) as f64 / seconds / 125.0).collect();
        let moved = self.fast.iter().map(|fast| fast.moved.load(Ordering::Relaxed)).sum::<u64>() - moved;
        let (mut times, failed) = self.asker.take();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
        let mut served = Served {
            slow_kbps: rates.iter().sum::<f64>(),
            slowest_kbps: rates.iter().copied().fold(f64::INFINITY, f64::min),
            fast_mbps: moved as f64 * 8.0 / 1e6 / seconds,
            asks: times.len() as f64 / seconds,
            p99_ms: at(0.99),
            figures: Value::Null,
        };
        served.figures = json!({
            "cores": {"server": cores[0], "crowds": cores[1], "machine": cores[2]},
            "part": name, "slow_kbps_together": served.slow_kbps.round(), "slowest_kbps": served.slowest_kbps.round(),
            "fast_mbit_per_second": served.fast_mbps.round(), "setups_per_second": served.asks, "setup_median_ms": at(0.5),
            "setup_p99_ms": served.p99_ms, "setups_failed": failed, "mib": processes::resident(pid) / MIB,
            "peak_mib": processes::peak(pid) / MIB,
        });
        println!("{}", served.figures);
        assert_eq!(failed, 0, "set-ups failed: {}", served.figures);
        assert!(processes::peak(pid) < MEMORY, "the server takes too much memory: {}", served.figures);
        served
    }
}

impl Served {
    /// What everybody has kept; who has lost more than is allowed is told among the failures, so that the rest is measured too.
    fn against(&self, before: &Self, failures: &mut Vec<String>) -> Value {
        let kept = |now: f64, then: f64| if then > 0.0 { now / then } else { 1.0 };
        let shares = [
            ("slow sessions", kept(self.slow_kbps, before.slow_kbps)),
            ("full speed", kept(self.fast_mbps, before.fast_mbps)),
            ("set-ups", kept(self.asks, before.asks)),
        ];
        for (who, share) in shares {
            if share < KEPT {
                failures.push(format!("{}: {who} keep {share:.2} of their rate", self.figures["part"]));
            }
        }
        let mut figures = self.figures.clone();
        for (who, share) in shares {
            figures[format!("{who} keep")] = json!(share);
        }
        figures
    }
}

impl Fast {
    fn start(mut command: Command, mut job: Start) -> Self {
        let (moved, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, end) = (moved.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let (id, mut base) = (job.transfer_id.clone(), 0);
            for n in 0.. {
                job.transfer_id = format!("{id}-{n}");
                let mut worker = WorkerPipe::of(&mut command);
                worker.tell(&Order::Start(Box::new(job.clone())));
                let mut bytes = 0;
                while !worker.has_ended() {
                    if end.load(Ordering::Relaxed) {
                        return;
                    }
                    bytes = worker.newest().map_or(bytes, |stats| stats.bytes_transferred);
                    counter.store(base + bytes, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
                base += FILE;
                counter.store(base, Ordering::Relaxed);
                std::fs::remove_file(Path::new(&job.destination_root).join("fast.bin")).expect("the file came");
            }
        });
        Self { moved, over, thread: Some(thread) }
    }
}

impl Drop for Fast {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || !matches!(ended, Some(Err(_))), "a session at full speed failed");
    }
}

impl Asker {
    fn start(server: &Server) -> Self {
        let mut asker = Self { times: Arc::default(), failed: Arc::default(), over: Arc::default(), thread: None };
        let (times, failed, over) = (asker.times.clone(), asker.failed.clone(), asker.over.clone());
        let mut client = Http::to(server.http).login(server.user(), server.password());
        let thread = std::thread::spawn(move || {
            let body = json!({"transfer_requests": [{"transfer_request": {"paths": [{"destination": "/"}]}}]});
            let mut turn = Instant::now();
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let answer = client.post("/files/upload_setup", &body);
                let good = answer.is_ok_and(|a| a.json()["transfer_specs"][0]["transfer_spec"]["token"].is_string());
                if good {
                    times.lock().unwrap().push(begin.elapsed().as_secs_f64() * 1e3);
                } else {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                turn = (turn + Duration::from_secs(1) / ASKS).max(begin);
                std::thread::sleep(turn.saturating_duration_since(Instant::now()));
            }
        });
        asker.thread = Some(thread);
        asker
    }

    /// How long each took since the last look, and how many failed.
    fn take(&self) -> (Vec<f64>, u64) {
        (std::mem::take(&mut *self.times.lock().unwrap()), self.failed.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A folder in memory: what the clients' disk can do is not the question.
fn in_memory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}

/// Sessions; then connections that say nothing; then wrong passwords from one address and from thousands.
#[must_use]
pub fn load(plan: Plan) -> Value {
    println!("load: {plan:?}");
    let mut scene = Scene::new(plan);
    let (mut figures, mut failures) = (Vec::new(), Vec::new());
    let nobody = scene.serve("nobody");
    scene.add_slow();
    let slow = scene.serve("slow sessions");
    let wanted = (u64::from(plan.slow) * plan.kbps) as f64;
    assert!(slow.slow_kbps >= KEPT * wanted, "they do not get their rate: {}", slow.figures);
    figures.push(slow.against(&Served { slow_kbps: 0.0, fast_mbps: 0.0, ..nobody }, &mut failures));
    scene.add_fast();
    let both = scene.serve("slow sessions and full speed");
    assert!(both.slowest_kbps >= KEPT * plan.kbps as f64, "one does not get its rate: {}", both.figures);
    figures.push(both.against(&Served { fast_mbps: 0.0, ..slow }, &mut failures));
    let idle = Crowd::start(Idle { server: scene.server.http, count: plan.idle });
    idle.until_all_are_there();
    let mut served = scene.serve("and connections that say nothing").against(&both, &mut failures);
    served["connections"] = idle.end();
    assert!(served["connections"]["on average"].as_u64() >= Some(plan.idle as u64 * 9 / 10), "{served}");
    figures.push(served);
    for addresses in [1, 20_000] {
        let guesses = Crowd::start(Guesses { server: scene.server.http, per_second: plan.guesses, addresses });
        let name = format!("and wrong passwords, addresses: {addresses}");
        let mut served = scene.serve(&name).against(&both, &mut failures);
        served["guesses"] = guesses.end();
        assert!(served["guesses"]["per_second"].as_f64() >= Some(f64::from(plan.guesses) * KEPT), "{served}");
        assert_eq!(served["guesses"]["let in"], 0, "{served}");
        figures.push(served);
    }
    assert!(failures.is_empty(), "{failures:?}: {}", json!(figures));
    json!(figures)
}

/// The long form.
#[must_use]
pub fn long(rounds: u32) -> Vec<Outcome> {
    (0..rounds).map(|_| Outcome::of("server under load", || load(Plan::whole()))).collect()
}
