//! How much room is left where received files go.

use godwit_protocol::worker::Disk;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// The last look at a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room(Arc<Mutex<Option<Disk>>>);

impl Room {
    /// Looks at the disk of `folder` now and then for as long as anybody wants to know, on a thread of its own: a network folder
    /// may not answer.
    pub(crate) fn of(folder: PathBuf) -> Self {
        let room = Self::default();
        let seen = Arc::downgrade(&room.0);
        let watch = move || {
            while let Some(seen) = seen.upgrade() {
                let now = look(&folder);
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
                drop(seen);
                std::thread::sleep(INTERVAL);
            }
        };
        // Without it nobody is warned, and that is all.
        drop(std::thread::Builder::new().name("room".into()).spawn(watch));
        room
    }

    /// `None`: not known.
    pub(crate) fn now(&self) -> Option<Disk> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look(folder: &Path) -> Option<Disk> {
    // It may have to be made yet.
    let there = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    let bytes = |blocks: u64| blocks.saturating_mul(there.f_frsize);
    // File systems without an end say so by 0.
    (there.f_blocks > 0).then(|| Disk { free: bytes(there.f_bavail), size: bytes(there.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_of_a_folder_that_is_not_made_yet_is_that_of_the_folder_above() {
        let here = std::env::temp_dir();
        let disk = look(&here.join("not/made/yet"));
        assert_eq!(disk.map(|d| d.size), look(&here).map(|d| d.size));
        assert!(disk.is_some_and(|d| d.free <= d.size));
        // The kernel's own tables hold no files of anybody.
        assert_eq!(look(Path::new("/proc")), None);
    }
}
