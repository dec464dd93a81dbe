//! Who started the host? The browser says it in the arguments; only our own extension is let in.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Id of the Chromium build of the extension; follows from the public key in its manifest.
pub const CHROMIUM_ID: &str = include_str!("../../../manifests/extension-id.txt").trim_ascii();
/// Id of the Firefox build of the extension.
pub const FIREFOX_ID: &str = "godwit@godwit.io";

/// Of a release: ids that the extension has where a builder packed it with a key of their own, one in a line.
const MORE_IDS: &str = "EXTENSION-IDS";
/// Larger ones are none of ours.
const MAX_IDS: u64 = 4_096;

/// The browser family and the extension behind the pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Chromium and its relatives pass `chrome-extension://ID/`; the id is one of ours.
    Chromium(String),
    /// Firefox and its relatives pass the manifest's path and the add-on's id.
    Firefox,
}

impl Caller {
    /// `chromium` or `firefox`.
    #[must_use]
    pub fn browser(&self) -> &'static str {
        match self {
            Self::Chromium(_) => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// The extension's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Chromium(id) => id,
            Self::Firefox => FIREFOX_ID,
        }
    }
}

/// The ids that the release of this program also answers to: its folder is as well guarded as the program itself.
pub(super) fn more_ids(program: &Path) -> Vec<String> {
    let Some(release) = program.parent().and_then(Path::parent) else { return Vec::new() };
    let mut text = String::new();
    let read = File::open(release.join(MORE_IDS)).and_then(|file| file.take(MAX_IDS).read_to_string(&mut text));
    let is_id = |text: &&str| text.len() == 32 && text.bytes().all(|letter| (b'a'..=b'p').contains(&letter));
    if read.is_err() {
        return Vec::new();
    }
    text.lines().map(str::trim).filter(is_id).map(str::to_owned).collect()
}

/// Why the arguments were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody starts the host by hand.
    #[error("this program is started by a browser, for the Godwit extension; there is nothing to run by hand")]
    NoCaller,
    /// Another extension.
    #[error("'{0}' is not the Godwit extension: this host serves no other")]
    Stranger(String),
}

/// Finds the caller; `more`: further ids that are ours. Chromium on Windows appends `--parent-window=…`, which is ignored.
pub fn check(arguments: &[OsString], more: &[String]) -> Result<Caller, Refusal> {
    let texts: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let stranger = |id: &str| Err(Refusal::Stranger(id.chars().take(80).collect()));
    match texts.as_slice() {
        [] => Err(Refusal::NoCaller),
        [origin, ..] if origin.contains("://") => {
            let id = origin.strip_prefix("chrome-extension://").and_then(|rest| rest.strip_suffix('/'));
            let ours = id.filter(|id| *id == CHROMIUM_ID || more.iter().any(|other| other == id));
            ours.map_or_else(|| stranger(origin), |id| Ok(Caller::Chromium(id.to_owned())))
        }
        [manifest, id] if manifest.starts_with('/') => {
            if id == FIREFOX_ID {
                Ok(Caller::Firefox)
            } else {
                stranger(id)
            }
        }
        [first, ..] => stranger(first),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ask(arguments: &[&str]) -> Result<Caller, Refusal> {
        check(&arguments.iter().map(OsString::from).collect::<Vec<_>>(), &["p".repeat(32)])
    }

    #[test]
    fn only_our_own_extension_is_let_in() {
        assert_eq!(CHROMIUM_ID.len(), 32);
        let ours = format!("chrome-extension://{CHROMIUM_ID}/");
        assert_eq!(ask(&[&ours]), Ok(Caller::Chromium(CHROMIUM_ID.into())));
        assert_eq!(ask(&[&ours, "--parent-window=0"]), Ok(Caller::Chromium(CHROMIUM_ID.into())));
        let packed = "p".repeat(32);
        assert_eq!(ask(&[&format!("chrome-extension://{packed}/")]), Ok(Caller::Chromium(packed)));
        assert_eq!(ask(&["/h/.mozilla/native-messaging-hosts/io.godwit.host.json", FIREFOX_ID]), Ok(Caller::Firefox));
        assert_eq!(ask(&[]), Err(Refusal::NoCaller));
        for strange in [
            vec!["chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"],
            vec![ours.trim_end_matches('/')],
            vec!["https://godwit.io/"],
            vec!["/manifest.json", "other@example.com"],
            vec!["/manifest.json"],
            vec!["manifest.json", FIREFOX_ID],
            vec!["/manifest.json", FIREFOX_ID, "more"],
        ] {
            assert!(matches!(ask(&strange), Err(Refusal::Stranger(_))), "{strange:?}");
        }
    }

    #[test]
    fn a_release_names_the_ids_that_its_builder_packed_and_nothing_else_counts() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("bin/godwit-host");
        assert!(more_ids(&program).is_empty() && more_ids(Path::new("/")).is_empty());
        let (one, other) = ("a".repeat(32), "p".repeat(32));
        let text = format!("{one}\n*\n {other} \r\n{}\n{}\n\n", "q".repeat(32), "a".repeat(33));
        std::fs::write(dir.path().join(MORE_IDS), text).unwrap();
        assert_eq!(more_ids(&program), [one, other]);
        std::fs::write(dir.path().join(MORE_IDS), b"\xff\xfe").unwrap();
        assert!(more_ids(&program).is_empty());
    }
}
