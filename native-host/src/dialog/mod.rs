//! The desktop's own file dialog, asked by a process of its own (`godwit-agent --dialog`).
//!
//! A dialog runs code of toolkits, themes and network folders for minutes; a portal may hang for ever. In a process of its own
//! it can be timed, and killed together with what it started; whatever becomes of it, one of four [`Outcome`]s reaches the agent.
//!
//! The process is the agent's own program: both ends of its pipe are of one build, so the two messages stay here and are no part
//! of the protocol. **Must not know** sites, grants or prompts.

mod helper;
mod portal;
mod process;
mod zenity;

pub use helper::run as run_helper;
pub(crate) use process::{DialogHandle, start};

use godwit_protocol::ui::{FileFilter, PickerOptions, Question};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longest answer of a dialog process, bytes: 10,000 long paths.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// Longest title, characters: the site's address must stay readable.
const MAX_TITLE: usize = 200;
/// A dialog that nobody answers is closed after this long.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// What is to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Files that exist.
    Files,
    /// Folders that exist.
    Folders,
    /// A name to write.
    Save,
}

/// What the process is to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogRequest {
    /// What.
    pub wanted: Wanted,
    /// Begins with the site's address.
    pub title: String,
    /// More than one.
    pub multiple: bool,
    /// Name to begin with; may be empty.
    pub name: String,
    /// Folder to begin in.
    pub folder: Option<String>,
    /// Kinds of files offered; empty = all.
    pub filters: Vec<FileFilter>,
    /// Milliseconds until [`Outcome::TimedOut`].
    pub limit_ms: u64,
}

/// What became of a dialog. `outcome` is the tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The user chose these absolute paths.
    Chosen {
        /// At least one.
        paths: Vec<String>,
    },
    /// The user chose nothing.
    Cancelled,
    /// No dialog could be shown, or it broke: somebody else must ask.
    Unavailable {
        /// For the log.
        reason: String,
    },
    /// The user did not answer in time.
    TimedOut,
}

impl Outcome {
    fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    /// Reads what a dialog process wrote. Anything that is not exactly one outcome is [`Outcome::Unavailable`].
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(Self::Chosen { paths }) if paths.is_empty() || paths.iter().any(|p| !Path::new(p).is_absolute()) => {
                Self::unavailable("the dialog answered with something that is no path")
            }
            Ok(outcome) => outcome,
            Err(error) => Self::unavailable(format!("the dialog's answer cannot be read: {error}")),
        }
    }
}

/// The request for a question of a page; `None` for questions that are no file dialog.
#[must_use]
pub fn request(question: &Question, origin: &str, recent: Option<&Path>) -> Option<DialogRequest> {
    let (wanted, options) = match question {
        Question::OpenFiles(options) => (Wanted::Files, options),
        Question::OpenFolders(options) => (Wanted::Folders, options),
        Question::SaveFile(options) => (Wanted::Save, options),
        _ => return None,
    };
    let PickerOptions { title, suggested_name, multiple, filters, folder } = options.clone();
    // A name that only the page suggests is not chosen beforehand among files that exist: Enter would give it away.
    let name = if wanted == Wanted::Save || folder.is_some() { suggested_name } else { String::new() };
    // No words of ours: the dialog speaks the desktop's language, and the address comes first whatever the page's title says.
    let title = if title.is_empty() { origin.to_owned() } else { format!("{origin}: \u{201c}{title}\u{201d}") };
    Some(DialogRequest {
        wanted,
        title: title.chars().take(MAX_TITLE).collect(),
        multiple,
        name,
        folder: folder.or_else(|| recent.and_then(Path::to_str).map(str::to_owned)),
        filters,
        limit_ms: u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX),
    })
}

/// True if the caller's variables name a screen on which a dialog can appear.
#[must_use]
pub fn has_screen(environment: &BTreeMap<String, String>) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment.get(*name).is_some_and(|value| !value.is_empty()))
}

