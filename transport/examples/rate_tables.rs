//! Prints the tables of docs/rate-control.md: `cargo run --release -p godwit-transport --example rate_tables -- NAME`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/ratesim/mod.rs"]
mod ratesim;

use godwit_transport::rate::{Policy, SharedRate};
use ratesim::SEC;
use ratesim::flow::FlowSpec;
use ratesim::link::LinkSpec;
use ratesim::ours::Ours;
use ratesim::quic::QuicWorld;
use ratesim::scenario::*;
use ratesim::world::World;

const LINKS: [(f64, f64, f64, f64, u64); 12] = [
    (200.0, 25.0, 0.1, 50.0, 20),
    (200.0, 50.0, 1.0, 100.0, 40),
    (200.0, 100.0, 5.0, 100.0, 40),
    (500.0, 75.0, 0.5, 100.0, 32),
    (100.0, 150.0, 10.0, 100.0, 40),
    (100.0, 500.0, 5.0, 200.0, 80),
    (200.0, 50.0, 0.0, 500.0, 30),
    (200.0, 50.0, 0.0, 5.0, 30),
    (200.0, 50.0, 1.0, 5.0, 30),
    (500.0, 100.0, 0.0, 100.0, 20),
    (1000.0, 100.0, 1.0, 50.0, 20),
    (10.0, 20.0, 1.0, 100.0, 30),
];

/// `cargo run --release -p godwit-transport --example rate_tables -- NAME`: prints one table, or all.
fn main() {
    let tables: [(&str, fn()); 9] = [
        ("starts", starts_table),
        ("bold", bold_table),
        ("alone", alone_table),
        ("sharing", sharing_table),
        ("ours", ours_table),
        ("steps", steps_table),
        ("quic", quic_table),
        ("odd", odd_table),
        ("leaving", leaving_table),
    ];
    let wanted = std::env::args().nth(1);
    for (name, print) in tables {
        if wanted.as_deref().is_none_or(|w| w == name) {
            println!("\n## {name}");
            print();
        }
    }
}

fn alone_table() {
    println!("| link | target | share | last half | queue median/95 % | tail drops | at 3 s |");
    for (rate, delay, loss, queue, seconds) in LINKS {
        for with in [false, true] {
            let spec = LinkSpec::new(rate, delay, loss, queue);
            let settings = if with { target(rate) } else { fair() };
            let world = alone(spec, settings, seconds, 7);
            let (m, p) = world.queue_ms(0, seconds * SEC);
            println!(
                "| {rate} Mbit/s {delay} ms {loss} % {queue} ms | {} | {:.1} % | {:.1} % | {m:.1} / {p:.1} ms | {:.2} % | {:.0} |",
                if with { "link" } else { "none" },
                100.0 * world.share(0, 0, seconds * SEC),
                100.0 * world.share(0, seconds * SEC / 2, seconds * SEC),
                100.0 * world.flows[0].tail_drops as f64 / world.flows[0].sent_packets as f64,
                world.rate(0, 5 * SEC / 2, 7 * SEC / 2) / 1e6,
            );
        }
    }
}

