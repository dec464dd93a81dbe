//! A connection to the user's agent: frames over its socket, one request at a time, with a deadline.

use crate::home;
use godwit_protocol::envelope::{Hello, Message, PROTOCOL, Request, Role};
use godwit_protocol::frame::{self, Decoder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Time for one answer. The agent answers at once; a silent one hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// Time for the agent to end after it agreed to.
const ENDING: Duration = Duration::from_secs(30);

/// Why the agent cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("neither GODWIT_HOME nor a home folder is set, so the agent cannot be found")]
    NoHome,
    #[error("the agent cannot be reached at {path}: {source}")]
    Connect { path: String, source: io::Error },
    #[error("the socket of the agent belongs to a process of another user")]
    ForeignAgent,
    #[error("the agent did not answer within {} seconds", ANSWER.as_secs())]
    Silent,
    #[error("the connection to the agent broke: {0}")]
    Io(#[from] io::Error),
    #[error("the agent's answer could not be read: {0}")]
    Form(String),
    #[error("the agent speaks version {0} of the protocol, this program {ours}: update the older one", ours = PROTOCOL.major)]
    Version(u16),
    #[error("the agent refused: {0}")]
    Refused(String),
}

/// An open, greeted connection.
pub(crate) struct Agent {
    stream: UnixStream,
    decoder: Decoder,
    next: u64,
}

impl Agent {
    /// Connects; `None` if no agent runs.
    pub(crate) fn connect() -> Result<Option<Self>, AgentError> {
        let path = home::socket().ok_or(AgentError::NoHome)?;
        let stream = match UnixStream::connect(&path) {
            Ok(stream) => stream,
            // No socket, or one whose agent was killed.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(source) => return Err(AgentError::Connect { path: path.display().to_string(), source }),
        };
        let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(io::Error::from)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(AgentError::ForeignAgent);
        }
        let mut agent = Self { stream, decoder: Decoder::default(), next: 1 };
        agent.greet()?;
        Ok(Some(agent))
    }

    fn greet(&mut self) -> Result<(), AgentError> {
        self.send(&Message::Hello(Hello {
            id: 0,
            protocol: PROTOCOL,
            product: "godwit".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            role: Role::Cli,
            capabilities: Vec::new(),
            session: None,
            caller: None,
        }))?;
        let deadline = Instant::now() + ANSWER;
        match self.receive(deadline)? {
            Message::Hello(hello) if hello.protocol.major == PROTOCOL.major => Ok(()),
            Message::Hello(hello) => Err(AgentError::Version(hello.protocol.major)),
            Message::Response(response) => {
                Err(AgentError::Refused(response.error.map_or_else(String::new, |error| error.message)))
            }
            _ => Err(AgentError::Form("no greeting".into())),
        }
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, kind: &str) -> Result<T, AgentError> {
        self.ask_with(kind, Value::Null)
    }

    /// The same with parameters.
    pub(crate) fn ask_with<T: DeserializeOwned>(&mut self, kind: &str, params: Value) -> Result<T, AgentError> {
        let id = self.next;
        self.next += 1;
        let request = Request { id, kind: kind.into(), origin: None, deadline_ms: None, params };
        self.send(&Message::Request(request))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let Message::Response(response) = self.receive(deadline)? else { continue };
            if response.id != id {
                continue;
            }
            return match (response.result, response.error) {
                (_, Some(error)) => Err(AgentError::Refused(error.message)),
                (result, None) => {
                    let result = result.unwrap_or_default();
                    serde_json::from_value(result).map_err(|e| AgentError::Form(e.to_string()))
                }
            };
        }
    }

    /// Waits until the agent closes the connection because it ended.
    pub(crate) fn wait_for_end(mut self) -> Result<(), AgentError> {
        let deadline = Instant::now() + ENDING;
        loop {
            match self.receive(deadline) {
                Ok(_) => {}
                Err(AgentError::Io(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&mut self, message: &Message) -> Result<(), AgentError> {
        let payload = serde_json::to_vec(message).map_err(|e| AgentError::Form(e.to_string()))?;
        let bytes = frame::encode(&payload).map_err(|e| AgentError::Form(e.to_string()))?;
        self.stream.set_write_timeout(Some(ANSWER))?;
        Ok(self.stream.write_all(&bytes)?)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Message, AgentError> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(payload) = self.decoder.next_frame().map_err(|e| AgentError::Form(e.to_string()))? {
                return Message::parse(&payload).map_err(|e| AgentError::Form(e.to_string()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AgentError::Silent);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(AgentError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(AgentError::Silent);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
