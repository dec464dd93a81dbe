//! The short form of `cargo xtask soak server-kills`: what the server has answered for survives its death, whole and under
//! its id.

#![allow(clippy::unwrap_used)]

use godwit_tests::soak::any_seed;
use godwit_tests::soak::server_kills::{Plan, kills};

#[test]
fn t15_what_was_accepted_over_both_ports_survives_the_servers_death() {
    println!("{}", kills(Plan { kills: 3, callers: 2, uploads: 2, seed: any_seed() }));
}
