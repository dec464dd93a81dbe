//! Every resume policy against every state of a partial file, and every overwrite policy against every state of the
//! target: what is sent again, and what is there in the end.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::ends::Ends;
use common::{Client, content, snapshot};
use godwit_protocol::spec::{OverwritePolicy, ResumePolicy};
use godwit_protocol::worker::{FileOutcome, Report, Start, Stats};
use godwit_transport::hash::unit_value;
use godwit_transport::journal::{Head, encode_record};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

const MIB: u64 = 1024 * 1024;
const UNIT: usize = MIB as usize;
const SIZE: u64 = 6 * MIB + 100;
/// Units that the earlier attempt brought.
const HAD: u64 = 4 * MIB;
const RESUMES: [ResumePolicy; 4] =
    [ResumePolicy::None, ResumePolicy::Attributes, ResumePolicy::SparseChecksum, ResumePolicy::FullChecksum];

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn write(path: &Path, bytes: &[u8], seconds: u64) {
    std::fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(time(seconds)).unwrap();
}

fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// What an earlier attempt leaves of a source of 7 units: the first four, in disorder.
fn partial(target: &Path, source: &[u8], seconds: u64) {
    let (partial, journal) = (target.join("big.partial"), target.join("big.aspera-ckpt"));
    std::fs::write(&partial, &source[..HAD as usize]).unwrap();
    let found = std::fs::metadata(&partial).unwrap();
    let size = source.len() as u64;
    let head = Head { size, mtime_ns: seconds as i64 * 1_000_000_000, partial: (found.dev(), found.ino()) };
    let mut bytes = head.encode().to_vec();
    for unit in [2, 0, 3, 1] {
        let data = &source[unit * UNIT..(unit + 1) * UNIT];
        bytes.extend(encode_record(&head, unit as u64, &unit_value(size, unit as u64, data)));
    }
    std::fs::write(journal, bytes).unwrap();
}

fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

async fn run(job: Start) -> (Stats, Option<FileOutcome>) {
    let (result, reports) = Client::start(job).end().await;
    let outcome = reports.iter().find_map(|r| if let Report::File(file) = r { Some(file.outcome) } else { None });
    (result.unwrap(), outcome)
}

fn names(folder: &Path) -> Vec<String> {
    snapshot(folder).into_keys().collect()
}

/// A state; what each policy sends, in the order of [`RESUMES`]; what is left beside the file.
struct State {
    name: &'static str,
    /// Changes what the earlier attempt left, and the source.
    make: fn(target: &Path, source: &Path),
    sent: [u64; 4],
    left: &'static [&'static str],
}

const ALL: u64 = SIZE;
const REST: u64 = SIZE - HAD;
/// One of the four units had to come again.
const BUT_ONE: u64 = SIZE - 3 * MIB;

