//! Writing the units of a very large file around the kernel's cache.
//!
//! Such a file would drive everything else out of the cache, and its way through the cache costs as much processor time
//! as its decryption. Written directly, a unit is on its way to the disk when the call returns, so that little is left
//! for the syncs, and a full or failing disk answers at once. A file system that does not want it (or a unit that does
//! not fit its blocks, such as the last one of a file) goes through the cache; the kernel keeps both ways coherent.
//!
//! Must not know: what a unit holds, and when a file counts as durable. Syncs are as needed as without.

use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Smaller files are better kept in the cache: whoever receives them is likely to read them at once.
const LEAST: u64 = 128 * 1024 * 1024;
/// Address, place and length of what is written are multiples of this. No common disk has larger blocks.
const BLOCK: usize = 4096;

/// See the module. For one file.
#[derive(Debug)]
pub(crate) struct Direct {
    file: Option<File>,
    /// The file system took the opening but not the writing.
    refused: AtomicBool,
}

impl Direct {
    /// For `file`, which is to hold `size` bytes.
    pub(crate) fn of(file: &File, size: u64) -> Self {
        let open = || {
            // The name may be another's by now; this way it is the same file for certain.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::DIRECT, Mode::empty()).ok().map(File::from)
        };
        Self { file: if size >= LEAST { open() } else { None }, refused: AtomicBool::new(false) }
    }

    /// Writes `data`. False: it was not (or not wholly) written, and the caller writes it through the cache.
    pub(crate) fn write(&self, data: &[u8], at: u64) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let fits = data.as_ptr().align_offset(BLOCK) == 0
            && data.len().is_multiple_of(BLOCK)
            && at.is_multiple_of(BLOCK as u64)
            && !data.is_empty();
        if !fits || self.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match file.write_at(data, at) {
            Ok(written) => Ok(written == data.len()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pool::Pool;
    use std::sync::Arc;

    fn unit() -> crate::pool::Buffer {
        let mut unit = Arc::new(Pool::default()).take(1024 * 1024);
        unit.iter_mut().enumerate().for_each(|(n, byte)| *byte = (n % 251) as u8);
        unit
    }

    #[test]
    fn a_unit_written_directly_is_read_like_any_other() {
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (direct, unit) = (Direct::of(&file, LEAST), unit());
        let at = 3 * unit.len() as u64;
        if !direct.write(&unit, at).unwrap() {
            eprintln!("this file system writes through its cache only");
            file.write_all_at(&unit, at).unwrap();
        }
        file.write_all_at(b"the end", at + unit.len() as u64).unwrap();
        let mut read = vec![0; unit.len()];
        file.read_exact_at(&mut read, at).unwrap();
        assert!(read == *unit);
    }

    #[test]
    fn what_does_not_fit_the_blocks_is_left_to_the_caller() {
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (direct, unit) = (Direct::of(&file, LEAST), unit());
        assert!(!direct.write(&unit[..1000], 0).unwrap());
        assert!(!direct.write(&unit[1..=BLOCK], 0).unwrap());
        assert!(!direct.write(&unit, 7).unwrap());
        assert!(!Direct::of(&file, LEAST - 1).write(&unit, 0).unwrap(), "a small file");
        assert_eq!(file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_file_that_refuses_is_not_asked_again_and_other_errors_are_told() {
        let unit = unit();
        let of = |path| Direct {
            file: Some(File::options().write(true).open(path).unwrap()),
            refused: AtomicBool::new(false),
        };
        let full = of("/dev/full");
        assert_eq!(full.write(&unit, 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!full.refused.load(Ordering::Relaxed));
        // Takes a number only, and says of anything else that it is invalid.
        let refusing = of("/proc/self/clear_refs");
        assert!(!refusing.write(&unit, 0).unwrap());
        assert!(refusing.refused.load(Ordering::Relaxed));
    }
}
