//! `godwit doctor` on a machine in a folder: what it finds, what it mends, and what it says of a server.

#![allow(clippy::unwrap_used)]

mod common;

use common::fake_agent;
use godwit_protocol::envelope::{PROTOCOL, Response};
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
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

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn doctor(&self, args: &[&str]) -> (bool, Value) {
        self.run(Command::new(env!("CARGO_BIN_EXE_godwit")), args)
    }

    /// With a file system of its own for the state, mounted with these options, in namespaces of its own.
    fn doctor_on(&self, options: &str) -> (bool, Value) {
        fs::create_dir_all(self.path("godwit/state")).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-euc"]);
        unshare.args([r#"mount -t tmpfs -o "$1" none "$2"; shift 2; exec "$@""#, "sh", options]);
        unshare.arg(self.path("godwit/state")).arg(env!("CARGO_BIN_EXE_godwit"));
        self.run(unshare, &[])
    }

    fn run(&self, mut command: Command, args: &[&str]) -> (bool, Value) {
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path("home"));
        command.env("GODWIT_HOME", self.path("godwit")).env("GODWIT_DOCTOR_PREFIX", self.0.path());
        let output = command.args(["doctor", "--json"]).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text} {output:?}")))
    }

    /// What was found of this name.
    fn finding(report: &Value, id: &str) -> Option<Value> {
        report["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id).cloned()
    }

    /// What was found, without notes on this machine's own disk.
    fn found(report: &Value) -> Vec<&str> {
        let findings = report["findings"].as_array().unwrap();
        let ids = findings.iter().map(|finding| finding["id"].as_str().unwrap());
        ids.filter(|id| *id != "disk-low").collect()
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

#[test]
fn a_disk_that_is_nearly_full_is_named_with_what_is_left_on_it() {
    let home = Home::new();
    let low = Home::finding(&home.doctor_on("size=16m").1, "disk-low").unwrap();
    assert_eq!(low["severity"], "warning");
    assert!(low["what"].as_str().unwrap().contains("16.0 MiB") && low["remedy"] == "Make room on this disk.", "{low}");
    assert!(low["what"].as_str().unwrap().contains(home.path("godwit/state").to_str().unwrap()), "{low}");
    assert_eq!(Home::finding(&home.doctor_on("size=4g").1, "disk-low"), None, "once there is room");
}

#[test]
fn a_state_folder_on_a_read_only_disk_or_closed_to_its_user_is_named_with_what_to_do() {
    let home = Home::new();
    let (well, report) = home.doctor_on("ro,size=4g");
    let finding = Home::finding(&report, "state-read-only").unwrap();
    assert!(!well && finding["remedy"].as_str().unwrap().contains("mounted for writing"), "{finding}");
    assert_eq!(Home::finding(&home.doctor_on("size=4g").1, "state-read-only"), None);

    // Root may write anywhere, so as somebody without rights.
    let state = home.path("godwit/state");
    let set = |mode| fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    let look = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-user=4711", env!("CARGO_BIN_EXE_godwit")]);
        Home::finding(&home.run(unshare, &[]).1, "state-read-only")
    };
    set(0o500);
    let finding = look().unwrap();
    assert_eq!(finding["severity"], "error");
    assert!(finding["remedy"].as_str().unwrap().contains(&format!("chmod u+rwx {}", state.display())), "{finding}");
    set(0o700);
    assert_eq!(look(), None, "after the remedy");
}

#[test]
fn small_buffers_of_the_kernel_are_found_by_the_figure_that_is_read() {
    let home = Home::new();
    let figure = home.path("proc/sys/net/core/rmem_max");
    fs::create_dir_all(figure.parent().unwrap()).unwrap();
    fs::write(&figure, "212992\n").unwrap();
    let finding = Home::finding(&home.doctor(&[]).1, "small-buffers").unwrap();
    assert_eq!(finding["severity"], "note");
    assert!(finding["remedy"].as_str().unwrap().contains("sysctl net.core.rmem_max="), "{finding}");
    fs::write(&figure, "16777216\n").unwrap();
    assert_eq!(Home::finding(&home.doctor(&[]).1, "small-buffers"), None);
}

#[test]
fn an_agent_of_another_version_is_named_with_both_versions() {
    let home = Home::new();
    let look = |version: &str| {
        let _ = fs::remove_file(home.path("godwit/run/agent.sock"));
        let status = json!({"version": version, "pid": 42, "home": "/", "uptime_seconds": 1, "counts": {}, "transfers": [],
            "notices": []});
        let agent = fake_agent(&home.path("godwit"), PROTOCOL.major, |id| Response::ok(id, status));
        let finding = Home::finding(&home.doctor(&[]).1, "agent-version");
        assert_eq!(agent.join().unwrap().as_deref(), Some("ui.status"));
        finding
    };
    let finding = look("9.9.9").unwrap();
    let what = finding["what"].as_str().unwrap();
    assert!(what.contains("9.9.9") && what.contains(env!("CARGO_PKG_VERSION")), "{finding}");
    assert!(finding["remedy"].as_str().unwrap().contains("godwit agent stop"), "{finding}");
    assert_eq!(look(env!("CARGO_PKG_VERSION")), None);
}
