//! The built `godwit-agent` with a fake worker: one of it, its socket, its queue over kills.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Client, Place, kill, terminate, until};
use godwit_protocol::ui::kinds;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[test]
fn of_two_started_at_once_one_stays_and_the_other_says_so() {
    let place = Place::new();
    let start = || {
        let mut command = place.command(env!("CARGO_BIN_EXE_godwit-agent"));
        command.stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let mut both = [start(), start()];
    let ended = until("one ends", || both.iter_mut().position(|c| c.try_wait().unwrap().is_some()));
    let [first, second] = both;
    let (loser, mut winner) = if ended == 0 { (first, second) } else { (second, first) };
    let output = loser.wait_with_output().unwrap();
    assert!(output.status.success(), "it is no failure that one runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("runs already"));
    assert_eq!(Client::open(&place, "s").status().pid, winner.id());
    kill(winner.id());
    winner.wait().unwrap();
}

#[test]
fn everything_it_keeps_is_closed_to_others() {
    let place = Place::new();
    let _agent = place.agent();
    Client::open(&place, "s").start("complete");
    let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
    for folder in ["run", "state", "logs", "state/keys"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in [
        "run/agent.sock",
        "run/agent.lock",
        "logs/godwit-agent.log",
        "logs/godwit-transfer.log",
        "state/keys/secrets.key",
    ] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    assert_eq!(mode("Downloads") & 0o700, 0o700);
}

#[test]
fn a_worker_runs_is_followed_and_completes() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("complete");
    let info = client.wait(&uuid, "completed");
    assert_eq!((info["bytes_written"].as_u64(), info["percentage"].as_f64()), (Some(1000), Some(1.0)));
    let orders: Value = serde_json::from_str(&place.lines("starts")[0]).unwrap();
    assert_eq!(orders["transfer_id"], json!(uuid));
    assert_eq!(orders["destination_root"], json!(place.path().canonicalize().unwrap().join("Downloads")));
    assert_eq!(client.prompts.len(), 1, "consent was asked once");
}

#[test]
fn h15_secrets_are_in_no_file_and_no_process_of_the_agent() {
    let place = Place::new();
    let agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    client.wait(&uuid, "running");
    let mut folders = vec![place.path().join("state"), place.path().join("logs"), place.path().join("run")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                assert!(!bytes.windows(20).any(|w| w == b"hunter2-the-password"), "{}", entry.path().display());
            }
        }
    }
    assert!(place.lines("starts")[0].contains("hunter2-the-password"), "the worker got it");
    for pid in place.processes().into_iter().chain([agent.id()]) {
        for name in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            assert!(!bytes.windows(20).any(|w| w == b"hunter2-the-password"));
        }
    }
}

#[test]
fn killed_it_loses_nothing_and_the_next_one_goes_on() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuids: Vec<String> = (0..5).map(|_| client.start("go on")).collect();
    for uuid in &uuids[..3] {
        client.wait(uuid, "running");
    }
    let token = client.page("transfers/activity", json!({"iteration_token": 0})).1["iteration_token"].clone();
    kill(agent.id());
    // A dying process still accepts for a moment.
    agent.wait();
    until("the workers see the end of their input", || {
        (place.lines("commands").iter().filter(|l| *l == "end of input").count() == 3).then_some(())
    });
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    for uuid in &uuids[..3] {
        client.wait(uuid, "running");
    }
    assert_eq!(client.info(&uuids[4])["status"], json!("queued"));
    assert!(client.prompts.is_empty(), "the consent was remembered");
    let after = client.page("transfers/activity", json!({"iteration_token": token})).1;
    assert!(after["iteration_token"].as_u64() >= token.as_u64());
    let starts = place.lines("starts");
    assert_eq!(starts.len(), 6);
    assert!(starts[3].contains(r#""attempt":2"#), "{}", starts[3]);
}

#[test]
fn a_worker_that_crashes_is_started_again_at_once() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let begin = Instant::now();
    let uuid = client.start("crash once");
    client.wait(&uuid, "completed");
    assert!(begin.elapsed() < Duration::from_secs(10), "not after the network's interval");
    assert_eq!(place.lines("starts").len(), 2);
}

