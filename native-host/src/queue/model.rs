//! The queue against a model: any sequence of wishes and outcomes, compared with the slow and obvious way.

#![allow(clippy::unwrap_used)]

use super::*;
use TransferStatus as S;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SECOND: Duration = Duration::from_secs(1);

fn id(n: u8) -> TransferId {
    TransferId::new(format!("t{n}"))
}

fn starts(effects: &[Effect]) -> Vec<String> {
    effects.iter().filter_map(|e| if let Effect::Start { id, .. } = e { Some(id.to_string()) } else { None }).collect()
}

fn run_of(queue: &Queue, n: u8) -> RunId {
    queue.run(&id(n)).unwrap()
}

fn status(queue: &Queue, n: u8) -> S {
    queue.place(&id(n)).unwrap().status
}

#[test]
fn three_run_the_others_wait_and_come_in_order() {
    let mut queue = Queue::new(Limits::default());
    for n in 0..5 {
        queue.add(id(n));
    }
    assert_eq!((status(&queue, 2), status(&queue, 3), status(&queue, 4)), (S::Initiating, S::Queued, S::Queued));
    let run = run_of(&queue, 1);
    assert_eq!(starts(&queue.ended(&id(1), run, Outcome::Done, SECOND)), ["t3"]);
    assert_eq!(status(&queue, 1), S::Completed);
}

#[test]
fn an_error_that_may_pass_is_tried_three_times_again_and_then_the_transfer_has_failed() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0));
    let mut now = SECOND;
    for _ in 0..3 {
        let run = run_of(&queue, 0);
        queue.ended(&id(0), run, Outcome::Failed { retryable: true }, now);
        assert_eq!(status(&queue, 0), S::WillRetry);
        assert_eq!(queue.next_due(), Some(now + SECOND * 30));
        assert!(queue.tick(now + SECOND * 29).is_empty());
        now += SECOND * 30;
        assert_eq!(starts(&queue.tick(now)), ["t0"]);
    }
    let run = run_of(&queue, 0);
    queue.ended(&id(0), run, Outcome::Failed { retryable: true }, now);
    assert_eq!(status(&queue, 0), S::Failed);
    assert_eq!(starts(&queue.resume(&id(0), false).unwrap()), ["t0"]);
}

#[test]
fn progress_forgives_earlier_failures() {
    let mut queue = Queue::new(Limits { retries: 1, ..Limits::default() });
    queue.add(id(0));
    for n in 1..20 {
        let run = run_of(&queue, 0);
        queue.progressed(&id(0), run);
        queue.ended(&id(0), run, Outcome::Failed { retryable: true }, SECOND * 100 * n);
        assert_eq!(status(&queue, 0), S::WillRetry);
        queue.tick(SECOND * 100 * (n + 1));
    }
}

#[test]
fn a_crashed_worker_is_replaced_at_once_the_first_time_and_later_after_the_interval() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0));
    let run = run_of(&queue, 0);
    queue.ended(&id(0), run, Outcome::Crashed, SECOND);
    assert_eq!(queue.next_due(), Some(SECOND * 2));
    queue.tick(SECOND * 2);
    let run = run_of(&queue, 0);
    queue.ended(&id(0), run, Outcome::Crashed, SECOND * 2);
    assert_eq!(queue.next_due(), Some(SECOND * 32));
}

#[test]
fn resumed_while_its_worker_still_stops_it_starts_when_that_has_ended() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0));
    let run = run_of(&queue, 0);
    assert!(queue.stop(&id(0)).unwrap().contains(&Effect::Stop { run }));
    assert_eq!(starts(&queue.resume(&id(0), true).unwrap()), [""; 0]);
    let effects = queue.ended(&id(0), run, Outcome::Failed { retryable: false }, SECOND);
    assert_eq!(starts(&effects), ["t0"]);
    assert_ne!(run_of(&queue, 0), run);
}

#[test]
fn what_ran_when_the_agent_died_goes_on_before_what_came_later() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    let place = |order, status| Place { order, status, previous: None, attempts: 1, failures: 2 };
    queue.restore(id(2), place(7, S::Queued));
    assert!(queue.restore(id(1), place(3, S::Running)));
    queue.restore(id(3), place(1, S::Cancelled));
    assert_eq!(starts(&queue.pump()), ["t1"]);
    assert_eq!(status(&queue, 3), S::Cancelled);
    queue.add(id(4));
    assert_eq!(queue.place(&id(4)).unwrap().order, 8);
}

#[test]
fn while_the_agent_ends_workers_stop_and_states_stay() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0));
    let run = run_of(&queue, 0);
    queue.session_began(&id(0), run);
    assert_eq!(queue.close(), [Effect::Stop { run }]);
    queue.ended(&id(0), run, Outcome::Failed { retryable: false }, SECOND);
    assert_eq!(status(&queue, 0), S::Running);
    assert!(starts(&queue.add(id(1))).is_empty());
}

#[test]
fn a_question_frees_the_slot_and_its_answer_decides() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    queue.add(id(0));
    queue.add(id(1));
    let run = run_of(&queue, 0);
    assert_eq!(starts(&queue.ended(&id(0), run, Outcome::NeedsAnswer, SECOND)), ["t1"]);
    assert_eq!(status(&queue, 0), S::Initiating);
    queue.answered(&id(0), true);
    assert_eq!(status(&queue, 0), S::Queued);
    assert!(queue.answered(&id(0), false).is_empty(), "only once");
}

