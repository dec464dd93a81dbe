//! `cargo xtask`: building, checking, testing and showing the product, with no tool to install by hand.
//!
//! One file per command. This room knows the folders, the commands and the browsers of the repository; it knows
//! nothing of protocols, transfers or trust.

mod api;
mod bench;
mod build;
mod crx;
mod deb;
mod demo;
mod files;
mod fuzz;
mod lint;
mod manifest;
mod package;
mod place;
mod report;
mod reproducible;
mod run;
mod sbom;
mod screenshots;
mod setup;
mod soak;
mod test;
mod vendor;
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
    /// What people download: the release, the installer in one file, the server
    Package(package::Options),
    /// Install what building, testing and the demo need (Debian packages, wasm target, npm packages, cargo-deny)
    Setup,
    /// Format, clippy, types, extension and licences
    Lint,
    /// Everything CI runs: set-up, build, lint, and all tests in both browsers
    Test(test::Options),
    /// A picture of every window, light and dark, English and German, in target/screenshots/
    Screenshots(screenshots::Options),
    /// The long matrices: kills, hostile peers, changing paths, failing disks, upgrades, fuzzing, two compilations compared
    Soak(soak::Options),
    /// Thousands of generated requests against the server's API and its description (after build)
    Api(api::Options),
    /// Show the main job: a page, a browser, a server, thousands of files
    Demo(demo::Options),
    /// Measure beside the peers on emulated lines and on loopback; see docs/benchmarks.md
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build(options) => build::run(&options).map(|()| true),
        Command::Package(options) => package::run(&options).map(|()| true),
        Command::Setup => {
            setup::run(setup::Needs { browsers: true, desktop: true, deny: true, api: true }).map(|()| true)
        }
        Command::Lint => lint::run(),
        Command::Test(options) => test::run(&options),
        Command::Screenshots(options) => screenshots::run(&options).map(|()| true),
        Command::Soak(options) => soak::run(&options),
        Command::Api(options) => api::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
