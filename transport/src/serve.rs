//! One session at the server: login, then the role that is the opposite of the client's.

use crate::control::{Inbox, Outbox};
use crate::failure::{close, disk, protocol};
use crate::holders::Holder;
use crate::join::{Joining, take_in};
use crate::land::Policies;
use crate::lines::Lines;
use crate::meter::Meter;
use crate::names::Suffixes;
use crate::places::Place;
use crate::rate::{Limits, Steer};
use crate::ration::Ration;
use crate::receiver::Receiver;
use crate::report::Reports;
use crate::root::Root;
use crate::scan::{Origin, Scanner};
use crate::sender::Sender;
use crate::server::{Account, Permission, Shared};
use crate::sessions::Tickets;
use crate::watch::Watch;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{Accepted, Control, MAX_CONNECTIONS, SessionHello, SessionRequest, SessionResult};
use godwit_protocol::worker::{Failure, RateSettings};
use godwit_protocol::{ErrorCode, RelPath, Secret};
use quinn::{Connecting, Connection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// The client closes after the last word; one that does not is not waited for longer.
const CLIENT_CLOSES: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(1);

/// Runs a session from the first packet to the last.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connecting: Connecting,
    limits: Arc<Limits>,
    mut aborted: watch::Receiver<bool>,
    _place: Place,
) {
    // One limit for the whole way in: whoever uses up each step of it holds no place for longer.
    let due = tokio::time::Instant::now() + shared.options.login_timeout;
    let connection = match tokio::time::timeout_at(due, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%error, "handshake"),
        Err(_) => return,
    };
    let Ok(Ok((send, recv))) = tokio::time::timeout_at(due, connection.accept_bi()).await else {
        return close(&connection, Some(&protocol("no control stream")));
    };
    let meter = Arc::new(Meter::default());
    let mut inbox = Inbox::new(connection.clone(), recv, meter.clone());
    let writing = Outbox::start(send);
    let outbox = writing.outbox().clone();
    let mut further = None;
    let mut who = None;
    let login = tokio::time::timeout_at(due, login(&shared, &connection, &outbox, &mut inbox));
    let outcome = match login.await {
        Err(_) => Err(Failure::new(ErrorCode::Stalled, "the login took too long")),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(Caller::Further(ticket))) => match join(&shared, &connection, limits, &ticket).await {
            Ok(number) => {
                outbox.send(Control::Joined { connection: number }).await;
                // It is the session's now; the control stream stays open as long as the connection.
                connection.closed().await;
                return;
            }
            Err(failure) => Err(failure),
        },
        Ok(Ok(Caller::Session(account, permission))) => {
            who = Some(account.clone());
            let own = limits;
            let limits = Arc::new(Limits::new(permission.request.rate));
            let lines = Lines::new(connection.clone(), own, limits.clone());
            let stall = shared.options.stall_timeout;
            let watch = Watch::new(connection.clone(), meter.clone(), stall, limits.clone(), outbox.clone());
            let role = Role {
                shared: &shared,
                connection: &connection,
                lines: lines.clone(),
                outbox: &outbox,
                meter: &meter,
                limits,
            };
            let outcome = tokio::select! {
                outcome = role.run(account.as_ref(), *permission, &mut inbox) => outcome,
                failure = stalled(watch) => Err(failure),
                _ = aborted.wait_for(|abort| *abort) => {
                    Err(Failure::new(ErrorCode::PeerAborted, "the server is shutting down"))
                }
            };
            further = Some(lines);
            outcome
        }
    };
    let mut stats = Watch::stats_of(&connection, &meter);
    if let Some(lines) = &further {
        lines.complete(&mut stats);
    }
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
    if let Some(lines) = further {
        lines.close_further(outcome.as_ref().err());
    }
    // Last: the client does not wait for what is written down of it.
    if let Some(account) = who {
        account.ended(outcome, stats).await;
    }
}

/// Who connects.
enum Caller {
    Session(Arc<dyn Account>, Box<Permission>),
    /// A further connection of a session, with its ticket.
    Further(Secret),
}

/// Gives a connection to its session. Its number there.
async fn join(shared: &Shared, connection: &Connection, limits: Arc<Limits>, ticket: &Secret) -> Result<u32, Failure> {
    let session = shared.sessions.find(ticket, Instant::now())?;
    let (answer, number) = oneshot::channel();
    let over = || Failure::new(ErrorCode::PeerAborted, "the session is over");
    session.send(Joining { connection: connection.clone(), limits, answer }).await.map_err(|_| over())?;
    number.await.map_err(|_| over())
}

