//! From what the operating system and QUIC say to the numbers users and web applications know.

use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Failure;
use quinn::{Connection, ConnectionError, VarInt};
use rustix::io::Errno;
use std::io;

/// Longest text of a peer that is passed on.
const MAX_TEXT: usize = 300;
/// Close codes above this are failures' numbers; below it QUIC users choose freely.
const CLOSE_BASE: u64 = 0x676f_0000;

/// The peer broke a rule.
pub(crate) fn protocol(detail: &str) -> Failure {
    Failure::new(ErrorCode::Protocol, detail)
}

/// The last step failed: everything is there but the name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unnamed(io::Error);

/// The file system does not take this name.
#[derive(Debug, thiserror::Error)]
#[error("the target's disk does not take this name")]
struct Misnamed;

/// What giving something a name failed with. File systems that know fewer names than ours (FAT, exFAT, NTFS: `a:b`, `what?`,
/// `aux`, a dot at the end) call the others an invalid argument, which from any other call would be our own mistake.
pub(crate) fn naming(error: Errno) -> io::Error {
    match error {
        Errno::INVAL | Errno::ILSEQ => io::Error::new(io::ErrorKind::InvalidInput, Misnamed),
        other => other.into(),
    }
}

/// Marks the failure to give a complete file its name, unless it says by itself what is to be done.
pub(crate) fn unnamed(error: io::Error) -> io::Error {
    match ErrorCode::from_io(&error, true) {
        _ if is::<Misnamed>(&error) => error,
        ErrorCode::DiskWrite => io::Error::new(error.kind(), Unnamed(error)),
        _ => error,
    }
}

/// A disk operation failed on `what`.
pub(crate) fn disk(error: &io::Error, writing: bool, what: &str) -> Failure {
    let code = match error {
        _ if is::<Unnamed>(error) => ErrorCode::RenamePartial,
        _ if is::<Misnamed>(error) => ErrorCode::IllegalCharacters,
        _ => ErrorCode::from_io(error, writing),
    };
    Failure::new(code, format!("{what}: {error}"))
}

fn is<T: std::error::Error + 'static>(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<T>())
}

/// Cuts the words of a peer to a bearable length.
pub(crate) fn tame(mut failure: Failure) -> Failure {
    if failure.message.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !failure.message.is_char_boundary(end) {
            end -= 1;
        }
        failure.message.truncate(end);
    }
    failure.message.retain(|c| !c.is_control());
    failure
}

/// Ends a connection with a failure, or without one.
pub(crate) fn close(connection: &Connection, failure: Option<&Failure>) {
    let code = failure.map_or(0, |f| CLOSE_BASE + u64::from(f.code.number()));
    let words = failure.map_or("", |f| f.message.as_str());
    let mut end = words.len().min(MAX_TEXT);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    connection.close(VarInt::from_u64(code).unwrap_or_default(), words.get(..end).unwrap_or_default().as_bytes());
}

/// Why the connection ended; waits for it to end.
pub(crate) async fn lost(connection: &Connection) -> Failure {
    // A stream may end before the connection; then the peer has gone without a word.
    let wait = tokio::time::timeout(std::time::Duration::from_secs(2), connection.closed());
    match wait.await {
        Ok(error) => from_connection(&error),
        Err(_) => Failure::new(ErrorCode::ConnectionLost, "the other side stopped talking"),
    }
}

/// The failure behind the end of a connection.
pub(crate) fn from_connection(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let number = close.error_code.into_inner().checked_sub(CLOSE_BASE).and_then(|n| u16::try_from(n).ok());
            match number {
                Some(number) => tame(Failure {
                    code: ErrorCode::from_number(number),
                    message: String::from_utf8_lossy(&close.reason).into_owned(),
                    fingerprint: None,
                }),
                None => Failure::new(ErrorCode::PeerAborted, ""),
            }
        }
        ConnectionError::TimedOut => Failure::new(ErrorCode::ConnectionLost, "nothing was heard for too long"),
        ConnectionError::Reset => Failure::new(ErrorCode::ConnectionLost, "the server was restarted"),
        ConnectionError::LocallyClosed => Failure::new(ErrorCode::PeerAborted, "closed here"),
        other => Failure::new(ErrorCode::ConnectionLost, other.to_string()),
    }
}
