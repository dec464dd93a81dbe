//! Downloads whose files stayed encrypted: which are known, the question, the worker that decrypts, and what is remembered of it.

use super::*;
use crate::store::Tree;
use crate::supervisor::Ended;
use crate::transfers::secrets_key;
use godwit_protocol::ui::Question;
use godwit_protocol::worker::{Failure, FileOutcome, FileReport, Report, Stats, Unlocked};
use godwit_protocol::{ErrorCode, Secret};

/// A download that brought these files.
fn download(world: &mut World, conn: ConnId, files: &[(&str, FileOutcome)]) -> String {
    let uuid = world.start(conn);
    for (path, outcome) in files {
        let file = FileReport { path: (*path).into(), size: 3, outcome: *outcome, error: None, blake3: None };
        world.worker(&uuid, WorkerEvent::Report(Report::File(file)));
    }
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(Stats::default())));
    assert_eq!(world.status(&uuid), TransferStatus::Completed);
    uuid
}

/// One that brought two encrypted files and another.
fn encrypted(world: &mut World, conn: ConnId) -> String {
    use FileOutcome::{Completed, Failed, Skipped};
    download(world, conn, &[("a.age", Completed), ("b/c.age", Skipped), ("plain", Completed), ("broken.age", Failed)])
}

fn view(world: &mut World, conn: ConnId) -> Value {
    world.ui(conn, kinds::SUBSCRIBE, json!({})).unwrap()["transfers"][0].clone()
}

fn unlock(world: &mut World, conn: ConnId, uuid: &str) -> Result<Value, String> {
    world.ui(conn, kinds::UNLOCK, json!({"uuid": uuid}))
}

fn typed(passphrase: &str) -> Decision {
    Decision::Passphrase { passphrase: Secret::new(passphrase) }
}

/// Asks, types and returns the run.
fn begin(world: &mut World, conn: ConnId, uuid: &str) -> RunId {
    unlock(world, conn, uuid).unwrap();
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &typed("swordfish")).unwrap();
    world.unlocks.last().unwrap().0
}

fn says(world: &mut World, run: RunId, report: Report) {
    world.handle(Input::Worker { run, event: WorkerEvent::Report(report) });
}

fn ends(world: &mut World, run: RunId, ended: Ended) {
    world.handle(Input::Worker { run, event: WorkerEvent::Ended(ended) });
}

fn done() -> Ended {
    Ended::Done(Stats::default())
}

#[test]
fn what_arrived_encrypted_is_decrypted_by_a_worker_with_what_the_user_types() {
    let (mut world, conn) = World::trusted();
    let uuid = encrypted(&mut world, conn);
    assert_eq!(view(&mut world, conn)["unlocked"]["kept"], 2);
    unlock(&mut world, conn, &uuid).unwrap();
    let prompt = world.prompt(conn);
    let Question::Passphrase { creates: false, can_skip: false, unlocks: Some(title), wrong: false, .. } =
        &prompt.question
    else {
        panic!("{prompt:?}")
    };
    assert_eq!(title, "file.bin");
    // Pressed twice: the question is there already.
    unlock(&mut world, conn, &uuid).unwrap();
    assert!(world.prompts(conn).is_empty());
    assert!(world.decide(conn, &prompt, &Decision::Skip).is_err());
    world.decide(conn, &prompt, &typed("swordfish")).unwrap();
    let (run, orders) = world.unlocks[0].clone();
    assert_eq!((orders.paths, orders.passphrase), (vec!["a.age".into(), "b/c.age".into()], Secret::new("swordfish")));
    assert_eq!(view(&mut world, conn)["folder"], json!(orders.folder));
    let stats = Stats { bytes_expected: 6, bytes_written: 2, ..Stats::default() };
    says(&mut world, run, Report::Stats(stats));
    assert_eq!(view(&mut world, conn)["unlocking"], json!({"done": 2, "total": 6}));
    // Already under way.
    unlock(&mut world, conn, &uuid).unwrap();
    assert!(world.prompts(conn).is_empty() && world.unlocks.len() == 1);
    says(&mut world, run, Report::Unlocked(Unlocked { opened: 2, ..Unlocked::default() }));
    ends(&mut world, run, done());
    let seen = view(&mut world, conn);
    assert_eq!((&seen["unlocked"]["opened"], &seen["unlocked"]["kept"]), (&json!(2), &json!(0)));
    assert!(seen.get("unlocking").is_none() && world.prompts(conn).is_empty());
    assert_eq!(unlock(&mut world, conn, &uuid).unwrap_err(), "bad-request", "nothing is left to do");
    assert_eq!(world.store.all(Tree::Encrypted).unwrap(), []);
    assert_eq!(world.store.get(Tree::Secrets, &secrets_key(&TransferId::new(&uuid))).unwrap(), None);
}

