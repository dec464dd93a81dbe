//! The copies on the disk: written part by part, removed, cleared up at the start.

use super::Slot;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes a part. What is there of the file already must end where the part begins.
pub fn write(slot: &Slot, bytes: &[u8]) -> io::Result<()> {
    let folder = slot.folder.join(slot.index.to_string());
    let mut options = OpenOptions::new();
    if slot.offset == 0 {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        // Only with its first part: a copy that was removed meanwhile must not come back.
        if slot.index == 0 {
            if let Some(root) = slot.folder.parent() {
                private.recursive(true).create(root)?;
                private.recursive(false);
            }
            there(private.create(&slot.folder))?;
        }
        there(private.create(&folder))?;
        // A part that could not be written whole comes again.
        options.create(true).truncate(true);
    }
    let mut file = options.write(true).mode(0o600).open(folder.join(&slot.name))?;
    let have = file.metadata()?.len();
    if have < slot.offset {
        return Err(io::Error::other("what was copied before is gone"));
    }
    file.set_len(slot.offset)?;
    io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    file.write_all(bytes)?;
    if let Some(ms) = slot.finished_ms {
        // A time that the file system does not take is not worth an error.
        let _ = file.set_modified(UNIX_EPOCH + Duration::from_millis(ms));
    }
    Ok(())
}

/// A folder that is there already is as good as a new one.
fn there(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Removes a copy.
pub fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => tracing::info!(folder = %folder.display(), "a copy of dropped files was removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "a copy of dropped files could not be removed")
        }
    }
}

/// Removes the copies of earlier agents, but for those named.
pub fn clear(root: &Path, keep: &[String], before: SystemTime) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let kept = entry.file_name().to_str().is_some_and(|name| keep.iter().any(|k| k == name));
        // What is younger than this agent is its own.
        let old = entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| at < before);
        if !kept && old {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    fn slot(folder: PathBuf, index: usize, offset: u64, finished_ms: Option<u64>) -> Slot {
        Slot { folder, index, name: "a b.jpg".into(), offset, finished_ms }
    }

    #[test]
    fn parts_become_a_private_file_with_its_name_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("dropped/id");
        write(&slot(folder.clone(), 0, 0, None), b"hello ").unwrap();
        write(&slot(folder.clone(), 0, 6, Some(1_500_000_000_000)), b"world").unwrap();
        let path = folder.join("0/a b.jpg");
        assert_eq!(std::fs::read(&path).unwrap(), b"hello world");
        let meta = path.metadata().unwrap();
        assert_eq!(meta.modified().unwrap(), UNIX_EPOCH + Duration::from_millis(1_500_000_000_000));
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        for private in [dir.path().join("dropped"), folder.clone(), folder.join("0")] {
            assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{private:?}");
        }
        write(&slot(folder.clone(), 1, 0, Some(0)), b"").unwrap();
        assert_eq!(std::fs::read(folder.join("1/a b.jpg")).unwrap(), b"");
    }

    #[test]
    fn a_part_sent_again_replaces_what_was_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("id");
        write(&slot(folder.clone(), 0, 0, None), b"hello half").unwrap();
        write(&slot(folder.clone(), 0, 6, None), b"world").unwrap();
        assert_eq!(std::fs::read(folder.join("0/a b.jpg")).unwrap(), b"hello world");
        assert!(write(&slot(folder.clone(), 0, 20, None), b"x").is_err(), "a hole");
        write(&slot(folder.clone(), 0, 0, None), b"new").unwrap();
        assert_eq!(std::fs::read(folder.join("0/a b.jpg")).unwrap(), b"new");
    }

    #[test]
    fn a_removed_copy_does_not_come_back_with_a_late_part() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("id");
        write(&slot(folder.clone(), 0, 0, None), b"hello").unwrap();
        remove(&folder);
        remove(&folder);
        assert!(write(&slot(folder.clone(), 0, 5, None), b"x").is_err());
        assert!(write(&slot(folder.clone(), 1, 0, None), b"x").is_err());
        assert!(!folder.exists());
    }

    #[test]
    fn at_the_start_all_goes_but_what_transfers_need_and_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        for id in ["kept", "left"] {
            write(&slot(dir.path().join(id), 0, 0, None), b"x").unwrap();
        }
        clear(dir.path(), &[], UNIX_EPOCH);
        assert!(dir.path().join("left").exists(), "younger than the agent");
        let now = SystemTime::now() + Duration::from_secs(1);
        clear(dir.path(), &["kept".into()], now);
        assert!(dir.path().join("kept/0/a b.jpg").exists() && !dir.path().join("left").exists());
        clear(&dir.path().join("nothing"), &[], now);
    }
}
