//! One session at the server: login, then the role that is the opposite of the client's.

use crate::control::{Inbox, Outbox};
use crate::failure::{close, disk, protocol};
use crate::holders::Holder;
use crate::land::Policies;
use crate::meter::Meter;
use crate::names::Suffixes;
use crate::rate::Limits;
use crate::receiver::Receiver;
use crate::report::Reports;
use crate::root::Root;
use crate::scan::Origin;
use crate::sender::Sender;
use crate::server::{Account, Permission, Shared};
use crate::watch::Watch;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{Accepted, Control, RateLocks, SessionHello, SessionRequest, SessionResult};
use godwit_protocol::worker::Failure;
use godwit_protocol::{ErrorCode, RelPath};
use quinn::{Connecting, Connection};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The client closes after the last word; one that does not is not waited for longer.
const CLIENT_CLOSES: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(1);

/// Sessions that are let in, so that a later attempt can take the place of an earlier one.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<Known>>);

struct Known {
    account: String,
    transfer: String,
    attempt: u32,
    connection: Connection,
}

impl Sessions {
    /// Notes a session and ends those of earlier attempts of the same transfer.
    fn enter(&self, account: &str, request: &SessionRequest, connection: &Connection) {
        let mut known = self.lock();
        for old in known.iter() {
            if old.account == account && old.transfer == request.transfer_id && old.attempt < request.attempt {
                tracing::info!(transfer = old.transfer, attempt = old.attempt, "gives way to a later attempt");
                close(&old.connection, Some(&Failure::new(ErrorCode::PeerAborted, "a later attempt took over")));
            }
        }
        known.push(Known {
            account: account.to_owned(),
            transfer: request.transfer_id.clone(),
            attempt: request.attempt,
            connection: connection.clone(),
        });
    }

    fn leave(&self, connection: &Connection) {
        self.lock().retain(|known| known.connection.stable_id() != connection.stable_id());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a session from the first packet to the last.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connecting: Connecting,
    limits: Arc<Limits>,
    mut aborted: watch::Receiver<bool>,
) {
    let login_timeout = shared.options.login_timeout;
    let connection = match tokio::time::timeout(login_timeout, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%error, "handshake"),
        Err(_) => return,
    };
    let Ok(Ok((send, recv))) = tokio::time::timeout(login_timeout, connection.accept_bi()).await else {
        return close(&connection, Some(&protocol("no control stream")));
    };
    let meter = Arc::new(Meter::default());
    let mut inbox = Inbox::new(connection.clone(), recv, meter.clone());
    let writing = Outbox::start(send);
    let outbox = writing.outbox().clone();
    let login = tokio::time::timeout(login_timeout, login(&shared, &connection, &outbox, &mut inbox));
    let outcome = match login.await {
        Err(_) => Err(Failure::new(ErrorCode::Stalled, "the login took too long")),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok((account, permission))) => {
            limits.set(permission.rate);
            shared.sessions.enter(account.name(), &permission.request, &connection);
            let role = Role { shared: &shared, connection: &connection, outbox: &outbox, meter: &meter, limits };
            let outcome = tokio::select! {
                outcome = role.run(permission, &mut inbox) => outcome,
                failure = stalled(&shared, &connection, &meter) => Err(failure),
                _ = aborted.wait_for(|abort| *abort) => {
                    Err(Failure::new(ErrorCode::PeerAborted, "the server is shutting down"))
                }
            };
            shared.sessions.leave(&connection);
            outcome
        }
    };
    let stats = Watch::stats_of(&connection, &meter);
    match &outcome {
        Ok(result) => tracing::info!(?result, wire = stats.bytes_on_wire, "session complete"),
        Err(failure) => {
            tracing::info!(code = failure.code.number(), %failure, wire = stats.bytes_on_wire, "session ended");
            outbox.send(Control::Error(failure.clone())).await;
        }
    }
    drop(inbox);
    writing.finish().await;
    if outcome.is_ok() {
        let _ = tokio::time::timeout(CLIENT_CLOSES, connection.closed()).await;
    }
    close(&connection, outcome.as_ref().err());
}

