//! What happens to files that are at the target already.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::ends::Ends;
use common::{Client, content, rate, run, snapshot};
use godwit_protocol::ErrorCode;
use godwit_protocol::spec::OverwritePolicy;
use std::path::Path;

const MIB: u64 = 1024 * 1024;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_another_program_makes_or_changes_meanwhile_is_kept_and_so_is_the_new_content() {
    for ends in Ends::both() {
        for before in [None, Some("old")] {
            std::fs::write(ends.source("big"), content(1, 6 * MIB as usize)).unwrap();
            let target = ends.target().join("big");
            let _ = std::fs::remove_file(&target);
            if let Some(text) = before {
                std::fs::write(&target, text).unwrap();
            }
            let mut job = ends.job(&["big"]);
            job.rate = rate(40_000);
            let mut client = Client::start(job.clone());
            client.until(|s| s.bytes_written >= 2 * MIB).await;
            std::fs::write(&target, "somebody's").unwrap();
            let failure = client.end().await.0.unwrap_err();
            assert_eq!(failure.code, ErrorCode::AlreadyExists);
            assert!(failure.message.contains("big.partial"), "{failure}");
            assert_eq!(read(&target), "somebody's");
            // Asked again, the user wants it replaced: nothing comes twice.
            let stats = run(ends.job(&["big"])).await.unwrap();
            assert_eq!((stats.bytes_transferred, stats.bytes_written), (0, 6 * MIB));
            assert_eq!(snapshot(&ends.target()).len(), 1);
            assert_eq!(std::fs::read(&target).unwrap(), content(1, 6 * MIB as usize));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_put_there_by_somebody_else_is_no_conflict() {
    for ends in Ends::both() {
        std::fs::write(ends.source("big"), content(1, 6 * MIB as usize)).unwrap();
        let mut job = ends.job(&["big"]);
        job.rate = rate(40_000);
        let mut client = Client::start(job);
        client.until(|s| s.bytes_written >= 2 * MIB).await;
        std::fs::copy(ends.source("big"), ends.target().join("big")).unwrap();
        client.end().await.0.unwrap();
        assert_eq!(snapshot(&ends.target()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_is_saved_under_its_time_if_asked() {
    for ends in Ends::both() {
        for (name, size) in [("small.txt", 10), ("big.bin", 3_000_000), ("empty", 0)] {
            std::fs::write(ends.source(name), content(1, size)).unwrap();
            std::fs::write(ends.target().join(name), format!("old {name}")).unwrap();
        }
        std::fs::write(ends.source("new"), "new").unwrap();
        let names = ["small.txt", "big.bin", "empty", "new"];
        let mut job = ends.job(&names);
        job.options.save_before_overwrite = true;
        job.options.overwrite = OverwritePolicy::Always;
        run(job.clone()).await.unwrap();
        let found = || {
            let mut names: Vec<_> = snapshot(&ends.target()).into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(found().len(), 7, "{:?}", found());
        for (stem, extension, name) in
            [("small.2", ".0.txt", "small.txt"), ("big.2", ".0.bin", "big.bin"), ("empty.2", ".0", "empty")]
        {
            let saved = found().into_iter().find(|n| n.starts_with(stem) && n.ends_with(extension)).unwrap();
            assert_eq!(read(&ends.target().join(saved)), format!("old {name}"));
            assert_eq!(std::fs::read(ends.target().join(name)).unwrap(), std::fs::read(ends.source(name)).unwrap());
        }
        // A second time everything is replaced, so everything is saved again, and nothing saved is overwritten.
        run(job).await.unwrap();
        assert_eq!(found().len(), 11, "{:?}", found());
    }
}
