//! The client's end of a session: what a worker or the command line runs.

use crate::connect::{Connected, connect};
use crate::control::{Inbox, Outbox};
use crate::failure::{close, disk, protocol, tame};
use crate::holders::{Holder, Holders};
use crate::land::Policies;
use crate::lines::Lines;
use crate::meter::Meter;
use crate::names::Suffixes;
use crate::protect::{Sealing, Watched, unlock_all};
use crate::rate::{Limits, Steer};
use crate::receiver::Receiver;
use crate::report::Reports;
use crate::root::Root;
use crate::rules::least;
use crate::scan::{Origin, Scanner};
use crate::sender::{Begun, Sender};
use crate::watch::Watch;
use godwit_protocol::spec::Direction;
use godwit_protocol::wire::{
    Accepted, Control, MAX_CONNECTIONS, RateLocks, RemotePath, SessionHello, SessionRequest, SessionResult,
};
use godwit_protocol::worker::{Command, Failure, Protection, RateSettings, Report, Start, Stats};
use godwit_protocol::{ErrorCode, RelPath};
use quinn::Connection;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Statistics are reported this often.
const STATS: Duration = Duration::from_millis(250);
/// Without any sign of life from either side for so long, the session has stalled.
const STALL: Duration = Duration::from_secs(60);
/// Without an answer to the login for so long, the server is taken for dead.
const LOGIN: Duration = Duration::from_secs(30);
/// For the last packets.
const FAREWELL: Duration = Duration::from_millis(500);
const FAREWELL_KNOWN: Duration = Duration::from_millis(100);

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
    // Its words may have names in them that the peer chose.
    session(start, None, reports, commands).await.map_err(tame)
}

/// As [`run`], for one who may not leave a folder: sources are relative to `root`, and no link beneath it is followed; what
/// is received lands in `root` itself, whatever [`Start::destination_root`] says.
pub async fn run_beneath(
    start: &Start,
    root: &Root,
    reports: mpsc::Sender<Report>,
    commands: mpsc::Receiver<Command>,
) -> Result<Stats, Failure> {
    session(start, Some(root), reports, commands).await.map_err(tame)
}

async fn session(
    start: &Start,
    root: Option<&Root>,
    reports: mpsc::Sender<Report>,
    commands: mpsc::Receiver<Command>,
) -> Result<Stats, Failure> {
    if start.paths.is_empty() {
        return Err(Failure::new(ErrorCode::NothingToTransfer, ""));
    }
    let protection = crate::protect::wanted(start)?;
    let target = match start.direction {
        Direction::Send => None,
        Direction::Receive => Some(match root {
            Some(root) => Target { root: root.clone(), allowed: allowed(start)? },
            None => Target::new(start)?,
        }),
    };
    let limits = Arc::new(Limits::new(start.rate));
    let wishes = Arc::new(Wishes::new(start.rate, limits.clone()));
    let mut steering = Steering { commands, wishes: wishes.clone() };
    let own = Arc::new(Limits::new(start.rate));
    let sealing = match protection.filter(|_| target.is_none()).cloned() {
        Some(protection) => {
            let derived = tokio::task::spawn_blocking(move || Arc::new(Sealing::new(&protection))).await;
            Some(derived.map_err(|_| Failure::new(ErrorCode::Internal, "deriving keys broke"))?)
        }
        None => None,
    };
    let unlocking =
        protection.zip(target.as_ref()).map(|(protection, target)| (protection.clone(), target.root.clone()));
    let Connected { endpoint, connection, fingerprint } = tokio::select! {
        connected = connect(&start.server, own.clone()) => connected?,
        stopped = steering.until_stopped(|_| {}) => return Err(stopped),
    };
    let lines = Lines::new(connection.clone(), own, limits.clone());
    let mut further = JoinSet::new();
    let meter = Arc::new(Meter::default());
    let files = Reports::to(reports.clone()).remember_encrypted(unlocking.is_some());
    let (send, recv) = match connection.open_bi().await {
        Ok(streams) => streams,
        Err(e) => return Err(crate::failure::from_connection(&e)),
    };
    let mut inbox = Inbox::new(connection.clone(), recv, meter.clone());
    let writing = Outbox::start(send);
    let outbox = writing.outbox().clone();
    ask(start, &outbox).await;
    // An upload announces its files in the same breath: the server reads them once it has let the client in.
    let sending = target.is_none().then(|| {
        let wishes = wishes.clone();
        let sender = Sender {
            connection: connection.clone(),
            lines: lines.clone(),
            outbox: outbox.clone(),
            meter: meter.clone(),
            limits: limits.clone(),
            steer: Arc::new(move |granted| wishes.grant(granted, None)),
            reports: files.clone(),
        };
        sender.begin(Scanner::new(origin(start, root), start.options.replace_illegal).sealed(sealing))
    });
    let session = async {
        let login = tokio::time::timeout(LOGIN, admitted(&mut inbox));
        login.await.map_err(|_| Failure::new(ErrorCode::Stalled, "no answer to the login"))?
    };
    let outcome = tokio::select! {
        accepted = session => accepted,
        stopped = steering.until_stopped(|_| {}) => Err(stopped),
    };
    let result = match outcome {
        Err(failure) => Err(failure),
        Ok((hello, Accepted { rate: granted, locks, ticket, connections, .. })) => {
            let more = start.sessions.min(connections).min(MAX_CONNECTIONS).saturating_sub(1);
            for ticket in ticket.iter().cycle().take(more as usize) {
                let (server, lines) = (start.server.clone(), lines.clone());
                further.spawn(crate::join::further(server, fingerprint.clone(), ticket.clone(), lines));
            }
            let session = Report::Session {
                transport: "quic".into(),
                fingerprint,
                server_version: hello.version,
                granted,
                locks,
            };
            let _ = reports.send(session).await;
            wishes.grant(granted, Some(locks));
            let role = Role {
                start,
                target,
                sending,
                connection: &connection,
                lines: &lines,
                outbox: &outbox,
                meter: &meter,
                wishes: &wishes,
            };
            drive(role, &mut inbox, &files, &reports, &mut steering).await
        }
    };
    if let Err(failure) = &result {
        outbox.send(Control::Error(failure.clone())).await;
    }
    drop(inbox);
    if result.is_err() {
        writing.finish().await;
    }
    let mut stats = Watch::stats_of(&connection, &meter);
    lines.complete(&mut stats);
    close(&connection, result.as_ref().err());
    lines.close_further(result.as_ref().err());
    let farewell = async {
        endpoint.wait_idle().await;
        while further.join_next().await.is_some() {}
    };
    // After a success both sides know already that everything is there.
    let patience = if result.is_ok() { FAREWELL_KNOWN.min(connection.rtt() / 2) } else { FAREWELL };
    let _ = tokio::time::timeout(patience, farewell).await;
    let verdict = result.and_then(|result| files.verdict(&result));
    let verdict = match (verdict, unlocking) {
        (Ok(()), Some((protection, root))) => {
            unlock(root, files.encrypted(), protection, &reports, &mut steering).await
        }
        (verdict, _) => verdict,
    };
    if verdict.is_err() {
        let _ = reports.send(Report::Stats(stats.clone())).await;
    }
    verdict.map(|()| stats)
}

