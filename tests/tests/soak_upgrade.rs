//! The short form of `cargo xtask soak upgrade`.

use godwit_protocol::spec::Direction;
use godwit_tests::soak::MIB;
use godwit_tests::soak::upgrade::{Plan, alone};

#[test]
fn an_upgrade_by_the_installer_in_mid_transfer_does_not_disturb_it() {
    println!("{}", alone(&Plan { direction: Direction::Receive, size: 128 * MIB, kbps: 60_000 }));
}
