//! `godwit unlock`: decrypts files where they lie.

use crate::args::UnlockArgs;
use crate::{login, text};
use godwit_protection::{Opener, SUFFIX};
use godwit_protocol::ErrorCode;
use godwit_protocol::RelPath;
use godwit_protocol::worker::Failure;
use godwit_transport::protect::unlock;
use godwit_transport::root::{Kind, Root};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

/// Runs the command; the exit code is the first error's number.
pub(crate) fn run(args: &UnlockArgs) -> ExitCode {
    let passphrase = match login::passphrase(false) {
        Ok(passphrase) => passphrase,
        Err(failure) => return refused(&failure),
    };
    let opener = Opener::new(&passphrase);
    let mut first = None;
    for file in &args.files {
        each(file, &mut |file| match one(file, &opener, args.keep) {
            Ok(made) => println!("{}", text::shown(&made.display().to_string())),
            Err(failure) => {
                let code = refused(&failure);
                first.get_or_insert(code);
            }
        });
    }
    first.unwrap_or(ExitCode::SUCCESS)
}

fn refused(failure: &Failure) -> ExitCode {
    eprintln!("godwit: {}", text::shown(&failure.message));
    ExitCode::from(u8::try_from(failure.code.number()).unwrap_or(u8::MAX).max(1))
}

/// The file itself; of a folder, the encrypted files in it. Links in it are passed over.
fn each(path: &Path, found: &mut impl FnMut(&Path)) {
    if !path.is_dir() {
        return found(path);
    }
    let mut inside: Vec<PathBuf> = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
    inside.sort();
    for path in inside {
        let kind = path.symlink_metadata().map(|m| m.file_type());
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            each(&path, found);
        } else if kind.is_ok_and(|k| k.is_file()) && path.to_string_lossy().ends_with(SUFFIX) {
            found(&path);
        }
    }
}

fn one(file: &Path, opener: &Opener, keep: bool) -> Result<PathBuf, Failure> {
    let shown = file.display().to_string();
    let failed = |code, words: &dyn std::fmt::Display| Failure::new(code, format!("{shown}: {words}"));
    // What a link leads to is meant, and what is decrypted lies beside it.
    let real = file.canonicalize().map_err(|e| failed(ErrorCode::from_io(&e, false), &e))?;
    let name = real.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<RelPath>().ok());
    let (Some(folder), Some(name)) = (real.parent(), name) else {
        return Err(failed(ErrorCode::BadPath, &"this name cannot be used"));
    };
    let root = Root::open(folder).map_err(|e| failed(ErrorCode::NoPermission, &e))?;
    if root.stat(&name).is_ok_and(|found| found.kind != Kind::File) {
        return Err(failed(ErrorCode::NotRegular, &"this is no file"));
    }
    let made = unlock(&root, &name, opener, &AtomicBool::new(false)).map_err(|e| e.failure(&shown))?;
    if !keep {
        root.remove_file(&name).map_err(|e| failed(ErrorCode::from_io(&e, true), &e))?;
    }
    Ok(folder.join(made.as_str()))
}
