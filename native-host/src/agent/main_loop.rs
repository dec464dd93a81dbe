//! The one loop through which everything passes: inputs to the core, its outputs to the world.

use super::connection::{self, Outgoing};
use super::{Ending, jobs, watch};
use crate::core::{ConnId, Core, Input, Output, RunId};
use crate::desktop::{Desktop, XdgOpen};
use crate::dialog::{self, DialogHandle};
use crate::home::Home;
use crate::http::{self, Door};
use crate::listener::{self, Seat};
use crate::store::snapshot;
use crate::supervisor::{Leftovers, WorkerHandle, spawn_worker};
use crate::time::SystemClock;
use godwit_protocol::worker::Command;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Inputs that may wait for the core; then whoever produces them waits.
const INPUTS: usize = 256;
/// Connections at once: browsers, profiles, command lines. More is a mistake or an attack.
const MAX_CONNECTIONS: usize = 200;
/// After a request to end, workers get this long to write their journals.
const GRACE: Duration = Duration::from_secs(4);

struct Shell {
    inputs: mpsc::Sender<Input>,
    clients: HashMap<ConnId, Outgoing>,
    /// Those of them that came through the local HTTP door.
    http: HashSet<ConnId>,
    workers: HashMap<RunId, WorkerHandle>,
    program: PathBuf,
    desktop: Arc<dyn Desktop>,
    /// Dialogs of the desktop by prompt.
    dialogs: HashMap<String, DialogHandle>,
    leftovers: Leftovers,
    snapshot: PathBuf,
    /// Whether the local HTTP door shall be open.
    door_wanted: bool,
    ending: bool,
    again: bool,
}