fn sharing_table() {
    println!("| situation | ours, Mbit/s | runs in which one has under 25 | ours:other (queue median/95 %) |");
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    for one_way in [10.0, 20.0] {
        for queue in [20.0, 50.0, 100.0, 200.0] {
            for (name, policy, tcp) in [
                ("fair/cubic", Policy::Fair, true),
                ("fair/bbr", Policy::Fair, false),
                ("high/cubic", Policy::High, true),
                ("low/cubic", Policy::Low, true),
                ("low/bbr", Policy::Low, false),
            ] {
                for (ours_at, other_at) in [(0, 5), (5, 0), (0, 0)] {
                    let mut line = String::new();
                    let mut min: f64 = 1e9;
                    let mut max: f64 = 0.0;
                    let mut below = 0;
                    let first: u64 = std::env::var("RATE_SEED").ok().and_then(|v| v.parse().ok()).unwrap_or(0);
                    for seed in first..first + seeds {
                        let mut world = World::new(LinkSpec::new(100.0, one_way, 0.0, queue), 3 + seed);
                        // Without losses chance plays no part: runs differ by when our session starts, against the
                        // other one and against the clock by which it dips.
                        let shift = seed * 613 % 5000 * 1_000_000;
                        world.add(FlowSpec::ours().starting(ours_at * SEC + shift), Ours::boxed(with_policy(policy)));
                        world.add(FlowSpec::tcp().starting(other_at * SEC), if tcp { cubic() } else { bbr() });
                        // From 20 s after both run.
                        world.run(70 * SEC);
                        let (a, b) = (world.rate(0, 30 * SEC, 70 * SEC) / 1e6, world.rate(1, 30 * SEC, 70 * SEC) / 1e6);
                        let (m, p) = world.queue_ms(30 * SEC, 70 * SEC);
                        below += u64::from(a < 25.0 || b < 25.0);
                        min = min.min(a);
                        max = max.max(a);
                        line += &format!("{a:.0}:{b:.0} ({m:.0}/{p:.0}) ");
                    }
                    println!(
                        "| {name} {one_way} ms queue {queue} ms, ours at {ours_at}, other at {other_at} | {min:.0}..{max:.0} | {below} of {seeds} | {line} |"
                    );
                }
            }
        }
    }
}

fn ours_table() {
    for (rate, one_way, queue) in
        [(100.0, 20.0, 100.0), (100.0, 50.0, 100.0), (500.0, 50.0, 100.0), (50.0, 10.0, 50.0), (100.0, 20.0, 10.0)]
    {
        for (name, a, b) in [
            ("fair+fair", Policy::Fair, Policy::Fair),
            ("high+fair", Policy::High, Policy::Fair),
            ("low+fair", Policy::Low, Policy::Fair),
        ] {
            let mut world = World::new(LinkSpec::new(rate, one_way, 0.0, queue), 3);
            world.add(FlowSpec::ours(), Ours::boxed(with_policy(a)));
            world.add(FlowSpec::ours().starting(5 * SEC), Ours::boxed(with_policy(b)));
            world.run(65 * SEC);
            let (a, b) = (world.rate(0, 25 * SEC, 65 * SEC) / 1e6, world.rate(1, 25 * SEC, 65 * SEC) / 1e6);
            let (m, p) = world.queue_ms(25 * SEC, 65 * SEC);
            println!(
                "| {rate} {one_way} {queue} {name} | {a:.1} | {b:.1} | {:.2} | Jain {:.3} | {m:.0}/{p:.0} |",
                a / b,
                (a + b).powi(2) / (2.0 * (a * a + b * b))
            );
        }
    }
}

fn steps_table() {
    for (one_way, loss) in [(25.0, 0.0), (50.0, 1.0), (100.0, 1.0)] {
        let mut world = World::new(LinkSpec::new(200.0, one_way, loss, 100.0), 3);
        world.add(FlowSpec::ours(), Ours::boxed(fair()));
        world.line_at(15 * SEC, |l| l.rate = 50e6);
        world.line_at(30 * SEC, |l| l.rate = 200e6);
        world.line_at(45 * SEC, |l| l.black = true);
        world.line_at(50 * SEC, |l| l.black = false);
        world.line_at(60 * SEC, |l| l.black = true);
        world.line_at(80 * SEC, |l| l.black = false);
        world.run(95 * SEC);
        for (from, to) in
            [(10, 15), (16, 18), (18, 23), (31, 33), (33, 38), (51, 53), (53, 58), (81, 83), (83, 88), (88, 95)]
        {
            print!("{from}-{to}: {:.0}  ", world.rate(0, from * SEC, to * SEC) / 1e6);
        }
        println!();
    }
}

