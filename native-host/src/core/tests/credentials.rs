//! Questions for a login, and saved passwords.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::prefs;
use godwit_protocol::ui::Question;
use godwit_protocol::worker::{Credential, Failure, Report};

fn refused() -> WorkerEvent {
    WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::Authentication, "wrong password")))
}

fn let_in() -> WorkerEvent {
    let report = Report::Session {
        transport: "quic".into(),
        fingerprint: String::new(),
        server_version: "0".into(),
        granted: Default::default(),
        locks: Default::default(),
    };
    WorkerEvent::Report(report)
}

fn login(password: &str, save: bool) -> Decision {
    Decision::Credentials { user: "ann".into(), password: godwit_protocol::Secret::new(password), save }
}

fn passwords(world: &mut World, conn: ConnId) -> Vec<Value> {
    world.ui(conn, prefs::kinds::PASSWORDS, json!({})).unwrap()["passwords"].as_array().unwrap().clone()
}

/// Starts a download without a password.
fn start(world: &mut World, conn: ConnId, site: &str, more: &Value) -> String {
    let mut spec = World::spec();
    spec.as_object_mut().unwrap().remove("remote_password");
    spec["remote_user"] = json!("ann");
    for (name, value) in more["spec"].as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    let settings = if more["settings"].is_object() { more["settings"].clone() } else { json!({}) };
    let (status, body) = world.ask(conn, site, "transfers/start", World::start_body(&spec, &settings));
    assert_eq!(status, 200, "{body}");
    body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
}

fn password_of(world: &World, uuid: &str) -> String {
    match &world.workers[uuid].1.server.credential {
        Credential::Password { password } => password.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn save(world: &mut World, conn: ConnId, site: &str, more: &Value) {
    let uuid = start(world, conn, site, more);
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &login("right", true)).unwrap();
    world.worker(&uuid, let_in());
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(godwit_protocol::worker::Stats::default())));
}

#[test]
fn a_transfer_without_a_password_asks_and_goes_on_with_what_the_user_types() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, SITE, &json!({}));
    assert!(world.workers.is_empty(), "nothing is tried without a password");
    assert_eq!(world.status(&uuid), TransferStatus::Initiating);
    let prompt = world.prompt(conn);
    let server = "server.example:33001".to_owned();
    let question = Question::Credentials { server, user: "ann".into(), wrong: false, can_save: true, saved: false };
    assert_eq!((&prompt.question, prompt.origin.as_str()), (&question, SITE));
    world.decide(conn, &prompt, &login("right", false)).unwrap();
    assert_eq!(password_of(&world, &uuid), "right");
    world.worker(&uuid, let_in());
    assert_eq!(world.status(&uuid), TransferStatus::Running);
    assert!(passwords(&mut world, conn).is_empty(), "nobody wanted it saved");
}

#[test]
fn a_wrong_password_is_asked_about_three_times_and_then_the_transfer_has_failed() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    for _ in 0..3 {
        world.worker(&uuid, refused());
        let prompt = world.prompt(conn);
        assert!(matches!(prompt.question, Question::Credentials { wrong: true, .. }), "{prompt:?}");
        world.decide(conn, &prompt, &login("wrong", true)).unwrap();
    }
    world.worker(&uuid, refused());
    assert!(world.prompts(conn).is_empty());
    assert_eq!(world.info(conn, &uuid)["error_code"], json!(19));
    assert_eq!(world.status(&uuid), TransferStatus::Failed);
    assert!(passwords(&mut world, conn).is_empty(), "what was never right is not saved");
}

#[test]
fn cancelled_lost_or_without_dialogs_the_transfer_has_failed_with_19() {
    for case in ["cancel", "lost", "no dialogs", "token"] {
        let (mut world, conn) = World::trusted();
        let more = match case {
            "no dialogs" => json!({"settings": {"allow_dialogs": false}}),
            "token" => json!({"spec": {"authentication": "token", "token": "t"}}),
            _ => json!({}),
        };
        let uuid = start(&mut world, conn, SITE, &more);
        match case {
            "cancel" => {
                let prompt = world.prompt(conn);
                world.decide(conn, &prompt, &Decision::Cancel).unwrap();
            }
            "lost" => world.handle(Input::Disconnected { conn }),
            "token" => world.worker(&uuid, refused()),
            _ => {}
        }
        let conn = world.browser("s1");
        assert!(world.prompts(conn).is_empty(), "{case}");
        assert_eq!(world.info(conn, &uuid)["error_code"], json!(19), "{case}");
        assert_eq!(world.status(&uuid), TransferStatus::Failed, "{case}");
    }
}

#[test]
fn a_failed_transfer_that_the_user_resumes_asks_in_that_browser() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, SITE, &json!({}));
    world.handle(Input::Disconnected { conn });
    let other = world.browser("s2");
    world.ui(other, kinds::RESUME, json!({"uuid": uuid})).unwrap();
    let prompt = world.prompt(other);
    world.decide(other, &prompt, &login("right", false)).unwrap();
    assert_eq!(password_of(&world, &uuid), "right");
}

