//! Settings: changed by windows and by hand, effective at once.

use super::*;
use godwit_protocol::prefs;

fn change(world: &mut World, conn: ConnId, changes: Value) -> Result<Value, String> {
    world.ui(conn, prefs::kinds::CHANGE_SETTINGS, json!({"changes": changes}))
}

#[test]
fn a_changed_setting_holds_at_once_and_every_browser_hears_of_it() {
    let (mut world, conn) = World::trusted();
    let other = world.browser("s2");
    let first = world.events(other, prefs::topics::SETTINGS);
    assert_eq!(first[0]["values"]["queue"]["active"], json!(3));
    let uuids: Vec<String> = (0..5).map(|_| world.start(conn)).collect();
    assert_eq!(world.workers.len(), 3);
    let view = change(&mut world, conn, json!({"queue.active": 4, "log.level": "debug"})).unwrap();
    assert_eq!(view["values"]["queue"]["active"], json!(4));
    assert_eq!(world.workers.len(), 4);
    assert_eq!(world.levels, ["debug"]);
    assert_eq!(world.events(other, prefs::topics::SETTINGS)[0]["values"]["queue"]["active"], json!(4));
    assert_eq!(world.status(&uuids[4]), TransferStatus::Queued);
}

#[test]
fn an_edited_file_holds_at_once() {
    let (mut world, conn) = World::trusted();
    for _ in 0..5 {
        world.start(conn);
    }
    world.settings_file.set("[queue]\nenabled = false\n");
    world.handle(Input::SettingsTouched);
    assert_eq!(world.workers.len(), 5);
    assert_eq!(world.events(conn, prefs::topics::SETTINGS).len(), 2, "after hello, and now");
    world.handle(Input::SettingsTouched);
    assert!(world.events(conn, prefs::topics::SETTINGS).is_empty(), "nothing is different");
}

#[test]
fn s15_a_refused_change_says_why_and_a_locked_one_is_forbidden() {
    let mut world = World::with("", "[lock.queue]\nactive = 1\n");
    let conn = world.browser("s1");
    assert_eq!(change(&mut world, conn, json!({"queue.active": 2})), Err("forbidden".into()));
    assert_eq!(change(&mut world, conn, json!({"retry.attempts": 0})), Err("bad-request".into()));
    assert_eq!(change(&mut world, conn, json!("x")), Err("bad-request".into()));
    let view = world.ui(conn, prefs::kinds::SETTINGS, json!({})).unwrap();
    assert_eq!((&view["locked"], &view["values"]["queue"]["active"]), (&json!(["queue.active"]), &json!(1)));
}

#[test]
fn s15_a_page_can_neither_read_nor_change_settings() {
    let (mut world, conn) = World::trusted();
    for kind in [prefs::kinds::SETTINGS, prefs::kinds::CHANGE_SETTINGS] {
        let id = world.send(conn, kind, Some(SITE), json!({"changes": {"queue.active": 9}}));
        assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
    }
}

#[test]
fn retries_follow_the_settings() {
    let mut world = World::with("[retry]\nenabled = false\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let uuid = world.start(conn);
    world.worker(&uuid, WorkerEvent::Ended(crate::supervisor::Ended::Crashed("x".into())));
    assert_eq!(world.status(&uuid), TransferStatus::Failed);
}

#[test]
fn a_waiting_transfer_can_be_moved_to_the_front() {
    let (mut world, conn) = World::trusted();
    let uuids: Vec<String> = (0..6).map(|_| world.start(conn)).collect();
    world.ui(conn, kinds::MOVE, json!({"uuid": uuids[5], "before": uuids[3]})).unwrap();
    assert_eq!(world.ui(conn, kinds::MOVE, json!({"uuid": uuids[0]})), Err("bad-request".into()));
    assert_eq!(world.ui(conn, kinds::MOVE, json!({"uuid": "none"})), Err("not-found".into()));
    let survived = world.store.after_power_cut();
    world.killed(survived);
    assert!(!world.workers.contains_key(&uuids[5]), "three are before it");
    world.worker(&uuids[0], WorkerEvent::Ended(crate::supervisor::Ended::Done(Default::default())));
    assert!(world.workers.contains_key(&uuids[5]), "the new place is on the disk");
}

#[test]
fn completed_transfers_leave_the_list_by_themselves_if_wanted_and_after_they_were_seen() {
    let (mut world, conn) = World::trusted();
    let (a, b, c) = (world.start(conn), world.start(conn), world.start(conn));
    let done = || WorkerEvent::Ended(crate::supervisor::Ended::Done(Default::default()));
    world.worker(&a, done());
    world.later(Duration::from_secs(300));
    assert_eq!(world.info(conn, &a)["status"], json!("completed"), "by hand unless said otherwise");
    change(&mut world, conn, json!({"transfers.remove_finished": "automatically"})).unwrap();
    world.worker(&b, done());
    world.later(Duration::from_secs(59));
    let token = world.activity(conn, SITE, 0)["iteration_token"].as_u64().unwrap();
    assert_eq!(world.info(conn, &b)["status"], json!("completed"));
    world.later(Duration::from_secs(1));
    let gone = world.activity(conn, SITE, token);
    assert_eq!(gone["result_count"], json!(2));
    assert!(gone["transfers"].as_array().unwrap().iter().all(|t| t["status"] == "removed"), "{gone}");
    assert_eq!(world.info(conn, &c)["status"], json!("initiating"), "what has not completed stays");
}