#[test]
fn a_wrong_passphrase_is_told_and_asked_again() {
    let (mut world, conn) = World::trusted();
    let uuid = encrypted(&mut world, conn);
    let run = begin(&mut world, conn, &uuid);
    let why = Some("a.age: the passphrase is wrong".to_owned());
    says(&mut world, run, Report::Unlocked(Unlocked { opened: 1, kept: 1, why, wrong_passphrase: true }));
    ends(&mut world, run, done());
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Passphrase { wrong: true, unlocks: Some(_), .. }));
    world.decide(conn, &prompt, &typed("sawfish")).unwrap();
    let (run, orders) = world.unlocks[1].clone();
    assert_eq!(orders.paths.len(), 2, "the worker sees for itself which are gone");
    says(&mut world, run, Report::Unlocked(Unlocked { opened: 1, ..Unlocked::default() }));
    ends(&mut world, run, done());
    assert_eq!(
        view(&mut world, conn)["unlocked"],
        json!({"opened": 2, "kept": 0, "why": null, "wrong_passphrase": false})
    );
    // Cancelled, or closed: nothing happens.
    let other = encrypted(&mut world, conn);
    unlock(&mut world, conn, &other).unwrap();
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!((world.unlocks.len(), &view(&mut world, conn)["unlocked"]["kept"]), (2, &json!(2)));
}

#[test]
fn a_worker_that_dies_changes_nothing_but_is_told_and_the_next_agent_knows_all() {
    let (mut world, conn) = World::trusted();
    let uuid = encrypted(&mut world, conn);
    let run = begin(&mut world, conn, &uuid);
    ends(&mut world, run, Ended::Crashed("killed".into()));
    let seen = view(&mut world, conn);
    assert_eq!((&seen["unlocked"]["kept"], seen.get("unlocking")), (&json!(2), None));
    assert_eq!(seen["unlocked"]["why"], "the process that decrypts has ended");
    assert!(world.prompts(conn).is_empty());
    let run = begin(&mut world, conn, &uuid);
    ends(&mut world, run, Ended::Failed(Failure::new(ErrorCode::NoSpace, "")));
    assert_eq!(view(&mut world, conn)["unlocked"]["why"], json!(ErrorCode::NoSpace.text()));
    begin(&mut world, conn, &uuid);
    let store = world.store.clone();
    world.killed(store);
    let conn = world.browser("s1");
    let seen = view(&mut world, conn);
    assert_eq!((&seen["unlocked"]["kept"], seen.get("unlocking")), (&json!(2), None));
    begin(&mut world, conn, &uuid);
    assert_eq!(world.unlocks.last().unwrap().1.paths, ["a.age", "b/c.age"]);
}

#[test]
fn the_agent_stays_while_it_decrypts_and_stops_that_when_it_ends_or_the_transfer_goes() {
    let (mut world, conn) = World::trusted();
    let (first, second) = (encrypted(&mut world, conn), encrypted(&mut world, conn));
    let (one, two) = (begin(&mut world, conn, &first), begin(&mut world, conn, &second));
    world.handle(Input::Disconnected { conn });
    world.later(Duration::from_secs(3600));
    assert!(!world.exited, "somebody waits for the files");
    let conn = world.browser("s1");
    world.ui(conn, kinds::REMOVE, json!({"uuid": first})).unwrap();
    assert_eq!(world.told.last(), Some(&(one, Command::Stop)));
    assert_eq!(world.store.all(Tree::Encrypted).unwrap().len(), 1, "and its names are forgotten");
    world.handle(Input::Shutdown);
    assert!(world.exited && world.told.contains(&(two, Command::Stop)));
    ends(&mut world, one, Ended::Failed(Failure::new(ErrorCode::UserCancel, "")));
    ends(&mut world, two, Ended::Failed(Failure::new(ErrorCode::UserCancel, "")));
}

#[test]
fn finished_transfers_that_leave_the_list_by_themselves_wait_for_their_files() {
    let mut world = World::with("[transfers]\nremove_finished = \"automatically\"\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let uuid = encrypted(&mut world, conn);
    let run = begin(&mut world, conn, &uuid);
    world.later(Duration::from_secs(100));
    assert_eq!(world.status(&uuid), TransferStatus::Completed, "still there");
    says(&mut world, run, Report::Unlocked(Unlocked { opened: 2, ..Unlocked::default() }));
    ends(&mut world, run, done());
    world.later(Duration::from_secs(100));
    assert!(world.core.queue.place(&TransferId::new(&uuid)).is_none());
}

#[test]
fn only_completed_downloads_that_brought_such_files_can_be_unlocked() {
    let (mut world, conn) = World::trusted();
    assert_eq!(unlock(&mut world, conn, "nobody").unwrap_err(), "not-found");
    let running = world.start(conn);
    assert_eq!(unlock(&mut world, conn, &running).unwrap_err(), "bad-request");
    let plain = download(&mut world, conn, &[("plain", FileOutcome::Completed)]);
    assert_eq!(unlock(&mut world, conn, &plain).unwrap_err(), "bad-request");
    // Everything was decrypted when it had arrived.
    let uuid = world.start(conn);
    let path = "a.age".to_owned();
    let file = FileReport { path, size: 3, outcome: FileOutcome::Completed, error: None, blake3: None };
    world.worker(&uuid, WorkerEvent::Report(Report::File(file)));
    let unlocked = Unlocked { opened: 1, ..Unlocked::default() };
    world.worker(&uuid, WorkerEvent::Report(Report::Unlocked(unlocked)));
    world.worker(&uuid, WorkerEvent::Ended(done()));
    assert_eq!(unlock(&mut world, conn, &uuid).unwrap_err(), "bad-request");
    assert_eq!(world.store.all(Tree::Encrypted).unwrap(), []);
    // Not for pages.
    let id = world.send(conn, kinds::UNLOCK, Some(SITE), json!({"uuid": uuid}));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "forbidden");
}
