//! `godwit register`: writes the native-messaging manifest that tells a browser where the host program is and which
//! extension may start it.

use crate::args::{Browser, RegisterArgs};
use godwit_installer::browsers::Family;
use godwit_installer::manifest;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("the host program is not at {0}: say where it is with --host PATH")]
    NoHost(String),
    #[error("the path of the host program, {0}, is not UTF-8: browsers cannot be told of it")]
    HostName(String),
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
}

/// Writes the manifest and says where.
pub(crate) fn run(args: &RegisterArgs) -> Result<(), RegisterError> {
    let host = match &args.host {
        Some(host) => host.clone(),
        None => beside_this_program().map_err(|e| failed(Path::new("godwit"), e))?,
    };
    let path = register(args.browser, &args.dir, &host)?;
    println!("{}", path.display());
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> RegisterError {
    RegisterError::Io { path: path.display().to_string(), source }
}

fn beside_this_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new("/")).join("godwit-host"))
}

fn register(browser: Browser, dir: &Path, host: &Path) -> Result<PathBuf, RegisterError> {
    // Not resolved: a link beside the program may be what an update changes.
    let host = std::path::absolute(host).map_err(|e| failed(host, e))?;
    if !host.is_file() {
        return Err(RegisterError::NoHost(host.display().to_string()));
    }
    let text = manifest::text(family(browser), &host);
    let text = text.ok_or_else(|| RegisterError::HostName(host.display().to_string()))?;
    let folder = match browser {
        Browser::Chromium => dir.join("NativeMessagingHosts"),
        Browser::Firefox => dir.join(".mozilla/native-messaging-hosts"),
    };
    std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
    let path = folder.join(manifest::file_name());
    write_whole(&folder, &path, text.as_bytes()).map_err(|e| failed(&path, e))?;
    Ok(path)
}

fn family(browser: Browser) -> Family {
    match browser {
        Browser::Chromium => Family::Chromium,
        Browser::Firefox => Family::Firefox,
    }
}

/// A browser may read at any moment: it finds the old file or the new one.
fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{}.{}", manifest::HOST_NAME, uuid::Uuid::new_v4()));
    let result = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if result.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("godwit-host");
        std::fs::write(&host, "").unwrap();
        for _ in 0..2 {
            let path = register(Browser::Chromium, dir.path(), &host).unwrap();
            assert_eq!(path, dir.path().join("NativeMessagingHosts/io.godwit.host.json"));
            let path = register(Browser::Firefox, dir.path(), &host).unwrap();
            assert_eq!(path, dir.path().join(".mozilla/native-messaging-hosts/io.godwit.host.json"));
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("NativeMessagingHosts")).unwrap().count(), 1);
    }

    #[test]
    fn a_host_that_is_not_there_is_not_registered() {
        let dir = tempfile::tempdir().unwrap();
        let error = register(Browser::Firefox, dir.path(), &dir.path().join("missing")).unwrap_err();
        assert!(error.to_string().contains("--host"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
