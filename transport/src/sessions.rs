//! The sessions that a server has let in: so that a later attempt takes the place of an earlier one, nobody has more of them
//! than he may, and a further connection finds the session it belongs to.

use crate::failure::close;
use crate::join::Joining;
use godwit_protocol::wire::SessionRequest;
use godwit_protocol::worker::Failure;
use godwit_protocol::{ErrorCode, Secret};
use quinn::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// See the module.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<Known>>);

/// A ticket that nobody has used by then is worthless.
const TICKET: Duration = Duration::from_secs(60);

struct Known {
    account: String,
    transfer: String,
    attempt: u32,
    connection: Connection,
    door: Option<Door>,
}

/// Where further connections of a session come in.
struct Door {
    /// Of the ticket: what is kept cannot be shown again, and hashes are compared in constant time.
    ticket: blake3::Hash,
    until: Instant,
    /// Connections that may still come.
    left: u32,
    joins: mpsc::Sender<Joining>,
}

/// A session is known until this is dropped.
pub(crate) struct Entry {
    sessions: Arc<Sessions>,
    connection: usize,
}

/// For further connections: what the client shows, and where they arrive.
pub(crate) struct Tickets {
    pub(crate) ticket: Option<Secret>,
    pub(crate) joins: mpsc::Receiver<Joining>,
}

impl Sessions {
    /// Notes a session of `account`, which may have `most`, and ends those of earlier attempts of the same transfer.
    pub(crate) fn enter(
        self: &Arc<Self>,
        account: &str,
        most: Option<usize>,
        request: &SessionRequest,
        connection: &Connection,
    ) -> Result<Entry, Failure> {
        let mut known = self.lock();
        let mut others = 0;
        for old in known.iter().filter(|old| old.account == account) {
            if old.transfer == request.transfer_id && old.attempt < request.attempt {
                tracing::info!(transfer = old.transfer, attempt = old.attempt, "gives way to a later attempt");
                close(&old.connection, Some(&Failure::new(ErrorCode::PeerAborted, "a later attempt took over")));
            } else {
                others += 1;
            }
        }
        if most.is_some_and(|most| others >= most) {
            let words = format!("this user has {others} sessions already, which is all the server allows");
            return Err(Failure::new(ErrorCode::PeerAborted, words));
        }
        known.push(Known {
            account: account.to_owned(),
            transfer: request.transfer_id.clone(),
            attempt: request.attempt,
            connection: connection.clone(),
            door: None,
        });
        Ok(Entry { sessions: self.clone(), connection: connection.stable_id() })
    }

    /// Lets a connection in that shows a ticket. One that is unknown, used up or too old is refused, and not told why.
    pub(crate) fn find(&self, ticket: &Secret, now: Instant) -> Result<mpsc::Sender<Joining>, Failure> {
        let shown = blake3::hash(ticket.expose().as_bytes());
        let mut known = self.lock();
        let mut doors = known.iter_mut().filter_map(|known| known.door.as_mut());
        let door = doors.find(|door| door.ticket == shown).filter(|door| door.left > 0 && now < door.until);
        let door = door.ok_or_else(|| Failure::new(ErrorCode::Authentication, "the ticket is not valid"))?;
        door.left -= 1;
        Ok(door.joins.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Makes room for `further` connections.
    pub(crate) fn tickets(&self, further: u32) -> Tickets {
        let (send, joins) = mpsc::channel(4);
        let mut random = [0; 32];
        // Without chance there is no secret, and without a secret no further connection.
        if further == 0 || getrandom::fill(&mut random).is_err() {
            return Tickets { ticket: None, joins };
        }
        let ticket = crate::hash::hex(&random);
        let door = Door {
            ticket: blake3::hash(ticket.as_bytes()),
            until: Instant::now() + TICKET,
            left: further,
            joins: send,
        };
        if let Some(known) = self.sessions.lock().iter_mut().find(|k| k.connection.stable_id() == self.connection) {
            known.door = Some(door);
        }
        Tickets { ticket: Some(Secret::new(ticket)), joins }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sessions.lock().retain(|known| known.connection.stable_id() != self.connection);
    }
}
