//! `godwit-host`: copies frames between the browser's pipes and the agent's socket, and starts the agent if none runs.
//!
//! **Holds no state.** Chromium kills the host without warning two seconds after the port closes, so it ends by itself as
//! soon as either side ends, and needs no signal for that. **Reads no frame** except the extension's hello, to which it
//! adds what only it can know: who started it.
//!
//! Plain threads and blocking descriptors: two copies of one loop need no runtime, and every browser profile has a host
//! in memory all day.

mod agent_start;
mod args;
mod frames;
mod manifest;
mod systemd;

pub use args::{CHROMIUM_ID, Caller as CallerKind, FIREFOX_ID, check as check_arguments};

use crate::home::Home;
use frames::{FrameReader, StreamError};
use godwit_protocol::envelope::{Caller, Hello, Message, PROTOCOL, Response, Role, codes};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the host ended; the number is its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// One side closed its end between two frames.
    Closed = 0,
    /// One side sent bytes that are no frames.
    BadFrames = 1,
    /// Started by somebody who is not our extension.
    Refused = 2,
}

/// Runs the host with the process's arguments (without the program's name) to its end.
pub fn run(arguments: &[OsString]) -> io::Result<Ending> {
    crate::no_dumps::forbid();
    let output = take_stdout()?;
    // The program itself, not the link that led here.
    let more = std::env::current_exe().map(|program| args::more_ids(&program)).unwrap_or_default();
    let kind = match args::check(arguments, &more) {
        Ok(kind) => kind,
        Err(why) => {
            complain(&why.to_string());
            return Ok(Ending::Refused);
        }
    };
    let caller = caller(&kind, manifest::found(&kind, arguments));
    let output = Arc::new(Mutex::new(output));
    // Not `Stdin` itself: its buffer would hide from `poll` what has arrived.
    let input = FrameReader::new(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    match Home::from_environment().map_err(|e| e.to_string()).and_then(|home| agent_start::connect(&home, hung_up)) {
        Ok(Some(socket)) => {
            note(&format!("connected for {} ({})", kind.browser(), kind.id()));
            forward(input, &output, socket, caller)
        }
        Ok(None) => Ok(Ending::Closed),
        Err(why) => {
            complain(&why);
            answer_unavailable(input, &output, &why)
        }
    }
}

/// Keeps the browser's pipe for frames alone: from here on, whatever prints to descriptor 1 ends in the browser's log.
fn take_stdout() -> io::Result<File> {
    let private = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(private))
}

/// True if the browser has closed its end of our standard input.
fn hung_up() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
}

fn caller(kind: &args::Caller, manifest: Option<PathBuf>) -> Caller {
    Caller {
        browser: kind.browser().into(),
        extension_id: kind.id().into(),
        host_pid: std::process::id(),
        host_version: VERSION.into(),
        manifest: manifest.map(|path| path.display().to_string()),
        environment: screen(),
    }
}

/// The variables of the screen that this process's user sits at.
pub(crate) fn screen() -> BTreeMap<String, String> {
    const SHOWN: [&str; 9] = [
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "XDG_CURRENT_DESKTOP",
        "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
        // The language of the desktop's own windows.
        "LANG",
        "LC_ALL",
        "LC_MESSAGES",
    ];
    SHOWN.iter().filter_map(|n| Some(((*n).to_owned(), std::env::var(n).ok()?))).collect()
}

fn forward(
    mut input: FrameReader<File>,
    output: &Arc<Mutex<File>>,
    socket: UnixStream,
    caller: Caller,
) -> io::Result<Ending> {
    let back = socket.try_clone()?;
    let to_browser = Arc::clone(output);
    std::thread::Builder::new().stack_size(128 * 1024).spawn(move || {
        let ending = copy(&mut FrameReader::new(back), |frame| write_whole(&to_browser, frame));
        // The agent has gone: nothing that the browser still says can be answered, and it must notice at once.
        std::process::exit(ending as i32);
    })?;

    let mut socket = socket;
    match input.next_frame() {
        Ok(Some(frame)) => match named_hello(&frame[godwit_protocol::frame::PREFIX..], caller) {
            Ok(hello) => write_payload(&mut socket, &hello)?,
            Err(why) => {
                refuse(output, codes::BAD_REQUEST, &why);
                return Ok(Ending::BadFrames);
            }
        },
        Ok(None) => return Ok(Ending::Closed),
        Err(error) => return Ok(bad_stream(output, &error)),
    }
    loop {
        match input.next_frame() {
            Ok(Some(frame)) => {
                if socket.write_all(frame).is_err() {
                    return Ok(Ending::Closed);
                }
            }
            Ok(None) => return Ok(Ending::Closed),
            Err(error) => return Ok(bad_stream(output, &error)),
        }
    }
}

