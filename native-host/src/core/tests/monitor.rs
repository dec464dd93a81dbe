//! The transfer monitor: how a transfer went, and its limits.

use super::*;
use crate::store::Tree;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::monitor::kinds as monitor;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Disk, Failure, RateSettings, Report, Stats};

fn session(world: &mut World, uuid: &str, locks: RateLocks) {
    let report = Report::Session {
        transport: "quic".into(),
        fingerprint: "SHA256:x".into(),
        server_version: "0".into(),
        granted: RateSettings::default(),
        locks,
    };
    world.worker(uuid, WorkerEvent::Report(report));
}

fn stats(world: &mut World, uuid: &str, bytes_written: u64, packets_lost: u64) {
    let stats = Stats { bytes_written, packets_lost, rate_kbps: 1_000, queue_us: 5, ..Stats::default() };
    world.worker(uuid, WorkerEvent::Report(Report::Stats(stats)));
}

#[test]
fn a_finished_transfer_still_shows_how_it_went_over_all_its_sessions() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    session(&mut world, &uuid, RateLocks::default());
    for n in 1..=4 {
        world.later(Duration::from_secs(1));
        stats(&mut world, &uuid, n, n);
    }
    let failure = Failure::new(ErrorCode::ConnectionLost, "");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(failure)));
    world.later(Duration::from_secs(60));
    session(&mut world, &uuid, RateLocks::default());
    world.later(Duration::from_secs(1));
    stats(&mut world, &uuid, 9, 1);
    world.worker(
        &uuid,
        WorkerEvent::Ended(Ended::Done(Stats { bytes_written: 9, packets_lost: 1, ..Stats::default() })),
    );
    let history = world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap();
    let samples = history["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 5, "{samples:?}");
    let lost: u64 = samples.iter().map(|s| s["lost"].as_u64().unwrap()).sum();
    assert_eq!(lost, 5);
    let ats: Vec<u64> = samples.iter().map(|s| s["at_ms"].as_u64().unwrap()).collect();
    assert_eq!(ats, [1_000, 2_000, 3_000, 4_000, 5_000], "the pause does not count");
    let sessions = history["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(
        sessions[0]["error"]["code"] == json!(16) && sessions[1]["error"].is_null() && sessions[1]["ended_ms"].is_u64()
    );
    world.ui(conn, kinds::REMOVE, json!({"uuid": uuid})).unwrap();
    assert_eq!(world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})), Err("not-found".into()));
}

#[test]
fn what_was_asked_for_is_shown_without_secrets_and_the_log_says_what_happened() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let history = world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap();
    assert_eq!(history["spec"]["remote_host"], json!("server.example"));
    assert!(history["spec"].get("tags").is_none() && !history.to_string().contains("hunter2"), "{history}");
    let log = world.core.home.transfer_log();
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(log, format!("one {uuid} began\ntwo another\nthree {uuid} ended\n")).unwrap();
    let lines = world.ui(conn, monitor::LOG, json!({"uuid": uuid})).unwrap();
    assert_eq!(lines, json!({"lines": [format!("one {uuid} began"), format!("three {uuid} ended")]}));
    assert_eq!(world.ui(conn, monitor::LOG, json!({"uuid": "none"})), Err("not-found".into()));
}

#[test]
fn how_a_transfer_went_is_known_after_a_restart_and_forgotten_with_it() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    session(&mut world, &uuid, RateLocks::default());
    for n in 1..=3 {
        world.later(Duration::from_secs(1));
        stats(&mut world, &uuid, n, n);
    }
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(Stats { bytes_written: 3, ..Stats::default() })));
    let before = world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap();
    assert_eq!(before["samples"].as_array().unwrap().len(), 3);
    let survived = world.store.after_power_cut();
    world.killed(survived);
    let conn = world.browser("s2");
    assert_eq!(world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap(), before);
    world.ui(conn, kinds::REMOVE, json!({"uuid": uuid})).unwrap();
    assert_eq!(world.store.all(Tree::Histories).unwrap(), []);
}

#[test]
fn histories_that_cannot_be_read_or_have_no_transfer_any_more_are_dropped_without_a_word() {
    let mut store = MemoryStore::default();
    let put = |key: &str, text: &str| Change::Put(Tree::Histories, key.into(), text.as_bytes().to_vec());
    store.apply(&[put("gone", "{}"), put("newer", r#"{"v":9,"d":{}}"#), put("x", "no json")]).unwrap();
    let mut world = World::new();
    world.killed(store);
    assert_eq!(world.store.all(Tree::Histories).unwrap(), []);
}

#[test]
fn a_transfer_too_small_for_two_reports_has_the_rate_at_which_it_went() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    session(&mut world, &uuid, RateLocks::default());
    world.later(Duration::from_millis(200));
    let done = Stats { bytes_written: 50_000, bytes_transferred: 50_000, ..Stats::default() };
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(done)));
    let history = world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap();
    assert_eq!(history["samples"][0]["rate_kbps"], json!(2_000));
}

