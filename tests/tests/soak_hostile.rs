//! The short form of `cargo xtask soak hostile`: whatever a peer sends, its session ends with an error of the right
//! number, the process lives within its memory, and others are not harmed.

#![allow(clippy::unwrap_used)]

use godwit_tests::soak::any_seed;
use godwit_tests::soak::hostile::{Plan, server, worker};

#[test]
fn no_message_of_a_client_upsets_the_server_or_another_session() {
    println!("{}", server::messages(&Plan::short(any_seed())));
}

#[test]
fn no_flood_of_a_client_costs_the_server_more_memory_than_a_session_may() {
    println!("{}", server::floods(&Plan::short(any_seed())));
}

#[test]
fn no_message_of_a_server_upsets_a_worker() {
    println!("{}", worker::messages(&Plan::short(any_seed())));
}
