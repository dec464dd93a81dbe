//! Built binaries in a throw-away home, with a browser's and a page's view of them.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod screen;

use godwit_native_host::host::CHROMIUM_ID;
use godwit_protocol::envelope::{Caller, Hello, Message, PROTOCOL, Request, Role, topics};
use godwit_protocol::frame::{PREFIX, decode_prefix, encode};
use godwit_protocol::ui::{Prompt, Status, kinds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub const SITE: &str = "https://app.example";
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A home, gone afterwards together with every process that lived in it.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::Builder::new().prefix("gnh").tempdir().unwrap() };
        let worker = place.path().join("worker");
        std::fs::write(&worker, include_str!("fake-worker.sh")).unwrap();
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
        place
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("run/agent.sock")
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("GODWIT_HOME", self.path()).env("GODWIT_WORKER", self.path().join("worker"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub fn agent(&self) -> Agent {
        self.agent_with(&[])
    }

    pub fn agent_with(&self, arguments: &[&str]) -> Agent {
        self.agent_in(|command| {
            command.args(arguments);
        })
    }

    /// With another command line or environment.
    pub fn agent_in(&self, change: impl Fn(&mut Command)) -> Agent {
        let mut command = self.command(env!("CARGO_BIN_EXE_godwit-agent"));
        change(&mut command);
        let child = command.spawn().unwrap();
        until("the agent listens", || UnixStream::connect(self.socket()).ok());
        Agent(child)
    }

    pub fn host(&self) -> Host {
        self.host_with(&[&format!("chrome-extension://{CHROMIUM_ID}/")])
    }

    pub fn host_with(&self, arguments: &[&str]) -> Host {
        let mut command = self.command(env!("CARGO_BIN_EXE_godwit-host"));
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Host { stdin: child.stdin.take(), stdout: child.stdout.take().unwrap(), child }
    }

    /// Lines of a file that the fake worker writes.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Processes with this home in their environment.
    pub fn processes(&self) -> Vec<u32> {
        let wanted = format!("GODWIT_HOME={}\0", self.path().display());
        let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environ).contains(&wanted)
        })
        .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Twice: a dying host may just have started an agent.
        for _ in 0..2 {
            for pid in self.processes() {
                kill(pid);
            }
        }
    }
}

/// A running agent; killed and reaped when dropped.
pub struct Agent(Child);

impl Agent {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub fn kill(pid: u32) {
    if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

pub fn terminate(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

/// Polls until there is a value.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn hello(role: Role, session: &str) -> Message {
    Message::Hello(Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: "0".into(),
        role,
        capabilities: vec![],
        session: Some(session.into()),
        caller: None,
    })
}

pub fn frame(message: &Message) -> Vec<u8> {
    encode(&serde_json::to_vec(message).unwrap()).unwrap()
}

/// The next message; `None` at the end. Anything that is no frame with a message is a failure.
pub fn read(stream: &mut impl Read) -> Option<Message> {
    let mut prefix = [0; PREFIX];
    let first = stream.read(&mut prefix[..1]).unwrap_or(0);
    if first == 0 {
        return None;
    }
    stream.read_exact(&mut prefix[1..]).unwrap();
    let mut payload = vec![0; decode_prefix(prefix).unwrap()];
    stream.read_exact(&mut payload).unwrap();
    Some(Message::parse(&payload).unwrap())
}

/// A running host.
pub struct Host {
    pub stdin: Option<ChildStdin>,
    pub stdout: ChildStdout,
    pub child: Child,
}

impl Host {
    pub fn write(&mut self, bytes: &[u8]) {
        // The host may have ended already; what it said then is what counts.
        drop(self.stdin.as_mut().unwrap().write_all(bytes));
    }

    pub fn send(&mut self, message: &Message) {
        self.write(&frame(message));
    }

    /// All messages until the end, and the exit code.
    pub fn rest(&mut self) -> (Vec<Message>, Option<i32>) {
        let messages = std::iter::from_fn(|| read(&mut self.stdout)).collect();
        (messages, self.child.wait().unwrap().code())
    }

    pub fn ask(&mut self, id: u64, kind: &str) -> Message {
        self.send(&Message::Request(Request {
            id,
            kind: kind.into(),
            origin: None,
            deadline_ms: None,
            params: Value::Null,
        }));
        until_answer(&mut self.stdout, id)
    }
}

pub fn until_answer(stream: &mut impl Read, id: u64) -> Message {
    loop {
        match read(stream).expect("an answer") {
            Message::Response(response) if response.id == id => return Message::Response(response),
            _ => {}
        }
    }
}

/// A client on the agent's socket.
pub struct Client {
    stream: UnixStream,
    next: u64,
    pub prompts: Vec<Prompt>,
    /// What the user says when asked for consent.
    pub consent: Value,
    /// What the user chooses in dialogs.
    pub choice: Vec<PathBuf>,
}

impl Client {
    pub fn open(place: &Place, session: &str) -> Self {
        Self::open_from(place, session, BTreeMap::new())
    }

