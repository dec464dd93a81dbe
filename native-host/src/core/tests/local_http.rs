//! Calls of the local HTTP door are page calls like any other; their questions appear in a browser.

use super::{SITE, World};
use crate::core::{ConnId, Input};
use godwit_protocol::envelope::Role;
use godwit_protocol::ui::{Decision, kinds};
use serde_json::json;

fn door(world: &mut World) -> ConnId {
    world.connect_as(Role::LocalHttp, None)
}

fn start(world: &mut World, conn: ConnId, site: &str) -> u64 {
    let body = World::start_body(&World::spec(), &json!({"request_id": "r"}));
    world.post(conn, site, "transfers/start", body)
}

#[test]
fn its_question_appears_in_the_browser_that_came_last_and_the_answer_holds() {
    let mut world = World::new();
    let (first, last) = (world.browser("s1"), world.browser("s2"));
    let http = door(&mut world);
    let call = start(&mut world, http, SITE);
    assert!(world.prompts(first).is_empty());
    let prompt = world.prompt(last);
    assert!(world.response(call).is_none(), "nothing before the user has decided");
    world.decide(last, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.answer(call).0, 200);
    assert_eq!(world.activity(http, SITE, 0)["result_count"], json!(1));
    let stranger = world.activity(http, "https://other.example", 0);
    assert_eq!(stranger["result_count"], json!(0), "another site sees nothing");
}

#[test]
fn without_a_browser_an_unknown_site_is_refused_at_once_and_a_trusted_one_is_served() {
    let (mut world, browser) = World::trusted();
    world.handle(Input::Disconnected { conn: browser });
    let http = door(&mut world);
    let call = start(&mut world, http, "https://unknown.example");
    let (status, body) = world.answer(call);
    assert_eq!(status, 403);
    assert!(body["error"]["user_message"].as_str().unwrap().contains("browser"), "it says what to do: {body}");
    let call = start(&mut world, http, SITE);
    assert_eq!(world.answer(call).0, 200);
    let call = world.post(http, SITE, "windows/select-open-file-dialog/", json!({}));
    assert_eq!(world.answer(call).0, 403, "a dialog needs a window");
}

#[test]
fn a_browser_that_leaves_takes_its_open_questions_along() {
    let mut world = World::new();
    let browser = world.browser("s1");
    let http = door(&mut world);
    let call = start(&mut world, http, SITE);
    world.prompt(browser);
    world.handle(Input::Disconnected { conn: browser });
    assert_eq!(world.answer(call).0, 403);
    let call = start(&mut world, http, SITE);
    assert_eq!(world.answer(call).0, 403);
}

#[test]
fn a_caller_that_leaves_or_waits_too_long_takes_its_question_along() {
    let mut world = World::new();
    let browser = world.browser("s1");
    let gone = door(&mut world);
    start(&mut world, gone, SITE);
    let prompt = world.prompt(browser);
    world.handle(Input::Disconnected { conn: gone });
    assert!(world.decide(browser, &prompt, &Decision::Allow { remember: true }).is_err());
    let http = door(&mut world);
    let params = json!({"method": "GET", "uri": "/connect/windows/about", "body": ""});
    let call = world.send_with(http, kinds::PAGE, Some(SITE), params, Some(1_000));
    let prompt = world.prompt(browser);
    world.later(std::time::Duration::from_secs(2));
    assert!(world.response(call).unwrap().error.is_some(), "its time is over");
    assert!(
        world.decide(browser, &prompt, &Decision::Allow { remember: true }).is_err(),
        "and nobody is asked any more"
    );
}

#[test]
fn what_is_for_windows_is_not_for_it_and_it_hears_no_events() {
    let (mut world, _) = World::trusted();
    let http = door(&mut world);
    assert!(world.sent.iter().all(|(conn, _)| *conn != http), "no list of sites, no settings");
    for kind in [kinds::STATUS, kinds::SUBSCRIBE, kinds::SHUTDOWN, kinds::TRUST] {
        assert_eq!(world.ui(http, kind, json!({})).unwrap_err(), "forbidden", "{kind}");
    }
}

#[test]
fn it_is_open_while_the_setting_says_so() {
    let mut world = World::with("[security]\nlocal_http = true\n", "");
    let outputs = world.core.start(world.now);
    world.carry_out(outputs);
    assert!(world.door);
    let browser = world.browser("s1");
    let change = |on: bool| json!({"changes": {"security.local_http": on}});
    world.ui(browser, "ui.change-settings", change(false)).unwrap();
    assert!(!world.door);
    world.ui(browser, "ui.change-settings", change(true)).unwrap();
    assert!(world.door);
    assert!(!World::new().door, "it is closed unless somebody opens it");
}
