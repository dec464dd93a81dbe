//! What a site may name: files, folders and targets that the user chose for it in this browser session.
//!
//! A grant is a canonical path together with the device and inode it had when it was chosen: a name that means something
//! else by now is no longer granted. Checked where the disk is asked anyway (in a job, off the core), on a copy of the list.
//!
//! RACE: between this check and the worker's opening, a program of the same user can exchange what stands under a name. It
//! could read the file itself just as well, so nothing is lost; a page cannot do it.

use godwit_protocol::Origin;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Most grants kept for one site in one session; the oldest go first.
const MAX_GRANTS: usize = 20_000;

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// A file to read.
    File,
    /// A folder: everything beneath it, to read or to write.
    Folder,
    /// A name to write, which need not exist yet.
    Target,
}

/// One choice of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Canonical.
    pub path: PathBuf,
    /// What.
    pub kind: GrantKind,
    /// Device and inode: of the path itself, or of its folder for a target.
    pub identity: (u64, u64),
}

/// Why a path may not be used. Says nothing about what is on the disk: the page must not learn it by asking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' was not chosen by the user in this browser session, or is no longer what was chosen")]
pub struct NotChosen(pub String);

/// All grants of all sites. Not kept beyond the agent's life.
#[derive(Debug, Default)]
pub struct Grants(BTreeMap<(String, Origin), Vec<Grant>>);

impl Grants {
    /// Notes what the user chose for `origin` in browser session `session`.
    pub fn add(&mut self, session: &str, origin: &Origin, grants: impl IntoIterator<Item = Grant>) {
        let list = self.0.entry((session.to_owned(), origin.clone())).or_default();
        for grant in grants {
            list.retain(|g| g.path != grant.path || g.kind != grant.kind);
            list.push(grant);
        }
        let excess = list.len().saturating_sub(MAX_GRANTS);
        list.drain(..excess);
    }

    /// A copy for a job.
    #[must_use]
    pub fn of(&self, session: &str, origin: &Origin) -> Vec<Grant> {
        self.0.get(&(session.to_owned(), origin.clone())).cloned().unwrap_or_default()
    }

    /// Sites that may no longer use Godwit.
    pub fn forget_sites(&mut self, gone: impl Fn(&str, &Origin) -> bool) {
        self.0.retain(|(session, origin), _| !gone(session, origin));
    }

    /// The browser session has ended.
    pub fn forget_session(&mut self, session: &str) {
        self.0.retain(|(s, _), _| s != session);
    }
}

impl Grant {
    /// A grant for something that exists.
    pub fn existing(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let meta = path.metadata()?;
        let kind = if meta.is_dir() { GrantKind::Folder } else { GrantKind::File };
        Ok(Self { kind, identity: (meta.dev(), meta.ino()), path })
    }

    /// A grant for a name to be written.
    pub fn target(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
        };
        let parent = parent.canonicalize()?;
        let meta = parent.metadata()?;
        Ok(Self { path: parent.join(name), kind: GrantKind::Target, identity: (meta.dev(), meta.ino()) })
    }

    fn still_is(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|m| (m.dev(), m.ino()) == self.identity)
    }
}

/// The canonical path behind an upload's source, if it was chosen or lies beneath a chosen folder.
pub fn check_source(grants: &[Grant], source: &str) -> Result<PathBuf, NotChosen> {
    let refused = || NotChosen(source.to_owned());
    let path = plain_absolute(source).ok_or_else(refused)?;
    let path = path.canonicalize().map_err(|_| refused())?;
    let granted = grants.iter().any(|grant| match grant.kind {
        GrantKind::File => grant.path == path && grant.still_is(&path),
        GrantKind::Folder => path.starts_with(&grant.path) && grant.still_is(&grant.path),
        GrantKind::Target => false,
    });
    if granted { Ok(path) } else { Err(refused()) }
}

/// The canonical path of an absolute download target, which need not exist, if it was chosen or lies beneath a chosen
/// folder.
pub fn check_target(grants: &[Grant], target: &str) -> Result<PathBuf, NotChosen> {
    let refused = || NotChosen(target.to_owned());
    let path = plain_absolute(target).ok_or_else(refused)?;
    let as_target = path.parent().and_then(|p| p.canonicalize().ok()).zip(path.file_name()).map(|(p, n)| p.join(n));
    let as_folder = canonical_future(&path).ok_or_else(refused)?;
    let mut granted = None;
    for grant in grants {
        match grant.kind {
            GrantKind::Target
                if as_target.as_ref() == Some(&grant.path)
                    && grant.path.parent().is_some_and(|p| grant.still_is(p)) =>
            {
                granted = as_target.clone();
            }
            GrantKind::Folder if as_folder.starts_with(&grant.path) && grant.still_is(&grant.path) => {
                granted = Some(as_folder.clone());
            }
            _ => {}
        }
    }
    granted.ok_or_else(refused)
}

