//! One agent per user, however many start it; hosts come and go.

#![allow(clippy::unwrap_used)]

use godwit_tests::host_pipe::HostPipe;
use godwit_tests::wait::{SOON, until_true};
use godwit_tests::{Browserish, Scratch, processes, until};
use serde_json::json;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn of_two_agents_started_at_once_one_stays() {
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
fn ten_hosts_at_once_start_one_agent_and_all_are_answered() {
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
fn a_host_ends_when_its_browser_closes_the_pipe_and_the_agent_stays() {
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
fn a_socket_left_behind_by_a_killed_agent_does_not_stop_the_next_one() {
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
fn the_socket_is_closed_to_other_users() {
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