const STATES: &[State] = &[
    State { name: "nothing", make: |target, _| clear(target), sent: [ALL, ALL, ALL, ALL], left: &[] },
    State { name: "good", make: |_, _| {}, sent: [ALL, REST, REST, REST], left: &[] },
    State {
        name: "of another time of the source",
        make: |_, source| {
            flip(source, MIB + 7);
            File::options().write(true).open(source).unwrap().set_modified(time(2_000)).unwrap();
        },
        sent: [ALL, ALL, ALL, BUT_ONE],
        left: &[],
    },
    State {
        name: "of another size of the source",
        make: |_, source| {
            let mut bytes = std::fs::read(source).unwrap();
            bytes.extend(content(9, 2 * UNIT));
            write(source, &bytes, 2_000);
        },
        sent: [ALL + 2 * MIB, ALL + 2 * MIB, ALL + 2 * MIB, REST + 2 * MIB],
        left: &[],
    },
    State {
        name: "of a longer source",
        make: |_, source| {
            let bytes = std::fs::read(source).unwrap();
            write(source, &bytes[..3 * UNIT + 5], 2_000);
        },
        sent: [3 * MIB + 5, 3 * MIB + 5, 3 * MIB + 5, 5],
        left: &[],
    },
    State {
        name: "without a journal",
        make: |target, _| std::fs::remove_file(target.join("big.aspera-ckpt")).unwrap(),
        sent: [ALL, ALL, ALL, ALL],
        left: &["big.partial"],
    },
    State {
        name: "a journal alone",
        make: |target, _| std::fs::remove_file(target.join("big.partial")).unwrap(),
        sent: [ALL, ALL, ALL, ALL],
        left: &[],
    },
    State {
        name: "with a damaged head",
        make: |target, _| flip(&target.join("big.aspera-ckpt"), 17),
        sent: [ALL, ALL, ALL, ALL],
        left: &["big.aspera-ckpt", "big.partial"],
    },
    State {
        name: "with a damaged record",
        make: |target, _| flip(&target.join("big.aspera-ckpt"), 64 + 48 + 20),
        sent: [ALL, BUT_ONE, BUT_ONE, BUT_ONE],
        left: &[],
    },
    State {
        name: "with a torn journal",
        make: |target, _| {
            let journal = File::options().write(true).open(target.join("big.aspera-ckpt")).unwrap();
            journal.set_len(64 + 4 * 48 - 1).unwrap();
        },
        sent: [ALL, BUT_ONE, BUT_ONE, BUT_ONE],
        left: &[],
    },
    State {
        name: "with damaged data",
        make: |target, _| flip(&target.join("big.partial"), 2 * MIB + 1_000),
        sent: [ALL, BUT_ONE, BUT_ONE, BUT_ONE],
        left: &[],
    },
    State {
        name: "shorter than its journal says",
        make: |target, _| {
            let partial = File::options().write(true).open(target.join("big.partial")).unwrap();
            partial.set_len(HAD - 1).unwrap();
        },
        sent: [ALL, BUT_ONE, BUT_ONE, BUT_ONE],
        left: &[],
    },
    State {
        name: "a user's own files of these names",
        make: |target, _| {
            clear(target);
            std::fs::write(target.join("big.partial"), content(8, 5 * UNIT)).unwrap();
            std::fs::write(target.join("big.aspera-ckpt"), "mine").unwrap();
        },
        sent: [ALL, ALL, ALL, ALL],
        left: &["big.aspera-ckpt", "big.partial"],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_resume_policy_sends_what_it_must_and_no_more() {
    for ends in Ends::both() {
        for state in STATES {
            for (resume, sent) in RESUMES.into_iter().zip(state.sent) {
                clear(&ends.target());
                write(&ends.source("big"), &content(1, SIZE as usize), 1_000);
                partial(&ends.target(), &content(1, SIZE as usize), 1_000);
                (state.make)(&ends.target(), &ends.source("big"));
                let before: BTreeMap<_, _> = snapshot(&ends.target());
                let mut job = ends.job(&["big"]);
                job.options.resume = resume;
                let (stats, outcome) = run(job).await;
                let case = format!("{} × {resume:?} × {:?}", state.name, ends.direction);
                assert_eq!((stats.bytes_transferred, outcome), (sent, Some(FileOutcome::Completed)), "{case}");
                assert_eq!(stats.bytes_written, stats.bytes_expected, "{case}");
                let mut expected: Vec<&str> = state.left.to_vec();
                expected.insert(0, "big");
                assert_eq!(names(&ends.target()), expected, "{case}");
                let after = snapshot(&ends.target());
                for left in state.left {
                    assert_eq!(after[*left], before[*left], "{case}: {left} is a user's own");
                }
                let arrived = std::fs::read(ends.target().join("big")).unwrap();
                assert!(arrived == std::fs::read(ends.source("big")).unwrap(), "{case}");
            }
        }
    }
}

/// Only a look at the content can tell; `attributes` promises none.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changed_with_its_size_and_time_restored_is_found_by_the_checksum_policies() {
    for ends in Ends::both() {
        for (resume, sent, right) in [
            (ResumePolicy::None, ALL, true),
            (ResumePolicy::Attributes, REST, false),
            (ResumePolicy::SparseChecksum, BUT_ONE, true),
            (ResumePolicy::FullChecksum, BUT_ONE, true),
        ] {
            clear(&ends.target());
            write(&ends.source("big"), &content(1, SIZE as usize), 1_000);
            partial(&ends.target(), &content(1, SIZE as usize), 1_000);
            let mut changed = content(1, SIZE as usize);
            changed[UNIT + 7] ^= 1;
            write(&ends.source("big"), &changed, 1_000);
            let mut job = ends.job(&["big"]);
            job.options.resume = resume;
            let (stats, _) = run(job).await;
            assert_eq!(stats.bytes_transferred, sent, "{resume:?}");
            let arrived = std::fs::read(ends.target().join("big")).unwrap();
            assert_eq!(arrived == changed, right, "{resume:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_in_a_journal_never_harms_the_file() {
    for ends in Ends::both() {
        let source = content(1, SIZE as usize);
        write(&ends.source("big"), &source, 1_000);
        // Head: magic, size, time, device, inode, check, spare. Two records: unit, value, check.
        let head = [0, 7, 8, 15, 16, 23, 24, 31, 32, 39, 40, 47, 48, 63];
        let record = [0, 7, 8, 39, 40, 47];
        let records = [0, 3].into_iter().flat_map(|n| record.map(|at| 64 + 48 * n + at));
        for at in head.into_iter().chain(records) {
            clear(&ends.target());
            partial(&ends.target(), &source, 1_000);
            flip(&ends.target().join("big.aspera-ckpt"), at);
            let (stats, _) = run(ends.job(&["big"])).await;
            let expected = match at {
                0..48 => ALL,
                48..64 => REST,
                _ => BUT_ONE,
            };
            assert_eq!(stats.bytes_transferred, expected, "byte {at}");
            assert!(std::fs::read(ends.target().join("big")).unwrap() == source, "byte {at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_overwrite_policy_decides_as_its_name_says() {
    use FileOutcome::{Completed as C, Skipped as S};
    const NOW: u64 = 1_000;
    let new = content(1, 3_000);
    // Content and time of the target; the outcome under always, none, diff, older, diff+older.
    let same = Some(new.clone());
    let other = Some(content(2, 3_000));
    let short = Some(content(2, 10));
    let table = [
        ("nothing there", None, NOW, [C, C, C, C, C]),
        ("the same", same.clone(), NOW, [C, S, S, S, S]),
        ("the same, older", same.clone(), NOW - 1, [C, S, S, C, S]),
        ("the same, newer", same, NOW + 1, [C, S, S, S, S]),
        ("other, older", other.clone(), NOW - 1, [C, S, C, C, C]),
        ("other, newer", other, NOW + 1, [C, S, C, S, S]),
        ("shorter, older", short.clone(), NOW - 1, [C, S, C, C, C]),
        ("shorter, same time", short.clone(), NOW, [C, S, C, S, S]),
        ("shorter, newer", short, NOW + 1, [C, S, C, S, S]),
    ];
    let policies = [
        OverwritePolicy::Always,
        OverwritePolicy::None,
        OverwritePolicy::Diff,
        OverwritePolicy::Older,
        OverwritePolicy::DiffOlder,
    ];
    for ends in Ends::both() {
        for (name, there, seconds, outcomes) in &table {
            for (overwrite, expected) in policies.iter().zip(outcomes) {
                clear(&ends.target());
                write(&ends.source("f"), &new, NOW);
                if let Some(there) = there {
                    write(&ends.target().join("f"), there, *seconds);
                }
                let mut job = ends.job(&["f"]);
                job.options.overwrite = *overwrite;
                job.options.preserve_times = true;
                let (stats, outcome) = run(job).await;
                let case = format!("{name} × {overwrite:?} × {:?}", ends.direction);
                assert_eq!(outcome, Some(*expected), "{case}");
                let target = ends.target().join("f");
                let wanted = if *expected == C { &new } else { there.as_ref().unwrap() };
                assert!(std::fs::read(&target).unwrap() == *wanted, "{case}");
                if *expected == C {
                    assert_eq!((stats.bytes_transferred, target.metadata().unwrap().mtime()), (3_000, 1_000), "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suffixes_from_the_settings_are_used_and_found_again() {
    for ends in Ends::both() {
        let source = content(1, SIZE as usize);
        write(&ends.source("big"), &source, 1_000);
        partial(&ends.target(), &source, 1_000);
        for (from, to) in [("big.partial", "big.part"), ("big.aspera-ckpt", "big.journal")] {
            std::fs::rename(ends.target().join(from), ends.target().join(to)).unwrap();
        }
        let mut job = ends.job(&["big"]);
        job.options.partial_suffix = ".part".into();
        job.options.checkpoint_suffix = ".journal".into();
        assert_eq!(run(job).await.0.bytes_transferred, REST);
        assert_eq!(names(&ends.target()), ["big"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_file_that_is_there_in_another_version_full_checksum_sends_the_difference_only() {
    for ends in Ends::both() {
        let source = content(1, SIZE as usize);
        for (there, resume, sent) in [
            (SIZE as usize, ResumePolicy::SparseChecksum, ALL),
            (SIZE as usize, ResumePolicy::FullChecksum, MIB),
            (5 * UNIT + 3, ResumePolicy::FullChecksum, MIB + MIB + 100),
            (UNIT - 1, ResumePolicy::FullChecksum, ALL),
        ] {
            clear(&ends.target());
            write(&ends.source("big"), &source, 1_000);
            let mut old = source[..there].to_vec();
            old[UNIT.min(there - 1)] ^= 4;
            write(&ends.target().join("big"), &old, 900);
            let mut job = ends.job(&["big"]);
            job.options.resume = resume;
            assert_eq!(run(job).await.0.bytes_transferred, sent, "{there} {resume:?}");
            assert!(std::fs::read(ends.target().join("big")).unwrap() == source);
            assert_eq!(names(&ends.target()), ["big"]);
        }
    }
}
