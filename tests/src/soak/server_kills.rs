//! The server is killed again and again while files come in over the data port and over the API, are renamed and removed.
//! What was answered for is there afterwards, whole and under its id; what was not is there whole or not at all.

use super::{MIB, Outcome};
use crate::tree::{self, Noise};
use crate::wait::LONG;
use crate::worker_pipe::start_at;
use crate::{Http, Scratch, Server, ServerOptions, WorkerPipe, processes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_protocol::worker::{RateSettings, Report, Stats};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often, and with how many.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Deaths of the server.
    pub kills: u32,
    /// Clients of the API.
    pub callers: u32,
    /// Uploads over the data port at the same time.
    pub uploads: u32,
    /// Chooses the moments.
    pub seed: u64,
}

/// Where the API's clients work.
const FOLDER: &str = "key";
/// Small files of an upload, beside a large one.
const SMALL: u32 = 60;
const LARGE: u64 = 6 * MIB;
const KBPS: u64 = 60_000;
/// The server does little at a time and must not grow, whatever dies.
const MEMORY: u64 = 400 * MIB;

/// A file of the API's clients.
#[derive(Clone, Debug)]
struct Known {
    /// Once it was told.
    id: Option<String>,
    /// Where it may be: more than one while a rename was not answered.
    names: Vec<String>,
    /// Its content is made of the name it was made under.
    made_as: String,
    /// A removal was asked for, or its making was not answered.
    may_be_gone: bool,
}

struct Scene {
    plan: Plan,
    dice: Noise,
    server: Server,
    scratch: Scratch,
    key: (String, String),
    root: String,
    known: Vec<Known>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    answered: u64,
    unanswered: u64,
    uploads_complete: u32,
    uploads_cut: u32,
    confirmed: u64,
    peak: u64,
}

fn content(name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 8_192 + name.len() * 1_000];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Names under which nothing is promised: files on their way.
fn is_hidden(name: &str) -> bool {
    name.starts_with(".godwit") || name.ends_with(".partial") || name.ends_with(".aspera-ckpt")
}

impl Scene {
    fn new(plan: Plan) -> Self {
        println!("server-kills: {plan:?}");
        let scratch = Scratch::new();
        let options = ServerOptions { by_config: true, log: "info", ..ServerOptions::default() };
        let server = Server::start(&scratch, options);
        let mut ann = Http::to(server.http).login(server.user(), server.password());
        let made = ann.post("/access_keys", &json!({"storage": {"path": format!("/{FOLDER}")}})).unwrap().json();
        let word = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let (key, root) = ((word("id"), word("secret")), word("root_file_id"));
        let dice = Noise::new(plan.seed);
        Self { plan, dice, server, scratch, key, root, known: Vec::new(), figures: Figures::default() }
    }

    fn folder(&self) -> PathBuf {
        self.server.docroot().join(FOLDER)
    }

    fn client(&self) -> Http {
        Http::to(self.server.http).login(&self.key.0, &self.key.1)
    }

    /// Full work, and the end of it.
    fn round(&mut self, round: u32) {
        let busy = Arc::new(AtomicU64::new(0));
        let callers: Vec<_> = (0..self.plan.callers)
            .map(|n| {
                let (client, root, busy) = (self.client(), self.root.clone(), busy.clone());
                std::thread::spawn(move || calls(client, &root, &format!("{round}-{n}"), &busy))
            })
            .collect();
        let mut uploads: Vec<Upload> = (0..self.plan.uploads).map(|n| Upload::begin(self, round, n)).collect();
        let deadline = Instant::now() + LONG;
        while busy.load(Ordering::Relaxed) < 10 || uploads.iter_mut().any(|upload| upload.look().bytes_transferred == 0)
        {
            assert!(Instant::now() < deadline, "nothing moves in round {round}");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(self.dice.below(700)));
        self.figures.peak = self.figures.peak.max(processes::peak(self.server.pid()));
        self.server.kill();
        let mut made: Vec<Known> = callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect();
        let unanswered = made.iter().filter(|known| known.names.len() > 1 || known.may_be_gone).count() as u64;
        self.figures.unanswered += unanswered;
        self.figures.answered += made.len() as u64 - unanswered;
        self.known.append(&mut made);
        self.server.restart();
        for upload in &mut uploads {
            upload.after_the_kill(self);
        }
        self.look(round);
        for upload in uploads {
            upload.complete(self);
        }
    }

