//! Finding the files that a person dropped on a page, of which the browser tells names, sizes and times but no paths.
//!
//! Only for drops that the browser itself saw, and only to ask the user "these?": what is found here reaches no page before the
//! user has confirmed it, and a page learns nothing from how long it took.

use godwit_protocol::page::Dropped;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Most names looked at.
const MAX_NAMES: usize = 500_000;
/// Longest search.
const MAX_TIME: Duration = Duration::from_secs(4);
/// Deepest folder below a root.
const MAX_DEPTH: usize = 12;
/// Most places of one name that are remembered; more is unsure in any case.
const MAX_HITS: usize = 50;
/// Browsers and file systems round times differently.
const TIME_TOLERANCE_MS: u64 = 1_000;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Each file in exactly one way.
    These(Vec<String>),
    /// Not found, or in several ways; the user must show them.
    Unsure {
        /// Perhaps beginning here.
        folder: Option<String>,
        /// Of one of them at least there is no trace.
        missing: bool,
    },
}

/// Looks in `near` (folders the user chose or used), then everywhere below `roots`, but not in `except`.
#[must_use]
pub fn find(dropped: &[Dropped], near: &[PathBuf], roots: &[PathBuf], except: &Path) -> Found {
    let end = Instant::now() + MAX_TIME;
    let mut hits = Hits::new(dropped);
    for folder in near {
        hits.try_folder(folder);
    }
    match hits.judge() {
        Found::Unsure { folder: None, .. } => {}
        found => return found,
    }
    hits.walk(roots, except, end);
    hits.judge()
}

/// Where files of the wanted names are.
struct Hits<'a> {
    dropped: &'a [Dropped],
    by_name: BTreeMap<&'a str, Vec<usize>>,
    /// For each dropped file the paths that could be it.
    found: Vec<Vec<PathBuf>>,
}

impl<'a> Hits<'a> {
    fn new(dropped: &'a [Dropped]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, file) in dropped.iter().enumerate() {
            by_name.entry(&file.name).or_default().push(index);
        }
        Self { dropped, by_name, found: vec![Vec::new(); dropped.len()] }
    }

    /// The wanted names directly in `folder`.
    fn try_folder(&mut self, folder: &Path) {
        for index in 0..self.dropped.len() {
            self.try_path(index, folder);
        }
    }

    fn try_path(&mut self, index: usize, folder: &Path) {
        let (Some(file), Some(found)) = (self.dropped.get(index), self.found.get_mut(index)) else { return };
        // A page's name must not lead out of the folder.
        if file.name.is_empty() || file.name == "." || file.name == ".." || file.name.contains(['/', '\0']) {
            return;
        }
        let path = folder.join(&file.name);
        if found.len() < MAX_HITS && is(file, &path) && !found.contains(&path) {
            found.push(path);
        }
    }

    /// Everything below the roots, level by level: what people use is seldom deep. Links and hidden folders are left out.
    fn walk(&mut self, roots: &[PathBuf], except: &Path, end: Instant) {
        let mut folders: VecDeque<(PathBuf, usize)> = roots.iter().map(|r| (r.clone(), 0)).collect();
        let mut names = 0;
        while let Some((folder, depth)) = folders.pop_front() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                names += 1;
                if names > MAX_NAMES || Instant::now() > end {
                    return;
                }
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                for index in self.by_name.get(name).cloned().unwrap_or_default() {
                    self.try_path(index, &folder);
                }
                let descend =
                    depth < MAX_DEPTH && !name.starts_with('.') && entry.file_type().is_ok_and(|t| t.is_dir());
                let path = entry.path();
                if descend && path != except {
                    folders.push_back((path, depth + 1));
                }
            }
        }
    }

    fn judge(&self) -> Found {
        // What is dropped together comes from one folder, as a rule: that decides between several files of one name.
        let mut folders: BTreeMap<&Path, usize> = BTreeMap::new();
        for folder in self.found.iter().flatten().filter_map(|p| p.parent()) {
            *folders.entry(folder).or_default() += 1;
        }
        let whole: Vec<&Path> =
            folders.iter().filter(|(_, count)| **count == self.dropped.len()).map(|(folder, _)| *folder).collect();
        let hint = || folders.iter().max_by_key(|(_, count)| **count).and_then(|(f, _)| f.to_str()).map(str::to_owned);
        let chosen: Option<Vec<String>> = match whole.as_slice() {
            [folder] => self.dropped.iter().map(|file| text(&folder.join(&file.name))).collect(),
            [] => {
                self.found.iter().map(|paths| if let [path] = paths.as_slice() { text(path) } else { None }).collect()
            }
            _ => None,
        };
        let missing = self.found.iter().any(Vec::is_empty);
        chosen.filter(|all| !all.is_empty()).map_or_else(|| Found::Unsure { folder: hint(), missing }, Found::These)
    }
}

fn text(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}

