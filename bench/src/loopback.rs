//! One large file over loopback: `godwit cp` both ways, `cp` + `sha256sum`, `curl` from nginx with TLS.
//!
//! What the contestants do is not the same, and the table says so: `godwit cp` encrypts, verifies every unit and waits for the
//! disk; `curl` encrypts only; `cp` + `sha256sum` copies within the kernel, then reads the copy for its sum. The row with
//! `sync` adds to the latter the wait for the disk.

use crate::nginx::Nginx;
use crate::table;
use godwit_tests::{Scratch, Server, ServerOptions, tree};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

struct Contestant<'a> {
    name: &'static str,
    /// Where it leaves the copy.
    target: PathBuf,
    /// The commands, one after the other.
    run: Box<dyn Fn() -> Vec<Command> + 'a>,
    seconds: Vec<f64>,
}

/// Measures and prints; returns the same as JSON.
pub(crate) fn run(bytes: u64, rounds: usize) -> Value {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    let name = "file.bin";
    let here = scratch.path("here").join(name);
    let there = server.docroot().join(name);
    eprintln!("making a file of {} MiB", bytes >> 20);
    tree::file(&here, bytes, 1);
    std::fs::copy(&here, &there).unwrap();
    let nginx = Nginx::start(&scratch, server.docroot());
    let mut contestants = contestants(&scratch, &server, nginx.as_ref(), &here);
    // Nobody shall pay for reading the source from the disk first.
    tree::assert_same_file(&here, &there);
    for round in 1..=rounds {
        for contestant in &mut contestants {
            let seconds = measure(contestant);
            eprintln!("round {round}: {}: {seconds:.2} s", contestant.name);
            contestant.seconds.push(seconds);
            tree::assert_same_file(&here, &contestant.target);
            std::fs::remove_file(&contestant.target).unwrap();
        }
    }
    report(&contestants, bytes, rounds)
}

fn contestants<'a>(
    scratch: &'a Scratch,
    server: &'a Server,
    nginx: Option<&'a Nginx>,
    here: &'a Path,
) -> Vec<Contestant<'a>> {
    let out = scratch.folder("out");
    let godwit = move |from: String, to: String| {
        let mut command = scratch.command("godwit");
        let (user, password) = ServerOptions::default().user;
        debug_assert_eq!(user, "ann");
        command.env_remove("RUST_LOG").env("GODWIT_PASSWORD", password).args(["cp", "--data-port"]);
        command.arg(server.data.port().to_string()).args(["--fingerprint", &server.fingerprint]).args([from, to]);
        vec![command]
    };
    let plain = |program: &str, arguments: &[&Path]| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    let (copied, synced, fetched) = (out.join("cp"), out.join("cp-sync"), out.join("curl"));
    let mut all = vec![
        Contestant {
            name: "godwit cp, upload",
            target: server.docroot().join("up/file.bin"),
            run: Box::new(move || godwit(here.display().to_string(), "ann@127.0.0.1:/up/".into())),
            seconds: Vec::new(),
        },
        Contestant {
            name: "godwit cp, download",
            target: scratch.folder("down").join("file.bin"),
            run: Box::new(move || {
                godwit("ann@127.0.0.1:/file.bin".into(), scratch.folder("down").display().to_string())
            }),
            seconds: Vec::new(),
        },
        Contestant {
            name: "cp + sha256sum",
            target: copied.clone(),
            run: Box::new(move || vec![plain("cp", &[here, &copied]), plain("sha256sum", &[&copied])]),
            seconds: Vec::new(),
        },
        Contestant {
            name: "cp + sync + sha256sum",
            target: synced.clone(),
            run: Box::new(move || {
                vec![plain("cp", &[here, &synced]), plain("sync", &[&synced]), plain("sha256sum", &[&synced])]
            }),
            seconds: Vec::new(),
        },
    ];
    if let Some(nginx) = nginx {
        all.push(Contestant {
            name: "curl from nginx with TLS",
            target: fetched.clone(),
            run: Box::new(move || {
                let mut command = Command::new("curl");
                command.args(["--insecure", "--silent", "--show-error", "--fail", "--output"]).arg(&fetched);
                command.arg(nginx.url("file.bin"));
                vec![command]
            }),
            seconds: Vec::new(),
        });
    }
    all
}

fn measure(contestant: &Contestant<'_>) -> f64 {
    if let Some(folder) = contestant.target.parent() {
        std::fs::create_dir_all(folder).unwrap();
    }
    // What earlier rounds still have to write shall not be paid by this one.
    let _ = Command::new("sync").status();
    let begin = Instant::now();
    for mut command in (contestant.run)() {
        let status = command.stdout(Stdio::null()).stdin(Stdio::null()).status();
        assert!(status.is_ok_and(|s| s.success()), "{} failed", contestant.name);
    }
    begin.elapsed().as_secs_f64()
}

fn report(contestants: &[Contestant<'_>], bytes: u64, rounds: usize) -> Value {
    let median_of =
        |name: &str| contestants.iter().find(|c| c.name == name).map(|c| table::median(&c.seconds)).unwrap_or(f64::NAN);
    let (local, curl) = (median_of("cp + sha256sum"), median_of("curl from nginx with TLS"));
    let head = ["", "seconds (median)", "Mbit/s", "speed to cp + sha256sum", "speed to curl"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut results = Vec::new();
    for contestant in contestants {
        let median = table::median(&contestant.seconds);
        let rate = bytes as f64 * 8.0 / median / 1e6;
        let ratio = |other: f64| if other.is_nan() { "–".to_owned() } else { format!("{:.2}", other / median) };
        rows.push(vec![
            contestant.name.to_owned(),
            format!("{median:.2}"),
            format!("{rate:.0}"),
            ratio(local),
            ratio(curl),
        ]);
        results.push(json!({
            "name": contestant.name, "seconds": contestant.seconds, "median": median, "mbit_per_second": rate,
            "speed_to_cp_sha256sum": local / median, "speed_to_curl": curl / median,
        }));
    }
    table::print(&format!("{} MiB over loopback, {rounds} rounds", bytes >> 20), &rows);
    json!({"bytes": bytes, "rounds": rounds, "results": results})
}
