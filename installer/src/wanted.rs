//! What shall stand outside the root: how browsers, shells, the desktop and systemd find the installation.

use crate::browsers::Browser;
use crate::manifest;
use crate::place::{Places, Scope, under};
use crate::plan::{Content, Wanted};
use crate::setup::SetupError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The commands that a person types.
const COMMANDS: [&str; 2] = ["godwit", "godwit-setup"];
const ICON: &[u8] = include_bytes!("../../extension/icons/godwit.svg");
const ICONS: [(&str, &[u8]); 4] = [
    ("16x16", include_bytes!("../../extension/icons/godwit-16.png")),
    ("32x32", include_bytes!("../../extension/icons/godwit-32.png")),
    ("48x48", include_bytes!("../../extension/icons/godwit-48.png")),
    ("128x128", include_bytes!("../../extension/icons/godwit-128.png")),
];
/// Desktop entries.
const DESKTOP: [(&str, &str); 2] = [
    ("godwit.desktop", include_str!("../files/godwit.desktop")),
    ("godwit-unlock.desktop", include_str!("../files/godwit-unlock.desktop")),
];
/// Which files are encrypted ones, for the desktop.
const TYPES: &[u8] = include_bytes!("../files/godwit.xml");
/// systemd's units of the agent.
const UNITS: [(&str, &str); 2] = [
    ("godwit-agent.service", include_str!("../../manifests/systemd/godwit-agent.service")),
    ("godwit-agent.socket", include_str!("../../manifests/systemd/godwit-agent.socket")),
];
/// The folder of a release that is laid out as `/usr/share`: manual pages and completions.
const SHARE: &str = "share";

/// Everything outside the root, for the release in `from`.
pub(crate) fn wanted(
    places: &Places,
    from: &Path,
    browsers: &[&Browser],
    ids: &[String],
) -> Result<Vec<Wanted>, SetupError> {
    let mut all = manifests(places, browsers, ids)?;
    let link = |path: PathBuf, to: PathBuf| Wanted { path, content: Content::Link(to) };
    let file = |path: PathBuf, bytes: &[u8]| Wanted { path, content: Content::File(bytes.to_vec()) };
    all.extend(COMMANDS.iter().map(|command| link(places.commands.join(command), places.program(command))));
    for path in shared(from)? {
        all.push(link(places.share.join(&path), places.told(&places.current().join(SHARE).join(&path))));
    }
    let program = places.program("godwit");
    let quoted = program.to_str().and_then(quoted_for_desktop).ok_or_else(|| SetupError::NotText(program.clone()))?;
    for (name, entry) in DESKTOP {
        let entry = entry.replace("@GODWIT@", &quoted);
        all.push(file(places.share.join("applications").join(name), entry.as_bytes()));
    }
    all.push(file(places.share.join("mime/packages/godwit.xml"), TYPES));
    let icons = places.share.join("icons/hicolor");
    all.push(file(icons.join("scalable/apps/godwit.svg"), ICON));
    for (size, bytes) in ICONS {
        all.push(file(icons.join(size).join("apps/godwit.png"), bytes));
    }
    // Without units the host starts the agent by itself.
    if let Some(agent) = places.program("godwit-agent").to_str().and_then(quoted_for_systemd) {
        all.extend(
            UNITS.iter().map(|(name, unit)| file(places.units.join(name), unit.replace("@AGENT@", &agent).as_bytes())),
        );
    }
    // Two browsers may read the same folder.
    let mut seen = BTreeSet::new();
    all.retain(|thing| seen.insert(thing.path.clone()));
    Ok(all)
}

/// How each browser finds the host.
fn manifests(places: &Places, browsers: &[&Browser], ids: &[String]) -> Result<Vec<Wanted>, SetupError> {
    let host = places.program("godwit-host");
    let mut all = Vec::new();
    for browser in browsers {
        let folders: Vec<PathBuf> = match (&places.user, places.scope) {
            (Some(user), Scope::User) => vec![browser.user_folder(&user.home, &user.config)],
            _ => browser.system.iter().map(|folder| under(&places.prefix, Path::new(folder))).collect(),
        };
        let text = manifest::text_for(browser.family, &host, ids).ok_or_else(|| SetupError::NotText(host.clone()))?;
        all.extend(folders.into_iter().map(|folder| Wanted {
            path: folder.join(manifest::file_name()),
            content: Content::File(text.clone().into_bytes()),
        }));
    }
    Ok(all)
}

/// The files below `share` of a release, in order.
fn shared(release: &Path) -> io::Result<Vec<PathBuf>> {
    fn walk(top: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(top.join(below))? {
            let entry = entry?;
            let (path, kind) = (below.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                walk(top, &path, found)?;
            } else if kind.is_file() {
                found.push(path);
            }
        }
        Ok(())
    }
    let (top, mut found) = (release.join(SHARE), Vec::new());
    if top.is_dir() {
        walk(&top, Path::new(""), &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// A program as the `Exec` line of a desktop entry wants it.
fn quoted_for_desktop(program: &str) -> Option<String> {
    let mut quoted = String::from("\"");
    for c in program.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            c if c.is_control() => return None,
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// A program as the `ExecStart` line of a unit wants it; variables are not replaced in the first word. `None`: systemd refuses
/// programs with such a character in their path, however it is written.
fn quoted_for_systemd(program: &str) -> Option<String> {
    let refused = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\');
    (!program.contains(refused)).then(|| format!("\"{}\"", program.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn odd_paths_are_written_as_each_file_wants_them_and_line_ends_never_are() {
        let odd = "/home/o \"'$%\\/godwit";
        assert_eq!(quoted_for_desktop(odd).unwrap(), r#""/home/o \\"'\\$%%\\\\/godwit""#);
        assert_eq!(quoted_for_systemd("/home/o $%/godwit").unwrap(), r#""/home/o $%%/godwit""#);
        assert!(["'", "\"", "\\"].iter().all(|c| quoted_for_systemd(&format!("/home/{c}/godwit")).is_none()));
        assert!(quoted_for_desktop("/a\nb").is_none() && quoted_for_systemd("/a\nb").is_none());
    }
}
