//! One agent per user, however many start it; hosts come and go.

#![allow(clippy::unwrap_used)]

use godwit_protocol::envelope::{Message, Role, codes};
use godwit_tests::host_pipe::{HostPipe, chromium_argument, hello};
use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Scratch, processes, until};
use serde_json::json;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;

#[test]
fn h17_of_two_agents_started_at_once_one_stays() {
    let scratch = Scratch::new();
    let start = |name: &str| scratch.command("godwit-agent").stderr(scratch.log_file(name)).spawn().unwrap();
    let mut both = [start("agent-1"), start("agent-2")];
    let ended =
        until("one of the two ends", SOON, || both.iter_mut().position(|child| child.try_wait().unwrap().is_some()));
    let browser = Browserish::open(&scratch);
    let survivor = both[1 - ended].id();
    assert_eq!(browser.status().pid, survivor, "the other one serves");
    assert_eq!(scratch.agents(), [survivor]);
    processes::kill_hard(survivor);
    both[1 - ended].wait().unwrap();
}

#[test]
fn h17_ten_hosts_at_once_start_one_agent_and_all_are_answered() {
    let scratch = Scratch::new();
    let browsers: Vec<Browserish> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..10).map(|_| scope.spawn(|| Browserish::open(&scratch))).collect();
        opening.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut agents: Vec<u32> = Vec::new();
    for browser in &browsers {
        let (status, body) = browser.page("https://app.example", "app").get("/connect/info/version");
        assert_eq!(status, 200);
        assert!(body["version"].is_string(), "{body}");
        agents.push(browser.status().pid);
    }
    agents.dedup();
    assert_eq!(agents.len(), 1, "all talk to one agent: {agents:?}");
    assert_eq!(scratch.agents(), agents);
}

#[test]
fn h18_a_host_ends_when_its_browser_closes_the_pipe_and_the_agent_stays() {
    let scratch = Scratch::new();
    let host = HostPipe::greeted(&scratch);
    let agents = scratch.agents();
    assert_eq!(agents.len(), 1);
    host.close_input();
    let status = host.wait_exit(std::time::Duration::from_secs(2));
    assert!(status.success(), "an end of input is no error: {status}");
    assert_eq!(scratch.agents(), agents);
}

#[test]
fn h17_a_socket_left_behind_by_a_killed_agent_does_not_stop_the_next_one() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let first = browser.status().pid;
    processes::kill_hard(first);
    drop(browser);
    let socket = scratch.home().join("run/agent.sock");
    assert!(socket.exists(), "SIGKILL leaves the socket");
    let browser = Browserish::open(&scratch);
    assert_ne!(browser.status().pid, first);
}

#[test]
fn h17_the_socket_is_closed_to_other_users() {
    let scratch = Scratch::new();
    let _browser = Browserish::open(&scratch);
    let socket = std::fs::symlink_metadata(scratch.home().join("run/agent.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o777, 0o600);
    for folder in ["run", "state", "logs"] {
        let mode = std::fs::metadata(scratch.home().join(folder)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[test]
fn an_agent_that_is_told_to_stop_ends_and_is_started_again_on_demand() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let pid = browser.status().pid;
    browser.ui("ui.shutdown", json!({})).unwrap();
    until_true("the agent ends", SOON, || !processes::is_alive(pid));
    drop(browser);
    assert_ne!(Browserish::open(&scratch).status().pid, pid);
}

#[test]
fn a_host_without_its_agent_says_so_to_every_request() {
    let scratch = Scratch::new();
    // An installation that lost a file.
    let alone = scratch.folder("bin").join("godwit-host");
    std::fs::copy(godwit_tests::binaries::path("godwit-host"), &alone).unwrap();
    let mut command = Command::new(&alone);
    command.env_clear().env("GODWIT_HOME", scratch.home()).env("HOME", scratch.user_home()).arg(chromium_argument());
    let host = HostPipe::spawn_command(&scratch, command);
    host.send(&hello("s"));
    let hello = host.until_message("the host's own hello", |m| matches!(m, Message::Hello(_)));
    let Message::Hello(hello) = hello else { unreachable!() };
    assert_eq!(hello.role, Role::Host);
    for id in [5, 6] {
        host.send_payload(format!(r#"{{"type":"request","id":{id},"kind":"ui.status"}}"#).as_bytes());
        let Message::Response(response) = host.until_message("an answer", |m| m.id() == id) else { panic!() };
        let error = response.error.unwrap();
        assert_eq!(error.code, codes::AGENT_UNAVAILABLE);
        assert!(error.retryable);
        assert!(error.message.contains("godwit-agent") && error.message.contains(".log"), "{}", error.message);
    }
    host.close_input();
    assert!(host.wait_exit(SOON).success());
}

#[test]
fn a_database_that_cannot_be_read_is_set_aside_by_name_and_never_deleted() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let _ = browser.page("https://app.example", "app").post("/connect/windows/select-open-file-dialog/", json!({}));
    processes::kill_hard(browser.status().pid);
    drop(browser);
    let state = scratch.home().join("state");
    let database =
        godwit_tests::scratch::files_below(&state).into_iter().find(|f| f.ends_with("db")).expect("sled's db");
    let garbage = vec![0xA5; 100_000];
    std::fs::write(&database, &garbage).unwrap();

    let browser = Browserish::open(&scratch);
    let notices = browser.status().notices.join("\n");
    assert!(notices.contains("unreadable"), "the user is told the name: {notices}");
    let kept = godwit_tests::scratch::files_below(&state)
        .into_iter()
        .any(|f| std::fs::read(f).is_ok_and(|bytes| bytes.starts_with(&garbage[..1000])));
    assert!(kept, "what was there is still there");
    let (status, _) =
        browser.page("https://app.example", "app").post("/connect/windows/select-open-file-dialog/", json!({}));
    assert_eq!(status, 200, "and Godwit works");
}

#[test]
fn s08_the_agent_listens_on_no_tcp_port() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let pid = browser.status().pid;
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "the agent's Unix socket is among them");
    for table in ["tcp", "tcp6"] {
        // Columns: number, local address, remote address, state (0A = listening), …, and the inode as the tenth.
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            assert!(!(columns[3] == "0A" && sockets.iter().any(|inode| inode == columns[9])), "{line}");
        }
    }
}

#[test]
fn a_link_of_the_vendors_kind_starts_one_agent_and_nothing_it_says_is_obeyed() {
    let scratch = Scratch::new();
    let mut seen = Vec::new();
    for link in ["fasp://initialize", "fasp://u@host.example:1/../../x?local_http=true&stop", "-x", "$(touch /tmp/x)"] {
        let output = processes::output(scratch.command("godwit").args(["agent", "start", link]), LONG);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{link}: {said}");
        seen.extend(scratch.agents());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "one agent, started by the first and left alone by the others");
    let browser = Browserish::open(&scratch);
    let status = browser.status();
    assert_eq!((status.pid, status.transfers.len()), (seen[0], 0));
    assert!(!scratch.home().join("run/http.uri").exists(), "what the link asked for was not switched on");
}
