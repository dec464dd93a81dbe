//! Names of files on their way, and who uses which name in this session.
//!
//! A user's own file may be called `report.partial` while `report` is being received. So every final name of an open
//! entry and every name in transit is registered here; a name in transit gives way to a final one.

use crate::partial::Partial;
use godwit_protocol::RelPath;
use godwit_protocol::path::MAX_COMPONENT;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest suffix that is accepted.
const MAX_SUFFIX: usize = 32;

/// Suffixes of files on their way and of journals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suffixes {
    partial: String,
    journal: String,
}

impl Default for Suffixes {
    fn default() -> Self {
        Self { partial: ".partial".into(), journal: ".aspera-ckpt".into() }
    }
}

impl Suffixes {
    /// What was asked for, or the default where that cannot be a suffix.
    pub(crate) fn new(partial: Option<&str>, journal: Option<&str>) -> Self {
        let fits = |s: &&str| {
            (2..=MAX_SUFFIX).contains(&s.len())
                && s.starts_with('.')
                && *s != ".."
                && !s.contains(['/', '\\'])
                && !s.chars().any(char::is_control)
        };
        let default = Self::default();
        let partial = partial.filter(fits).map_or(default.partial, str::to_owned);
        let journal = journal.filter(fits).map_or(default.journal, str::to_owned);
        if partial == journal { Self::default() } else { Self { partial, journal } }
    }

    /// The `turn`-th choice (from 1) of names for a file on its way to `name`: the file's and the journal's.
    pub(crate) fn names(&self, name: &str, turn: u32) -> (String, String) {
        let stem = if turn <= 1 { name.to_owned() } else { format!("{name}.{turn}") };
        (fit(&stem, &self.partial), fit(&stem, &self.journal))
    }
}

/// `stem` with `suffix`, shortened with a hash if it would be too long for a file system.
fn fit(stem: &str, suffix: &str) -> String {
    if stem.len() + suffix.len() <= MAX_COMPONENT {
        return format!("{stem}{suffix}");
    }
    let hash = blake3::hash(stem.as_bytes()).to_hex();
    let mut keep = MAX_COMPONENT - suffix.len() - 17;
    while !stem.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}~{}{suffix}", stem.get(..keep).unwrap_or_default(), hash.get(..16).unwrap_or_default())
}

/// Who uses a name.
pub(crate) enum Use {
    /// The final name of an entry that has not ended.
    Final,
    /// A file on its way, or its journal.
    Transit(Arc<Partial>),
}

/// The register of one session.
pub(crate) struct Names {
    /// In use.
    pub(crate) suffixes: Suffixes,
    used: Mutex<HashMap<String, Use>>,
}

impl Names {
    /// Nothing in use yet.
    pub(crate) fn new(suffixes: Suffixes) -> Self {
        Self { suffixes, used: Mutex::default() }
    }

    /// Registers a final name; a file on its way that sits there moves to another name.
    pub(crate) fn claim(&self, path: &RelPath) -> io::Result<()> {
        let mut used = self.lock();
        if let Some(Use::Transit(partial)) = used.get(path.as_str()) {
            let partial = partial.clone();
            partial.rehome(&self.suffixes, &mut used)?;
        }
        used.insert(path.as_str().to_owned(), Use::Final);
        Ok(())
    }

    /// The entry has ended.
    pub(crate) fn release(&self, path: &RelPath) {
        let mut used = self.lock();
        if matches!(used.get(path.as_str()), Some(Use::Final)) {
            used.remove(path.as_str());
        }
    }

    /// The file is on its way no longer (it has its final name, or was given up).
    pub(crate) fn forget(&self, partial: &Arc<Partial>) {
        self.lock().retain(|_, used| !matches!(used, Use::Transit(p) if Arc::ptr_eq(p, partial)));
    }

    /// The whole register, for steps that choose names.
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<String, Use>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_transit_fit_the_file_system_and_differ() {
        let suffixes = Suffixes::default();
        assert_eq!(suffixes.names("a", 1), ("a.partial".into(), "a.aspera-ckpt".into()));
        assert_eq!(suffixes.names("a", 2), ("a.2.partial".into(), "a.2.aspera-ckpt".into()));
        let long = "ä".repeat(127) + "x";
        let other = "ä".repeat(127) + "y";
        let mut seen = std::collections::HashSet::new();
        for name in [&long, &other] {
            for turn in 1..4 {
                let (partial, journal) = suffixes.names(name, turn);
                assert!(partial.len() <= 255 && journal.len() <= 255);
                assert!(seen.insert(partial) && seen.insert(journal));
            }
        }
    }

    #[test]
    fn a_wild_suffix_is_replaced_by_the_default() {
        for bad in ["", ".", "..", "partial", "./x", ".a/b", ".\n", &format!(".{}", "x".repeat(40))] {
            assert_eq!(Suffixes::new(Some(bad), None), Suffixes::default(), "{bad}");
        }
        assert_eq!(Suffixes::new(Some(".x"), Some(".x")), Suffixes::default());
        assert_eq!(Suffixes::new(Some(".part"), None).names("a", 1).0, "a.part");
    }
}
