//! The client's end of a session: what a worker or the command line runs.

use crate::connect::{Connected, connect};
use crate::control::{Inbox, Outbox};
use crate::failure::{close, disk, protocol};
use crate::holders::{Holder, Holders};
use crate::land::Policies;
use crate::meter::Meter;
use crate::names::Suffixes;
use crate::rate::Limits;
use crate::receiver::Receiver;
use crate::report::Reports;
use crate::root::Root;
use crate::scan::Origin;
use crate::sender::{Sender, least, narrow};
use crate::watch::Watch;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{Control, RateLocks, RemotePath, SessionHello, SessionRequest, SessionResult};
use godwit_protocol::worker::{Command, Failure, RateSettings, Report, Start, Stats};
use godwit_protocol::{ErrorCode, RelPath};
use quinn::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Statistics are reported this often.
const STATS: Duration = Duration::from_millis(250);
/// Without any sign of life from either side for so long, the session has stalled.
const STALL: Duration = Duration::from_secs(60);
/// Without an answer to the login for so long, the server is taken for dead.
const LOGIN: Duration = Duration::from_secs(30);
/// For the last packets.
const FAREWELL: Duration = Duration::from_millis(500);

/// Runs one session to its end. Emits [`Report::Session`], [`Report::Stats`] (at most four a second) and
/// [`Report::File`]; the final `Done` or `Error` is the caller's to make from the result. `commands` may carry
/// [`Command::SetRate`] and [`Command::Stop`]; a closed channel means that the caller has gone and counts as `Stop`.
/// Success means that every file arrived and was verified. Dropping the future abandons the session at once; what was
/// verified stays for the next attempt.
pub async fn run(
    start: &Start,
    reports: mpsc::Sender<Report>,
    commands: mpsc::Receiver<Command>,
) -> Result<Stats, Failure> {
    if start.paths.is_empty() {
        return Err(Failure::new(ErrorCode::NothingToTransfer, ""));
    }
    let target = match start.direction {
        Direction::Send => None,
        Direction::Receive => Some(Target::new(start)?),
    };
    let limits = Arc::new(Limits::new(start.rate));
    let mut steering =
        Steering { commands, limits: limits.clone(), granted: RateSettings::default(), wish: start.rate };
    let Connected { endpoint, connection, fingerprint } = tokio::select! {
        connected = connect(&start.server, limits.clone()) => connected?,
        stopped = steering.until_stopped(|_| {}) => return Err(stopped),
    };
    let meter = Arc::new(Meter::default());
    let files = Reports::to(reports.clone());
    let (send, recv) = match connection.open_bi().await {
        Ok(streams) => streams,
        Err(e) => return Err(crate::failure::from_connection(&e)),
    };
    let mut inbox = Inbox::new(connection.clone(), recv, meter.clone());
    let writing = Outbox::start(send);
    let outbox = writing.outbox().clone();
    let session = async {
        let login = tokio::time::timeout(LOGIN, login(start, &outbox, &mut inbox));
        let (hello, granted) =
            login.await.map_err(|_| Failure::new(ErrorCode::Stalled, "no answer to the login"))??;
        Ok::<_, Failure>((hello, granted))
    };
    let outcome = tokio::select! {
        accepted = session => accepted,
        stopped = steering.until_stopped(|_| {}) => Err(stopped),
    };
    let result = match outcome {
        Err(failure) => Err(failure),
        Ok((hello, granted)) => {
            let session = Report::Session {
                transport: "quic".into(),
                fingerprint,
                server_version: hello.version,
                granted,
                locks: RateLocks::default(),
            };
            let _ = reports.send(session).await;
            steering.grant(granted);
            let budget = crate::endpoint::widen(&connection, &limits);
            let role = Role { start, target, connection: &connection, outbox: &outbox, meter: &meter, limits: &limits };
            drive(role, &mut inbox, &files, &reports, &mut steering, budget).await
        }
    };
    if let Err(failure) = &result {
        outbox.send(Control::Error(failure.clone())).await;
    }
    drop(inbox);
    writing.finish().await;
    let stats = Watch::stats_of(&connection, &meter);
    close(&connection, result.as_ref().err());
    let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
    let verdict = result.and_then(|result| files.verdict(&result));
    if verdict.is_err() {
        let _ = reports.send(Report::Stats(stats.clone())).await;
    }
    verdict.map(|()| stats)
}

