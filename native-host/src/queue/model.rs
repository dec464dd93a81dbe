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
        queue.add(id(n), Lane::Download);
    }
    assert_eq!((status(&queue, 2), status(&queue, 3), status(&queue, 4)), (S::Initiating, S::Queued, S::Queued));
    let run = run_of(&queue, 1);
    assert_eq!(starts(&queue.ended(&id(1), run, Outcome::Done, SECOND)), ["t3"]);
    assert_eq!(status(&queue, 1), S::Completed);
}

#[test]
fn an_error_that_may_pass_is_tried_three_times_again_and_then_the_transfer_has_failed() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0), Lane::Download);
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
    queue.add(id(0), Lane::Download);
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
    queue.add(id(0), Lane::Download);
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
    queue.add(id(0), Lane::Download);
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
    queue.restore(id(2), Lane::Download, place(7, S::Queued));
    assert!(queue.restore(id(1), Lane::Download, place(3, S::Running)));
    queue.restore(id(3), Lane::Upload, place(1, S::Cancelled));
    assert_eq!(starts(&queue.pump()), ["t1"]);
    assert_eq!(status(&queue, 3), S::Cancelled);
    queue.add(id(4), Lane::Download);
    assert!(queue.place(&id(4)).unwrap().order > 7);
}

#[test]
fn while_the_agent_ends_workers_stop_and_states_stay() {
    let mut queue = Queue::new(Limits::default());
    queue.add(id(0), Lane::Download);
    let run = run_of(&queue, 0);
    queue.session_began(&id(0), run);
    assert_eq!(queue.close(), [Effect::Stop { run }]);
    queue.ended(&id(0), run, Outcome::Failed { retryable: false }, SECOND);
    assert_eq!(status(&queue, 0), S::Running);
    assert!(starts(&queue.add(id(1), Lane::Upload)).is_empty());
}

#[test]
fn a_question_frees_the_slot_and_its_answer_decides() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    queue.add(id(0), Lane::Download);
    queue.add(id(1), Lane::Download);
    let run = run_of(&queue, 0);
    assert_eq!(starts(&queue.ended(&id(0), run, Outcome::NeedsAnswer, SECOND)), ["t1"]);
    assert_eq!(status(&queue, 0), S::Initiating);
    queue.answered(&id(0), true);
    assert_eq!(status(&queue, 0), S::Queued);
    assert!(queue.answered(&id(0), false).is_empty(), "only once");
}

#[test]
fn uploads_pass_downloads_that_wait_only_for_their_own_limit() {
    let mut queue = Queue::new(Limits { active: 3, downloads: 1, ..Limits::default() });
    for n in 0..3 {
        queue.add(id(n), Lane::Download);
    }
    for n in 3..6 {
        queue.add(id(n), Lane::Upload);
    }
    let begun: Vec<u8> = (0..6).filter(|n| queue.run(&id(*n)).is_some()).collect();
    assert_eq!(begun, [0, 3, 4]);
    let run = run_of(&queue, 3);
    assert_eq!(starts(&queue.ended(&id(3), run, Outcome::Done, SECOND)), ["t5"], "t1 is older, but a download runs");
    let run = run_of(&queue, 0);
    assert_eq!(starts(&queue.ended(&id(0), run, Outcome::Done, SECOND)), ["t1"]);
}

#[test]
fn a_higher_limit_starts_more_at_once_and_a_lower_one_stops_nothing() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    for n in 0..4 {
        queue.add(id(n), Lane::Upload);
    }
    assert_eq!(starts(&queue.set_limits(Limits { active: 3, ..Limits::default() })), ["t1", "t2"]);
    assert!(queue.set_limits(Limits { active: 1, ..Limits::default() }).is_empty());
    let run = run_of(&queue, 0);
    assert!(starts(&queue.ended(&id(0), run, Outcome::Done, SECOND)).is_empty());
}

