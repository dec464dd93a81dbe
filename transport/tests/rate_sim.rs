//! Promises of the rate controller, each on a simulated network in virtual time: one sender, one line.
#![allow(clippy::unwrap_used)]

mod ratesim;

use std::time::Duration;

use godwit_transport::rate::{Policy, RateLaw, Settings};
use ratesim::flow::FlowSpec;
use ratesim::link::LinkSpec;
use ratesim::ours::Ours;
use ratesim::rng::Rng;
use ratesim::scenario::{alone, fair, target, with_policy};
use ratesim::world::World;
use ratesim::{MS, SEC};

/// Rate (Mbit/s), one-way delay (ms), loss (%), queue (ms), length of the transfer (s): the lines of the requirements.
const LINES: [(f64, f64, f64, f64, u64); 6] = [
    (200.0, 25.0, 0.1, 50.0, 21),
    (200.0, 50.0, 1.0, 100.0, 42),
    (200.0, 100.0, 5.0, 100.0, 44),
    (500.0, 75.0, 0.5, 100.0, 33),
    (100.0, 150.0, 10.0, 100.0, 46),
    (100.0, 500.0, 5.0, 200.0, 86),
];

#[test]
fn without_a_target_a_whole_transfer_takes_85_percent_of_the_line_and_little_of_the_queue() {
    for (rate, delay, loss, queue, seconds) in LINES {
        let world = alone(LinkSpec::new(rate, delay, loss, queue), fair(), seconds, 11);
        let (share, (median, _)) = (world.share(0, 0, seconds * SEC), world.queue_ms(0, seconds * SEC));
        assert!(share >= 0.88, "{rate} Mbit/s {delay} ms {loss} %: {share:.3}");
        assert!(median < 40.0, "{rate} Mbit/s {delay} ms {loss} %: {median:.1} ms");
    }
}

#[test]
fn with_the_line_rate_as_target_a_whole_transfer_takes_nearly_all_of_it() {
    for ((rate, delay, loss, queue, seconds), least) in LINES.into_iter().zip([0.96, 0.95, 0.94, 0.93, 0.90, 0.88]) {
        let world = alone(LinkSpec::new(rate, delay, loss, queue), target(rate), seconds, 12);
        let share = world.share(0, 0, seconds * SEC);
        assert!(share >= least, "{rate} Mbit/s {delay} ms {loss} %: {share:.3}");
    }
}

#[test]
fn half_a_gigabit_at_200_ms_is_found_within_3_seconds_without_flooding() {
    for seed in 0..3 {
        let world = alone(LinkSpec::new(500.0, 100.0, 0.0, 100.0), fair(), 6, seed);
        assert!(world.share(0, 5 * SEC / 2, 7 * SEC / 2) > 0.85, "{:.2}", world.share(0, 2 * SEC, 3 * SEC));
        let flow = &world.flows[0];
        let dropped = flow.tail_drops as f64 / flow.sent_packets as f64;
        assert!(dropped < 0.01, "{dropped:.4} dropped");
    }
}

#[test]
fn a_deep_queue_stays_nearly_empty() {
    let world = alone(LinkSpec::new(200.0, 50.0, 0.0, 500.0), fair(), 20, 1);
    let (median, late) = world.queue_ms(0, 20 * SEC);
    assert!(median < 30.0 && late < 60.0, "{median:.1} / {late:.1} ms");
    assert!(world.share(0, 0, 20 * SEC) > 0.95);
}

#[test]
fn a_queue_of_5_ms_is_enough_and_not_overrun_for_long() {
    for loss in [0.0, 1.0] {
        for seed in 0..3 {
            let world = alone(LinkSpec::new(200.0, 50.0, loss, 5.0), fair(), 40, seed);
            let (share, flow) = (world.share(0, 0, 40 * SEC), &world.flows[0]);
            let dropped = flow.tail_drops as f64 / flow.sent_packets as f64;
            assert!(share > 0.85 && dropped < 0.1, "loss {loss} seed {seed}: {share:.3}, {dropped:.3} dropped");
        }
    }
}

