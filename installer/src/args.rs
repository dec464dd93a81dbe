//! The command line of `godwit-setup`.

use crate::browsers::{BROWSERS, Browser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Install Godwit, or remove it
#[derive(Debug, Parser)]
#[command(name = "godwit-setup", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What it can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install a release, or the next one in its place; running transfers go on
    Install(InstallArgs),
    /// Remove everything that was installed, and nothing else
    Uninstall(UninstallArgs),
}

/// What installing and removing have in common.
#[derive(Debug, Args)]
pub struct Common {
    /// For everybody on this machine, as root [default: for this user]
    #[arg(long)]
    pub system: bool,
    /// With --system: put everything below this folder, as packages are put together
    #[arg(long, value_name = "DIR", requires = "system")]
    pub prefix: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Say it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Of an installation.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// What both have.
    #[command(flatten)]
    pub common: Common,
    /// Only for these browsers, separated by commas [default: all, also those that may come]
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    pub browsers: Vec<&'static Browser>,
    /// The release [default: the folder above the one with this program]
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// Of a removal.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    /// What both have.
    #[command(flatten)]
    pub common: Common,
    /// Also remove this user's settings, passwords, queue and logs
    #[arg(long, conflicts_with = "system")]
    pub purge: bool,
}

fn browser(id: &str) -> Result<&'static Browser, String> {
    let known = || BROWSERS.iter().map(|browser| browser.id).collect::<Vec<_>>().join(", ");
    Browser::find(id).ok_or_else(|| format!("no such browser; known are {}", known()))
}
