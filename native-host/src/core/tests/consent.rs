//! May this site?

use super::*;
use godwit_protocol::ui::Question;

#[test]
fn before_consent_a_site_learns_only_that_godwit_exists() {
    let mut world = World::new();
    let conn = world.browser("s");
    let id = world.call(conn, SITE, "GET", "info/version", &json!({}));
    let (status, body) = world.answer(id);
    assert_eq!((status, body["version"].as_str()), (200, Some(godwit_protocol::page::API_VERSION)));
    assert_eq!(body["system_wide"], json!(false));
    let id = world.call(conn, SITE, "GET", "info/ping", &json!({}));
    assert_eq!(world.answer(id), (200, json!({})));
    let body = world.activity(conn, SITE, 0);
    assert_eq!(body["transfers"], json!([]));
    assert!(world.prompts(conn).is_empty(), "none of this disturbs the user");
}

#[test]
fn everything_else_asks_once_and_goes_on_with_the_answer() {
    let mut world = World::new();
    let conn = world.browser("s");
    let first = world.post(conn, SITE, "transfers/start", World::start_body(&World::spec(), &json!({})));
    let second = world.post(conn, SITE, "transfers/info/x", json!({}));
    let prompt = world.prompt(conn);
    assert_eq!(prompt.origin.as_str(), SITE);
    assert_eq!(
        prompt.question,
        Question::Consent { purpose: "receive".into(), remote_host: Some("server.example".into()) }
    );
    assert!(world.response(first).is_none());
    world.decide(conn, &prompt, &Decision::Allow { remember: true }).unwrap();
    assert_eq!(world.answer(first).0, 200);
    assert_eq!(world.answer(second).0, 404);
    assert!(world.prompts(conn).is_empty());
    assert_eq!(world.events(conn, topics::TRUST).last().unwrap()["trusted"], json!([SITE]));
    let err = world.decide(conn, &prompt, &Decision::Cancel).unwrap_err();
    assert_eq!(err, "not-found", "an answer counts once");
}

#[test]
fn allowed_without_remembering_holds_for_this_browser_session_only() {
    let mut world = World::new();
    let conn = world.browser("s");
    let id = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.answer(id).0, 200);
    world.handle(Input::Disconnected { conn });
    let again = world.browser("s");
    let id = world.call(again, SITE, "GET", "windows/about", &json!({}));
    assert_eq!(world.answer(id).0, 200, "the background was restarted, the browser was not");
    let next = world.browser("t");
    world.call(next, SITE, "GET", "windows/about", &json!({}));
    world.prompt(next);
}

#[test]
fn a_refusal_is_an_error_and_is_not_asked_again_at_once() {
    for decision in [Decision::Deny { remember: false }, Decision::Cancel] {
        let mut world = World::new();
        let conn = world.browser("s");
        let id = world.call(conn, SITE, "GET", "windows/about", &json!({}));
        let prompt = world.prompt(conn);
        world.decide(conn, &prompt, &decision).unwrap();
        let (status, body) = world.answer(id);
        assert_eq!(status, 403);
        assert!(body["error"]["user_message"].as_str().unwrap().contains(SITE));
        let id = world.call(conn, SITE, "GET", "windows/about", &json!({}));
        assert_eq!(world.answer(id).0, 403);
        assert!(world.prompts(conn).is_empty());
        world.later(Duration::from_secs(3));
        world.call(conn, SITE, "GET", "windows/about", &json!({}));
        world.prompt(conn);
    }
}

#[test]
fn a_remembered_refusal_survives_a_power_cut_until_it_is_forgotten() {
    let mut world = World::new();
    let conn = world.browser("s");
    world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Deny { remember: true }).unwrap();
    world.killed(world.store.after_power_cut());
    let conn = world.browser("t");
    assert_eq!(world.events(conn, topics::TRUST).last().unwrap()["restricted"], json!([SITE]));
    let id = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    assert_eq!(world.answer(id).0, 403);
    assert_eq!(world.activity(conn, SITE, 0)["result_count"], json!(0));
    world.ui(conn, kinds::FORGET_TRUST, json!({"pattern": SITE})).unwrap();
    assert_eq!(world.ui(conn, kinds::FORGET_TRUST, json!({"pattern": SITE})), Err("not-found".into()));
    world.call(conn, SITE, "GET", "windows/about", &json!({}));
    world.prompt(conn);
}

#[test]
fn one_window_at_a_time_and_the_next_site_follows() {
    let mut world = World::new();
    let conn = world.browser("s");
    world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let first = world.prompt(conn);
    let other = world.call(conn, OTHER, "GET", "windows/about", &json!({}));
    assert!(world.prompts(conn).is_empty(), "it waits");
    world.decide(conn, &first, &Decision::Allow { remember: true }).unwrap();
    let second = world.prompt(conn);
    assert_eq!(second.origin.as_str(), OTHER);
    world.decide(conn, &second, &Decision::Deny { remember: false }).unwrap();
    assert_eq!(world.answer(other).0, 403);
}