#[test]
fn random_loss_up_to_30_percent_does_not_slow_it_down() {
    for (rate, delay) in [(20.0, 20.0), (100.0, 50.0), (200.0, 100.0)] {
        for loss in [0.5, 2.0, 8.0, 15.0, 30.0] {
            let world = alone(LinkSpec::new(rate, delay, loss, 100.0), fair(), 14, loss as u64 + 3);
            let share = world.share(0, 7 * SEC, 14 * SEC);
            assert!(share > 0.93, "{loss} % at {rate} Mbit/s {delay} ms: {share:.3}");
        }
    }
}

#[test]
fn bursts_of_loss_do_not_slow_it_down() {
    for (burst, loss, least) in [(5.0, 1.0, 0.95), (5.0, 5.0, 0.9), (30.0, 1.0, 0.9), (30.0, 5.0, 0.85)] {
        let mut sum = 0.0;
        for seed in 0..4 {
            let mut spec = LinkSpec::new(100.0, 50.0, loss, 100.0);
            spec.burst = burst;
            sum += alone(spec, fair(), 20, seed).share(0, 5 * SEC, 20 * SEC);
        }
        assert!(sum / 4.0 > least, "bursts of {burst} at {loss} %: {:.3}", sum / 4.0);
    }
}

#[test]
fn a_restless_path_is_not_taken_for_a_full_one() {
    for (jitter, rate, delay, least) in [(5, 200.0, 25.0, 0.95), (10, 500.0, 75.0, 0.95), (20, 200.0, 25.0, 0.92)] {
        let mut spec = LinkSpec::new(rate, delay, 0.5, 100.0);
        spec.jitter = jitter * MS;
        let world = alone(spec, fair(), 15, jitter);
        let share = world.share(0, 5 * SEC, 15 * SEC);
        assert!(share > least, "{jitter} ms at {rate} Mbit/s: {share:.3}");
    }
}

#[test]
fn late_packets_do_not_slow_it_down() {
    for (part, by) in [(0.02, 1), (0.1, 5)] {
        let mut spec = LinkSpec::new(100.0, 30.0, 0.1, 100.0);
        spec.reorder = part;
        spec.reorder_by = by * MS;
        let share = alone(spec, fair(), 12, by).share(0, 4 * SEC, 12 * SEC);
        assert!(share > 0.95, "{part} late by {by} ms: {share:.3}");
    }
}

#[test]
fn on_a_thousand_random_lines_it_neither_collapses_nor_floods() {
    let mut worst: Vec<(f64, String)> = Vec::new();
    // Another thousand: RATE_SEED=1000 and so on. The bounds hold for seeds the law was not adjusted on, too.
    let first = std::env::var("RATE_SEED").ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    for seed in first..first + 1000 {
        let mut rng = Rng::new(seed);
        let rate = rng.log_between(3.0, 40.0);
        let delay = rng.log_between(3.0, 120.0);
        let loss = if rng.chance(0.3) { 0.0 } else { rng.log_between(0.01, 10.0) };
        let queue = rng.log_between(25.0, 300.0);
        let world = alone(LinkSpec::new(rate, delay, loss, queue), fair(), 8, seed);
        let name = format!("seed {seed}: {rate:.1} Mbit/s {delay:.0} ms {loss:.2} % queue {queue:.0} ms");
        let (median, _) = world.queue_ms(4 * SEC, 8 * SEC);
        assert!(median < 90.0, "{name}: {median:.0} ms");
        worst.push((world.share(0, 4 * SEC, 8 * SEC), name));
    }
    worst.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(worst[0].0 > 0.3, "{:?}", &worst[..5]);
    assert!(worst[10].0 > 0.8, "{:?}", &worst[..15]);
}

#[test]
fn the_first_losses_of_a_long_lossy_line_are_not_taken_for_a_limit() {
    for (rate, delay, loss) in [(100.0, 500.0, 5.0), (100.0, 150.0, 10.0), (200.0, 100.0, 5.0), (50.0, 300.0, 2.0)] {
        for seed in 0..15 {
            let spec = LinkSpec::new(rate, delay, loss, 200.0);
            let (from, to) = (4 * SEC + delay as u64 * 16 * MS, 8 * SEC + delay as u64 * 24 * MS);
            let share = alone(spec, fair(), to / SEC, 100 + seed).share(0, from, to);
            assert!(share > 0.8, "{rate} Mbit/s {delay} ms {loss} % seed {seed}: {share:.3}");
        }
    }
}

