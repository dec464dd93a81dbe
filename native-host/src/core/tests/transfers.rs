//! Transfers from start to end, as their page sees them.

use super::*;
use crate::supervisor::Ended;
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Credential, Failure, FileOutcome, FileReport, RateSettings, Report, Stats};

fn session() -> WorkerEvent {
    WorkerEvent::Report(Report::Session {
        transport: "quic".into(),
        fingerprint: "SHA256:x".into(),
        server_version: "0".into(),
        granted: RateSettings::default(),
        locks: RateLocks::default(),
    })
}

fn stats(written: u64) -> Stats {
    Stats {
        bytes_expected: 1_000,
        bytes_written: written,
        rate_kbps: 8,
        files_expected: 2,
        files_completed: 1,
        scan_complete: true,
        current_file: "pub/file.bin".into(),
        ..Stats::default()
    }
}

#[test]
fn the_answer_to_start_names_the_transfer_wherever_clients_look_for_it() {
    let (mut world, conn) = World::trusted();
    let mut spec = World::spec();
    spec["tags"] = json!({"mine": 1, "aspera": {"node": "n"}});
    let settings = json!({"request_id": "req-1", "back_link": "https://app.example/page"});
    let (_, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &settings));
    let output = &body["transfer_specs"][0];
    let uuid = output["uuid"].as_str().unwrap();
    assert_eq!(output["tags"]["aspera"]["xfer_id"], json!(uuid));
    assert_eq!(output["transfer_spec"]["tags"]["aspera"]["xfer_id"], json!(uuid));
    assert_eq!(output["transfer_spec"]["tags"]["aspera"]["node"], json!("n"));
    assert_eq!(output["transfer_spec"]["tags"]["mine"], json!(1));
    assert_eq!(output["aspera_connect_settings"]["request_id"], json!("req-1"));
    assert!(!body.to_string().contains("hunter2"), "a secret came back");
}

#[test]
fn a_transfer_runs_and_completes_and_its_info_has_every_field() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let start = world.workers[&uuid].1.clone();
    assert_eq!(start.server.credential, Credential::Password { password: "hunter2".to_owned().into() });
    assert_eq!((start.attempt, start.server.data_port, start.create_dir), (1, 33001, true));
    assert_eq!(world.info(conn, &uuid)["status"], json!("initiating"));
    world.worker(&uuid, session());
    world.now.mono += Duration::from_secs(2);
    world.worker(&uuid, WorkerEvent::Report(Report::Stats(stats(250))));
    let file =
        FileReport { path: "a.bin".into(), size: 100, outcome: FileOutcome::Completed, error: None, blake3: None };
    world.worker(&uuid, WorkerEvent::Report(Report::File(file)));
    let info = world.info(conn, &uuid);
    assert_eq!((info["status"].as_str(), info["previous_status"].as_str()), (Some("running"), Some("initiating")));
    assert_eq!((info["percentage"].as_f64(), info["calculated_rate_kbps"].as_u64()), (Some(0.25), Some(8)));
    assert_eq!(info["elapsed_usec"], json!(2_000_000));
    assert_eq!(info["remaining_usec"], json!(750_000), "750 bytes at 8 kbit/s take 0.75 s");
    assert_eq!(info["files"][0]["bytes_written"], json!(100));
    let downloads = world.dir.path().canonicalize().unwrap().join("Downloads");
    assert_eq!(info["explorer_path"], json!(downloads));
    assert_eq!(info["current_file"], json!(downloads.join("pub/file.bin")));
    for field in [
        "title",
        "transfer_spec",
        "aspera_connect_settings",
        "add_time",
        "start_time",
        "modify_time",
        "end_time",
        "bytes_expected",
        "file_counts",
        "transfer_iteration_token",
        "error_code",
        "error_desc",
        "transport",
    ] {
        assert!(info.get(field).is_some(), "{field}");
    }
    assert_eq!((info["transport"].as_str(), info["end_time"].as_str()), (Some("fasp"), Some("")));

    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(stats(1_000))));
    let info = world.info(conn, &uuid);
    assert_eq!((info["status"].as_str(), info["percentage"].as_f64()), (Some("completed"), Some(1.0)));
    assert_eq!(info["end_time"].as_str().unwrap().len(), 19);
    let (status, _) = world.ask(conn, SITE, &format!("transfers/resume/{uuid}"), json!({}));
    assert_eq!(status, 409);
}