#[test]
fn only_the_browser_that_was_asked_may_answer_and_the_answer_must_fit() {
    let mut world = World::new();
    let (conn, stranger) = (world.browser("s"), world.browser("t"));
    let id = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    let allow = Decision::Allow { remember: true };
    assert_eq!(world.decide(stranger, &prompt, &allow), Err("not-found".into()));
    let chosen = Decision::Chosen { paths: vec!["/x".into()] };
    assert_eq!(world.decide(conn, &prompt, &chosen), Err("bad-request".into()));
    assert!(world.response(id).is_none());
    let open = world.ui(conn, kinds::PROMPTS, json!({})).unwrap();
    assert_eq!(open["prompts"][0]["prompt_id"], json!(prompt.prompt_id));
    // A page cannot answer for the user.
    let mut params = serde_json::to_value(&allow).unwrap();
    params["prompt_id"] = json!(prompt.prompt_id);
    let forged = world.send(conn, kinds::ANSWER, Some(SITE), params);
    assert_eq!(world.response(forged).unwrap().error.unwrap().code, "forbidden");
}

#[test]
fn what_one_browser_remembers_closes_the_same_question_in_another() {
    let mut world = World::new();
    let (a, b) = (world.browser("s"), world.browser("t"));
    world.call(a, SITE, "GET", "windows/about", &json!({}));
    let waiting = world.call(b, SITE, "GET", "windows/about", &json!({}));
    let (in_a, in_b) = (world.prompt(a), world.prompt(b));
    world.decide(a, &in_a, &Decision::Allow { remember: true }).unwrap();
    assert_eq!(world.answer(waiting).0, 200);
    assert_eq!(world.events(b, topics::PROMPT_CLOSED)[0]["prompt_id"], json!(in_b.prompt_id));
}

#[test]
fn a_lost_browser_takes_its_questions_along() {
    let mut world = World::new();
    let conn = world.browser("s");
    world.call(conn, SITE, "GET", "windows/about", &json!({}));
    world.prompt(conn);
    world.handle(Input::Disconnected { conn });
    world.handle(Input::Disconnected { conn });
    assert!(world.core.waiting.is_empty());
    let conn = world.browser("s");
    world.call(conn, SITE, "GET", "windows/about", &json!({}));
    world.prompt(conn);
}

#[test]
fn p05_a_request_whose_time_is_over_is_answered_and_its_window_closes() {
    let mut world = World::new();
    let conn = world.browser("s");
    let params = json!({"method": "GET", "uri": "/connect/windows/about", "body": ""});
    let id = world.send_with(conn, kinds::PAGE, Some(SITE), params, Some(5_000));
    let prompt = world.prompt(conn);
    world.later(Duration::from_secs(4));
    assert!(world.response(id).is_none());
    assert_eq!(world.core.next_deadline(), Some(world.now.mono + Duration::from_secs(1)));
    world.later(Duration::from_secs(1));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED)[0]["prompt_id"], json!(prompt.prompt_id));
}

#[test]
fn a_page_in_a_loop_is_slowed_down_and_a_flood_of_waiting_requests_is_refused() {
    let mut world = World::new();
    let conn = world.browser("s");
    let statuses: Vec<u16> = (0..600)
        .map(|_| {
            let id = world.call(conn, OTHER, "GET", "info/ping", &json!({}));
            world.answer(id).0
        })
        .collect();
    assert!(statuses.contains(&429));
    let ids: Vec<u64> = (0..70).map(|_| world.call(conn, SITE, "GET", "windows/about", &json!({}))).collect();
    let busy = ids.iter().filter(|id| world.response(**id).is_some_and(|r| r.error.unwrap().code == "busy")).count();
    assert_eq!(busy, 6, "64 may wait");
    assert_eq!(world.prompts(conn).len(), 1);
}

#[test]
fn pages_come_through_the_extension_only() {
    let mut world = World::new();
    let cli = world.connect_as(Role::Cli, None);
    let id = world.call(cli, SITE, "GET", "info/version", &json!({}));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
    let conn = world.browser("s");
    let params = json!({"method": "GET", "uri": "/connect/info/version", "body": ""});
    let id = world.send(conn, kinds::PAGE, None, params);
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "bad-request");
}

#[test]
fn what_is_no_endpoint_says_so_to_every_site_alike() {
    let mut world = World::new();
    let conn = world.browser("s");
    for (method, path, status) in
        [("GET", "nothing", 404), ("POST", "info/version", 405), ("POST", "transfers/stop/a%2F", 400)]
    {
        let id = world.call(conn, SITE, method, path, &json!({}));
        let (got, body) = world.answer(id);
        assert_eq!(got, status, "{path}");
        assert!(body["error"]["code"].is_u64() && body["error"]["user_message"].is_string(), "{body}");
    }
    assert!(world.prompts(conn).is_empty());
}