#[test]
fn stop_reaches_the_worker_and_a_deaf_one_is_killed() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let (obedient, deaf) = (client.start("go on"), client.start("deaf"));
    for uuid in [&obedient, &deaf] {
        client.wait(uuid, "running");
        client.ui(kinds::STOP, json!({"uuid": uuid}));
        assert_eq!(client.info(uuid)["status"], json!("cancelled"));
    }
    until("both workers are gone", || place.path().join("run/workers").read_dir().ok()?.next().is_none().then_some(()));
    assert_eq!(place.lines("commands"), [r#"{"type":"stop"}"#]);
    assert_eq!(client.info(&deaf)["status"], json!("cancelled"));
}

#[test]
fn a_worker_that_floods_is_killed_and_one_that_is_refused_is_not_retried() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let refused = client.start("wrong password");
    let info = client.wait(&refused, "failed");
    assert_eq!((info["error_code"].as_u64(), info["error_desc"].as_str()), (Some(19), Some("no")));
    let babble = client.start("babble");
    client.wait(&babble, "willretry");
}

#[test]
fn new_limits_reach_a_running_worker() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    client.wait(&uuid, "running");
    let (status, _) = client.page(&format!("transfers/modify/{uuid}"), json!({"target_rate_kbps": 4_000}));
    assert_eq!(status, 200);
    let line = until("the worker is told", || place.lines("commands").first().cloned());
    let command: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((command["type"].as_str(), command["target"].as_u64()), (Some("set-rate"), Some(4_000)));
}

#[test]
fn terminated_it_stops_its_workers_and_ends_in_time_and_the_next_one_goes_on() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    client.wait(&uuid, "running");
    let begin = Instant::now();
    terminate(agent.id());
    assert!(agent.wait().success());
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(place.lines("commands"), [r#"{"type":"stop"}"#]);
    assert!(!place.socket().exists());
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let info = client.wait(&uuid, "running");
    assert_eq!(info["bytes_written"], json!(500), "progress was kept");
}

#[test]
fn with_nothing_to_do_it_ends() {
    let place = Place::new();
    let mut agent = place.agent_with(&["--idle-seconds", "1"]);
    let mut client = Client::open(&place, "s");
    let uuid = client.start("complete");
    client.wait(&uuid, "completed");
    drop(client);
    assert!(agent.wait().success());
    // A database closed and opened again.
    let _agent = place.agent();
    assert_eq!(Client::open(&place, "s").info(&uuid)["status"], json!("completed"));
}

#[test]
fn a_database_that_cannot_be_read_is_set_aside_and_told() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("state/db")).unwrap();
    std::fs::write(place.path().join("state/db/conf"), "nonsense").unwrap();
    std::fs::write(place.path().join("state/db/db"), "nonsense").unwrap();
    let _agent = place.agent();
    let notices = Client::open(&place, "s").status().notices.join(" ");
    assert!(notices.contains("db.unreadable-"), "{notices}");
}

#[test]
fn its_state_can_be_exported_without_secrets() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    let file = place.path().join("export.json");
    let export = || {
        let mut command = place.command(env!("CARGO_BIN_EXE_godwit-agent"));
        command.arg("--export").arg(&file).status().unwrap()
    };
    export();
    assert!(!file.exists(), "not while the agent runs");
    terminate(agent.id());
    agent.wait();
    assert!(export().success());
    let text = std::fs::read_to_string(&file).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let trees = &value["trees"];
    assert!(trees["transfers"].get(&uuid).is_some() && trees["trust"].get("https://app.example").is_some());
    assert!(!text.contains("hunter2-the-password"));
}

