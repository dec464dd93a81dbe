//! Reading and hashing what goes into a segment. Runs where blocking is allowed.

use crate::book::{Part, Slot};
use crate::failure::disk;
use crate::hash::{Value, unit_len, unit_value};
use crate::meter::Meter;
use crate::pool::{Buffer, Pool};
use crate::protect::Sealing;
use crate::quiet::leave_step;
use crate::root::{Metadata, Root};
use crate::scan::{Source, file_entry};
use bytes::Bytes;
use godwit_protocol::RelPath;
use godwit_protocol::wire::{Entry, HASH, UNIT};
use godwit_protocol::worker::Failure;
use rustix::fs::{Mode, OFlags};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// Open files of several units that are kept open between reads.
const KEPT_OPEN: usize = 32;

/// Content that follows itself without a gap, with the values of its units.
pub(crate) struct Run {
    /// Start in the virtual space.
    pub(crate) offset: u64,
    /// The bytes.
    pub(crate) content: Bytes,
    /// 32 bytes for every unit.
    pub(crate) trailer: Bytes,
}

/// Why a source was not read.
pub(crate) enum Trouble {
    /// It is not what was announced any more.
    Changed,
    /// Something else.
    Failed(Failure),
}

/// Opens, keeps open, reads.
pub(crate) struct Reader {
    root: Option<Root>,
    sealing: Option<Arc<Sealing>>,
    pool: Arc<Pool>,
    kept: Mutex<VecDeque<(u64, Arc<File>)>>,
}

impl Reader {
    pub(crate) fn new(root: Option<Root>, sealing: Option<Arc<Sealing>>) -> Self {
        Self { root, sealing, pool: Arc::default(), kept: Mutex::default() }
    }

    /// A file as it is announced again under the same name.
    pub(crate) fn entry(&self, path: RelPath, seen: &Metadata) -> Entry {
        let entry = file_entry(path, seen);
        match &self.sealing {
            None => entry,
            Some(sealing) => Entry { size: sealing.len(seen.size), ..entry },
        }
    }

    /// Content of a source as it is sent.
    fn content(&self, slot: &Slot, file: &File, target: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.sealing {
            None => file.read_exact_at(target, offset),
            Some(sealing) => sealing.read_exact_at(slot, file, target, offset),
        }
    }

    /// Reads a segment. Pieces that cannot be read split it; they come back with the reason.
    pub(crate) fn segment(&self, parts: Vec<Part>) -> (Vec<Run>, Vec<(Arc<Slot>, Trouble)>) {
        let (mut runs, mut failures) = (Vec::new(), Vec::new());
        let mut run: Option<Growing> = None;
        let mut left: u64 = parts.iter().map(|(_, piece)| piece.len()).sum();
        for (slot, piece) in parts {
            let len = piece.len();
            let growing = run.get_or_insert_with(|| Growing {
                offset: piece.start(),
                content: self.pool.take(left as usize),
                filled: 0,
                trailer: Vec::new(),
            });
            left -= len;
            let outcome = if slot.dead.load(Ordering::Relaxed) {
                Err(None)
            } else {
                growing.room(len).map_or(Err(None), |room| self.piece(&slot, piece.unit, room).map_err(Some))
            };
            match outcome {
                Ok(value) => {
                    slot.note(piece.unit, value);
                    growing.filled += len as usize;
                    growing.trailer.extend_from_slice(&value);
                }
                Err(failure) => {
                    runs.extend(run.take().and_then(Growing::finish));
                    failures.extend(failure.map(|failure| (slot, failure)));
                }
            }
        }
        runs.extend(run.and_then(Growing::finish));
        (runs, failures)
    }

    fn piece(&self, slot: &Slot, unit: u64, target: &mut [u8]) -> Result<Value, Trouble> {
        let file = self.open(slot)?;
        let read = self.content(slot, &file, target, unit * UNIT);
        self.unchanged(slot, &file)?;
        match read {
            Ok(()) => Ok(unit_value(slot.size, unit, target)),
            Err(e) => Err(trouble(slot, &e)),
        }
    }

