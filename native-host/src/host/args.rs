//! Who started the host? The browser says it in the arguments; only our own extension is let in.

use std::ffi::OsString;

/// Id of the Chromium build of the extension; follows from the public key in its manifest.
pub const CHROMIUM_ID: &str = include_str!("../../../manifests/extension-id.txt").trim_ascii();
/// Id of the Firefox build of the extension.
pub const FIREFOX_ID: &str = "godwit@godwit.io";

/// The browser family and the extension behind the pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Chromium and its relatives pass `chrome-extension://ID/`.
    Chromium,
    /// Firefox and its relatives pass the manifest's path and the add-on's id.
    Firefox,
}

impl Caller {
    /// `chromium` or `firefox`.
    #[must_use]
    pub fn browser(&self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    /// The extension's id.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::Chromium => CHROMIUM_ID,
            Self::Firefox => FIREFOX_ID,
        }
    }
}

/// Why the arguments were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody starts the host by hand.
    #[error("this program is started by a browser, for the Godwit extension; there is nothing to run by hand")]
    NoCaller,
    /// Another extension.
    #[error("'{0}' is not the Godwit extension: this host serves no other")]
    Stranger(String),
}

/// Finds the caller. Chromium on Windows appends `--parent-window=…`, which is ignored.
pub fn check(arguments: &[OsString]) -> Result<Caller, Refusal> {
    let texts: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let stranger = |id: &str| Err(Refusal::Stranger(id.chars().take(80).collect()));
    match texts.as_slice() {
        [] => Err(Refusal::NoCaller),
        [origin, ..] if origin.contains("://") => {
            let id = origin.strip_prefix("chrome-extension://").and_then(|rest| rest.strip_suffix('/'));
            if id == Some(CHROMIUM_ID) { Ok(Caller::Chromium) } else { stranger(origin) }
        }
        [manifest, id] if manifest.starts_with('/') => {
            if id == FIREFOX_ID {
                Ok(Caller::Firefox)
            } else {
                stranger(id)
            }
        }
        [first, ..] => stranger(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> Result<Caller, Refusal> {
        check(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_our_own_extension_is_let_in() {
        assert_eq!(CHROMIUM_ID.len(), 32);
        let ours = format!("chrome-extension://{CHROMIUM_ID}/");
        assert_eq!(ask(&[&ours]), Ok(Caller::Chromium));
        assert_eq!(ask(&[&ours, "--parent-window=0"]), Ok(Caller::Chromium));
        assert_eq!(ask(&["/h/.mozilla/native-messaging-hosts/io.godwit.host.json", FIREFOX_ID]), Ok(Caller::Firefox));
        assert_eq!(ask(&[]), Err(Refusal::NoCaller));
        for strange in [
            vec!["chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"],
            vec![ours.trim_end_matches('/')],
            vec!["https://godwit.io/"],
            vec!["/manifest.json", "other@example.com"],
            vec!["/manifest.json"],
            vec!["manifest.json", FIREFOX_ID],
            vec!["/manifest.json", FIREFOX_ID, "more"],
        ] {
            assert!(matches!(ask(&strange), Err(Refusal::Stranger(_))), "{strange:?}");
        }
    }
}