#[test]
fn several_transfers_with_one_login_ask_once_and_a_mistake_costs_one_try() {
    let (mut world, conn) = World::trusted();
    let (a, b) = (start(&mut world, conn, SITE, &json!({})), start(&mut world, conn, SITE, &json!({})));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &login("wrong", false)).unwrap();
    assert_eq!(world.workers.len(), 1, "the other waits for the outcome");
    world.worker(&a, refused());
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &login("right", false)).unwrap();
    world.worker(&a, let_in());
    assert_eq!(password_of(&world, &b), "right");

    // The one that asks is removed: the next one asks.
    let (c, d) = (start(&mut world, conn, SITE, &json!({})), start(&mut world, conn, SITE, &json!({})));
    world.prompt(conn);
    world.ui(conn, kinds::REMOVE, json!({"uuid": c})).unwrap();
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED).len(), 1);
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.status(&d), TransferStatus::Failed);
}

#[test]
fn new_credentials_from_the_page_answer_the_question_too() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, SITE, &json!({}));
    world.prompt(conn);
    let body = json!({"remote_password": "from the page"});
    let (status, body) = world.ask(conn, SITE, &format!("transfers/resume/{uuid}"), body);
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED).len(), 1);
    assert_eq!(password_of(&world, &uuid), "from the page");
}

#[test]
fn a_saved_password_is_kept_after_the_login_used_later_listed_without_itself_and_forgotten() {
    let (mut world, conn) = World::trusted();
    let uuid = start(&mut world, conn, SITE, &json!({}));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &login("right", true)).unwrap();
    assert!(passwords(&mut world, conn).is_empty(), "the server has not accepted it yet");
    world.worker(&uuid, let_in());
    let list = passwords(&mut world, conn);
    assert_eq!((list.len(), &list[0]["server"], &list[0]["user"]), (1, &json!("server.example:33001"), &json!("ann")));
    assert!(!list[0].to_string().contains("right"));

    world.killed(world.store.after_power_cut());
    let conn = world.browser("s1");
    let uuid = start(&mut world, conn, SITE, &json!({}));
    assert_eq!(password_of(&world, &uuid), "right");
    assert!(world.prompts(conn).is_empty());

    let id = passwords(&mut world, conn)[0]["id"].clone();
    world.ui(conn, prefs::kinds::FORGET_PASSWORD, json!({"id": id})).unwrap();
    assert_eq!(world.ui(conn, prefs::kinds::FORGET_PASSWORD, json!({"id": id})), Err("not-found".into()));
    start(&mut world, conn, SITE, &json!({}));
    world.prompt(conn);
    world.killed(world.store.after_power_cut());
    let conn = world.browser("s1");
    assert!(passwords(&mut world, conn).is_empty());
}

#[test]
fn h10_a_saved_password_goes_to_no_other_site_server_or_certificate_without_a_question() {
    let (mut world, conn) = World::trusted();
    world.trust(conn, OTHER);
    save(&mut world, conn, SITE, &json!({}));
    let print = "SHA256:".to_owned() + &"0".repeat(64);
    for more in [
        json!({"spec": {"remote_host": "evil.example"}}),
        json!({"spec": {"fasp_port": 33002}}),
        json!({"spec": {"remote_user": "bob"}}),
        json!({"spec": {"sshfp": print}}),
    ] {
        start(&mut world, conn, SITE, &more);
        let prompt = world.prompt(conn);
        assert!(matches!(prompt.question, Question::Credentials { saved: false, .. }), "{prompt:?}");
        assert_eq!(world.decide(conn, &prompt, &login("", false)), Err("bad-request".into()));
        world.decide(conn, &prompt, &Decision::Cancel).unwrap();
        assert!(world.workers.is_empty(), "{more}");
    }
    // Another site asks, and the user may let it use the saved one.
    let uuid = start(&mut world, conn, OTHER, &json!({}));
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Credentials { saved: true, .. }), "{prompt:?}");
    world.decide(conn, &prompt, &login("", true)).unwrap();
    assert_eq!(password_of(&world, &uuid), "right");
    world.worker(&uuid, let_in());
    let uuid = start(&mut world, conn, OTHER, &json!({}));
    assert_eq!(password_of(&world, &uuid), "right");
}

#[test]
fn a_saved_password_that_the_server_does_not_take_any_more_is_tried_once_and_replaced() {
    let (mut world, conn) = World::trusted();
    save(&mut world, conn, SITE, &json!({}));
    let uuid = start(&mut world, conn, SITE, &json!({}));
    world.worker(&uuid, refused());
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Credentials { wrong: true, saved: false, .. }), "{prompt:?}");
    world.decide(conn, &prompt, &login("new", true)).unwrap();
    world.worker(&uuid, let_in());
    assert_eq!(passwords(&mut world, conn).len(), 1);
    let uuid = start(&mut world, conn, SITE, &json!({}));
    assert_eq!(password_of(&world, &uuid), "new");
}

#[test]
fn with_saving_off_nothing_is_offered_or_saved() {
    let mut world = World::with("[security]\nsave_passwords = false\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let uuid = start(&mut world, conn, SITE, &json!({}));
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Credentials { can_save: false, .. }), "{prompt:?}");
    world.decide(conn, &prompt, &login("right", true)).unwrap();
    world.worker(&uuid, let_in());
    assert!(passwords(&mut world, conn).is_empty());
}