    /// Everything that was promised is there.
    fn look(&mut self, round: u32) {
        let listed = self.listing();
        let mut unknown = listed.clone();
        let mut still = Vec::new();
        for mut known in std::mem::take(&mut self.known) {
            let there: Vec<&String> = known.names.iter().filter(|name| listed.contains_key(*name)).collect();
            assert!(there.len() <= 1, "round {round}: one file under two names: {known:?}");
            let Some(name) = there.first().map(|name| (*name).clone()) else {
                assert!(known.may_be_gone, "round {round}: lost: {known:?}");
                continue;
            };
            unknown.remove(&name);
            let (id, size) = listed[&name].clone();
            assert_eq!(size, content(&known.made_as).len() as u64, "round {round}: half a file is visible: {known:?}");
            assert!(known.id.as_ref().is_none_or(|old| *old == id), "round {round}: now {id}: {known:?}");
            if known.names.len() > 1 || known.id.is_none() || known.may_be_gone {
                self.assert_whole(&name, &known.made_as);
            }
            // It may have been asked to go and stayed; from now on it must stay.
            known = Known { id: Some(id), names: vec![name], may_be_gone: false, ..known };
            still.push(known);
        }
        assert!(unknown.is_empty(), "round {round}: nobody made these: {unknown:?}");
        // An id leads to its file too.
        let mut client = self.client();
        for known in still.iter().rev().take(10) {
            let id = known.id.as_deref().unwrap_or_default();
            let entry = client.get(&format!("/files/{id}")).unwrap().json();
            assert_eq!(entry["name"], known.names[0], "round {round}: {known:?} {entry}");
        }
        self.known = still;
    }

    /// Names with ids and sizes, as the API tells them.
    fn listing(&self) -> BTreeMap<String, (String, u64)> {
        let (mut client, mut found) = (self.client(), BTreeMap::new());
        loop {
            let path = format!("/files/{}/files?per_page=1000&iteration_token={}", self.root, found.len());
            let answer = client.get(&path).unwrap();
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let page = answer.json();
            let page = page.as_array().expect("a list");
            let before = found.len();
            for entry in page {
                let name = entry["name"].as_str().unwrap().to_owned();
                found.insert(name, (entry["id"].as_str().unwrap().to_owned(), entry["size"].as_u64().unwrap()));
            }
            if found.len() == before {
                found.retain(|name, _| !is_hidden(name));
                return found;
            }
        }
    }

    fn assert_whole(&self, name: &str, made_as: &str) {
        let found = std::fs::read(self.folder().join(name)).unwrap();
        assert!(found == content(made_as), "{name} has another content than it was made with");
    }
}

/// Makes, renames and removes files until the server is gone; what it knows of each.
fn calls(mut client: Http, root: &str, mark: &str, busy: &AtomicU64) -> Vec<Known> {
    let mut made = Vec::new();
    for n in 0.. {
        busy.fetch_add(1, Ordering::Relaxed);
        let name = format!("f-{mark}-{n}");
        let mut known = Known { id: None, names: vec![name.clone()], made_as: name.clone(), may_be_gone: true };
        let body = json!({"name": name, "type": "file", "contents": STANDARD.encode(content(&name))});
        let created = client.post(&format!("/files/{root}/files"), &body).ok().filter(|answer| answer.status == 201);
        let Some(id) = created.and_then(|answer| Some(answer.json()["id"].as_str()?.to_owned())) else {
            made.push(known);
            break;
        };
        known.may_be_gone = false;
        let path = format!("/files/{id}");
        known.id = Some(id);
        let (mut over, mut gone) = (false, false);
        if n % 3 == 1 {
            let new = format!("r-{mark}-{n}");
            let renamed = client.send("PUT", &path, Some(&json!({"name": new})));
            over = !renamed.is_ok_and(|answer| answer.status == 204);
            if over {
                known.names.push(new);
            } else {
                known.names = vec![new];
            }
        }
        if n % 4 == 2 && !over {
            gone = client.send("DELETE", &path, None).is_ok_and(|answer| answer.status == 204);
            over = !gone;
            known.may_be_gone = true;
        }
        if !gone {
            made.push(known);
        }
        if over {
            break;
        }
    }
    made
}

/// An upload over the data port: a large file and many small ones.
struct Upload {
    worker: WorkerPipe,
    source: PathBuf,
    target: PathBuf,
    number: u32,
    last: Stats,
    report: Option<Report>,
}

