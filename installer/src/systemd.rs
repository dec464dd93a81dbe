//! Telling the user's systemd, and the agent, of what came or goes. Best effort: where none runs, nothing is told.

use crate::place::{Places, Scope};
use crate::plan::{Plan, Step};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What listens, and what it starts.
const UNITS: [&str; 2] = ["godwit-agent.socket", "godwit-agent.service"];

/// After an installation: units that changed are read again.
pub fn after_install(places: &Places, plan: &Plan) {
    let unit = |step: &Step| matches!(step, Step::File { path, .. } if path.starts_with(&places.units));
    if runs(places) && plan.steps.iter().any(unit) {
        systemctl(&["daemon-reload"]);
    }
}

/// Before a removal: what systemd started of ours ends, with its journals kept, and the socket with it. It would go on
/// listening, and start a program that is gone. An agent that a browser started ends in the same way.
pub fn before_uninstall(places: &Places, plan: &Plan) {
    let unit = |step: &Step| matches!(step, Step::Remove { path } if path.starts_with(&places.units));
    if runs(places) && plan.steps.iter().any(unit) {
        systemctl(&["stop", UNITS[0], UNITS[1]]);
    }
    let root = |step: &Step| matches!(step, Step::RemoveTree { path } if *path == places.root);
    if ordinary(places) && plan.steps.iter().any(root) {
        silently(Command::new(places.current().join("bin/godwit")).args(["agent", "stop"]));
    }
}

/// After a removal: the units are forgotten.
pub fn after_uninstall(places: &Places) {
    if runs(places) {
        systemctl(&["daemon-reload"]);
    }
}

/// Units serve the ordinary places of one user only.
fn runs(places: &Places) -> bool {
    let runtime = set("XDG_RUNTIME_DIR").is_some_and(|folder| folder.join(Path::new("systemd/private")).exists());
    ordinary(places) && runtime
}

fn ordinary(places: &Places) -> bool {
    places.scope == Scope::User && set("GODWIT_HOME").is_none()
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn systemctl(words: &[&str]) {
    silently(Command::new("systemctl").args(["--user", "--quiet"]).args(words));
}

/// It is not there, or it refuses: the files are as they should be all the same.
fn silently(command: &mut Command) {
    let silent = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(silent.status());
}
