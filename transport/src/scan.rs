//! Walking the sources: one entry after the other, in a fixed order, without holding a tree in memory.
//!
//! A user's own files are read with the user's eyes: links are followed. On a server nobody's links are.
//!
//! A name that holds what no name may hold on its way goes under another one, if the session wants that; see [`announced`].

use crate::failure::disk;
use crate::protect::Sealing;
use crate::root::{Kind, Metadata, Root, list_handle};
use godwit_protocol::path::{PathError, is_refused, is_replacement};
use godwit_protocol::wire::{Entry, EntryKind, FileResult, RemotePath};
use godwit_protocol::worker::{Failure, FileOutcome, PathPair};
use godwit_protocol::{ErrorCode, RelPath};
use rustix::fs::{AtFlags, statat};
use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a sender takes files from.
pub(crate) enum Origin {
    /// Absolute paths of this machine, opened with the process's own rights.
    Local(Vec<PathPair>),
    /// Paths beneath a root.
    Beneath(Root, Vec<RemotePath>),
}

/// How to open an entry's content.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// By its path.
    Local(PathBuf),
    /// By its name on disk, relative to the root.
    Beneath(String),
}

/// What a step of the scanner found.
pub(crate) enum Scanned {
    /// An entry of the manifest, where its content is, and what was seen there.
    Entry(Entry, Source, Metadata),
    /// A source that cannot become one.
    Failed(FileResult),
}

/// See the module. Call [`Scanner::next`] where blocking is allowed.
pub(crate) struct Scanner {
    root: Option<Root>,
    /// Takes the place of characters that are refused.
    replacement: Option<char>,
    sources: VecDeque<(String, Option<String>)>,
    levels: Vec<Level>,
    /// Files go encrypted.
    sealing: Option<Arc<Sealing>>,
}

/// A name on the disk, and the one that it goes under if that is another.
type Named = (OsString, Option<String>);

/// A folder that is being walked.
struct Level {
    names: std::vec::IntoIter<Named>,
    place: Place,
    /// Absent for the root itself, whose children stand at the top.
    target: Option<RelPath>,
    id: (u64, u64),
}

enum Place {
    Local(PathBuf),
    Beneath(Arc<OwnedFd>, String),
}

impl Scanner {
    pub(crate) fn new(origin: Origin, replacement: Option<char>) -> Self {
        let (root, sources) = match origin {
            Origin::Local(pairs) => (None, pairs.into_iter().map(|p| (p.source, p.destination)).collect()),
            Origin::Beneath(root, paths) => {
                (Some(root), paths.into_iter().map(|p| (p.source, p.destination)).collect())
            }
        };
        // A peer may have sent it.
        let replacement = replacement.filter(|c| is_replacement(*c));
        Self { root, replacement, sources, levels: Vec::new(), sealing: None }
    }

    /// Announces the encrypted form of every file.
    pub(crate) fn sealed(self, sealing: Option<Arc<Sealing>>) -> Self {
        Self { sealing, ..self }
    }

    /// How files are encrypted, if they are.
    pub(crate) fn sealing(&self) -> Option<Arc<Sealing>> {
        self.sealing.clone()
    }

    fn file(&self, target: RelPath, found: &Metadata) -> Result<Entry, Failure> {
        match &self.sealing {
            None => Ok(file_entry(target, found)),
            Some(sealing) => sealing.entry(&target, found),
        }
    }

    /// The root sources lie beneath, if there is one.
    pub(crate) fn root(&self) -> Option<Root> {
        self.root.clone()
    }