/// Where `path` will be when it has been made: its deepest existing part resolved, the rest as it stands.
#[must_use]
pub fn canonical_future(path: &Path) -> Option<PathBuf> {
    let mut rest = Vec::new();
    let mut existing = path;
    loop {
        match existing.symlink_metadata() {
            // A dangling link is resolved too, and fails: nobody knows where it leads.
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rest.push(existing.file_name()?);
                existing = existing.parent()?;
            }
            Err(_) => return None,
        }
    }
    let mut whole = existing.canonicalize().ok()?;
    whole.extend(rest.into_iter().rev());
    Some(whole)
}

/// Absolute, without `.` and `..`.
fn plain_absolute(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    let hidden_dots = text.split('/').any(|part| part == "." || part == "..");
    (path.is_absolute() && plain && !hidden_dots && !text.contains('\0')).then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    fn text(path: &Path) -> &str {
        path.to_str().unwrap()
    }

    #[test]
    fn only_what_was_chosen_or_lies_beneath_it_may_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("chosen/deep")).unwrap();
        for name in ["file", "other", "chosen/deep/x", "chosenx"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        let grants = [Grant::existing(&root.join("file")).unwrap(), Grant::existing(&root.join("chosen")).unwrap()];
        for good in ["file", "chosen", "chosen/deep/x"] {
            assert_eq!(check_source(&grants, text(&root.join(good))), Ok(root.join(good)));
        }
        for bad in ["other", "chosenx", "", "nothing", "chosen/../other", "chosen/./deep", "chosen/nothing"] {
            assert!(check_source(&grants, text(&root.join(bad))).is_err(), "{bad}");
        }
        for bad in ["file", "chosen\0", "/", ""] {
            assert!(check_source(&grants, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_beneath_a_chosen_folder_does_not_lead_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("chosen")).unwrap();
        std::fs::write(root.join("secret"), "s").unwrap();
        symlink(root.join("secret"), root.join("chosen/link")).unwrap();
        symlink(root.join("nowhere"), root.join("chosen/dangling")).unwrap();
        let grants = [Grant::existing(&root.join("chosen")).unwrap()];
        assert!(check_source(&grants, text(&root.join("chosen/link"))).is_err());
        assert!(check_target(&grants, text(&root.join("chosen/link"))).is_err());
        assert!(check_target(&grants, text(&root.join("chosen/dangling/x"))).is_err());
    }

    #[test]
    fn a_name_that_means_something_else_by_now_is_no_longer_granted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("chosen")).unwrap();
        std::fs::write(root.join("file"), "a").unwrap();
        std::fs::write(root.join("chosen/x"), "a").unwrap();
        let grants = [Grant::existing(&root.join("file")).unwrap(), Grant::existing(&root.join("chosen")).unwrap()];
        std::fs::write(root.join("new"), "b").unwrap();
        std::fs::rename(root.join("new"), root.join("file")).unwrap();
        std::fs::rename(root.join("chosen"), root.join("moved")).unwrap();
        std::fs::create_dir(root.join("chosen")).unwrap();
        std::fs::write(root.join("chosen/x"), "b").unwrap();
        assert!(check_source(&grants, text(&root.join("file"))).is_err());
        assert!(check_source(&grants, text(&root.join("chosen/x"))).is_err());
        assert!(check_target(&grants, text(&root.join("chosen/y"))).is_err());
    }

    #[test]
    fn a_save_target_is_that_one_name_and_a_folder_is_everything_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("to")).unwrap();
        let grants = [Grant::target(&root.join("new.bin")).unwrap(), Grant::existing(&root.join("to")).unwrap()];
        for good in ["new.bin", "to", "to/a/b/c"] {
            assert_eq!(check_target(&grants, text(&root.join(good))), Ok(root.join(good)));
        }
        for bad in ["other.bin", "new.bin/x", "to/../x", "tox", ""] {
            assert!(check_target(&grants, text(&root.join(bad))).is_err(), "{bad}");
        }
        assert!(check_source(&grants, text(&root.join("new.bin"))).is_err());
        assert!(Grant::target(Path::new("/")).is_err());
    }

    #[test]
    fn grants_belong_to_one_site_in_one_session() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b): (Origin, Origin) = ("https://a.example".parse().unwrap(), "https://b.example".parse().unwrap());
        let mut grants = Grants::default();
        grants.add("s1", &a, [Grant::existing(dir.path()).unwrap()]);
        grants.add("s1", &a, [Grant::existing(dir.path()).unwrap()]);
        assert_eq!(grants.of("s1", &a).len(), 1);
        assert!(grants.of("s1", &b).is_empty() && grants.of("s2", &a).is_empty());
        grants.forget_session("s1");
        assert!(grants.of("s1", &a).is_empty());
    }
}
