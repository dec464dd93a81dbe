//! `godwit`, the command line: copies files to and from a transfer server, and talks to the user's agent.
//!
//! **Purpose.** A person's (and a script's) way to what the browser's way offers. `cp` runs a session in this very
//! process; `status` and `agent` speak frames with the agent; `register` writes files for browsers.
//!
//! **Must not know:** how the agent keeps its queue, how the transport moves bytes, pages and consent.

mod agent;
mod args;
mod cp;
mod doctor;
mod home;
mod import;
mod location;
mod login;
mod plan;
mod progress;
mod register;
mod start;
mod status;
mod text;
mod unlock;

use args::{AgentCommand, Args, Command, SettingsCommand};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// The command line, for manuals and completions.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// Does what the command line of this process says.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    start_log();
    let result = match args.command {
        Command::Cp(cp) => return cp::run(&cp),
        Command::Unlock(wish) => return unlock::run(&wish),
        Command::Status(status) => status::run(&status).map_err(|e| e.to_string()),
        Command::Doctor(doctor) => match doctor::run(&doctor) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(message) => Err(message),
        },
        Command::Agent(AgentCommand::Start(_)) => start::run().map_err(|e| e.to_string()),
        Command::Agent(AgentCommand::Stop) => status::stop_agent().map_err(|e| e.to_string()),
        Command::Agent(AgentCommand::Restart) => status::restart_agent().map_err(|e| e.to_string()),
        Command::Settings(SettingsCommand::Import(import)) => import::run(&import).map_err(|e| e.to_string()),
        Command::Register(register) => register::run(&register).map_err(|e| e.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("godwit: {message}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error, only what was asked for: `GODWIT_LOG`, else `RUST_LOG`, else nothing beside our own words.
fn start_log() {
    let filter = ["GODWIT_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .and_then(|value| tracing_subscriber::EnvFilter::try_new(value).ok())
        .unwrap_or_else(|| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
