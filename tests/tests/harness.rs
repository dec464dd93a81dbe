//! The harness itself: a comparison that finds nothing and a counter that counts nothing would make every other test green.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{SOON, until_true};
use godwit_tests::{Relay, Scratch, processes, tree};
use std::fs;
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn differ(scratch: &Scratch, spoil: impl FnOnce(&std::path::Path)) -> bool {
    let (a, b) = (scratch.path("a"), scratch.path("b"));
    let _ = fs::remove_dir_all(&b);
    tree::sample(&b, 5);
    spoil(&b);
    catch_unwind(AssertUnwindSafe(|| tree::assert_same(&a, &b))).is_err()
}

#[test]
fn the_comparison_of_trees_finds_every_kind_of_difference() {
    let scratch = Scratch::new();
    tree::sample(&scratch.path("a"), 5);
    assert!(!differ(&scratch, |_| {}));
    assert!(differ(&scratch, |b| fs::remove_file(b.join("name")).unwrap()));
    assert!(differ(&scratch, |b| fs::write(b.join("surplus"), "").unwrap()));
    assert!(differ(&scratch, |b| fs::write(b.join("empty-file"), "x").unwrap()));
    assert!(differ(&scratch, |b| fs::remove_dir(b.join("empty-folder")).unwrap()));
    assert!(differ(&scratch, |b| {
        let path = b.join("edge/5242883.bin");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }));
    assert!(differ(&scratch, |b| {
        fs::remove_file(b.join("name")).unwrap();
        std::os::unix::fs::symlink("name.partial", b.join("name")).unwrap();
    }));
}

#[test]
fn the_relay_carries_and_counts_both_ways() {
    let server = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    server.set_read_timeout(Some(SOON)).unwrap();
    let relay = Relay::to(server.local_addr().unwrap());
    let mut buffer = [0; 2000];
    for n in 1..=3_u64 {
        let client = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        client.set_read_timeout(Some(SOON)).unwrap();
        client.send_to(&[7; 1000], ("127.0.0.1", relay.port())).unwrap();
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((length, relay.up()), (1000, 1000 * n));
        server.send_to(&[8; 300], from).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 300);
        assert_eq!(relay.down(), 300 * n);
    }
}

#[test]
fn processes_of_a_home_are_found_and_end_with_it() {
    let scratch = Scratch::new();
    let other = Scratch::new();
    let mut child = std::process::Command::new("sleep").arg("600").env("GODWIT_HOME", scratch.home()).spawn().unwrap();
    until_true("the process is seen", SOON, || processes::of_home(&scratch.home()) == [child.id()]);
    assert!(processes::of_home(&other.home()).is_empty());
    drop(other);
    assert!(processes::is_alive(child.id()));
    drop(scratch);
    assert!(!child.wait().unwrap().success(), "killed");
}
