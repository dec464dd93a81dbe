//! The agent's log: a file of bounded size with its predecessors beside it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A log file that reaches this size makes way for a new one.
const MAX_BYTES: u64 = 5 * 1024 * 1024;
/// How many old ones are kept: `NAME.1` is the youngest.
const KEPT: u32 = 4;

/// Writes log lines to `path`; a full file is renamed and a new one begun.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    limit: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl RotatingFile {
    /// Opens or begins the log.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, MAX_BYTES)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), limit, open: Mutex::new(append(path)?) })
    }

    fn rotate(&self) -> io::Result<Open> {
        let name = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        for n in (1..KEPT).rev() {
            // The older one need not exist yet.
            drop(std::fs::rename(name(n), name(n + 1)));
        }
        std::fs::rename(&self.path, name(1))?;
        append(&self.path)
    }
}

fn append(path: &Path) -> io::Result<Open> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Open { file, bytes })
}

impl Write for &RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes > 0 && open.bytes + line.len() as u64 > self.limit {
            *open = self.rotate()?;
        }
        open.file.write_all(line)?;
        open.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends all logging of this process to `path`. Levels below `level` (`error` … `trace`) are left out; the libraries beneath us
/// speak from `warn` up only, because their lines may hold what they were given.
pub fn start(path: &Path, level: &str) -> io::Result<()> {
    let file: &'static RotatingFile = Box::leak(Box::new(RotatingFile::open(path)?));
    let filter = tracing_subscriber::EnvFilter::try_new(format!("warn,godwit_native_host={level},worker={level}"))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let made = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || file).try_init();
    made.map_err(|e| io::Error::other(e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_log_never_outgrows_its_limit_and_keeps_its_predecessors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let log = RotatingFile::with_limit(&path, 100).unwrap();
        for n in 0..100 {
            (&log).write_all(format!("line number {n:04}\n").as_bytes()).unwrap();
        }
        let mut names: Vec<_> = dir.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4"]);
        assert!(std::fs::metadata(&path).unwrap().len() <= 100);
        assert!(std::fs::read_to_string(&path).unwrap().contains("0099"));
    }
}
