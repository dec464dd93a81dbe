//! The native messaging manifest: it tells a browser where the host program is and which extension may start it.

use crate::browsers::Family;
use serde::Deserialize;
use std::path::Path;

/// Name of the host, of its manifest and in the extension.
pub const HOST_NAME: &str = "io.godwit.host";
/// From `browser_specific_settings.gecko.id` of the extension.
pub const FIREFOX_ID: &str = "godwit@godwit.io";
/// From the extension's public key; see `manifests/README.md`.
const CHROMIUM_ID: &str = include_str!("../../manifests/extension-id.txt");
/// Of a release: the ids that the extension has with the keys of those who packed it, one in a line.
pub const IDS: &str = "EXTENSION-IDS";
const CHROMIUM: &str = include_str!("../../manifests/native-messaging.chromium.json");
const FIREFOX: &str = include_str!("../../manifests/native-messaging.firefox.json");

/// The extension's id in browsers of Chromium's family.
#[must_use]
pub fn chromium_id() -> &'static str {
    CHROMIUM_ID.trim()
}

/// The manifest's file name.
#[must_use]
pub fn file_name() -> String {
    format!("{HOST_NAME}.json")
}

/// The manifest for a host program, with the ids of its release. `None`: its path is not UTF-8, which browsers cannot be told.
#[must_use]
pub fn text(family: Family, host: &Path) -> Option<String> {
    text_for(family, host, &packed_ids(host))
}

/// The ids that the extension has where it was packed beside the release of this host program.
#[must_use]
pub fn packed_ids(host: &Path) -> Vec<String> {
    // Commands are links to programs of a release.
    let real = host.canonicalize().unwrap_or_else(|_| host.to_owned());
    let release = real.parent().and_then(Path::parent);
    let text = release.and_then(|release| std::fs::read_to_string(release.join(IDS)).ok()).unwrap_or_default();
    text.lines().map(str::trim).filter(|id| is_id(id)).map(str::to_owned).collect()
}

/// The same; in browsers of Chromium's family extensions with these ids may start the host as well. What is no id is left out.
#[must_use]
pub fn text_for(family: Family, host: &Path, more: &[String]) -> Option<String> {
    let path = serde_json::to_string(host.to_str()?).ok()?;
    let template = match family {
        Family::Firefox => FIREFOX.replace("@EXTENSION_ID@", FIREFOX_ID),
        Family::Chromium => {
            let origin = |id: &str| format!("\"chrome-extension://{id}/\"");
            let ids = more.iter().map(String::as_str).filter(|id| is_id(id) && *id != chromium_id());
            let origins: Vec<String> = std::iter::once(chromium_id()).chain(ids).map(origin).collect();
            CHROMIUM.replace(&origin("@EXTENSION_ID@"), &origins.join(", "))
        }
    };
    // With its quotes, because the path may hold characters that JSON escapes.
    Some(template.replace("\"@HOST_PATH@\"", &path))
}

/// 32 letters from `a` to `p`.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|letter| letter.is_ascii_lowercase() && letter <= b'p')
}

/// What of a manifest says whose it is.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Found {
    /// The host's name.
    pub name: String,
    /// Its program.
    pub path: std::path::PathBuf,
    /// Who may start it, in browsers of Chromium's family.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Who may start it, in browsers of Firefox's family.
    #[serde(default)]
    pub allowed_extensions: Vec<String>,
}

impl Found {
    /// Reads a manifest; `None` if it is none.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// May our extension start it?
    #[must_use]
    pub fn lets_us(&self, family: Family) -> bool {
        match family {
            Family::Chromium => self.allowed_origins.contains(&format!("chrome-extension://{}/", chromium_id())),
            Family::Firefox => self.allowed_extensions.iter().any(|id| id == FIREFOX_ID),
        }
    }

    /// Is it one for our host?
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.name == HOST_NAME
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_manifests_are_what_the_browsers_expect() {
        let host = Path::new("/opt/god \"wit\"/godwit-host");
        assert_eq!(
            text(Family::Firefox, host).unwrap(),
            r#"{
  "name": "io.godwit.host",
  "description": "Godwit: file transfers at line speed",
  "path": "/opt/god \"wit\"/godwit-host",
  "type": "stdio",
  "allowed_extensions": ["godwit@godwit.io"]
}
"#
        );
        let chromium: serde_json::Value = serde_json::from_str(&text(Family::Chromium, host).unwrap()).unwrap();
        let expected = format!("chrome-extension://{}/", chromium_id());
        assert_eq!(chromium["allowed_origins"], serde_json::json!([expected]));
        assert_eq!(chromium["path"], host.to_str().unwrap());
        assert_eq!((chromium["name"].as_str(), chromium["type"].as_str()), (Some(HOST_NAME), Some("stdio")));
    }

    #[test]
    fn extensions_with_other_keys_are_let_in_and_nothing_else_is() {
        let more = ["b".repeat(32), "*".to_owned(), "z".repeat(32), chromium_id().to_owned()];
        let text = text_for(Family::Chromium, Path::new("/h"), &more).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let origin = |id: &str| format!("chrome-extension://{id}/");
        assert_eq!(value["allowed_origins"], serde_json::json!([origin(chromium_id()), origin(&more[0])]));
    }

    #[test]
    fn ours_is_told_from_others() {
        let text = text(Family::Firefox, Path::new("/x/godwit-host")).unwrap();
        let found = Found::read(text.as_bytes()).unwrap();
        assert!(found.is_ours() && found.path == Path::new("/x/godwit-host"));
        let other = br#"{"name": "org.keepassxc.proxy", "path": "/usr/bin/proxy"}"#;
        assert!(!Found::read(other).unwrap().is_ours());
        assert_eq!(Found::read(b"[]"), None);
    }

    #[test]
    fn the_chromium_id_is_that_of_the_public_key() {
        use sha2::Digest;
        let key = include_str!("../../manifests/extension-key.pub.der.b64").trim();
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut der, mut bits, mut held) = (Vec::new(), 0u32, 0);
        for c in key.bytes().filter(|c| *c != b'=') {
            bits = bits << 6 | alphabet.iter().position(|a| *a == c).unwrap() as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                der.push((bits >> held & 0xff) as u8);
            }
        }
        let digest = sha2::Sha256::digest(&der);
        let id: String = digest.iter().take(16).flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(b'a' + n)).collect();
        assert_eq!(id, chromium_id());
    }
}