/// True if what is at `path` is what the browser described.
fn is(file: &Dropped, path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else { return false };
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let modified_ms = modified.and_then(|d| u64::try_from(d.as_millis()).ok()).unwrap_or_default();
    let same_time = modified_ms.abs_diff(file.modified_ms) <= TIME_TOLERANCE_MS;
    // Browsers say various things about a folder's size.
    same_time && if file.folder { meta.is_dir() } else { meta.is_file() && meta.len() == file.size }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOWHERE: Found = Found::Unsure { folder: None, missing: true };

    fn find(dropped: &[Dropped], near: &[PathBuf], roots: &[PathBuf]) -> Found {
        super::find(dropped, near, roots, Path::new("/nowhere"))
    }

    fn put(folder: &Path, name: &str, content: &str) -> Dropped {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        describe(&path)
    }

    fn describe(path: &Path) -> Dropped {
        let meta = path.metadata().unwrap();
        let modified = meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
        Dropped {
            name: path.file_name().unwrap().to_str().unwrap().into(),
            size: meta.len(),
            modified_ms: u64::try_from(modified.as_millis()).unwrap(),
            folder: meta.is_dir(),
        }
    }

    fn these(paths: &[PathBuf]) -> Found {
        Found::These(paths.iter().map(|p| p.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_file_is_found_near_first_and_then_anywhere_below_home() {
        let dir = tempfile::tempdir().unwrap();
        let (near, far) = (dir.path().join("near"), dir.path().join("a/b/c"));
        let first = put(&near, "x.mov", "1234");
        let second = put(&far, "y.mov", "12345");
        let roots = [dir.path().to_owned()];
        assert_eq!(find(&[first], std::slice::from_ref(&near), &[]), these(&[near.join("x.mov")]));
        assert_eq!(find(std::slice::from_ref(&second), &[near], &roots), these(&[far.join("y.mov")]));
        assert_eq!(find(&[second], &[], &[]), NOWHERE);
    }

    #[test]
    fn name_size_and_time_must_all_fit() {
        let dir = tempfile::tempdir().unwrap();
        let file = put(dir.path(), "x.mov", "1234");
        let near = [dir.path().to_owned()];
        for wrong in [
            Dropped { size: 5, ..file.clone() },
            Dropped { modified_ms: file.modified_ms + 5_000, ..file.clone() },
            Dropped { name: "X.mov".into(), ..file.clone() },
            Dropped { folder: true, ..file.clone() },
        ] {
            assert_eq!(find(std::slice::from_ref(&wrong), &near, &near), NOWHERE, "{wrong:?}");
        }
        let rounded = Dropped { modified_ms: file.modified_ms / 1_000 * 1_000, ..file };
        assert!(matches!(find(&[rounded], &near, &[]), Found::These(_)));
    }

    #[test]
    fn of_equal_files_the_folder_that_has_all_that_was_dropped_decides_and_two_such_folders_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let a = put(&one, "a", "1");
        let b = put(&one, "b", "22");
        put(&two, "a", "1");
        let roots = [dir.path().to_owned()];
        assert_eq!(find(&[a.clone(), b.clone()], &[], &roots), these(&[one.join("a"), one.join("b")]));
        assert!(matches!(
            find(std::slice::from_ref(&a), &[], &roots),
            Found::Unsure { folder: Some(_), missing: false }
        ));
        put(&two, "b", "22");
        assert!(matches!(find(&[a.clone(), b], &[], &roots), Found::Unsure { folder: Some(_), missing: false }));
        let other = Dropped { name: "c".into(), ..a.clone() };
        assert!(matches!(find(&[a, other], &[], &roots), Found::Unsure { folder: Some(_), missing: true }));
    }

    #[test]
    fn folders_are_found_by_name_and_time_and_links_are_not_followed_in_the_search() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("project"), "inside", "1");
        let outside = tempfile::tempdir().unwrap();
        let hidden = put(outside.path(), "beyond", "1");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        let roots = [dir.path().to_owned()];
        let folder = describe(&dir.path().join("project"));
        assert_eq!(find(&[folder], &[], &roots), these(&[dir.path().join("project")]));
        assert_eq!(find(&[hidden], &[], &roots), NOWHERE);
        let copy = put(&dir.path().join("own/copies/0"), "copied", "1");
        assert!(matches!(find(std::slice::from_ref(&copy), &[], &roots), Found::These(_)));
        assert_eq!(super::find(&[copy], &[], &roots, &dir.path().join("own/copies")), NOWHERE, "our own copies");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_never_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = put(dir.path(), "secret", "1");
        let near = [dir.path().join("sub")];
        std::fs::create_dir(&near[0]).unwrap();
        for name in ["../secret", "..", ".", "", "/etc/passwd", "a\0"] {
            let wish = Dropped { name: name.into(), ..file.clone() };
            assert_eq!(find(&[wish], &near, &[]), NOWHERE, "{name:?}");
        }
    }
}
