//! `godwit-setup`: installs Godwit for a user or for a machine, and removes it.

use clap::Parser;
use godwit_installer::args::{Cli, Command, Common};
use godwit_installer::place::{Places, UserFolders};
use godwit_installer::plan::{Left, Step};
use godwit_installer::setup::{self, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Lets root install for one user: for tests, and for containers in which there is nobody else.
const AS_ROOT: &str = "GODWIT_SETUP_AS_ROOT";

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
        (false, false) if report.version.is_empty() => println!("Godwit's settings, queue and logs {done}"),
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
