//! A place in somebody's root, as clients name it: `/` or a [`RelPath`] below it. The one reader for all that comes in by
//! HTTP, by the data port and out of the catalogue.

use godwit_protocol::RelPath;
use godwit_protocol::path::PathError;
use std::fmt;

/// A place below some root; the root itself is one too. Compared by component, never by prefix of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodePath(Option<RelPath>);

impl NodePath {
    /// The root itself.
    pub const ROOT: Self = Self(None);

    /// Reads what a client wrote: nothing, `/` or `.` is the root; slashes at the ends mean nothing.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let bare = text.trim_matches('/');
        if bare.is_empty() || bare == "." {
            return Ok(Self::ROOT);
        }
        bare.parse().map(|path| Self(Some(path)))
    }

    /// Below the root; `None` is the root itself.
    #[must_use]
    pub fn as_rel(&self) -> Option<&RelPath> {
        self.0.as_ref()
    }

    /// The text without a leading slash; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", RelPath::as_str)
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("", RelPath::name)
    }

    /// The folder that holds it; the root has none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.as_ref().map(|path| Self(path.parent()))
    }

    /// `below` under this place; fails only by length.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        match (&self.0, &below.0) {
            (_, None) => Ok(self.clone()),
            (None, Some(_)) => Ok(below.clone()),
            (Some(path), Some(below)) => path.join(below).map(|path| Self(Some(path))),
        }
    }

    /// One name under this place; a name with a slash in it is refused.
    pub fn child(&self, name: &str) -> Result<Self, PathError> {
        if name.contains('/') {
            return Err(PathError::Character);
        }
        self.join(&Self(Some(name.parse()?)))
    }

    /// What leads from `base` to this place, if it lies there.
    #[must_use]
    pub fn below(&self, base: &Self) -> Option<Self> {
        match (&self.0, &base.0) {
            (_, None) => Some(self.clone()),
            (None, Some(_)) => None,
            (Some(path), Some(base)) => match path.as_str().strip_prefix(base.as_str())? {
                "" => Some(Self::ROOT),
                rest => rest.strip_prefix('/')?.parse().ok().map(|rest| Self(Some(rest))),
            },
        }
    }

    /// Whether it is `base` or lies below it.
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.below(base).is_some()
    }
}

impl From<RelPath> for NodePath {
    fn from(path: RelPath) -> Self {
        Self(Some(path))
    }
}

/// As clients see it, with a leading slash.
impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.as_str())
    }
}

/// A peer's text for a message: bounded, and unable to break a line or a terminal.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    #[test]
    fn the_root_has_many_spellings_and_other_paths_one() {
        for text in ["", "/", "//", "."] {
            assert!(path(text).is_root(), "{text:?}");
        }
        assert_eq!(path("/a/b/").to_string(), "/a/b");
        for bad in ["..", "/a/../b", "a//b", "a/./b", "a\\b", "a\0b"] {
            assert!(NodePath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_inside() {
        assert_eq!(path("data/x").below(&path("data")), Some(path("x")));
        assert_eq!(path("data").below(&path("data")), Some(NodePath::ROOT));
        assert!(!path("data-evil").is_within(&path("data")));
        assert!(!path("").is_within(&path("data")));
        assert!(path("anything").is_within(&NodePath::ROOT));
    }

    #[test]
    fn a_child_is_one_name() {
        assert_eq!(path("a").child("b").unwrap(), path("a/b"));
        for bad in ["", ".", "..", "b/c", "/b"] {
            assert!(path("a").child(bad).is_err(), "{bad:?}");
        }
    }
}
