//! The settings file on the disk, behind a trait so that the core is tested without one.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the text of the settings is kept.
pub trait SettingsFile: Send {
    /// The text; empty if there is no file.
    fn read(&self) -> io::Result<String>;
    /// Puts `text` in its place: at every moment the old or the new file is whole.
    fn write(&mut self, text: &str) -> io::Result<()>;
    /// What to call it.
    fn name(&self) -> String;
}

/// A file.
#[derive(Clone, Debug)]
pub struct DiskFile(pub PathBuf);

impl SettingsFile for DiskFile {
    fn read(&self) -> io::Result<String> {
        match std::fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            result => result,
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        // A link that the user made, to a folder of configuration files say, stays one.
        let target = std::fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        replace_file(&target, text.as_bytes())
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

/// One in memory, shared by its clones, for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryFile(Arc<Mutex<(String, bool)>>);

impl MemoryFile {
    /// With this text, as if the user had written it.
    pub fn set(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = text.into();
    }

    /// From now on writing fails.
    pub fn fail(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
    }
}

impl SettingsFile for MemoryFile {
    fn read(&self) -> io::Result<String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone())
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.0 = text.into();
        Ok(())
    }

    fn name(&self) -> String {
        "memory".into()
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
    fn a_missing_file_is_an_empty_text_and_nothing_temporary_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = DiskFile(dir.path().join("deep/settings.toml"));
        assert_eq!(file.read().unwrap(), "");
        file.write("a = 1\n").unwrap();
        assert_eq!(file.read().unwrap(), "a = 1\n");
        assert_eq!(dir.path().join("deep").read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_the_user_made_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.toml"), dir.path().join("link.toml"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        DiskFile(link.clone()).write("a = 1\n").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "a = 1\n");
    }
}
