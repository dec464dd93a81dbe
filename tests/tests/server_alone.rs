//! What the server promises before anybody transfers anything.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::SOON;
use godwit_tests::{Scratch, Server, ServerOptions, processes};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn the_data_port_answers_on_tcp_too_so_that_a_pages_port_test_succeeds() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    TcpStream::connect(server.data).expect("TCP on the data port");
}

#[test]
fn the_certificate_is_kept_over_kill_and_restart_and_is_private() {
    let scratch = Scratch::new();
    let mut server = Server::start(&scratch, ServerOptions::default());
    assert!(server.fingerprint.starts_with("SHA256:"), "{}", server.fingerprint);
    server.kill();
    // Compares ports and fingerprint.
    server.restart();
    assert_eq!(std::fs::metadata(server.state()).unwrap().mode() & 0o077, 0);
    for file in godwit_tests::scratch::files_below(server.state()) {
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn a_server_without_work_ends_at_once_when_told_to() {
    let scratch = Scratch::new();
    let mut server = Server::start(&scratch, ServerOptions::default());
    assert_eq!(server.terminate(std::time::Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_port_in_use_is_said_in_words() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let mut second = Command::new(godwit_tests::binaries::path("godwit-server"));
    second
        .arg("--docroot")
        .arg(server.docroot())
        .arg("--state")
        .arg(scratch.path("second-state"))
        .args(["--bind", "127.0.0.1", "--data-port", &server.data.port().to_string()])
        .args(["--api-port", "0", "--http-port", "0", "--user", "ann:x"]);
    let second = processes::output(&mut second, SOON);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&server.data.port().to_string()), "{said}");
    assert!(!String::from_utf8_lossy(&second.stdout).contains("ready"));
}

#[test]
fn a_wrong_configuration_names_the_key_and_the_server_does_not_start() {
    let scratch = Scratch::new();
    let config = scratch.path("bad.toml");
    for (text, word) in [
        ("data_port = \"x\"", "data_port"),
        ("colour = 5", "colour"),
        ("[users.ann]\npassword_hash = \"plain\"", "password_hash"),
    ] {
        std::fs::write(&config, text).unwrap();
        let mut server = Command::new(godwit_tests::binaries::path("godwit-server"));
        server.arg("--config").arg(&config).arg("--state").arg(scratch.path("state"));
        let output = processes::output(&mut server, SOON);
        assert!(!output.status.success(), "{text}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(word), "{word} is not named: {said}");
    }
}
