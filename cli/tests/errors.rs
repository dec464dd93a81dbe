//! Every number that a copy can end with for a reason outside Godwit: the exit code, and words to act on. Those of a
//! silent network are in `transport/tests/silence.rs` and `tests/tests/blocked.rs`.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, run};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn at(path: &str) -> String {
    format!("ann@127.0.0.1:{path}")
}

/// One line on standard error with this number's words.
fn check(command: Command, number: i32, words: &[&str]) {
    let (code, out, err) = run(command);
    assert_eq!((code, out.as_str()), (number, ""), "{err}");
    let last = err.lines().last().unwrap_or_default();
    assert!(last.starts_with("godwit: "), "{err}");
    for word in words {
        assert!(last.contains(word), "'{word}' in: {err}");
    }
}

fn fifo(at: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// For a command whose user may not read everything: root may.
fn as_nobody(server: &Server, mut command: Command) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        use std::os::unix::process::CommandExt;
        for folder in [server.dir.path().to_owned(), server.local()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        command.uid(65_534).gid(65_534);
    }
    command
}

#[test]
fn missing_things_are_4() {
    let server = Server::start();
    check(server.cp(&["missing", &at("/")]), 4, &["does not exist", "missing"]);
    check(server.cp(&[&at("missing"), "."]), 4, &["does not exist", "missing"]);
    fs::write(server.local().join("a"), "a").unwrap();
    check(server.cp(&["a", &at("no/such/place")]), 4, &["does not exist", "no"]);
}

#[test]
fn what_may_not_be_read_or_written_is_5() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    fs::set_permissions(server.local().join("a"), fs::Permissions::from_mode(0o000)).unwrap();
    check(as_nobody(&server, server.cp(&["a", &at("/")])), 5, &["No permission", "a"]);
    fs::write(server.docroot().join("b"), "b").unwrap();
    fs::set_permissions(server.local(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = server.cp(&[&at("b"), "."]);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        use std::os::unix::process::CommandExt;
        command.uid(65_534).gid(65_534);
    }
    check(command, 5, &["No permission"]);
    fs::set_permissions(server.local(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_where_a_folder_must_be_is_6_and_the_other_way_round_7() {
    let server = Server::start();
    fs::write(server.local().join("a"), "new").unwrap();
    fs::write(server.docroot().join("file"), "old").unwrap();
    check(server.cp(&["a", &at("file/")]), 6, &["must be a folder"]);
    fs::create_dir(server.docroot().join("a")).unwrap();
    check(server.cp(&["a", &at("/")]), 7, &["a folder is there"]);
    assert_eq!(fs::read(server.docroot().join("file")).unwrap(), b"old");
}

#[test]
fn special_files_are_21_and_links_in_a_circle_63() {
    let server = Server::start();
    fifo(&server.local().join("pipe"));
    check(server.cp(&["pipe", &at("/")]), 21, &["special file"]);
    fifo(&server.docroot().join("pipe"));
    check(server.cp(&[&at("pipe"), "."]), 21, &["special file"]);
    symlink("loop", server.local().join("loop")).unwrap();
    check(server.cp(&["loop", &at("/")]), 63, &["loop"]);
}

#[test]
fn some_of_several_is_27_and_each_is_named() {
    let server = Server::start();
    fs::create_dir(server.local().join("tree")).unwrap();
    for name in ["a", "b"] {
        fs::write(server.local().join("tree").join(name), name).unwrap();
    }
    for name in ["x", "y"] {
        fifo(&server.local().join("tree").join(name));
    }
    let (code, _, err) = run(server.cp(&["tree", &at("/")]));
    assert_eq!(code, 27, "{err}");
    assert!(err.contains("2 of 4") && err.contains("tree/x") && err.contains("tree/y"), "{err}");
    assert!(server.docroot().join("tree/a").exists() && server.docroot().join("tree/b").exists());
}

#[test]
fn a_read_only_disk_is_26() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    let disk = server.docroot().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        assert_ne!(fs::metadata("/proc/self").unwrap().uid(), 0, "root can mount");
        eprintln!("SKIPPED: no right to mount a tmpfs");
        return;
    }
    let command = server.cp(&["a", &at("disk/")]);
    let checked = std::panic::AssertUnwindSafe(|| check(command, 26, &["read-only"]));
    let result = std::panic::catch_unwind(checked);
    Command::new("umount").arg("--lazy").arg(&disk).status().unwrap();
    result.unwrap();
}

#[test]
fn ways_out_of_the_docroot_are_41() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    check(server.cp(&[&at("../x"), "."]), 41, &["outside the folder"]);
    check(server.cp(&["a", &at("../../")]), 41, &["outside the folder"]);
    symlink(server.local(), server.docroot().join("out")).unwrap();
    check(server.cp(&["a", &at("out/")]), 41, &["links are not followed"]);
}

#[test]
fn nobody_listening_is_12_and_silence_over_udp_15_with_the_port_to_open() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    let unused = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let command = |port: &str| {
        let mut command = common::godwit(server.dir.path());
        command.current_dir(server.local()).env("GODWIT_PASSWORD", "right");
        command.args(["cp", "a", &at("/"), "--data-port", port, "--fingerprint", &server.fingerprint]);
        command
    };
    check(command(&unused), 12, &["Nobody listens", &unused]);
    // The same number, so that TCP answers and UDP takes packets and says nothing.
    let (_tcp, udp) = (0..50)
        .find_map(|_| {
            let tcp = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
            let udp = std::net::UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
            Some((tcp, udp))
        })
        .unwrap();
    let port = udp.local_addr().unwrap().port().to_string();
    let begin = std::time::Instant::now();
    check(command(&port), 15, &[&format!("UDP port {port} must be open"), "TCP port"]);
    assert!(begin.elapsed() < std::time::Duration::from_millis(3_300), "{:?}", begin.elapsed());
}
