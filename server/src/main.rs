//! The program `godwit-server`; everything it does is in the library beside it.

use clap::Parser;
use godwit_server::admin;
use godwit_server::args::{Args, Command, ServeArgs};
use godwit_server::config::{ConfigFile, Settings};
use godwit_server::log::Log;
use godwit_server::serve::Bound;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// For the last lines of the log.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        None => serve(args.serve),
        Some(Command::User(command)) => admin::user(command),
        Some(Command::Key(command)) => admin::key(command),
        Some(Command::Token(command)) => admin::token(command),
        Some(Command::HashPassword) => admin::hash_password(),
        Some(Command::CheckConfig(args)) => admin::check_config(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("godwit-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let log = start_log();
    let result = serve_logged(args);
    log.flush(FLUSH);
    result
}

fn serve_logged(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let file = args.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
    let settings = Settings::new(file, &args)?;
    raise_handles();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(settings, args));
    // Tasks of closed ports and disk operations under way are not waited for.
    runtime.shutdown_background();
    result
}

/// Every connection and every open file is a handle; the usual limit of 1,024 is for programs that read no file anew.
fn raise_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: now.maximum.map(|most| most.min(65_536)).or(Some(65_536)), maximum: now.maximum };
    if now.current.is_some_and(|current| current < 65_536)
        && let Err(error) = setrlimit(Resource::Nofile, wanted)
    {
        tracing::warn!(%error, "the number of open files stays limited");
    }
}

async fn run(settings: Settings, args: ServeArgs) -> Result<(), Box<dyn Error>> {
    // Before anything is opened: a signal during the start must end it as cleanly.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let drain = settings.drain;
    let docroot = settings.docroot.display().to_string();
    let bound = Bound::open(settings).await?;
    if bound.is_without_users() {
        // A standard error that takes nothing is no reason not to serve.
        let _ = writeln!(
            std::io::stderr(),
            "godwit-server: there are no users yet, so nobody can log in. Add one with 'godwit-server user add NAME', with \
             --user NAME:PASSWORD, or in the configuration file: [users.NAME] with password_hash = \"…\" from \
             'godwit-server hash-password'."
        );
    }
    let reload = bound.reload();
    let line = bound.ready_line();
    let (stop, stopped) = watch::channel(false);
    let mut serving = std::pin::pin!(bound.run(stopped));
    let mut out = std::io::stdout().lock();
    // A parent that closed our output does not mean that nobody needs the server.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(out);
    tracing::info!(docroot, "{line}");
    loop {
        tokio::select! {
            result = &mut serving => return Ok(result?),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload.run(args.clone()).await,
        }
    }
    tracing::info!(?drain, "no new sessions; waiting for those that run (a second signal ends at once)");
    stop.send_replace(true);
    tokio::select! {
        result = &mut serving => result?,
        _ = terminate.recv() => tracing::warn!("second signal: ending at once; partial files and journals stay"),
        _ = interrupt.recv() => tracing::warn!("second signal: ending at once; partial files and journals stay"),
    }
    tracing::info!("ended");
    Ok(())
}

/// To standard error; `GODWIT_LOG`, else `RUST_LOG`, else what an administrator wants to see.
fn start_log() -> Log {
    let filter = ["GODWIT_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "info".to_owned());
    let (filter, wrong) = match tracing_subscriber::EnvFilter::try_new(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (tracing_subscriber::EnvFilter::new("info"), Some(error)),
    };
    let log = Log::to_stderr();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.clone())
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "the log filter is not valid; using 'info'");
    }
    log
}
