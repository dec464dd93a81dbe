//! Policies of browsers: who may tell them, what they do, and how long they hold.

use super::*;
use godwit_protocol::prefs;

const TELL: &str = prefs::kinds::BROWSER_POLICY;

/// A browser of this kind.
fn browser(world: &mut World, kind: &str) -> ConnId {
    let caller = Caller { browser: kind.into(), extension_id: "godwit".into(), ..Caller::default() };
    world.connect_from(Role::Extension, Some(kind), caller)
}

fn tell(world: &mut World, conn: ConnId, profile: &str, values: Value) -> Result<Value, String> {
    world.ui(conn, TELL, json!({"profile": profile, "values": values}))
}

fn active(world: &World) -> usize {
    world.core.settings.now().queue.active
}

#[test]
fn s15_only_the_background_of_an_extension_tells_policies() {
    let (mut world, conn) = World::trusted();
    let params = json!({"profile": "p", "values": {"lock.queue.active": 9}});
    let id = world.send(conn, TELL, Some(SITE), params.clone());
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
    for role in [Role::Cli, Role::Host, Role::LocalHttp] {
        let other = world.connect_as(role, None);
        assert_eq!(world.ui(other, TELL, params.clone()), Err("forbidden".into()), "{role:?}");
    }
    for bad in ["", "a/b", "é", &"x".repeat(65)] {
        assert_eq!(tell(&mut world, conn, bad, json!({"lock.queue.active": 9})), Err("bad-request".into()), "{bad}");
    }
    assert_eq!(world.ui(conn, TELL, json!({"profile": "p", "values": [1]})), Err("bad-request".into()));
    assert_eq!(active(&world), 3);
}

#[test]
fn a_browsers_policy_holds_at_once_in_all_browsers_until_it_is_taken_back() {
    let (mut world, conn) = World::trusted();
    let chromium = browser(&mut world, "chromium");
    for _ in 0..5 {
        world.start(conn);
    }
    world.events(conn, prefs::topics::SETTINGS);
    tell(&mut world, chromium, "p", json!({"lock.queue.active": 4, "lock.queue.enabled": "x"})).unwrap();
    assert_eq!(world.workers.len(), 4);
    let heard = world.events(conn, prefs::topics::SETTINGS).remove(0);
    assert_eq!((&heard["locked"], &heard["values"]["queue"]["active"]), (&json!(["queue.active"]), &json!(4)));
    let change = json!({"changes": {"queue.active": 9}});
    assert_eq!(world.ui(conn, prefs::kinds::CHANGE_SETTINGS, change.clone()), Err("forbidden".into()));
    let status = world.ui(conn, kinds::STATUS, json!({})).unwrap();
    assert!(status["notices"].to_string().contains("policy of chromium: queue.enabled: it must be true or false"));
    // The same again is no news; another profile without policies takes nothing away.
    tell(&mut world, chromium, "p", json!({"lock.queue.active": 4, "lock.queue.enabled": "x"})).unwrap();
    tell(&mut world, chromium, "q", json!({})).unwrap();
    assert_eq!((world.events(conn, prefs::topics::SETTINGS).len(), active(&world)), (0, 4));
    tell(&mut world, chromium, "p", json!({})).unwrap();
    assert_eq!(active(&world), 3);
    world.ui(conn, prefs::kinds::CHANGE_SETTINGS, change).unwrap();
    assert_eq!(active(&world), 9);
}

#[test]
fn a_browsers_policy_survives_the_agent_and_not_a_profile_that_is_gone() {
    let mut world = World::new();
    let chromium = browser(&mut world, "chromium");
    let firefox = browser(&mut world, "firefox");
    tell(&mut world, chromium, "p", json!({"lock.queue.active": 4})).unwrap();
    tell(&mut world, firefox, "p", json!({"lock.queue.active": 7, "lock.retry.attempts": 8})).unwrap();
    let survived = world.store.after_power_cut();
    world.killed(survived);
    assert_eq!((active(&world), world.core.settings.now().retry.attempts), (4, 8), "before any browser has come");
    let chromium = browser(&mut world, "chromium");
    tell(&mut world, chromium, "p", json!({})).unwrap();
    assert_eq!(active(&world), 7, "the other browser's");
    let survived = world.store.after_power_cut();
    world.now.wall_ms += 91 * 86_400_000;
    world.killed(survived);
    assert_eq!(active(&world), 3, "nobody has seen that profile for three months");
    let survived = world.store.after_power_cut();
    world.now.wall_ms -= 91 * 86_400_000;
    world.handle(Input::Tick);
    world.killed(survived);
    assert_eq!(active(&world), 3, "and it is off the disk");
}

#[test]
fn s03_a_browsers_policy_about_sites_holds_for_what_waits_already_but_stops_nothing_that_runs() {
    let (mut world, conn) = World::trusted();
    let chromium = browser(&mut world, "chromium");
    let uuid = world.start(conn);
    let waits = world.call(conn, OTHER, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    tell(&mut world, chromium, "p", json!({"trust.trusted": [OTHER], "trust.only_listed": true})).unwrap();
    assert_eq!(world.answer(waits).0, 200, "nobody has to ask any more");
    let closed = world.events(conn, topics::PROMPT_CLOSED);
    assert_eq!(closed[0]["prompt_id"], json!(prompt.prompt_id));
    let refused = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    assert_eq!(world.answer(refused).0, 403, "trusted by the user, and on no list of the administrator");
    assert!(world.workers.contains_key(&uuid));
    let view = world.ui(conn, kinds::TRUST, json!({})).unwrap();
    assert_eq!((&view["managed_trusted"], &view["managed_only"]), (&json!([OTHER]), &json!(true)));
    tell(&mut world, chromium, "p", json!({})).unwrap();
    let allowed = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    assert_eq!(world.answer(allowed).0, 200);
}
