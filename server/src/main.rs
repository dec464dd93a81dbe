//! The program `godwit-server`; everything it does is in the library beside it.

use clap::Parser;
use godwit_protocol::Secret;
use godwit_server::access::{unix_now, user_path};
use godwit_server::args::{Args, Command, IssueArgs, ServeArgs, TokenCommand};
use godwit_server::config::{ConfigFile, Settings};
use godwit_server::password::Hash;
use godwit_server::serve::Bound;
use godwit_server::state::StateDir;
use godwit_server::token::TokenKey;
use std::error::Error;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        None => serve(args.serve),
        Some(Command::HashPassword) => hash_password(),
        Some(Command::Token(TokenCommand::Issue(issue))) => issue_token(&issue),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("godwit-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hash_password() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    // Bounded: what is piped in may be anything.
    std::io::Read::take(std::io::stdin().lock(), 64 * 1024).read_line(&mut line)?;
    let password = Secret::new(line.trim_end_matches(['\r', '\n']));
    println!("{}", Hash::of(&password)?.as_str());
    Ok(())
}

fn issue_token(args: &IssueArgs) -> Result<(), Box<dyn Error>> {
    let path = args.state.clone().map_or_else(StateDir::default_path, Ok)?;
    let key = TokenKey::load_or_make(&StateDir::open(&path)?)?;
    let paths = args.paths.iter().map(|path| user_path(path)).collect::<Result<Vec<_>, _>>()?;
    let token = key.issue(&args.user, args.direction.into(), &paths, unix_now(), args.ttl)?;
    println!("{}", token.expose());
    Ok(())
}

fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    start_log();
    let file = args.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
    let settings = Settings::new(file, &args)?;
    drop(args);
    if settings.users.is_empty() {
        eprintln!(
            "godwit-server: there are no users yet, so nobody can log in. Add one with --user NAME:PASSWORD, or in \
             the configuration file: [users.NAME] with password_hash = \"…\" from 'godwit-server hash-password'."
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(settings));
    // Tasks of closed ports and disk operations under way are not waited for.
    runtime.shutdown_background();
    result
}

async fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    // Before anything is opened: a signal during the start must end it as cleanly.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let drain = settings.drain;
    let docroot = settings.docroot.display().to_string();
    let bound = Bound::open(settings).await?;
    let line = bound.ready_line();
    let (stop, stopped) = watch::channel(false);
    let mut serving = std::pin::pin!(bound.run(stopped));
    let mut out = std::io::stdout().lock();
    // A parent that closed our output does not mean that nobody needs the server.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(out);
    tracing::info!(docroot, "{line}");
    tokio::select! {
        result = &mut serving => return Ok(result?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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
fn start_log() {
    let filter = ["GODWIT_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "info".to_owned());
    let (filter, wrong) = match tracing_subscriber::EnvFilter::try_new(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (tracing_subscriber::EnvFilter::new("info"), Some(error)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "the log filter is not valid; using 'info'");
    }
}