/// Everything has arrived: decrypts it. What cannot be decrypted is no failure of the transfer.
async fn unlock(
    root: Root,
    paths: Vec<String>,
    protection: Protection,
    reports: &mpsc::Sender<Report>,
    steering: &mut Steering,
) -> Result<(), Failure> {
    let watched = Arc::new(Watched::default());
    let told = watched.clone();
    let mut work = tokio::task::spawn_blocking(move || unlock_all(&root, &paths, &protection.passphrase, &told));
    let broke = |_| Failure::new(ErrorCode::Internal, "decrypting broke");
    let unlocked = tokio::select! {
        unlocked = &mut work => unlocked.map_err(broke)?,
        stopped = steering.until_stopped(|_| {}) => {
            watched.stop.store(true, Ordering::Relaxed);
            work.await.map_err(broke)?;
            return Err(stopped);
        }
    };
    let _ = reports.send(Report::Unlocked(unlocked)).await;
    Ok(())
}

/// What a client does once it is let in.
struct Role<'a> {
    start: &'a Start,
    target: Option<Target>,
    sending: Option<Begun>,
    connection: &'a Connection,
    lines: &'a Lines,
    outbox: &'a Outbox,
    meter: &'a Arc<Meter>,
    wishes: &'a Arc<Wishes>,
}