#[test]
fn a_new_target_reaches_the_worker_at_once_and_is_what_the_monitor_shows() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let wish = json!({"uuid": uuid, "target_rate_kbps": 5_000, "rate_policy": "high"});
    let limits = world.ui(conn, monitor::SET_RATE, wish).unwrap();
    assert_eq!((&limits["wished"]["target"], &limits["wished"]["policy"]), (&json!(5_000), &json!("high")));
    let told = world.told.last().map(|(_, command)| command.clone());
    let Some(Command::SetRate(rate)) = told else { panic!("{told:?}") };
    assert_eq!(rate.target.map(|r| r.0), Some(5_000));
    let limits = world.ui(conn, monitor::SET_RATE, json!({"uuid": uuid, "target_rate_kbps": 0})).unwrap();
    assert_eq!(limits["wished"]["target"], Value::Null, "no limit");
    assert_eq!(limits["wished"]["policy"], json!("high"), "what is absent stays");
}

#[test]
fn what_the_site_or_the_server_locked_stays_and_the_refusal_says_who() {
    let (mut world, conn) = World::trusted();
    let mut spec = World::spec();
    spec["lock_min_rate"] = json!(true);
    spec["target_rate_cap_kbps"] = json!(8_000);
    let (_, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({})));
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    session(&mut world, &uuid, RateLocks { policy: true, ..RateLocks::default() });
    let told = world.told.len();
    for wish in [json!({"min_rate_kbps": 1}), json!({"rate_policy": "low"}), json!({"target_rate_kbps": 9_000})] {
        let mut wish = wish;
        wish["uuid"] = json!(uuid);
        assert_eq!(world.ui(conn, monitor::SET_RATE, wish.clone()), Err("forbidden".into()), "{wish}");
    }
    assert_eq!(world.told.len(), told);
    let limits = &world.ui(conn, monitor::HISTORY, json!({"uuid": uuid})).unwrap()["limits"];
    assert_eq!(
        (&limits["locked_by_site"]["minimum"], &limits["locked_by_server"]["policy"]),
        (&json!(true), &json!(true))
    );
    assert!(world.ui(conn, monitor::SET_RATE, json!({"uuid": uuid, "target_rate_kbps": 8_000})).is_ok());
}

#[test]
fn a_page_can_neither_read_histories_nor_change_limits_this_way() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    for kind in [monitor::HISTORY, monitor::SET_RATE] {
        let id = world.send(conn, kind, Some(SITE), json!({"uuid": uuid, "target_rate_kbps": 1}));
        assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
    }
}

#[test]
fn subscribers_see_the_live_figures_only_while_it_runs_and_a_new_number_when_limits_change() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    session(&mut world, &uuid, RateLocks::default());
    stats(&mut world, &uuid, 1, 3);
    let live = |world: &mut World| world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap()["transfers"][0]["live"].clone();
    let before = live(&mut world);
    assert_eq!((&before["lost"], &before["queue_us"]), (&json!(3), &json!(5)));
    world.ask(conn, SITE, &format!("transfers/modify/{uuid}"), json!({"target_rate_kbps": 77}));
    assert_ne!(live(&mut world)["limits_version"], before["limits_version"]);
    world.ui(conn, kinds::STOP, json!({"uuid": uuid})).unwrap();
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::UserCancel, ""))));
    assert_eq!(live(&mut world), Value::Null);
}

#[test]
fn who_downloads_more_than_fits_is_warned_once_in_each_run_and_sees_it_as_long_as_it_is_so() {
    let (mut world, conn) = World::trusted();
    let other = world.browser("s2");
    let uuid = world.start(conn);
    let room = |world: &mut World, written, free| {
        let disk = Some(Disk { free, size: 10_000 });
        let stats = Stats { bytes_expected: 5_000, bytes_written: written, disk, ..Stats::default() };
        world.worker(&uuid, WorkerEvent::Report(Report::Stats(stats)));
    };
    let shown = |world: &mut World| {
        let list = world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap();
        list["transfers"][0]["shortage"].clone()
    };
    session(&mut world, &uuid, RateLocks::default());
    room(&mut world, 0, 6_000);
    assert!(world.events(conn, topics::SHORTAGE).is_empty() && shown(&mut world).is_null());
    room(&mut world, 1_000, 3_000);
    room(&mut world, 2_000, 2_000);
    let warned = world.events(conn, topics::SHORTAGE);
    assert_eq!((warned.len(), &warned[0]["shortage"]), (1, &json!({"needed": 4_000, "free": 3_000})));
    assert!(world.events(other, topics::SHORTAGE).is_empty(), "one browser is enough");
    assert_eq!(shown(&mut world), json!({"needed": 3_000, "free": 2_000}));
    room(&mut world, 2_000, 9_000);
    assert!(shown(&mut world).is_null(), "somebody made room");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::NoSpace, ""))));
    world.ui(conn, kinds::RESUME, json!({"uuid": uuid})).unwrap();
    session(&mut world, &uuid, RateLocks::default());
    room(&mut world, 2_000, 100);
    assert_eq!(world.events(conn, topics::SHORTAGE).len(), 1, "again, after it was tried again");
}
