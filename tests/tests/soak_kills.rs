//! The short form of `cargo xtask soak kills`: a file that arrives whole through kills at random moments, and whose
//! verified units cross the wire once. (The agent's death is shown in `kills.rs`, and in the long form.)

#![allow(clippy::unwrap_used)]

use godwit_protocol::spec::Direction;
use godwit_tests::soak::kills::{Plan, Victim, alone};
use godwit_tests::soak::{MIB, any_seed};

fn plan(direction: Direction, victims: &[Victim]) -> Plan {
    let victims = victims.to_vec();
    Plan { direction, size: 256 * MIB, kills: 4, victims, kbps: 400_000, sessions: 1, seed: any_seed() }
}

#[test]
fn t15_an_upload_completes_whoever_is_killed_and_whenever() {
    println!("{}", alone(&plan(Direction::Send, &[Victim::Worker, Victim::Server])));
}

#[test]
fn t15_a_download_completes_whoever_is_killed_and_whenever() {
    println!("{}", alone(&plan(Direction::Receive, &[Victim::Server, Victim::Worker])));
}