/// A name for an extension that both cases match. What a page writes must not become a pattern of its own: anything but letters,
/// digits and a few signs makes the whole extension useless.
fn glob(extension: &str) -> Option<String> {
    if extension == "*" {
        return Some("*".into());
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    if extension.is_empty() || !extension.chars().all(plain) {
        return None;
    }
    let both = |c: char| {
        let (lower, upper) = (c.to_lowercase().to_string(), c.to_uppercase().to_string());
        if lower != upper && lower.chars().count() == 1 && upper.chars().count() == 1 {
            format!("[{lower}{upper}]")
        } else {
            c.to_string()
        }
    };
    Some(format!("*.{}", extension.chars().map(both).collect::<String>()))
}

/// Filters as both kinds of dialogs take them: a name and patterns. Empty if any of them would offer nothing.
fn patterns(filters: &[FileFilter]) -> Vec<(String, Vec<String>)> {
    let one = |filter: &FileFilter| {
        let globs: Vec<String> = filter.extensions.iter().filter_map(|e| glob(e)).collect();
        let name =
            if filter.filter_name.is_empty() { filter.extensions.join(", ") } else { filter.filter_name.clone() };
        // A bar parts name and patterns on zenity's command line.
        (name.replace('|', " "), globs)
    };
    let all: Vec<_> = filters.iter().map(one).collect();
    if all.iter().any(|(_, globs)| globs.is_empty()) { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_outcome_is_read_back_as_it_was_written() {
        let paths = vec!["/a b/c|d".to_owned(), "/\u{e9}\n.txt".to_owned()];
        for outcome in
            [Outcome::Chosen { paths }, Outcome::Cancelled, Outcome::TimedOut, Outcome::unavailable("no portal")]
        {
            assert_eq!(Outcome::read(&serde_json::to_vec(&outcome).unwrap()), outcome);
        }
    }

    #[test]
    fn what_is_no_outcome_counts_as_no_dialog() {
        for garbage in [
            "",
            "{}",
            "null",
            "cancelled",
            r#"{"outcome":"chosen"}"#,
            r#"{"outcome":"chosen","paths":[]}"#,
            r#"{"outcome":"chosen","paths":["relative"]}"#,
            r#"{"outcome":"chosen","paths":[1]}"#,
            r#"{"outcome":"cancelled"}{"outcome":"cancelled"}"#,
            "Gtk-WARNING: theme\n{\"outcome\":\"cancelled\"}",
            "\u{0}\u{1}",
        ] {
            assert!(matches!(Outcome::read(garbage.as_bytes()), Outcome::Unavailable { .. }), "{garbage:?}");
        }
        assert!(matches!(Outcome::read(&[0xff, 0xfe]), Outcome::Unavailable { .. }));
    }

    #[test]
    fn the_address_of_the_site_comes_before_the_pages_own_words() {
        let options = PickerOptions { title: "Your bank".into(), ..PickerOptions::default() };
        let asked = request(&Question::OpenFiles(options.clone()), "https://app.example", None).unwrap();
        assert_eq!(asked.title, "https://app.example: \u{201c}Your bank\u{201d}");
        let long = PickerOptions { title: "x".repeat(500), ..options };
        let asked = request(&Question::SaveFile(long), "https://app.example", Some(Path::new("/home/me"))).unwrap();
        assert_eq!((asked.title.chars().count(), asked.folder.as_deref()), (MAX_TITLE, Some("/home/me")));
        let suggested = PickerOptions { suggested_name: "id_rsa".into(), ..PickerOptions::default() };
        assert_eq!(request(&Question::OpenFiles(suggested), "https://app.example", None).unwrap().name, "");
        let other = Question::Consent { purpose: "files".into(), remote_host: None };
        assert_eq!(request(&other, "https://app.example", None), None);
    }

    #[test]
    fn a_pages_extensions_become_harmless_patterns_that_match_both_cases() {
        assert_eq!(glob("pdf").as_deref(), Some("*.[pP][dD][fF]"));
        assert_eq!(glob("tar.gz").as_deref(), Some("*.[tT][aA][rR].[gG][zZ]"));
        assert_eq!(glob("7z").as_deref(), Some("*.7[zZ]"));
        assert_eq!(glob("\u{df}").as_deref(), Some("*.\u{df}"), "what has two capitals stays itself");
        for bad in ["", "a b", "a|b", "[a", "a*", "../x", "a;b", "a\nb"] {
            assert_eq!(glob(bad), None, "{bad:?}");
        }
        let filter = |name: &str, extensions: &[&str]| FileFilter {
            filter_name: name.into(),
            extensions: extensions.iter().map(|e| (*e).to_owned()).collect(),
        };
        let made = patterns(&[filter("A|B", &["txt", "a b"]), filter("", &["*"])]);
        assert_eq!(made[0], ("A B".to_owned(), vec!["*.[tT][xX][tT]".to_owned()]));
        assert_eq!(made[1], ("*".to_owned(), vec!["*".to_owned()]));
        assert_eq!(patterns(&[filter("A", &["txt"]), filter("B", &["a b"])]), [], "rather all files than none");
    }

    #[test]
    fn a_screen_is_what_the_callers_variables_name() {
        let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert!(has_screen(&with("DISPLAY", ":0")));
        assert!(has_screen(&with("WAYLAND_DISPLAY", "wayland-0")));
        assert!(!has_screen(&with("DISPLAY", "")));
        assert!(!has_screen(&with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus")));
    }
}