/// Copies frames until the source ends or either side fails.
fn copy<R: io::Read + AsFd>(source: &mut FrameReader<R>, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> Ending {
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                if sink(frame).is_err() {
                    return Ending::Closed;
                }
            }
            Ok(None) | Err(StreamError::Io(_)) => return Ending::Closed,
            Err(error) => {
                complain(&format!("the agent: {error}"));
                return Ending::BadFrames;
            }
        }
    }
}

/// The extension's hello with the caller put in; whatever stood there is replaced.
fn named_hello(payload: &[u8], caller: Caller) -> Result<Vec<u8>, String> {
    match Message::parse(payload) {
        Ok(Message::Hello(mut hello)) if hello.role == Role::Extension => {
            hello.caller = Some(caller);
            serde_json::to_vec(&Message::Hello(hello)).map_err(|e| e.to_string())
        }
        Ok(_) => Err("the first frame must be the extension's hello".into()),
        Err(error) => Err(format!("the first frame must be the extension's hello: {error}")),
    }
}

/// No agent: says so to everything that is asked, until the browser closes the port.
fn answer_unavailable(mut input: FrameReader<File>, output: &Arc<Mutex<File>>, why: &str) -> io::Result<Ending> {
    let hello = Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: VERSION.into(),
        role: Role::Host,
        capabilities: Vec::new(),
        session: None,
        caller: None,
    };
    send(output, &Message::Hello(hello))?;
    loop {
        match input.next_frame() {
            Ok(Some(frame)) => match Message::parse(&frame[godwit_protocol::frame::PREFIX..]) {
                Ok(Message::Request(request)) => {
                    send(output, &Message::Response(Response::err(request.id, codes::AGENT_UNAVAILABLE, why)))?;
                }
                Ok(_) => {}
                Err(error) => refuse(output, codes::BAD_REQUEST, &error.to_string()),
            },
            Ok(None) => return Ok(Ending::Closed),
            Err(error) => return Ok(bad_stream(output, &error)),
        }
    }
}

fn bad_stream(output: &Arc<Mutex<File>>, error: &StreamError) -> Ending {
    complain(&format!("the browser: {error}"));
    match error {
        StreamError::Io(_) => return Ending::Closed,
        StreamError::Slow => refuse(output, codes::TIMED_OUT, &error.to_string()),
        StreamError::Frame(_) => refuse(output, codes::BAD_REQUEST, &error.to_string()),
    }
    Ending::BadFrames
}

/// An error that belongs to no request has id 0.
fn refuse(output: &Arc<Mutex<File>>, code: &str, why: &str) {
    // The other side may have gone; then nobody is left to be told.
    drop(send(output, &Message::Response(Response::err(0, code, why))));
}

fn send(output: &Arc<Mutex<File>>, message: &Message) -> io::Result<()> {
    let payload = serde_json::to_vec(message)?;
    let frame = godwit_protocol::frame::encode(&payload).map_err(io::Error::other)?;
    write_whole(output, &frame)
}

fn write_whole(output: &Mutex<File>, frame: &[u8]) -> io::Result<()> {
    output.lock().unwrap_or_else(PoisonError::into_inner).write_all(frame)
}

fn write_payload(socket: &mut UnixStream, payload: &[u8]) -> io::Result<()> {
    socket.write_all(&godwit_protocol::frame::encode(payload).map_err(io::Error::other)?)
}

/// For the browser's log: the host itself has none.
/// Into the browser's log and our own.
fn complain(why: &str) {
    drop(writeln!(io::stderr(), "godwit-host: {why}"));
    note(why);
}

/// Into our own log; without a folder for it, nowhere.
fn note(what: &str) {
    if let Ok(home) = Home::from_environment()
        && home.logs.is_dir()
    {
        crate::logging::note(&home.host_log(), what);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_caller_a_browser_writes_itself_is_replaced() {
        let forged = json!({"type": "hello", "id": 0, "protocol": {"major": 1, "minor": 0}, "product": "godwit",
            "version": "9", "role": "extension", "session": "s",
            "caller": {"browser": "x", "extension_id": "forged", "host_pid": 1, "host_version": "1"}});
        let caller = Caller { extension_id: "true".into(), ..Caller::default() };
        let Message::Hello(hello) =
            Message::parse(&named_hello(forged.to_string().as_bytes(), caller).unwrap()).unwrap()
        else {
            panic!("a hello")
        };
        assert_eq!(hello.caller.unwrap().extension_id, "true");
        assert_eq!(hello.session.as_deref(), Some("s"));
    }

    #[test]
    fn anything_but_a_hello_of_an_extension_comes_too_early() {
        for text in [r#"{"type":"request","id":1,"kind":"ui.status"}"#, "[]", "{"] {
            assert!(named_hello(text.as_bytes(), Caller::default()).is_err(), "{text}");
        }
    }
}
