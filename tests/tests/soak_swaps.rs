//! The short form of `cargo xtask soak swaps`.

use godwit_tests::soak::swaps::swaps;
use std::time::Duration;

#[test]
fn t10_folders_and_files_that_become_links_during_the_operation_lead_nowhere_by_either_port() {
    println!("{}", swaps(Duration::from_secs(4)));
}
