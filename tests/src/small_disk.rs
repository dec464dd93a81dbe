//! Disks that fail: a small one, mounted for one test, that is soon full, can be made read-only, or fails only when data
//! are flushed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes that a [`SmallDisk::broken`] disk claims to have.
const CLAIMED: u64 = 128 * 1024 * 1024;

/// The mounted disk; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    /// What a broken disk really has.
    behind: Option<Box<Self>>,
}

impl SmallDisk {
    /// Mounts `mebibytes` at `path`. `None`, with a line that says so, if this user may not mount; root must be able to,
    /// or the test would show nothing where CI runs it.
    #[must_use]
    pub fn mount(path: &Path, mebibytes: u32) -> Option<Self> {
        Self::mount_with(path, &format!("size={mebibytes}m"))
    }

    /// As [`Self::mount`], with options of tmpfs.
    #[must_use]
    pub fn mount_with(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("{options},mode=0777"), "tmpfs"]).arg(path);
        may(&mut mount).then(|| Self { path: path.to_owned(), behind: None })
    }

    /// A disk that claims to be large, takes writes into the kernel's cache, and cannot keep more than `mebibytes`: only
    /// flushing shows it, as with an overcommitted volume or a failing device. `behind` holds its parts.
    #[must_use]
    pub fn broken(path: &Path, behind: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let behind = Self::mount(behind, mebibytes)?;
        let image = behind.path.join("image");
        std::fs::File::create(&image).unwrap().set_len(CLAIMED).unwrap();
        // Without a journal, so that the file system lives on after a write that failed.
        let format = ["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1"];
        let made = Command::new("mkfs.ext4").args(format).arg(&image).output().expect("mkfs.ext4 is there");
        assert!(made.status.success(), "mkfs.ext4: {}", String::from_utf8_lossy(&made.stderr));
        let disk = Self { path: path.to_owned(), behind: Some(Box::new(behind)) };
        if !may(&mut disk.loop_mount()) {
            return None;
        }
        let _ = std::fs::remove_dir(path.join("lost+found"));
        Some(disk)
    }

    /// A disk as Windows has them (NTFS): it takes none of `: * ? < > |`, no name such as `aux`, no dot at the end of a name.
    /// The file system runs beside the kernel, so this needs neither a module nor a loop device.
    #[must_use]
    pub fn of_windows(path: &Path, behind: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let behind = Self::mount(behind, mebibytes + 1)?;
        let image = behind.path.join("image");
        std::fs::File::create(&image).unwrap().set_len(u64::from(mebibytes) * 1024 * 1024).unwrap();
        let made = Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&image).output().expect("mkntfs is there");
        assert!(made.status.success(), "mkntfs: {}", String::from_utf8_lossy(&made.stderr));
        let mut mount = Command::new("ntfs-3g");
        mount.args(["-o", "windows_names"]).arg(image).arg(path);
        may(&mut mount).then(|| Self { path: path.to_owned(), behind: Some(Box::new(behind)) })
    }

    fn loop_mount(&self) -> Command {
        let image = self.behind.as_ref().expect("a broken disk").path.join("image");
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", "loop,errors=continue"]).arg(image).arg(&self.path);
        mount
    }

    /// Makes it (or what is behind it) larger.
    pub fn grow(&self, mebibytes: u32) {
        match &self.behind {
            Some(behind) => behind.grow(mebibytes),
            None => self.remount(&format!("size={mebibytes}m")),
        }
    }

    /// Makes room for more files and folders.
    pub fn grow_names(&self, names: u32) {
        self.remount(&format!("nr_inodes={names}"));
    }

    /// Read-only, or not any more. Nothing may be open for writing.
    pub fn read_only(&self, on: bool) {
        self.remount(if on { "ro" } else { "rw" });
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.path)
            .status()
            .expect("mount was there before");
        assert!(status.success(), "{} cannot be mounted with {options}", self.path.display());
    }

    /// Unmounts a broken disk and mounts it again: what was only in the kernel's cache is gone. Nothing may be open.
    pub fn forget_cache(&self) {
        let status = Command::new("umount").arg(&self.path).status().expect("umount can be started");
        assert!(status.success(), "{} is in use", self.path.display());
        assert!(may(&mut self.loop_mount()), "it was mounted before");
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs a mount. False, with a line that says so, if this user may not.
pub(crate) fn may(mount: &mut Command) -> bool {
    let why = match mount.output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(!is_root(), "mount: {why}");
    eprintln!("SKIPPED: no right to mount: {why}");
    false
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
