//! The real `godwit-server`, which can be killed and come back on the same ports.

use crate::wait::SOON;
use crate::{Scratch, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How to run a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Name and password.
    pub user: (String, String),
    /// The user stands in a configuration file, as a hash, and not on the command line.
    pub by_config: bool,
    /// Seconds that running sessions may go on after SIGTERM; puts the user into a configuration file too.
    pub drain_seconds: Option<u64>,
    /// Namespace and address of the host it runs on, see [`crate::namespaces`]; absent: this one, 127.0.0.1.
    pub host: Option<(String, String)>,
    /// Further lines of the configuration file, at its top; not empty, they put the user into that file too.
    pub config: String,
    /// What it logs.
    pub log: &'static str,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            user: ("ann".into(), "a-password-for-tests".into()),
            by_config: false,
            drain_seconds: None,
            host: None,
            config: String::new(),
            log: "debug,quinn=info,quinn_proto=info,rustls=info",
        }
    }
}

impl ServerOptions {
    fn needs_config(&self) -> bool {
        self.by_config || self.drain_seconds.is_some() || !self.config.is_empty()
    }

    fn config(&self) -> String {
        let drain = self.drain_seconds.map_or(String::new(), |seconds| format!("drain_seconds = {seconds}\n"));
        let (name, password) = &self.user;
        format!("{drain}{}\n[users.{name}]\npassword_hash = \"{}\"\n", self.config, hash_password(password))
    }
}