#[test]
fn a_target_that_promises_too_much_is_found_out_at_once() {
    for (rate, delay, loss) in [(50.0, 15.0, 0.0), (100.0, 50.0, 1.0), (20.0, 100.0, 5.0)] {
        for (queue, times) in [(5.0, 1.5), (20.0, 1.5), (20.0, 20.0), (100.0, 4.0), (400.0, 20.0)] {
            let world = alone(LinkSpec::new(rate, delay, loss, queue), target(times * rate), 14, 5);
            let name = format!("{times} times {rate} Mbit/s {delay} ms {loss} % queue {queue} ms");
            let (share, (median, _)) = (world.share(0, 2 * SEC, 14 * SEC), world.queue_ms(2 * SEC, 14 * SEC));
            assert!(share > 0.85 && median < 45.0, "{name}: {share:.3}, {median:.0} ms");
            let dropped = world.flows[0].tail_drops as f64 / world.flows[0].sent_packets as f64;
            assert!(dropped < 0.2 || rate < 25.0, "{name}: {dropped:.3} dropped");
        }
    }
}

#[test]
fn a_line_that_slows_down_and_recovers_is_followed_within_3_seconds() {
    for (delay, loss) in [(25.0, 0.0), (50.0, 1.0), (100.0, 0.5)] {
        let mut world = World::new(LinkSpec::new(200.0, delay, loss, 100.0), 3);
        world.add(FlowSpec::ours(), Ours::boxed(fair()));
        world.line_at(10 * SEC, |line| line.rate = 50e6);
        world.line_at(20 * SEC, |line| line.rate = 200e6);
        world.run(28 * SEC);
        let carried = 1452.0 / 1480.0 * (1.0 - loss / 100.0);
        let slow = world.rate(0, 13 * SEC, 20 * SEC) / (50e6 * carried);
        let fast = world.rate(0, 23 * SEC, 28 * SEC) / (200e6 * carried);
        assert!(slow > 0.85 && fast > 0.85, "{delay} ms {loss} %: {slow:.3} {fast:.3}");
    }
}

#[test]
fn after_a_black_out_it_goes_on_at_the_old_rate() {
    for (black, loss) in [(5, 0.0), (5, 1.0), (20, 0.0), (20, 1.0)] {
        let mut world = World::new(LinkSpec::new(200.0, 50.0, loss, 100.0), 3);
        world.add(FlowSpec::ours(), Ours::boxed(fair()));
        world.line_at(8 * SEC, |line| line.black = true);
        world.line_at((8 + black) * SEC, |line| line.black = false);
        // The transport probes at doubling intervals: it may find out only after as long again.
        let back = 8 + 2 * black + 3;
        world.run((back + 6) * SEC);
        let share = world.share(0, back * SEC, (back + 6) * SEC);
        assert!(share > 0.9, "black for {black} s, {loss} %: {share:.3}");
    }
}

#[test]
fn a_longer_route_is_not_taken_for_a_full_queue_for_ever() {
    let mut world = World::new(LinkSpec::new(100.0, 25.0, 0.0, 150.0), 3);
    world.add(FlowSpec::ours(), Ours::boxed(fair()));
    world.line_at(10 * SEC, |line| line.delay = 60 * MS);
    world.run(60 * SEC);
    let share = world.share(0, 40 * SEC, 60 * SEC);
    let (median, _) = world.queue_ms(45 * SEC, 60 * SEC);
    assert!(share > 0.9 && median < 60.0, "{share:.3}, {median:.0} ms");
    // And a shorter one is noticed at once.
    world.line_at(60 * SEC, |line| line.delay = 10 * MS);
    world.run(75 * SEC);
    let share = world.share(0, 63 * SEC, 75 * SEC);
    assert!(share > 0.9, "{share:.3}");
}

