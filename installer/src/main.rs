//! `godwit-setup`: installs Godwit for a user or for a machine, and removes it.

use clap::{Args, Parser, Subcommand};
use godwit_installer::browsers::{BROWSERS, Browser};
use godwit_installer::place::{Places, UserFolders};
use godwit_installer::plan::{Left, Step};
use godwit_installer::setup::{self, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Lets root install for one user: for tests, and for containers in which there is nobody else.
const AS_ROOT: &str = "GODWIT_SETUP_AS_ROOT";

/// Install Godwit, or remove it
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install a release, or the next one in its place; running transfers go on
    Install(InstallArgs),
    /// Remove everything that was installed, and nothing else
    Uninstall(UninstallArgs),
}

#[derive(Debug, Args)]
struct Common {
    /// For everybody on this machine, as root [default: for this user]
    #[arg(long)]
    system: bool,
    /// With --system: put everything below this folder, as packages are put together
    #[arg(long, value_name = "DIR", requires = "system")]
    prefix: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InstallArgs {
    #[command(flatten)]
    common: Common,
    /// Only for these browsers, separated by commas [default: all, also those that may come]
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browsers: Vec<&'static Browser>,
    /// The release [default: the folder above the one with this program]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct UninstallArgs {
    #[command(flatten)]
    common: Common,
    /// Also remove this user's settings, passwords, queue and logs
    #[arg(long, conflicts_with = "system")]
    purge: bool,
}

fn browser(id: &str) -> Result<&'static Browser, String> {
    let known = || BROWSERS.iter().map(|browser| browser.id).collect::<Vec<_>>().join(", ");
    Browser::find(id).ok_or_else(|| format!("no such browser; known are {}", known()))
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("godwit-setup: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    match &cli.command {
        Command::Install(args) => {
            let places = places(&args.common)?;
            let from = match &args.from {
                Some(from) => from.clone(),
                None => above_this_program().ok_or("where this program is cannot be told: say --from DIR")?,
            };
            let browsers = setup::choose(&places, &args.browsers);
            let report = setup::install(&places, &from, &browsers, args.common.dry_run).map_err(|e| e.to_string())?;
            print(&args.common, &report, "installed");
        }
        Command::Uninstall(args) => {
            let places = places(&args.common)?;
            let report = setup::uninstall(&places, args.purge, args.common.dry_run).map_err(|e| e.to_string())?;
            print(&args.common, &report, "removed");
        }
    }
    Ok(())
}

fn places(common: &Common) -> Result<Places, String> {
    let root = rustix::process::geteuid().is_root();
    if common.system {
        if !root && common.prefix.is_none() {
            return Err("--system needs root; without it Godwit is installed for you alone".into());
        }
        return Ok(Places::system(&common.prefix.clone().unwrap_or_default()));
    }
    if root && std::env::var_os(AS_ROOT).is_none() {
        return Err(format!(
            "you are root, and root does not browse: run this as the user who does, or say --system for everybody ({AS_ROOT}=1 \
             overrides this)"
        ));
    }
    let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    UserFolders::of(env).map(Places::user).ok_or_else(|| "HOME is not set: there is no place to install to".into())
}

fn above_this_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

fn print(common: &Common, report: &Report, done: &str) {
    if common.json {
        println!("{}", serde_json::to_string(report).unwrap_or_default());
        return;
    }
    if common.dry_run {
        report.plan.steps.iter().for_each(|step| println!("{}", words(step)));
    }
    for Left { path, why } in &report.plan.left {
        eprintln!("left alone: {}: {why}", path.display());
    }
    match (common.dry_run, report.plan.steps.is_empty()) {
        (false, false) => println!("Godwit {} {done}", report.version),
        (true, false) => println!("nothing was done (dry run)"),
        (_, true) if report.version.is_empty() => println!("Godwit is not installed here"),
        (_, true) => println!("Godwit {}: nothing to do", report.version),
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::Folder { path } => format!("make the folder {}", path.display()),
        Step::Release { path } => format!("copy the release to {}", path.display()),
        Step::File { path, .. } => format!("write {}", path.display()),
        Step::Link { path, to } => format!("link {} to {}", path.display(), to.display()),
        Step::Remove { path } => format!("remove {}", path.display()),
        Step::RemoveTree { path } => format!("remove {} and everything in it", path.display()),
        Step::RemoveEmpty { path } => format!("remove {} if it is empty", path.display()),
    }
}
