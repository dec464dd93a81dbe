//! Our own windows and the command line.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::worker::{Report, Stats};

#[test]
fn a_subscriber_gets_a_snapshot_and_then_numbered_changes_at_most_four_a_second() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let snapshot = world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap();
    assert_eq!((snapshot["seq"].as_u64(), snapshot["transfers"][0]["uuid"].as_str()), (Some(0), Some(uuid.as_str())));
    let mut events = 0;
    for n in 0..40 {
        let stats = Stats { bytes_written: n, ..Stats::default() };
        world.worker(&uuid, WorkerEvent::Report(Report::Stats(stats)));
        world.later(Duration::from_millis(50));
        events += world.events(conn, topics::TRANSFERS).len();
    }
    assert!((7..=9).contains(&events), "{events} in two seconds");
    world.worker(&uuid, WorkerEvent::Report(Report::Stats(Stats::default())));
    assert!(world.core.next_deadline().unwrap() <= world.now.mono + Duration::from_millis(250));
    world.ui(conn, kinds::REMOVE, json!({"uuid": uuid})).unwrap();
    world.later(Duration::from_millis(250));
    let last = world.events(conn, topics::TRANSFERS).pop().unwrap();
    assert_eq!(last["removed"], json!([uuid]));
    world.ui(conn, kinds::UNSUBSCRIBE, json!({})).unwrap();
    world.start(conn);
    world.later(Duration::from_secs(1));
    assert!(world.events(conn, topics::TRANSFERS).is_empty());
}

#[test]
fn a_list_longer_than_a_frame_comes_in_pieces_and_nothing_is_missing() {
    let (mut world, conn) = World::trusted();
    let mut spec = World::spec();
    spec["title"] = json!("t".repeat(180));
    let mut uuids = BTreeSet::new();
    for n in 0..1_500 {
        if n % 300 == 0 {
            world.later(Duration::from_secs(10));
        }
        let (_, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({})));
        uuids.insert(body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned());
    }
    let snapshot = world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap();
    assert!(serde_json::to_vec(&snapshot).unwrap().len() < 1024 * 1024);
    world.later(Duration::from_secs(1));
    let mut views: Vec<Value> = snapshot["transfers"].as_array().unwrap().clone();
    assert!(views.len() < 1_500);
    for event in world.events(conn, topics::TRANSFERS) {
        views.extend(event["changed"].as_array().unwrap().iter().cloned());
    }
    let seen: BTreeSet<String> = views.iter().map(|v| v["uuid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, uuids);
}

#[test]
fn the_badge_counts_what_runs() {
    let (mut world, conn) = World::trusted();
    assert_eq!(world.events(conn, topics::BADGE), [json!({"active": 0, "failed": 0})]);
    let uuid = world.start(conn);
    assert_eq!(world.events(conn, topics::BADGE), [json!({"active": 1, "failed": 0})]);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Missing("godwit-worker".into())));
    assert_eq!(world.events(conn, topics::BADGE), [json!({"active": 0, "failed": 1})]);
}

#[test]
fn a_queued_transfer_can_be_started_by_hand() {
    let (mut world, conn) = World::trusted();
    let uuids: Vec<String> = (0..5).map(|_| world.start(conn)).collect();
    let cli = world.connect_as(Role::Cli, None);
    world.ui(cli, kinds::RESUME, json!({"uuid": uuids[4]})).unwrap();
    assert!(world.workers.contains_key(&uuids[4]) && !world.workers.contains_key(&uuids[3]));
    assert_eq!(world.ui(cli, kinds::STOP, json!({"uuid": "nobody"})), Err("not-found".into()));
    assert_eq!(world.ui(cli, "ui.fly", json!({})), Err("unknown-kind".into()));
    assert_eq!(world.ui(cli, kinds::STOP, json!({"uuid": 5})), Err("bad-request".into()));
}

