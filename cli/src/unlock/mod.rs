//! `godwit unlock`: decrypts files where they lie. What asks and answers is a terminal, or windows of the desktop.

mod terminal;
mod window;
mod words;
mod zenity;

use crate::args::UnlockArgs;
use godwit_protection::{OpenError, Opener, SUFFIX};
use godwit_protocol::ErrorCode;
use godwit_protocol::RelPath;
use godwit_protocol::worker::Failure;
use godwit_transport::protect::{UnlockError, unlock_counted};
use godwit_transport::root::{Kind, Root};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Runs the command; the exit code is the first error's number.
pub(crate) fn run(args: &UnlockArgs) -> ExitCode {
    if args.window { window::run(args) } else { terminal::run(args) }
}

/// A file that stays encrypted.
struct Refused {
    why: Why,
    failure: Failure,
}

/// Why it does, as far as there are words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    WrongPassphrase,
    NotEncrypted,
    TooMuchWork,
    Damaged,
    Full,
    Forbidden,
    Stopped,
    Other(String),
}

/// What happens meanwhile.
#[derive(Default)]
struct Watch {
    /// Ends it.
    stop: AtomicBool,
    /// Bytes of the content that are written.
    done: AtomicU64,
}

/// Decrypts one file beside itself; returns where the content is.
fn one(file: &Path, opener: &Opener, keep: bool, watch: &Watch) -> Result<PathBuf, Refused> {
    let shown = file.display().to_string();
    let failed = |code, words: &dyn std::fmt::Display| Failure::new(code, format!("{shown}: {words}"));
    let io = |error: io::Error, code| Refused { why: of_disk(&error), failure: failed(code, &error) };
    let odd = |code, words: &str| Refused { why: Why::Other(words.to_owned()), failure: failed(code, &words) };
    // What a link leads to is meant, and what is decrypted lies beside it.
    let real = file.canonicalize().map_err(|e| {
        let code = ErrorCode::from_io(&e, false);
        io(e, code)
    })?;
    let name = real.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<RelPath>().ok());
    let (Some(folder), Some(name)) = (real.parent(), name) else {
        return Err(odd(ErrorCode::BadPath, "this name cannot be used"));
    };
    let root = Root::open(folder)
        .map_err(|e| Refused { why: Why::Other(e.to_string()), failure: failed(ErrorCode::NoPermission, &e) })?;
    if root.stat(&name).is_ok_and(|found| found.kind != Kind::File) {
        return Err(odd(ErrorCode::NotRegular, "this is no file"));
    }
    let made = unlock_counted(&root, &name, opener, &watch.stop, &watch.done)
        .map_err(|e| Refused { why: why(&e), failure: e.failure(&shown) })?;
    if !keep {
        root.remove_file(&name).map_err(|e| {
            let code = ErrorCode::from_io(&e, true);
            io(e, code)
        })?;
    }
    Ok(folder.join(made.as_str()))
}

fn why(error: &UnlockError) -> Why {
    match error {
        UnlockError::Open(OpenError::WrongPassphrase) => Why::WrongPassphrase,
        UnlockError::Open(OpenError::NotEncrypted) => Why::NotEncrypted,
        UnlockError::Open(OpenError::TooMuchWork) => Why::TooMuchWork,
        UnlockError::Open(OpenError::Damaged) => Why::Damaged,
        UnlockError::Open(OpenError::Read(error) | OpenError::Write(error)) | UnlockError::Disk(error) => {
            of_disk(error)
        }
        UnlockError::Stopped => Why::Stopped,
        UnlockError::Name => Why::Other(error.to_string()),
    }
}

fn of_disk(error: &io::Error) -> Why {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Why::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Why::Forbidden,
        _ => Why::Other(error.to_string()),
    }
}

/// The files themselves; of folders, the encrypted files in them. Links in these are passed over.
fn each(paths: &[PathBuf]) -> Vec<PathBuf> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        inside.sort();
        for path in inside {
            let kind = path.symlink_metadata().map(|m| m.file_type());
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                walk(&path, found);
            } else if kind.is_ok_and(|k| k.is_file()) && path.to_string_lossy().ends_with(SUFFIX) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut found);
        } else {
            found.push(path.clone());
        }
    }
    found
}

fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(u8::try_from(failure.code.number()).unwrap_or(u8::MAX).max(1))
}
