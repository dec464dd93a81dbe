//! `cargo xtask api`: thousands of generated requests (schemathesis) against a running server and its own description. No
//! failure of the server and no answer that is not described may come of them.

use crate::{Outcome, place, run, setup};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// What schemathesis looks at. What it asks of every server by itself, such as refusing unknown fields, is not ours.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
const LOGIN: &str = "api:a password for a test";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests for every operation and phase
    #[arg(long, default_value_t = 200)]
    examples: u32,
    /// Seed of the generator, to see a failure again
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Ends the server whatever way the tests end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    let program = setup::schemathesis()?;
    let folder = place::target().join("api-test");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(folder.join("files/dir"))?;
    std::fs::write(folder.join("files/dir/f"), "content")?;
    let (_server, address) = start(&folder)?;
    let mut tests = run::command(&program.display().to_string());
    tests
        .arg("run")
        .arg(place::root().join("server/openapi.json"))
        .args(["--url", &format!("http://{address}"), "--auth", LOGIN, "--checks", CHECKS, "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", &options.examples.to_string()])
        .args(["--seed", &options.seed.to_string(), "--request-timeout", "60"]);
    let mut cases = None;
    let good = run::watch(&mut tests, |line| {
        if let Some(text) = line.trim().strip_suffix(" passed").or_else(|| line.trim().strip_suffix(" generated")) {
            cases = Some(text.to_owned());
        }
    })?;
    if let Some(cases) = cases {
        println!("api: {cases}");
    }
    Ok(good)
}

fn start(folder: &Path) -> Outcome<(Server, String)> {
    let log = std::fs::File::create(folder.join("log"))?;
    let mut child = run::command(&place::dist_bin().join("godwit-server").display().to_string())
        .args(["--bind", "127.0.0.1", "--data-port", "0", "--api-port", "0", "--http-port", "0", "--user", LOGIN])
        .arg("--docroot")
        .arg(folder.join("files"))
        .arg("--state")
        .arg(folder.join("state"))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let output = child.stdout.take();
    let server = Server(child);
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line)?;
    }
    let address = line.split(' ').find_map(|word| word.strip_prefix("http="));
    let address = address.ok_or_else(|| format!("the server does not start: {line}"))?;
    Ok((server, address.trim().to_owned()))
}