#[test]
fn a_page_can_leave_out_files_and_paths() {
    let (mut world, conn) = World::trusted();
    let settings = json!({"return_files": false, "return_paths": false});
    let (_, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&World::spec(), &settings));
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    let info = world.info(conn, &uuid);
    assert!(info.get("files").is_none() && info["transfer_spec"].get("paths").is_none());
}

#[test]
fn nobody_else_sees_or_touches_a_transfer() {
    let (mut world, conn) = World::trusted();
    world.trust(conn, OTHER);
    let uuid = world.start(conn);
    let strange_app = json!({"aspera_connect_settings": {"app_id": "app-two"}});
    for (site, body) in [(OTHER, json!({})), (SITE, strange_app.clone())] {
        for action in ["info", "stop", "resume", "remove", "modify"] {
            assert_eq!(world.ask(conn, site, &format!("transfers/{action}/{uuid}"), body.clone()).0, 404, "{action}");
        }
        assert_eq!(world.ask(conn, site, "transfers/activity", body).1["result_count"], json!(0));
    }
    for path in ["windows/finder", "windows/transfer-monitor"] {
        let id = world.call(conn, OTHER, "GET", &format!("{path}/{uuid}"), &json!({}));
        assert_eq!(world.answer(id).0, 404);
        let id = world.call(conn, SITE, "GET", &format!("{path}/{uuid}"), &json!({}));
        assert_eq!(world.answer(id).0, 200);
    }
    assert_eq!(world.opened.len(), 1);
    let no_app = json!({"iteration_token": 0, "aspera_connect_settings": {"app_id": ""}});
    assert_eq!(world.ask(conn, SITE, "transfers/activity", no_app).0, 404);
}

#[test]
fn activity_tells_each_change_once_and_a_removal_too() {
    let (mut world, conn) = World::trusted();
    let (a, b) = (world.start(conn), world.start(conn));
    let all = world.activity(conn, SITE, 0);
    assert_eq!(all["result_count"], json!(2));
    let token = all["iteration_token"].as_u64().unwrap();
    assert_eq!(world.activity(conn, SITE, token)["result_count"], json!(0));
    world.worker(&b, session());
    let news = world.activity(conn, SITE, token);
    assert_eq!((news["result_count"].as_u64(), news["transfers"][0]["uuid"].as_str()), (Some(1), Some(b.as_str())));
    let token = news["iteration_token"].as_u64().unwrap();
    assert_eq!(news["transfers"][0]["transfer_iteration_token"], json!(token));
    assert_eq!(world.ask(conn, SITE, &format!("transfers/remove/{a}"), json!({})), (200, json!({})));
    let news = world.activity(conn, SITE, token);
    assert_eq!(news["transfers"][0]["status"], json!("removed"));
    assert_eq!(news["transfers"][0]["uuid"], json!(a));
    let token = news["iteration_token"].as_u64().unwrap();
    assert_eq!(world.activity(conn, SITE, token)["result_count"], json!(0));
    assert_eq!(world.activity(conn, SITE, 0)["result_count"], json!(1), "not for a page that never knew it");
    assert_eq!(world.activity(conn, SITE, token + 1_000)["result_count"], json!(1), "a token from the future is 0");
    assert_eq!(world.ask(conn, SITE, &format!("transfers/info/{a}"), json!({})).0, 404);
}

#[test]
fn stop_resume_and_new_credentials() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let run = world.workers[&uuid].0;
    assert_eq!(world.ask(conn, SITE, &format!("transfers/stop/{uuid}"), json!({})).0, 200);
    assert_eq!(world.told, [(run, Command::Stop)]);
    assert_eq!(world.info(conn, &uuid)["status"], json!("cancelled"));
    let stopped = Failure::new(ErrorCode::UserCancel, "");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(stopped)));
    assert_eq!(world.status(&uuid), TransferStatus::Cancelled);
    let body = json!({"token": "new-token", "remote_host": "evil.example"});
    let (status, answer) = world.ask(conn, SITE, &format!("transfers/resume/{uuid}"), body);
    assert_eq!((status, answer["transfer_spec"]["uuid"].as_str()), (200, Some(uuid.as_str())));
    assert!(!answer.to_string().contains("new-token"));
    let start = &world.workers[&uuid].1;
    assert_eq!(start.server.credential, Credential::Token { token: "new-token".to_owned().into() });
    assert_eq!((start.server.host.as_str(), start.attempt), ("server.example", 2));
}

