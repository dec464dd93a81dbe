//! Page calls that no other file of these tests is about: files, drops, servers, versions.

use super::*;
use crate::grants::Grant;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::ui::Question;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Credential, Failure, RateSettings, Report};

/// A world in which `a.txt` was chosen for the site.
fn with_file() -> (World, ConnId, PathBuf) {
    let (mut world, conn) = World::trusted();
    let path = world.dir.path().canonicalize().unwrap().join("a.txt");
    std::fs::write(&path, "hello world").unwrap();
    world.core.grants.add("s1", &SITE.parse().unwrap(), [Grant::existing(&path).unwrap()]);
    (world, conn, path)
}

#[test]
fn a_chosen_file_is_read_whole_or_in_chunks() {
    let (mut world, conn, path) = with_file();
    let (status, body) = world.ask(conn, SITE, "file/read-as-array-buffer/", json!({"path": path}));
    assert_eq!((status, &body), (200, &json!({"type": "text/plain", "data": "aGVsbG8gd29ybGQ="})));
    let wish = json!({"path": path, "offset": 6, "chunkSize": 5});
    let (status, body) = world.ask(conn, SITE, "file/read-chunk-as-array-buffer/", wish);
    assert_eq!((status, &body["data"]), (200, &json!("d29ybGQ=")));
    let (status, body) = world.ask(conn, SITE, "file/read-chunk-as-array-buffer", json!({"path": path}));
    assert_eq!((status, body["error"]["code"].as_u64()), (400, Some(400)));
}

#[test]
fn a_checksum_of_a_chosen_file_is_told_with_its_method() {
    let (mut world, conn, path) = with_file();
    let (status, body) = world.ask(conn, SITE, "file/checksum/", json!({"path": path, "offset": 0, "chunkSize": 0}));
    let expected = json!({"checksumMethod": "md5", "checksum": "5eb63bbbe01eeed093cb22bb8f5acdc3"});
    assert_eq!((status, body), (200, expected));
    let (status, _) = world.ask(conn, SITE, "file/checksum", json!({"path": path, "checksumMethod": "crc32"}));
    assert_eq!(status, 400);
}

#[test]
fn a_file_that_was_not_chosen_for_this_site_in_this_session_is_neither_read_nor_summed() {
    let (mut world, conn, path) = with_file();
    let other = world.browser("s2");
    world.core.trust.allow_once("s2", &SITE.parse().unwrap());
    world.core.trust.allow_once("s1", &OTHER.parse().unwrap());
    for (conn, site, path) in [
        (conn, SITE, std::path::Path::new("/etc/passwd")),
        (conn, SITE, std::path::Path::new("/nothing/there")),
        (conn, OTHER, path.as_path()),
        (other, SITE, path.as_path()),
    ] {
        let wish = json!({"path": path, "offset": 0, "chunkSize": 5});
        for call in ["file/read-as-array-buffer/", "file/read-chunk-as-array-buffer/", "file/checksum/"] {
            let (status, body) = world.ask(conn, site, call, wish.clone());
            assert_eq!((status, body["error"]["code"].as_u64()), (406, Some(406)), "{call} {site} {body}");
        }
    }
}

#[test]
fn a_port_that_answers_is_reported_and_one_that_does_not_is_an_error() {
    let (mut world, conn) = World::trusted();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ask =
        |world: &mut World| world.ask(conn, SITE, "info/ports", json!({"remote_host": "127.0.0.1", "ssh_port": port}));
    assert_eq!(ask(&mut world), (200, json!({})));
    drop(listener);
    assert_eq!(ask(&mut world).0, 502);
    assert_eq!(world.ask(conn, SITE, "info/ports", json!({"remote_host": "a b"})).0, 400);
}