async fn stalled(shared: &Shared, connection: &Connection, meter: &Arc<Meter>) -> Failure {
    let mut watch = Watch::new(connection.clone(), meter.clone(), shared.options.stall_timeout);
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(failure) = watch.look() {
            return failure;
        }
    }
}

async fn login(
    shared: &Shared,
    connection: &Connection,
    outbox: &Outbox,
    inbox: &mut Inbox,
) -> Result<(Arc<dyn Account>, Permission), Failure> {
    let version = shared.options.version.clone();
    outbox.send(Control::Hello(SessionHello { product: "godwit".into(), version, features: Vec::new() })).await;
    match inbox.next().await? {
        Control::Hello(hello) if hello.product == "godwit" => {}
        _ => return Err(protocol("no hello")),
    }
    let Control::Authenticate { user, credential } = inbox.next().await? else {
        return Err(protocol("no authentication"));
    };
    let peer = connection.remote_address();
    let account = shared.authority.authenticate(peer, &user, &credential).await?;
    drop(credential);
    let request = match inbox.next().await? {
        Control::Request(request) => *request,
        _ => return Err(protocol("no request")),
    };
    tracing::info!(%peer, account = account.name(), transfer = request.transfer_id, direction = ?request.direction, "session");
    let permission = account.authorize(request).await?;
    let session_id = format!("{:016x}", getrandom::u64().unwrap_or_default());
    outbox
        .send(Control::Accepted(Accepted {
            session_id,
            rate: permission.rate,
            locks: RateLocks::default(),
            ticket: None,
            connections: 1,
        }))
        .await;
    Ok((account, permission))
}

struct Role<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    outbox: &'a Outbox,
    meter: &'a Arc<Meter>,
    limits: Arc<Limits>,
}

impl Role<'_> {
    async fn run(self, permission: Permission, inbox: &mut Inbox) -> Result<SessionResult, Failure> {
        let Permission { root, request, rate } = permission;
        let budget = crate::endpoint::widen(self.connection, &self.limits);
        match request.direction {
            Direction::Receive => {
                let sender = Sender {
                    connection: self.connection.clone(),
                    outbox: self.outbox.clone(),
                    meter: self.meter.clone(),
                    limits: self.limits,
                    granted: Some(rate),
                    reports: Reports::default(),
                };
                sender.run(inbox, Origin::Beneath(root, request.paths)).await
            }
            Direction::Send => {
                let root = target(&root, &request)?;
                let (heard, evict) = (self.connection.clone(), self.connection.clone());
                let took = Failure::new(ErrorCode::PeerAborted, "another session took the file over");
                let receiver = Receiver {
                    connection: self.connection.clone(),
                    outbox: self.outbox.clone(),
                    meter: self.meter.clone(),
                    reports: Reports::default(),
                    policies: Policies {
                        resume: request.resume,
                        overwrite: request.overwrite,
                        preserve_times: request.preserve_times,
                        fsync: self.shared.options.fsync,
                    },
                    suffixes: Suffixes::new(request.partial_suffix.as_deref(), request.checkpoint_suffix.as_deref()),
                    holders: self.shared.holders.clone(),
                    holder: Arc::new(Holder {
                        heard: Box::new(move || heard.stats().udp_rx.datagrams),
                        evict: Box::new(move || close(&evict, Some(&took))),
                    }),
                    allowed: None,
                    budget,
                };
                receiver.run(inbox, root).await
            }
        }
    }
}

/// The folder an upload goes to.
fn target(root: &Root, request: &SessionRequest) -> Result<Root, Failure> {
    let text = request.destination_root.trim_matches('/');
    if text.is_empty() || text == "." {
        return Ok(root.clone());
    }
    let folder: RelPath = text.parse().map_err(|e| Failure::new(ErrorCode::BadPath, format!("{text}: {e}")))?;
    let opened = if request.create_dir { root.create_dir_all(&folder).map(drop) } else { Ok(()) };
    opened.and_then(|()| root.descend(Some(&folder))).map_err(|e| disk(&e, true, text))
}
