//! What lies in a docroot and is no file: pipes, sockets, devices, and links into `/proc` and `/dev`. By neither port is one
//! opened, waited for or followed, and what lies beside them is served.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Place, SOON, Server, password, session};
use godwit_protocol::spec::Direction;
use rustix::fs::{CWD, FileType, mknodat};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Special files, and the number of a session that asks for one.
const SPECIAL: [&str; 3] = ["pipe", "socket", "device"];
/// Links, and where they lead.
const LINKS: [(&str, &str); 6] = [
    ("proc-root", "/proc/self/root"),
    ("proc-cwd", "/proc/self/cwd"),
    ("environ", "/proc/self/environ"),
    ("fd", "/dev/fd"),
    ("stdin", "/dev/fd/0"),
    ("null", "/dev/null"),
];

/// A folder `tree` with one of each, and an honest file. The socket lives as long as the listener.
fn tree(place: &Place) -> (PathBuf, UnixListener) {
    let tree = place.docroot().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("honest"), "honest").unwrap();
    mknodat(CWD, tree.join("pipe"), FileType::Fifo, 0o666.into(), 0).unwrap();
    // The one device that everybody may make; who opens it gets an error, who reads it nothing.
    mknodat(CWD, tree.join("device"), FileType::CharacterDevice, 0o666.into(), 0).unwrap();
    for (name, target) in LINKS {
        symlink(target, tree.join(name)).unwrap();
    }
    let socket = UnixListener::bind(tree.join("socket")).unwrap();
    (tree, socket)
}

fn all() -> impl Iterator<Item = &'static str> {
    SPECIAL.into_iter().chain(LINKS.map(|(name, _)| name))
}

/// The number a session ends with; it must end soon.
async fn ends(server: &Server, direction: Direction, local: &Path, remote: &str) -> (u16, String) {
    let start = server.session("ann", password("right"), direction, local, remote);
    match tokio::time::timeout(2 * SOON, session(start)).await.expect("it is not waited for") {
        Ok(_) => (0, String::new()),
        Err(failure) => (failure.code.number(), failure.message),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_sessions_open_no_special_file_and_follow_no_link_into_proc_or_dev() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (tree, socket) = tree(&place);
    socket.set_nonblocking(true).unwrap();
    let back = place.dir.path().join("back");
    fs::create_dir(&back).unwrap();

    // The folder as a whole: what is no file is told, links are passed over, the rest arrives.
    let (number, message) = ends(&server, Direction::Receive, &back, "/tree").await;
    assert_eq!(number, 27, "some files failed: {message}");
    assert_eq!(names(&back.join("tree")), ["honest"]);
    assert_eq!(fs::read(back.join("tree/honest")).unwrap(), b"honest");
    fs::remove_dir_all(back.join("tree")).unwrap();

    // One by one.
    for name in SPECIAL {
        let (number, message) = ends(&server, Direction::Receive, &back, &format!("/tree/{name}")).await;
        assert_eq!(number, 21, "{name}: {message}");
    }
    for (name, _) in LINKS {
        for path in [format!("/tree/{name}"), format!("/tree/{name}/etc/passwd")] {
            let (number, message) = ends(&server, Direction::Receive, &back, &path).await;
            assert_eq!(number, 41, "{path}: {message}");
        }
    }
    assert_eq!(names(&back), Vec::<String>::new());

    // In the way of an upload: what is special stays as it is, a link gives way to the file, and neither is written through.
    let local = place.dir.path().join("tree");
    fs::create_dir(&local).unwrap();
    for name in all().chain(["other"]) {
        fs::write(local.join(name), name).unwrap();
    }
    let (number, message) = ends(&server, Direction::Send, &local, "/").await;
    assert_eq!(number, 27, "{message}");
    let kinds = |name: &str| fs::symlink_metadata(tree.join(name)).unwrap().file_type();
    for name in SPECIAL {
        assert!(!kinds(name).is_file(), "{name} was replaced");
        let (number, message) = ends(&server, Direction::Send, &local, &format!("/tree/{name}")).await;
        assert_eq!(number, 6, "{name} is no folder: {message}");
    }
    for name in LINKS.map(|(name, _)| name).into_iter().chain(["other"]) {
        assert!(kinds(name).is_file(), "{name}");
        assert_eq!(fs::read_to_string(tree.join(name)).unwrap(), name);
    }
    assert_eq!(fs::read(tree.join("honest")).unwrap(), b"honest");
    assert!(socket.accept().is_err(), "nobody called at the socket");
}

#[test]
fn t11_requests_open_no_special_file_and_follow_no_link_into_proc_or_dev() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let (tree, socket) = tree(&place);
    socket.set_nonblocking(true).unwrap();
    let ann = Client::basic(server.http, "ann", "right");
    let contents = |path: &str| ann.get(&format!("/files/{}/contents", path.replace('/', "%2F")));
    for (name, status, reason) in SPECIAL.map(|name| (name, 400, "not_a_file")) {
        let answer = contents(&format!("/tree/{name}"));
        assert_eq!((answer.status, &answer.json()["error"]["reason"]), (status, &json!(reason)), "{name}");
    }
    for (name, target) in LINKS {
        for path in [format!("/tree/{name}"), format!("/tree/{name}/etc/passwd"), format!("/tree{target}")] {
            let answer = contents(&path);
            assert!([403, 404].contains(&answer.status), "{path}: {}", String::from_utf8_lossy(&answer.body));
            assert!(answer.json()["error"]["code"].is_u64(), "{path}");
        }
        let under = json!({"paths": [{"type": "file", "path": format!("/tree/{name}/new"), "contents": ""}]});
        assert_eq!(ann.ask("/files/create", &under)["paths"][0]["error"]["code"], json!(403), "{name}");
    }
    // They are shown, and can be moved and removed like everything else.
    let listed = ann.ask("/files/browse", &json!({"path": "/tree"}));
    assert_eq!(listed["total_count"], json!(all().count() + 1), "{listed}");
    let found = ann.ask("/files/search", &json!({"path": "/"}));
    assert!(!found.to_string().contains("passwd"), "{found}");
    for name in all() {
        let renamed = json!({"paths": [{"path": "/tree", "source": name, "destination": format!("moved-{name}")}]});
        assert_eq!(ann.ask("/files/rename", &renamed)["paths"][0]["error"], json!(null), "{name}");
        let removed = json!({"paths": [{"path": format!("/tree/moved-{name}")}]});
        assert_eq!(ann.ask("/files/delete", &removed)["paths"][0]["error"], json!(null), "{name}");
    }
    assert_eq!(names(&tree), ["honest"]);
    assert!(socket.accept().is_err(), "nobody called at the socket");
    for (_, target) in LINKS {
        assert!(fs::symlink_metadata(target).is_ok(), "{target} is where it was");
    }
}
