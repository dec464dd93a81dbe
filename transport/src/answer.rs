//! The sender's answers: to the receiver's questions, to its results, and to sources that are not what they were.

use crate::book::Slot;
use crate::failure::{protocol, tame};
use crate::hash::{hex, unit_count};
use crate::meter::add;
use crate::quiet::quiet;
use crate::read::Trouble;
use crate::report::Reports;
use crate::sender::{Shared, enter};
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{Control, EntryKind, FileResult};
use godwit_protocol::worker::{Failure, FileOutcome, FileReport};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Shared {
    /// A source changed or cannot be read: it is announced again, or told to be unreadable, once.
    pub(crate) async fn troubled(self: Arc<Self>, slot: Arc<Slot>, trouble: Trouble) -> Result<(), Failure> {
        if slot.dead.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let outcome = match trouble {
            Trouble::Changed => quiet(&self.reader, &slot, &self.meter).await,
            Trouble::Failed(failure) => Err(failure),
        };
        let seen = match outcome {
            Ok(seen) => seen,
            Err(failure) => {
                tracing::info!(path = %slot.path, %failure, "source unreadable");
                self.outbox.send(Control::Unreadable { entry: slot.number, failure: tame(failure) }).await;
                return Ok(());
            }
        };
        tracing::info!(path = %slot.path, "changed while it was sent: sent again");
        let entry = self.reader.entry(slot.path.clone(), &seen);
        let _order = self.announcing.lock().await;
        {
            let mut book = self.book();
            if !book.replace(slot.number) {
                return Ok(());
            }
            enter(&mut book, &entry, slot.source.clone(), seen, slot.changes + 1)?;
        }
        add(&self.meter.bytes_expected, entry.size);
        self.meter.bytes_expected.fetch_sub(slot.size, Ordering::Relaxed);
        self.outbox.send(Control::Again { replaces: slot.number, entry }).await;
        Ok(())
    }

    /// An entry that the receiver asks about; `None` if it was given up meanwhile.
    fn asked_about(&self, number: u64) -> Result<Option<Arc<Slot>>, Failure> {
        let book = self.book();
        match book.get(number) {
            None if book.is_replaced(number) => Ok(None),
            None => Err(protocol("a question about no open entry")),
            slot => Ok(slot),
        }
    }

    pub(crate) async fn check(self: Arc<Self>, number: u64, theirs: Vec<(u64, String)>) -> Result<(), Failure> {
        let Some(slot) = self.asked_about(number)? else { return Ok(()) };
        if theirs.iter().any(|(unit, _)| *unit >= unit_count(slot.size)) {
            return Err(protocol("a check of a unit that does not exist"));
        }
        self.meter.at(slot.path.as_str());
        let (this, entry) = (self.clone(), slot.clone());
        let units: Vec<u64> = theirs.iter().map(|(unit, _)| *unit).collect();
        let ours = tokio::task::spawn_blocking(move || this.reader.values(&entry, &units, &this.meter))
            .await
            .map_err(|_| Failure::new(ErrorCode::Internal, "reading broke"))?;
        match ours {
            Ok(ours) => {
                let both = theirs.into_iter().zip(ours);
                let same = both.filter(|((_, theirs), ours)| hex(ours).eq_ignore_ascii_case(theirs));
                let same = same.map(|((unit, _), _)| unit).collect();
                self.outbox.send(Control::Checked { entry: number, same }).await;
            }
            Err(trouble) => self.troubled(slot, trouble).await?,
        }
        Ok(())
    }

    pub(crate) async fn compare(self: Arc<Self>, number: u64, theirs: String) -> Result<(), Failure> {
        let Some(slot) = self.asked_about(number)? else { return Ok(()) };
        self.meter.at(slot.path.as_str());
        let (this, entry) = (self.clone(), slot.clone());
        let ours = tokio::task::spawn_blocking(move || this.reader.hash(&entry, &this.meter))
            .await
            .map_err(|_| Failure::new(ErrorCode::Internal, "reading broke"))?;
        match ours {
            Ok(ours) => {
                let same = hex(&ours).eq_ignore_ascii_case(&theirs);
                self.outbox.send(Control::Compared { entries: vec![(number, same)] }).await;
            }
            Err(trouble) => self.troubled(slot, trouble).await?,
        }
        Ok(())
    }

    /// Entries have ended. Returns how many that the receiver holds for complete are not.
    pub(crate) async fn ended(&self, files: Vec<FileResult>, reports: &Reports) -> Result<u64, Failure> {
        let mut differing = 0;
        for mut result in files {
            let number = result.entry.ok_or_else(|| protocol("the end of no entry"))?;
            let slot = {
                let mut book = self.book();
                if book.is_replaced(number) {
                    continue;
                }
                book.end(number)
            };
            let Some(slot) = slot else { return Err(protocol("the end of an entry that is not open")) };
            if !agrees(&slot, &result) {
                differing += 1;
                result.outcome = FileOutcome::Failed;
                let words =
                    format!("{}: what the other side stored is not what was read here; send it again", slot.path);
                tracing::error!(path = %slot.path, "the receiver's BLAKE3 differs");
                result.failure = Some(Failure::new(ErrorCode::DiskWrite, words));
                result.blake3 = None;
            }
            let failure = result.failure.map(tame);
            crate::report::count(&self.meter, slot.kind, result.outcome);
            if slot.kind == EntryKind::File || result.outcome == FileOutcome::Failed {
                reports
                    .file(FileReport {
                        path: slot.path.as_str().to_owned(),
                        size: slot.size,
                        outcome: result.outcome,
                        error: failure,
                        blake3: result.blake3.filter(|h| h.len() == 64),
                    })
                    .await;
            }
        }
        self.room.notify_waiters();
        Ok(differing)
    }
}

