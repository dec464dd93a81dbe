//! Somebody with a login of his own on the server's machine swaps a folder and a file for links that lead out, as fast as he
//! can, while every operation of both ports runs through them. Nothing outside is read, written, moved or removed.

use super::Outcome;
use crate::wait::LONG;
use crate::worker_pipe::start_at;
use crate::{Http, Scratch, Server, ServerOptions, WorkerPipe, tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::spec::{Direction, OverwritePolicy};
use godwit_protocol::worker::Report;
use rustix::fs::{RenameFlags, renameat_with};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What no answer and no downloaded file may hold.
const SECRET: &str = "an unmistakable secret of somebody else";
const MINE: &str = "mine";
/// Names that lie on both sides, so that an operation that goes astray finds something to harm.
const NAMES: [&str; 5] = ["file", "made", "moved", "up", "large"];

#[derive(Debug, Default)]
struct Figures {
    swaps: AtomicU64,
    done: AtomicU64,
    refused: AtomicU64,
    sessions_done: AtomicU64,
    sessions_failed: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Everything outside: names, kinds, contents, links.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(snapshot(&path));
            found.insert(path, "a folder".into());
        } else {
            let content = fs::read_to_string(&path).unwrap();
            found.insert(path, content);
        }
    }
    found
}

struct Scene {
    server: Server,
    scratch: Scratch,
    outside: PathBuf,
    /// The honest folder, wherever it is.
    folder: fs::File,
    stop: AtomicBool,
    figures: Figures,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new();
        let server =
            Server::start(&scratch, ServerOptions { log: "info", by_config: true, ..ServerOptions::default() });
        let (root, outside) = (server.docroot().to_owned(), scratch.folder("outside"));
        fs::create_dir(root.join("in")).unwrap();
        fs::create_dir_all(root.join("swap/deep")).unwrap();
        let folder = fs::File::open(root.join("swap")).unwrap();
        for name in NAMES {
            fs::write(outside.join(name), SECRET).unwrap();
        }
        fs::create_dir(outside.join("deep")).unwrap();
        fs::write(outside.join("deep/file"), SECRET).unwrap();
        // The link in the folder's place leads out; so do links in the places of a file and of a folder further down.
        symlink(&outside, root.join("trap")).unwrap();
        symlink(outside.join("file"), root.join("file-trap")).unwrap();
        symlink(outside.join("deep"), root.join("deep-trap")).unwrap();
        fs::write(root.join("plain"), MINE).unwrap();
        Self { server, scratch, outside, folder, stop: AtomicBool::new(false), figures: Figures::default() }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whoever wants to lead the server out.
    fn swap(&self) {
        // By handles: a path through the folder would lead this thread itself out.
        let root = fs::File::open(self.server.docroot()).unwrap();
        while !self.is_over() {
            for (folder, a, b) in
                [(&root, "swap", "trap"), (&root, "plain", "file-trap"), (&self.folder, "deep", "deep-trap")]
            {
                renameat_with(folder, a, &root, b, RenameFlags::EXCHANGE).unwrap();
                add(&self.figures.swaps);
            }
        }
    }

    /// Everything that the API can do.
    fn call(&self, n: usize) {
        let mut ann = Http::to(self.server.http).login(self.server.user(), self.server.password());
        let mut turn = n;
        while !self.is_over() {
            turn += 1;
            let name = NAMES[turn % NAMES.len()];
            let folder = ["swap", "swap/deep"][turn / 7 % 2];
            let at = format!("/{folder}/{name}");
            let file = json!({"type": "file", "path": at, "contents": STANDARD.encode(MINE)});
            let (method, path, body) = match turn % 9 {
                0 => ("GET", "/files/%2Fplain/contents".to_owned(), None),
                1 => ("GET", format!("/files/{}/contents", at.replace('/', "%2F")), None),
                2 => ("POST", "/files/create".into(), Some(json!({"paths": [file]}))),
                3 => ("POST", "/files/create".into(), Some(json!({"paths": [{"type": "directory", "path": at}]}))),
                4 => ("POST", "/files/delete".into(), Some(json!({"paths": [{"path": at}]}))),
                5 => ("POST", "/files/browse".into(), Some(json!({"path": format!("/{folder}")}))),
                6 => ("POST", "/files/search".into(), Some(json!({"path": "/"}))),
                7 => {
                    let one = json!({"path": "/", "source": at, "destination": format!("in/{n}-{turn}")});
                    ("POST", "/files/rename".into(), Some(json!({"paths": [one]})))
                }
                _ => {
                    let one = json!({"path": "/", "source": "in/given", "destination": at});
                    let given = json!({"type": "file", "path": "/in/given", "contents": STANDARD.encode(MINE)});
                    let _ = ann.post("/files/create", &json!({"paths": [given]}));
                    ("POST", "/files/rename".into(), Some(json!({"paths": [one]})))
                }
            };
            let answer = ann.send(method, &path, body.as_ref()).unwrap();
            let text = String::from_utf8_lossy(&answer.body);
            assert!(!text.contains(SECRET), "{method} {path} {body:?} told what lies outside: {text}");
            assert!(answer.status < 500, "{method} {path} {body:?}: {} {text}", answer.status);
            let well = answer.status == 200 && !text.contains("\"error\":{");
            add(if well { &self.figures.done } else { &self.figures.refused });
        }
    }