impl Role<'_> {
    async fn run(self, inbox: &mut Inbox, files: &Reports) -> Result<SessionResult, Failure> {
        let start = self.start;
        let wishes = self.wishes.clone();
        let steer: Steer = Arc::new(move |granted| wishes.grant(granted, None));
        let target = match (self.target, self.sending) {
            (Some(target), _) => target,
            (None, Some(sending)) => return sending.run(inbox).await,
            (None, None) => return Err(Failure::new(ErrorCode::Internal, "neither sender nor receiver")),
        };
        let options = &start.options;
        let (heard, evict) = (self.connection.clone(), self.connection.clone());
        let receiver = Receiver {
            lines: self.lines.clone(),
            outbox: self.outbox.clone(),
            meter: self.meter.clone(),
            reports: files.clone(),
            policies: Policies {
                resume: options.resume,
                overwrite: options.overwrite,
                save_before_overwrite: options.save_before_overwrite,
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
            // What this side wants is the server's to keep.
            intake: Arc::new(Limits::new(RateSettings::default())),
            steer,
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
) -> Result<SessionResult, Failure> {
    let (connection, meter, outbox) = (role.connection.clone(), role.meter.clone(), role.outbox.clone());
    let (lines, limits) = (role.lines.clone(), role.wishes.limits.clone());
    let running = role.run(inbox, files);
    let (changed, mut changes) = mpsc::unbounded_channel();
    let steered = steering.until_stopped(move |settings| {
        let _ = changed.send(settings);
    });
    let looking = lines.look_after();
    tokio::pin!(running, steered, looking);
    let mut watch = Watch::new(connection.clone(), meter, STALL, limits.clone(), outbox.clone());
    let mut tick = tokio::time::interval(STATS);
    loop {
        tokio::select! {
            biased;
            result = &mut running => return result,
            never = &mut looking => return never,
            stopped = &mut steered => return Err(stopped),
            Some(settings) = changes.recv() => {
                outbox.send(Control::SetRate(settings)).await;
            }
            _ = tick.tick() => {
                let mut stats = watch.look()?;
                lines.complete(&mut stats);
                // A caller that is slow to read misses some, not the session its speed.
                let _ = reports.try_send(Report::Stats(stats));
            }
        }
    }
}

/// Where an upload's files are.
fn origin(start: &Start, root: Option<&Root>) -> Origin {
    let Some(root) = root else { return Origin::Local(start.paths.clone()) };
    let paths = start.paths.iter();
    let paths = paths.map(|p| RemotePath { source: p.source.clone(), destination: p.destination.clone() });
    Origin::Beneath(root.clone(), paths.collect())
}

/// Everything a server needs to let the client in.
async fn ask(start: &Start, outbox: &Outbox) {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    outbox.send(Control::Hello(SessionHello { product: "godwit".into(), version, features: Vec::new() })).await;
    let (user, credential) = (start.server.user.clone(), start.server.credential.clone());
    outbox.send(Control::Authenticate { user, credential }).await;
    outbox.send(Control::Request(Box::new(request(start)))).await;
}

/// The server's answer.
async fn admitted(inbox: &mut Inbox) -> Result<(SessionHello, Accepted), Failure> {
    let mut hello = None;
    loop {
        match inbox.next().await? {
            Control::Hello(theirs) if hello.is_none() && theirs.product == "godwit" => hello = Some(theirs),
            Control::Accepted(accepted) => {
                let hello = hello.ok_or_else(|| protocol("no hello"))?;
                tracing::info!(session = accepted.session_id, version = hello.version, "accepted");
                return Ok((hello, accepted));
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
        replace_illegal: options.replace_illegal.filter(|_| download),
        rate: start.rate,
        cookie: start.cookie.clone(),
        root_id: start.root_id.clone(),
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

/// What the caller wishes and what the server grants; the session obeys both.
struct Wishes {
    limits: Arc<Limits>,
    state: Mutex<Terms>,
}

#[derive(Clone, Copy)]
struct Terms {
    wish: RateSettings,
    granted: Option<RateSettings>,
    locks: RateLocks,
}

impl Wishes {
    fn new(wish: RateSettings, limits: Arc<Limits>) -> Self {
        Self { limits, state: Mutex::new(Terms { wish, granted: None, locks: RateLocks::default() }) }
    }

    fn wish(&self, wish: RateSettings) {
        self.change(|terms| terms.wish = wish);
    }

    /// The server's answer to the last wish that it read, or its share of what many sessions have in common.
    fn grant(&self, granted: RateSettings, locks: Option<RateLocks>) {
        self.change(|terms| {
            terms.granted = Some(granted);
            terms.locks = locks.unwrap_or(terms.locks);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Terms)) {
        let mut terms = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut terms);
        self.limits.set(terms.in_force());
    }
}

impl Terms {
    /// A wish for less holds at once, one for more when the server has agreed.
    fn in_force(&self) -> RateSettings {
        let Some(granted) = self.granted else { return self.wish };
        let either = |locked: bool, wish, granted| if locked { granted } else { least(wish, granted) };
        RateSettings {
            policy: granted.policy,
            target: either(self.locks.target, self.wish.target, granted.target),
            minimum: granted.minimum,
            cap: least(self.wish.cap, granted.cap),
        }
    }
}

/// The caller's hand on the session.
struct Steering {
    commands: mpsc::Receiver<Command>,
    wishes: Arc<Wishes>,
}

impl Steering {
    /// Obeys until told to stop. Cancelling loses no command.
    async fn until_stopped(&mut self, changed: impl Fn(RateSettings)) -> Failure {
        loop {
            match self.commands.recv().await {
                Some(Command::SetRate(settings)) => {
                    self.wishes.wish(settings);
                    changed(settings);
                }
                Some(Command::Start(_) | Command::Unlock(_)) => {}
                Some(Command::Stop) | None => return Failure::new(ErrorCode::UserCancel, ""),
            }
        }
    }
}