#[derive(Clone, Debug)]
enum Op {
    Add,
    Stop(u8),
    Resume(u8, bool),
    Remove(u8),
    Began(u8),
    Ended(u8, Outcome),
    Answer(u8, bool),
    Later(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        Just(Outcome::Done),
        any::<bool>().prop_map(|retryable| Outcome::Failed { retryable }),
        Just(Outcome::Crashed),
        Just(Outcome::NeedsAnswer),
    ];
    prop_oneof![
        3 => Just(Op::Add),
        1 => (0..12u8).prop_map(Op::Stop),
        1 => (0..12u8, any::<bool>()).prop_map(|(n, b)| Op::Resume(n, b)),
        1 => (0..12u8).prop_map(Op::Remove),
        2 => (0..12u8).prop_map(Op::Began),
        3 => (0..12u8, outcome).prop_map(|(n, o)| Op::Ended(n, o)),
        1 => (0..12u8, any::<bool>()).prop_map(|(n, b)| Op::Answer(n, b)),
        1 => (0..40u8).prop_map(Op::Later),
    ]
}

/// The arrows of reference 1.8, with `initiating → willretry/failed` for servers that never answer.
fn is_arrow(from: S, to: S) -> bool {
    matches!(
        (from, to),
        (S::Queued, S::Initiating | S::Cancelled)
            | (S::Initiating, S::Running | S::WillRetry | S::Failed | S::Cancelled | S::Completed | S::Queued)
            | (S::Running, S::Completed | S::WillRetry | S::Failed | S::Cancelled | S::Initiating)
            | (S::WillRetry, S::Queued | S::Initiating | S::Cancelled)
            | (S::Failed | S::Cancelled, S::Queued | S::Initiating)
            | (S::Cancelled | S::Queued, S::Completed)
            | (_, S::Removed)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_the_promises_hold(ops in prop::collection::vec(op(), 1..80)) {
        let limits = Limits { active: 2, ..Limits::default() };
        let mut queue = Queue::new(limits);
        let mut now = SECOND;
        let mut added = 0u8;
        // The model: which workers live, found by listening to the effects alone.
        let mut live: BTreeMap<String, RunId> = BTreeMap::new();
        let mut seen: BTreeMap<String, S> = BTreeMap::new();
        for op in ops {
            let mut by_hand = false;
            let effects = match op {
                Op::Add if added < 12 => { added += 1; queue.add(id(added - 1)) }
                Op::Add => Vec::new(),
                Op::Stop(n) => queue.stop(&id(n)).unwrap_or_default(),
                Op::Resume(n, at_once) => { by_hand = at_once; queue.resume(&id(n), at_once).unwrap_or_default() }
                Op::Remove(n) => queue.remove(&id(n)).unwrap_or_default(),
                Op::Began(n) => live.get(id(n).as_str()).map(|r| queue.session_began(&id(n), *r)).unwrap_or_default(),
                Op::Ended(n, outcome) => live
                    .remove(id(n).as_str())
                    .map(|r| queue.ended(&id(n), r, outcome, now))
                    .unwrap_or_default(),
                Op::Answer(n, yes) => queue.answered(&id(n), yes),
                Op::Later(s) => { now += SECOND * u32::from(s); queue.tick(now) }
            };
            let live_before = live.len();
            let mut began = 0;
            for effect in &effects {
                match effect {
                    Effect::Start { id, run, .. } => {
                        prop_assert!(live.insert(id.to_string(), *run).is_none(), "two workers for {id}");
                        began += 1;
                    }
                    Effect::Stop { run } => prop_assert!(live.values().any(|r| r == run), "a dead worker is stopped"),
                    Effect::Changed { .. } => {}
                }
            }
            if !by_hand && began > 0 {
                prop_assert!(live_before + began <= limits.active, "more than {} at once", limits.active);
            }
            // FIFO: nobody waits (without a dying worker) while a slot is free, and nobody younger was let past.
            let waiting: Vec<_> = (0..added).filter_map(|n| queue.place(&id(n)).map(|p| (n, p.clone())))
                .filter(|(n, p)| p.status == S::Queued && queue.run(&id(*n)).is_none()).collect();
            prop_assert!(waiting.is_empty() || live.len() >= limits.active, "a slot stays empty");
            if !by_hand {
                for effect in &effects {
                    if let Effect::Start { id, .. } = effect {
                        let order = queue.place(id).unwrap().order;
                        prop_assert!(waiting.iter().all(|(_, p)| p.order > order), "{id} was let past an older one");
                    }
                }
            }
            for n in 0..added {
                let name = id(n).to_string();
                let Some(place) = queue.place(&id(n)) else { continue };
                if let Some(before) = seen.insert(name.clone(), place.status) {
                    prop_assert!(before == place.status || is_arrow(before, place.status),
                        "{name}: {before:?} to {:?}", place.status);
                }
                prop_assert_eq!(queue.run(&id(n)), live.get(&name).copied());
                let changed = effects.iter().any(|e| matches!(e, Effect::Changed { id } if id.as_str() == name));
                prop_assert!(changed || seen.get(&name) == Some(&place.status));
            }
        }
    }
}
