//! Logs: files of bounded size with their predecessors beside them, and a level that can be changed while they are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Target of lines about a transfer.
pub const TRANSFER_LOG: &str = "transfer";
/// Target of the lines that workers write.
pub const WORKER_LOG: &str = "worker";

/// The way to this process's level.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

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

/// Sends all logging of this process to files: what is said of transfers, and by their workers, to `transfers`, the rest to
/// `agent`. Levels below `level` (`error` … `trace`) are left out; the libraries beneath us speak from `warn` up only, because
/// their lines may hold what they were given.
pub fn start(agent: &Path, transfers: &Path, level: &str) -> io::Result<()> {
    let files = Files { agent: file(agent)?, transfers: file(transfers)? };
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(files);
    let made = tracing_subscriber::registry().with(filter).with(lines).try_init();
    made.map_err(|e| io::Error::other(e.to_string()))?;
    // A second start has failed already.
    drop(LEVEL.set(handle));
    Ok(())
}

/// Chooses the file for a line.
struct Files {
    agent: &'static RotatingFile,
    transfers: &'static RotatingFile,
}

impl<'a> MakeWriter<'a> for Files {
    type Writer = &'static RotatingFile;

    fn make_writer(&'a self) -> Self::Writer {
        self.agent
    }

    fn make_writer_for(&'a self, line: &tracing::Metadata<'_>) -> Self::Writer {
        if [TRANSFER_LOG, WORKER_LOG].contains(&line.target()) { self.transfers } else { self.agent }
    }
}

/// Loggers live as long as the process.
fn file(path: &Path) -> io::Result<&'static RotatingFile> {
    Ok(Box::leak(Box::new(RotatingFile::open(path)?)))
}

/// Adds one line to a log that several processes write to. Each line is one write, so they do not mix.
pub fn note(path: &Path, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = crate::time::local_iso(u64::try_from(now.as_millis()).unwrap_or_default());
    let line = format!("{time} [{}] {}\n", std::process::id(), text.replace(['\n', '\r'], " "));
    // A log that cannot be written must not stop what it speaks of.
    if let Ok(log) = RotatingFile::open(path) {
        drop((&log).write_all(line.as_bytes()));
    }
}

/// How far back an excerpt reaches, bytes.
const EXCERPT_BYTES: u64 = 512 * 1024;
/// Lines of an excerpt at most, and characters of each.
const EXCERPT_LINES: usize = 50;
const EXCERPT_LINE: usize = 500;

/// The last lines of the log that contain `word`, oldest first; none if it cannot be read.
#[must_use]
pub fn excerpt(path: &Path, word: &str) -> Vec<String> {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let begin = file.metadata()?.len().saturating_sub(EXCERPT_BYTES);
        file.seek(io::SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.take(EXCERPT_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let found: Vec<&str> = text.lines().filter(|line| line.contains(word)).collect();
    let last = found.len().saturating_sub(EXCERPT_LINES);
    found.iter().skip(last).map(|line| line.chars().take(EXCERPT_LINE).collect()).collect()
}

/// From now on another level.
pub fn set_level(level: &str) {
    let set = LEVEL.get().map(|handle| handle.reload(filter(level)));
    match set {
        Some(Err(error)) => tracing::error!(%error, "the log's level could not be changed"),
        _ => tracing::info!(level, "the log's level"),
    }
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(format!("warn,godwit_native_host={level},{TRANSFER_LOG}={level},{WORKER_LOG}={level}"))
        .unwrap_or_else(|_| EnvFilter::new("info"))
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

    #[test]
    fn notes_of_several_processes_are_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host.log");
        note(&path, "one\ntwo");
        note(&path, "three");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() == 2 && lines[0].ends_with("one two") && lines[1].ends_with("three"), "{text}");
    }

    #[test]
    fn an_excerpt_has_the_last_lines_about_one_thing_and_is_bounded() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("log");
        assert_eq!(excerpt(&path, "a"), Vec::<String>::new(), "no log, no lines");
        let lines: String = (0..20_000).map(|n| format!("{n} transfer-{} {}\n", n % 7, "x".repeat(n % 900))).collect();
        std::fs::write(&path, lines).expect("written");
        let found = excerpt(&path, "transfer-3");
        assert_eq!(found.len(), EXCERPT_LINES);
        assert!(found.iter().all(|line| line.contains("transfer-3") && line.len() <= EXCERPT_LINE));
        assert!(found.last().is_some_and(|line| line.starts_with("19995 ")), "{:?}", found.last());
    }
}