    /// Sessions of the data port, both ways, one after another.
    fn transfer(&self, n: usize) {
        let source = self.scratch.folder(&format!("source-{n}"));
        for name in NAMES {
            fs::write(source.join(name), MINE).unwrap();
        }
        // One that goes by a partial file and its journal.
        tree::file(&source.join("large"), 3_000_000, 1);
        let back = self.scratch.folder(&format!("back-{n}"));
        let (here, there) = (source.to_str().unwrap().to_owned(), back.to_str().unwrap().to_owned());
        let mut turn = n;
        while !self.is_over() {
            turn += 1;
            let port = self.server.data.port();
            let mut job = match turn % 4 {
                // Into the folder itself, and into the one that is a link in turns.
                0 | 1 => {
                    let mut job = start_at(
                        &self.server,
                        port,
                        Direction::Send,
                        &here,
                        Path::new(["swap", "swap/deep"][turn % 4]),
                        400_000,
                    );
                    job.paths = NAMES.map(|name| pair(&format!("{here}/{name}"), Some(name))).into();
                    job
                }
                2 => start_at(&self.server, port, Direction::Receive, "/swap", Path::new(&there), 400_000),
                _ => start_at(&self.server, port, Direction::Receive, "/plain", Path::new(&there), 400_000),
            };
            job.transfer_id = format!("0b5e0c1e-6f0a-4a43-9d3e-{n:04}{turn:08}");
            job.options.overwrite = OverwritePolicy::Always;
            let (end, ..) = WorkerPipe::started(&self.scratch, job).until_end(LONG);
            add(match end {
                Report::Done(_) => &self.figures.sessions_done,
                _ => &self.figures.sessions_failed,
            });
            for file in crate::scratch::files_below(&back) {
                let content = fs::read(&file).unwrap();
                assert!(content != SECRET.as_bytes(), "{} came from outside", file.display());
            }
            let _ = fs::remove_dir_all(&back);
            fs::create_dir_all(&back).unwrap();
            // The room of a long run is small.
            for entry in fs::read_dir(self.server.docroot().join("in")).unwrap().flatten() {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
            }
        }
    }
}

fn pair(source: &str, destination: Option<&str>) -> godwit_protocol::worker::PathPair {
    godwit_protocol::worker::PathPair { source: source.into(), destination: destination.map(str::to_owned) }
}

/// Runs it for so long, and until every side has had its turns.
#[must_use]
pub fn swaps(time: Duration) -> Value {
    let scene = Arc::new(Scene::new());
    let before = snapshot(&scene.outside);
    let begin = Instant::now();
    let parts: [fn(&Scene, usize); 4] = [|scene, _| scene.swap(), Scene::call, Scene::call, Scene::transfer];
    let threads: Vec<_> = parts
        .into_iter()
        .enumerate()
        .map(|(n, part)| {
            let scene = scene.clone();
            std::thread::spawn(move || part(&scene, n))
        })
        .collect();
    let figures = &scene.figures;
    let seen = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let few = || {
        let enough = [
            (&figures.swaps, 100),
            (&figures.done, 50),
            (&figures.refused, 50),
            (&figures.sessions_done, 1),
            (&figures.sessions_failed, 1),
        ];
        enough.iter().any(|(counter, least)| seen(counter) < *least)
    };
    while begin.elapsed() < time || few() {
        assert!(begin.elapsed() < time + LONG, "too little happens: {figures:?}");
        assert!(threads.iter().all(|thread| !thread.is_finished()), "one has given up: {figures:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    scene.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no part fails");
    }
    assert_eq!(snapshot(&scene.outside), before, "something outside was changed");
    json!({
        "swaps": seen(&figures.swaps), "requests done": seen(&figures.done), "requests refused": seen(&figures.refused),
        "sessions done": seen(&figures.sessions_done), "sessions failed": seen(&figures.sessions_failed),
        "seconds": begin.elapsed().as_secs_f64(),
    })
}

/// The long form.
#[must_use]
pub fn long(rounds: u32) -> Vec<Outcome> {
    (0..rounds)
        .map(|_| Outcome::of("folders become links for ten minutes", || swaps(Duration::from_secs(600))))
        .collect()
}
