//! The short form of `cargo xtask soak agent-kills`: whatever the agent acknowledged is known to the next one, however the
//! first one died.

#![allow(clippy::unwrap_used)]

use godwit_tests::soak::agent_kills::{Death, Plan, run};
use godwit_tests::soak::any_seed;

#[test]
fn p06_nothing_acknowledged_is_lost_or_doubled_when_the_agent_is_killed() {
    let plan = Plan { death: Death::Kill, moments: 10, queued: 120, running: 5, complete: 8, seed: any_seed() };
    println!("{}", run(&plan));
}

#[test]
fn p06_nothing_acknowledged_is_lost_or_doubled_when_the_power_is_cut() {
    let plan = Plan { death: Death::PowerCut, moments: 8, queued: 120, running: 5, complete: 8, seed: any_seed() };
    println!("{}", run(&plan));
}