fn quic_table() {
    println!("| link | target | share | last half | queue median/95 % | tail drops | at 3 s | error |");
    for (rate, delay, loss, queue, seconds) in LINKS {
        for with in [false, true] {
            let seconds = seconds.min(if rate >= 500.0 { 16 } else { 40 });
            let mut world = QuicWorld::new(LinkSpec::new(rate, delay, loss, queue), 7);
            let shared = SharedRate::new(Policy::Fair, with.then_some((rate * 1e6) as u64), 0, 10_000_000_000);
            world.add(shared, 0);
            world.run(seconds * SEC);
            let (m, p) = world.queue_ms(0, seconds * SEC);
            println!(
                "| {rate} Mbit/s {delay} ms {loss} % {queue} ms | {} | {:.1} % | {:.1} % | {m:.1} / {p:.1} ms | {:.2} % | {:.0} | {:?} |",
                if with { "link" } else { "none" },
                100.0 * world.share(0, 0, seconds * SEC),
                100.0 * world.share(0, seconds * SEC / 2, seconds * SEC),
                100.0 * world.sessions[0].tail_drops as f64 / world.sessions[0].sent_packets as f64,
                world.goodput(0, 5 * SEC / 2, 7 * SEC / 2) / 1e6,
                world.sessions[0].closed,
            );
        }
    }
}

fn odd_table() {
    let base = |r, d, l, q| LinkSpec::new(r, d, l, q);
    let mut all: Vec<(String, LinkSpec)> = Vec::new();
    for jitter in [2.0, 5.0, 10.0, 20.0, 40.0] {
        for (r, d) in [(50.0, 15.0), (200.0, 25.0), (500.0, 75.0)] {
            let mut spec = base(r, d, 0.5, 100.0);
            spec.jitter = (jitter * 1e6) as u64;
            all.push((format!("jitter {jitter} ms, {r} Mbit/s {d} ms"), spec));
        }
    }
    for burst in [5.0, 30.0, 200.0] {
        for (l, r) in [(1.0, 200.0), (5.0, 200.0), (10.0, 100.0), (5.0, 20.0)] {
            let mut spec = base(r, 50.0, l, 100.0);
            spec.burst = burst;
            all.push((format!("bursts of {burst} at {l} %, {r} Mbit/s"), spec));
        }
    }
    for loss in [15.0, 20.0, 30.0] {
        for (r, d) in [(100.0, 50.0), (500.0, 100.0), (5.0, 30.0)] {
            all.push((format!("loss {loss} %, {r} Mbit/s {d} ms"), base(r, d, loss, 100.0)));
        }
    }
    for (share, by) in [(0.02, 1.0), (0.1, 5.0)] {
        let mut spec = base(100.0, 30.0, 0.1, 100.0);
        spec.reorder = share;
        spec.reorder_by = (by * 1e6) as u64;
        all.push((format!("{} % late by {by} ms", share * 100.0), spec));
    }
    for (r, d, q) in [
        (1.0, 50.0, 300.0),
        (2.0, 300.0, 500.0),
        (5.0, 10.0, 20.0),
        (1000.0, 1.0, 10.0),
        (2000.0, 0.1, 2.0),
        (100.0, 5.0, 2.0),
        (300.0, 50.0, 1.0),
        (100.0, 250.0, 2.0),
    ] {
        all.push((format!("{r} Mbit/s {d} ms queue {q} ms"), base(r, d, 0.0, q)));
    }
    for (name, spec) in all {
        let mut shares = Vec::new();
        let mut line = String::new();
        for seed in 0..4 {
            let world = alone(spec.clone(), fair(), 20, seed);
            shares.push(100.0 * world.share(0, 5 * SEC, 20 * SEC));
            let (m, p) = world.queue_ms(5 * SEC, 20 * SEC);
            line = format!(
                "{m:.1} / {p:.1} ms | {:.2} % | {:?}",
                100.0 * world.flows[0].tail_drops as f64 / world.flows[0].sent_packets as f64,
                world.flows[0].cc.debug()
            );
        }
        println!("| {name} | {:.1} {:.1} {:.1} {:.1} | {line}", shares[0], shares[1], shares[2], shares[3]);
    }
}