fn login(world: &mut World, conn: ConnId) -> (u64, String) {
    let body = json!({"remote_host": "server.example", "remote_user": "u", "remote_password": "hunter2"});
    let id = world.post(conn, SITE, "info/authenticate", body);
    let (uuid, (_, start)) = world.workers.last_key_value().expect("a worker");
    assert_eq!(start.server.credential, Credential::Password { password: "hunter2".to_owned().into() });
    assert!(start.paths[0].source.starts_with(".godwit-login-"), "nothing that exists");
    (id, uuid.clone())
}

#[test]
fn a_login_is_tried_without_moving_anything() {
    let (mut world, conn) = World::trusted();
    let (id, uuid) = login(&mut world, conn);
    let session = Report::Session {
        transport: "quic".into(),
        fingerprint: "SHA256:x".into(),
        server_version: "0".into(),
        granted: RateSettings::default(),
        locks: RateLocks::default(),
    };
    let run = world.workers[&uuid].0;
    world.worker(&uuid, WorkerEvent::Report(session));
    assert_eq!(world.answer(id), (200, json!({})));
    assert_eq!(world.told, [(run, Command::Stop)]);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::UserCancel, ""))));
    assert!(world.core.probes.is_empty() && world.core.transfers.is_empty());
    assert!(world.core.waiting.is_empty());

    for (code, status) in [
        (ErrorCode::Authentication, 401),
        (ErrorCode::Unauthorized, 200),
        (ErrorCode::NoSuchFile, 200),
        (ErrorCode::DataTimeout, 502),
        (ErrorCode::Insecure, 502),
    ] {
        let (id, uuid) = login(&mut world, conn);
        world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(code, ""))));
        let (got, body) = world.answer(id);
        assert_eq!(got, status, "{body}");
        assert!(!body.to_string().contains("hunter2"));
    }
}

#[test]
fn a_login_that_nobody_waits_for_any_more_is_stopped() {
    let (mut world, conn) = World::trusted();
    let (id, uuid) = login(&mut world, conn);
    let run = world.workers[&uuid].0;
    world.later(Duration::from_secs(31));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert_eq!(world.told, [(run, Command::Stop)]);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Crashed("killed".into())));
    assert!(world.response(id).is_none(), "answered once");
}

#[test]
fn a_page_may_try_only_a_few_servers_at_once() {
    let (mut world, conn) = World::trusted();
    login(&mut world, conn);
    login(&mut world, conn);
    let body = json!({"remote_host": "server.example", "remote_password": "x"});
    assert_eq!(world.ask(conn, SITE, "info/authenticate", body).0, 429);
}

#[test]
fn a_required_version_is_always_acknowledged_and_shown_only_for_a_site_that_is_allowed() {
    let (mut world, conn) = World::trusted();
    world.events(conn, topics::OPEN_PAGE);
    let ask = |world: &mut World, site: &str, version: &str| {
        let id =
            world.call(conn, site, "POST", "update/require", &json!({"min_version": version, "sdk_location": "//x"}));
        (world.answer(id), world.events(conn, topics::OPEN_PAGE).len())
    };
    assert_eq!(ask(&mut world, SITE, "99.0"), ((200, json!({})), 1));
    assert_eq!(ask(&mut world, SITE, "3.9.0"), ((200, json!({})), 0));
    assert_eq!(ask(&mut world, SITE, "4"), ((200, json!({})), 0), "compared over the common length");
    assert_eq!(ask(&mut world, OTHER, "99.0"), ((200, json!({})), 0));
}

#[test]
fn before_consent_files_and_servers_ask_the_user_first() {
    let mut world = World::new();
    for (n, call) in
        ["file/checksum", "file/read-as-array-buffer", "info/ports", "info/authenticate", "file/dropped-files"]
            .into_iter()
            .enumerate()
    {
        let conn = world.browser(&format!("s{n}"));
        let body = json!({"path": "/etc/passwd", "remote_host": "h", "token": "t"});
        let id = world.post(conn, SITE, call, body);
        assert!(world.response(id).is_none(), "{call}");
        let prompt = world.prompt(conn);
        assert!(matches!(prompt.question, Question::Consent { .. }), "{call}");
        assert!(world.workers.is_empty());
    }
}
