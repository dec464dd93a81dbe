//! What an administrator sets for everybody on the machine: `/etc/godwit/policy.toml`.
//!
//! ```toml
//! [set.queue]                 # values that hold until the user chooses others
//! active = 5
//! [lock.bandwidth]            # values that nobody can change
//! manual_downloads_kbps = 100000
//! [trust]
//! trusted = ["https://*.example.com"]      # may always use Godwit
//! restricted = ["https://bad.example"]     # may never
//! only_listed = true                       # sites on neither list may never; the user is not asked
//! ```
//! With `GODWIT_HOME` a file of this name in that folder is read if there is none in `/etc`. A policy that cannot be read
//! allows no site anything: what an administrator forbade must not become allowed by a slip of the pen.

use super::layers::{Layer, layer};
use crate::trust::parse_pattern;
use godwit_protocol::HostPattern;
use godwit_protocol::ui::Notice;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// An administrator's wishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    pub(super) set: Layer,
    pub(super) lock: Layer,
    /// Sites.
    pub trust: TrustPolicy,
    /// What in it could not be used.
    pub problems: Vec<Notice>,
    /// What to call the file.
    pub(super) name: String,
}

/// `[trust]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    /// May always.
    pub trusted: Vec<HostPattern>,
    /// May never.
    pub restricted: Vec<HostPattern>,
    /// All others may never.
    pub only_listed: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    set: Map<String, Value>,
    lock: Map<String, Value>,
    trust: Sites,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sites {
    trusted: Vec<String>,
    restricted: Vec<String>,
    only_listed: bool,
}

impl Policy {
    /// Reads the first of `places` that exists; none is no policy.
    #[must_use]
    pub fn load(places: &[PathBuf]) -> Self {
        for place in places {
            match std::fs::read_to_string(place) {
                Ok(text) => return Self::parse(&text, place),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Self::unreadable(place, &error.to_string()),
            }
        }
        Self::default()
    }

    /// Reads a policy's text.
    #[must_use]
    pub fn parse(text: &str, place: &Path) -> Self {
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return Self::unreadable(place, error.message()),
        };
        let name = place.display().to_string();
        let mut problems = Vec::new();
        let (trusted, _) = patterns(file.trust.trusted, &name, &mut problems);
        let (restricted, all_read) = patterns(file.trust.restricted, &name, &mut problems);
        // Nobody knows which site was meant to be kept out.
        let trust = TrustPolicy { trusted, restricted, only_listed: file.trust.only_listed || !all_read };
        Self { set: layer(&file.set), lock: layer(&file.lock), trust, problems, name }
    }

    fn unreadable(place: &Path, why: &str) -> Self {
        let name = place.display().to_string();
        let text = format!("{name}: the policy cannot be read ({why}); no site may use Godwit");
        tracing::error!("{text}");
        let problem = Notice::new("policy-unreadable", [name.clone(), why.to_owned()], text);
        let trust = TrustPolicy { only_listed: true, ..TrustPolicy::default() };
        Self { trust, problems: vec![problem], name, ..Self::default() }
    }
}

/// The sites of a list in `place`, and whether all could be read; those that could not are named in `problems`.
pub(super) fn patterns(list: Vec<String>, place: &str, problems: &mut Vec<Notice>) -> (Vec<HostPattern>, bool) {
    let (mut patterns, mut all_read) = (Vec::new(), true);
    for text in list {
        match parse_pattern(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let args = [place.to_owned(), error.to_string()];
                problems.push(Notice::new("policy-site", args, format!("{place}: {error}")));
                all_read = false;
            }
        }
    }
    (patterns, all_read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_policy_that_cannot_be_read_closes_and_none_at_all_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        assert_eq!(Policy::load(std::slice::from_ref(&path)), Policy::default());
        for bad in
            ["[trust", "[trust]\ntrustd = []", "[trust]\nonly_listed = \"yes\"", "[trust]\nrestricted = [\"x y\"]"]
        {
            std::fs::write(&path, bad).unwrap();
            let policy = Policy::load(&[dir.path().join("none"), path.clone()]);
            assert!(policy.trust.only_listed && !policy.problems.is_empty(), "{bad}");
        }
        std::fs::write(&path, "[trust]\ntrusted = [\"https://*.com\", \"https://a.example\"]").unwrap();
        let policy = Policy::load(&[path]);
        assert_eq!((policy.trust.trusted.len(), policy.problems.len(), policy.trust.only_listed), (1, 1, false));
    }
}
