//! Where files come from and go to: `source_root` and `destination_root` applied to `paths`. Pure text, no disk.
//!
//! | | source | destination |
//! |---|---|---|
//! | send | absolute local path | relative to the user's root on the server |
//! | receive | relative to the user's root on the server | relative to the download folder, or absolute if the request says so |
//!
//! `..` is refused everywhere: what the user granted and what is opened must be the same text. Nothing is expanded:
//! `~/x`, `file:///x` and `\\host\share` are no absolute local paths.

use super::fields::wrong;
use super::{Direction, SpecError, TransferSpec};
use crate::RelPath;
use crate::path::PathError;

/// Target folder of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalDestination {
    /// Below the user's download folder; `None` is the folder itself.
    BelowDownloads(Option<RelPath>),
    /// An absolute path, without `.`, `..`, repeated or trailing slashes. Must have been granted.
    Absolute(String),
}

impl TransferSpec {
    /// Every source with `source_root` before it, in the order of `paths`.
    pub fn effective_sources(&self) -> Result<Vec<String>, SpecError> {
        let field = |i| format!("paths[{i}].source");
        let one = |(i, path): (usize, &super::SpecPath)| match self.direction {
            Direction::Send => local_source(&self.source_root, &path.source).map_err(|reason| wrong(field(i), reason)),
            Direction::Receive => {
                remote_path(&self.source_root, &path.source).map_err(|reason| wrong(field(i), reason))
            }
        };
        self.paths.iter().enumerate().map(one).collect()
    }

    /// Every name at the target relative to the destination folder, in the order of `paths`; `None` where the source
    /// keeps its own name.
    pub fn effective_destinations(&self) -> Result<Vec<Option<RelPath>>, SpecError> {
        let one = |(i, path): (usize, &super::SpecPath)| {
            let Some(text) = &path.destination else { return Ok(None) };
            let field = || format!("paths[{i}].destination");
            match relative(text).map_err(|e| wrong(field(), e.to_string()))? {
                None => Err(wrong(field(), "must include the name of the file")),
                name => Ok(name),
            }
        };
        self.paths.iter().enumerate().map(one).collect()
    }

    /// Upload: the folder on the server, relative to the user's root; empty for the root itself.
    pub fn remote_destination(&self) -> Result<String, SpecError> {
        match relative(&self.destination_root).map_err(|e| wrong("destination_root", e.to_string()))? {
            None => Ok(String::new()),
            Some(path) => Ok(path.as_str().to_owned()),
        }
    }

    /// Download: the target folder. `absolute` is the request's `use_absolute_destination_path`.
    pub fn local_destination(&self, absolute: bool) -> Result<LocalDestination, SpecError> {
        let root = &self.destination_root;
        if absolute {
            // None given means `/`, as everywhere; then the destinations say all.
            let root = if root.is_empty() { "/" } else { root };
            return absolute_path(root)
                .map(LocalDestination::Absolute)
                .map_err(|reason| wrong("destination_root", reason));
        }
        relative(root).map(LocalDestination::BelowDownloads).map_err(|e| wrong("destination_root", e.to_string()))
    }

    /// Download into an absolute folder: the absolute target of every element of `paths` that has a destination, else
    /// the folder itself. These are the paths for which a grant is needed: with `destination_root` `/` (or none) the
    /// destinations alone say where files go.
    pub fn absolute_targets(&self) -> Result<Vec<String>, SpecError> {
        let LocalDestination::Absolute(root) = self.local_destination(true)? else {
            return Err(wrong("destination_root", NOT_ABSOLUTE));
        };
        let below = |name: Option<RelPath>| match name {
            None => root.clone(),
            Some(name) => format!("{}/{name}", root.trim_end_matches('/')),
        };
        Ok(self.effective_destinations()?.into_iter().map(below).collect())
    }
}

const NOT_ABSOLUTE: &str = "must be an absolute path";
const LEADS_OUT: &str = "must not contain '..'";

/// An upload's source: `root` before `source`, absolute.
pub fn local_source(root: &str, source: &str) -> Result<String, &'static str> {
    if is_no_root(root) && !source.starts_with('/') && root.is_empty() {
        return Err(NOT_ABSOLUTE);
    }
    if is_no_root(root) {
        return absolute_path(&format!("/{source}"));
    }
    absolute_path(&format!("{root}/{source}"))
}

/// A download's source: `root` before `source`, relative to the user's root on the server; `.` for the root itself.
/// Names are the server's affair: everything but `..` and NUL is passed on.
pub fn remote_path(root: &str, source: &str) -> Result<String, &'static str> {
    let joined = clean(&format!("{root}/{source}"))?;
    Ok(if joined.is_empty() { ".".to_owned() } else { joined })
}

/// `text` as a clean absolute path.
pub fn absolute_path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err(NOT_ABSOLUTE);
    }
    Ok(format!("/{}", clean(text)?))
}

/// `text` as a path below some root; leading and repeated slashes and `.` fall away, `None` is the root itself.
pub fn relative(text: &str) -> Result<Option<RelPath>, PathError> {
    match clean(text) {
        Err(_) => Err(PathError::Parent),
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text.parse().map(Some),
    }
}

/// Components joined by single slashes, without `.`, without a leading slash. Refuses `..` and NUL.
fn clean(text: &str) -> Result<String, &'static str> {
    if text.contains('\0') {
        return Err("must not contain a NUL character");
    }
    if text.split('/').any(|part| part == "..") {
        return Err(LEADS_OUT);
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Ok(parts.join("/"))
}

fn is_no_root(root: &str) -> bool {
    matches!(root, "" | "/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_upload_takes_absolute_local_paths_only() {
        assert_eq!(local_source("", "/home/me/a.bin").unwrap(), "/home/me/a.bin");
        assert_eq!(local_source("/", "home/me//./a.bin/").unwrap(), "/home/me/a.bin");
        assert_eq!(local_source("/home/me", "/a.bin").unwrap(), "/home/me/a.bin");
        for (root, source) in [
            ("", "a.bin"),
            ("", "~/a.bin"),
            ("", "file:///a.bin"),
            ("", "\\\\host\\share"),
            ("", "C:\\a.bin"),
            ("home", "/a"),
            ("", "/a/../etc/passwd"),
            ("/..", "a"),
            ("/a", ".."),
            ("", "/a\0"),
        ] {
            assert!(local_source(root, source).is_err(), "{root:?} {source:?}");
        }
    }

    #[test]
    fn sources_on_the_server_are_relative_to_the_users_root() {
        assert_eq!(remote_path("", "/pub/a").unwrap(), "pub/a");
        assert_eq!(remote_path("/pub/", "/a/").unwrap(), "pub/a");
        assert_eq!(remote_path("", "/").unwrap(), ".");
        assert_eq!(remote_path("/", ".").unwrap(), ".");
        assert!(remote_path("/pub", "../a").is_err());
        assert!(remote_path("a/../..", "b").is_err());
    }

    #[test]
    fn destinations_stay_below_their_root() {
        assert_eq!(relative("/").unwrap(), None);
        assert_eq!(relative("").unwrap(), None);
        assert_eq!(relative("/in//box/").unwrap().unwrap().as_str(), "in/box");
        for text in ["..", "/a/../..", "a\\b", "a\nb", "a\u{202e}b"] {
            assert!(relative(text).is_err(), "{text:?}");
        }
    }
}