#[test]
fn who_waits_can_be_put_before_another_or_at_the_end() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    for n in 0..5 {
        queue.add(id(n), if n % 2 == 0 { Lane::Download } else { Lane::Upload });
    }
    queue.reorder(&id(4), Some(&id(1))).unwrap();
    queue.reorder(&id(2), None).unwrap();
    queue.reorder(&id(3), Some(&id(3))).unwrap();
    assert_eq!(queue.reorder(&id(0), None), Err(Refused::NotWaiting));
    assert_eq!(queue.reorder(&id(1), Some(&id(0))), Err(Refused::NotWaiting));
    assert_eq!(queue.reorder(&id(9), None), Err(Refused::Unknown));
    let mut order = Vec::new();
    for _ in 0..4 {
        let n = (0..5).find(|n| queue.run(&id(*n)).is_some()).unwrap();
        let run = run_of(&queue, n);
        order.extend(starts(&queue.ended(&id(n), run, Outcome::Done, SECOND)));
    }
    assert_eq!(order, ["t4", "t1", "t3", "t2"]);
}

#[test]
fn a_transfer_is_never_moved_to_the_order_of_a_stopped_one_that_may_come_back() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    for n in 0..5 {
        queue.add(id(n), Lane::Download);
    }
    queue.stop(&id(2)).unwrap();
    queue.reorder(&id(4), Some(&id(3))).unwrap();
    queue.resume(&id(2), false).unwrap();
    let orders: Vec<u64> = [1, 2, 4, 3].iter().map(|n| queue.place(&id(*n)).unwrap().order).collect();
    assert!(orders.is_sorted_by(|a, b| a < b), "{orders:?}");
}

#[test]
fn orders_of_an_older_build_without_gaps_can_be_changed_too() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    let place = |order| Place { order, status: S::Queued, previous: None, attempts: 0, failures: 0 };
    for n in 0..4 {
        queue.restore(id(n), Lane::Download, place(u64::from(n) + 1));
    }
    queue.pump();
    queue.reorder(&id(3), Some(&id(1))).unwrap();
    let orders: Vec<u64> = [3, 1, 2].iter().map(|n| queue.place(&id(*n)).unwrap().order).collect();
    assert!(orders.is_sorted(), "{orders:?}");
}

#[test]
fn ten_thousand_are_moved_to_the_front_one_after_the_other_without_running_out_of_gaps() {
    let mut queue = Queue::new(Limits { active: 1, ..Limits::default() });
    let id = |n: u32| TransferId::new(format!("{n:05}"));
    for n in 0..10_000 {
        queue.add(id(n), Lane::Download);
    }
    let mut written = 0;
    for n in 2..2_000 {
        written += queue.reorder(&id(n), Some(&id(n - 1))).unwrap().len();
    }
    assert!(written < 2_000 * 5_000, "{written}");
    assert!(queue.place(&id(1_999)).unwrap().order < queue.place(&id(1)).unwrap().order);
}

