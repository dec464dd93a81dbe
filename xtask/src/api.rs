//! `cargo xtask api`: thousands of generated requests (schemathesis) against a running server and its own description. No
//! failure of the server and no answer that is not described may come of them.

use crate::report::Count;
use crate::{Outcome, place, run, setup};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

/// What schemathesis looks at. What it asks of every server by itself, such as refusing unknown fields, is not ours.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
const LOGIN: &str = "api:a password for a test";
/// The same in base64.
const BASIC: &str = "YXBpOmEgcGFzc3dvcmQgZm9yIGEgdGVzdA==";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Requests for every operation and phase
    #[arg(long, default_value_t = 200)]
    examples: u32,
    /// Seed of the generator, to see a failure again
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fewer requests in all are no test
    #[arg(long, default_value_t = 5_000)]
    least: u64,
}

/// Ends the server whatever way the tests end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All phases: boundaries first, then chance.
pub(crate) fn run(options: &Options) -> Outcome<bool> {
    let phases = ["--phases", "examples,coverage,fuzzing"];
    let examples = options.examples.to_string();
    let seed = options.seed.to_string();
    let (good, cases) = test(&[&phases[..], &["--max-examples", &examples, "--seed", &seed]].concat())?;
    println!("api: {cases} requests");
    if cases < options.least {
        println!("api: that is too few");
    }
    Ok(good && cases >= options.least)
}

/// The short form, for the test command: the boundaries of every parameter and field, without chance.
pub(crate) fn short() -> Outcome<Count> {
    let (good, cases) = test(&["--phases", "coverage", "--seed", "1"])?;
    println!("api: {cases} requests");
    Ok(Count::one(good && cases >= 1_000))
}

/// Whether everything held, and how many requests there were.
fn test(arguments: &[&str]) -> Outcome<(bool, u64)> {
    let program = setup::schemathesis()?;
    let folder = place::target().join("api-test");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(folder.join("files/dir"))?;
    std::fs::write(folder.join("files/dir/f"), "content")?;
    let (server, address) = start(&folder)?;
    let (key, root) = make_key(&address)?;
    crate::files::write(&folder.join("key.toml"), format!("[parameters]\n\"path.id\" = \"{root}\"\n").as_bytes())?;
    let mut good = true;
    // As a user; and again as an access key, which alone has files by id, with the id of its root.
    for (login, before, only) in [
        (LOGIN, &[][..], &[][..]),
        (&key, &["--config-file", "key.toml"], &["--include-path-regex", r"^/(files/\{id\}|permissions|events)"]),
    ] {
        let mut tests = run::command(&program.display().to_string());
        tests
            .args(before)
            .arg("run")
            .arg(place::root().join("server/openapi.json"))
            .args(["--url", &format!("http://{address}"), "--auth", login, "--checks", CHECKS, "--no-color"])
            .args(["--request-timeout", "60", "--generation-database", "none"])
            .args(only)
            .args(arguments)
            // What it leaves behind.
            .current_dir(&folder);
        good &= run::watch(&mut tests, |_| {})?;
    }
    drop(server);
    let log = std::fs::read_to_string(folder.join("log"))?;
    let broken: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    for line in &broken {
        println!("{line}");
    }
    let cases = log.lines().filter(|line| line.contains(" access: answered ")).count() as u64;
    Ok((good && broken.is_empty(), cases))
}

/// An access key of the user's: name and secret, and the id of its root.
fn make_key(address: &str) -> Outcome<(String, String)> {
    let body = r#"{"storage":{"path":"/dir"}}"#;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /access_keys HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Basic {BASIC}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let made: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap_or_default())?;
    let word = |name: &str| made[name].as_str().ok_or_else(|| format!("no access key was made: {answer}"));
    Ok((format!("{}:{}", word("id")?, word("secret")?), word("root_file_id")?.to_owned()))
}

fn start(folder: &Path) -> Outcome<(Server, String)> {
    let log = std::fs::File::create(folder.join("log"))?;
    let programs = std::env::var_os("GODWIT_BIN_DIR").map_or_else(place::dist_bin, |folder| place::root().join(folder));
    let mut child = run::command(&programs.join("godwit-server").display().to_string())
        .env("GODWIT_LOG", "info")
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
