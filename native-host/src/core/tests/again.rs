//! The same start twice.

use super::*;

const ID: &str = "7d0f8f0e-0f65-4a11-9d3b-2b52f1f7a111";

fn begin(world: &mut World, conn: ConnId, site: &str, app: &str, request_id: &str) -> (u16, Value) {
    let body = World::start_body(&World::spec(), &json!({"app_id": app, "request_id": request_id}));
    world.ask(conn, site, "transfers/start", body)
}

fn id_of(answer: &(u16, Value)) -> String {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
}

#[test]
fn a_start_that_is_sent_again_starts_nothing_whatever_became_of_the_first() {
    let (mut world, conn) = World::trusted();
    let first = id_of(&begin(&mut world, conn, SITE, APP, ID));
    assert_eq!(id_of(&begin(&mut world, conn, SITE, APP, ID)), first, "while it runs");
    world.killed(world.store.clone());
    let conn = world.browser("s2");
    assert_eq!(id_of(&begin(&mut world, conn, SITE, APP, ID)), first, "after the agent was killed");
    world.ask(conn, SITE, &format!("transfers/remove/{first}"), json!({}));
    let gone = begin(&mut world, conn, SITE, APP, ID);
    assert_eq!(id_of(&gone), first, "after it was removed");
    assert_eq!(gone.1["transfer_specs"][0]["transfer_spec"]["tags"]["aspera"]["xfer_id"], json!(first));
    assert_eq!(world.activity(conn, SITE, 0)["transfers"], json!([]));
}

#[test]
fn another_site_another_application_and_a_constant_are_starts_of_their_own() {
    let (mut world, conn) = World::trusted();
    world.core.trust.allow_once("s1", &OTHER.parse().unwrap());
    let mut ids = vec![
        id_of(&begin(&mut world, conn, SITE, APP, ID)),
        id_of(&begin(&mut world, conn, OTHER, APP, ID)),
        id_of(&begin(&mut world, conn, SITE, "app-two", ID)),
    ];
    let nil = "00000000-0000-0000-0000-000000000000";
    for constant in ["", "r", "r", nil, nil] {
        ids.push(id_of(&begin(&mut world, conn, SITE, APP, constant)));
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn two_of_the_same_that_wait_for_the_user_together_become_one_transfer() {
    let mut world = World::new();
    let conn = world.browser("s1");
    let body = World::start_body(&World::spec(), &json!({"request_id": ID}));
    let both =
        [world.post(conn, SITE, "transfers/start", body.clone()), world.post(conn, SITE, "transfers/start", body)];
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    let [first, second] = both.map(|id| id_of(&world.answer(id)));
    assert_eq!(first, second);
    assert_eq!(world.activity(conn, SITE, 0)["result_count"], json!(1));
}

#[test]
fn a_site_that_is_asked_about_each_time_is_not_asked_about_the_same_transfer_twice() {
    let mut world = World::with("[security]\nask_always = true\n", "");
    let conn = world.browser("s1");
    let body = World::start_body(&World::spec(), &json!({"request_id": ID}));
    let id = world.post(conn, SITE, "transfers/start", body.clone());
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    let first = id_of(&world.answer(id));
    let again = world.ask(conn, SITE, "transfers/start", body);
    assert_eq!(id_of(&again), first);
    assert!(world.prompts(conn).is_empty());
}
