//! The transfer monitor: how a transfer went, and its limits.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::monitor::kinds as monitor;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Failure, RateSettings, Report, Stats};

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
