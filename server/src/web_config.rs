//! Settings of the web application: the table `[web]`.

use crate::config::{ConfigError, value};
use crate::sessions::Life;
use bytes::Bytes;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest SDK that is served.
const MAX_SDK: u64 = 8 * 1024 * 1024;
/// Names under which the SDK's file may lie in a folder: the folder that it is in, or that of its npm package.
const SDK_NAMES: [&str; 3] = ["connect-sdk.min.js", "connect-sdk.js", "dist/js/connect-sdk.js"];

/// `[web]`. Everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Whether the server has a web application at `/`. Default true.
    pub enabled: Option<bool>,
    /// The vendor's Connect SDK (`connect-sdk.js`), or the folder it lies in; it is not part of this product. Without it
    /// the web application shows and changes files, but moves none.
    pub sdk: Option<PathBuf>,
    /// Where people get Godwit for their machine; shown to who lacks it.
    pub install_url: Option<String>,
    /// Hours after which one must sign in again, 1 to 720. Default 12.
    pub session_hours: Option<u64>,
    /// Minutes without use after which one must sign in again, 1 to 43200. Default 60.
    pub idle_minutes: Option<u64>,
    /// Longest life of links that users make for others, days, 0 to 366. Default 30; 0 forbids them.
    pub share_days: Option<u64>,
}

/// `[web]`, checked.
#[derive(Clone, Debug)]
pub struct Web {
    /// See [`WebConfig::enabled`].
    pub enabled: bool,
    /// The SDK's content.
    pub sdk: Option<Bytes>,
    /// See [`WebConfig::install_url`].
    pub install_url: Option<String>,
    /// Of sessions.
    pub life: Life,
    /// Longest life of a link, seconds.
    pub share_seconds: u64,
}

impl WebConfig {
    /// Reads the SDK; `sdk` wins over the file.
    pub fn check(self, sdk: Option<&Path>) -> Result<Web, ConfigError> {
        let bounded = |key: &str, given: Option<u64>, default: u64, least: u64, most: u64| {
            let number = given.unwrap_or(default);
            let wrong = || value(&format!("web.{key}"), format!("must be {least} to {most}"));
            if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
        };
        if let Some(url) = &self.install_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(value("web.install_url", "must begin with https:// or http://"));
        }
        let sdk = sdk.map(Path::to_owned).or(self.sdk);
        Ok(Web {
            enabled: self.enabled.unwrap_or(true),
            sdk: sdk.as_deref().map(read_sdk).transpose()?,
            install_url: self.install_url,
            life: Life {
                most: Duration::from_secs(3600 * bounded("session_hours", self.session_hours, 12, 1, 720)?),
                idle: Duration::from_secs(60 * bounded("idle_minutes", self.idle_minutes, 60, 1, 43_200)?),
            },
            share_seconds: 86_400 * bounded("share_days", self.share_days, 30, 0, 366)?,
        })
    }
}

fn read_sdk(given: &Path) -> Result<Bytes, ConfigError> {
    let wrong = |reason: String| value("web.sdk", format!("{}: {reason}", given.display()));
    let file = if given.is_dir() {
        let names = SDK_NAMES.iter().map(|name| given.join(name));
        names
            .into_iter()
            .find(|file| file.is_file())
            .ok_or_else(|| wrong("there is no connect-sdk.js (npm pack @ibm-aspera/connect-sdk-js)".into()))?
    } else {
        given.to_owned()
    };
    let size = std::fs::metadata(&file).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_SDK {
        return Err(wrong(format!("larger than {MAX_SDK} bytes")));
    }
    Ok(Bytes::from(std::fs::read(&file).map_err(|error| wrong(error.to_string()))?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_found_as_a_file_in_its_folder_and_in_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let find = |path: &Path| WebConfig::default().check(Some(path)).map(|web| web.sdk.unwrap());
        assert!(find(dir.path()).unwrap_err().to_string().contains("web.sdk"));
        let folder = dir.path().join("dist/js");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("connect-sdk.js");
        std::fs::write(&file, "sdk").unwrap();
        for path in [dir.path(), &folder, &file] {
            assert_eq!(find(path).unwrap(), "sdk");
        }
        assert!(find(&folder.join("missing.js")).is_err());
    }

    #[test]
    fn wrong_values_are_told_with_their_key() {
        for (text, key) in [
            ("session_hours = 0", "web.session_hours"),
            ("idle_minutes = 43201", "web.idle_minutes"),
            ("share_days = 367", "web.share_days"),
            ("install_url = 'javascript:1'", "web.install_url"),
            ("sdk = '/no/such/file'", "web.sdk"),
        ] {
            let error = toml::from_str::<WebConfig>(text).unwrap().check(None).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        let web = WebConfig::default().check(None).unwrap();
        assert!(web.enabled && web.sdk.is_none() && web.share_seconds == 30 * 86_400);
    }
}
