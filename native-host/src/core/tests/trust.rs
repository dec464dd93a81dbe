//! Lists of sites: made by hand, by the administrator, and taken back while something runs.

use super::*;
use godwit_protocol::prefs;
use godwit_protocol::ui::Question;

fn set(world: &mut World, conn: ConnId, pattern: &str, list: &str) -> Result<Value, String> {
    world.ui(conn, prefs::kinds::SET_TRUST, json!({"pattern": pattern, "list": list}))
}

fn start(world: &mut World, conn: ConnId, site: &str) -> u64 {
    world.post(conn, site, "transfers/start", World::start_body(&World::spec(), &json!({})))
}

#[test]
fn a_site_can_be_trusted_beforehand_by_a_pattern_as_people_type_it() {
    let mut world = World::new();
    let conn = world.browser("s1");
    let set_to = set(&mut world, conn, "*.Example", "trusted");
    assert_eq!(set_to, Err("bad-request".into()), "a public suffix");
    assert_eq!(set(&mut world, conn, "*.firm.Example", "trusted").unwrap()["pattern"], json!("https://*.firm.example"));
    let id = start(&mut world, conn, "https://app.firm.example");
    assert_eq!(world.answer(id).0, 200);
    let survived = world.store.after_power_cut();
    world.killed(survived);
    let conn = world.browser("s2");
    let view = world.ui(conn, kinds::TRUST, json!({})).unwrap();
    assert_eq!(view["trusted"], json!(["https://*.firm.example"]));
}

#[test]
fn a_site_that_becomes_restricted_is_stopped_at_once_and_others_are_not() {
    let (mut world, conn) = World::trusted();
    world.trust(conn, OTHER);
    let mine = world.start(conn);
    let id = start(&mut world, conn, OTHER);
    let other = world.answer(id).1["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    let dialog = world.post(conn, SITE, "windows/select-open-file-dialog/", json!({}));
    let open = world.prompt(conn);
    set(&mut world, conn, SITE, "restricted").unwrap();
    assert_eq!(world.answer(dialog).0, 403, "its open dialog ends");
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED)[0]["prompt_id"], json!(open.prompt_id));
    assert_eq!(world.status(&mine), TransferStatus::Cancelled);
    assert_eq!(world.status(&other), TransferStatus::Initiating);
    let run = world.workers[&mine].0;
    assert!(world.told.contains(&(run, Command::Stop)));
    let id = start(&mut world, conn, SITE);
    assert_eq!(world.answer(id).0, 403);
}

#[test]
fn a_forgotten_site_is_stopped_unless_the_user_wants_it_to_go_on() {
    for stop in [true, false] {
        let (mut world, conn) = World::trusted();
        let uuid = world.start(conn);
        world.ui(conn, kinds::FORGET_TRUST, json!({"pattern": SITE, "stop": stop})).unwrap();
        let expected = if stop { TransferStatus::Cancelled } else { TransferStatus::Initiating };
        assert_eq!(world.status(&uuid), expected);
        let id = start(&mut world, conn, SITE);
        assert!(world.response(id).is_none());
        assert!(matches!(world.prompt(conn).question, Question::Consent { .. }), "asked again");
    }
}

#[test]
fn what_was_chosen_for_a_site_is_forgotten_with_it() {
    let (mut world, conn) = World::trusted();
    let path = world.dir.path().join("a");
    std::fs::write(&path, "x").unwrap();
    let grant = crate::grants::Grant::existing(&path).unwrap();
    world.core.grants.add("s1", &SITE.parse().unwrap(), [grant]);
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 200);
    set(&mut world, conn, SITE, "trusted").unwrap();
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 200, "still trusted");
    set(&mut world, conn, SITE, "restricted").unwrap();
    set(&mut world, conn, SITE, "trusted").unwrap();
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 406);
}

#[test]
fn h10_every_transfer_of_a_site_to_be_asked_about_is_asked_about_with_its_server() {
    let (mut world, conn) = World::trusted();
    set(&mut world, conn, SITE, "ask").unwrap();
    let (a, b) = (start(&mut world, conn, SITE), start(&mut world, conn, SITE));
    assert!(world.response(a).is_none() && world.response(b).is_none());
    let prompt = world.prompt(conn);
    let Question::Consent { purpose, remote_host } = &prompt.question else { panic!("{prompt:?}") };
    assert_eq!(
        (purpose.as_str(), remote_host.as_deref()),
        ("receive", Some(World::spec()["remote_host"].as_str().unwrap()))
    );
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.answer(a).0, 200);
    assert!(world.response(b).is_none(), "one answer, one transfer");
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(b).0, 403);
    assert_eq!(world.activity(conn, SITE, 0)["result_count"], json!(1), "it can follow the one that was allowed");
    let c = start(&mut world, conn, SITE);
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: true }).unwrap();
    assert_eq!(world.answer(c).0, 200);
    let d = start(&mut world, conn, SITE);
    assert_eq!(world.answer(d).0, 200, "trusted from now on");
}

#[test]
fn h10_the_setting_ask_always_makes_allow_once_mean_one_transfer() {
    let mut world = World::with("[security]\nask_always = true\n", "");
    let conn = world.browser("s1");
    for _ in 0..2 {
        let id = start(&mut world, conn, SITE);
        let prompt = world.prompt(conn);
        world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
        assert_eq!(world.answer(id).0, 200);
    }
    set(&mut world, conn, SITE, "trusted").unwrap();
    let id = start(&mut world, conn, SITE);
    assert_eq!(world.answer(id).0, 200);
}

#[test]
fn s03_the_administrator_s_word_wins_over_the_user_s() {
    let policy = "[trust]\ntrusted = [\"https://*.firm.example\"]\nrestricted = [\"https://bad.firm.example\"]\nonly_listed = true\n";
    let mut world = World::with("[security]\nask_always = true\n", policy);
    let conn = world.browser("s1");
    set(&mut world, conn, "https://bad.firm.example", "trusted").unwrap();
    set(&mut world, conn, "https://app.firm.example", "ask").unwrap();
    for (site, status) in
        [("https://app.firm.example", 200), ("https://bad.firm.example", 403), ("https://elsewhere.example", 403)]
    {
        let id = start(&mut world, conn, site);
        assert_eq!(world.answer(id).0, status, "{site}");
    }
    let view = world.ui(conn, kinds::TRUST, json!({})).unwrap();
    assert_eq!(view["managed_only"], json!(true));
}

#[test]
fn a_known_server_can_be_forgotten() {
    let (mut world, conn) = World::trusted();
    world.core.save_pin("server.example:33001", "SHA256:x");
    let listed = world.ui(conn, prefs::kinds::KNOWN_SERVERS, json!({})).unwrap();
    assert_eq!(listed["servers"], json!([{"server": "server.example:33001", "fingerprint": "SHA256:x"}]));
    let wish = json!({"server": "server.example:33001"});
    world.ui(conn, prefs::kinds::FORGET_SERVER, wish.clone()).unwrap();
    assert_eq!(world.ui(conn, prefs::kinds::FORGET_SERVER, wish), Err("not-found".into()));
    let survived = world.store.after_power_cut();
    world.killed(survived);
    let conn = world.browser("s2");
    assert_eq!(world.ui(conn, prefs::kinds::KNOWN_SERVERS, json!({})).unwrap()["servers"], json!([]));
}
