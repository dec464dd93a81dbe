//! What can become of the catalogue's files, and what the server does about it: it says so, changes nothing, and makes no new
//! one unnoticed.

#![allow(clippy::unwrap_used)]

mod common;

use common::http::Client;
use common::{Ended, Place, SOON, Server};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

fn file(place: &Place, end: &str) -> PathBuf {
    place.dir.path().join(format!("server/catalogue.db{end}"))
}

/// A command of the administrator's that must succeed.
fn admin(place: &Place, arguments: &[&str], input: &str) -> String {
    let path = place.dir.path().join("input");
    fs::write(&path, input).unwrap();
    let mut command = place.command(arguments);
    command.stdin(Stdio::from(fs::File::open(path).unwrap()));
    let ended = place.run(command);
    assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

fn refused(place: &Place) -> Ended {
    let ended = place.run(place.serving(&[]));
    assert!(!ended.status.success() && ended.stdout.is_empty(), "it serves: {}", ended.stdout);
    ended
}

fn status(server: &Server, user: &str) -> u16 {
    Client::basic(server.http, user, "right").post("/space", &json!({"paths": []})).status
}

#[test]
fn t18_a_server_with_a_broken_catalogue_does_not_start_says_what_to_do_and_changes_nothing() {
    let place = Place::new();
    admin(&place, &["user", "add", "ann"], "right\n");
    assert_eq!(status(&place.start(&[]), "ann"), 200);
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(file(&place, end));
    }
    let path = file(&place, "");
    let whole = fs::read(&path).unwrap();
    let newer = {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        fs::read(&path).unwrap()
    };
    let mut torn = whole.clone();
    torn[4_096..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5a);
    let mut head = whole.clone();
    head[16..100].fill(0xff);
    for (what, bytes, said) in [
        ("empty", Vec::new(), "Restore it from a backup"),
        ("cut off", whole[..whole.len() / 2].to_vec(), "Restore it from a backup"),
        ("cut in its first page", whole[..50].to_vec(), "Restore it from a backup"),
        ("torn", torn, "Restore it from a backup"),
        ("with a broken head", head, "Restore it from a backup"),
        (
            "something else",
            b"a letter to the administrator, far longer than a head".repeat(200),
            "Restore it from a backup",
        ),
        ("of a later build", newer, "use the newer build"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let stderr = refused(&place).stderr;
        assert!(stderr.contains(said) && stderr.contains("catalogue.db"), "{what}: {stderr}");
        let listing = place.run(place.command(&["user", "list"]));
        assert!(!listing.status.success() && listing.stderr.contains(said), "{what}: {}", listing.stderr);
        assert!(fs::read(&path).unwrap() == bytes, "{what}: it was changed");
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(file(&place, end));
        }
    }
    // The copy of before, put back as the words say.
    fs::write(&path, &whole).unwrap();
    assert_eq!(status(&place.start(&[]), "ann"), 200);
}

#[test]
fn t18_who_was_let_in_or_shut_out_stays_so_when_the_log_is_lost_or_torn() {
    let place = Place::new();
    for (turn, harm) in ["lost", "torn", "cut"].into_iter().enumerate() {
        let mut server = place.start(&[]);
        let (added, gone) = (format!("added-{turn}"), format!("gone-{turn}"));
        for name in [&added, &gone] {
            admin(&place, &["user", "add", name], "right\n");
            assert_eq!(status(&server, name), 200);
        }
        admin(&place, &["user", "remove", &gone], "");
        admin(&place, &["token", "add", "--user", &added, "--direction", "send", "--path", "/x"], "");
        let list = admin(&place, &["token", "list"], "");
        let last = list.lines().find(|line| line.contains(&added)).unwrap();
        let id = last.split('\t').next().unwrap().to_owned();
        admin(&place, &["token", "remove", &id], "");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let log = file(&place, "-wal");
        let bytes = fs::read(&log).unwrap();
        assert!(!bytes.is_empty(), "there is a log to lose");
        fs::remove_file(file(&place, "-shm")).unwrap();
        match harm {
            "lost" => fs::remove_file(&log).unwrap(),
            "torn" => fs::write(&log, bytes.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>()).unwrap(),
            _ => fs::write(&log, &bytes[..bytes.len() / 2]).unwrap(),
        }
        let server = place.start(&[]);
        assert_eq!((status(&server, &added), status(&server, &gone)), (200, 401), "{harm}");
        let list = admin(&place, &["token", "list"], "");
        assert!(list.lines().any(|line| line.starts_with(&id) && line.ends_with("revoked")), "{harm}: {list}");
    }
}

#[test]
fn t18_a_catalogue_that_is_gone_is_not_replaced_unnoticed_and_never_beside_its_log() {
    let place = Place::new();
    admin(&place, &["user", "add", "ann"], "right\n");
    let mut server = place.start(&[]);
    assert!(!place.log().contains("a new and empty one is made"), "{}", place.log());
    assert_eq!(status(&server, "ann"), 200);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let (path, log) = (file(&place, ""), file(&place, "-wal"));
    let (kept, bytes) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    fs::remove_file(&path).unwrap();
    let stderr = refused(&place).stderr;
    assert!(stderr.contains("catalogue.db-wal") && stderr.contains("Restore both from a backup"), "{stderr}");
    assert!(!path.exists() && fs::read(&log).unwrap() == bytes, "nothing was made or changed");
    // Put back, it goes on.
    fs::write(&path, kept).unwrap();
    drop(place.start(&[]));
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(file(&place, end));
    }
    let server = place.start(&[]);
    let deadline = Instant::now() + SOON;
    while !place.log().contains("a new and empty one is made") {
        assert!(Instant::now() < deadline, "{}", place.log());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    assert_eq!(status(&server, "ann"), 401);
}

#[test]
fn t18_on_a_network_file_system_no_catalogue_is_made_or_opened() {
    let place = Place::new();
    admin(&place, &["user", "add", "ann"], "right\n");
    let path = file(&place, "");
    let whole = fs::read(&path).unwrap();
    // What the kernel says of a folder on NFS, SMB and CIFS, put into its answer.
    for kind in ["6969000000000000", "7b51000000000000", "424d53ff00000000"] {
        let plain = place.serving(&[]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=statfs", "-e"]);
        strace.arg(format!("inject=statfs:poke_exit=@arg2={kind}")).arg(plain.get_program()).args(plain.get_args());
        strace.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?)))).stdin(Stdio::null());
        let ended = place.run(strace);
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{kind}: it serves: {}", ended.stdout);
        assert!(ended.stderr.contains("network file system") && ended.stderr.contains("--state"), "{}", ended.stderr);
        assert!(fs::read(&path).unwrap() == whole, "{kind}");
    }
    assert_eq!(status(&place.start(&[]), "ann"), 200);
}
