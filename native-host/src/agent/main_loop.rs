//! The one loop through which everything passes: inputs to the core, its outputs to the world.

use super::connection::{self, Outgoing};
use super::{jobs, watch};
use crate::core::{ConnId, Core, Input, Output, RunId};
use crate::desktop::{Desktop, XdgOpen};
use crate::home::Home;
use crate::listener::{self, Seat};
use crate::store::snapshot;
use crate::supervisor::{Leftovers, WorkerHandle, spawn_worker};
use crate::time::SystemClock;
use std::collections::HashMap;
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
    workers: HashMap<RunId, WorkerHandle>,
    program: PathBuf,
    desktop: Arc<dyn Desktop>,
    leftovers: Leftovers,
    snapshot: PathBuf,
    ending: bool,
}

/// Runs until the core says exit, or a signal does.
pub(super) async fn run(
    mut core: Core,
    seat: Seat,
    clock: SystemClock,
    program: PathBuf,
    home: &Home,
) -> std::io::Result<()> {
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
        workers: HashMap::new(),
        program,
        desktop: Arc::new(XdgOpen),
        leftovers,
        snapshot: home.snapshot(),
        ending: false,
    };
    let mut next_conn: ConnId = 0;
    let mut give_up: Option<tokio::time::Instant> = None;
    let outputs = core.start(clock.now());
    shell.carry_out(outputs);
    loop {
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
            Some(input) = received.recv() => input,
            () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(3600))), if wait.is_some() => Input::Tick,
            _ = terminate.recv() => Input::Shutdown,
            _ = interrupt.recv() => Input::Shutdown,
            () = tokio::time::sleep_until(give_up_at), if give_up.is_some() => break,
        };
        match &input {
            Input::Disconnected { conn } => drop(shell.clients.remove(conn)),
            Input::Worker { run, event } if event.is_end() => {
                shell.workers.remove(run);
                shell.leftovers.ended(*run);
            }
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
    drop(std::fs::remove_file(home.socket()));
    Ok(())
}

impl Shell {
    fn accept(&mut self, conn: ConnId, stream: tokio::net::UnixStream) {
        let peer = stream.peer_cred().ok();
        let own = rustix::process::geteuid().as_raw();
        if !listener::decide_peer(own, peer.as_ref().map(tokio::net::unix::UCred::uid)) {
            tracing::warn!(?peer, "a connection of another user was refused");
            return;
        }
        if self.clients.len() >= MAX_CONNECTIONS {
            tracing::warn!("too many connections; one was refused");
            return;
        }
        tracing::debug!(conn, pid = ?peer.and_then(|p| p.pid()), "connected");
        self.clients.insert(conn, connection::start(conn, stream, self.inputs.clone()));
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
                Output::StartWorker { run, start } => {
                    let worker = spawn_worker(&self.program, run, *start, self.inputs.clone(), &self.leftovers);
                    self.workers.insert(run, worker);
                }
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
                Output::Snapshot(records) => {
                    let file = self.snapshot.clone();
                    tokio::task::spawn_blocking(move || snapshot::keep(&file, &records));
                }
                Output::LogLevel(level) => crate::logging::set_level(&level),
                Output::Exit => self.ending = true,
            }
        }
    }
}