async fn stalled(mut watch: Watch) -> Failure {
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
) -> Result<Caller, Failure> {
    let version = shared.options.version.clone();
    outbox.send(Control::Hello(SessionHello { product: "godwit".into(), version, features: Vec::new() })).await;
    match inbox.next().await? {
        Control::Hello(hello) if hello.product == "godwit" => {}
        _ => return Err(protocol("no hello")),
    }
    let (user, credential) = match inbox.next().await? {
        Control::Authenticate { user, credential } => (user, credential),
        Control::Join { ticket } => return Ok(Caller::Further(ticket)),
        _ => return Err(protocol("no authentication")),
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
    Ok(Caller::Session(account, Box::new(permission)))
}

/// Tells the client what limits are in force whenever that changes; never returns.
async fn tell<T>(outbox: &Outbox, mut in_force: watch::Receiver<RateSettings>) -> T {
    while in_force.changed().await.is_ok() {
        let now = *in_force.borrow_and_update();
        outbox.send(Control::SetRate(now)).await;
    }
    std::future::pending().await
}

struct Role<'a> {
    shared: &'a Arc<Shared>,
    connection: &'a Connection,
    lines: Lines,
    outbox: &'a Outbox,
    meter: &'a Arc<Meter>,
    limits: Arc<Limits>,
}

impl Role<'_> {
    /// Lets the session in, counts it and runs it.
    async fn run(
        self,
        account: &dyn Account,
        permission: Permission,
        inbox: &mut Inbox,
    ) -> Result<SessionResult, Failure> {
        let Permission { root, request, rules, rate_cap, max_sessions } = permission;
        let Self { shared, connection, .. } = self;
        let entry = shared.sessions.enter(account.name(), max_sessions, &request, connection)?;
        let locks = rules.locks;
        let ration = Arc::new(Ration::new(rules, request.rate, self.limits.clone()));
        let wire = self.lines.clone();
        let wire = move || wire.wire();
        let _share = shared.allotment.enter(account.name(), request.direction, rate_cap, &ration, wire);
        let mut in_force = ration.in_force();
        let rate = *in_force.borrow_and_update();
        let session_id = format!("{:016x}", getrandom::u64().unwrap_or_default());
        let connections = shared.options.max_connections.clamp(1, MAX_CONNECTIONS);
        let Tickets { ticket, joins } = entry.tickets(connections - 1);
        let accepted = Accepted { session_id, rate, locks, ticket, connections };
        self.outbox.send(Control::Accepted(accepted)).await;
        let (outbox, lines) = (self.outbox.clone(), self.lines.clone());
        tokio::select! {
            never = take_in(&lines, joins) => never,
            never = lines.look_after() => never,
            result = self.transfer(root, request, ration, inbox) => result,
            never = tell(&outbox, in_force) => never,
        }
    }

    async fn transfer(
        self,
        root: Root,
        request: SessionRequest,
        ration: Arc<Ration>,
        inbox: &mut Inbox,
    ) -> Result<SessionResult, Failure> {
        let intake = ration.intake().clone();
        let steer: Steer = Arc::new(move |wish| ration.wish(wish));
        match request.direction {
            Direction::Receive => {
                let sender = Sender {
                    connection: self.connection.clone(),
                    lines: self.lines,
                    outbox: self.outbox.clone(),
                    meter: self.meter.clone(),
                    limits: self.limits,
                    steer,
                    reports: Reports::default(),
                };
                let scanner = Scanner::new(Origin::Beneath(root, request.paths), request.replace_illegal);
                sender.run(inbox, scanner).await
            }
            Direction::Send => {
                let root = target(&root, &request)?;
                let (heard, evict) = (self.connection.clone(), self.connection.clone());
                let took = Failure::new(ErrorCode::PeerAborted, "another session took the file over");
                let receiver = Receiver {
                    lines: self.lines,
                    outbox: self.outbox.clone(),
                    meter: self.meter.clone(),
                    reports: Reports::default(),
                    policies: Policies {
                        resume: request.resume,
                        overwrite: request.overwrite,
                        save_before_overwrite: request.save_before_overwrite,
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
                    intake,
                    steer,
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
