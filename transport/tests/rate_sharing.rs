//! Promises of the rate controller about sharing a line, on a simulated network in virtual time.
#![allow(clippy::unwrap_used)]

mod ratesim;

use godwit_transport::rate::{Policy, Settings};
use ratesim::flow::{Cc, FlowSpec};
use ratesim::link::LinkSpec;
use ratesim::ours::Ours;
use ratesim::scenario::{bbr, cubic, fair, with_policy};
use ratesim::world::World;
use ratesim::{MS, SEC};

/// Mbit/s of a session of ours and of a competitor between 20 and 60 s after the later start.
fn against(policy: Policy, other: fn() -> Box<dyn Cc>, spec: &LinkSpec, starts: (u64, u64), seed: u64) -> (f64, f64) {
    let mut world = World::new(spec.clone(), seed);
    world.add(FlowSpec::ours().starting(starts.0 * SEC + seed * 370 * MS), Ours::boxed(with_policy(policy)));
    world.add(FlowSpec::tcp().starting(starts.1 * SEC), other());
    let from = starts.0.max(starts.1) + 20;
    world.run((from + 40) * SEC);
    (world.rate(0, from * SEC, (from + 40) * SEC) / 1e6, world.rate(1, from * SEC, (from + 40) * SEC) / 1e6)
}

/// Mbit/s of sessions of ours that start one after the other, and the median queue, in the last minute of 100 s.
fn together(policies: &[Policy], spec: LinkSpec, apart: u64) -> (Vec<f64>, f64) {
    let mut world = World::new(spec, 3);
    for (i, policy) in policies.iter().enumerate() {
        world.add(FlowSpec::ours().starting(i as u64 * apart * MS), Ours::boxed(with_policy(*policy)));
    }
    world.run(90 * SEC);
    let rates = (0..policies.len()).map(|f| world.rate(f, 30 * SEC, 90 * SEC) / 1e6).collect();
    (rates, world.queue_ms(30 * SEC, 90 * SEC).0)
}

fn jain(rates: &[f64]) -> f64 {
    let sum: f64 = rates.iter().sum();
    sum * sum / (rates.len() as f64 * rates.iter().map(|r| r * r).sum::<f64>())
}

const STARTS: [(u64, u64); 3] = [(0, 5), (5, 0), (0, 0)];

#[test]
fn fair_and_cubic_share_evenly_enough() {
    for (one_way, queue) in [(10.0, 50.0), (10.0, 100.0), (20.0, 50.0), (20.0, 100.0)] {
        for starts in STARTS {
            let (mut ours, mut other) = (0.0, 0.0);
            for seed in 0..2 {
                let (a, b) = against(Policy::Fair, cubic, &LinkSpec::new(100.0, one_way, 0.0, queue), starts, seed);
                ours += a / 2.0;
                other += b / 2.0;
            }
            let name = format!("{one_way} ms queue {queue} ms starts {starts:?}: {ours:.0} : {other:.0}");
            assert!(ours > 25.0 && other > 25.0, "{name}");
        }
    }
}

#[test]
fn fair_and_bbr_share_evenly_enough() {
    for (one_way, queue) in [(10.0, 50.0), (10.0, 100.0), (20.0, 50.0), (20.0, 100.0)] {
        for starts in STARTS {
            let (ours, other) = against(Policy::Fair, bbr, &LinkSpec::new(100.0, one_way, 0.0, queue), starts, 1);
            let name = format!("{one_way} ms queue {queue} ms starts {starts:?}: {ours:.0} : {other:.0}");
            assert!(ours > 25.0 && other > 25.0, "{name}");
        }
    }
}

#[test]
fn low_gets_out_of_the_way_of_tcp() {
    for (one_way, queue) in [(10.0, 100.0), (20.0, 50.0), (20.0, 100.0)] {
        for other in [cubic as fn() -> Box<dyn Cc>, bbr] {
            for starts in STARTS {
                let (ours, _) = against(Policy::Low, other, &LinkSpec::new(100.0, one_way, 0.0, queue), starts, 1);
                assert!(ours < 15.0, "{one_way} ms queue {queue} ms starts {starts:?}: {ours:.0}");
            }
        }
    }
}

#[test]
fn fair_sessions_get_equal_shares_and_keep_the_queue_short() {
    for (rate, one_way, n) in [(100.0, 20.0, 2), (100.0, 50.0, 2), (50.0, 10.0, 2), (500.0, 50.0, 2), (100.0, 20.0, 5)]
    {
        let (rates, median) = together(&vec![Policy::Fair; n], LinkSpec::new(rate, one_way, 0.1, 200.0), 1700);
        assert!(jain(&rates) > 0.95, "{n} on {rate} Mbit/s {one_way} ms: {rates:.0?}");
        assert!(median < 40.0, "{n} on {rate} Mbit/s {one_way} ms: {median:.0} ms");
        assert!(rates.iter().sum::<f64>() > 0.93 * rate, "{rates:.0?}");
    }
}

#[test]
fn high_gets_twice_the_share_of_fair() {
    for (rate, one_way) in [(100.0, 20.0), (100.0, 50.0), (500.0, 50.0)] {
        for policies in [[Policy::High, Policy::Fair], [Policy::Fair, Policy::High]] {
            let (mut rates, _) = together(&policies, LinkSpec::new(rate, one_way, 0.0, 100.0), 5000);
            if policies[0] == Policy::Fair {
                rates.reverse();
            }
            let ratio = rates[0] / rates[1];
            assert!((1.5..2.5).contains(&ratio), "{rate} Mbit/s {one_way} ms {policies:?}: {ratio:.2}");
        }
    }
}

#[test]
fn low_leaves_the_line_to_fair() {
    let (rates, _) = together(&[Policy::Low, Policy::Fair], LinkSpec::new(100.0, 20.0, 0.0, 100.0), 5000);
    assert!(rates[0] < 15.0 && rates[1] > 80.0, "{rates:.0?}");
}

#[test]
fn the_minimum_holds_against_tcp() {
    let mut world = World::new(LinkSpec::new(100.0, 20.0, 0.0, 100.0), 3);
    let settings = Settings { minimum: 30e6 / 8.0, ..with_policy(Policy::Low) };
    world.add(FlowSpec::ours(), Ours::boxed(settings));
    world.add(FlowSpec::tcp().starting(5 * SEC), cubic());
    world.run(40 * SEC);
    let rate = world.rate(0, 15 * SEC, 40 * SEC) / 1e6;
    assert!((27.0..40.0).contains(&rate), "{rate:.1}");
}

#[test]
fn when_a_competitor_leaves_the_line_is_taken_and_the_queue_goes() {
    for other in [cubic as fn() -> Box<dyn Cc>, bbr] {
        for queue in [50.0, 100.0, 300.0] {
            let mut world = World::new(LinkSpec::new(100.0, 20.0, 0.0, queue), 3);
            world.add(FlowSpec::ours(), Ours::boxed(fair()));
            world.add(FlowSpec::tcp().starting(5 * SEC).stopping(25 * SEC), other());
            world.run(70 * SEC);
            let share = world.share(0, 28 * SEC, 40 * SEC);
            let (median, _) = world.queue_ms(55 * SEC, 70 * SEC);
            assert!(share > 0.9 && median < 40.0, "queue {queue} ms: {share:.2}, {median:.0} ms");
        }
    }
}