/// The hash of a password, made by the server's own tool.
fn hash_password(password: &str) -> String {
    let mut child = Command::new(crate::binaries::path("godwit-server"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "hash-password works");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    options: ServerOptions,
    docroot: PathBuf,
    state: PathBuf,
    config_file: PathBuf,
    stderr: PathBuf,
    /// UDP, and TCP for port tests.
    pub data: SocketAddr,
    /// The API over HTTPS.
    pub api: SocketAddr,
    /// The API over plain HTTP.
    pub http: SocketAddr,
    /// `SHA256:…` of its certificate.
    pub fingerprint: String,
}

/// The one line the server prints.
struct Ready {
    data: SocketAddr,
    api: SocketAddr,
    http: SocketAddr,
    fingerprint: String,
}

impl Server {
    /// Starts one on free ports of 127.0.0.1, with docroot and state below `scratch`.
    #[must_use]
    pub fn start(scratch: &Scratch, options: ServerOptions) -> Self {
        let docroot = scratch.folder("docroot");
        let state = scratch.folder("server-state");
        let config_file = scratch.path("server.toml");
        if options.needs_config() {
            std::fs::write(&config_file, options.config()).unwrap();
        }
        let stderr = scratch.folder("stderr").join("server");
        let zero: SocketAddr = ([127, 0, 0, 1], 0).into();
        let (child, ready) = launch(&options, &docroot, &state, &config_file, &stderr, [zero; 3]);
        Self {
            child,
            options,
            docroot,
            state,
            config_file,
            stderr,
            data: ready.data,
            api: ready.api,
            http: ready.http,
            fingerprint: ready.fingerprint,
        }
    }

    /// Starts it again after its end: same ports, same state.
    pub fn restart(&mut self) {
        assert!(!processes::is_alive(self.pid()), "the server still runs");
        let ports = [self.data, self.api, self.http];
        let (child, ready) = launch(&self.options, &self.docroot, &self.state, &self.config_file, &self.stderr, ports);
        self.child = child;
        assert_eq!(ready.data, self.data, "the data port stays");
        assert_eq!(ready.fingerprint, self.fingerprint, "the certificate stays");
    }

    /// Login name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.options.user.0
    }

    /// Password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.options.user.1
    }

    /// The server comes back as another one: same ports, another certificate.
    pub fn restart_with_another_certificate(&mut self) {
        std::fs::remove_dir_all(&self.state).unwrap();
        let ports = [self.data, self.api, self.http];
        let (child, ready) = launch(&self.options, &self.docroot, &self.state, &self.config_file, &self.stderr, ports);
        self.child = child;
        assert_ne!(ready.fingerprint, self.fingerprint, "another state folder, another certificate");
        self.fingerprint = ready.fingerprint;
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and wait.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and wait for the end, at most `limit`.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        processes::signal(self.pid(), Signal::TERM);
        self.wait_end(limit)
    }

    /// Waits for its end.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        crate::until("the server ends", limit, || self.child.try_wait().unwrap())
    }

    /// The folder that the user sees as `/`.
    #[must_use]
    pub fn docroot(&self) -> &Path {
        &self.docroot
    }

    /// Where its certificate and other state lie.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        std::fs::read(&self.stderr).unwrap_or_default()
    }

    /// A transfer spec for this server without paths; `extra` wins over the defaults. The data go to `data_port`, so
    /// that a [`crate::Relay`] can stand between.
    #[must_use]
    pub fn spec(&self, direction: &str, data_port: u16, extra: Value) -> Value {
        let mut spec = json!({
            "direction": direction,
            "remote_host": "127.0.0.1",
            "remote_user": self.options.user.0,
            "remote_password": self.options.user.1,
            "authentication": "password",
            "ssh_port": self.data.port(),
            "fasp_port": data_port,
            "sshfp": self.fingerprint,
        });
        merge(&mut spec, extra);
        spec
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the fields of `extra` over those of `target`; `null` removes a field.
pub fn merge(target: &mut Value, extra: Value) {
    let (Value::Object(target), Value::Object(extra)) = (target, extra) else { return };
    for (key, value) in extra {
        if value.is_null() {
            target.remove(&key);
        } else {
            target.insert(key, value);
        }
    }
}

fn launch(
    options: &ServerOptions,
    docroot: &Path,
    state: &Path,
    config: &Path,
    stderr: &Path,
    [data, api, http]: [SocketAddr; 3],
) -> (Child, Ready) {
    let begin = Instant::now();
    loop {
        let mut child = command(options, docroot, state, config, stderr, [data, api, http]).spawn().unwrap();
        match read_ready(&mut child) {
            Ok(ready) => return (child, ready),
            Err(why) => {
                let _ = child.kill();
                let status = child.wait().unwrap();
                let log = std::fs::read_to_string(stderr).unwrap_or_default();
                let tail = &log[log.len().saturating_sub(2000)..];
                // Right after a kill the old socket may live for a moment.
                assert!(
                    begin.elapsed() < Duration::from_secs(5),
                    "the server does not start ({why}, {status}): {tail}"
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn command(
    options: &ServerOptions,
    docroot: &Path,
    state: &Path,
    config: &Path,
    stderr: &Path,
    [data, api, http]: [SocketAddr; 3],
) -> Command {
    let program = crate::binaries::path("godwit-server");
    let (mut command, address) = match &options.host {
        Some((namespace, address)) => (crate::namespaces::inside(namespace, &program), address.as_str()),
        None => (Command::new(program), "127.0.0.1"),
    };
    command
        .env("RUST_LOG", options.log)
        .env("RUST_BACKTRACE", "1")
        .arg("--docroot")
        .arg(docroot)
        .arg("--state")
        .arg(state)
        .args(["--bind", address, "--data-port", &data.port().to_string()])
        .args(["--api-port", &api.port().to_string(), "--http-port", &http.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::OpenOptions::new().create(true).append(true).open(stderr).unwrap());
    if options.needs_config() {
        command.arg("--config").arg(config);
    } else {
        command.arg("--user").arg(format!("{}:{}", options.user.0, options.user.1));
    }
    command
}

/// Waits for the ready line; an error if the process ends first or says something else.
fn read_ready(child: &mut Child) -> Result<Ready, String> {
    let stdout = child.stdout.take().unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + SOON;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = receive.recv_timeout(left).map_err(|e| format!("no ready line: {e}"))?;
        let Some(rest) = line.strip_prefix("ready ") else { continue };
        let field = |name: &str| {
            let value = rest.split_whitespace().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.ok_or_else(|| format!("the ready line has no {name}: {line}"))
        };
        let address = |name: &str| match field(name)?.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(address),
            _ => Err(format!("the ready line has no usable {name}: {line}")),
        };
        return Ok(Ready {
            data: address("data")?,
            api: address("api")?,
            http: address("http")?,
            fingerprint: field("fingerprint")?.to_owned(),
        });
    }
}
