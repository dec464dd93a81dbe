//! `cargo xtask`: building, checking, testing and showing the product, with no tool to install by hand.
//!
//! One file per command. This room knows the folders, the commands and the browsers of the repository; it knows
//! nothing of protocols, transfers or trust.

mod build;
mod files;
mod manifest;
mod place;
mod run;
mod wasm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Failure = Box<dyn std::error::Error>;
/// Result of a step.
type Outcome<T = ()> = Result<T, Failure>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, check, test and show Godwit")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Leave everything installable in dist/
    Build(build::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build(options) => build::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
