//! Many small files: over loopback, over a lossy line, and a million empty ones.

use crate::contestants::{Contestant, Field, Program};
use crate::copy::{Compare, Copied, copy};
use crate::journal::{Journal, Key, Measurement};
use crate::lab::Lab;
use crate::lines::Row;
use crate::options::Options;
use crate::report::Column;
use godwit_tests::tree::{self, Noise};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The table.
pub(crate) const COLUMNS: [Column; 8] = [
    ("seconds", "seconds", 1),
    ("files/s", "files", 0),
    ("Mbit/s", "mbit", 1),
    ("% of the limit", "share", 1),
    ("queue, median ms", "queue_median", 0),
    ("CPU s", "cpu", 1),
    ("client, highest MiB", "client_memory", 0),
    ("server, highest MiB", "server_memory", 0),
];

const FILES: u32 = 100_000;
const SIZE: usize = 4096;
const EMPTY: u32 = 1_000_000;
/// Files in one folder.
const FOLDER: u32 = 1000;
/// For `loopback` and `empty`.
const PATIENCE: Duration = Duration::from_secs(600);
/// 200 Mbit/s, 50 ms each way, 1 % loss.
const LINE: &str = "long";

/// About how long it takes, in seconds.
pub(crate) fn estimate(options: &Options) -> f64 {
    let scale = if options.short { 0.1 } else { 1.0 };
    let peers = if options.no_peers { 0.0 } else { 1.0 };
    let ways = options.directions().len() as f64;
    let rounds = options.rounds as f64;
    let mut sum = 0.0;
    if options.wants("loopback") {
        sum += rounds * scale * (ways * 30.0 + 20.0 + peers * 80.0);
    }
    if options.wants("wan") {
        sum += scale * rounds * ways * 2.0 * 40.0 + peers * 2.0 * (options.limit().as_secs_f64() + 5.0);
    }
    if options.wants("empty") {
        sum += scale * (60.0 + ways * 150.0);
    }
    sum
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    let (files, empty) = (options.files(FILES), options.files(EMPTY));
    if options.wants("loopback") {
        let field = Field::open(Lab::Loopback, &options.folder("small"), !options.no_peers);
        make(&field.here.join("tree"), files, SIZE);
        field.share("tree");
        over_loopback(&field, files, options, journal);
    }
    if options.wants("wan") {
        let field = Field::open(Lab::wan(), &options.folder("small"), !options.no_peers);
        make(&field.here.join("tree"), files, SIZE);
        field.share("tree");
        over_line(&field, files, options, journal);
    }
    if options.wants("empty") {
        let field = Field::open(Lab::Loopback, &options.folder("small"), false);
        make(&field.here.join("tree"), empty, 0);
        field.share("tree");
        of_nothing(&field, empty, options, journal);
    }
}

fn over_loopback(field: &Field, files: u32, options: &Options, journal: &mut Journal) {
    let mut all: Vec<Contestant> = Vec::new();
    for up in options.directions() {
        all.extend([Contestant::godwit(None, up, false), Contestant::godwit(None, up, true)]);
    }
    let cp = Contestant::peer("", Program::Cp { sum: false }, false, "bbr");
    all.push(Contestant { name: "cp".into(), ..cp }.and_sync());
    if !options.no_peers {
        let rsync = Contestant::peer("rsync", Program::Rsync, false, "bbr");
        all.extend([rsync.clone(), rsync.and_sync(), Contestant::peer("scp", Program::Scp, false, "bbr")]);
    }
    let row = format!("{files} files of {SIZE} bytes over loopback");
    for round in 1..=options.rounds {
        for who in &all {
            let key = Key { part: "small-files".into(), row: row.clone(), contestant: who.name.clone(), round };
            if journal.has(&key) {
                continue;
            }
            let Some(copied) = copy(field, who, "tree", PATIENCE, Compare::Bytes) else { continue };
            add(journal, key, &copied, files, PATIENCE, |_| {});
        }
    }
}

fn over_line(field: &Field, files: u32, options: &Options, journal: &mut Journal) {
    let Some(row) = crate::lines::ROWS.into_iter().find(|row| row.id == LINE) else { return };
    let mut all: Vec<Contestant> = Vec::new();
    for up in options.directions() {
        all.extend([Contestant::godwit(Some(row.line.rate), up, false), Contestant::godwit(None, up, false)]);
    }
    if !options.no_peers {
        all.extend([
            Contestant::peer("rsync, BBR", Program::Rsync, false, "bbr"),
            Contestant::peer("scp, BBR", Program::Scp, false, "bbr"),
        ]);
    }
    let Row { line, .. } = row;
    let title = format!(
        "{files} files of {SIZE} bytes, {} Mbit/s, {} ms, {} %, queue {} ms",
        line.rate, line.delay, line.loss, line.queue
    );
    for round in 1..=options.rounds {
        for who in &all {
            let key = Key { part: "small-files".into(), row: title.clone(), contestant: who.name.clone(), round };
            let ours = matches!(who.program, Program::Godwit { .. });
            // Whoever is cut would be again, and scp always is: once tells.
            if journal.has(&key) || (round > 1 && !ours) {
                continue;
            }
            let limit = if ours { PATIENCE } else { options.limit() };
            let link = field.lab.connect(&line, who.congestion, &field.folder);
            let Some(copied) = copy(field, who, "tree", limit, Compare::Bytes) else { continue };
            let stats = link.end();
            let direction = &stats[if who.up { "a_to_b" } else { "b_to_a" }];
            add(journal, key, &copied, files, limit, |values| {
                let share = copied.bytes as f64 / row.possible(copied.run.seconds) * 100.0;
                values.insert("share".into(), share);
                values.insert("queue_median".into(), direction["queue_ms"]["median"].as_f64().unwrap_or(f64::NAN));
            });
        }
    }
}

fn of_nothing(field: &Field, files: u32, options: &Options, journal: &mut Journal) {
    let row = format!("{files} empty files over loopback");
    for up in options.directions() {
        let who = Contestant::godwit(None, up, false);
        let key = Key { part: "small-files".into(), row: row.clone(), contestant: who.name.clone(), round: 1 };
        if journal.has(&key) {
            continue;
        }
        let Some(copied) = copy(field, &who, "tree", PATIENCE, Compare::Count) else { continue };
        add(journal, key, &copied, files, PATIENCE, |values| {
            let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
            values.insert("client_memory".into(), mebibytes(copied.run.memory));
            values.insert("server_memory".into(), mebibytes(copied.server_memory.0));
            for name in ["mbit", "cpu_per_gb"] {
                values.remove(name);
            }
        });
    }
}

fn add(
    journal: &mut Journal,
    key: Key,
    copied: &Copied,
    files: u32,
    limit: Duration,
    more: impl FnOnce(&mut crate::journal::Values),
) {
    let mut values = copied.values();
    if copied.run.success && !copied.run.cut {
        values.insert("files".into(), f64::from(files) / copied.run.seconds);
    }
    more(&mut values);
    journal.add(Measurement { key, values, note: copied.note(limit) });
}

/// That many files of noise, [`FOLDER`] in a folder.
fn make(root: &Path, files: u32, size: usize) {
    let mut noise = Noise::new(5);
    let mut content = vec![0; size];
    for n in 0..files {
        let folder = root.join(format!("folder-{:04}", n / FOLDER));
        if n % FOLDER == 0 {
            fs::create_dir_all(&folder).unwrap();
        }
        noise.fill(&mut content);
        fs::write(folder.join(format!("file-{:03}.dat", n % FOLDER)), &content).unwrap();
    }
    debug_assert_eq!(tree::size(root).1, u64::from(files));
}
