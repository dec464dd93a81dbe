//! Limits over all transfers together.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::prefs;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{RateSettings, Report, Stats};
use proptest::prelude::*;

const LIMIT: u64 = 20_000;

fn world() -> (World, ConnId) {
    let mut world = World::with("[bandwidth]\nmanual_downloads_kbps = 20000\nbackground_downloads_kbps = \"2m\"\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    (world, conn)
}

fn begin(world: &mut World, uuid: &str) {
    let session = Report::Session {
        transport: "quic".into(),
        fingerprint: "SHA256:x".into(),
        server_version: "0".into(),
        granted: RateSettings::default(),
        locks: RateLocks::default(),
    };
    world.worker(uuid, WorkerEvent::Report(session));
}

fn uses(world: &mut World, uuid: &str, rate_kbps: u64) {
    world.worker(uuid, WorkerEvent::Report(Report::Stats(Stats { rate_kbps, ..Stats::default() })));
}

/// What each worker was told last.
fn caps(world: &World) -> BTreeMap<String, Option<u64>> {
    let cap = |run: RunId, start: &Start| {
        let told = world.told.iter().rev().find_map(|(r, command)| match command {
            Command::SetRate(rate) if *r == run => Some(rate.cap),
            _ => None,
        });
        told.unwrap_or(start.rate.cap).map(|rate| rate.0)
    };
    world.workers.iter().map(|(uuid, (run, start))| (uuid.clone(), cap(*run, start))).collect()
}

#[test]
fn two_transfers_share_the_limit_and_when_one_ends_the_other_gets_all() {
    let (mut world, conn) = world();
    let a = world.start(conn);
    assert_eq!(world.workers[&a].1.rate.cap.unwrap().0, LIMIT, "in its orders");
    assert_eq!(caps(&world)[&a], Some(LIMIT));
    let b = world.start(conn);
    assert_eq!(world.workers[&b].1.rate.cap.unwrap().0, LIMIT, "what it may have one day");
    assert_eq!((caps(&world)[&a], caps(&world)[&b]), (Some(LIMIT / 2), Some(LIMIT / 2)));
    let told = world.told.len();
    begin(&mut world, &b);
    let run = world.workers[&b].0;
    assert!(world.told[told..].iter().any(|(r, _)| *r == run), "again when the server listens");
    world.worker(&a, WorkerEvent::Ended(Ended::Done(Stats::default())));
    assert_eq!(caps(&world)[&b], Some(LIMIT));
}

#[test]
fn what_one_cannot_use_the_other_gets_within_a_second_and_gives_it_back_when_it_is_wanted() {
    let (mut world, conn) = world();
    let (a, b) = (world.start(conn), world.start(conn));
    begin(&mut world, &a);
    begin(&mut world, &b);
    for _ in 0..5 {
        uses(&mut world, &a, 1_000);
        let allowed = caps(&world)[&b].unwrap();
        uses(&mut world, &b, allowed);
        world.later(Duration::from_secs(1));
    }
    let now = caps(&world);
    assert!(now[&b].unwrap() >= 18_000, "{now:?}");
    for _ in 0..20 {
        let now = caps(&world);
        uses(&mut world, &a, now[&a].unwrap());
        uses(&mut world, &b, now[&b].unwrap());
        world.later(Duration::from_secs(1));
    }
    let now = caps(&world);
    assert!(now[&a].unwrap() > 9_000 && now[&b].unwrap() > 9_000, "{now:?}");
}

#[test]
fn uploads_do_not_count_as_downloads() {
    let (mut world, conn) = world();
    let a = world.start(conn);
    let file = world.dir.path().join("up.bin");
    std::fs::write(&file, "x").unwrap();
    let session = "s1";
    world.core.grants.add(session, &SITE.parse().unwrap(), [crate::grants::Grant::existing(&file).unwrap()]);
    let spec = json!({"direction": "send", "remote_host": "h", "remote_password": "p", "paths": [{"source": file}]});
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({})));
    assert_eq!(status, 200, "{body}");
    let b = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    assert_eq!((caps(&world)[&a], caps(&world)[&b]), (Some(LIMIT), None));
}

#[test]
fn slow_mode_and_new_limits_hold_at_once_and_no_limit_takes_the_cap_away() {
    let (mut world, conn) = world();
    let a = world.start(conn);
    let mut set = |changes: Value| {
        world.ui(conn, prefs::kinds::CHANGE_SETTINGS, json!({"changes": changes})).unwrap();
        caps(&world)[&a]
    };
    assert_eq!(set(json!({"bandwidth.slow_mode": true})), Some(2_000));
    assert_eq!(set(json!({"bandwidth.slow_mode": false, "bandwidth.manual_downloads_kbps": 7_000})), Some(7_000));
    assert_eq!(set(json!({"bandwidth.manual_downloads_kbps": 0})), None);
}

#[test]
fn a_page_s_own_wishes_hold_below_the_share_and_change_at_once() {
    let (mut world, conn) = world();
    let (a, b) = (world.start(conn), world.start(conn));
    let modified = world.ask(conn, SITE, &format!("transfers/modify/{a}"), json!({"target_rate_kbps": 3_000}));
    assert_eq!(modified.0, 200);
    let now = caps(&world);
    assert_eq!((now[&a], now[&b]), (Some(3_000), Some(17_000)), "its target is all it can use");
    let run = world.workers[&a].0;
    let told = world.told.iter().rev().find(|(r, _)| *r == run).unwrap();
    assert!(matches!(&told.1, Command::SetRate(rate) if rate.target.unwrap().0 == 3_000));
    world.ask(conn, SITE, &format!("transfers/modify/{a}"), json!({"target_rate_kbps": 0, "rate_policy": "high"}));
    let now = caps(&world);
    assert_eq!((now[&a], now[&b]), (Some(13_334), Some(6_666)), "high counts twice");
}

#[test]
fn without_limits_no_worker_is_told_anything_and_no_clock_runs() {
    let (mut world, conn) = World::trusted();
    let (a, b) = (world.start(conn), world.start(conn));
    begin(&mut world, &a);
    begin(&mut world, &b);
    world.later(Duration::from_secs(5));
    assert_eq!(world.told, []);
    assert_eq!(world.core.next_share(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the workers use, and whoever comes and goes.
    #[test]
    fn the_caps_never_sum_to_more_than_the_limit(steps in prop::collection::vec((0..6u8, 0..4usize, 0..30_000u64), 1..40)) {
        let (mut world, conn) = world();
        let mut uuids: Vec<String> = Vec::new();
        for (what, which, rate) in steps {
            uuids.retain(|u| world.workers.contains_key(u));
            match (what, uuids.get(which).cloned()) {
                (0, _) if world.core.transfers.len() < 30 => {
                    world.start(conn);
                    uuids = world.workers.keys().cloned().collect();
                }
                (1, Some(uuid)) => begin(&mut world, &uuid),
                (2, Some(uuid)) => uses(&mut world, &uuid, rate),
                (3, Some(uuid)) => {
                    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(Stats::default())));
                    uuids = world.workers.keys().cloned().collect();
                }
                (4, Some(uuid)) => {
                    let body = json!({"target_rate_kbps": rate, "min_rate_kbps": rate / 2});
                    world.ask(conn, SITE, &format!("transfers/modify/{uuid}"), body);
                }
                _ => world.later(Duration::from_millis(700)),
            }
            let caps: Vec<u64> = caps(&world).into_values().map(|cap| cap.expect("a cap")).collect();
            let sum: u64 = caps.iter().sum();
            prop_assert!(sum <= LIMIT + LIMIT / 50, "{caps:?}");
        }
    }
}
