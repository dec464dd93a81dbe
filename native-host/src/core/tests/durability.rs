//! What was acknowledged is not lost.

use super::*;
use crate::store::{Store, Tree};
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Credential, Failure, Report, Stats};

#[test]
fn an_acknowledged_transfer_survives_a_power_cut_and_goes_on() {
    let (mut world, conn) = World::trusted();
    let uuids: Vec<String> = (0..5).map(|_| world.start(conn)).collect();
    let token = world.activity(conn, SITE, 0)["iteration_token"].as_u64().unwrap();
    world.killed(world.store.after_power_cut());
    assert_eq!(world.workers.len(), 3, "the first three run again");
    for uuid in &uuids[..3] {
        let start = &world.workers[uuid].1;
        assert_eq!(start.attempt, 2);
        assert_eq!(start.server.credential, Credential::Password { password: "hunter2".to_owned().into() });
    }
    assert_eq!(world.status(&uuids[4]), TransferStatus::Queued);
    let conn = world.browser("new");
    let news = world.activity(conn, SITE, token);
    assert!(news["iteration_token"].as_u64().unwrap() >= token);
    assert_eq!(news["result_count"], json!(3), "those whose state changed");
}

#[test]
fn tokens_never_go_back_even_if_only_progress_had_moved_them() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    for n in 0..50 {
        let stats = Stats { bytes_expected: 100, bytes_written: n, ..Stats::default() };
        world.worker(&uuid, WorkerEvent::Report(Report::Stats(stats)));
    }
    let token = world.activity(conn, SITE, 0)["iteration_token"].as_u64().unwrap();
    world.killed(world.store.after_power_cut());
    let conn = world.browser("new");
    assert!(world.activity(conn, SITE, 0)["iteration_token"].as_u64().unwrap() > token);
    assert_eq!(world.activity(conn, SITE, token)["result_count"], json!(1));
}

#[test]
fn secrets_are_in_the_store_as_ciphertext_only_and_go_with_their_transfer() {
    let (mut world, conn) = World::trusted();
    let (done, removed) = (world.start(conn), world.start(conn));
    for tree in Tree::ALL {
        for (key, bytes) in world.store.all(tree).unwrap() {
            assert!(!bytes.windows(7).any(|w| w == b"hunter2"), "{tree:?} {key}");
        }
    }
    assert_eq!(world.store.all(Tree::Secrets).unwrap().len(), 2);
    world.worker(&done, WorkerEvent::Ended(Ended::Done(Stats::default())));
    world.ui(conn, kinds::REMOVE, json!({"uuid": removed})).unwrap();
    assert!(world.store.all(Tree::Secrets).unwrap().is_empty());
    assert_eq!(world.store.all(Tree::Transfers).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_written_is_not_acknowledged() {
    let (mut world, conn) = World::trusted();
    world.store.fail(true);
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&World::spec(), &json!({})));
    assert_eq!(status, 500, "{body}");
    assert!(world.workers.is_empty(), "what was refused does not run");
    world.store.fail(false);
    assert_eq!(world.activity(conn, SITE, 0)["result_count"], json!(0));
    let uuid = world.start(conn);
    world.killed(world.store.after_power_cut());
    assert_eq!(world.workers.keys().collect::<Vec<_>>(), [&uuid]);
}

#[test]
fn stopped_failed_and_completed_ones_stay_what_they_are() {
    let (mut world, conn) = World::trusted();
    let (stopped, failed, completed) = (world.start(conn), world.start(conn), world.start(conn));
    world.ui(conn, kinds::STOP, json!({"uuid": stopped})).unwrap();
    world.worker(&failed, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::NoSpace, ""))));
    world.worker(&completed, WorkerEvent::Ended(Ended::Done(Stats::default())));
    world.killed(world.store.after_power_cut());
    assert!(world.workers.is_empty());
    let states = [&stopped, &failed, &completed].map(|u| world.status(u));
    assert_eq!(states, [TransferStatus::Cancelled, TransferStatus::Failed, TransferStatus::Completed]);
    let conn = world.browser("new");
    assert_eq!(world.info(conn, &failed)["error_code"], json!(25));
}

#[test]
fn progress_is_written_now_and_then_and_at_the_end() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let report =
        |n| WorkerEvent::Report(Report::Stats(Stats { bytes_expected: 9, bytes_written: n, ..Stats::default() }));
    world.worker(&uuid, report(3));
    assert!(world.core.next_deadline().unwrap() <= world.now.mono + Duration::from_secs(5));
    world.later(Duration::from_secs(6));
    world.worker(&uuid, report(4));
    world.killed(world.store.after_kill());
    let conn = world.browser("new");
    assert_eq!(world.info(conn, &uuid)["bytes_written"], json!(3));
    world.worker(&uuid, report(7));
    world.core.close();
    world.killed(world.store.after_power_cut());
    let conn = world.browser("new");
    assert_eq!(world.info(conn, &uuid)["bytes_written"], json!(7));
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_the_others_live() {
    let (mut world, conn) = World::trusted();
    let (bad, good) = (world.start(conn), world.start(conn));
    let mut store = world.store.after_kill();
    store.apply(&[Change::Put(Tree::States, bad.clone(), b"{\"v\":99}".to_vec())]).unwrap();
    world.killed(store);
    assert_eq!(world.workers.keys().collect::<Vec<_>>(), [&good]);
    let conn = world.browser("new");
    let status = world.ui(conn, kinds::STATUS, json!({})).unwrap();
    assert!(status["notices"][0].as_str().unwrap().contains("could not be read"), "{status}");
    assert!(world.store.get(Tree::Transfers, &bad).unwrap().is_some(), "it is kept");
}

#[test]
fn a_copy_of_the_database_follows_a_change_after_a_while_and_everything_can_be_restored_from_it() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.later(Duration::from_secs(599));
    assert!(world.snapshots.is_empty());
    world.later(Duration::from_secs(1));
    let copy = world.snapshots.pop().expect("a copy");
    world.later(Duration::from_secs(5_000));
    assert!(world.snapshots.is_empty(), "nothing has changed since");
    let text = crate::store::snapshot::write(&copy, true).unwrap();
    let mut store = MemoryStore::default();
    store.apply(&crate::store::snapshot::read(&text).unwrap()).unwrap();
    world.killed(store);
    assert_eq!(
        world.workers[&uuid].1.server.credential,
        Credential::Password { password: "hunter2".to_owned().into() }
    );
    let conn = world.browser("s2");
    assert_eq!(world.info(conn, &uuid)["status"], json!("initiating"), "its site is still trusted");
}
