//! Encryption at rest: who asks for it, the question for the passphrase, and what a worker is told.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::spec::ContentProtection;
use godwit_protocol::ui::Question;
use godwit_protocol::worker::{Protection, Report, Unlocked};
use godwit_protocol::{ErrorCode, Secret};

fn spec(direction: &str, more: &Value) -> Value {
    let mut spec = World::spec();
    spec["direction"] = json!(direction);
    if direction == "send" {
        spec["paths"] = json!([{"source": env!("CARGO_MANIFEST_PATH")}]);
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    spec
}

fn start(world: &mut World, conn: ConnId, spec: &Value) -> String {
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(spec, &json!({})));
    assert_eq!(status, 200, "{body}");
    assert!(!body.to_string().contains("swordfish"));
    body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
}

fn told(world: &World, uuid: &str) -> Option<Protection> {
    world.workers[uuid].1.protection.clone()
}

fn protection(mode: ContentProtection, uuid: &str) -> Option<Protection> {
    Some(Protection { mode, passphrase: Secret::new("swordfish"), scope: uuid.into() })
}

/// The site may send this very file.
fn may_send(world: &mut World) {
    let grant = crate::grants::Grant::existing(std::path::Path::new(env!("CARGO_MANIFEST_PATH"))).unwrap();
    world.core.grants.add("s1", &SITE.parse().unwrap(), [grant]);
}

fn typed() -> Decision {
    Decision::Passphrase { passphrase: Secret::new("swordfish") }
}

#[test]
fn the_pages_passphrase_goes_to_the_worker_and_nowhere_else() {
    let (mut world, conn) = World::trusted();
    let asked = json!({"content_protection": "decrypt", "content_protection_passphrase": "swordfish"});
    let uuid = start(&mut world, conn, &spec("receive", &asked));
    assert_eq!(told(&world, &uuid), protection(ContentProtection::Decrypt, &uuid));
    assert!(!world.info(conn, &uuid).to_string().contains("swordfish"));
}

#[test]
fn without_one_the_user_is_asked_before_anything_is_sent() {
    let (mut world, conn) = World::trusted();
    may_send(&mut world);
    let uuid = start(&mut world, conn, &spec("send", &json!({"content_protection": "encrypt"})));
    assert!(world.workers.is_empty());
    let prompt = world.prompt(conn);
    let server = "server.example:33001".to_owned();
    assert_eq!(
        prompt.question,
        Question::Passphrase { server, creates: true, can_skip: false, unlocks: None, wrong: false }
    );
    assert!(world.decide(conn, &prompt, &Decision::Skip).is_err(), "the page wants it encrypted");
    let empty = Decision::Passphrase { passphrase: Secret::new("") };
    assert!(world.decide(conn, &prompt, &empty).is_err());
    world.decide(conn, &prompt, &typed()).unwrap();
    assert_eq!(told(&world, &uuid), protection(ContentProtection::Encrypt, &uuid));
}

#[test]
fn who_gives_none_has_a_failed_transfer_and_is_asked_again_when_it_is_resumed() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, &spec("receive", &json!({"content_protection": "decrypt"})));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    let info = world.info(conn, &uuid);
    let code = u64::from(ErrorCode::FileEncryption.number());
    assert_eq!((info["status"].as_str(), info["error_code"].as_u64()), (Some("failed"), Some(code)));
    let (status, body) =
        world.ask(conn, SITE, &format!("transfers/resume/{uuid}"), json!({"aspera_connect_settings": {"app_id": APP}}));
    assert_eq!(status, 200, "{body}");
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &typed()).unwrap();
    assert_eq!(told(&world, &uuid), protection(ContentProtection::Decrypt, &uuid));
}

#[test]
fn a_download_may_stay_encrypted() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, &spec("receive", &json!({"content_protection": "decrypt"})));
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Passphrase { creates: false, can_skip: true, .. }));
    world.decide(conn, &prompt, &Decision::Skip).unwrap();
    assert_eq!(told(&world, &uuid), None);
}

#[test]
fn the_users_own_list_protects_uploads_and_lets_the_user_decide() {
    let mut world = World::with("[security]\nprotected_hosts = \"other.org, *.example\"\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    may_send(&mut world);
    let uuid = start(&mut world, conn, &spec("send", &json!({})));
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Passphrase { creates: true, can_skip: true, .. }));
    world.decide(conn, &prompt, &typed()).unwrap();
    assert_eq!(told(&world, &uuid), protection(ContentProtection::Encrypt, &uuid));

    let other = start(&mut world, conn, &spec("send", &json!({"title": "in clear"})));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Skip).unwrap();
    assert_eq!(told(&world, &other), None);
    // Downloads are not the list's concern.
    let down = start(&mut world, conn, &spec("receive", &json!({})));
    assert_eq!(told(&world, &down), None);
}

#[test]
fn what_could_never_work_is_refused_at_once() {
    let (mut world, conn) = World::trusted();
    for (direction, more, settings) in [
        ("receive", json!({"content_protection": "encrypt", "content_protection_passphrase": "x"}), json!({})),
        (
            "receive",
            json!({"content_protection": "decrypt", "content_protection_passphrase": "x".repeat(4097)}),
            json!({}),
        ),
        ("receive", json!({"content_protection": "decrypt"}), json!({"allow_dialogs": false})),
    ] {
        let body = World::start_body(&spec(direction, &more), &settings);
        let (status, body) = world.ask(conn, SITE, "transfers/start", body);
        assert_eq!(status, 400, "{body}");
    }
    assert!(world.workers.is_empty());
}

#[test]
fn what_stays_encrypted_is_told_and_is_no_failure() {
    let (mut world, conn) = World::trusted();
    let asked = json!({"content_protection": "decrypt", "content_protection_passphrase": "swordfish"});
    let uuid = start(&mut world, conn, &spec("receive", &asked));
    let unlocked =
        Unlocked { opened: 2, kept: 1, why: Some("a.age: the passphrase is wrong".into()), wrong_passphrase: true };
    world.worker(&uuid, WorkerEvent::Report(Report::Unlocked(unlocked.clone())));
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(godwit_protocol::worker::Stats::default())));
    assert_eq!(world.status(&uuid), TransferStatus::Completed);
    let list = world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap();
    assert_eq!(list["transfers"][0]["unlocked"], serde_json::to_value(&unlocked).unwrap());
}
