//! Encryption at rest through the real programs, with Debian's own `age` as judge: a passphrase that the user types, an agent that is
//! killed in between, files that are decrypted later, `godwit cp` and `godwit unlock`.

#![allow(clippy::unwrap_used)]

use godwit_protocol::Secret;
use godwit_protocol::ui::{Decision, Question, kinds};
use godwit_tests::scratch::files_below;
use godwit_tests::wait::{LONG, SOON, until_true};
use godwit_tests::{Browserish, Scratch, Server, ServerOptions, processes, tree};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const SITE: (&str, &str) = ("https://app.example", "an-unguessable-app-id-4711");
const PASSPHRASE: &str = "gelber Anorak tanzt im Mai 61fd0";
const SIZE: u64 = 24 << 20;

/// Types the passphrase on a terminal, as `age` wants it.
const TYPE: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("age", ["age", "--decrypt", "--output", sys.argv[2], sys.argv[1]])
said = b""
while b"assphrase" not in said:
    said += os.read(terminal, 1000)
os.write(terminal, sys.argv[3].encode() + b"\n")
try:
    while os.read(terminal, 1000):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

fn opened_by_age(file: &Path, to: &Path) {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", TYPE]).args([file, to]).arg(PASSPHRASE);
    let output = processes::output(&mut python, LONG);
    assert!(output.status.success(), "age, from Debian: {output:?}");
}

#[test]
fn an_upload_whose_agent_is_killed_goes_on_encrypted_and_the_passphrase_is_nowhere_in_clear() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let film = scratch.path("film.mov");
    tree::file(&film, SIZE, 5);
    let browser = Browserish::open(&scratch);
    browser.user(|user| user.passphrases.push_back(Decision::Passphrase { passphrase: Secret::new(PASSPHRASE) }));
    let page = browser.page(SITE.0, SITE.1);
    page.pick_files(&[&film]);
    let slow = json!({"paths": [{"source": film}], "destination_root": "/", "content_protection": "encrypt",
        "rate_policy": "fixed", "target_rate_kbps": 40_000});
    let uuid = page.start(&server.spec("send", server.data.port(), slow));
    let written = page.wait_written(&uuid, 4 << 20, LONG);
    for pid in scratch.agents() {
        processes::kill_hard(pid);
    }
    until_true("the killed agent's browser knows", SOON, || !browser.is_connected());
    assert!(written < SIZE && !server.docroot().join("film.mov.age").exists());
    let mut again = Browserish::open(&scratch);
    again.user(|user| user.passphrases.clear());
    let page = again.page(SITE.0, SITE.1);
    let (status, body) = page.post(&format!("/connect/transfers/modify/{uuid}"), json!({"target_rate_kbps": 900_000}));
    assert_eq!(status, 200, "{body}");
    page.wait_status(&uuid, "completed", LONG);
    let names: Vec<_> = std::fs::read_dir(server.docroot()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["film.mov.age"]);
    opened_by_age(&server.docroot().join("film.mov.age"), &scratch.path("opened"));
    tree::assert_same_file(&film, &scratch.path("opened"));
    for file in files_below(&scratch.home()).into_iter().chain(files_below(server.state())) {
        let content = std::fs::read(&file).unwrap_or_default();
        assert!(!content.windows(PASSPHRASE.len()).any(|w| w == PASSPHRASE.as_bytes()), "{}", file.display());
    }
    again = Browserish::open(&scratch);
    assert!(again.prompts().is_empty());
}

