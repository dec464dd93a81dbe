//! The real `godwit`, and the real server for it to talk to.

#![allow(dead_code)] // each test file uses its part

use godwit_protocol::envelope::{Message, Response};
use godwit_protocol::frame::{self, Decoder};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for anything that should happen at once; generous because machines are busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The program under test, with nothing of this machine's settings.
pub(crate) fn godwit(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_godwit"));
    for name in ["GODWIT_PASSWORD", "GODWIT_TOKEN", "GODWIT_LOG", "RUST_LOG", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.env("GODWIT_HOME", home).env("HOME", home).env("USER", "ann").current_dir(home).stdin(Stdio::null());
    command
}

/// The server's program: that of `GODWIT_BIN_DIR` (relative to the workspace), or else built once for all tests of this
/// run, with all other programs: alone it would want its libraries with other features, and compile them anew.
fn server_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        if let Some(folder) = std::env::var_os("GODWIT_BIN_DIR") {
            return workspace.join(folder).join("godwit-server").canonicalize().expect("GODWIT_BIN_DIR has the server");
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--bins"]).current_dir(workspace);
        assert!(build.status().unwrap().success(), "the server cannot be built");
        Path::new(env!("CARGO_BIN_EXE_godwit")).with_file_name("godwit-server")
    })
}

/// A server with user `ann`, password `right`, and a folder for the local side.
pub(crate) struct Server {
    pub(crate) dir: tempfile::TempDir,
    child: Child,
    port: String,
    pub(crate) fingerprint: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("docroot")).unwrap();
        std::fs::create_dir(dir.path().join("local")).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(server_program())
            .env("GODWIT_HOME", dir.path())
            .args(["--bind", "127.0.0.1", "--data-port", "0", "--api-port", "0", "--http-port", "0"])
            .args(["--user", "ann:right", "--docroot"])
            .arg(dir.path().join("docroot"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = line.recv_timeout(SOON).unwrap();
        let field = |name: &str| line.split_whitespace().find_map(|w| w.strip_prefix(name)).unwrap().to_owned();
        let port = field("data=127.0.0.1:");
        let fingerprint = field("fingerprint=");
        Self { dir, child, port, fingerprint }
    }

    pub(crate) fn docroot(&self) -> PathBuf {
        self.dir.path().join("docroot")
    }

    /// The folder in which `godwit` runs.
    pub(crate) fn local(&self) -> PathBuf {
        self.dir.path().join("local")
    }

    /// `godwit cp` with this server's port, fingerprint and password.
    pub(crate) fn cp(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_cp(arguments);
        command.args(["--fingerprint", &self.fingerprint]).env("GODWIT_PASSWORD", "right");
        command
    }

    /// `godwit cp` with this server's port and nothing else.
    pub(crate) fn bare_cp(&self, arguments: &[&str]) -> Command {
        let mut command = godwit(self.dir.path());
        command.current_dir(self.local()).arg("cp").args(arguments).args(["--data-port", &self.port]);
        command
    }

    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let output = Command::new(server_program())
            .env("GODWIT_HOME", self.dir.path())
            .args(["token", "issue", "--user", "ann"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs to the end: exit code, standard output, standard error.
pub(crate) fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Reads until `word` has appeared; everything read so far.
pub(crate) fn read_until(stream: &mut impl Read, word: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&seen).contains(word) {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        seen.extend(byte);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

fn receive(stream: &mut UnixStream, decoder: &mut Decoder) -> Option<Message> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(payload) = decoder.next_frame().unwrap() {
            return Some(Message::parse(&payload).unwrap());
        }
        match stream.read(&mut buffer).unwrap_or(0) {
            0 => return None,
            count => decoder.push(&buffer[..count]),
        }
    }
}

fn send(stream: &mut UnixStream, value: &Value) {
    let bytes = frame::encode(&serde_json::to_vec(value).unwrap()).unwrap();
    // In two pieces: frames need not arrive whole.
    let (first, second) = bytes.split_at(3);
    stream.write_all(first).unwrap();
    stream.flush().unwrap();
    stream.write_all(second).unwrap();
}

/// Greets with protocol version `major`, then answers one request; what was asked comes back from the thread.
pub(crate) fn fake_agent(
    home: &Path,
    major: u16,
    answer: impl FnOnce(u64) -> Response + Send + 'static,
) -> JoinHandle<Option<String>> {
    std::fs::create_dir_all(home.join("run")).unwrap();
    let listener = UnixListener::bind(home.join("run/agent.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut decoder = Decoder::default();
        let Some(Message::Hello(hello)) = receive(&mut stream, &mut decoder) else { panic!("no greeting") };
        assert_eq!((hello.id, hello.product.as_str()), (0, "godwit"));
        send(
            &mut stream,
            &json!({
                "type": "hello", "id": 0, "protocol": {"major": major, "minor": 9}, "product": "godwit", "version": "9.9.9",
                "role": "agent", "capabilities": ["more"]
            }),
        );
        // An event that nobody asked for comes first.
        send(
            &mut stream,
            &json!({
                "type": "event", "id": 1, "topic": "badge", "seq": 0, "data": {"active": 0, "failed": 0}
            }),
        );
        let Some(Message::Request(request)) = receive(&mut stream, &mut decoder) else { return None };
        assert!(request.origin.is_none());
        send(&mut stream, &serde_json::to_value(Message::Response(answer(request.id))).unwrap());
        Some(request.kind)
    })
}
