//! Further connections of a session: how a client opens them and a server lets them in.

use crate::connect::{Connected, connect};
use crate::control::{Inbox, Outbox};
use crate::failure::{close, protocol};
use crate::lines::Lines;
use crate::meter::Meter;
use crate::rate::Limits;
use godwit_protocol::wire::{Control, SessionHello};
use godwit_protocol::worker::{Failure, RateSettings, ServerAddress};
use godwit_protocol::{ErrorCode, Secret};
use quinn::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Without an answer for so long, the session goes on without this connection.
const ANSWER: Duration = Duration::from_secs(15);
/// For the last packets.
const FAREWELL: Duration = Duration::from_millis(500);

/// Opens a further connection and keeps it until it ends.
pub(crate) async fn further(server: ServerAddress, fingerprint: String, ticket: Secret, lines: Lines) {
    if let Err(failure) = open(server, fingerprint, ticket, &lines).await {
        tracing::warn!(%failure, "no further connection; the session goes on without it");
    }
}

async fn open(server: ServerAddress, same: String, ticket: Secret, lines: &Lines) -> Result<(), Failure> {
    let limits = Arc::new(Limits::new(RateSettings::default()));
    let Connected { endpoint, connection, fingerprint } = connect(&server, limits.clone()).await?;
    if fingerprint != same {
        let failure = Failure::new(ErrorCode::Insecure, "another certificate than on the first connection");
        close(&connection, Some(&failure));
        return Err(failure);
    }
    let (send, recv) = connection.open_bi().await.map_err(|e| crate::failure::from_connection(&e))?;
    let mut inbox = Inbox::new(connection.clone(), recv, Arc::new(Meter::default()));
    let writing = Outbox::start(send);
    let outbox = writing.outbox();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    outbox.send(Control::Hello(SessionHello { product: "godwit".into(), version, features: Vec::new() })).await;
    outbox.send(Control::Join { ticket }).await;
    let answer = tokio::time::timeout(ANSWER, joined(&mut inbox)).await;
    let number = answer.map_err(|_| Failure::new(ErrorCode::Stalled, "no answer to the ticket"))??;
    if number == 0 || lines.join(Some(number), connection.clone(), limits).is_none() {
        close(&connection, Some(&protocol("a number that is taken")));
        return Err(protocol("a number that is taken"));
    }
    // The control stream stays open as long as the connection.
    connection.closed().await;
    let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
    Ok(())
}

async fn joined(inbox: &mut Inbox) -> Result<u32, Failure> {
    loop {
        match inbox.next().await? {
            Control::Joined { connection } => return Ok(connection),
            Control::Hello(_) | Control::Alive | Control::Unknown => {}
            _ => return Err(protocol("a frame out of turn")),
        }
    }
}

/// A connection that showed a session's ticket.
pub(crate) struct Joining {
    pub(crate) connection: Connection,
    pub(crate) limits: Arc<Limits>,
    /// Its number in the session.
    pub(crate) answer: oneshot::Sender<u32>,
}

/// Server, at the session: takes connections in, for ever.
pub(crate) async fn take_in<T>(lines: &Lines, mut joins: mpsc::Receiver<Joining>) -> T {
    while let Some(Joining { connection, limits, answer }) = joins.recv().await {
        if let Some(number) = lines.join(None, connection, limits) {
            let _ = answer.send(number);
        }
    }
    std::future::pending().await
}