/// False if the receiver says it has a file whose content cannot be what was read here. Of a file that it had in part
/// already the values of that part are unknown, unless it asked about them.
fn agrees(slot: &Slot, result: &FileResult) -> bool {
    if slot.kind != EntryKind::File || result.outcome != FileOutcome::Completed {
        return true;
    }
    match slot.root() {
        Some(ours) => result.blake3.as_ref().is_some_and(|theirs| hex(&ours).eq_ignore_ascii_case(theirs)),
        None => result.resumed > 0 && result.blake3.is_some(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hash::{Value, unit_value};
    use crate::root::Metadata;
    use crate::scan::Source;
    use godwit_protocol::wire::UNIT;

    fn slot(size: u64) -> Slot {
        Slot {
            number: 0,
            offset: 0,
            kind: EntryKind::File,
            size,
            seen: Metadata::of(std::fs::File::open("/dev/null").unwrap()).unwrap(),
            changes: 0,
            path: "f".parse().unwrap(),
            source: Source::Beneath("f".into()),
            dead: false.into(),
            values: Default::default(),
        }
    }

    fn complete(root: Value, resumed: u64) -> FileResult {
        FileResult {
            entry: Some(0),
            path: None,
            outcome: FileOutcome::Completed,
            failure: None,
            blake3: Some(hex(&root)),
            resumed,
        }
    }

    #[test]
    fn a_receiver_that_stored_something_else_is_not_believed() {
        let data = vec![7; 2 * UNIT as usize + 3];
        for size in [0, 5, UNIT, UNIT + 1, 2 * UNIT + 3] {
            let data = &data[..size as usize];
            let slot = slot(size);
            let root = *blake3::hash(data).as_bytes();
            // Nothing was read of it: it cannot be complete, unless it was there.
            assert_eq!(agrees(&slot, &complete(root, 0)), size == 0, "{size}");
            assert!(agrees(&slot, &complete(root, 1)), "{size}");
            for (unit, part) in data.chunks(UNIT as usize).enumerate() {
                // A unit that is asked for twice counts once.
                slot.note(unit as u64, unit_value(size, unit as u64, part));
                slot.note(unit as u64, unit_value(size, unit as u64, part));
            }
            assert!(agrees(&slot, &complete(root, 0)), "{size}");
            assert!(!agrees(&slot, &complete([9; 32], 1)), "{size}");
            let silent = FileResult { blake3: None, ..complete(root, 0) };
            assert!(!agrees(&slot, &silent), "{size}");
            assert!(agrees(&slot, &FileResult { outcome: FileOutcome::Skipped, ..silent }), "{size}");
        }
    }
}
