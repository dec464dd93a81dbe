//! Files and folders, with errors that name the path.

use crate::Outcome;
use std::fs;
use std::path::Path;

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Writes a file, making its folder.
pub(crate) fn write(path: &Path, content: &[u8]) -> Outcome {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Copies one file, making the target's folder.
pub(crate) fn copy(source: &Path, target: &Path) -> Outcome {
    if let Some(folder) = target.parent() {
        make_folder(folder)?;
    }
    fs::copy(source, target).map(|_| ()).map_err(|error| format!("{}: {error}", source.display()).into())
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Removes a folder with all it holds; an absent one is fine.
pub(crate) fn remove_folder(path: &Path) -> Outcome {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()).into())
        }
        _ => Ok(()),
    }
}

/// Puts a copy of a program in place in one step: a program that is running keeps its old file.
pub(crate) fn install(source: &Path, folder: &Path) -> Outcome {
    make_folder(folder)?;
    let name = source.file_name().ok_or_else(|| format!("{}: not a file", source.display()))?;
    let target = folder.join(name);
    let fresh = folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    fs::copy(source, &fresh).map_err(|error| format!("{}: {error}", source.display()))?;
    fs::rename(&fresh, &target).map_err(|error| format!("{}: {error}", target.display()).into())
}

/// Copies a tree; `wanted` is asked with each path relative to `source`, folders too.
pub(crate) fn copy_tree(source: &Path, target: &Path, wanted: &dyn Fn(&Path) -> bool) -> Outcome {
    copy_below(source, target, Path::new(""), wanted)
}

fn copy_below(source: &Path, target: &Path, below: &Path, wanted: &dyn Fn(&Path) -> bool) -> Outcome {
    make_folder(&target.join(below))?;
    let folder = source.join(below);
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if !wanted(&path) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_below(source, target, &path, wanted)?;
        } else {
            let from = entry.path();
            fs::copy(&from, target.join(&path)).map_err(|error| format!("{}: {error}", from.display()))?;
        }
    }
    Ok(())
}
