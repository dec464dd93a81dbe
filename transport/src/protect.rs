//! Encryption at rest: what a sender announces and reads instead of a file, and what becomes of encrypted files that arrived.

use crate::book::Slot;
use crate::disk::Temp;
use crate::failure::disk;
use crate::replace::Seat;
use crate::root::{Metadata, Root};
use crate::scan::{Source, file_entry};
use godwit_protection::{MAGIC, OpenError, Opener, SUFFIX, Sealer};
use godwit_protocol::spec::{ContentProtection, Direction};
use godwit_protocol::wire::Entry;
use godwit_protocol::worker::{ENCRYPTED_ONLY, Failure, MAX_PASSPHRASE, Protection, Start, Unlocked};
use godwit_protocol::{ErrorCode, RelPath, Secret};
use rustix::fs::fsync;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many names a decrypted file tries that does not replace another.
const NAME_TRIES: u32 = 1_000;

/// What a session was asked to do; an error if it makes no sense.
pub(crate) fn wanted(start: &Start) -> Result<Option<&Protection>, Failure> {
    let Some(protection) = &start.protection else { return Ok(None) };
    let fits = match protection.mode {
        ContentProtection::Encrypt => start.direction == Direction::Send,
        ContentProtection::Decrypt => start.direction == Direction::Receive,
    };
    if !fits {
        return Err(Failure::new(
            ErrorCode::Usage,
            "uploads are encrypted, downloads are decrypted, not the other way round",
        ));
    }
    if !(1..=MAX_PASSPHRASE).contains(&protection.passphrase.expose().len()) {
        return Err(Failure::new(ErrorCode::Usage, "the passphrase is empty or too long"));
    }
    Ok(Some(protection))
}

/// Whether a file is encrypted at rest, by its name and the begin of its content: what an administrator who wants that can
/// be promised. What follows only who has the passphrase could tell.
#[must_use]
pub fn is_encrypted(name: &str, begin: &[u8]) -> bool {
    may_be_encrypted(name, begin.len() as u64) && begin.starts_with(MAGIC)
}

/// The same before anything of the content is known.
pub(crate) fn may_be_encrypted(name: &str, size: u64) -> bool {
    name.len() > SUFFIX.len() && name.ends_with(SUFFIX) && size >= MAGIC.len() as u64
}

/// Bytes of a file that [`is_encrypted`] needs.
pub const BEGIN: usize = MAGIC.len();

/// A file that is not encrypted came where encrypted ones are wanted.
pub(crate) fn plain() -> Failure {
    Failure::new(ErrorCode::FileEncryption, ENCRYPTED_ONLY)
}

/// Encrypts what a session sends.
pub(crate) struct Sealing {
    sealer: Sealer,
}

impl Sealing {
    /// Derives the keys: for half a second, where blocking is allowed.
    pub(crate) fn new(protection: &Protection) -> Self {
        Self { sealer: Sealer::new(&protection.passphrase, &protection.scope) }
    }

    /// Bytes of the encrypted form of a file of `plain` bytes. A file has at most 2^63, so there always is a number.
    pub(crate) fn len(&self, plain: u64) -> u64 {
        self.sealer.sealed_len(plain).unwrap_or(u64::MAX)
    }

    /// What is announced of a file.
    pub(crate) fn entry(&self, target: &RelPath, found: &Metadata) -> Result<Entry, Failure> {
        let name: RelPath = format!("{target}{SUFFIX}")
            .parse()
            .map_err(|_| Failure::new(ErrorCode::PathTooLong, format!("{target}: with {SUFFIX} at its end")))?;
        Ok(Entry { size: self.len(found.size), ..file_entry(name, found) })
    }

    /// Reads the encrypted form of an announced file.
    pub(crate) fn read_exact_at(&self, slot: &Slot, file: &File, target: &mut [u8], offset: u64) -> io::Result<()> {
        let sealed = self.sealer.seal(&identity(slot), slot.seen.size);
        sealed.read_exact_at(target, offset, |part, at| file.read_exact_at(part, at))
    }
}

