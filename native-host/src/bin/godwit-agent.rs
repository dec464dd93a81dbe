//! The long-lived process of one user; see [`godwit_native_host::agent`].

use clap::Parser;
use godwit_native_host::agent::{self, AgentError, Options};
use godwit_native_host::listener::ListenError;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    if options.dialog {
        return godwit_native_host::dialog::run_helper();
    }
    match agent::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ AgentError::Listen(ListenError::Running)) => {
            drop(writeln!(std::io::stderr(), "godwit-agent: {error}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "agent failed");
            drop(writeln!(std::io::stderr(), "godwit-agent: {error}"));
            ExitCode::FAILURE
        }
    }
}