#[test]
fn new_limits_reach_the_worker_and_are_shown() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let change = json!({"target_rate_kbps": "5000", "rate_policy": "fixed"});
    let (status, body) = world.ask(conn, SITE, &format!("transfers/modify/{uuid}"), change);
    assert_eq!((status, body), (200, json!({"target_rate_kbps": 5000, "rate_policy": "fixed"})));
    let Some((_, Command::SetRate(rate))) = world.told.last() else { panic!("{:?}", world.told) };
    assert_eq!(rate.target.unwrap().0, 5000);
    assert_eq!(world.info(conn, &uuid)["transfer_spec"]["target_rate_kbps"], json!(5000));
    let (status, _) = world.ask(conn, SITE, &format!("transfers/modify/{uuid}"), json!({"rate_policy": "warp"}));
    assert_eq!(status, 400);
}

#[test]
fn without_credentials_and_dialogs_the_transfer_fails_with_words_and_no_worker() {
    let (mut world, conn) = World::trusted();
    let mut spec = World::spec();
    spec.as_object_mut().unwrap().remove("remote_password");
    let body = World::start_body(&spec, &json!({"allow_dialogs": false}));
    let (status, body) = world.ask(conn, SITE, "transfers/start", body);
    assert_eq!(status, 200);
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    let info = world.info(conn, &uuid);
    assert_eq!((info["status"].as_str(), info["error_code"].as_u64()), (Some("failed"), Some(19)));
    assert!(!info["error_desc"].as_str().unwrap().is_empty());
    assert!(world.workers.is_empty());
}

#[test]
fn errors_that_may_pass_are_retried_and_a_crash_at_once() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Crashed("signal 9".into())));
    let info = world.info(conn, &uuid);
    assert_eq!((info["status"].as_str(), info["error_code"].as_u64()), (Some("willretry"), Some(16)));
    world.later(Duration::from_secs(1));
    assert_eq!(world.workers[&uuid].1.attempt, 2);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::DataTimeout, ""))));
    world.later(Duration::from_secs(29));
    assert!(world.workers.is_empty());
    world.later(Duration::from_secs(1));
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::NoSpace, ""))));
    let info = world.info(conn, &uuid);
    assert_eq!((info["status"].as_str(), info["error_code"].as_u64()), (Some("failed"), Some(25)));
}

#[test]
fn what_cannot_be_started_is_refused() {
    let (mut world, conn) = World::trusted();
    let (status, body) = world.ask(conn, SITE, "transfers/start", json!({"transfer_specs": []}));
    assert_eq!(status, 400, "{body}");
}

#[test]
fn a_long_answer_comes_in_parts() {
    let (mut world, conn) = World::trusted();
    let mut spec = World::spec();
    spec["tags"] = json!({"blob": "x".repeat(300_000)});
    assert_eq!(world.post(conn, SITE, "transfers/start", World::start_body(&spec, &json!({}))), world.next_request - 1);
    let parts = world.sent.iter().filter(|(_, m)| matches!(m, Message::Part(_))).count();
    assert!(parts >= 2, "{parts}");
}

#[test]
fn a_wall_clock_that_jumps_moves_no_retry_and_takes_no_token_back() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    world.worker(&uuid, WorkerEvent::Ended(Ended::Failed(Failure::new(ErrorCode::ConnectionLost, ""))));
    let mut token = world.activity(conn, SITE, 0)["iteration_token"].as_u64().unwrap();
    for wall_ms in [4_000_000_000_000, 1_000, 1_700_000_000_000] {
        world.now.wall_ms = wall_ms;
        world.later(Duration::from_secs(9));
        assert_eq!(world.status(&uuid), TransferStatus::WillRetry);
        world.ask(conn, SITE, &format!("transfers/modify/{uuid}"), json!({"target_rate_kbps": 9_000}));
        let after = world.activity(conn, SITE, token);
        assert_eq!(after["result_count"], json!(1), "the page hears of each change");
        assert!(after["iteration_token"].as_u64() > Some(token));
        token = after["iteration_token"].as_u64().unwrap();
    }
    assert!(!world.workers.contains_key(&uuid));
    world.later(Duration::from_secs(3));
    assert!(world.workers.contains_key(&uuid), "30 seconds after the failure");
}
