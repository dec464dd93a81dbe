//! What the server's disk can refuse, at each step: a number or word that says so, nothing half under a final name, and
//! the next attempt completes. The refusals are the kernel's own, put in by a tracer.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, Server, password, session, traced};
use godwit_protocol::spec::Direction;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Child;

/// The call that fails, and how; error number of a session; status and word of the API.
const ROWS: [(&str, &str, u16, u16, &str); 12] = [
    ("pwrite64", "ENOSPC", 25, 507, "no_space"),
    ("pwrite64", "EDQUOT", 25, 507, "no_space"),
    ("pwrite64", "EIO", 36, 500, "storage_failed"),
    ("pwrite64", "EROFS", 26, 403, "not_permitted"),
    ("pwrite64", "ESTALE", 36, 500, "storage_failed"),
    ("fsync", "ENOSPC", 25, 507, "no_space"),
    ("fsync", "EIO", 36, 500, "storage_failed"),
    ("fsync", "ESTALE", 36, 500, "storage_failed"),
    ("renameat2", "ENOSPC", 25, 507, "no_space"),
    ("renameat2", "EIO", 64, 500, "storage_failed"),
    ("renameat2", "EROFS", 26, 403, "not_permitted"),
    ("renameat2", "ESTALE", 64, 500, "storage_failed"),
];

/// A tracer that makes one call of the server fail; dropped, it lets go of it.
struct Tracer(Child);

impl Tracer {
    fn attach(server: &Server, call: &str, error: &str, on: &[&Path]) -> Self {
        Self(traced(server, call, &format!("error={error}"), on))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        // It lets go of what it traces only if it is asked to.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn create(server: &Server, path: &str) -> Value {
    let client = Client::basic(server.http, "ann", "right");
    let body = json!({"paths": [{"type": "file", "path": path, "contents": "c21hbGw="}]});
    client.ask("/files/create", &body)["paths"][0]["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_whatever_the_disk_refuses_is_told_leaves_nothing_half_and_the_next_attempt_completes() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let large = place.dir.path().join("large");
    let content: Vec<u8> = (0..2_500_000u32).map(|n| (n * 31 % 251) as u8).collect();
    fs::write(&large, &content).unwrap();
    assert_eq!(create(&server, "/warm"), Value::Null);
    for (n, (call, error, number, status, word)) in ROWS.into_iter().enumerate() {
        let what = format!("{call} {error}");
        let folder = place.docroot().join(format!("{n}"));
        let api = place.docroot().join(format!("api-{n}"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&api).unwrap();
        let start = || server.session("ann", password("right"), Direction::Send, &large, &format!("/{n}"));
        let partial = folder.join("large.partial");
        {
            // Renames are told by their folder, all else by the file.
            let on = if call == "renameat2" { folder.as_path() } else { partial.as_path() };
            let _tracer = Tracer::attach(&server, call, error, &[on]);
            let failure = tokio::time::timeout(4 * SOON, session(start())).await.unwrap().unwrap_err();
            assert_eq!(failure.code.number(), number, "{what}: {failure:?}");
        }
        assert!(!folder.join("large").exists(), "{what}: nothing has the final name");
        session(start()).await.unwrap_or_else(|failure| panic!("{what}: the next attempt: {failure:?}"));
        assert_eq!(fs::read(folder.join("large")).unwrap(), content, "{what}");
        assert_eq!(names(&folder), ["large"], "{what}: nothing else stays");

        {
            // The hidden name is not known before: every write of this moment fails, the catalogue's too.
            let on: &[&Path] = if call == "renameat2" { &[&api] } else { &[] };
            let _tracer = Tracer::attach(&server, call, error, on);
            let refused = create(&server, &format!("/api-{n}/small"));
            assert_eq!((&refused["code"], &refused["reason"]), (&json!(status), &json!(word)), "{what}: {refused}");
        }
        assert_eq!(names(&api), Vec::<String>::new(), "{what}: the room is given back");
        assert_eq!(create(&server, &format!("/api-{n}/small")), Value::Null, "{what}: it serves on");
        assert_eq!(names(&api), ["small"]);
    }
}
