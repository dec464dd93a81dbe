//! Workers of an agent that was killed: a new agent must not start a second worker on the same files while they still write
//! their journals.
//!
//! Each run leaves a note in the run folder: process id and the process's start time, which together name a process for good
//! (ids alone are used again). A worker ends by itself when its agent's pipe closes; the new agent waits for that, and kills
//! what does not end.

use crate::queue::RunId;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a leftover worker may take to write its journal.
const PATIENCE: Duration = Duration::from_secs(3);

/// The notes.
#[derive(Clone, Debug)]
pub struct Leftovers {
    folder: PathBuf,
}

impl Leftovers {
    /// Notes in `run/workers`.
    #[must_use]
    pub fn new(run: &Path) -> Self {
        Self { folder: run.join("workers") }
    }

    /// A worker runs.
    pub fn began(&self, run: RunId, pid: u32) {
        let noted = std::fs::create_dir_all(&self.folder).and_then(|()| {
            let note = format!("{pid} {}", start_time(pid).unwrap_or_default());
            std::fs::write(self.folder.join(run.0.to_string()), note)
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "no note of the worker could be made");
        }
    }

    /// It has ended.
    pub fn ended(&self, run: RunId) {
        // None was made if it never started.
        drop(std::fs::remove_file(self.folder.join(run.0.to_string())));
    }

    /// Waits until every noted worker is gone, killing those that stay.
    pub async fn clear(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for entry in entries.flatten() {
            let note = std::fs::read_to_string(entry.path()).unwrap_or_default();
            if let Some((pid, started)) = parse(&note) {
                let lives = || start_time(pid).is_some_and(|s| s == started);
                while lives() && tokio::time::Instant::now() < deadline {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                if lives()
                    && let Some(process) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
                {
                    tracing::warn!(pid, "a worker of an earlier agent does not end; it is killed");
                    let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
                }
            }
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

fn parse(note: &str) -> Option<(u32, u64)> {
    let (pid, started) = note.split_once(' ')?;
    Some((pid.parse().ok()?, started.trim().parse().ok()?))
}

/// When the process started, in the kernel's ticks; `None` if it is gone or only waits to be reaped.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::{Command, Stdio};

    #[tokio::test]
    async fn a_worker_that_stays_is_killed_and_a_stranger_with_its_number_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path());
        let spawn = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let (mut stays, mut stranger) = (spawn(), spawn());
        leftovers.began(RunId(1), stays.id());
        std::fs::write(dir.path().join("workers/2"), format!("{} 1", stranger.id())).unwrap();
        leftovers.clear().await;
        assert!(!stays.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_eq!(dir.path().join("workers").read_dir().unwrap().count(), 0);
    }
}