#[derive(Clone, Debug)]
enum Op {
    Add(bool),
    Stop(u8),
    Resume(u8, bool),
    Remove(u8),
    Began(u8),
    Progress(u8),
    Ended(u8, Outcome),
    Answer(u8, bool),
    /// Also across a night in which the machine slept.
    Later(u32),
    Before(u8, Option<u8>),
    Limit(usize, usize),
    /// The agent dies; the next one takes up what was written.
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        Just(Outcome::Done),
        any::<bool>().prop_map(|retryable| Outcome::Failed { retryable }),
        Just(Outcome::Crashed),
        Just(Outcome::NeedsAnswer),
    ];
    prop_oneof![
        3 => any::<bool>().prop_map(Op::Add),
        1 => (0..12u8).prop_map(Op::Stop),
        1 => (0..12u8, any::<bool>()).prop_map(|(n, b)| Op::Resume(n, b)),
        1 => (0..12u8).prop_map(Op::Remove),
        2 => (0..12u8).prop_map(Op::Began),
        1 => (0..12u8).prop_map(Op::Progress),
        3 => (0..12u8, outcome).prop_map(|(n, o)| Op::Ended(n, o)),
        1 => (0..12u8, any::<bool>()).prop_map(|(n, b)| Op::Answer(n, b)),
        1 => prop_oneof![0..40u32, Just(86_400_000)].prop_map(Op::Later),
        1 => (0..12u8, prop::option::of(0..12u8)).prop_map(|(n, b)| Op::Before(n, b)),
        1 => (1..4usize, 0..3usize).prop_map(|(a, d)| Op::Limit(a, d)),
        1 => Just(Op::Restart),
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

fn lane_of(n: u8, uploads: &[bool]) -> Lane {
    if uploads.get(usize::from(n)).copied().unwrap_or_default() { Lane::Upload } else { Lane::Download }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_the_promises_hold(ops in prop::collection::vec(op(), 1..80)) {
        let mut limits = Limits { active: 2, ..Limits::default() };
        let mut queue = Queue::new(limits);
        let mut now = SECOND;
        let mut uploads: Vec<bool> = Vec::new();
        // The model: which workers live, found by listening to the effects alone.
        let mut live: BTreeMap<String, RunId> = BTreeMap::new();
        let mut seen: BTreeMap<String, S> = BTreeMap::new();
        for op in ops {
            let added = u8::try_from(uploads.len()).unwrap();
            let mut by_hand = false;
            let mut restarted = false;
            let effects = match op {
                Op::Add(upload) if added < 12 => {
                    uploads.push(upload);
                    queue.add(id(added), lane_of(added, &uploads))
                }
                Op::Add(_) => Vec::new(),
                Op::Stop(n) => queue.stop(&id(n)).unwrap_or_default(),
                Op::Resume(n, at_once) => { by_hand = at_once; queue.resume(&id(n), at_once).unwrap_or_default() }
                Op::Remove(n) => queue.remove(&id(n)).unwrap_or_default(),
                Op::Began(n) => live.get(id(n).as_str()).map(|r| queue.session_began(&id(n), *r)).unwrap_or_default(),
                Op::Progress(n) => {
                    if let Some(run) = live.get(id(n).as_str()) { queue.progressed(&id(n), *run) }
                    Vec::new()
                }
                Op::Ended(n, outcome) => live
                    .remove(id(n).as_str())
                    .map(|r| queue.ended(&id(n), r, outcome, now))
                    .unwrap_or_default(),
                Op::Answer(n, yes) => queue.answered(&id(n), yes),
                Op::Later(s) => { now += SECOND * s; queue.tick(now) }
                Op::Before(n, before) => {
                    let waiting = |q: &Queue| {
                        let mut all: Vec<_> = (0..added).filter_map(|n| q.place(&id(n)).map(|p| (p.order, n, p.status)))
                            .filter(|(_, _, s)| *s == S::Queued).collect();
                        all.sort();
                        all.into_iter().map(|(_, n, _)| n).collect::<Vec<_>>()
                    };
                    let mut expected = waiting(&queue);
                    let effects = queue.reorder(&id(n), before.map(id).as_ref());
                    if effects.is_ok() && before != Some(n) {
                        expected.retain(|other| *other != n);
                        let at = before.and_then(|b| expected.iter().position(|n| *n == b)).unwrap_or(expected.len());
                        expected.insert(at, n);
                        prop_assert_eq!(waiting(&queue), expected, "{} before {:?}", n, before);
                    }
                    effects.unwrap_or_default()
                }
                Op::Limit(active, downloads) => {
                    limits.active = active;
                    limits.downloads = if downloads == 0 { usize::MAX } else { downloads };
                    queue.set_limits(limits)
                }
                Op::Restart => {
                    let stored: Vec<_> = (0..added).filter_map(|n| queue.place(&id(n)).map(|p| (n, p.clone())))
                        .filter(|(_, p)| p.status != S::Removed).collect();
                    queue = Queue::new(limits);
                    live.clear();
                    restarted = true;
                    for (n, place) in &stored {
                        let was = place.status;
                        let changed = queue.restore(id(*n), lane_of(*n, &uploads), place.clone());
                        let is = status(&queue, *n);
                        prop_assert_eq!(changed, is != was);
                        prop_assert_eq!(is, if is_active(was) { S::Queued } else { was });
                        seen.insert(id(*n).to_string(), is);
                    }
                    queue.pump()
                }
            };
            let added = u8::try_from(uploads.len()).unwrap();
            let downloads_before =
                (0..added).filter(|n| !uploads[usize::from(*n)] && live.contains_key(id(*n).as_str())).count();
            let live_before = live.len();
            let (mut began, mut downloads_began) = (0, 0);
            for effect in &effects {
                match effect {
                    Effect::Start { id, run, .. } => {
                        prop_assert!(live.insert(id.to_string(), *run).is_none(), "two workers for {id}");
                        began += 1;
                        let n: usize = id.as_str()[1..].parse().unwrap();
                        downloads_began += usize::from(!uploads[n]);
                    }
                    Effect::Stop { run } => prop_assert!(live.values().any(|r| r == run), "a dead worker is stopped"),
                    Effect::Changed { .. } => {}
                }
            }
            if !by_hand && began > 0 {
                prop_assert!(live_before + began <= limits.active, "more than {} at once", limits.active);
            }
            if !by_hand && downloads_began > 0 {
                prop_assert!(downloads_before + downloads_began <= limits.downloads, "too many downloads");
            }
            // FIFO: nobody waits (without a dying worker) while a slot is free, and nobody younger was let past.
            let downloads_live =
                (0..added).filter(|n| !uploads[usize::from(*n)] && live.contains_key(id(*n).as_str())).count();
            let waiting: Vec<_> = (0..added).filter_map(|n| queue.place(&id(n)).map(|p| (n, p.clone())))
                .filter(|(n, p)| p.status == S::Queued && queue.run(&id(*n)).is_none()).collect();
            let open = |n: u8| uploads[usize::from(n)] || downloads_live < limits.downloads;
            prop_assert!(waiting.iter().all(|(n, _)| !open(*n)) || live.len() >= limits.active, "a slot stays empty");
            if !by_hand {
                for effect in &effects {
                    if let Effect::Start { id, .. } = effect {
                        let order = queue.place(id).unwrap().order;
                        let n: usize = id.as_str()[1..].parse().unwrap();
                        prop_assert!(waiting.iter().all(|(w, p)| p.order > order || uploads[usize::from(*w)] != uploads[n]
                            || !open(*w)), "{id} was let past an older one");
                    }
                }
            }
            let mut counts: BTreeMap<S, usize> = BTreeMap::new();
            for n in 0..added {
                let name = id(n).to_string();
                let Some(place) = queue.place(&id(n)) else { continue };
                *counts.entry(place.status).or_default() += 1;
                if let Some(before) = seen.insert(name.clone(), place.status) {
                    prop_assert!(before == place.status || is_arrow(before, place.status),
                        "{name}: {before:?} to {:?}", place.status);
                    let changed = effects.iter().any(|e| matches!(e, Effect::Changed { id } if id.as_str() == name));
                    prop_assert!(changed || before == place.status || restarted, "{name} changed unheard");
                }
                prop_assert_eq!(queue.run(&id(n)), live.get(&name).copied());
            }
            for status in [S::Initiating, S::Queued, S::Running, S::WillRetry, S::Completed, S::Failed, S::Cancelled] {
                prop_assert_eq!(queue.count_of(status), counts.get(&status).copied().unwrap_or_default());
            }
            let active = counts.iter().any(|(s, n)| *n > 0 && is_active(*s)) || !live.is_empty();
            prop_assert_eq!(queue.has_work(), active);
        }
    }
}
