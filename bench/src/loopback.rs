//! One large file over loopback: `godwit cp` both ways beside its peers.
//!
//! What the contestants do is not the same, and the names in the table say so: Godwit encrypts, verifies every unit and
//! waits for the disk unless told `--no-fsync`; curl and scp encrypt; sendme encrypts and verifies; rsync from a daemon does
//! not encrypt; `cp` copies within the kernel. No peer waits for the disk, except where `sync` is said.

use crate::contestants::{Contestant, Field, Program};
use crate::copy::{Compare, copy};
use crate::journal::{Journal, Key, Measurement};
use crate::lab::Lab;
use crate::options::Options;
use crate::report::Column;
use godwit_tests::tree;
use std::time::Duration;

/// The table.
pub(crate) const COLUMNS: [Column; 4] =
    [("seconds", "seconds", 2), ("Mbit/s", "mbit", 0), ("CPU s", "cpu", 1), ("CPU s per GB", "cpu_per_gb", 2)];

/// Nobody takes longer who works.
const PATIENCE: Duration = Duration::from_secs(300);

fn contestants(options: &Options) -> Vec<Contestant> {
    let mut all = Vec::new();
    for up in options.directions() {
        all.extend([Contestant::godwit(None, up, false), Contestant::godwit(None, up, true)]);
    }
    // Without a network, without a server, without a check: the floor.
    let local = |name: &str, sum| Contestant {
        name: name.to_owned(),
        ..Contestant::peer("", Program::Cp { sum }, false, "bbr")
    };
    all.push(local("cp", false).and_sync());
    all.push(local("cp, then sha256sum", true));
    if !options.no_peers {
        let qcp = Program::Qcp { rate: 10_000, round_trip: 1 };
        all.extend([
            Contestant::peer("curl, TLS 1.3", Program::Curl, false, "bbr"),
            Contestant::peer("rsync", Program::Rsync, false, "bbr"),
            Contestant::peer("scp", Program::Scp, false, "bbr"),
            Contestant::peer("qcp", qcp, false, "bbr"),
            Contestant::peer("sendme", Program::Sendme, false, "bbr"),
        ]);
    }
    all
}

/// About how long it takes, in seconds: at 300 MB/s with the comparison.
pub(crate) fn estimate(options: &Options) -> f64 {
    let megabytes = f64::from(options.megabytes());
    contestants(options).len() as f64 * options.rounds as f64 * (megabytes / 150.0 + 2.0) + megabytes / 100.0
}

/// Measures.
pub(crate) fn run(options: &Options, journal: &mut Journal) {
    let mut field = Field::open(Lab::Loopback, &options.folder("loopback"), !options.no_peers);
    let item = "file.bin";
    let bytes = u64::from(options.megabytes()) * 1_000_000;
    tree::file(&field.here.join(item), bytes, 1);
    field.share(item);
    if !options.no_peers {
        field.offer(item);
    }
    // Nobody shall pay for reading the source from the disk first.
    tree::assert_same_file(&field.here.join(item), &field.docroot.join(item));
    let row = format!("{} MB over loopback", options.megabytes());
    for round in 1..=options.rounds {
        for who in contestants(options) {
            let key = Key { part: "loopback".into(), row: row.clone(), contestant: who.name.clone(), round };
            if journal.has(&key) {
                continue;
            }
            let Some(copied) = copy(&field, &who, item, PATIENCE, Compare::Bytes) else { continue };
            journal.add(Measurement { key, values: copied.values(), note: copied.note(PATIENCE) });
        }
    }
}
