//! `godwit doctor` beside a real agent that hangs, or that has something to say.

#![allow(clippy::unwrap_used)]

use godwit_tests::processes::{self, Signal};
use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Scratch};
use serde_json::Value;

/// Everything that is found; the machine has no browsers, as they are other tests' matter.
fn findings(scratch: &Scratch) -> Vec<Value> {
    let mut doctor = scratch.command("godwit");
    doctor.args(["doctor", "--json"]).env("GODWIT_DOCTOR_PREFIX", scratch.folder("machine"));
    let output = processes::output(&mut doctor, LONG);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["findings"].as_array().unwrap().clone()
}

fn of<'a>(findings: &'a [Value], id: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["id"] == id).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn an_agent_that_hangs_is_found_and_the_remedy_that_is_named_mends_it() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let pid = browser.status().pid;
    processes::signal(pid, Signal::STOP);
    let found = findings(&scratch);
    let [silent] = of(&found, "agent-silent")[..] else { panic!("{found:?}") };
    assert_eq!(silent["severity"], "error");
    assert!(text(&silent["what"]).contains("did not answer"), "{silent}");
    let uid = rustix::process::geteuid().as_raw();
    assert!(text(&silent["remedy"]).contains(&format!("pkill -KILL -x -u {uid} godwit-agent")), "{silent}");
    // What that command does, to this one only: others of this user run other tests.
    processes::signal(pid, Signal::KILL);
    until_true("the agent that hung is gone", SOON, || !processes::is_alive(pid));
    drop(browser);
    let browser = Browserish::open(&scratch);
    assert_ne!(browser.status().pid, pid);
    let found = findings(&scratch);
    assert!(of(&found, "agent-silent").is_empty(), "{found:?}");
}

#[test]
fn what_the_agent_has_to_say_is_passed_on_with_what_to_do() {
    let scratch = Scratch::new();
    let agent_says = || {
        let browser = Browserish::open(&scratch);
        let pid = browser.status().pid;
        let found = findings(&scratch);
        let said = of(&found, "agent-notice").into_iter().cloned().collect::<Vec<_>>();
        processes::kill_hard(pid);
        said
    };
    let said = agent_says();
    assert!(said.iter().all(|notice| notice["severity"] == "note"), "on a good machine: {said:?}");

    scratch.write_settings("[queue]\nactive = 0\n");
    let said = agent_says();
    let setting = said.iter().find(|notice| notice["severity"] == "warning").unwrap_or_else(|| panic!("{said:?}"));
    assert!(text(&setting["what"]).contains("queue.active"), "{setting}");
    assert!(text(&setting["remedy"]).starts_with("Correct it where it stands"), "{setting}");

    scratch.write_settings("");
    let database = scratch.home().join("state/db/db");
    assert!(database.is_file());
    std::fs::write(&database, vec![0xA5; 100_000]).unwrap();
    let said = agent_says();
    let kept = said.iter().find(|notice| notice["severity"] == "warning").unwrap_or_else(|| panic!("{said:?}"));
    assert!(text(&kept["what"]).contains("unreadable") && text(&kept["remedy"]).starts_with("Keep"), "{kept}");
    assert!(agent_says().iter().all(|notice| notice["severity"] == "note"), "the next agent has nothing to add");
}