    /// From a screen.
    pub fn open_from(place: &Place, session: &str, environment: BTreeMap<String, String>) -> Self {
        let stream = until("the agent listens", || UnixStream::connect(place.socket()).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let consent = json!({"decision": "allow", "remember": true});
        let mut client = Self { stream, next: 1, prompts: vec![], consent, choice: vec![] };
        let mut greeting = hello(Role::Extension, session);
        if let Message::Hello(hello) = &mut greeting {
            hello.caller = Some(Caller { environment, ..Caller::default() });
        }
        client.stream.write_all(&frame(&greeting)).unwrap();
        let first = read(&mut client.stream);
        assert!(matches!(&first, Some(Message::Hello(h)) if h.role == Role::Agent), "{first:?}");
        client
    }

    fn post(&mut self, kind: &str, origin: Option<&str>, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        let origin = origin.map(|o| o.parse().unwrap());
        let request = Request { id, kind: kind.into(), origin, deadline_ms: None, params };
        self.stream.write_all(&frame(&Message::Request(request))).unwrap();
        id
    }

    /// Sends a request and plays the user until its answer comes.
    pub fn request(&mut self, kind: &str, origin: Option<&str>, params: Value) -> Result<Value, String> {
        let id = self.post(kind, origin, params);
        loop {
            match read(&mut self.stream).expect("an answer") {
                Message::Response(r) if r.id == id => return r.result.ok_or_else(|| r.error.unwrap().code),
                Message::Event(event) if event.topic == topics::PROMPT => {
                    let prompt: Prompt = serde_json::from_value(event.data).unwrap();
                    if prompt.native {
                        // The desktop's dialog asks.
                        self.prompts.push(prompt);
                        continue;
                    }
                    let consent = serde_json::to_value(&prompt.question).unwrap()["ask"] == "consent";
                    let mut answer = if consent {
                        self.consent.clone()
                    } else {
                        json!({"decision": "chosen", "paths": self.choice})
                    };
                    answer["prompt_id"] = json!(prompt.prompt_id);
                    self.prompts.push(prompt);
                    self.post(kinds::ANSWER, None, answer);
                }
                _ => {}
            }
        }
    }

    pub fn ui(&mut self, kind: &str, params: Value) -> Value {
        self.request(kind, None, params).unwrap()
    }

    pub fn status(&mut self) -> Status {
        serde_json::from_value(self.ui(kinds::STATUS, json!({}))).unwrap()
    }

    /// A `POST` of the site's page: status and body.
    pub fn page(&mut self, path: &str, mut body: Value) -> (u16, Value) {
        body["aspera_connect_settings"] = json!({"app_id": "app"});
        let params = json!({"method": "POST", "uri": format!("/connect/{path}"), "body": body.to_string()});
        let answer = self.request(kinds::PAGE, Some(SITE), params).unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (u16::try_from(answer["status"].as_u64().unwrap()).unwrap(), body)
    }

    /// Sends the same without waiting for its answer; its site is allowed already.
    pub fn send_page(&mut self, path: &str, body: Value) -> u64 {
        let params = json!({"method": "POST", "uri": format!("/connect/{path}"), "body": body.to_string()});
        self.post(kinds::PAGE, Some(SITE), params)
    }

    /// A `POST` that the page gives up after so many milliseconds: the error's code, or the answer.
    pub fn page_within(&mut self, path: &str, body: Value, timeout: u64) -> Result<Value, String> {
        let uri = format!("/connect/{path}");
        let params = json!({"method": "POST", "uri": uri, "body": body.to_string(), "timeout": timeout});
        self.request(kinds::PAGE, Some(SITE), params)
    }

    /// Starts a download whose fake worker does what `cookie` says.
    pub fn start(&mut self, cookie: &str) -> String {
        let spec = json!({"direction": "receive", "remote_host": "h", "remote_user": "u", "cookie": cookie,
            "remote_password": "hunter2-the-password", "paths": [{"source": "f"}]});
        let body = json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": {"app_id": "app", "allow_dialogs": false}}]});
        let (status, body) = self.page("transfers/start", body);
        assert_eq!(status, 200, "{body}");
        body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
    }

    pub fn info(&mut self, uuid: &str) -> Value {
        self.page(&format!("transfers/info/{uuid}"), json!({})).1["transfer_info"].clone()
    }

    /// Waits until a transfer has this state.
    pub fn wait(&mut self, uuid: &str, status: &str) -> Value {
        until(&format!("{uuid} is {status}"), || Some(self.info(uuid)).filter(|info| info["status"] == status))
    }
}