/// What a client does once it is let in.
struct Role<'a> {
    start: &'a Start,
    target: Option<Target>,
    connection: &'a Connection,
    outbox: &'a Outbox,
    meter: &'a Arc<Meter>,
    limits: &'a Arc<Limits>,
}

impl Role<'_> {
    async fn run(self, inbox: &mut Inbox, files: &Reports, budget: u64) -> Result<SessionResult, Failure> {
        let start = self.start;
        let Some(target) = self.target else {
            let sender = Sender {
                connection: self.connection.clone(),
                outbox: self.outbox.clone(),
                meter: self.meter.clone(),
                limits: self.limits.clone(),
                granted: None,
                reports: files.clone(),
            };
            return sender.run(inbox, Origin::Local(start.paths.clone())).await;
        };
        let options = &start.options;
        let (heard, evict) = (self.connection.clone(), self.connection.clone());
        let receiver = Receiver {
            connection: self.connection.clone(),
            outbox: self.outbox.clone(),
            meter: self.meter.clone(),
            reports: files.clone(),
            policies: Policies {
                resume: options.resume,
                overwrite: options.overwrite,
                preserve_times: options.preserve_times,
                fsync: options.fsync,
            },
            suffixes: Suffixes::new(Some(&options.partial_suffix), Some(&options.checkpoint_suffix)),
            holders: Arc::new(Holders::default()),
            holder: Arc::new(Holder {
                heard: Box::new(move || heard.stats().udp_rx.datagrams),
                evict: Box::new(move || close(&evict, None)),
            }),
            allowed: target.allowed,
            budget,
        };
        receiver.run(inbox, target.root).await
    }
}

/// Runs the role, reports where it stands, and ends it when told to, when nothing moves, or when the line is dead.
async fn drive(
    role: Role<'_>,
    inbox: &mut Inbox,
    files: &Reports,
    reports: &mpsc::Sender<Report>,
    steering: &mut Steering,
    budget: u64,
) -> Result<SessionResult, Failure> {
    let (connection, meter, outbox) = (role.connection.clone(), role.meter.clone(), role.outbox.clone());
    let download = role.target.is_some();
    let limits = role.limits.clone();
    let running = role.run(inbox, files, budget);
    let (changed, mut changes) = mpsc::unbounded_channel();
    let steered = steering.until_stopped(move |settings| {
        let _ = changed.send(settings);
    });
    tokio::pin!(running, steered);
    let mut watch = Watch::new(connection.clone(), meter, STALL);
    let mut tick = tokio::time::interval(STATS);
    loop {
        tokio::select! {
            biased;
            result = &mut running => return result,
            stopped = &mut steered => return Err(stopped),
            Some(settings) = changes.recv() => {
                if download {
                    outbox.send(Control::SetRate(settings)).await;
                }
                crate::endpoint::widen_send(&connection, &limits);
            }
            _ = tick.tick() => {
                let stats = watch.look()?;
                // A caller that is slow to read misses some, not the session its speed.
                let _ = reports.try_send(Report::Stats(stats));
            }
        }
    }
}

async fn login(start: &Start, outbox: &Outbox, inbox: &mut Inbox) -> Result<(SessionHello, RateSettings), Failure> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    outbox.send(Control::Hello(SessionHello { product: "godwit".into(), version, features: Vec::new() })).await;
    let (user, credential) = (start.server.user.clone(), start.server.credential.clone());
    outbox.send(Control::Authenticate { user, credential }).await;
    outbox.send(Control::Request(Box::new(request(start)))).await;
    let mut hello = None;
    loop {
        match inbox.next().await? {
            Control::Hello(theirs) if hello.is_none() && theirs.product == "godwit" => hello = Some(theirs),
            Control::Accepted(accepted) => {
                let hello = hello.ok_or_else(|| protocol("no hello"))?;
                tracing::info!(session = accepted.session_id, version = hello.version, "accepted");
                return Ok((hello, accepted.rate));
            }
            Control::Alive | Control::Unknown => {}
            _ => return Err(protocol("a frame out of turn")),
        }
    }
}

