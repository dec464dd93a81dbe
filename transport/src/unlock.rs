//! Decrypting what an earlier session brought: the same work as at the end of a download, without a server.

use crate::failure::{disk, tame};
use crate::protect::{Watched, unlock_all};
use crate::root::Root;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Command, Failure, MAX_PASSPHRASE, Report, Stats, Unlock};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two reports.
const INTERVAL: Duration = Duration::from_millis(250);

/// Decrypts the files. Emits [`Report::Stats`] and, at the end, [`Report::Unlocked`]; the final `Done` or `Error` is the caller's to
/// make from the result. Only [`Command::Stop`] means something, and so does a closed channel; what is decrypted by then stays, and
/// the encrypted files stay beside it until the next attempt.
///
/// # Errors
///
/// The folder cannot be used, or it was told to stop. A file that stays encrypted is none.
pub async fn run(
    unlock: Unlock,
    reports: mpsc::Sender<Report>,
    mut commands: mpsc::Receiver<Command>,
) -> Result<Stats, Failure> {
    let Unlock { folder, paths, passphrase } = unlock;
    if !Path::new(&folder).is_absolute() {
        return Err(Failure::new(ErrorCode::BadPath, "the folder is not an absolute path"));
    }
    if !(1..=MAX_PASSPHRASE).contains(&passphrase.expose().len()) {
        return Err(Failure::new(ErrorCode::Usage, "the passphrase is empty or too long"));
    }
    let watched = Arc::new(Watched::default());
    let told = watched.clone();
    let mut work = tokio::task::spawn_blocking(move || {
        let root = Root::open(Path::new(&folder)).map_err(|error| match error {
            crate::TransportError::Root { path, source } => disk(&source, false, &path),
            other => Failure::new(ErrorCode::Internal, other.to_string()),
        })?;
        Ok(unlock_all(&root, &paths, &passphrase, &told))
    });
    let broke = |_| Failure::new(ErrorCode::Internal, "decrypting broke");
    let mut ticks = tokio::time::interval(INTERVAL);
    let unlocked = loop {
        tokio::select! {
            unlocked = &mut work => break unlocked.map_err(broke)?.map_err(tame)?,
            command = commands.recv() => {
                if matches!(command, Some(Command::Stop) | None) {
                    watched.stop.store(true, Ordering::Relaxed);
                    // It ends at the next piece of a file.
                    let _ = work.await.map_err(broke)?;
                    return Err(Failure::new(ErrorCode::UserCancel, ""));
                }
            }
            _ = ticks.tick() => {
                // Nobody reads them just now: the next will do.
                let _ = reports.try_send(Report::Stats(stats(&watched)));
            }
        }
    };
    let _ = reports.send(Report::Unlocked(unlocked)).await;
    Ok(stats(&watched))
}

fn stats(watched: &Watched) -> Stats {
    let total = watched.total.load(Ordering::Relaxed);
    let done = watched.done.load(Ordering::Relaxed).min(total);
    Stats { bytes_expected: total, bytes_written: done, ..Stats::default() }
}
