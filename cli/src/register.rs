//! `godwit register`: writes the native-messaging manifest that tells a browser where the host program is and which
//! extension may start it.

use crate::args::{Browser, RegisterArgs};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Name of the host, of its manifest and in the extension.
const HOST_NAME: &str = "io.godwit.host";
/// From `browser_specific_settings.gecko.id` of the extension.
const FIREFOX_ID: &str = "godwit@godwit.io";
/// From the extension's public key; see `manifests/README.md`.
const CHROMIUM_ID: &str = include_str!("../../manifests/extension-id.txt");
const CHROMIUM: &str = include_str!("../../manifests/native-messaging.chromium.json");
const FIREFOX: &str = include_str!("../../manifests/native-messaging.firefox.json");

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
    let manifest = manifest(browser, &host)?;
    let folder = match browser {
        Browser::Chromium => dir.join("NativeMessagingHosts"),
        Browser::Firefox => dir.join(".mozilla/native-messaging-hosts"),
    };
    std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
    let path = folder.join(format!("{HOST_NAME}.json"));
    write_whole(&folder, &path, manifest.as_bytes()).map_err(|e| failed(&path, e))?;
    Ok(path)
}

fn manifest(browser: Browser, host: &Path) -> Result<String, RegisterError> {
    let (template, id) = match browser {
        Browser::Chromium => (CHROMIUM, CHROMIUM_ID.trim()),
        Browser::Firefox => (FIREFOX, FIREFOX_ID),
    };
    let not_text = || RegisterError::HostName(host.display().to_string());
    let path = serde_json::to_string(host.to_str().ok_or_else(not_text)?).map_err(|_| not_text())?;
    // With its quotes, because the path may hold characters that JSON escapes.
    Ok(template.replace("@EXTENSION_ID@", id).replace("\"@HOST_PATH@\"", &path))
}

/// A browser may read at any moment: it finds the old file or the new one.
fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{HOST_NAME}.{}", uuid::Uuid::new_v4()));
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
    fn the_manifests_are_what_the_browsers_expect() {
        let host = Path::new("/opt/god \"wit\"/godwit-host");
        assert_eq!(
            manifest(Browser::Firefox, host).unwrap(),
            r#"{
  "name": "io.godwit.host",
  "description": "Godwit: file transfers at line speed",
  "path": "/opt/god \"wit\"/godwit-host",
  "type": "stdio",
  "allowed_extensions": ["godwit@godwit.io"]
}
"#
        );
        let chromium: serde_json::Value = serde_json::from_str(&manifest(Browser::Chromium, host).unwrap()).unwrap();
        let expected = format!("chrome-extension://{}/", CHROMIUM_ID.trim());
        assert_eq!(chromium["allowed_origins"], serde_json::json!([expected]));
        assert_eq!(chromium["path"], host.to_str().unwrap());
        assert_eq!((chromium["name"].as_str(), chromium["type"].as_str()), (Some(HOST_NAME), Some("stdio")));
    }

    #[test]
    fn the_chromium_id_is_that_of_the_public_key() {
        use sha2::Digest;
        let key = include_str!("../../manifests/extension-key.pub.der.b64").trim();
        let der = {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
            for c in key.bytes().filter(|c| *c != b'=') {
                bits = bits << 6 | alphabet.iter().position(|a| *a == c).unwrap() as u32;
                held += 6;
                if held >= 8 {
                    held -= 8;
                    bytes.push((bits >> held & 0xff) as u8);
                }
            }
            bytes
        };
        let digest = sha2::Sha256::digest(&der);
        let id: String = digest.iter().take(16).flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(b'a' + n)).collect();
        assert_eq!(id, CHROMIUM_ID.trim());
    }

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
