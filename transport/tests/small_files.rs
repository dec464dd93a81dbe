//! Very many files, very small ones, and trees of every shape.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Client, Gate, Server, rate, run, snapshot};
use godwit_protocol::worker::{FileOutcome, Report};
use godwit_transport::server::ServerOptions;
use std::collections::HashSet;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn folders<const N: usize>(temp: &Path, names: [&str; N]) -> [std::path::PathBuf; N] {
    names.map(|name| {
        let folder = temp.join(name);
        fs::create_dir(&folder).unwrap();
        folder
    })
}

fn impatient(fsync: bool) -> ServerOptions {
    ServerOptions { fsync, ..ServerOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_files_arrive_in_both_directions_with_and_without_waiting_for_the_disk() {
    let temp = tempfile::tempdir().unwrap();
    let [source] = folders(temp.path(), ["source"]);
    for folder in 0..16 {
        let folder = source.join(format!("d{folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..150_usize {
            fs::write(folder.join(format!("f{file}")), vec![file as u8; file * 7]).unwrap();
        }
    }
    let sent = snapshot(&source);
    for fsync in [true, false] {
        let [docroot, back] = folders(temp.path(), [["docroot", "back"], ["docroot2", "back2"]][usize::from(fsync)]);
        let gate = Gate { root: docroot.clone(), ..Gate::default() };
        let server = Server::with(gate, impatient(fsync));
        let (result, reports) = Client::start(server.upload(&source)).end().await;
        assert_eq!(result.unwrap().files_completed, 2_400);
        let told: HashSet<String> = reports
            .into_iter()
            .filter_map(|report| match report {
                Report::File(file) if file.outcome == FileOutcome::Completed => Some(file.path),
                _ => None,
            })
            .collect();
        assert_eq!(told.len(), 2_400);
        assert_eq!(snapshot(&docroot.join("source")), sent);
        let mut job = server.download("source", &back);
        job.options.fsync = fsync;
        assert_eq!(run(job).await.unwrap().bytes_written, 16 * 7 * (149 * 150 / 2));
        assert_eq!(snapshot(&back.join("source")), sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_as_completed_has_its_final_name_and_whole_content() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = folders(temp.path(), ["source", "docroot"]);
    for file in 0..3_000 {
        fs::write(source.join(format!("f{file}")), format!("content of {file}")).unwrap();
    }
    let server = Server::start(&docroot);
    let mut client = Client::start(server.upload(&source));
    let mut told = 0;
    while let Some(report) = client.reports.recv().await {
        if let Report::File(file) = report {
            let number = file.path.strip_prefix("source/f").unwrap();
            assert_eq!(fs::read_to_string(docroot.join(&file.path)).unwrap(), format!("content of {number}"));
            told += 1;
        }
    }
    assert_eq!(told, 3_000);
    client.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cut_in_the_middle_leaves_whole_files_only_and_the_next_one_completes_them() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot] = folders(temp.path(), ["source", "docroot"]);
    for file in 0..4_000 {
        fs::write(source.join(format!("f{file}")), vec![b'x'; 4_096]).unwrap();
    }
    let server = Server::start(&docroot);
    for files in [1, 500, 2_000] {
        let mut job = server.upload(&source);
        job.rate = rate(20_000);
        let mut client = Client::start(job);
        client.until(|stats| stats.files_completed >= files).await;
        client.kill().await;
    }
    let landed = docroot.join("source");
    for entry in fs::read_dir(&landed).unwrap() {
        let entry = entry.unwrap();
        assert!(!entry.file_name().to_string_lossy().starts_with('.'), "{entry:?}");
        assert_eq!(entry.metadata().unwrap().len(), 4_096, "{entry:?}");
    }
    run(server.upload(&source)).await.unwrap();
    assert_eq!(snapshot(&landed), snapshot(&source));
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_files_need_no_content_and_wide_folders_no_patience() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot, back] = folders(temp.path(), ["source", "docroot", "back"]);
    for file in 0..8_000 {
        File::create(source.join(format!("e{file}"))).unwrap();
    }
    let server = Server::start(&docroot);
    let stats = run(server.upload(&source)).await.unwrap();
    assert_eq!((stats.files_completed, stats.bytes_transferred), (8_000, 0));
    let stats = run(server.download("source", &back)).await.unwrap();
    assert_eq!((stats.files_completed, stats.bytes_transferred), (8_000, 0));
    assert_eq!(fs::read_dir(back.join("source")).unwrap().count(), 8_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_deep_trees_and_the_longest_names_arrive() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot, back] = folders(temp.path(), ["source", "docroot", "back"]);
    let mut deep = source.join("deep");
    for level in 0..200 {
        deep.push(format!("level{level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), b"here").unwrap();
    // 4,096 bytes are the limit of a path; ten names of 255 leave room for the folders above.
    let mut long = source.clone();
    for letter in "abcdefghij".chars() {
        long.push(letter.to_string().repeat(255));
    }
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("ä".repeat(127)), b"there").unwrap();
    let server = Server::start(&docroot);
    assert_eq!(run(server.upload(&source)).await.unwrap().files_completed, 2);
    assert_eq!(snapshot(&docroot.join("source")), snapshot(&source));
    assert_eq!(run(server.download("source", &back)).await.unwrap().files_completed, 2);
    assert_eq!(snapshot(&back.join("source")), snapshot(&source));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_keep_their_times_too_when_times_are_kept() {
    let temp = tempfile::tempdir().unwrap();
    let [source, docroot, back] = folders(temp.path(), ["source", "docroot", "back"]);
    fs::create_dir_all(source.join("a/b/c")).unwrap();
    fs::create_dir_all(source.join("empty")).unwrap();
    for name in ["a/f", "a/b/g", "a/b/c/h", "z"] {
        fs::write(source.join(name), name).unwrap();
    }
    let names = ["a/b/c", "a/b", "a", "empty", "a/b/g", ""];
    let old = |years: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(years) * 31_557_600 + 7);
    for (years, name) in (10..).zip(names) {
        File::open(source.join(name)).unwrap().set_times(FileTimes::new().set_modified(old(years))).unwrap();
    }
    let server = Server::start(&docroot);
    for keep in [false, true] {
        let mut up = server.upload(&source);
        up.options.preserve_times = keep;
        up.options.overwrite = godwit_protocol::spec::OverwritePolicy::Always;
        run(up).await.unwrap();
        let mut down = server.download("source", &back);
        down.options.preserve_times = keep;
        down.options.overwrite = godwit_protocol::spec::OverwritePolicy::Always;
        run(down).await.unwrap();
        for root in [docroot.join("source"), back.join("source")] {
            for (years, name) in (10..).zip(names) {
                let found = fs::metadata(root.join(name)).unwrap().modified().unwrap();
                assert_eq!(found == old(years), keep, "{root:?} {name:?}");
            }
        }
    }
}