/// What tells a version of a file from all others.
fn identity(slot: &Slot) -> Vec<u8> {
    let Metadata { size, mtime_ns, ctime_ns, id: (device, inode), .. } = slot.seen;
    let mut identity = Vec::new();
    for number in
        [size.to_le_bytes(), mtime_ns.to_le_bytes(), ctime_ns.to_le_bytes(), device.to_le_bytes(), inode.to_le_bytes()]
    {
        identity.extend_from_slice(&number);
    }
    identity.extend_from_slice(match &slot.source {
        Source::Local(path) => path.as_os_str().as_bytes(),
        Source::Beneath(path) => path.as_bytes(),
    });
    identity
}

/// Work on many files, and who watches it.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// It is to end.
    pub(crate) stop: AtomicBool,
    /// Bytes of the files that were there at the beginning.
    pub(crate) total: AtomicU64,
    /// Bytes done of them.
    pub(crate) done: AtomicU64,
}

/// Decrypts the files of these paths, as far as their names say that they are encrypted; those that stay so are told. The
/// encrypted ones go when all that can be decrypted are: whoever is interrupted finds them all, and begins again. Those that are
/// not there any more are nobody's concern.
pub(crate) fn unlock_all(root: &Root, paths: &[String], passphrase: &Secret, watched: &Watched) -> Unlocked {
    let opener = Opener::new(passphrase);
    let (mut told, mut opened) = (Unlocked::default(), Vec::new());
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let there = |path: &String| {
        let path = path.parse::<RelPath>().ok()?;
        match root.stat(&path) {
            Ok(found) => Some((path, found.size)),
            Err(error) if gone(&error) => None,
            // It is told below why not.
            Err(_) => Some((path, 0)),
        }
    };
    let paths: Vec<(RelPath, u64)> = paths.iter().filter_map(there).collect();
    watched.total.store(paths.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size)), Ordering::Relaxed);
    let Watched { stop, done, .. } = watched;
    let mut before = 0_u64;
    for (path, size) in paths {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let result = unlock_counted(root, &path, &opener, stop, done);
        before = before.saturating_add(size);
        done.store(before, Ordering::Relaxed);
        match result {
            Ok(_) => opened.push(path),
            Err(error) => {
                tracing::info!(%path, %error, "stays encrypted");
                told.kept += 1;
                told.wrong_passphrase |= matches!(error, UnlockError::Open(OpenError::WrongPassphrase));
                told.why.get_or_insert_with(|| format!("{path}: {error}"));
            }
        }
    }
    for path in &opened {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if let Err(error) = root.remove_file(path) {
            tracing::warn!(%path, %error, "the encrypted file stays beside the decrypted one");
        }
    }
    told.opened = opened.len() as u64;
    told
}

/// Why a file stays encrypted.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// It cannot be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// It cannot be read, or its content cannot be written beside it.
    #[error("{0}")]
    Disk(#[from] io::Error),
    /// Its name is nothing but the ending.
    #[error("the file has no name without {SUFFIX}")]
    Name,
    /// Told to stop.
    #[error("stopped")]
    Stopped,
}

impl UnlockError {
    /// In the numbers that users know.
    #[must_use]
    pub fn failure(&self, path: &str) -> Failure {
        match self {
            Self::Disk(error) | Self::Open(OpenError::Write(error)) => disk(error, true, path),
            Self::Open(OpenError::Read(error)) => disk(error, false, path),
            Self::Stopped => Failure::new(ErrorCode::UserCancel, path),
            Self::Open(_) | Self::Name => {
                Failure { code: ErrorCode::FileEncryption, message: format!("{path}: {self}"), fingerprint: None }
            }
        }
    }
}

/// Decrypts a file beside itself, under its name without the ending; a file that is there already keeps its name, and the new
/// one gets another, unless both are the same. The encrypted file stays. Returns the name. Complete, and on the disk, or not there.
///
/// # Errors
///
/// See [`UnlockError`].
pub fn unlock(root: &Root, path: &RelPath, opener: &Opener, stop: &AtomicBool) -> Result<RelPath, UnlockError> {
    unlock_counted(root, path, opener, stop, &AtomicU64::new(0))
}