fn request(start: &Start) -> SessionRequest {
    let options = &start.options;
    let download = start.direction == Direction::Receive;
    let paths = start.paths.iter();
    let paths = paths.map(|p| RemotePath { source: p.source.clone(), destination: p.destination.clone() });
    SessionRequest {
        transfer_id: start.transfer_id.clone(),
        attempt: start.attempt,
        direction: start.direction,
        paths: if download { paths.collect() } else { Vec::new() },
        destination_root: if download { String::new() } else { start.destination_root.clone() },
        create_dir: start.create_dir && !download,
        resume: options.resume,
        overwrite: options.overwrite,
        save_before_overwrite: options.save_before_overwrite,
        preserve_times: options.preserve_times,
        partial_suffix: Some(options.partial_suffix.clone()),
        checkpoint_suffix: Some(options.checkpoint_suffix.clone()),
        rate: start.rate,
        cookie: start.cookie.clone(),
    }
}

/// Where a download goes, and under which names.
struct Target {
    root: Root,
    allowed: Option<Vec<RelPath>>,
}

impl Target {
    fn new(start: &Start) -> Result<Self, Failure> {
        let folder = Path::new(&start.destination_root);
        if !folder.is_absolute() {
            return Err(Failure::new(ErrorCode::BadPath, "the download folder is not an absolute path"));
        }
        if start.create_dir {
            std::fs::create_dir_all(folder).map_err(|e| disk(&e, true, &start.destination_root))?;
        }
        let root = Root::open(folder).map_err(|e| match e {
            crate::TransportError::Root { path, source } => disk(&source, true, &path),
            other => Failure::new(ErrorCode::Internal, other.to_string()),
        })?;
        Ok(Self { root, allowed: allowed(start)? })
    }
}

/// The names that were asked for; whatever else a server sends is refused. `None` if its whole root was asked for.
fn allowed(start: &Start) -> Result<Option<Vec<RelPath>>, Failure> {
    let mut allowed = Vec::new();
    for path in &start.paths {
        let name = match &path.destination {
            Some(destination) => destination.trim_matches('/'),
            None => path.source.trim_matches('/').rsplit('/').next().unwrap_or_default(),
        };
        if path.destination.is_none() && (name.is_empty() || name == ".") {
            return Ok(None);
        }
        allowed.push(name.parse().map_err(|e| Failure::new(ErrorCode::BadPath, format!("{name}: {e}")))?);
    }
    Ok(Some(allowed))
}

/// The caller's hand on the session.
struct Steering {
    commands: mpsc::Receiver<Command>,
    limits: Arc<Limits>,
    granted: RateSettings,
    wish: RateSettings,
}

impl Steering {
    /// The server's limits are known; they hold for an upload too.
    fn grant(&mut self, granted: RateSettings) {
        self.granted = granted;
        let target = least(self.wish.target, granted.target);
        self.limits.set(RateSettings { target, ..narrow(self.wish, granted) });
    }

    /// Obeys until told to stop. Cancelling loses no command.
    async fn until_stopped(&mut self, changed: impl Fn(RateSettings)) -> Failure {
        loop {
            match self.commands.recv().await {
                Some(Command::SetRate(settings)) => {
                    self.wish = settings;
                    self.limits.set(narrow(settings, self.granted));
                    changed(settings);
                }
                Some(Command::Start(_)) => {}
                Some(Command::Stop) | None => return Failure::new(ErrorCode::UserCancel, ""),
            }
        }
    }
}