/// Runs until the core says exit, or a signal does.
pub(super) async fn run(
    mut core: Core,
    seat: &Seat,
    clock: SystemClock,
    program: PathBuf,
    home: &Home,
) -> std::io::Result<Ending> {
    let (inputs, mut received) = mpsc::channel(INPUTS);
    let listener = UnixListener::from_std(seat.listener.try_clone()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let leftovers = Leftovers::new(&home.run);
    leftovers.clear().await;
    watch::start(&home.settings, inputs.clone());
    let mut shell = Shell {
        inputs,
        clients: HashMap::new(),
        http: HashSet::new(),
        workers: HashMap::new(),
        program,
        desktop: Arc::new(XdgOpen),
        dialogs: HashMap::new(),
        leftovers,
        snapshot: home.snapshot(),
        door_wanted: false,
        ending: false,
        again: false,
    };
    let mut next_conn: ConnId = 0;
    let mut give_up: Option<tokio::time::Instant> = None;
    let outputs = core.start(clock.now());
    shell.carry_out(outputs);
    let mut door: Option<Door> = None;
    loop {
        shell.tend(&mut door, home).await;
        if shell.ending && shell.workers.is_empty() {
            break;
        }
        let wait = core.next_deadline().map(|at| at.saturating_sub(clock.now().mono));
        let give_up_at = give_up.unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(3600));
        let input = tokio::select! {
            accepted = listener.accept(), if !shell.ending => {
                match accepted {
                    Ok((stream, _)) => {
                        next_conn += 1;
                        shell.accept(next_conn, stream);
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: others will be closed; do not spin meanwhile.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
                continue;
            }
            stream = knock(door.as_ref()), if !shell.ending => {
                match (stream, &door) {
                    (Ok(stream), Some(door)) => {
                        next_conn += 1;
                        shell.accept_http(next_conn, stream, door.port());
                    }
                    (Err(error), _) => {
                        tracing::warn!(%error, "a local HTTP connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    (Ok(_), None) => {}
                }
                continue;
            }
            Some(input) = received.recv() => input,
            () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(3600))), if wait.is_some() => Input::Tick,
            _ = terminate.recv() => Input::Shutdown,
            _ = interrupt.recv() => Input::Shutdown,
            () = tokio::time::sleep_until(give_up_at), if give_up.is_some() => break,
        };
        match &input {
            Input::Disconnected { conn } => {
                shell.clients.remove(conn);
                shell.http.remove(conn);
            }
            Input::Worker { run, event } if event.is_end() => {
                shell.workers.remove(run);
                shell.leftovers.ended(*run);
            }
            Input::DialogDone { prompt_id, .. } => drop(shell.dialogs.remove(prompt_id)),
            Input::Shutdown => give_up = give_up.or(Some(tokio::time::Instant::now() + GRACE)),
            _ => {}
        }
        // The store's writes block; the other thread goes on meanwhile.
        let outputs = tokio::task::block_in_place(|| core.handle(clock.now(), input));
        shell.carry_out(outputs);
        if shell.ending && give_up.is_none() {
            give_up = Some(tokio::time::Instant::now() + GRACE);
        }
    }
    for (_, worker) in shell.workers.drain() {
        worker.kill();
    }
    // Answers to the request to end are still on their way out.
    shell.clients.clear();
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::task::block_in_place(|| {
        core.close();
        if let Some(records) = core.last_snapshot() {
            snapshot::keep(&home.snapshot(), &records);
        }
    });
    Ok(if shell.again { Ending::Again } else { Ending::End })
}

/// The next connection at the local HTTP door; waits for ever while it is closed.
async fn knock(door: Option<&Door>) -> std::io::Result<tokio::net::TcpStream> {
    match door {
        Some(door) => door.accept().await,
        None => std::future::pending().await,
    }
}

impl Shell {
    fn accept(&mut self, conn: ConnId, stream: tokio::net::UnixStream) {
        let peer = stream.peer_cred().ok();
        let own = rustix::process::geteuid().as_raw();
        if !listener::decide_peer(own, peer.as_ref().map(tokio::net::unix::UCred::uid)) {
            tracing::warn!(?peer, "a connection of another user was refused");
            return;
        }
        if self.clients.len() - self.http.len() >= MAX_CONNECTIONS {
            tracing::warn!("too many connections; one was refused");
            return;
        }
        tracing::debug!(conn, pid = ?peer.and_then(|p| p.pid()), "connected");
        self.clients.insert(conn, connection::start(conn, stream, self.inputs.clone()));
    }

    fn accept_http(&mut self, conn: ConnId, stream: tokio::net::TcpStream, port: u16) {
        if self.http.len() >= http::MAX_CONNECTIONS {
            tracing::warn!("too many local HTTP connections; one was refused");
            return;
        }
        self.http.insert(conn);
        self.clients.insert(conn, http::start(conn, stream, port, self.inputs.clone()));
    }

    /// Opens or closes the local HTTP door as the settings want it.
    async fn tend(&mut self, door: &mut Option<Door>, home: &Home) {
        if self.door_wanted == door.is_some() {
            return;
        }
        *door = None;
        for conn in self.http.drain() {
            self.clients.remove(&conn);
        }
        if self.door_wanted {
            match Door::open(home).await {
                Ok(open) => *door = Some(open),
                Err(error) => {
                    tracing::error!(%error, "the local HTTP API cannot be opened");
                    self.door_wanted = false;
                }
            }
        }
    }

    fn start_worker(&mut self, run: RunId, order: Command) {
        let worker = spawn_worker(&self.program, run, order, self.inputs.clone(), &self.leftovers);
        self.workers.insert(run, worker);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { conn, message } => {
                    let Some(client) = self.clients.get(&conn) else { continue };
                    if client.try_send(message).is_err() {
                        tracing::warn!(conn, "a client does not keep up; it is cut off");
                        self.clients.remove(&conn);
                    }
                }
                Output::StartWorker { run, start } => self.start_worker(run, Command::Start(start)),
                Output::Unlock { run, unlock } => self.start_worker(run, Command::Unlock(unlock)),
                Output::TellWorker { run, command } => {
                    if let Some(worker) = self.workers.get(&run) {
                        worker.tell(command);
                    }
                }
                Output::Job(job) => jobs::start(job, self.inputs.clone()),
                Output::OpenFolder(folder, environment) => {
                    let desktop = Arc::clone(&self.desktop);
                    tokio::spawn(async move {
                        if let Err(error) = desktop.open_folder(&folder, &environment).await {
                            tracing::warn!(%error, "the folder could not be opened");
                        }
                    });
                }
                Output::Dialog { prompt_id, request, environment } => {
                    let handle = dialog::start(prompt_id.clone(), request, environment, self.inputs.clone());
                    self.dialogs.insert(prompt_id, handle);
                }
                Output::CloseDialog(prompt_id) => drop(self.dialogs.remove(&prompt_id)),
                Output::Snapshot(records) => {
                    let file = self.snapshot.clone();
                    tokio::task::spawn_blocking(move || snapshot::keep(&file, &records));
                }
                Output::LocalHttp(wanted) => self.door_wanted = wanted,
                Output::LogLevel(level) => crate::logging::set_level(&level),
                Output::Exit { again } => (self.ending, self.again) = (true, again),
            }
        }
    }
}