/// As [`unlock`]; `done` says meanwhile how many bytes are decrypted.
///
/// # Errors
///
/// See [`UnlockError`].
pub fn unlock_counted(
    root: &Root,
    path: &RelPath,
    opener: &Opener,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<RelPath, UnlockError> {
    let plain = path.as_str().strip_suffix(SUFFIX).unwrap_or_default();
    let plain: RelPath = match path.as_str().ends_with(SUFFIX) {
        true => plain.parse().map_err(|_| UnlockError::Name)?,
        false => path.clone(),
    };
    let source = root.open_file(path)?;
    let found = Metadata::of(&source)?;
    let folder = root.folder(path.parent().as_ref())?;
    let temp = Temp::new(folder.clone(), plain.name())?;
    let mut target = Stoppable { inner: BufWriter::with_capacity(1024 * 1024, &temp.file), stop, done };
    let opened = opener.open(&source, &mut target);
    if stop.load(Ordering::Relaxed) {
        return Err(UnlockError::Stopped);
    }
    opened?;
    target.inner.flush()?;
    drop(target);
    crate::disk::set_mtime(&temp.file, found.mtime_ns)?;
    temp.file.sync_all()?;
    for turn in 0..NAME_TRIES {
        // Without the ending there is nothing to take away: the encrypted file keeps its name.
        let name = if plain == *path { another(&plain, turn + 1) } else { another(&plain, turn) };
        let Some(name) = name else { break };
        if let Ok(there) = root.open_file(&name) {
            if same(&there, &temp.file)? {
                return Ok(name);
            }
            continue;
        }
        match crate::disk::link(&temp.file, &folder, name.name()) {
            Ok(()) => {
                fsync(&*folder).map_err(io::Error::from)?;
                return Ok(name);
            }
            Err(rustix::io::Errno::EXIST) => {}
            // A file system without files that have no name.
            Err(_) => {
                temp.publish(&Seat { folder: &folder, name: name.name(), before: None, save: false })?;
                fsync(&*folder).map_err(io::Error::from)?;
                return Ok(name);
            }
        }
    }
    Err(UnlockError::Disk(io::ErrorKind::AlreadyExists.into()))
}

/// The name of a decrypted file: its own, then `film (decrypted).mov`, then `film (decrypted 2).mov`.
fn another(plain: &RelPath, turn: u32) -> Option<RelPath> {
    let mark = match turn {
        0 => return Some(plain.clone()),
        1 => " (decrypted)".to_owned(),
        _ => format!(" (decrypted {turn})"),
    };
    let (stem, ending) = match Path::new(plain.name()).extension().and_then(|e| e.to_str()) {
        Some(ending) => (plain.name().strip_suffix(ending)?.strip_suffix('.')?, format!(".{ending}")),
        None => (plain.name(), String::new()),
    };
    let name: RelPath = format!("{stem}{mark}{ending}").parse().ok()?;
    match plain.parent() {
        Some(parent) => parent.join(&name).ok(),
        None => Some(name),
    }
}

fn same(a: &File, b: &File) -> io::Result<bool> {
    let size = a.metadata()?.len();
    if size != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 256 * 1024], vec![0; 256 * 1024]);
    let mut at = 0;
    while at < size {
        let len = (size - at).min(left.len() as u64) as usize;
        let (Some(l), Some(r)) = (left.get_mut(..len), right.get_mut(..len)) else { return Ok(false) };
        a.read_exact_at(l, at)?;
        b.read_exact_at(r, at)?;
        if l != r {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

/// Fails when it was told to stop, and counts what is written.
struct Stoppable<'a, W> {
    inner: W,
    stop: &'a AtomicBool,
    done: &'a AtomicU64,
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        let written = self.inner.write(content)?;
        self.done.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