    /// The next find; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Scanned> {
        loop {
            let found = match self.levels.last_mut() {
                Some(level) => match level.names.next() {
                    Some(name) => self.child(name),
                    None => {
                        self.levels.pop();
                        continue;
                    }
                },
                None => {
                    let (source, destination) = self.sources.pop_front()?;
                    let top = match self.root.clone() {
                        None => self.top_local(Path::new(&source), destination.as_deref()),
                        Some(root) => self.top_beneath(&root, &source, destination.as_deref()),
                    };
                    top.map_err(|failure| failed(source, failure))
                }
            };
            match found {
                Ok(Some(entry)) => return Some(entry),
                Ok(None) => {}
                Err(failed) => return Some(Scanned::Failed(*failed)),
            }
        }
    }

    fn top_local(&mut self, source: &Path, destination: Option<&str>) -> Result<Option<Scanned>, Failure> {
        if !source.is_absolute() {
            return Err(Failure::new(ErrorCode::BadPath, "the source is not an absolute path"));
        }
        let target = match destination {
            Some(destination) => target(destination)?,
            None => {
                let name = source.file_name().ok_or_else(|| Failure::new(ErrorCode::BadPath, "it has no name"))?;
                let replaced = self.replacement.filter(|_| is_odd(name)).map(|c| replaced(name, c));
                target(replaced.as_deref().or(name.to_str()).ok_or_else(not_utf8)?)?
            }
        };
        self.local(source.to_owned(), target)
    }

    fn top_beneath(
        &mut self,
        root: &Root,
        source: &str,
        destination: Option<&str>,
    ) -> Result<Option<Scanned>, Failure> {
        let source = source.trim_matches('/');
        let destination = destination.map(target).transpose()?;
        if source.is_empty() || source == "." {
            let folder = root.folder_raw(".").map_err(|e| disk(&e, false, "the root"))?;
            if let Some(destination) = destination {
                return self.enter_beneath(folder, String::new(), Some(destination));
            }
            return self.enter_beneath(folder, String::new(), None).map(|_| None);
        }
        let path: RelPath = source.parse().map_err(|e: PathError| Failure::new(ErrorCode::BadPath, e.to_string()))?;
        let target = match destination {
            Some(destination) => destination,
            None => target(path.name())?,
        };
        let (parent, name) = path.as_str().rsplit_once('/').unwrap_or((".", path.as_str()));
        let folder = root.folder_raw(parent).map_err(|e| match disk(&e, false, path.as_str()) {
            through if through.code == ErrorCode::LinkLoop => {
                Failure::new(ErrorCode::BadPath, "it leads through a link")
            }
            failure => failure,
        })?;
        let found = self.beneath(root, &folder, name, path.as_str().to_owned(), target)?;
        match found {
            // A link inside a folder is passed over; one that was asked for by name is an error.
            None => Err(Failure::new(ErrorCode::NotRegular, "it is a link")),
            found => Ok(found),
        }
    }

    /// A name in the folder on top of the stack.
    fn child(&mut self, (name, goes_as): Named) -> Result<Option<Scanned>, Box<FileResult>> {
        let Some(level) = self.levels.last() else { return Ok(None) };
        if name.to_str().is_some_and(crate::disk::reserved) {
            tracing::info!(?name, "a file that was on its way here is passed over");
            return Ok(None);
        }
        let shown = match &level.target {
            Some(target) => format!("{target}/{}", name.to_string_lossy()),
            None => name.to_string_lossy().into_owned(),
        };
        let target = match goes_as.as_deref().or(name.to_str()) {
            None => Err(not_utf8()),
            Some(name) => name.parse::<RelPath>().map_err(path_failure).and_then(|name| match &level.target {
                Some(folder) => folder.join(&name).map_err(path_failure),
                None => Ok(name),
            }),
        };
        let target = target.map_err(|failure| failed(shown.clone(), failure))?;
        let found = match &level.place {
            Place::Local(folder) => {
                let path = folder.join(&name);
                self.local(path, target)
            }
            Place::Beneath(folder, path) => {
                let (folder, path) = (folder.clone(), path.clone());
                match (self.root.clone(), name.to_str()) {
                    (Some(root), Some(name)) => {
                        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                        self.beneath(&root, &folder, name, path, target)
                    }
                    (Some(_), None) => Err(not_utf8()),
                    (None, _) => Ok(None),
                }
            }
        };
        found.map_err(|failure| failed(shown, failure))
    }

    fn local(&mut self, path: PathBuf, target: RelPath) -> Result<Option<Scanned>, Failure> {
        let name = |e: io::Error| disk(&e, false, &path.display().to_string());
        let found: Metadata = rustix::fs::stat(&path).map_err(|e| name(e.into()))?.into();
        if found.kind == Kind::File {
            return Ok(Some(Scanned::Entry(self.file(target, &found)?, Source::Local(path), found)));
        }
        if found.kind != Kind::Folder {
            return Err(Failure::new(ErrorCode::NotRegular, path.display().to_string()));
        }
        let id = found.id;
        if self.levels.iter().any(|level| level.id == id) {
            return Err(Failure::new(ErrorCode::LinkLoop, path.display().to_string()));
        }
        let mut names = std::fs::read_dir(&path)
            .and_then(|names| names.map(|n| n.map(|n| n.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(name)?;
        names.sort_unstable();
        let entry = folder_entry(target.clone(), found.mtime_ns);
        self.levels.push(Level {
            names: announced(names, self.replacement).into_iter(),
            place: Place::Local(path.clone()),
            target: Some(target),
            id,
        });
        Ok(Some(Scanned::Entry(entry, Source::Local(path), found)))
    }

    /// `None` is a link.
    fn beneath(
        &mut self,
        root: &Root,
        folder: &OwnedFd,
        name: &str,
        path: String,
        target: RelPath,
    ) -> Result<Option<Scanned>, Failure> {
        let found: Metadata =
            statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| disk(&e.into(), false, &path))?.into();
        match found.kind {
            Kind::File => Ok(Some(Scanned::Entry(self.file(target, &found)?, Source::Beneath(path), found))),
            Kind::Folder => {
                let folder = root.folder_raw(&path).map_err(|e| disk(&e, false, &path))?;
                self.enter_beneath(folder, path, Some(target))
            }
            Kind::Link => {
                tracing::info!(path, "a link is passed over");
                Ok(None)
            }
            Kind::Special => Err(Failure::new(ErrorCode::NotRegular, path)),
        }
    }

    fn enter_beneath(
        &mut self,
        folder: OwnedFd,
        path: String,
        target: Option<RelPath>,
    ) -> Result<Option<Scanned>, Failure> {
        let found = Metadata::of(&folder).map_err(|e| disk(&e, false, &path))?;
        let id = found.id;
        let names = list_handle(folder.as_fd()).map_err(|e| disk(&e, false, &path))?;
        let names = announced(names, self.replacement).into_iter();
        let entry = target
            .clone()
            .map(|target| Scanned::Entry(folder_entry(target, found.mtime_ns), Source::Beneath(path.clone()), found));
        self.levels.push(Level { names, place: Place::Beneath(Arc::new(folder), path), target, id });
        Ok(entry)
    }
}

/// What the names of one folder go under: their own; one that may not go anywhere, under the same with `replacement` for each
/// offending character. Two never become one: who finds the new name taken keeps its own, and fails by it.
fn announced(names: Vec<OsString>, replacement: Option<char>) -> Vec<Named> {
    let Some(replacement) = replacement.filter(|_| names.iter().any(|name| is_odd(name))) else {
        return names.into_iter().map(|name| (name, None)).collect();
    };
    let mut taken: HashSet<RelPath> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    let mut other = |name: &OsStr| {
        let other = is_odd(name).then(|| replaced(name, replacement))?;
        taken.insert(other.parse().ok()?).then_some(other)
    };
    names.into_iter().map(|name| (other(&name), name)).map(|(other, name)| (name, other)).collect()
}

fn is_odd(name: &OsStr) -> bool {
    name.to_str().is_none_or(|name| name.chars().any(is_refused))
}

fn replaced(name: &OsStr, replacement: char) -> String {
    let fits = |c: char| !is_refused(c) && c != char::REPLACEMENT_CHARACTER;
    name.to_string_lossy().chars().map(|c| if fits(c) { c } else { replacement }).collect()
}

/// A file as it goes into the manifest.
pub(crate) fn file_entry(path: RelPath, found: &Metadata) -> Entry {
    Entry { path, kind: EntryKind::File, size: found.size, mtime_ns: found.mtime_ns }
}

fn folder_entry(path: RelPath, mtime_ns: i64) -> Entry {
    Entry { path, kind: EntryKind::Folder, size: 0, mtime_ns }
}

fn target(text: &str) -> Result<RelPath, Failure> {
    text.trim_matches('/').parse().map_err(path_failure)
}

fn path_failure(error: PathError) -> Failure {
    let code = match error {
        PathError::TooLong => ErrorCode::PathTooLong,
        PathError::Character => ErrorCode::IllegalCharacters,
        _ => ErrorCode::BadPath,
    };
    Failure::new(code, error.to_string())
}

fn not_utf8() -> Failure {
    Failure::new(ErrorCode::IllegalCharacters, "the name is not UTF-8")
}

fn failed(path: String, failure: Failure) -> Box<FileResult> {
    Box::new(FileResult {
        entry: None,
        path: Some(path),
        outcome: FileOutcome::Failed,
        failure: Some(failure),
        blake3: None,
        resumed: 0,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(at("t/sub/empty")).unwrap();
        std::fs::write(at("t/b"), b"bb").unwrap();
        std::fs::write(at("t/sub/a"), b"a").unwrap();
        std::fs::write(temp.path().join("t").join(OsStr::from_bytes(b"bad\xff")), b"x").unwrap();
        std::fs::write(at("t/back\\slash"), b"x").unwrap();
        std::os::unix::net::UnixListener::bind(at("t/socket")).unwrap();
        symlink("b", at("t/link")).unwrap();
        symlink("..", at("t/sub/loop")).unwrap();
        temp
    }

    fn run(origin: Origin) -> (Vec<String>, Vec<(String, u16)>) {
        run_with(origin, None)
    }

    fn run_with(origin: Origin, replacement: Option<char>) -> (Vec<String>, Vec<(String, u16)>) {
        let mut scanner = Scanner::new(origin, replacement);
        let (mut entries, mut failures) = (Vec::new(), Vec::new());
        while let Some(found) = scanner.next() {
            match found {
                Scanned::Entry(entry, ..) => entries.push(format!("{}:{}", entry.path, entry.size)),
                Scanned::Failed(f) => failures.push((f.path.unwrap(), f.failure.unwrap().code.number())),
            }
        }
        (entries, failures)
    }

    fn pair(source: String, destination: Option<&str>) -> PathPair {
        PathPair { source, destination: destination.map(str::to_owned) }
    }

    #[test]
    fn a_users_tree_is_walked_in_order_with_links_followed_and_loops_told() {
        let temp = tree();
        let source = temp.path().join("t").to_str().unwrap().to_owned();
        let (entries, failures) = run(Origin::Local(vec![
            pair(source, Some("x")),
            pair(temp.path().join("t/b").to_str().unwrap().to_owned(), None),
        ]));
        assert_eq!(entries, ["x:0", "x/b:2", "x/link:2", "x/sub:0", "x/sub/a:1", "x/sub/empty:0", "b:2"]);
        let codes: Vec<u16> = failures.iter().map(|f| f.1).collect();
        assert_eq!(codes, [56, 56, 21, 63], "{failures:?}");
    }

    #[test]
    fn beneath_a_root_no_link_is_followed_and_one_asked_for_is_an_error() {
        let temp = tree();
        let root = Root::open(temp.path()).unwrap();
        let ask = |source: &str| RemotePath { source: source.to_owned(), destination: None };
        let paths = ["/t/", "t/link", "../etc", "t/sub/loop/b", "missing"].map(ask).to_vec();
        let (entries, failures) = run(Origin::Beneath(root.clone(), paths));
        assert_eq!(entries, ["t:0", "t/b:2", "t/sub:0", "t/sub/a:1", "t/sub/empty:0"]);
        let codes: Vec<u16> = failures.iter().map(|f| f.1).collect();
        assert_eq!(codes, [56, 56, 21, 21, 41, 41, 4], "{failures:?}");
        let (entries, _) = run(Origin::Beneath(root, vec![ask("/")]));
        assert_eq!(entries[0], "t:0");
    }

    #[test]
    fn a_relative_or_missing_source_of_a_user_fails_by_itself() {
        let (entries, failures) = run(Origin::Local(vec![pair("etc".into(), None), pair("/no/such".into(), None)]));
        assert!(entries.is_empty());
        assert_eq!(failures.iter().map(|f| f.1).collect::<Vec<_>>(), [41, 4]);
    }

    #[test]
    fn names_that_may_not_go_anywhere_go_under_others_and_never_two_under_one() {
        let temp = tree();
        for name in ["a\\b", "a_b", "c\nd", "c\td", "e\u{202e}f"] {
            std::fs::write(temp.path().join("t").join(name), name).unwrap();
        }
        std::fs::create_dir(temp.path().join("t/g\\h")).unwrap();
        std::fs::write(temp.path().join("t/g\\h/inside"), b"").unwrap();
        let root = Root::open(temp.path()).unwrap();
        let there = Origin::Beneath(root, vec![RemotePath { source: "t".into(), destination: None }]);
        let here = Origin::Local(vec![pair(temp.path().join("t").to_str().unwrap().to_owned(), None)]);
        for (origin, also) in [(there, None), (here, Some("t/bad_:1"))] {
            let (entries, failures) = run_with(origin, Some('_'));
            let expected = ["t/a_b:3", "t/back_slash:1", "t/c_d:3", "t/e_f:5", "t/g_h:0", "t/g_h/inside:0"];
            for entry in expected.into_iter().chain(also) {
                assert_eq!(entries.iter().filter(|e| *e == entry).count(), 1, "{entry}: {entries:?}");
            }
            let names: Vec<&str> = failures.iter().filter(|f| f.1 == 56).map(|f| f.0.as_str()).collect();
            assert!(names.contains(&"t/a\\b") && names.contains(&"t/c\nd"), "their names were taken: {names:?}");
            assert_eq!(names.len(), if also.is_some() { 2 } else { 3 }, "{names:?}");
        }
        let odd = Origin::Local(vec![pair(temp.path().join("t/back\\slash").to_str().unwrap().to_owned(), None)]);
        assert_eq!(run_with(odd, Some('-')).0, ["back-slash:1"]);
        for wrong in ['/', '.', '\\', '\n', ' '] {
            let odd = Origin::Local(vec![pair(temp.path().join("t/back\\slash").to_str().unwrap().to_owned(), None)]);
            assert_eq!(run_with(odd, Some(wrong)).1.len(), 1, "{wrong:?}");
        }
    }
}