#[test]
fn what_stayed_encrypted_is_unlocked_later_and_loses_nothing_when_worker_and_agent_are_killed_meanwhile() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let trip = scratch.folder("trip");
    tree::file(&trip.join("day 1/a.mov"), SIZE, 1);
    tree::file(&trip.join("day 2/b.txt"), 70_000, 2);
    let (port, remote) = (server.data.port().to_string(), format!("{}@127.0.0.1:/safe/", server.user()));
    let mut cp = scratch.command("godwit");
    cp.args(["cp", "--encrypt", "--data-port", &port, "--fingerprint", &server.fingerprint]).arg(&trip).arg(&remote);
    cp.env("GODWIT_PASSWORD", server.password()).env("GODWIT_PASSPHRASE", PASSPHRASE);
    assert!(processes::output(&mut cp, LONG).status.success());

    let browser = Browserish::open(&scratch);
    let typed = |passphrase: &str| Decision::Passphrase { passphrase: Secret::new(passphrase) };
    let page = browser.page(SITE.0, SITE.1);
    browser.user(|user| user.passphrases.push_back(Decision::Skip));
    let wanted = json!({"paths": [{"source": "/safe/trip"}], "content_protection": "decrypt"});
    let uuid = page.start(&server.spec("receive", server.data.port(), wanted));
    page.wait_status(&uuid, "completed", LONG);
    let view =
        |browser: &Browserish| -> Value { browser.ui(kinds::SUBSCRIBE, json!({})).unwrap()["transfers"][0].clone() };
    let seen = view(&browser);
    assert_eq!(seen["unlocked"]["kept"], 2);
    let folder = Path::new(seen["folder"].as_str().unwrap()).join("trip");
    let encrypted = [folder.join("day 1/a.mov.age"), folder.join("day 2/b.txt.age")];
    let before = encrypted.each_ref().map(|file| std::fs::read(file).unwrap());
    let untouched = || encrypted.iter().zip(&before).all(|(file, was)| std::fs::read(file).is_ok_and(|is| is == *was));
    let workers = || processes::named(&scratch.home(), "godwit-worker");
    let unlock = |browser: &Browserish, decisions: &[Decision]| {
        until_true("no worker is left", LONG, || workers().is_empty());
        browser.user(|user| user.passphrases.extend(decisions.iter().cloned()));
        browser.ui(kinds::UNLOCK, json!({"uuid": uuid})).unwrap();
    };

    // The worker dies while it derives the key: that takes longer than to find it.
    unlock(&browser, &[typed(PASSPHRASE)]);
    until_true("a worker decrypts", LONG, || !workers().is_empty());
    workers().into_iter().for_each(processes::kill_hard);
    until_true("the list tells it", LONG, || view(&browser)["unlocked"]["why"].is_string());
    let seen = view(&browser);
    assert_eq!((&seen["unlocked"]["kept"], &seen["unlocking"]), (&json!(2), &Value::Null), "{seen}");
    assert!(untouched());

    // The agent dies.
    unlock(&browser, &[typed(PASSPHRASE)]);
    until_true("a worker decrypts", LONG, || !workers().is_empty());
    scratch.agents().into_iter().for_each(processes::kill_hard);
    until_true("the killed agent's browser knows", SOON, || !browser.is_connected());
    until_true("its worker has ended as well", LONG, || workers().is_empty());
    assert!(untouched());
    let browser = Browserish::open(&scratch);
    let seen = view(&browser);
    assert_eq!((&seen["unlocked"]["kept"], &seen["unlocking"]), (&json!(2), &Value::Null), "{seen}");

    // A wrong one is asked for again. What lies there under the name of a decrypted file is not replaced.
    std::fs::write(folder.join("day 2/b.txt"), "my own").unwrap();
    unlock(&browser, &[typed("sawfish"), typed(PASSPHRASE)]);
    until_true("everything is decrypted", LONG, || view(&browser)["unlocked"]["kept"] == 0);
    let asked = browser.prompts();
    let wrong = asked.iter().map(|p| matches!(p.question, Question::Passphrase { wrong: true, unlocks: Some(_), .. }));
    assert_eq!(wrong.collect::<Vec<_>>(), [false, true]);
    assert_eq!(std::fs::read_to_string(folder.join("day 2/b.txt")).unwrap(), "my own");
    std::fs::rename(folder.join("day 2/b (decrypted).txt"), folder.join("day 2/b.txt")).unwrap();
    tree::assert_same(&trip, &folder);
    for file in files_below(&scratch.home()) {
        let content = std::fs::read(&file).unwrap_or_default();
        assert!(!content.windows(PASSPHRASE.len()).any(|w| w == PASSPHRASE.as_bytes()), "{}", file.display());
    }

    // The next agent knows that nothing is left to do.
    until_true("the worker has ended", LONG, || workers().is_empty());
    scratch.agents().into_iter().for_each(processes::kill_hard);
    until_true("the killed agent's browser knows", SOON, || !browser.is_connected());
    let browser = Browserish::open(&scratch);
    assert_eq!((&view(&browser)["unlocked"]["opened"], &view(&browser)["unlocked"]["kept"]), (&json!(2), &json!(0)));
    assert!(browser.ui(kinds::UNLOCK, json!({"uuid": uuid})).is_err());
}

