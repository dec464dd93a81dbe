//! Telling the user's systemd of units that came or go. Best effort: where no systemd of this user runs, nothing is told.

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
/// listening, and start a program that is gone.
pub fn before_uninstall(places: &Places, plan: &Plan) {
    let unit = |step: &Step| matches!(step, Step::Remove { path } if path.starts_with(&places.units));
    if runs(places) && plan.steps.iter().any(unit) {
        systemctl(&["stop", UNITS[0], UNITS[1]]);
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
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let runtime = set("XDG_RUNTIME_DIR").is_some_and(|folder| folder.join(Path::new("systemd/private")).exists());
    places.scope == Scope::User && set("GODWIT_HOME").is_none() && runtime
}

fn systemctl(words: &[&str]) {
    let mut command = Command::new("systemctl");
    command.args(["--user", "--quiet"]).args(words).current_dir("/");
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // No systemctl, or it refuses: the files are as they should be all the same.
    drop(silent.status());
}