    /// Values of some units as they are now.
    pub(crate) fn values(&self, slot: &Slot, units: &[u64], meter: &Meter) -> Result<Vec<Value>, Trouble> {
        let mut values = Vec::with_capacity(units.len());
        let mut content = Vec::new();
        for unit in units {
            content.resize(unit_len(slot.size, *unit) as usize, 0);
            let value = self.piece(slot, *unit, &mut content)?;
            slot.note(*unit, value);
            values.push(value);
            meter.worked();
        }
        Ok(values)
    }

    /// What is at the source's name now.
    pub(crate) fn by_name(&self, slot: &Slot) -> io::Result<Metadata> {
        match (&slot.source, &self.root) {
            (Source::Local(path), _) => Ok(rustix::fs::stat(path)?.into()),
            (Source::Beneath(path), Some(root)) => Metadata::of(root.open_file_raw(path)?),
            (Source::Beneath(_), None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Looked at after every read: what was read before is then content of the version that was announced. A file that
    /// was replaced under its name, or removed, is a change too: its own last change tells, or its name.
    fn unchanged(&self, slot: &Slot, file: &File) -> Result<(), Trouble> {
        let now = Metadata::of(file).map_err(|e| trouble(slot, &e))?;
        let named = slot.size <= UNIT
            || match self.by_name(slot) {
                Ok(named) => named.id == now.id,
                // Too many open files, for one, say nothing about the source.
                Err(e) => e.kind() != io::ErrorKind::NotFound,
            };
        if now == slot.seen && named { Ok(()) } else { Err(Trouble::Changed) }
    }

    /// BLAKE3 of a whole source.
    pub(crate) fn hash(&self, slot: &Slot, meter: &Meter) -> Result<Value, Trouble> {
        let file = self.open(slot)?;
        let value = hash_content(slot.size, meter, |part, at| self.content(slot, &file, part, at));
        self.unchanged(slot, &file)?;
        value.map_err(|e| trouble(slot, &e))
    }

    fn open(&self, slot: &Slot) -> Result<Arc<File>, Trouble> {
        let several = slot.size > UNIT;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if several && let Some((_, file)) = kept.iter().find(|(number, _)| *number == slot.number) {
            return Ok(file.clone());
        }
        drop(kept);
        let file = match (&slot.source, &self.root) {
            (Source::Local(path), _) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
                rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(io::Error::from)
            }
            (Source::Beneath(path), Some(root)) => root.open_file_raw(path),
            (Source::Beneath(_), None) => Err(io::ErrorKind::NotFound.into()),
        };
        let file = Arc::new(file.map_err(|e| trouble(slot, &e))?);
        self.unchanged(slot, &file)?;
        leave_step(&slot.seen);
        if several {
            kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back((slot.number, file.clone()));
            if kept.len() > KEPT_OPEN {
                kept.pop_front();
            }
        }
        Ok(file)
    }
}

/// BLAKE3 of the first `size` bytes of a file, with signs of life on the way.
pub(crate) fn hash_file(file: &File, size: u64, meter: &Meter) -> io::Result<Value> {
    hash_content(size, meter, |part, at| file.read_exact_at(part, at))
}

fn hash_content(size: u64, meter: &Meter, mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>) -> io::Result<Value> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; UNIT.min(size) as usize];
    let mut at = 0;
    while at < size {
        let len = UNIT.min(size - at) as usize;
        let part = buffer.get_mut(..len).unwrap_or_default();
        read(part, at)?;
        hasher.update(part);
        at += len as u64;
        meter.worked();
    }
    Ok(*hasher.finalize().as_bytes())
}

fn trouble(slot: &Slot, error: &io::Error) -> Trouble {
    Trouble::Failed(disk(error, false, slot.path.as_str()))
}

struct Growing {
    offset: u64,
    content: Buffer,
    filled: usize,
    trailer: Vec<u8>,
}

impl Growing {
    /// Where the next `len` bytes go.
    fn room(&mut self, len: u64) -> Option<&mut [u8]> {
        self.content.get_mut(self.filled..self.filled + len as usize)
    }

    fn finish(mut self) -> Option<Run> {
        debug_assert!(self.trailer.len().is_multiple_of(HASH));
        self.content.truncate(self.filled);
        (self.filled > 0).then(|| Run {
            offset: self.offset,
            content: Bytes::from_owner(self.content),
            trailer: self.trailer.into(),
        })
    }
}
