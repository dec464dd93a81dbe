//! One client's connection: hello first, then frames both ways. Knows nothing of what they mean.

use crate::core::{ConnId, Input};
use crate::framing::{FRAME_TIMEOUT, ReadError, read_frame, write_frame};
use godwit_protocol::envelope::{Hello, Message, PROTOCOL, Response, Role, codes};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Frames that may wait for a slow client; one that lets more pile up is cut off.
const OUTGOING: usize = 1024;
/// A client that takes nothing for this long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The way to a client.
pub(crate) type Outgoing = mpsc::Sender<Message>;

/// Starts serving `stream`; everything the client sends goes to `inputs`.
pub(super) fn start(conn: ConnId, stream: UnixStream, inputs: mpsc::Sender<Input>) -> Outgoing {
    let (sender, receiver) = mpsc::channel(OUTGOING);
    let (reader, writer) = stream.into_split();
    let refusals = sender.clone();
    let mut writing = tokio::spawn(write_all(writer, receiver));
    tokio::spawn(async move {
        // Whichever direction ends first ends the connection: a client that takes no answers is cut off from asking.
        tokio::select! {
            result = read_all(conn, reader, refusals, &inputs) => match result {
                Ok(()) => tracing::debug!(conn, "connection closed"),
                Err(why) => tracing::debug!(conn, why, "connection ended"),
            },
            _ = &mut writing => tracing::debug!(conn, "connection cut off"),
        }
        // The main loop may have ended; then there is nobody to tell.
        drop(inputs.send(Input::Disconnected { conn }).await);
    });
    sender
}

async fn write_all(mut writer: OwnedWriteHalf, mut messages: mpsc::Receiver<Message>) {
    let hello = Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        role: Role::Agent,
        capabilities: vec!["page".into(), "ui".into()],
        session: None,
        caller: None,
    };
    let mut next = Some(Message::Hello(hello));
    while let Some(message) = next {
        let written = async { write_frame(&mut writer, &serde_json::to_vec(&message)?).await };
        match tokio::time::timeout(WRITE_TIMEOUT, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "a frame could not be written");
                break;
            }
            Err(_) => {
                tracing::warn!("a client does not read; it is cut off");
                break;
            }
        }
        next = messages.recv().await;
    }
    drop(writer.shutdown().await);
}

async fn read_all(
    conn: ConnId,
    mut reader: OwnedReadHalf,
    refusals: Outgoing,
    inputs: &mpsc::Sender<Input>,
) -> Result<(), &'static str> {
    // A full queue of refusals means that the client reads nothing: it will not miss one.
    let refuse = |id, code: &str, why: &str| drop(refusals.try_send(Message::Response(Response::err(id, code, why))));
    let first = tokio::time::timeout(FRAME_TIMEOUT, read_frame(&mut reader)).await.map_err(|_| "no hello")?;
    let hello = match first {
        Ok(Some(payload)) => match Message::parse(&payload) {
            Ok(Message::Hello(hello)) => hello,
            Ok(_) => {
                refuse(0, codes::BAD_REQUEST, "the first frame must be a hello");
                return Err("no hello");
            }
            Err(error) => {
                refuse(0, codes::BAD_REQUEST, &error.to_string());
                return Err("malformed hello");
            }
        },
        Ok(None) => return Ok(()),
        Err(error) => {
            refuse_stream(&error, refuse);
            return Err("bad first frame");
        }
    };
    if let Err(why) = judge_hello(&hello) {
        refuse(0, codes::VERSION_MISMATCH, &why);
        return Err("version");
    }
    let gone = |_| "the agent ends";
    inputs.send(Input::Connected { conn, hello }).await.map_err(gone)?;
    loop {
        let payload = match read_frame(&mut reader).await {
            // A frame may hold a password.
            Ok(Some(payload)) => Zeroizing::new(payload),
            Ok(None) => return Ok(()),
            Err(error) => {
                refuse_stream(&error, refuse);
                return Err("bad frame");
            }
        };
        match Message::parse(&payload) {
            Ok(Message::Request(request)) => inputs.send(Input::Request { conn, request }).await.map_err(gone)?,
            Ok(other) => refuse(other.id(), codes::BAD_REQUEST, "only requests may follow the hello"),
            Err(error) => refuse(0, codes::BAD_REQUEST, &error.to_string()),
        }
    }
}

fn refuse_stream(error: &ReadError, refuse: impl Fn(u64, &str, &str)) {
    match error {
        ReadError::Io(_) => {}
        ReadError::Slow => refuse(0, codes::TIMED_OUT, &error.to_string()),
        ReadError::Frame(_) => refuse(0, codes::BAD_REQUEST, &error.to_string()),
    }
}

/// Refuses another major version, and says which part is the old one.
fn judge_hello(hello: &Hello) -> Result<(), String> {
    if hello.product != "godwit" {
        return Err("this is Godwit's agent; the other side is not Godwit".into());
    }
    let (ours, theirs) = (PROTOCOL.major, hello.protocol.major);
    let part = match hello.role {
        Role::Extension => "browser extension",
        Role::Host => "godwit-host program",
        Role::Cli => "godwit command",
        Role::Agent | Role::LocalHttp => return Err("an agent does not connect to an agent".into()),
    };
    match theirs.cmp(&ours) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(format!("The {part} is too old for the installed Godwit: update the {part}.")),
        std::cmp::Ordering::Greater => Err(format!("The installed Godwit is too old for the {part}: update Godwit.")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use godwit_protocol::envelope::ProtocolVersion;

    #[test]
    fn another_major_version_is_refused_and_the_old_part_is_named() {
        let hello = |major, role| Hello {
            id: 0,
            protocol: ProtocolVersion { major, minor: 9 },
            product: "godwit".into(),
            version: "1".into(),
            role,
            capabilities: vec![],
            session: None,
            caller: None,
        };
        assert_eq!(judge_hello(&hello(PROTOCOL.major, Role::Extension)), Ok(()));
        assert!(judge_hello(&hello(0, Role::Extension)).unwrap_err().contains("update the browser extension"));
        assert!(judge_hello(&hello(2, Role::Cli)).unwrap_err().contains("update Godwit"));
        assert!(judge_hello(&hello(1, Role::Agent)).is_err());
        assert!(judge_hello(&hello(1, Role::LocalHttp)).is_err(), "nobody gets a web page's rights without its rules");
    }
}
