//! `godwit doctor` on a machine in a folder: what it finds, what it mends, and what it says of a server.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

struct Home(tempfile::TempDir);

impl Home {
    /// With Firefox, which is not told of the host yet.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for folder in ["home", "usr/bin", "godwit/run"] {
            fs::create_dir_all(home.0.path().join(folder)).unwrap();
        }
        fs::write(home.0.path().join("usr/bin/firefox"), "").unwrap();
        fs::set_permissions(home.0.path().join("godwit/run"), fs::Permissions::from_mode(0o700)).unwrap();
        home
    }

    fn doctor(&self, args: &[&str]) -> (bool, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_godwit"));
        command.env_clear().env("HOME", self.0.path().join("home")).env("GODWIT_HOME", self.0.path().join("godwit"));
        command.env("GODWIT_DOCTOR_PREFIX", self.0.path()).args(["doctor", "--json"]).args(args);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text} {output:?}")))
    }

    /// What was found, without notes on this machine's own kernel.
    fn found(report: &Value) -> Vec<&str> {
        let findings = report["findings"].as_array().unwrap();
        let ids = findings.iter().map(|finding| finding["id"].as_str().unwrap());
        ids.filter(|id| !["small-buffers", "disk-low"].contains(id)).collect()
    }
}

#[test]
fn what_can_be_mended_safely_is_mended_and_told() {
    let home = Home::new();
    fs::set_permissions(home.0.path().join("godwit/run"), fs::Permissions::from_mode(0o755)).unwrap();
    let (well, report) = home.doctor(&[]);
    assert!(!well);
    let mut found = Home::found(&report);
    found.sort_unstable();
    assert_eq!(found, ["folder-open", "manifest-missing"]);
    assert!(
        report["findings"].as_array().unwrap().iter().all(|finding| !finding["remedy"].as_str().unwrap().is_empty())
    );

    // The host lies beside the program that is tested, if it was built; a manifest for one that is not there stays a finding.
    let host = std::path::Path::new(env!("CARGO_BIN_EXE_godwit")).with_file_name("godwit-host");
    let (well, report) = home.doctor(&["--fix"]);
    assert_eq!(report["mended"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(Home::found(&report), if host.is_file() { vec![] } else { vec!["manifest-stale"] });
    assert_eq!(well, host.is_file());
    let run = fs::metadata(home.0.path().join("godwit/run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_server_that_does_not_answer_is_named_with_what_is_blocked() {
    let home = Home::new();
    // Taken, and silent.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let (well, report) = home.doctor(&["--server", "127.0.0.1", "--data-port", &port]);
    assert!(!well);
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "server-unreachable");
    assert!(finding.unwrap()["what"].as_str().unwrap().contains(&port), "{report}");
}

#[test]
fn a_servers_tcp_port_is_tried_beside_its_udp_port() {
    let home = Home::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = silent.local_addr().unwrap().port().to_string();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = open.local_addr().unwrap().port().to_string();
    let args = ["--server", "127.0.0.1", "--data-port", &udp, "--tcp-port", &tcp];
    assert!(Home::found(&home.doctor(&args).1).contains(&"server-tcp-reached"));
    drop(open);
    let (_, report) = home.doctor(&args);
    assert!(Home::found(&report).contains(&"server-tcp-unreachable"), "{report}");
}

#[test]
fn what_keeps_the_agent_from_being_reached_is_named_with_what_to_do() {
    let home = Home::new();
    let (run, socket) = (home.0.path().join("godwit/run"), home.0.path().join("godwit/run/agent.sock"));
    let finds = |id: &str| {
        let (well, report) = home.doctor(&[]);
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{id}: {report}"));
        assert!(!well && finding["remedy"].as_str().unwrap().ends_with('.'), "{finding}");
    };
    fs::write(&socket, "").unwrap();
    finds("socket-odd");
    fs::remove_file(&socket).unwrap();
    // Somebody listens there who is no agent.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    finds("agent-unreachable");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&run, Some(4711), None).unwrap();
        finds("folder-foreign");
    }
}
