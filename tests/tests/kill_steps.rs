//! SIGKILL at each step by which a received file becomes durable and gets its name: before the data are synced, between
//! sync and name, between the saving of an old file and the exchange, before the journal goes.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Scratch, Server, ServerOptions, processes, scratch, tree};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// What the receiver asks of the kernel on that way.
const STEPS: [&str; 8] = ["fdatasync", "fsync", "syncfs", "utimensat", "linkat", "renameat2", "unlinkat", "ftruncate"];
/// Each is interrupted the first times that a thread comes by.
const TIMES: u32 = 3;
/// Larger than a group takes along, so it has a partial file and a journal.
const LARGE: &str = "film.bin";
const OLD: [(&str, &[u8]); 2] =
    [(LARGE, b"what was there before, large"), ("small-03.txt", b"what was there before, small")];

/// `godwit cp` of the server's folder, killed at a step if one is given.
fn copy(scratch: &Scratch, server: &Server, target: &Path, step: Option<(&str, u32)>) -> Output {
    let plain = scratch.command("godwit");
    let mut command = match step {
        Some((name, time)) => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={name}")]);
            strace.args(["-e", &format!("inject={name}:signal=KILL:when={time}")]).arg(plain.get_program());
            strace.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
            strace
        }
        None => plain,
    };
    command.env("GODWIT_PASSWORD", server.password()).args(["cp", "--save-before-overwrite"]);
    command.args(["--data-port", &server.data.port().to_string(), "--fingerprint", &server.fingerprint]);
    command.arg(format!("{}@127.0.0.1:/tree", server.user())).arg(target);
    processes::output(&mut command, LONG)
}

/// Every file is whole: the new content or the old one, under a name where it belongs, and nothing old is lost.
fn look(source: &Path, target: &Path, when: &str) {
    let mut kept = OLD.map(|_| 0);
    for file in scratch::files_below(target) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".aspera-ckpt") {
            continue;
        }
        let found = fs::read(&file).unwrap();
        let old = OLD.iter().position(|(_, content)| *content == found);
        match old {
            Some(which) => kept[which] += 1,
            None if name.ends_with(".partial") => {}
            None => assert!(fs::read(source.join(name)).ok() == Some(found), "{when}: {name} is neither old nor new"),
        }
    }
    for ((name, _), copies) in OLD.iter().zip(kept) {
        // Saved by a link, the old file has two names for a moment, and that of the partial file after the exchange.
        assert!((1..=3).contains(&copies), "{when}: {copies} of what {name} was before");
    }
}

#[test]
fn killed_at_any_step_to_its_name_a_file_is_old_or_new_and_the_next_run_completes() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let source = server.docroot().join("tree");
    tree::file(&source.join(LARGE), 5 * 1024 * 1024 + 17, 1);
    for n in 0..12 {
        tree::file(&source.join(format!("small-{n:02}.txt")), 1000 * n, n);
    }
    let mut kills = 0;
    for step in STEPS {
        for time in 1..=TIMES {
            let when = format!("{step}, time {time}");
            let base = scratch.folder(&format!("to-{step}-{time}"));
            let target = base.join("tree");
            fs::create_dir(&target).unwrap();
            for (name, content) in OLD {
                fs::write(target.join(name), content).unwrap();
            }
            let out = copy(&scratch, &server, &base, Some((step, time)));
            let killed = out.status.signal() == Some(9) || out.status.code() == Some(128 + 9);
            assert!(killed || out.status.success(), "{when}: {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
            kills += u32::from(killed);
            look(&source, &target, &when);

            let out = copy(&scratch, &server, &base, None);
            assert!(out.status.success(), "after {when}: {}", String::from_utf8_lossy(&out.stderr));
            look(&source, &target, &format!("after {when}"));
            for file in fs::read_dir(&source).unwrap() {
                let name = file.unwrap().file_name();
                tree::assert_same_file(&source.join(&name), &target.join(&name));
            }
            let left = scratch::files_below(&target).into_iter().find(|file| {
                let extension = file.extension().unwrap_or_default();
                extension == "aspera-ckpt" || extension == "partial"
            });
            assert_eq!(left, None, "after {when}");
            fs::remove_dir_all(&base).unwrap();
        }
    }
    assert!(kills >= 5, "only {kills} of the steps were met: this shows little");
    println!("{kills} kills at {} steps", STEPS.len());
}
