//! The TCP port with the number of the data port. Files travel over UDP there; TCP only answers, so that a page's or an
//! administrator's test of "port 33001" succeeds, and says in one line what it is.

use crate::listen::accept_loop;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Time for the line to leave and the peer to close.
const TIMEOUT: Duration = Duration::from_secs(3);
/// What a client may send before it is cut off, bytes.
const MAX_INPUT: usize = 16 * 1024;

/// The answer.
#[must_use]
pub fn line() -> String {
    format!("godwit {}: this port answers; files travel over UDP on the same number\r\n", env!("CARGO_PKG_VERSION"))
}

/// Answers until `shutdown`.
pub async fn run(listener: TcpListener, shutdown: watch::Receiver<bool>) {
    accept_loop(listener, "data port (TCP)", shutdown, |stream, _| async move {
        // A peer that does not take the line in time has no use for it.
        let _ = tokio::time::timeout(TIMEOUT, answer(stream)).await;
    })
    .await;
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(line().as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with unread input would reset the connection and could destroy the line on its way.
    let (mut buffer, mut total) = ([0; 1024], 0);
    while total < MAX_INPUT {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => total += n,
        }
    }
    Ok(())
}
