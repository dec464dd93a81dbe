//! `godwit cp` against the real server.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Server, read_until, run};
use rustix::process::{Pid, Signal};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const AT: &str = "ann@127.0.0.1:";

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 31 % 251) as u8).collect()
}

/// A small tree with what trips copiers up.
fn tree(at: &Path) {
    fs::create_dir_all(at.join("sub/empty")).unwrap();
    fs::write(at.join("one"), content(1)).unwrap();
    fs::write(at.join("zero"), "").unwrap();
    fs::write(at.join("sub/two MiB.bin"), content(2_500_000)).unwrap();
    fs::write(at.join("sub/Größe 東京.partial"), content(100)).unwrap();
}

/// Every path below `at` with its content; folders have none.
fn listing(at: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    fn walk(root: &Path, at: &Path, found: &mut Vec<(String, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.push((name, None));
                walk(root, &path, found);
            } else {
                found.push((name, Some(fs::read(&path).unwrap())));
            }
        }
    }
    let mut found = Vec::new();
    walk(at, at, &mut found);
    found.sort();
    found
}

fn at(path: &str) -> String {
    format!("{AT}{path}")
}

#[test]
fn a_tree_goes_up_and_comes_back_byte_for_byte() {
    let server = Server::start();
    let tree_ = server.local().join("tree");
    tree(&tree_);
    let (code, out, err) = run(server.cp(&["tree", &at("/")]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("4 files, 2.4 MiB in ") && out.ends_with(", verified\n"), "{out}");
    assert_eq!(out.lines().count(), 1);
    assert_eq!(listing(&server.docroot().join("tree")), listing(&tree_));
    let (code, out, err) = run(server.cp(&[&at("tree"), "back"]));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(listing(&server.local().join("back")), listing(&tree_), "a folder that is not there is the new name");
    let (code, _, err) = run(server.cp(&[&at("/tree"), "back"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(listing(&server.local().join("back/tree")), listing(&tree_), "a folder that is there gets it inside");
}

#[test]
fn the_target_is_a_folder_or_a_name_as_with_cp() {
    let server = Server::start();
    for name in ["a", "b"] {
        fs::write(server.local().join(name), name).unwrap();
    }
    fs::create_dir(server.docroot().join("in")).unwrap();
    let docroot = server.docroot();
    let up = |arguments: &[&str]| {
        let (code, _, err) = run(server.cp(arguments));
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    };
    up(&["a", &at("in")]);
    assert_eq!(fs::read(docroot.join("in/a")).unwrap(), b"a");
    up(&["a", &at("in/c")]);
    assert_eq!(fs::read(docroot.join("in/c")).unwrap(), b"a");
    up(&["b", &at("in/c"), "--overwrite", "always"]);
    assert_eq!(fs::read(docroot.join("in/c")).unwrap(), b"b", "an existing file is replaced, not a folder");
    up(&["a", &at("new/deep/")]);
    assert_eq!(fs::read(docroot.join("new/deep/a")).unwrap(), b"a");
    up(&["a", "b", &at("both")]);
    assert_eq!(listing(&docroot.join("both")).len(), 2);
    up(&[&at("both/a"), &at("both/b"), "down"]);
    assert_eq!(listing(&server.local().join("down")).len(), 2);
    up(&[&at("both/a"), "renamed"]);
    assert_eq!(fs::read(server.local().join("renamed")).unwrap(), b"a");

    let (code, _, err) = run(server.cp(&["a", &at("no/such")]));
    assert!(code == 4 && err.contains("'/no'"), "{code} {err}");
    let (code, _, err) = run(server.cp(&[&at("both/a"), "no/such"]));
    assert!(code == 4 && err.contains("no"), "{code} {err}");
}

#[test]
fn each_failure_has_its_code_and_one_line() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    let check = |name: &str, command: Command, expected: i32, word: &str| {
        let (code, out, err) = run(command);
        assert_eq!((code, out.as_str()), (expected, ""), "{name}: {err}");
        assert!(err.starts_with("godwit: ") && err.lines().count() == 1, "{name}: {err}");
        assert!(err.contains(word), "{name}: {err}");
    };
    let mut command = server.bare_cp(&["a", &at("/"), "--fingerprint", &format!("SHA256:{}", "0".repeat(64))]);
    command.env("GODWIT_PASSWORD", "right");
    check("another fingerprint", command, 51, &server.fingerprint);
    let mut command = server.bare_cp(&["a", &at("/")]);
    command.env("GODWIT_PASSWORD", "right");
    check("unknown certificate", command, 51, &format!("--fingerprint {}", server.fingerprint));
    let mut command = server.cp(&["a", &at("/")]);
    command.env("GODWIT_PASSWORD", "wrong");
    check("wrong password", command, 19, "GODWIT_PASSWORD");
    check("no password", server.bare_cp(&["a", &at("/"), "--fingerprint", &server.fingerprint]), 19, "no terminal");
    check("missing source", server.cp(&["missing", &at("/")]), 4, "missing");
    check("missing on the server", server.cp(&[&at("missing"), "."]), 4, "missing");
    check("out of the docroot", server.cp(&[&at("../x"), "."]), 41, "../x");
    check("no server side", server.cp(&["a", "b"]), 8, "HOST:PATH");
    let mut command = server.cp(&["a", "ann@host.invalid:"]);
    command.env("GODWIT_PASSWORD", "right");
    check("no such host", command, 12, "host.invalid");
    assert_eq!(listing(&server.docroot()), []);
}

#[test]
fn a_failed_file_does_not_stop_the_others_and_is_told() {
    let server = Server::start();
    let tree_ = server.local().join("tree");
    tree(&tree_);
    std::os::unix::fs::symlink("/etc/passwd", tree_.join("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree_.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let (code, out, err) = run(server.cp(&["tree", &at("/")]));
    assert_ne!(code, 0, "{out}");
    assert!(err.contains("pipe"), "{err}");
    assert_eq!(fs::read(server.docroot().join("tree/sub/two MiB.bin")).unwrap(), content(2_500_000));
}

#[test]
fn json_tells_every_report_and_ends_with_done_or_error() {
    let server = Server::start();
    fs::write(server.local().join("a"), content(3_000_000)).unwrap();
    let (code, out, err) = run(server.cp(&["a", &at("/"), "--json"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("session"), of("file"), of("done"), of("error")), (1, 1, 1, 0), "{out}");
    assert_eq!(lines.last().unwrap()["type"], "done");
    assert_eq!(lines.last().unwrap()["bytes_written"], 3_000_000);
    let file = lines.iter().find(|line| line["type"] == "file").unwrap();
    assert_eq!(file["outcome"], "completed");
    assert_eq!(file["blake3"].as_str().unwrap().len(), 64);

    let mut command = server.cp(&["a", &at("/"), "--json"]);
    command.env("GODWIT_PASSWORD", "wrong");
    let (code, out, _) = run(command);
    assert_eq!(code, 19);
    let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(last["type"] == "error" && last["code"] == 19, "{out}");
}

#[test]
fn a_token_from_the_environment_is_enough() {
    let server = Server::start();
    fs::write(server.local().join("a"), "a").unwrap();
    let token = server.token(&["--direction", "send", "--path", "/"]);
    let mut command = server.bare_cp(&["a", "127.0.0.1:", "--fingerprint", &server.fingerprint]);
    command.env("GODWIT_TOKEN", token);
    let (code, _, err) = run(command);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(server.docroot().join("a").exists());
}

#[test]
fn ctrl_c_stops_cleanly_and_the_same_command_continues() {
    let server = Server::start();
    let bytes = content(20_000_000);
    fs::write(server.local().join("big"), &bytes).unwrap();
    let arguments = ["big", &at("/"), "--json"];
    let mut slow = server.cp(&arguments);
    slow.args(["--policy", "fixed", "--rate", "40m"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = slow.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // A verified unit is one that a later attempt need not carry again.
    loop {
        let line = read_until(&mut out, "\n");
        let report: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("ended early: {line}"));
        if report["type"] == "stats" && report["bytes_written"].as_u64().unwrap() >= 4 << 20 {
            break;
        }
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(28), "{err}");
    assert!(err.contains("same command again"), "{err}");
    assert!(!server.docroot().join("big").exists());

    let (code, out, err) = run(server.cp(&arguments));
    assert_eq!(code, 0, "{err}");
    let done: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let carried = done["bytes_transferred"].as_u64().unwrap();
    assert!(carried <= (bytes.len() - (4 << 20)) as u64, "{carried} bytes were carried again");
    assert_eq!(fs::read(server.docroot().join("big")).unwrap(), bytes);
}

#[test]
fn what_is_there_already_is_not_carried_again() {
    let server = Server::start();
    let tree_ = server.local().join("tree");
    tree(&tree_);
    let arguments = ["tree", &at("/"), "--preserve-times"];
    assert_eq!(run(server.cp(&arguments)).0, 0);
    let (code, out, _) = run(server.cp(&arguments));
    assert_eq!(code, 0);
    assert!(out.contains("4 files of them there already"), "{out}");
}

#[test]
fn a_password_is_asked_for_on_the_terminal_and_never_shown() {
    let server = Server::start();
    fs::write(server.local().join("a"), content(1_000_000)).unwrap();
    let command = server.bare_cp(&["a", &at("/"), "--fingerprint", &server.fingerprint]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // `script` gives the program a terminal of its own.
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"])
        .env_remove("GODWIT_PASSWORD")
        .env_remove("GODWIT_TOKEN")
        .env("TERM", "xterm")
        .current_dir(server.local())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut terminal = child.stdout.take().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let seen = read_until(&mut terminal, "Password of ann at 127.0.0.1: ");
    assert!(seen.contains("Password of"), "{seen}");
    keys.write_all(b"rong\x15right\r").unwrap();
    let mut rest = String::new();
    terminal.read_to_string(&mut rest).unwrap();
    drop(keys);
    let status = child.wait().unwrap();
    assert!(status.success(), "{rest}");
    assert!(rest.contains("1 file, 976.6 KiB in ") && !rest.contains("right") && !rest.contains("rong"), "{rest}");
    assert!(server.docroot().join("a").exists());
}
