//! What a copy command means: direction, sources with their names at the target, and where they go.
//!
//! The rule of `cp` needs to know whether the target is a folder. Here that can be looked at; on a server it cannot
//! without asking, so an upload with one source has two *attempts*: first as into a folder that exists; if the server
//! says that there is none, as a new name.

use crate::location::{Location, Remote};
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{Failure, PathPair};
use godwit_protocol::{ErrorCode, RelPath};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// A copy, ready to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) direction: Direction,
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    /// In this order; the next one only if the target of this one is no folder.
    pub(crate) attempts: Vec<Attempt>,
}

/// One reading of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) paths: Vec<PathPair>,
    pub(crate) destination_root: String,
    pub(crate) create_dir: bool,
}

fn usage(detail: &str) -> Failure {
    Failure::new(ErrorCode::Usage, detail)
}

impl Plan {
    /// Reads the command; looks at local paths.
    pub(crate) fn new(sources: &[Location], destination: &Location) -> Result<Self, Failure> {
        match destination {
            Location::Remote(remote) => Self::upload(sources, remote),
            Location::Local(path) => Self::download(sources, path),
        }
    }

    fn upload(sources: &[Location], remote: &Remote) -> Result<Self, Failure> {
        let mut paths = Vec::with_capacity(sources.len());
        for source in sources {
            match source {
                Location::Local(path) => paths.push(local_source(path)?),
                Location::Remote(_) => return Err(usage("both sides are on servers; one must be local")),
            }
        }
        unique(paths.iter().filter_map(|p| p.destination.as_deref()))?;
        let target = remote.path.trim_end_matches('/');
        let is_folder = paths.len() > 1 || target.is_empty() || remote.path.ends_with('/');
        let into = Attempt { paths, destination_root: folder(target), create_dir: is_folder && !target.is_empty() };
        let mut attempts = vec![into.clone()];
        if !is_folder {
            let (parent, name) = target.rsplit_once('/').unwrap_or(("", target));
            let mut paths = into.paths;
            for path in &mut paths {
                path.destination = Some(relative(name)?);
            }
            attempts.push(Attempt { paths, destination_root: folder(parent), create_dir: false });
        }
        Ok(Self { direction: Direction::Send, user: remote.user.clone(), host: remote.host.clone(), attempts })
    }

    fn download(sources: &[Location], target: &Path) -> Result<Self, Failure> {
        let mut remotes = Vec::with_capacity(sources.len());
        for source in sources {
            match source {
                Location::Remote(remote) => remotes.push(remote),
                Location::Local(_) => {
                    let how = "one side must be on a server: write it as [USER@]HOST:PATH";
                    return Err(usage(how));
                }
            }
        }
        let first = *remotes.first().ok_or_else(|| usage("there is no source"))?;
        if remotes.iter().any(|r| r.host != first.host || r.user != first.user) {
            return Err(usage("all sources must be on the same server, with the same user"));
        }
        unique(remotes.iter().filter_map(|r| r.path.trim_end_matches('/').rsplit('/').next()))?;
        let ends_in_slash = target.as_os_str().as_encoded_bytes().ends_with(b"/");
        let is_folder = remotes.len() > 1 || ends_in_slash || target.is_dir();
        let absolute = std::path::absolute(target).map_err(|e| local_failure(target, &e))?;
        // Without a slash at the end; its job is done.
        let absolute: PathBuf = absolute.components().collect();
        let (root, name) = if is_folder {
            (absolute.as_path(), None)
        } else {
            let name = absolute.file_name().and_then(|n| n.to_str()).ok_or_else(|| bad_name(target))?;
            (absolute.parent().unwrap_or(Path::new("/")), Some(relative(name)?))
        };
        // Links in the target's own path are the user's: followed here, so that nothing below need be.
        let (root, create_dir) = match root.canonicalize() {
            Ok(root) => (root, false),
            Err(_) if is_folder => (root.to_owned(), true),
            Err(error) => return Err(local_failure(root, &error)),
        };
        let paths = remotes.iter().map(|r| PathPair { source: r.path.clone(), destination: name.clone() }).collect();
        let destination_root = root.to_str().ok_or_else(|| bad_name(&root))?.to_owned();
        let attempt = Attempt { paths, destination_root, create_dir };
        Ok(Self {
            direction: Direction::Receive,
            user: first.user.clone(),
            host: first.host.clone(),
            attempts: vec![attempt],
        })
    }
}

/// The server's way to write a folder: `/` is the user's root.
fn folder(path: &str) -> String {
    if path.is_empty() { "/".into() } else { path.into() }
}

fn relative(name: &str) -> Result<String, Failure> {
    let path: RelPath =
        name.parse().map_err(|e| Failure::new(ErrorCode::IllegalCharacters, format!("'{name}': {e}")))?;
    Ok(path.to_string())
}

