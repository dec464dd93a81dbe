//! Telling the desktop which links and files Godwit takes: desktops read caches beside the desktop entries and beside the
//! descriptions of types, which tools of theirs make. Best effort: without these tools ours are as they should be all the same.

use crate::place::Places;
use crate::plan::{Plan, Step};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of the cache of entries.
const CACHE: &str = "mimeinfo.cache";
/// Its first line.
const HEAD: &str = "[MIME Cache]";
/// What is ours in it: a type and the entry that takes it.
const OURS: [(&str, &str); 2] =
    [("x-scheme-handler/fasp", "godwit.desktop"), ("application/x-age-encrypted", "godwit-unlock.desktop")];
/// Our description of types.
const TYPES: &str = "godwit.xml";
/// What the tool makes of all descriptions, beside a file for each type in a folder named as its first half.
const MADE_OF_TYPES: [&str; 12] = [
    "XMLnamespaces",
    "aliases",
    "generic-icons",
    "globs",
    "globs2",
    "icons",
    "magic",
    "mime.cache",
    "subclasses",
    "treemagic",
    "types",
    "version",
];
/// Our type's.
const OUR_TYPE: [&str; 2] = ["application", "x-age-encrypted.xml"];

/// After an installation: the caches name what is ours.
pub fn after_install(places: &Places) {
    let cache = fs::read_to_string(entries(places).join(CACHE)).unwrap_or_default();
    let known = |(key, entry): &(&str, &str)| {
        let takers = cache.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        takers.is_some_and(|takers| takers.split(';').any(|taker| taker == *entry))
    };
    if !OURS.iter().all(known) {
        renew("update-desktop-database", &["--quiet"], places, &entries(places));
    }
    let [folder, file] = OUR_TYPE;
    let (ours, made) = (types(places).join("packages").join(TYPES), types(places).join(folder).join(file));
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    // One that is older was made of an older description.
    if time(&made).is_none_or(|made| time(&ours).is_some_and(|ours| ours > made)) {
        renew("update-mime-database", &[], places, &types(places));
    }
}

/// Before a removal: caches with nothing but ours in them go, as they came with us; they would keep their folders from going.
pub fn before_uninstall(places: &Places, plan: &Plan) {
    let removes = |step: &Step| matches!(step, Step::Remove { path } if path.starts_with(entries(places)));
    let cache = entries(places).join(CACHE);
    if plan.steps.iter().any(removes) && fs::read_to_string(&cache).is_ok_and(|text| only_ours(&text)) {
        drop(fs::remove_file(cache));
    }
    let packages = types(places).join("packages");
    let goes = plan.steps.iter().any(|step| matches!(step, Step::RemoveEmpty { path } if *path == packages));
    let alone = fs::read_dir(&packages)
        .is_ok_and(|mut all| all.all(|entry| entry.is_ok_and(|entry| entry.file_name() == TYPES)));
    if goes && alone {
        remove_made_of_types(&types(places));
    }
}

/// After a removal: a cache that names others too forgets us; one that names nobody any more goes.
pub fn after_uninstall(places: &Places) {
    let cache = entries(places).join(CACHE);
    if cache.is_file() {
        renew("update-desktop-database", &["--quiet"], places, &entries(places));
        if fs::read_to_string(&cache).is_ok_and(|text| text.trim() == HEAD) {
            drop(fs::remove_file(cache));
        }
    }
    let [folder, file] = OUR_TYPE;
    if types(places).join(folder).join(file).is_file() {
        renew("update-mime-database", &[], places, &types(places));
        // The tool leaves the folder of the last type that goes.
        drop(fs::remove_dir(types(places).join(folder)));
    }
}

fn entries(places: &Places) -> PathBuf {
    places.share.join("applications")
}

fn types(places: &Places) -> PathBuf {
    places.share.join("mime")
}

/// Files by their names, never what is in a folder: something else is somebody else's, and stays.
fn remove_made_of_types(types: &Path) {
    for name in MADE_OF_TYPES {
        drop(fs::remove_file(types.join(name)));
    }
    let [folder, file] = OUR_TYPE;
    drop(fs::remove_file(types.join(folder).join(file)));
    drop(fs::remove_dir(types.join(folder)));
}

fn only_ours(cache: &str) -> bool {
    let ours = OURS.map(|(key, entry)| format!("{key}={entry};"));
    cache.lines().all(|line| line.is_empty() || line == HEAD || ours.iter().any(|ours| line == ours))
}

fn renew(tool: &str, options: &[&str], places: &Places, folder: &Path) {
    // In a package that is put together the machine it goes to does this.
    if places.prefix != Path::new("") || !folder.is_dir() {
        return;
    }
    let mut command = Command::new(tool);
    command.args(options).arg(folder).current_dir("/");
    drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_goes_only_if_nobody_else_stands_in_it() {
        let ours =
            "[MIME Cache]\napplication/x-age-encrypted=godwit-unlock.desktop;\nx-scheme-handler/fasp=godwit.desktop;\n";
        assert!(only_ours(ours) && only_ours("[MIME Cache]\n"));
        for other in ["x-scheme-handler/fasp=aspera.desktop;godwit.desktop;", "text/plain=editor.desktop;"] {
            assert!(!only_ours(&format!("{ours}{other}\n")), "{other}");
        }
    }
}
