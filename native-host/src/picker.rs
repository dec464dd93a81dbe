//! Folders as the built-in picker shows them. For our own windows only; no page ever gets here.

use godwit_protocol::envelope::codes;
use godwit_protocol::ui::{FolderEntry, FolderListing, FolderQuery, NewFolder, Notice, Place};
use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Most entries listed.
pub const MAX_ENTRIES: usize = 5_000;
/// Most bytes of entries listed: a frame must hold them.
const MAX_BYTES: usize = 700 * 1024;

/// One of the envelope's codes, and why.
pub type Refusal = (&'static str, Notice);

/// Lists a folder.
pub fn list(query: &FolderQuery, recent: Option<&Path>) -> Result<FolderListing, Refusal> {
    let asked = query.path.as_deref().unwrap_or("/");
    let path = absolute(asked)?;
    let (entries, truncated) = entries(&path, query.hidden).map_err(|e| failed(asked, &e))?;
    Ok(FolderListing {
        path: path.to_string_lossy().into_owned(),
        parent: path.parent().map(|p| p.to_string_lossy().into_owned()),
        entries,
        places: places(recent),
        truncated,
    })
}

/// Makes a folder and lists it.
pub fn create(new: &NewFolder) -> Result<FolderListing, Refusal> {
    let parent = absolute(&new.parent)?;
    let name = new.name.as_str();
    if name.is_empty() || name == "." || name == ".." || name.len() > 255 || name.contains(['/', '\0']) {
        return Err((codes::BAD_REQUEST, Notice::new("folder-name", [], "This is no name for a folder.")));
    }
    let path = parent.join(name);
    std::fs::create_dir(&path).map_err(|e| failed(&path.to_string_lossy(), &e))?;
    list(&FolderQuery { path: Some(path.to_string_lossy().into_owned()), hidden: false }, None)
}

fn absolute(text: &str) -> Result<PathBuf, Refusal> {
    if !text.starts_with('/') || text.contains('\0') || text.split('/').any(|part| part == "..") {
        let text = "The folder must be an absolute path without '..'.";
        return Err((codes::BAD_REQUEST, Notice::new("folder-path", [], text)));
    }
    // Without trailing and doubled slashes.
    Ok(PathBuf::from(text).components().collect())
}

fn failed(path: &str, error: &io::Error) -> Refusal {
    let (code, word, words) = match error.kind() {
        io::ErrorKind::NotFound => (codes::NOT_FOUND, "folder-missing", "does not exist"),
        io::ErrorKind::PermissionDenied => (codes::FORBIDDEN, "folder-closed", "may not be read or written by you"),
        io::ErrorKind::NotADirectory => (codes::BAD_REQUEST, "folder-none", "is no folder"),
        io::ErrorKind::AlreadyExists => (codes::BAD_REQUEST, "folder-there", "exists already"),
        _ => (codes::INTERNAL, "folder-unusable", "cannot be used"),
    };
    let args = [path.to_owned(), error.to_string()];
    (code, Notice::new(word, args, format!("{path} {words} ({error}).")))
}

fn entries(path: &Path, hidden: bool) -> io::Result<(Vec<FolderEntry>, bool)> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        // A name that is no text could not be sent back by the window.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') && !hidden {
            continue;
        }
        // Follows links, as the user would; a dangling one is not shown.
        let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
        if !meta.is_dir() && !meta.is_file() {
            continue;
        }
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        entries.push(FolderEntry {
            name,
            folder: meta.is_dir(),
            size: if meta.is_dir() { 0 } else { meta.len() },
            modified_ms: modified.and_then(|d| u64::try_from(d.as_millis()).ok()).unwrap_or_default(),
        });
    }
    entries.sort_by_cached_key(|e| (Reverse(e.folder), e.name.to_lowercase(), e.name.clone()));
    let all = entries.len();
    let mut bytes = 0;
    entries.truncate(MAX_ENTRIES);
    // A name may grow sixfold when it is written as JSON.
    let fits = entries.iter().take_while(|e| {
        bytes += 80 + e.name.chars().map(|c| if c.is_control() { 6 } else { c.len_utf8() + 1 }).sum::<usize>();
        bytes <= MAX_BYTES
    });
    let fitting = fits.count();
    entries.truncate(fitting);
    let truncated = entries.len() < all;
    Ok((entries, truncated))
}

fn places(recent: Option<&Path>) -> Vec<Place> {
    let user = directories::UserDirs::new();
    let user = user.as_ref();
    let known = [
        ("home", user.map(|u| u.home_dir().to_owned())),
        ("desktop", user.and_then(|u| u.desktop_dir().map(Path::to_owned))),
        ("documents", user.and_then(|u| u.document_dir().map(Path::to_owned))),
        ("downloads", user.and_then(|u| u.download_dir().map(Path::to_owned))),
        ("recent", recent.map(Path::to_owned)),
        ("root", Some(PathBuf::from("/"))),
    ];
    let place = |(kind, path): (&str, Option<PathBuf>)| {
        let path = path.filter(|p| p.is_dir())?;
        Some(Place { kind: kind.into(), path: path.to_str()?.to_owned() })
    };
    known.into_iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn query(path: &Path) -> FolderQuery {
        FolderQuery { path: Some(path.to_str().unwrap().to_owned()), hidden: false }
    }

    #[test]
    fn folders_come_first_and_hidden_names_only_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("z")).unwrap();
        for name in ["b", "A", ".hidden"] {
            std::fs::write(dir.path().join(name), "12").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("z"), dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.path().join("dangling")).unwrap();
        let listing = list(&query(dir.path()), Some(dir.path())).unwrap();
        let names: Vec<_> = listing.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["link", "z", "A", "b"]);
        assert_eq!((listing.entries[2].size, listing.entries[1].folder), (2, true));
        assert!(listing.places.iter().any(|p| p.kind == "recent"));
        let hidden = list(&FolderQuery { hidden: true, ..query(dir.path()) }, None).unwrap();
        assert_eq!(hidden.entries.len(), 5);
    }

    #[test]
    fn a_huge_folder_is_cut_so_that_a_frame_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..4_000 {
            std::fs::write(dir.path().join(format!("{n:04}{}", "x".repeat(240))), "").unwrap();
        }
        let listing = list(&query(dir.path()), None).unwrap();
        assert!(listing.truncated && listing.entries.len() > 1_000);
        let bytes = serde_json::to_vec(&listing).unwrap();
        assert!(godwit_protocol::frame::encode(&bytes).is_ok(), "{}", bytes.len());
    }

    #[test]
    fn what_cannot_be_listed_or_made_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let code = |r: Result<FolderListing, Refusal>| r.unwrap_err().0;
        assert_eq!(code(list(&query(&dir.path().join("no")), None)), codes::NOT_FOUND);
        assert_eq!(code(list(&query(Path::new("relative")), None)), codes::BAD_REQUEST);
        assert_eq!(code(list(&query(&dir.path().join("../x")), None)), codes::BAD_REQUEST);
        let new = |name: &str| NewFolder { parent: dir.path().to_str().unwrap().into(), name: name.into() };
        for bad in ["", ".", "..", "a/b", "a\0"] {
            assert_eq!(code(create(&new(bad))), codes::BAD_REQUEST);
        }
        assert!(create(&new("made")).unwrap().path.ends_with("/made"));
        assert_eq!(code(create(&new("made"))), codes::BAD_REQUEST);
    }
}
