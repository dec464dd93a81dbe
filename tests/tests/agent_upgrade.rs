//! An agent makes way for the program that is installed in its place, and serves a socket that is systemd's.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Page, Scratch, Server, ServerOptions, processes, tree, until};
use serde_json::json;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

const SITE: (&str, &str) = ("https://app.example", "an-unguessable-app-id-4711");
const SIZE: u64 = 48 << 20;

/// As installers do: whole under another name, then renamed.
fn install(path: &Path, content: &[u8]) -> u64 {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&new, path).unwrap();
    std::fs::metadata(path).unwrap().ino()
}

fn runs(pid: u32) -> u64 {
    std::fs::metadata(format!("/proc/{pid}/exe")).map_or(0, |m| m.ino())
}

/// A download that is under way and takes its time.
fn begin(server: &Server, page: &Page<'_>) -> String {
    tree::file(&server.docroot().join("f"), SIZE, 8);
    let rate = json!({"paths": [{"source": "f"}], "rate_policy": "fixed", "target_rate_kbps": 16_000});
    let uuid = page.start(&server.spec("receive", server.data.port(), rate));
    page.wait_written(&uuid, 1 << 20, LONG);
    uuid
}

fn finish(server: &Server, scratch: &Scratch, page: &Page<'_>, uuid: &str) {
    let (status, body) = page.post(&format!("/connect/transfers/modify/{uuid}"), json!({"target_rate_kbps": 900_000}));
    assert_eq!(status, 200, "{body}");
    page.wait_status(uuid, "completed", LONG);
    tree::assert_same_file(&server.docroot().join("f"), &scratch.home().join("Downloads/f"));
}

#[test]
fn a_program_installed_in_mid_transfer_takes_over_and_the_transfer_completes() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let agent = scratch.own_programs().join("godwit-agent");
    let browser = Browserish::open(&scratch);
    let uuid = begin(&server, &browser.page(SITE.0, SITE.1));
    let pid = browser.status().pid;
    let mut content = std::fs::read(&agent).unwrap();
    content.push(0);
    let installed = install(&agent, &content);
    assert_ne!(runs(pid), installed);

    // A new host comes: that is when the agent looks. It may be cut off with the old program.
    let _newcomer = Browserish::begin(&scratch, "the-one-that-comes-with-the-update");
    until_true("the new program runs in the same process", SOON, || runs(pid) == installed);
    until_true("who was connected to the old one is cut off", SOON, || !browser.is_connected());
    let browser = Browserish::open(&scratch);
    let status = browser.status();
    assert_eq!(status.pid, pid, "one process all the time: systemd and the lock see no change");
    assert_eq!(scratch.agents(), [pid]);
    let page = browser.page(SITE.0, SITE.1);
    finish(&server, &scratch, &page, &uuid);
    let view = browser.status().transfers.into_iter().find(|t| t.uuid == uuid).unwrap();
    assert_eq!(view.attempts, 2, "it was interrupted once, for the change");
    // And the next time again: the way does not wear out.
    content.push(0);
    let installed = install(&agent, &content);
    browser.ui("ui.restart", json!({})).unwrap();
    until_true("the third program runs", SOON, || runs(pid) == installed);
    assert_eq!(Browserish::open(&scratch).status().pid, pid);
}

#[test]
fn a_program_that_does_not_work_never_takes_over() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let agent = scratch.own_programs().join("godwit-agent");
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE.0, SITE.1);
    let uuid = begin(&server, &page);
    let (pid, workers) = (browser.status().pid, scratch.workers());
    install(&agent, b"#!/bin/sh\nexit 1\n");
    let refused = browser.ui("ui.restart", json!({})).unwrap_err();
    assert_eq!(refused.code, "internal");
    assert!(refused.message.contains("godwit-agent"), "{}", refused.message);
    let other = Browserish::open(&scratch);
    assert_eq!(other.status().pid, pid, "the old one goes on");
    assert_eq!(scratch.workers(), workers, "and so do its workers");
    finish(&server, &scratch, &page, &uuid);
}

#[test]
fn a_lent_socket_is_served_and_left_to_its_owner() {
    let scratch = Scratch::new();
    let folder = scratch.home().join("run");
    std::fs::create_dir_all(&folder).unwrap();
    for private in [scratch.home(), folder.clone()] {
        std::fs::set_permissions(private, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let socket = folder.join("agent.sock");
    let owner = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        // Somebody connects first: that is why systemd starts it.
        let early = Browserish::begin(&scratch, "early");
        let mut agent = scratch
            .command("godwit-agent")
            .arg("--lent-socket")
            .stdin(OwnedFd::from(owner.try_clone().unwrap()))
            .stderr(scratch.log_file("agent"))
            .spawn()
            .unwrap();
        until("the early one is greeted", SOON, || early.hello());
        assert_eq!(early.status().pid, agent.id(), "no other agent was started");
        early.ui("ui.shutdown", json!({})).unwrap();
        let status = until("the agent ends", SOON, || agent.try_wait().unwrap());
        assert!(status.success(), "{status}");
        assert!(socket.exists(), "its owner listens on");
    }
}

#[test]
fn a_host_asks_systemd_for_the_agent_where_its_unit_is_installed() {
    let scratch = Scratch::new();
    let (home, runtime) = (scratch.folder("user"), scratch.folder("runtime"));
    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::create_dir_all(runtime.join("systemd")).unwrap();
    std::fs::create_dir_all(home.join(".config/systemd/user")).unwrap();
    std::fs::write(home.join(".config/systemd/user/godwit-agent.socket"), "").unwrap();
    let (bin, asked, pid_file) = (scratch.folder("fake"), scratch.path("asked"), scratch.path("pid"));
    let agent = godwit_tests::binaries::path("godwit-agent");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {}\n{} --detached </dev/null >/dev/null 2>&1 &\necho $! > {}\n",
        asked.display(),
        agent.display(),
        pid_file.display()
    );
    let systemctl = bin.join("systemctl");
    std::fs::File::create(&systemctl).unwrap().write_all(script.as_bytes()).unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(godwit_tests::binaries::path("godwit-host"));
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", &runtime)
        .arg(godwit_tests::host_pipe::chromium_argument());
    let host = godwit_tests::HostPipe::spawn_command(&scratch, command);
    host.send(&godwit_tests::host_pipe::hello("s"));
    host.until_message("the agent's hello", |m| matches!(m, godwit_protocol::envelope::Message::Hello(_)));
    let pid: u32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    assert!(processes::is_alive(pid), "the one that systemd started serves");
    assert_eq!(std::fs::read_to_string(&asked).unwrap().trim(), "--user --quiet start godwit-agent.socket");
    drop(host);
    processes::kill_hard(pid);
}
