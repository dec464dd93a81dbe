//! Unknown certificates.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::ui::Question;
use godwit_protocol::worker::Failure;

const PRINT: &str = "SHA256:abc";

fn unknown() -> WorkerEvent {
    let failure = Failure { fingerprint: Some(PRINT.into()), ..Failure::new(ErrorCode::Insecure, "") };
    WorkerEvent::Ended(Ended::Failed(failure))
}

#[test]
fn the_user_is_asked_once_and_a_confirmed_certificate_is_kept() {
    let (mut world, conn) = World::trusted();
    let (a, b) = (world.start(conn), world.start(conn));
    world.worker(&a, unknown());
    let prompt = world.prompt(conn);
    let server = "server.example:33001".to_owned();
    assert_eq!(prompt.question, Question::ServerCertificate { server, fingerprint: PRINT.into() });
    assert_eq!(world.status(&a), TransferStatus::Initiating);
    world.worker(&b, unknown());
    world.decide(conn, &prompt, &Decision::Allow { remember: true }).unwrap();
    assert!(world.prompts(conn).len() <= 1, "the second question is closed with the first");
    assert_eq!(world.workers[&a].1.server.identity.pin.as_deref(), Some(PRINT));
    assert_eq!(world.workers[&b].1.server.identity.pin.as_deref(), Some(PRINT));
    assert!(world.ui(conn, kinds::PROMPTS, json!({})).unwrap()["prompts"].as_array().unwrap().is_empty());
    world.killed(world.store.after_power_cut());
    assert_eq!(world.workers[&a].1.server.identity.pin.as_deref(), Some(PRINT));
}

#[test]
fn t27_a_changed_pin_and_a_wrong_fingerprint_are_errors_not_questions() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.worker(&uuid, unknown());
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: true }).unwrap();
    world.worker(&uuid, unknown());
    assert!(world.prompts(conn).is_empty());
    assert_eq!(
        (world.status(&uuid), world.info(conn, &uuid)["error_code"].as_u64()),
        (TransferStatus::Failed, Some(51))
    );

    let mut spec = World::spec();
    spec["remote_host"] = json!("second.example");
    let print = "SHA256:".to_owned() + &"0".repeat(64);
    spec["sshfp"] = json!(print);
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({})));
    assert_eq!(status, 200, "{body}");
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    assert!(world.workers[&uuid].1.server.identity.fingerprint.is_some());
    world.worker(&uuid, unknown());
    assert!(world.prompts(conn).is_empty());
    assert_eq!(world.status(&uuid), TransferStatus::Failed);
}

#[test]
fn refused_or_unanswered_the_transfer_has_failed_and_says_why() {
    for lost in [false, true] {
        let (mut world, conn) = World::trusted();
        let uuid = world.start(conn);
        world.worker(&uuid, unknown());
        let prompt = world.prompt(conn);
        if lost {
            world.handle(Input::Disconnected { conn });
        } else {
            world.decide(conn, &prompt, &Decision::Deny { remember: false }).unwrap();
        }
        let again = world.browser("s1");
        let info = world.info(again, &uuid);
        assert_eq!((info["status"].as_str(), info["error_code"].as_u64()), (Some("failed"), Some(51)), "{lost}");
    }
}

#[test]
fn confirmed_without_remembering_holds_for_the_session_and_nobody_there_means_failed() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.worker(&uuid, unknown());
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.workers[&uuid].1.server.identity.pin.as_deref(), Some(PRINT));
    world.killed(world.store.after_kill());
    assert_eq!(world.workers[&uuid].1.server.identity.pin, None);
    world.worker(&uuid, unknown());
    assert_eq!(world.status(&uuid), TransferStatus::Failed);
}

#[test]
fn removing_the_transfer_closes_its_question() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.worker(&uuid, unknown());
    let prompt = world.prompt(conn);
    world.ui(conn, kinds::REMOVE, json!({"uuid": uuid})).unwrap();
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED)[0]["prompt_id"], json!(prompt.prompt_id));
}
