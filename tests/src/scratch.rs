//! A throw-away place: an agent home, a user's home, and everything a test writes; gone afterwards, processes included.

use crate::{binaries, processes};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Settings every test wants unless it says otherwise: retries at once rather than after half a minute.
const SETTINGS: &str =
    "[retry]\nattempts = 20\ninterval_seconds = 1\n\n[queue]\nactive = 3\n\n[log]\nlevel = \"debug\"\n";

/// The place. Dropping it kills what still runs in it, by process id, and deletes it.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    programs: OnceLock<PathBuf>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// A fresh place with the settings of a test.
    #[must_use]
    pub fn new() -> Self {
        // Short: the agent's socket lies below it, and a socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("gw").tempdir_in("/tmp").expect("a temporary folder");
        let scratch = Self { folder, programs: OnceLock::new() };
        for part in [scratch.home(), scratch.user_home()] {
            fs::create_dir_all(part).unwrap();
        }
        scratch.write_settings(SETTINGS);
        scratch
    }

    /// Replaces `settings.toml`.
    pub fn write_settings(&self, text: &str) {
        fs::write(self.home().join("settings.toml"), text).unwrap();
    }

    /// `GODWIT_HOME` of every process of this place.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("h")
    }

    /// `HOME` of every process of this place.
    #[must_use]
    pub fn user_home(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// A path in the place; nothing is made.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder in the place, made.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// One of our programs, with this place as its home and nothing of the developer's desktop.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let own = self.programs.get().map(|folder| folder.join(program)).filter(|path| path.exists());
        let mut command = Command::new(own.unwrap_or_else(|| binaries::path(program)));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GODWIT_HOME", self.home())
            .env("HOME", self.user_home())
            .env("LANG", "C.UTF-8")
            .env("RUST_LOG", "debug,quinn=info,quinn_proto=info,rustls=info,sled=info")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null());
        command
    }

    /// From now on the browser's side runs copies of its own, which may be replaced: their folder.
    #[must_use]
    pub fn own_programs(&self) -> PathBuf {
        let make = || {
            let folder = self.folder("bin");
            for program in ["godwit-host", "godwit-agent", "godwit-worker"] {
                let (built, own) = (binaries::path(program), folder.join(program));
                if fs::hard_link(&built, &own).is_err() {
                    fs::copy(&built, &own).unwrap();
                }
            }
            folder
        };
        self.programs.get_or_init(make).clone()
    }

    /// From now on the programs in this folder run, where it has them.
    pub fn use_programs(&self, folder: &Path) {
        self.programs.set(folder.to_owned()).expect("the programs were chosen before");
    }

    /// A file for a program's standard error, appended to.
    #[must_use]
    pub fn log_file(&self, name: &str) -> Stdio {
        let folder = self.folder("stderr");
        fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap().into()
    }

    /// Ids of the agents that run for this home.
    #[must_use]
    pub fn agents(&self) -> Vec<u32> {
        processes::named(&self.home(), "godwit-agent")
    }

    /// Ids of the workers that run for this home.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        processes::named(&self.home(), "godwit-worker")
    }

    /// Prints the ends of all logs; called when a test fails.
    fn show_logs(&self) {
        for file in files_below(self.folder.path()) {
            let name = file.to_string_lossy();
            if !(name.ends_with(".log") || name.contains("/stderr/") || name.contains("/logs/")) {
                continue;
            }
            let text = fs::read(&file).unwrap_or_default();
            let tail = &text[text.len().saturating_sub(6000)..];
            eprintln!("──── {name}\n{}", String::from_utf8_lossy(tail));
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Twice: a dying host may just have started an agent.
        for _ in 0..2 {
            for pid in processes::of_home(&self.home()) {
                processes::kill_hard(pid);
            }
        }
        if std::thread::panicking() {
            self.show_logs();
        }
    }
}

/// Every regular file below `folder`, in no order; links are not followed.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}