fn leaving_table() {
    for (name, o) in [("cubic", 1), ("bbr", 2)] {
        for queue in [50.0, 100.0, 300.0] {
            let mut world = World::new(LinkSpec::new(100.0, 20.0, 0.0, queue), 3);
            world.add(FlowSpec::ours(), Ours::boxed(fair()));
            world.add(FlowSpec::tcp().starting(5 * SEC).stopping(25 * SEC), if o == 1 { cubic() } else { bbr() });
            world.run(80 * SEC);
            print!("{name} left at 25 s, queue {queue}: ");
            for at in [20, 27, 30, 35, 40, 45, 50, 60, 70] {
                let (m, _) = world.queue_ms(at * SEC, (at + 3) * SEC);
                print!("{at}: {:.0} ({m:.0} ms) ", world.rate(0, at * SEC, (at + 3) * SEC) / 1e6);
            }
            println!();
        }
    }
    for n in [3, 5, 10] {
        for (rate, one_way) in [(100.0, 20.0), (30.0, 10.0), (500.0, 50.0)] {
            let mut world = World::new(LinkSpec::new(rate, one_way, 0.1, 200.0), 3);
            for i in 0..n {
                world.add(FlowSpec::ours().starting(i * 1700 * 1_000_000), Ours::boxed(fair()));
            }
            world.run(100 * SEC);
            let rates: Vec<f64> = (0..n).map(|f| world.rate(f as usize, 40 * SEC, 100 * SEC) / 1e6).collect();
            let sum: f64 = rates.iter().sum();
            let squares: f64 = rates.iter().map(|r| r * r).sum();
            let (m, p) = world.queue_ms(40 * SEC, 100 * SEC);
            println!(
                "{n} sessions on {rate} Mbit/s {one_way} ms: sum {sum:.0} Jain {:.3} queue {m:.0}/{p:.0} {:?}",
                sum * sum / (n as f64 * squares),
                rates.iter().map(|r| r.round()).collect::<Vec<_>>()
            );
        }
    }
}

/// Starts of a whole transfer, many seeds: the worst tell of misjudged losses.
fn starts_table() {
    println!("| link | target | share: least, mean of seeds |");
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|v| v.parse().ok()).unwrap_or(20);
    for (rate, delay, loss, queue, seconds) in LINKS {
        for with in [false, true] {
            let settings = if with { target(rate) } else { fair() };
            let (mut least, mut sum, mut worst) = (f64::MAX, 0.0, 0);
            for seed in 0..seeds {
                let world = alone(LinkSpec::new(rate, delay, loss, queue), settings, seconds / 2, seed);
                let share = 100.0 * world.share(0, 0, seconds / 2 * SEC);
                sum += share;
                if share < least {
                    (least, worst) = (share, seed);
                }
            }
            println!(
                "| {rate} Mbit/s {delay} ms {loss} % {queue} ms | {} | {least:.1} (seed {worst}) {:.1} |",
                if with { "link" } else { "none" },
                sum / seeds as f64
            );
        }
    }
}

/// Targets that promise too much.
fn bold_table() {
    println!("| link | target | share in the first 5 s, in 5..20 s | tail drops in 5 s, in 20 s | queue median |");
    for (rate, delay, loss) in [(50.0, 15.0, 0.0), (100.0, 50.0, 1.0), (20.0, 100.0, 5.0)] {
        for queue in [5.0, 20.0, 100.0, 400.0] {
            for times in [1.5, 4.0, 20.0] {
                let spec = LinkSpec::new(rate, delay, loss, queue);
                let world = alone(spec.clone(), target(times * rate), 20, 5);
                let early = alone(spec, target(times * rate), 5, 5);
                println!(
                    "| {rate} Mbit/s {delay} ms {loss} % {queue} ms | {times} | {:.1} % {:.1} % | {:.2} % {:.2} % | {:.0} |",
                    100.0 * world.share(0, 0, 5 * SEC),
                    100.0 * world.share(0, 5 * SEC, 20 * SEC),
                    100.0 * early.flows[0].tail_drops as f64 / early.flows[0].sent_packets as f64,
                    100.0 * world.flows[0].tail_drops as f64 / world.flows[0].sent_packets as f64,
                    world.queue_ms(0, 20 * SEC).0,
                );
            }
        }
    }
}