#[test]
fn a_page_uploads_what_was_picked_and_not_its_neighbour() {
    let place = Place::new();
    let _agent = place.agent();
    let root = place.path().canonicalize().unwrap();
    for name in ["picked", "neighbour"] {
        std::fs::write(root.join(name), name).unwrap();
    }
    let mut client = Client::open(&place, "s");
    client.choice = vec![root.join("picked")];
    let (status, body) = client.page("windows/select-open-file-dialog/", json!({}));
    assert_eq!((status, &body["dataTransfer"]["files"][0]["name"]), (200, &json!(root.join("picked"))));
    let mut start = |name: &str| {
        let spec = json!({"direction": "send", "remote_host": "h", "remote_password": "p", "cookie": "complete",
            "paths": [{"source": root.join(name)}]});
        client.page(
            "transfers/start",
            json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": {"app_id": "app"}}]}),
        )
    };
    assert_eq!(start("picked").0, 200);
    let (status, body) = start("neighbour");
    assert_eq!((status, body["error"]["code"].as_u64()), (406, Some(406)));
}

#[test]
fn after_damage_transfers_sites_and_passwords_come_back_from_the_last_copy() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    terminate(agent.id());
    agent.wait();
    // The disk has eaten the database.
    std::fs::write(place.path().join("state/db/conf"), "nonsense").unwrap();
    std::fs::write(place.path().join("state/db/db"), "nonsense").unwrap();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let notices = client.status().notices.join(" ");
    assert!(notices.contains("db.unreadable-") && notices.contains("restored"), "{notices}");
    until("it goes on with its password", || {
        let info = client.info(&uuid);
        (info["status"] == "running" || info["status"] == "initiating").then_some(())
    });
}

#[test]
fn a_copy_can_be_put_in_the_database_s_place() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut client = Client::open(&place, "s");
    let uuid = client.start("complete");
    client.wait(&uuid, "completed");
    terminate(agent.id());
    agent.wait();
    let other = Place::new();
    let copy = place.path().join("state/snapshot.json");
    let import = |file: &std::path::Path| {
        other.command(env!("CARGO_BIN_EXE_godwit-agent")).arg("--import").arg(file).status().unwrap().success()
    };
    assert!(import(&copy));
    let broken = place.path().join("broken.json");
    std::fs::write(&broken, "{").unwrap();
    assert!(!import(&broken), "nothing is replaced by nonsense");
    let _agent = other.agent();
    assert_eq!(Client::open(&other, "s").info(&uuid)["status"], json!("completed"));
}

#[test]
fn an_edited_settings_file_holds_without_a_restart() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let active = |client: &mut Client| client.ui("ui.settings", json!({}))["values"]["queue"]["active"].clone();
    assert_eq!(active(&mut client), json!(3));
    // As editors do: a new file in the old one's place.
    std::fs::write(place.path().join("settings.toml~"), "[queue]\nactive = 5\n").unwrap();
    std::fs::rename(place.path().join("settings.toml~"), place.path().join("settings.toml")).unwrap();
    until("the new number holds", || (active(&mut client) == json!(5)).then_some(()));
    std::fs::write(place.path().join("settings.toml"), "[queue]\nactive = 6\n").unwrap();
    until("written in place as well", || (active(&mut client) == json!(6)).then_some(()));
}

#[test]
fn each_log_has_its_own_file_and_the_level_is_changed_while_it_runs() {
    let place = Place::new();
    let _agent = place.agent();
    let mut client = Client::open(&place, "s");
    let log = |name: &str| std::fs::read_to_string(place.path().join("logs").join(name)).unwrap_or_default();
    let uuid = client.start("complete");
    client.wait(&uuid, "completed");
    assert!(log("godwit-transfer.log").contains(&uuid) && !log("godwit-agent.log").contains(&uuid));
    assert!(!log("godwit-agent.log").contains("DEBUG"));
    client.ui("ui.change-settings", json!({"changes": {"log.level": "debug"}}));
    let mut other = Client::open(&place, "s");
    other.status();
    drop(other);
    until("finer lines", || log("godwit-agent.log").contains("DEBUG").then_some(()));
}
