//! `godwit-agent` as a process: takes its seat, opens the store, then passes everything that happens to
//! [`crate::core::Core`] and carries out what it decides. Decides nothing itself.

mod connection;
mod handover;
pub(crate) mod jobs;
mod main_loop;
mod open;
mod watch;

pub(crate) use connection::Outgoing;
pub use handover::{Handed, Program};

use crate::home::Home;
use crate::listener::{self, ListenError};
use crate::settings::policy::Policy;
use crate::settings::{DiskFile, SettingsBook};
use std::path::PathBuf;
use std::time::Duration;

/// Command line of the agent.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "godwit-agent", version, about = "Godwit's agent: runs the transfers of one user")]
pub struct Options {
    /// Leave the session of whoever started this (used by godwit-host).
    #[arg(long)]
    pub detached: bool,
    /// Write everything the database holds to FILE as JSON, without secrets, and end. The agent must not be running.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Put what FILE holds (an export, or `state/snapshot.json`) in the database's place, and end. The present database is kept
    /// beside it. The agent must not be running.
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Ask the user for files as the request on standard input says, and end.
    #[arg(long, hide = true)]
    pub dialog: bool,
    /// Program to run for each transfer instead of the `godwit-worker` beside this one.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub worker: Option<PathBuf>,
    /// Standard input is the listening socket, and belongs to whoever started this: it is not removed at the end (for systemd).
    #[arg(long, hide = true)]
    pub lent_socket: bool,
    /// End after this many seconds without clients and work.
    #[arg(long, hide = true, default_value_t = 600)]
    pub idle_seconds: u64,
    /// The key ring gets this many seconds to answer.
    #[arg(long, hide = true, default_value_t = 3)]
    pub key_ring_seconds: u64,
}

/// Why the agent ended unwell.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No place for its files.
    #[error(transparent)]
    Home(#[from] crate::home::HomeError),
    /// No seat; [`ListenError::Running`] is not unwell.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The key for stored passwords.
    #[error(transparent)]
    Secrets(#[from] crate::secrets::SecretError),
    /// The rest.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Runs the agent to its end.
pub fn run(options: &Options) -> Result<(), AgentError> {
    crate::no_dumps::forbid();
    if options.detached {
        // Fails only for a group leader, which is detached enough.
        let _ = rustix::process::setsid();
    }
    let home = Home::from_environment()?;
    let seat = listener::take_seat(&home, handover::receive(&home)?)?;
    if let Some(file) = &options.export {
        return open::export(&home, file);
    }
    if let Some(file) = &options.import {
        open::import(&home, file, crate::time::SystemClock::default().now())?;
        return Ok(());
    }
    let policy = Policy::load(&home.policies);
    let settings = SettingsBook::open(DiskFile(home.settings.clone()), policy);
    crate::logging::start(&home.agent_log(), &home.transfer_log(), &settings.now().log.level)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "agent starts");
    let clock = crate::time::SystemClock::default();
    let limits = open::Limits {
        idle: Duration::from_secs(options.idle_seconds),
        key_ring: Duration::from_secs(options.key_ring_seconds),
    };
    let program = Program::own()?;
    let core = open::core(&home, settings, limits, program.clone(), clock.now())?;
    let worker = worker_program(options)?;
    // Two threads: one for the core, whose writes to disk block, one for all else.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(main_loop::run(core, &seat, clock, worker, &home));
    // Blocking jobs (a hanging network folder) must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if result? == Ending::Again {
        tracing::info!(program = %program.path.display(), "the agent makes way for the program that is installed now");
        let (listener, lock) = seat.into_parts();
        return Err(handover::become_program(&program.path, listener, lock).into());
    }
    tracing::info!("agent ends");
    if !options.lent_socket {
        drop(std::fs::remove_file(home.socket()));
    }
    Ok(())
}

/// How an agent's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// For now there is none.
    End,
    /// The installed program takes over.
    Again,
}

/// The worker beside this program. Tests name another one by the hidden option, or by `GODWIT_WORKER` in debug builds,
/// because a host starts the agent without options.
fn worker_program(options: &Options) -> std::io::Result<PathBuf> {
    if let Some(program) = &options.worker {
        return Ok(program.clone());
    }
    if cfg!(debug_assertions)
        && let Some(program) = std::env::var_os("GODWIT_WORKER")
    {
        return Ok(program.into());
    }
    Ok(std::env::current_exe()?.with_file_name("godwit-worker"))
}