impl Upload {
    fn begin(scene: &Scene, round: u32, n: u32) -> Self {
        let name = format!("up-{round}-{n}");
        let source = scene.scratch.folder("here").join(&name);
        let seed = u64::from(round) * 100 + u64::from(n);
        tree::file(&source.join("large.bin"), LARGE, seed);
        for small in 0..SMALL {
            tree::file(
                &source.join(format!("small-{small}")),
                3_000 + u64::from(small) * 17,
                seed + 7 * u64::from(small),
            );
        }
        let number = round * 10 + n;
        let worker = Self::worker(scene, &source, number, 1);
        let target = scene.server.docroot().join("in").join(name);
        Self { worker, source, target, number, last: Stats::default(), report: None }
    }

    fn worker(scene: &Scene, source: &Path, number: u32, attempt: u32) -> WorkerPipe {
        let (server, source) = (&scene.server, source.to_str().unwrap());
        let mut job = start_at(server, server.data.port(), Direction::Send, source, Path::new("in"), KBPS);
        job.transfer_id = format!("0b5e0c1e-6f0a-4a43-9d3e-{number:012}");
        job.attempt = attempt;
        job.rate = RateSettings { policy: RatePolicy::Fixed, target: Some(RateKbps(KBPS)), ..RateSettings::default() };
        WorkerPipe::started(&scene.scratch, job)
    }

    fn look(&mut self) -> &Stats {
        if self.report.is_none() {
            let (stats, report) = self.worker.so_far();
            self.last = stats.unwrap_or_else(|| self.last.clone());
            self.report = report;
        }
        &self.last
    }

    /// What was confirmed is there; what is visible is whole.
    fn after_the_kill(&mut self, scene: &mut Scene) {
        let deadline = Instant::now() + LONG;
        while self.report.is_none() {
            self.look();
            assert!(Instant::now() < deadline, "the client does not notice that the server has gone");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut whole = 0;
        for entry in std::fs::read_dir(&self.target).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !is_hidden(&name) {
                tree::assert_same_file(&self.source.join(&name), &entry.path());
                whole += 1;
            }
        }
        let complete = matches!(self.report, Some(Report::Done(_)));
        let confirmed = if complete { u64::from(SMALL) + 1 } else { self.last.files_completed };
        assert!(whole >= confirmed, "{confirmed} files were confirmed, {whole} are there: {:?}", self.report);
        scene.figures.confirmed += confirmed;
        if complete {
            scene.figures.uploads_complete += 1;
        } else {
            scene.figures.uploads_cut += 1;
        }
    }

    /// The next attempt brings the rest.
    fn complete(mut self, scene: &Scene) {
        if !matches!(self.report, Some(Report::Done(_))) {
            self.worker = Self::worker(scene, &self.source, self.number, 2);
            let (end, ..) = self.worker.until_end(LONG);
            assert!(matches!(end, Report::Done(_)), "{end:?}");
        }
        tree::assert_same(&self.source, &self.target);
        // The disk is small.
        std::fs::remove_dir_all(&self.source).unwrap();
        std::fs::remove_dir_all(&self.target).unwrap();
    }
}

/// Runs it.
#[must_use]
pub fn kills(plan: Plan) -> Value {
    let mut scene = Scene::new(plan);
    let begin = Instant::now();
    for round in 0..plan.kills {
        scene.round(round);
    }
    for known in &scene.known {
        scene.assert_whole(&known.names[0], &known.made_as);
    }
    let figures = &scene.figures;
    assert!(figures.peak < MEMORY, "the server took {} MiB", figures.peak / MIB);
    json!({
        "kills": plan.kills, "seed": plan.seed, "files at the end": scene.known.len(), "answered": figures.answered,
        "not answered": figures.unanswered, "uploads complete before the kill": figures.uploads_complete,
        "uploads cut": figures.uploads_cut, "files confirmed in them": figures.confirmed,
        "peak_mib": figures.peak / MIB, "seconds": begin.elapsed().as_secs_f64(),
    })
}

/// The long form.
#[must_use]
pub fn long(rounds: u32, seed: u64) -> Vec<Outcome> {
    (0..rounds)
        .map(|round| {
            let plan = Plan { kills: 50, callers: 4, uploads: 3, seed: seed.wrapping_add(u64::from(round)) };
            Outcome::of("the server is killed under load", || kills(plan))
        })
        .collect()
}
