//! Reading and summing files for a page, once its right to them is established. Blocks; runs as a job.

use crate::grants::{Grant, NotChosen, check_source};
use godwit_protocol::bodies::{Checksum, ChecksumMethod, MAX_READ, ReadFile};
use sha2::Digest;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Instant;

/// Bytes read at a time for a checksum.
const BLOCK: usize = 1024 * 1024;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// 406.
    #[error(transparent)]
    NotChosen(#[from] NotChosen),
    /// 413.
    #[error("the file is larger than {MAX_READ} bytes; read it in chunks")]
    TooLarge,
    /// 400.
    #[error("'{0}' is not a file")]
    NotFile(String),
    /// 500.
    #[error("the file could not be read: {0}")]
    Io(#[from] io::Error),
    /// 504.
    #[error("the file could not be read in time")]
    Slow,
}

/// Opens what the user chose; nothing that blocks or is no file.
fn open(grants: &[Grant], path: &str) -> Result<(PathBuf, File), ReadingError> {
    let real = check_source(grants, path)?;
    // A pipe would hang here for ever, a device might do anything.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(&real)?;
    if !file.metadata()?.is_file() {
        return Err(ReadingError::NotFile(path.to_owned()));
    }
    Ok((real, file))
}

/// The bytes that were asked for; fewer at the end of the file.
pub fn read(grants: &[Grant], wish: &ReadFile) -> Result<Vec<u8>, ReadingError> {
    let (_, mut file) = open(grants, &wish.path)?;
    let most = match wish.length {
        Some(length) => length.min(MAX_READ),
        None if file.metadata()?.len() > MAX_READ => return Err(ReadingError::TooLarge),
        None => MAX_READ,
    };
    file.seek(SeekFrom::Start(wish.offset))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The checksum in hex, before `deadline`.
pub fn checksum(grants: &[Grant], wish: &Checksum, deadline: Instant) -> Result<String, ReadingError> {
    let (_, mut file) = open(grants, &wish.path)?;
    file.seek(SeekFrom::Start(wish.offset))?;
    let mut part = file.take(wish.length.unwrap_or(u64::MAX));
    match wish.method {
        ChecksumMethod::Md5 => sum::<md5::Md5>(&mut part, deadline),
        ChecksumMethod::Sha1 => sum::<sha1::Sha1>(&mut part, deadline),
        ChecksumMethod::Sha256 => sum::<sha2::Sha256>(&mut part, deadline),
        ChecksumMethod::Sha512 => sum::<sha2::Sha512>(&mut part, deadline),
    }
}

fn sum<D: Digest>(source: &mut impl Read, deadline: Instant) -> Result<String, ReadingError> {
    let mut digest = D::new();
    let mut block = vec![0; BLOCK];
    loop {
        if Instant::now() >= deadline {
            return Err(ReadingError::Slow);
        }
        match source.read(&mut block) {
            Ok(0) => return Ok(digest.finalize().iter().map(|b| format!("{b:02x}")).collect()),
            Ok(n) => digest.update(block.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn wish(path: &std::path::Path, offset: u64, length: Option<u64>) -> ReadFile {
        ReadFile { path: path.to_str().unwrap().into(), offset, length }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn parts_of_a_chosen_file_are_read_and_summed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "hello world").unwrap();
        let grants = [Grant::existing(&path).unwrap()];
        assert_eq!(read(&grants, &wish(&path, 0, None)).unwrap(), b"hello world");
        assert_eq!(read(&grants, &wish(&path, 6, Some(3))).unwrap(), b"wor");
        assert_eq!(read(&grants, &wish(&path, 6, Some(300))).unwrap(), b"world");
        assert_eq!(read(&grants, &wish(&path, 60, Some(3))).unwrap(), b"");
        let sum = |method, offset, length| {
            let path = path.to_str().unwrap().to_owned();
            checksum(&grants, &Checksum { path, offset, length, method }, soon()).unwrap()
        };
        // As md5sum, sha1sum, sha256sum and sha512sum say.
        assert_eq!(sum(ChecksumMethod::Md5, 0, None), "5eb63bbbe01eeed093cb22bb8f5acdc3");
        assert_eq!(sum(ChecksumMethod::Sha1, 0, None), "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");
        let sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
        assert_eq!(sum(ChecksumMethod::Sha256, 0, None), sha256);
        assert!(sum(ChecksumMethod::Sha512, 0, None).starts_with("309ecc489c12d6eb4cc40f50c902f2b4"));
        assert_eq!(sum(ChecksumMethod::Md5, 6, Some(5)), "7d793037a0760186574b0282f2f435e7", "md5 of 'world'");
    }

    #[test]
    fn what_was_not_chosen_what_is_no_file_and_what_is_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(read(&[], &wish(&path, 0, None)), Err(ReadingError::NotChosen(_))));
        let grants = [Grant::existing(dir.path()).unwrap()];
        assert!(matches!(read(&grants, &wish(dir.path(), 0, None)), Err(ReadingError::NotFile(_))));
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(matches!(read(&grants, &wish(&pipe, 0, Some(1))), Err(ReadingError::NotFile(_))));
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(MAX_READ + 1).unwrap();
        assert!(matches!(read(&grants, &wish(&large, 0, None)), Err(ReadingError::TooLarge)));
        assert_eq!(read(&grants, &wish(&large, MAX_READ, Some(5))).unwrap(), [0]);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(
            matches!(read(&grants, &wish(&link, 0, None)), Err(ReadingError::NotChosen(_))),
            "a way out of the folder"
        );
    }

    #[test]
    fn a_checksum_ends_at_its_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "x").unwrap();
        let grants = [Grant::existing(&path).unwrap()];
        let wish =
            Checksum { path: path.to_str().unwrap().into(), offset: 0, length: None, method: ChecksumMethod::Md5 };
        assert!(matches!(checksum(&grants, &wish, Instant::now()), Err(ReadingError::Slow)));
    }
}