#[test]
fn folders_are_listed_for_our_windows_and_never_for_a_page() {
    let (mut world, conn) = World::trusted();
    let path = world.dir.path().to_str().unwrap().to_owned();
    let listing = world.ui(conn, kinds::LIST_FOLDER, json!({"path": path})).unwrap();
    assert_eq!(listing["path"], json!(path));
    let id = world.send(conn, kinds::LIST_FOLDER, Some(SITE), json!({"path": path}));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
    let new = json!({"parent": path, "name": "new"});
    assert_eq!(world.ui(conn, kinds::CREATE_FOLDER, new.clone()), Err("forbidden".into()), "no dialog is open");
    world.post(conn, SITE, "windows/select-open-folder-dialog/", json!({}));
    world.ui(conn, kinds::CREATE_FOLDER, new).unwrap();
    assert!(world.dir.path().join("new").is_dir());
}

#[test]
fn pages_open_windows_through_the_extension() {
    let (mut world, conn) = World::trusted();
    world.events(conn, topics::OPEN_PAGE);
    for (path, page, argument) in [
        ("windows/preferences/network", "preferences", "network"),
        ("windows/transfer-manager", "activity", ""),
        ("windows/about", "about", ""),
    ] {
        let id = world.call(conn, SITE, "GET", path, &json!({}));
        assert_eq!(world.answer(id), (200, json!({})));
        assert_eq!(world.events(conn, topics::OPEN_PAGE), [json!({"page": page, "argument": argument})]);
    }
}

#[test]
fn told_to_end_the_agent_stops_its_workers_and_takes_no_more() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let run = world.workers[&uuid].0;
    world.ui(conn, kinds::SHUTDOWN, json!({})).unwrap();
    assert!(world.exited);
    assert_eq!(world.told, [(run, Command::Stop)]);
    let (status, _) = world.ask(conn, SITE, "transfers/start", World::start_body(&World::spec(), &json!({})));
    assert_eq!(status, 503);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Crashed(String::new())));
    world.killed(world.store.after_power_cut());
    assert!(world.workers.contains_key(&uuid), "it goes on in the next agent's life");
}

#[test]
fn without_clients_and_work_the_agent_ends_after_a_while() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.handle(Input::Disconnected { conn });
    world.later(Duration::from_secs(3_600));
    assert!(!world.exited, "a transfer runs");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(Stats::default())));
    assert_eq!(world.core.next_deadline(), Some(world.now.mono + Duration::from_secs(600)));
    world.later(Duration::from_secs(599));
    assert!(!world.exited);
    world.later(Duration::from_secs(1));
    assert!(world.exited);
}

#[test]
fn the_end_of_a_transfer_is_told_once_to_the_browser_that_started_it() {
    let (mut world, conn) = World::trusted();
    let other = world.browser("s2");
    let (done, bad, stopped) = (world.start(conn), world.start(conn), world.start(conn));
    world.worker(&done, WorkerEvent::Ended(Ended::Done(Stats::default())));
    let failure = godwit_protocol::worker::Failure::new(godwit_protocol::ErrorCode::NoPermission, "");
    world.worker(&bad, WorkerEvent::Ended(Ended::Failed(failure)));
    world.ui(conn, kinds::STOP, json!({"uuid": stopped})).unwrap();
    let told: Vec<_> =
        world.events(conn, topics::ENDED).iter().map(|e| (e["uuid"].clone(), e["status"].clone())).collect();
    assert_eq!(told, [(json!(done), json!("completed")), (json!(bad), json!("failed"))]);
    assert!(world.events(other, topics::ENDED).is_empty());
}

#[test]
fn what_waits_says_its_place_and_what_was_moved_says_its_new_one() {
    let (mut world, conn) = World::trusted();
    let uuids: Vec<String> = (0..6).map(|_| world.start(conn)).collect();
    let places = |world: &mut World| -> Vec<Option<u64>> {
        let snapshot = world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap();
        let views = snapshot["transfers"].as_array().unwrap().clone();
        let of = |uuid: &String| views.iter().find(|v| v["uuid"] == json!(uuid)).unwrap()["queue_order"].as_u64();
        uuids.iter().map(of).collect()
    };
    let before = places(&mut world);
    assert!(before[0].is_none() && before[3] < before[4] && before[4] < before[5], "{before:?}");
    world.ui(conn, kinds::MOVE, json!({"uuid": uuids[5], "before": uuids[3]})).unwrap();
    let after = places(&mut world);
    assert!(after[5] < after[3] && after[3] == before[3], "{after:?}");
}
