//! A person tries a server.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::diagnose::kinds::TEST_SERVER;
use godwit_protocol::worker::{Credential, Failure};

/// Asks for a test against a TCP port that answers; the worker's orders.
fn asked(world: &mut World, conn: ConnId) -> (u64, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let id = world.send(conn, TEST_SERVER, None, json!({"host": " 127.0.0.1 ", "tcp_port": port}));
    let (uuid, (_, start)) = world.workers.last_key_value().expect("a worker");
    assert_eq!((start.server.data_port, start.server.tcp_port), (33_001, port));
    (id, uuid.clone())
}

fn ends(world: &mut World, conn: ConnId, failure: Failure) -> Value {
    let (id, uuid) = asked(world, conn);
    assert!(world.response(id).is_none(), "UDP is still being tried");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(failure)));
    world.response(id).unwrap().result.unwrap()
}

#[test]
fn a_server_that_shows_a_certificate_is_reached_and_nobody_has_logged_in() {
    let (mut world, conn) = World::trusted();
    let (_, uuid) = asked(&mut world, conn);
    let server = &world.workers[&uuid].1.server;
    assert_eq!(server.credential, Credential::Password { password: String::new().into() });
    let nobody = server.identity.fingerprint.as_ref().unwrap();
    assert!(nobody.starts_with("SHA256:AAAA"), "{nobody}");
    let shown = Failure { fingerprint: Some("SHA256:x".into()), ..Failure::new(ErrorCode::Insecure, "") };
    let result = ends(&mut world, conn, shown);
    assert_eq!((&result["udp"]["reached"], &result["tcp"]["reached"]), (&json!(true), &json!(true)));
    assert_eq!(result["fingerprint"], json!("SHA256:x"));
    assert!(world.core.transfers.is_empty());
}

#[test]
fn blocked_udp_is_told_with_its_code_although_tcp_answers() {
    let (mut world, conn) = World::trusted();
    let result = ends(&mut world, conn, Failure::new(ErrorCode::DataTimeout, "something blocks UDP"));
    assert_eq!((&result["udp"]["reached"], &result["udp"]["code"]), (&json!(false), &json!(15)));
    assert!(result["udp"]["message"].as_str().unwrap().contains("blocks UDP"), "{result}");
    assert_eq!(result["tcp"]["reached"], json!(true));
}

#[test]
fn what_is_no_server_is_refused_and_a_test_that_nobody_waits_for_is_stopped() {
    let (mut world, conn) = World::trusted();
    for wish in [json!({"host": "a b"}), json!({"host": ""}), json!({"host": "a", "data_port": 0}), json!({"host": 5})]
    {
        assert_eq!(world.ui(conn, TEST_SERVER, wish.clone()), Err("bad-request".into()), "{wish}");
    }
    let page = world.send(conn, TEST_SERVER, Some(SITE), json!({"host": "a.example"}));
    assert_eq!(world.response(page).unwrap().error.unwrap().code, "forbidden");
    let (id, uuid) = asked(&mut world, conn);
    let run = world.workers[&uuid].0;
    world.later(Duration::from_secs(41));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert_eq!(world.told, [(run, Command::Stop)]);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Crashed("killed".into())));
    assert!(world.response(id).is_none(), "answered once");
}
