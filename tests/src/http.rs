//! A small HTTP client that keeps its connection: many of them at once load a server, and the address they come from can be
//! chosen, so that one machine is a crowd.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for anything; generous because machines are busy.
const LIMIT: Duration = Duration::from_secs(60);
/// Longest answer that is taken.
const MOST: usize = 64 << 20;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its number.
    pub status: u16,
    /// What it holds.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A client with one connection, made at the first request and again when the server has closed it.
#[derive(Debug)]
pub struct Http {
    server: SocketAddr,
    from: Option<Ipv4Addr>,
    authorization: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Http {
    /// Calls `server` without any proof.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        Self { server, from: None, authorization: String::new(), stream: None }
    }

    /// With name and password.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.authorization = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")));
        self
    }

    /// From one of this machine's addresses, such as 127.0.3.7.
    #[must_use]
    pub fn from(mut self, address: Ipv4Addr) -> Self {
        self.from = Some(address);
        self
    }

    /// Asks without a body.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, None)
    }

    /// Asks with JSON.
    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        self.send("POST", path, Some(body))
    }

    /// One request, one answer.
    pub fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}{kind}Content-Length: {}\r\n\r\n{body}",
            self.server,
            self.authorization,
            body.len()
        );
        let stream = match &mut self.stream {
            Some(stream) => stream,
            empty => empty.insert(BufReader::new(open(self.server, self.from)?)),
        };
        let answer = stream.get_mut().write_all(request.as_bytes()).and_then(|()| read(stream));
        match answer {
            Ok((answer, true)) => Ok(answer),
            // The server closes, or nobody knows what comes next on this connection.
            Ok((answer, false)) => {
                self.stream = None;
                Ok(answer)
            }
            Err(error) => {
                self.stream = None;
                Err(error)
            }
        }
    }
}

/// A connection from a chosen address.
pub fn open(server: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let stream = match from {
        None => TcpStream::connect_timeout(&server, LIMIT)?,
        Some(from) => {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0))?;
            connect(&socket, &server)?;
            TcpStream::from(socket)
        }
    };
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An answer, and whether the connection goes on.
fn read(stream: &mut BufReader<TcpStream>) -> io::Result<(Answer, bool)> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| broken("no status"))?;
    let (mut length, mut chunked, mut goes_on) = (0, false, true);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(|_| broken("no length"))?,
            ("transfer-encoding", value) => chunked = value.eq_ignore_ascii_case("chunked"),
            ("connection", value) => goes_on = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    loop {
        if chunked {
            line.clear();
            stream.read_line(&mut line)?;
            length = usize::from_str_radix(line.trim(), 16).map_err(|_| broken("no chunk"))?;
        }
        if body.len() + length > MOST {
            return Err(broken("too long"));
        }
        let at = body.len();
        body.resize(at + length, 0);
        stream.read_exact(&mut body[at..])?;
        if !chunked {
            break;
        }
        line.clear();
        stream.read_line(&mut line)?;
        if length == 0 {
            break;
        }
    }
    Ok((Answer { status, body }, goes_on))
}