fn bad_name(path: &Path) -> Failure {
    Failure::new(ErrorCode::IllegalCharacters, format!("'{}' is not UTF-8 or names no file", path.display()))
}

fn local_failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ErrorCode::from_io(error, false), format!("'{}'", path.display()))
}

/// A local source: where it really is, and the name by which the user called it.
fn local_source(path: &Path) -> Result<PathPair, Failure> {
    // A source that the user names himself may be a link; links inside of folders are another matter.
    let real: PathBuf = path.canonicalize().map_err(|e| local_failure(path, &e))?;
    let name = match path.components().next_back() {
        Some(Component::Normal(name)) => name,
        _ => real.file_name().ok_or_else(|| usage("'/' as a whole cannot be copied; name folders in it"))?,
    };
    let name = name.to_str().ok_or_else(|| bad_name(path))?;
    let source = real.to_str().ok_or_else(|| bad_name(path))?.to_owned();
    Ok(PathPair { source, destination: Some(relative(name)?) })
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(usage(&format!("two sources would both become '{name}'")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn plan(sources: &[&str], destination: &str) -> Result<Plan, Failure> {
        let sources: Vec<Location> = sources.iter().map(|s| s.parse().unwrap()).collect();
        Plan::new(&sources, &destination.parse().unwrap())
    }

    /// `(root, create, [name at the target])` of each attempt.
    fn targets(plan: &Plan) -> Vec<(String, bool, Vec<Option<String>>)> {
        let names = |a: &Attempt| a.paths.iter().map(|p| p.destination.clone()).collect();
        plan.attempts.iter().map(|a| (a.destination_root.clone(), a.create_dir, names(a))).collect()
    }

    fn some(names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|n| Some((*n).to_owned())).collect()
    }

    #[test]
    fn one_upload_goes_into_a_folder_if_it_exists_else_takes_the_new_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "").unwrap();
        let file = file.to_str().unwrap();
        let into = |root: &str, create| (root.to_owned(), create, some(&["a"]));
        assert_eq!(
            targets(&plan(&[file], "h:in/b").unwrap()),
            [into("in/b", false), ("in".into(), false, some(&["b"]))]
        );
        assert_eq!(targets(&plan(&[file], "h:b").unwrap()), [into("b", false), ("/".into(), false, some(&["b"]))]);
        assert_eq!(targets(&plan(&[file], "h:in/").unwrap()), [into("in", true)]);
        for root in ["h:", "h:/"] {
            assert_eq!(targets(&plan(&[file], root).unwrap()), [into("/", false)]);
        }
    }

    #[test]
    fn several_uploads_go_into_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("x/a")).unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        fs::write(dir.path().join("b"), "").unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let both = plan(&[&path("a"), &path("b")], "h:in").unwrap();
        assert_eq!(targets(&both), [("in".into(), true, some(&["a", "b"]))]);
        let error = plan(&[&path("a"), &path("x/a")], "h:in").unwrap_err();
        assert!(error.message.contains("'a'"), "{error}");
    }

    #[test]
    fn a_link_named_as_source_keeps_its_own_name_and_a_missing_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("real"), "").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let plan_ = plan(&[dir.path().join("link").to_str().unwrap()], "h:/").unwrap();
        let pair = plan_.attempts.first().unwrap().paths.first().unwrap();
        assert!(pair.source.ends_with("/real") && pair.destination.as_deref() == Some("link"), "{pair:?}");
        let error = plan(&[dir.path().join("missing").to_str().unwrap()], "h:/").unwrap_err();
        assert_eq!(error.code.number(), 4);
        assert!(error.message.contains("missing"), "{error}");
    }

    #[test]
    fn a_download_looks_at_the_local_side() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let here = text(&root);
        let names = |plan: &Plan| targets(plan).remove(0);
        assert_eq!(names(&plan(&["h:x/a"], &here).unwrap()), (here.clone(), false, vec![None]));
        let new = root.join("new");
        assert_eq!(names(&plan(&["h:x/a"], &text(&new)).unwrap()), (here.clone(), false, some(&["new"])));
        assert_eq!(names(&plan(&["h:a"], &format!("{}/", text(&new))).unwrap()), (text(&new), true, vec![None]));
        assert_eq!(names(&plan(&["h:a", "h:b"], &text(&new)).unwrap()), (text(&new), true, vec![None, None]));
        let error = plan(&["h:a"], &text(&root.join("no/such"))).unwrap_err();
        assert_eq!(error.code.number(), 4, "{error}");
    }

    #[test]
    fn exactly_one_side_is_a_server() {
        for (sources, destination) in
            [(vec!["/tmp"], "/tmp"), (vec!["h:a"], "h:b"), (vec!["h:a", "i:b"], "/tmp"), (vec!["h:a", "/tmp"], "/")]
        {
            assert_eq!(plan(&sources, destination).unwrap_err().code, ErrorCode::Usage, "{sources:?}");
        }
    }
}