#[test]
fn the_command_line_encrypts_decrypts_and_unlocks() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let trip = scratch.folder("trip");
    tree::file(&trip.join("day 1/a.mov"), 3_000_000, 1);
    tree::file(&trip.join("empty"), 0, 1);
    let godwit = |args: &[&str], passphrase: &str| {
        let mut command = scratch.command("godwit");
        command.args(args).env("GODWIT_PASSWORD", server.password()).env("GODWIT_PASSPHRASE", passphrase);
        let output = processes::output(&mut command, LONG);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), said)
    };
    let (port, remote) = (server.data.port().to_string(), |path: &str| format!("{}@127.0.0.1:{path}", server.user()));
    let cp = |more: &[&str], passphrase: &str| {
        let mut args = vec!["cp", "--data-port", &port, "--fingerprint", &server.fingerprint];
        args.extend(more);
        godwit(&args, passphrase)
    };
    let here = |name: &str| scratch.path(name).to_str().unwrap().to_owned();
    let (code, said) = cp(&["--encrypt", trip.to_str().unwrap(), &remote("/safe/")], PASSPHRASE);
    assert_eq!(code, 0, "{said}");
    opened_by_age(&server.docroot().join("safe/trip/day 1/a.mov.age"), &scratch.path("opened"));
    tree::assert_same_file(&trip.join("day 1/a.mov"), &scratch.path("opened"));
    let (code, said) = cp(&["--decrypt", &remote("/safe/trip"), &here("back/")], PASSPHRASE);
    assert_eq!(code, 0, "{said}");
    tree::assert_same(&trip, &scratch.path("back/trip"));

    let (code, said) = cp(&["--decrypt", &remote("/safe/trip"), &here("wrong/")], "sawfish");
    assert!(code == 0 && said.contains("the passphrase is wrong") && said.contains("godwit unlock"), "{code} {said}");
    let (code, said) = godwit(&["unlock", &here("wrong")], "sawfish");
    assert!(code == 48 && said.contains("a.mov.age: the passphrase is wrong"), "{code} {said}");
    let (code, said) = godwit(&["unlock", &here("wrong")], PASSPHRASE);
    assert_eq!(code, 0, "{said}");
    tree::assert_same(&trip, &scratch.path("wrong/trip"));
    let (code, said) = cp(&["--decrypt", trip.to_str().unwrap(), &remote("/")], PASSPHRASE);
    assert!(code != 0 && said.contains("--decrypt for what is received"), "{code} {said}");
}

#[test]
fn the_command_line_is_told_to_encrypt_where_only_encrypted_files_are_taken() {
    let scratch = Scratch::new();
    let config = "content_protection = \"required\"\n".into();
    let server = Server::start(&scratch, ServerOptions { config, ..ServerOptions::default() });
    let trip = scratch.folder("trip");
    tree::file(&trip.join("a.mov"), 3_000_000, 1);
    tree::file(&trip.join("b.age"), 3_000_000, 2);
    let (port, remote) = (server.data.port().to_string(), format!("{}@127.0.0.1:/", server.user()));
    let cp = |more: &[&str]| {
        let mut command = scratch.command("godwit");
        command.args(["cp", "--data-port", &port, "--fingerprint", &server.fingerprint]).args(more);
        command.env("GODWIT_PASSWORD", server.password()).env("GODWIT_PASSPHRASE", PASSPHRASE);
        let output = processes::output(&mut command, LONG);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let one = trip.join("a.mov");
    let (code, said) = cp(&[one.to_str().unwrap(), &remote]);
    assert!(code == 48 && said.contains("encrypted files only") && said.contains("--encrypt"), "{code} {said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("godwit: ")).count(), 1, "{said}");
    let (code, said) = cp(&[trip.to_str().unwrap(), &remote]);
    assert!(code == 27 && said.contains("a.mov") && said.contains("Add --encrypt"), "{code} {said}");
    assert_eq!(files_below(server.docroot()), Vec::<std::path::PathBuf>::new());
    let (code, said) = cp(&["--encrypt", trip.to_str().unwrap(), &remote]);
    assert_eq!(code, 0, "{said}");
    opened_by_age(&server.docroot().join("trip/a.mov.age"), &scratch.path("opened"));
    tree::assert_same_file(&one, &scratch.path("opened"));
    assert!(server.docroot().join("trip/b.age.age").exists());
}
