//! Telling the desktop which links Godwit takes: desktops read a cache beside the desktop entries, which a tool of theirs makes.
//! Best effort: without that tool the entries are as they should be all the same.

use crate::place::Places;
use crate::plan::{Plan, Step};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cache's name.
const CACHE: &str = "mimeinfo.cache";
/// Its first line.
const HEAD: &str = "[MIME Cache]";
/// What is ours in it.
const OURS: &str = "x-scheme-handler/fasp=godwit.desktop;";

/// After an installation: the cache names our entry.
pub fn after_install(places: &Places) {
    let cache = folder(places).join(CACHE);
    let known = fs::read_to_string(cache).is_ok_and(|text| text.lines().any(|line| line == OURS));
    if !known {
        renew(places);
    }
}

/// Before a removal: a cache with nothing but ours in it goes, as it came with us; it would keep its folder from going.
pub fn before_uninstall(places: &Places, plan: &Plan) {
    let removes = |step: &Step| matches!(step, Step::Remove { path } if path.starts_with(folder(places)));
    let cache = folder(places).join(CACHE);
    if plan.steps.iter().any(removes) && fs::read_to_string(&cache).is_ok_and(|text| only_ours(&text)) {
        drop(fs::remove_file(cache));
    }
}

/// After a removal: a cache that names others too forgets us; one that names nobody any more goes.
pub fn after_uninstall(places: &Places) {
    let cache = folder(places).join(CACHE);
    if !cache.is_file() {
        return;
    }
    renew(places);
    if fs::read_to_string(&cache).is_ok_and(|text| text.trim() == HEAD) {
        drop(fs::remove_file(cache));
    }
}

fn folder(places: &Places) -> PathBuf {
    places.share.join("applications")
}

fn only_ours(cache: &str) -> bool {
    cache.lines().all(|line| line.is_empty() || line == HEAD || line == OURS)
}

fn renew(places: &Places) {
    let folder = folder(places);
    // In a package that is put together the machine it goes to does this.
    if places.prefix != Path::new("") || !folder.is_dir() {
        return;
    }
    let mut command = Command::new("update-desktop-database");
    command.arg("--quiet").arg(folder).current_dir("/");
    drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_goes_only_if_nobody_else_stands_in_it() {
        assert!(only_ours("[MIME Cache]\nx-scheme-handler/fasp=godwit.desktop;\n") && only_ours("[MIME Cache]\n"));
        for other in ["x-scheme-handler/fasp=aspera.desktop;godwit.desktop;", "text/plain=editor.desktop;"] {
            assert!(!only_ours(&format!("[MIME Cache]\n{OURS}\n{other}\n")), "{other}");
        }
    }
}