#[test]
fn the_cap_is_never_exceeded_and_the_target_is_met() {
    for (mbit, delay, loss) in [(5.0, 20.0, 0.0), (40.0, 50.0, 1.0), (80.0, 100.0, 5.0)] {
        let settings = Settings { cap: mbit * 1e6 / 8.0, ..target(500.0) };
        let world = alone(LinkSpec::new(100.0, delay, loss, 100.0), settings, 16, 5);
        let sent = world.flows[0].sent_packets as f64 * 1452.0 * 8.0 / 16.0 / 1e6;
        let arrived = world.rate(0, 6 * SEC, 16 * SEC) / 1e6 / (1.0 - loss / 100.0);
        assert!(sent < 1.02 * mbit, "{mbit} Mbit/s: sent {sent:.2}");
        assert!((0.95 * mbit..1.03 * mbit).contains(&arrived), "{mbit} Mbit/s: {arrived:.2}");
    }
}

#[test]
fn a_new_target_holds_within_two_round_trips() {
    let ours = Ours::new(target(80.0));
    let handle = ours.clone();
    let mut world = World::new(LinkSpec::new(100.0, 50.0, 0.0, 100.0), 5);
    world.add(FlowSpec::ours(), Box::new(ours));
    world.change_at(6 * SEC, move |_| handle.0.borrow_mut().set(target(10.0)));
    world.run(12 * SEC);
    let soon = world.rate(0, 6 * SEC + 250 * MS, 8 * SEC) / 1e6;
    let later = world.rate(0, 8 * SEC, 12 * SEC) / 1e6;
    assert!(soon < 11.0 && (9.3..10.4).contains(&later), "{soon:.1} {later:.1}");
}

#[test]
fn fixed_sends_its_target_whatever_happens() {
    let settings = Settings { policy: Policy::Fixed, ..target(60.0) };
    let world = alone(LinkSpec::new(50.0, 30.0, 5.0, 50.0), settings, 10, 5);
    let sent = world.flows[0].sent_packets as f64 * 1452.0 * 8.0 / 10.0 / 1e6;
    assert!((56.0..62.0).contains(&sent), "{sent:.1}");
}

#[test]
fn low_takes_the_whole_line_when_alone() {
    for (rate, delay, loss) in [(100.0, 20.0, 0.0), (200.0, 50.0, 1.0)] {
        let world = alone(LinkSpec::new(rate, delay, loss, 100.0), with_policy(Policy::Low), 20, 5);
        let share = world.share(0, 5 * SEC, 20 * SEC);
        assert!(share > 0.9, "{rate} Mbit/s: {share:.3}");
    }
}

#[test]
fn an_application_that_writes_slowly_does_not_inflate_the_window() {
    let spec = FlowSpec { app_rate: 10e6 / 8.0, ..FlowSpec::ours() };
    let mut world = World::new(LinkSpec::new(100.0, 50.0, 0.0, 100.0), 5);
    let ours = Ours::new(fair());
    let handle = ours.clone();
    world.add(spec, Box::new(ours));
    world.run(20 * SEC);
    let rate = handle.0.borrow().rate() * 8.0 / 1e6;
    assert!(rate < 40.0, "{rate:.1} Mbit/s allowed");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let world = alone(LinkSpec::new(50.0, 30.0, 2.0, 50.0), fair(), 5, 9);
        (world.flows[0].sent_packets, world.flows[0].tail_drops, world.queue)
    };
    assert!(run() == run());
}

#[test]
fn the_window_never_closes() {
    let mut law = RateLaw::new(Settings { cap: 0.0, ..Settings::default() }, 1452);
    assert!(law.window() >= 3 * 1452);
    for i in 0..200_u32 {
        let now = Duration::from_millis(u64::from(i) * 20);
        law.on_sent(1452);
        law.on_acked(now + Duration::from_millis(900), now, 1452);
        law.on_ack_batch_end(now + Duration::from_millis(900), 0);
        law.on_lost(now + Duration::from_millis(900), 50, true);
        law.on_mark(now + Duration::from_millis(900));
        assert!(law.window() >= 3 * 1452);
    }
}
