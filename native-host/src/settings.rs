//! The user's settings: `settings.toml`, readable and writable by hand.
//!
//! ```toml
//! [queue]
//! active = 3              # transfers at once; the others wait
//! [retry]
//! attempts = 3            # after an error that may pass, without progress in between
//! interval_seconds = 30
//! [downloads]
//! folder = "/home/me/Downloads"   # absent: the desktop's download folder
//! [log]
//! level = "info"          # error, warn, info, debug, trace
//! ```
//! Absent values are the defaults above. A file that cannot be read is left as it is; the defaults hold, and the user is told.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The queue.
    pub queue: QueueSettings,
    /// Retries.
    pub retry: RetrySettings,
    /// Downloads.
    pub downloads: DownloadSettings,
    /// The log.
    pub log: LogSettings,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    /// Transfers at once, 1 to 100.
    pub active: usize,
}

/// `[retry]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetrySettings {
    /// Retries after errors that may pass; 0 = none.
    pub attempts: u32,
    /// Pause before each.
    pub interval_seconds: u64,
}

/// `[downloads]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DownloadSettings {
    /// Absolute path; absent = the desktop's download folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { active: 3 }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { attempts: 3, interval_seconds: 30 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

/// Why settings could not be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not readable or writable.
    #[error("the settings file {path} cannot be used: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// Not TOML, or a value of the wrong kind.
    #[error("the settings file {path} has a mistake: {why}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Which.
        why: String,
    },
}

impl Settings {
    /// Reads `path`; a missing file is the defaults.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(SettingsError::Io { path: path.into(), error }),
        };
        let form = |why: String| SettingsError::Form { path: path.into(), why };
        let settings: Self = toml::from_str(&text).map_err(|e| form(e.to_string()))?;
        settings.check().map_err(form)?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=100).contains(&self.queue.active) {
            return Err("queue.active must be 1 to 100".into());
        }
        if !(1..=86_400).contains(&self.retry.interval_seconds) {
            return Err("retry.interval_seconds must be 1 to 86400".into());
        }
        if self.downloads.folder.as_ref().is_some_and(|f| !f.is_absolute()) {
            return Err("downloads.folder must be an absolute path".into());
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()) {
            return Err("log.level must be error, warn, info, debug or trace".into());
        }
        Ok(())
    }

    /// Writes `path` so that at every moment the old or the new file is whole.
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let text =
            toml::to_string_pretty(self).map_err(|e| SettingsError::Form { path: path.into(), why: e.to_string() })?;
        replace_file(path, text.as_bytes()).map_err(|error| SettingsError::Io { path: path.into(), error })
    }
}

/// Puts `content` (mode 0600) in `path`'s place: temporary file beside it, synced, renamed, folder synced.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    std::fs::create_dir_all(folder)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = (|| {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        std::fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&temporary));
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_and_a_missing_file_is_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/settings.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let mut settings = Settings::default();
        settings.queue.active = 5;
        settings.downloads.folder = Some("/d".into());
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
        assert_eq!(dir.path().join("deep").read_dir().unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_part_of_the_file_is_enough_and_nonsense_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.toml");
        std::fs::write(&path, "[retry]\nattempts = 0\n").unwrap();
        let settings = Settings::load(&path).unwrap();
        assert_eq!((settings.retry.attempts, settings.queue.active), (0, 3));
        for bad in
            ["[queue]\nactive = 0", "[queue]\nactive = \"x\"", "[downloads]\nfolder = \"here\"", "[log]\nlevel='loud'"]
        {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(Settings::load(&path), Err(SettingsError::Form { .. })), "{bad}");
        }
    }
}
