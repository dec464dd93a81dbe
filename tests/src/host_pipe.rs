//! A spawned `godwit-host` and its two pipes, with frames or with any bytes one likes.

use crate::wait::SOON;
use crate::{Scratch, until};
use godwit_protocol::envelope::{Hello, Message, PROTOCOL, Role};
use godwit_protocol::frame::{Decoder, encode};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What came out of the host.
#[derive(Debug)]
pub enum Output {
    /// A frame's payload.
    Frame(Vec<u8>),
    /// Something that is no frame.
    Rubbish(String),
    /// Standard output was closed.
    End,
}

/// The process and its pipes. Dropping it kills it.
#[derive(Debug)]
pub struct HostPipe {
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    output: Mutex<Option<Receiver<Output>>>,
    raw: Arc<Mutex<Vec<u8>>>,
    pid: u32,
}

/// The argument Chromium passes to a host: the caller's origin.
#[must_use]
pub fn chromium_argument() -> String {
    let file = crate::binaries::workspace().join("manifests/extension-id.txt");
    let id = std::fs::read_to_string(file).expect("the extension's id");
    format!("chrome-extension://{}/", id.trim())
}

/// The extension's hello. `session` names the browser session.
#[must_use]
pub fn hello(session: &str) -> Message {
    Message::Hello(Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        role: Role::Extension,
        capabilities: Vec::new(),
        session: Some(session.to_owned()),
        caller: None,
    })
}

impl HostPipe {
    /// Starts a host with these arguments.
    #[must_use]
    pub fn spawn(scratch: &Scratch, arguments: &[&str]) -> Self {
        let mut command = scratch.command("godwit-host");
        command.args(arguments);
        Self::spawn_command(scratch, command)
    }

    /// Starts a host by a prepared command.
    #[must_use]
    pub fn spawn_command(scratch: &Scratch, mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(scratch.log_file("host")).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let stdin = child.stdin.take();
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (send, receive) = channel();
        let copy = Arc::clone(&raw);
        std::thread::spawn(move || read(stdout, &copy, &send));
        let pid = child.id();
        Self { child: Mutex::new(child), stdin: Mutex::new(stdin), output: Mutex::new(Some(receive)), raw, pid }
    }

    /// Starts a host as Chromium does for our extension.
    #[must_use]
    pub fn chromium(scratch: &Scratch) -> Self {
        Self::spawn(scratch, &[&chromium_argument()])
    }

    /// As [`Self::chromium`], with the hellos exchanged.
    #[must_use]
    pub fn greeted(scratch: &Scratch) -> Self {
        let pipe = Self::chromium(scratch);
        pipe.send(&hello("a-session"));
        pipe.until_message("a hello", |message| matches!(message, Message::Hello(_)));
        pipe
    }

    /// Process id of the host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Writes bytes as they are; false if the host does not read any more.
    pub fn send_raw(&self, bytes: &[u8]) -> bool {
        let mut stdin = self.stdin.lock().unwrap();
        let Some(stdin) = stdin.as_mut() else { return false };
        stdin.write_all(bytes).and_then(|()| stdin.flush()).is_ok()
    }

    /// Writes `payload` as one frame.
    pub fn send_payload(&self, payload: &[u8]) -> bool {
        self.send_raw(&encode(payload).expect("the payload fits"))
    }

    /// Writes a message.
    pub fn send(&self, message: &Message) -> bool {
        self.send_payload(&serde_json::to_vec(message).unwrap())
    }

    /// Closes the host's standard input, as a browser does when the port closes.
    pub fn close_input(&self) {
        self.stdin.lock().unwrap().take();
    }

    /// The next output, waited for at most `limit`.
    pub fn next(&self, limit: Duration) -> Option<Output> {
        let output = self.output.lock().unwrap();
        match output.as_ref().expect("the output was given away").recv_timeout(limit) {
            Ok(output) => Some(output),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Output::End),
        }
    }

    /// Reads messages until one fits; panics at anything that is no message.
    pub fn until_message(&self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        let deadline = Instant::now() + SOON;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Some(Output::Frame(bytes)) => {
                    let message = Message::parse(&bytes).expect("the host sends messages only");
                    if fits(&message) {
                        return message;
                    }
                }
                other => panic!("waited for {what}, got {other:?}"),
            }
        }
    }

    /// Reads and drops messages until the host closes its output; returns those it dropped.
    pub fn until_end(&self, limit: Duration) -> Vec<Message> {
        let deadline = Instant::now() + limit;
        let mut seen = Vec::new();
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Some(Output::Frame(bytes)) => seen.push(Message::parse(&bytes).expect("messages only")),
                Some(Output::End) => return seen,
                other => panic!("waited for the end, got {other:?} after {seen:?}"),
            }
        }
    }

    /// Waits for the end of the process.
    pub fn wait_exit(&self, limit: Duration) -> ExitStatus {
        until("godwit-host ends", limit, || self.child.lock().unwrap().try_wait().unwrap())
    }

    /// SIGKILL, as Chromium does two seconds after the port has closed.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Every byte the host has written so far.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Gives the stream of outputs away to a reader of one's own.
    pub(crate) fn take_output(&self) -> Receiver<Output> {
        self.output.lock().unwrap().take().expect("taken once")
    }
}

impl Drop for HostPipe {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(mut stdout: impl Read, raw: &Mutex<Vec<u8>>, send: &Sender<Output>) {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = match stdout.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        raw.lock().unwrap().extend_from_slice(&buffer[..length]);
        decoder.push(&buffer[..length]);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => drop(send.send(Output::Frame(frame))),
                Ok(None) => break,
                Err(error) => {
                    let _ = send.send(Output::Rubbish(error.to_string()));
                    return;
                }
            }
        }
    }
    if decoder.is_inside_frame() {
        let _ = send.send(Output::Rubbish("the output ended inside a frame".into()));
    }
    let _ = send.send(Output::End);
}
