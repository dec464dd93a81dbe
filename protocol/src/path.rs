//! Relative paths that crossed a trust border.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use unicode_normalization::UnicodeNormalization;

/// Longest component, bytes.
pub const MAX_COMPONENT: usize = 255;
/// Longest path, bytes.
pub const MAX_PATH: usize = 4096;
/// Most components.
pub const MAX_DEPTH: usize = 256;

/// A path below some root: at least one component, `/` between them, NFC, bounded, without empty components, `.`, `..`,
/// NUL, control characters, [bidi controls](is_bidi_control) or backslashes, and not absolute. The only form in which names of a peer reach a disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelPath(String);

/// Why a text is no [`RelPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing there.
    #[error("the path is empty")]
    Empty,
    /// Begins with `/`.
    #[error("the path is absolute")]
    Absolute,
    /// Has a component `..`.
    #[error("the path leads out of its folder ('..')")]
    Parent,
    /// Has an empty component or `.`.
    #[error("the path has an empty part or '.'")]
    Dot,
    /// NUL, control characters, bidi controls or backslash.
    #[error("the path has a character that is not allowed")]
    Character,
    /// Longer than [`MAX_PATH`], a component longer than [`MAX_COMPONENT`], or deeper than [`MAX_DEPTH`].
    #[error("the path or one of its names is too long")]
    TooLong,
}

impl RelPath {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components in order; never empty.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Everything before the last component, if there is any.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// This path with `below` under it; fails only by length.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        format!("{}/{}", self.0, below.0).parse()
    }
}

impl FromStr for RelPath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > 2 * MAX_PATH {
            return Err(PathError::TooLong);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        let text: String = text.nfc().collect();
        if text.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        let mut depth = 0;
        for part in text.split('/') {
            depth += 1;
            match part {
                "" | "." => return Err(PathError::Dot),
                ".." => return Err(PathError::Parent),
                _ if part.len() > MAX_COMPONENT || depth > MAX_DEPTH => return Err(PathError::TooLong),
                _ if part.chars().any(is_refused) => {
                    return Err(PathError::Character);
                }
                _ => {}
            }
        }
        Ok(Self(text))
    }
}

/// True for what no name may hold on its way: control characters, backslashes, [bidi controls](is_bidi_control).
#[must_use]
pub fn is_refused(c: char) -> bool {
    c.is_control() || c == '\\' || is_bidi_control(c)
}

/// True for a character that may take the place of a refused one.
#[must_use]
pub fn is_replacement(c: char) -> bool {
    !is_refused(c) && !matches!(c, '/' | '.') && !c.is_whitespace()
}

/// Embeddings, overrides and isolates: they change the order in which the rest of a line is *shown*, so that
/// `annexe\u{202e}gpj.exe` reads as a picture. No file system needs them in a name; right-to-left scripts work without.
#[must_use]
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> Result<RelPath, PathError> {
        text.parse()
    }

    #[test]
    fn ordinary_names_of_all_scripts_pass() {
        for text in [
            "a",
            "a/b.partial",
            "...",
            "..a",
            "a..",
            "~",
            " ",
            "\u{5e9}\u{5dc}",
            "\u{65e5}/\u{1f600}",
            "C:",
            "a:b",
            "-rf",
            "$(x)",
        ] {
            assert_eq!(path(text).unwrap().as_str(), text);
        }
        assert_eq!(path(&"a".repeat(255)).unwrap().name().len(), 255);
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_refused() {
        for (text, error) in [
            ("", PathError::Empty),
            ("/", PathError::Absolute),
            ("/etc/passwd", PathError::Absolute),
            ("..", PathError::Parent),
            ("a/../b", PathError::Parent),
            ("a/..", PathError::Parent),
            ("./a", PathError::Dot),
            ("a/./b", PathError::Dot),
            ("a//b", PathError::Dot),
            ("a/", PathError::Dot),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            ("a\u{7f}", PathError::Character),
            ("a\u{85}", PathError::Character),
            ("..\\x", PathError::Character),
            ("\\\\host\\share", PathError::Character),
        ] {
            assert_eq!(path(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn characters_that_reorder_what_is_shown_are_refused() {
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            assert_eq!(path(&format!("annexe{c}gpj.exe")), Err(PathError::Character), "{:x}", c as u32);
        }
    }

    #[test]
    fn length_and_depth_are_bounded() {
        assert_eq!(path(&"a".repeat(256)), Err(PathError::TooLong));
        assert_eq!(path(&"\u{e9}".repeat(128)), Err(PathError::TooLong), "bytes count, not characters");
        assert!(path(&vec!["a"; MAX_DEPTH].join("/")).is_ok());
        assert_eq!(path(&vec!["a"; MAX_DEPTH + 1].join("/")), Err(PathError::TooLong));
        assert!(path(&vec!["a".repeat(255); 16].join("/")).is_ok());
        assert_eq!(path(&vec!["a".repeat(255); 17].join("/")), Err(PathError::TooLong));
        assert_eq!(path(&"a".repeat(10_000_000)), Err(PathError::TooLong));
    }

    #[test]
    fn two_spellings_of_one_name_become_one_path() {
        assert_eq!(path("e\u{301}").unwrap(), path("\u{e9}").unwrap());
    }

    #[test]
    fn parts_fit_together() {
        let whole = path("a/b").unwrap().join(&path("c").unwrap()).unwrap();
        assert_eq!(whole.as_str(), "a/b/c");
        assert_eq!(whole.name(), "c");
        assert_eq!(whole.parent().unwrap().as_str(), "a/b");
        assert_eq!(path("a").unwrap().parent(), None);
        assert_eq!(whole.components().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_path_is_checked_when_it_is_read_from_a_message() {
        assert!(serde_json::from_str::<RelPath>("\"../x\"").is_err());
        assert_eq!(serde_json::from_str::<RelPath>("\"a/b\"").unwrap().as_str(), "a/b");
    }
}
