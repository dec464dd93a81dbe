//! A disk that is soon full: a small tmpfs, mounted for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The mounted disk; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts `mebibytes` at `path`. `None`, with a line that says so, if this user may not mount; root must be able to,
    /// or the test would show nothing where CI runs it.
    #[must_use]
    pub fn mount(path: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=0777"), "tmpfs"])
            .arg(path)
            .output();
        match done {
            Ok(output) if output.status.success() => Some(Self { path: path.to_owned() }),
            Ok(output) => {
                assert!(!is_root(), "mount: {}", String::from_utf8_lossy(&output.stderr));
                eprintln!("SKIPPED: no right to mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                assert!(!is_root(), "mount: {error}");
                eprintln!("SKIPPED: mount cannot be started: {error}");
                None
            }
        }
    }

    /// Makes it larger.
    pub fn grow(&self, mebibytes: u32) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,size={mebibytes}m")])
            .arg(&self.path)
            .status()
            .expect("mount was there before");
        assert!(status.success(), "the tmpfs cannot be made larger");
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
