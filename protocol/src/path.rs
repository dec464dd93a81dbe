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
pub const MAX_DEPTH: usize = 128;

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
                _ if part.chars().any(|c| c.is_control() || c == '\\' || is_bidi_control(c)) => {
                    return Err(PathError::Character);
                }
                _ => {}
            }
        }
        Ok(Self(text))
    }
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
