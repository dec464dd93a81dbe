//! Promises of the rate controller kept by real quinn-proto connections: TLS, packets, acknowledgements, retransmissions and
//! pacing are the library's; only the clock and the sockets are simulated.
#![allow(clippy::unwrap_used)]

mod ratesim;

use godwit_transport::rate::{Policy, SharedRate};
use ratesim::link::LinkSpec;
use ratesim::quic::QuicWorld;
use ratesim::{MS, SEC};

const CAP: u64 = 10_000_000_000;

fn open() -> SharedRate {
    SharedRate::default()
}

fn target(mbit: u64) -> SharedRate {
    SharedRate::new(Policy::Fair, Some(mbit * 1_000_000), 0, CAP)
}

fn alone(spec: LinkSpec, shared: SharedRate, seconds: u64, seed: u64) -> QuicWorld {
    let mut world = QuicWorld::new(spec, seed);
    world.add(shared, 0);
    world.run(seconds * SEC);
    assert_eq!(world.sessions[0].closed, None);
    world
}

#[test]
fn without_a_target_the_line_is_used_and_the_queue_is_not() {
    for (rate, delay, loss, queue) in
        [(200.0, 25.0, 0.1, 50.0), (200.0, 50.0, 1.0, 100.0), (200.0, 100.0, 5.0, 100.0), (100.0, 150.0, 10.0, 100.0)]
    {
        let world = alone(LinkSpec::new(rate, delay, loss, queue), open(), 20, 1);
        let (share, (median, _)) = (world.share(0, 8 * SEC, 20 * SEC), world.queue_ms(0, 20 * SEC));
        assert!(share > 0.93, "{rate} Mbit/s {delay} ms {loss} %: {share:.3}");
        assert!(median < 40.0, "{rate} Mbit/s {delay} ms {loss} %: {median:.1} ms");
    }
}

#[test]
fn with_the_line_rate_as_target_nearly_all_of_it_is_goodput() {
    for (rate, delay, loss, queue, least) in
        [(200, 25.0, 0.1, 50.0, 0.97), (200, 100.0, 5.0, 100.0, 0.95), (500, 75.0, 0.5, 100.0, 0.95)]
    {
        let world = alone(LinkSpec::new(rate as f64, delay, loss, queue), target(rate), 12, 2);
        let share = world.share(0, 5 * SEC, 12 * SEC);
        assert!(share > least, "{rate} Mbit/s {delay} ms {loss} %: {share:.3}");
    }
}

#[test]
fn a_satellite_line_is_filled() {
    let world = alone(LinkSpec::new(100.0, 500.0, 5.0, 200.0), open(), 40, 3);
    let share = world.share(0, 16 * SEC, 40 * SEC);
    assert!(share > 0.9, "{share:.3}");
}

#[test]
fn a_short_queue_is_not_overrun() {
    let world = alone(LinkSpec::new(200.0, 50.0, 0.0, 5.0), open(), 30, 4);
    let session = &world.sessions[0];
    let (share, dropped) = (world.share(0, 5 * SEC, 30 * SEC), session.tail_drops as f64 / session.sent_packets as f64);
    assert!(share > 0.85 && dropped < 0.12, "{share:.3}, {dropped:.3} dropped");
}

#[test]
fn targets_and_caps_changed_live_hold_at_once() {
    let mut world = QuicWorld::new(LinkSpec::new(200.0, 40.0, 0.5, 100.0), 5);
    world.add(target(100), 0);
    world.change_at(6 * SEC, |world| world.sessions[0].shared.set_target(Some(20_000_000)));
    world.change_at(10 * SEC, |world| world.sessions[0].shared.set_target(None));
    world.change_at(16 * SEC, |world| world.sessions[0].shared.set_cap(50_000_000));
    world.run(20 * SEC);
    // Of every 1480 bytes on the line about 1416 are data.
    let data = 1416.0 / 1480.0 * 0.995;
    for (from, to, mbit) in
        [(3_000, 6_000, 100.0), (7_000, 10_000, 20.0), (13_000, 16_000, 200.0), (16_500, 20_000, 50.0)]
    {
        let rate = world.goodput(0, from * MS, to * MS) / 1e6 / data;
        assert!((0.94 * mbit..1.03 * mbit).contains(&rate), "{mbit}: {rate:.1}");
    }
    assert!(world.sessions[0].shared.observed().base_rtt.as_millis().abs_diff(80) < 4);
}

#[test]
fn two_sessions_share_equally() {
    let mut world = QuicWorld::new(LinkSpec::new(100.0, 20.0, 0.0, 100.0), 6);
    world.add(open(), 0);
    world.add(open(), 4 * SEC);
    world.run(40 * SEC);
    let (a, b) = (world.goodput(0, 20 * SEC, 40 * SEC) / 1e6, world.goodput(1, 20 * SEC, 40 * SEC) / 1e6);
    let jain = (a + b).powi(2) / (2.0 * (a * a + b * b));
    assert!(jain > 0.95 && a + b > 88.0, "{a:.1} {b:.1}");
}

#[test]
fn steps_and_black_outs_are_survived() {
    let mut world = QuicWorld::new(LinkSpec::new(200.0, 50.0, 1.0, 100.0), 7);
    world.add(open(), 0);
    world.line_at(8 * SEC, |line| line.rate = 50e6);
    world.line_at(16 * SEC, |line| line.rate = 200e6);
    world.line_at(24 * SEC, |line| line.black = true);
    world.line_at(29 * SEC, |line| line.black = false);
    world.run(44 * SEC);
    assert_eq!(world.sessions[0].closed, None);
    let full = 1416.0 / 1480.0 * 0.99;
    for (from, to, mbit) in [(11, 16, 50.0), (19, 24, 200.0), (32, 44, 200.0)] {
        let rate = world.goodput(0, from * SEC, to * SEC) / 1e6 / full;
        assert!(rate > 0.85 * mbit, "{from} to {to} s: {rate:.0} of {mbit}");
    }
}

#[test]
fn after_20_seconds_of_black_it_goes_on_within_3() {
    for (rate, delay, loss) in [(200.0, 25.0, 0.0), (100.0, 100.0, 1.0), (20.0, 10.0, 0.0)] {
        let mut world = QuicWorld::new(LinkSpec::new(rate, delay, loss, 100.0), 8);
        world.add(open(), 0);
        world.line_at(8 * SEC, |line| line.black = true);
        world.line_at(28 * SEC, |line| line.black = false);
        world.run(36 * SEC);
        assert_eq!(world.sessions[0].closed, None);
        let share = world.share(0, 31 * SEC, 36 * SEC);
        assert!(share > 0.85, "{rate} Mbit/s {delay} ms: {share:.2}");
    }
}
