//! Doing what a plan says. Every step may be cut anywhere and done again.

use crate::place::Places;
use crate::plan::{Plan, Step};
use crate::receipt::{Receipt, What};
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The system refused something.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A release holds something that is neither file nor folder.
    #[error("{} is neither a file nor a folder: this is no release of Godwit", .0.display())]
    Odd(PathBuf),
    /// Somebody else is at it.
    #[error("another installation or removal is running; wait until it has ended")]
    Busy,
}

type Outcome<T = ()> = Result<T, ApplyError>;

fn at<T>(path: &Path, result: io::Result<T>) -> Outcome<T> {
    result.map_err(|source| ApplyError::Io { path: path.to_owned(), source })
}

/// Keeps others from installing into the same place until it is dropped. It leaves nothing behind: the lock is on a folder
/// that is there anyway.
///
/// # Errors
/// [`ApplyError::Busy`], or what the system says.
pub fn lock(folder: &Path) -> Outcome<File> {
    let handle = at(folder, File::open(folder))?;
    match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(handle),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ApplyError::Busy),
        Err(e) => at(folder, Err(e.into())),
    }
}

/// Does all steps. `release`: what is copied.
///
/// # Errors
/// The first step that failed. What was done before it stays, and is in the receipt.
pub fn apply(plan: &Plan, places: &Places, release: Option<&Path>) -> Outcome {
    if let Some(during) = &plan.during
        && plan.after.is_some()
    {
        make_root(places, during)?;
        remove_litter(&places.versions())?;
    }
    for step in &plan.steps {
        apply_one(step, release)?;
    }
    match (&plan.after, &plan.during) {
        (Some(after), _) => write_receipt(&places.receipt(), after)?,
        (None, Some(made)) => {
            // What a cut installation was about to rename.
            for made in made.made.iter().filter(|made| made.what != What::Folder) {
                gone(&made.path, fs::remove_file(new(&made.path)))?;
            }
        }
        (None, None) => {}
    }
    Ok(())
}

fn apply_one(step: &Step, release: Option<&Path>) -> Outcome {
    match step {
        Step::Folder { path } => match fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => at(path, made),
        },
        Step::Release { path } => match release {
            Some(from) => put_release(from, path),
            None => Ok(()),
        },
        Step::File { path, content } => write(path, content, 0o644),
        Step::Link { path, to } => {
            let new = new(path);
            gone(&new, fs::remove_file(&new))?;
            at(&new, symlink(to, &new))?;
            at(path, fs::rename(&new, path))?;
            sync_above(path)
        }
        Step::Remove { path } => gone(path, fs::remove_file(path)),
        Step::RemoveTree { path } => {
            // Half a folder must not stand under its name.
            let new = new(path);
            gone(&new, fs::remove_dir_all(&new))?;
            gone(path, fs::rename(path, &new))?;
            gone(&new, fs::remove_dir_all(&new))
        }
        Step::RemoveEmpty { path } => match fs::remove_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => gone(path, removed),
        },
    }
}

/// The release appears whole, under its name, or not at all.
fn put_release(from: &Path, path: &Path) -> Outcome {
    let new = new(path);
    gone(&new, fs::remove_dir_all(&new))?;
    copy(from, &new)?;
    // Everything of it, before it has its name.
    let handle = at(&new, File::open(&new))?;
    at(&new, rustix::fs::syncfs(&handle).map_err(Into::into))?;
    at(path, fs::rename(&new, path))?;
    sync_above(path)
}

fn copy(from: &Path, to: &Path) -> Outcome {
    at(to, fs::create_dir(to))?;
    for entry in at(from, fs::read_dir(from))? {
        let entry = at(from, entry)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = at(&source, entry.metadata())?;
        if metadata.is_dir() {
            copy(&source, &target)?;
        } else if metadata.is_file() {
            at(&target, fs::copy(&source, &target))?;
            let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            at(&target, fs::set_permissions(&target, fs::Permissions::from_mode(mode)))?;
        } else {
            return Err(ApplyError::Odd(source));
        }
    }
    Ok(())
}

/// Removes what a cut run left of the root, before it had its name or after it had lost it.
///
/// # Errors
/// What the system says.
pub fn remove_cut_root(places: &Places) -> Outcome {
    let named = places.root.ancestors().filter(|folder| folder.file_name().is_some());
    named.into_iter().try_for_each(|folder| gone(folder, fs::remove_dir_all(new(folder))))
}

/// Makes the root with the receipt in it. The folders that are missing above it appear in the same instant, so that none of
/// them is ever there without the receipt that tells whose it is.
fn make_root(places: &Places, receipt: &Receipt) -> Outcome {
    remove_cut_root(places)?;
    let missing = places.root.ancestors().take_while(|folder| !folder.is_dir()).last();
    let Some(missing) = missing else { return write_receipt(&places.receipt(), receipt) };
    let hidden = new(missing);
    let root = match places.root.strip_prefix(missing) {
        Ok(below) if below != Path::new("") => hidden.join(below),
        _ => hidden.clone(),
    };
    at(&root, fs::create_dir_all(&root))?;
    if let Some(name) = places.receipt().file_name() {
        write_receipt(&root.join(name), receipt)?;
    }
    at(missing, fs::rename(&hidden, missing))?;
    sync_above(missing)
}

fn write_receipt(path: &Path, receipt: &Receipt) -> Outcome {
    let mut text = serde_json::to_vec_pretty(receipt).unwrap_or_default();
    text.push(b'\n');
    write(path, &text, 0o644)
}

/// Whoever reads at this moment finds the old file or the new one.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32) -> Outcome {
    let new = new(path);
    gone(&new, fs::remove_file(&new))?;
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    })();
    at(&new, written)?;
    at(path, fs::rename(&new, path))?;
    sync_above(path)
}

fn sync_above(path: &Path) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    at(folder, File::open(folder).and_then(|folder| folder.sync_all()))
}

/// Where a thing is made before it gets its name. Always the same, so that the next run finds what a cut one left.
fn new(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".godwit-new");
    path.with_file_name(name)
}

/// Of a cut copy of a release.
fn remove_litter(versions: &Path) -> Outcome {
    let entries = match fs::read_dir(versions) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => at(versions, entries)?,
    };
    for entry in entries {
        let entry = at(versions, entry)?;
        if entry.file_name().to_string_lossy().ends_with(".godwit-new") {
            gone(&entry.path(), fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

/// What is gone already need not be removed.
fn gone(path: &Path, removed: io::Result<()>) -> Outcome {
    match removed {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        removed => at(path, removed),
    }
}
