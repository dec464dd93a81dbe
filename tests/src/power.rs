//! A disk whose power is cut: an ext4 image of its own whose file system is told to stop (`EXT4_IOC_SHUTDOWN`, through
//! `xfs_io`). From that moment nothing reaches the image any more, not even the file system's own journal; mounted
//! again it shows what had been synced, and whatever else the kernel happened to have written.
//!
//! More lenient than a real power cut in one point: the image itself lives on, so nothing is lost of what a device
//! would keep in a volatile cache.

use crate::small_disk::may;
use crate::wait::{SOON, until_true};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The disk; unmounted when dropped.
#[derive(Debug)]
pub struct PowerDisk {
    path: PathBuf,
    /// The file that the disk is now, and how often it was switched on again.
    image: Mutex<(PathBuf, u32)>,
}

impl PowerDisk {
    /// Makes one of `mebibytes` in the file `image` and mounts it at `path`. `None`, with a line that says so, if this user
    /// may not mount.
    #[must_use]
    pub fn mount(path: &Path, image: &Path, mebibytes: u64) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        std::fs::File::create(image).unwrap().set_len(mebibytes * 1024 * 1024).unwrap();
        let mut format = Command::new("mkfs.ext4");
        let made = format.args(["-q", "-F", "-m", "0"]).arg(image).output().expect("mkfs.ext4 is there");
        assert!(made.status.success(), "mkfs.ext4: {}", String::from_utf8_lossy(&made.stderr));
        let disk = Self { path: path.to_owned(), image: Mutex::new((image.to_owned(), 0)) };
        if !may(&mut disk.mounting()) {
            return None;
        }
        let _ = std::fs::remove_dir(path.join("lost+found"));
        Some(disk)
    }

    fn mounting(&self) -> Command {
        let mut mount = Command::new("mount");
        // The kernel shall write late what nobody syncs: that is what a power cut takes away.
        mount.args(["-t", "ext4", "-o", "loop,commit=300"]).arg(&self.image.lock().unwrap().0).arg(&self.path);
        mount
    }

    /// Cuts the power. Whoever still writes gets errors.
    pub fn cut(&self) {
        let cut = Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.path).output();
        let cut = cut.expect("xfs_io is there (Debian package xfsprogs)");
        assert!(cut.status.success(), "xfs_io shutdown: {}", String::from_utf8_lossy(&cut.stderr));
        assert!(std::fs::write(self.path.join("after-the-cut"), "x").is_err(), "the disk is really off");
    }

    /// Switches it on again. Nothing may have anything open on it, or will have soon.
    pub fn back(&self) {
        until_true("everybody has left the disk", SOON, || {
            Command::new("umount").arg(&self.path).output().expect("umount can be started").status.success()
        });
        // As another disk: somewhere a namespace of mounts may still hold the dead one, and mounting the same image again
        // would find that.
        {
            let mut image = self.image.lock().unwrap();
            let next = image.0.with_extension(image.1.to_string());
            let copied = Command::new("cp").arg("--sparse=always").arg(&image.0).arg(&next).status();
            assert!(copied.expect("cp can be started").success(), "the disk is copied");
            std::fs::remove_file(&image.0).unwrap();
            *image = (next, image.1 + 1);
        }
        assert!(may(&mut self.mounting()), "it was mounted before");
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
