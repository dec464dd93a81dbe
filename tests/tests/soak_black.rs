//! The short form of `cargo xtask soak black`: a session goes on by itself over a path that changes.

#![allow(clippy::unwrap_used)]

use godwit_protocol::spec::Direction;
use godwit_tests::soak::black::{Plan, black, chaos, narrow, rebinding};
use godwit_tests::soak::hosts;
use std::time::Duration;

#[test]
fn a_path_that_was_black_for_three_seconds_is_used_again_by_itself() {
    let figures = black(Plan::fixed(Direction::Send, 48, 100_000), Duration::from_secs(3));
    println!("{figures}");
    assert!(figures["seconds_until_it_goes_on"].as_f64().unwrap() < 6.0, "{figures}");
}

#[test]
fn loss_doubles_overtaking_and_turned_bits_harm_no_byte_of_a_file() {
    println!("{}", chaos(Plan::fixed(Direction::Receive, 32, 100_000)));
}

#[test]
fn a_client_whose_port_changes_in_mid_transfer_goes_on_in_the_same_session() {
    println!("{}", rebinding(Plan::fixed(Direction::Send, 48, 150_000)));
}

#[test]
fn a_spot_that_swallows_large_datagrams_is_found_and_passed() {
    println!("{}", narrow(Plan::fixed(Direction::Send, 48, 100_000)));
}

/// Between neighbours quinn's own probes, whose pauses double, would come too late, or after the session's end.
#[test]
fn a_cable_that_was_pulled_for_twenty_seconds_is_used_again_at_once() {
    println!("{}", hosts::pulled(Duration::from_secs(20)));
}
