//! Asking for a file: what is there of an earlier attempt, or of an earlier version of the source, is kept as far as it
//! is sound and, where the policy says so, as far as the sender has the same; the rest is wanted. May block.
//!
//! | policy | source of another size or time | same size and time |
//! |---|---|---|
//! | `none` | anew | anew |
//! | `attributes` | anew | units that still have the value in the journal are kept |
//! | `sparse_checksum` | anew | the same, if the sender has the same in a few of them; if not, each is compared |
//! | `full_checksum` | each unit is compared with the sender's | each unit is compared with the sender's |

use crate::hash::{Value, unit_len};
use crate::land::{Event, Landing};
use crate::meter::add;
use crate::partial::{Found, Keep, Partial, read_unit};
use crate::plan::{Look, Task, fetch_small, look};
use crate::ranges::RangeSet;
use crate::root::Kind;
use crate::state::{Doubt, FileState};
use godwit_protocol::ErrorCode;
use godwit_protocol::spec::ResumePolicy;
use godwit_protocol::wire::UNIT;
use godwit_protocol::worker::Failure;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A partial file that another session writes is waited for so long.
const BUSY_WAIT: Duration = Duration::from_secs(15);
/// A session of ours whose peer was silent for so long gives way; living peers are heard every 5 s.
const QUIET: Duration = Duration::from_secs(6);
const BUSY_POLL: Duration = Duration::from_millis(100);
/// Units that `sparse_checksum` compares with the source. A program that writes a file anew changes all of them.
const SAMPLES: u64 = 8;

impl Landing {
    /// Asks for a file.
    pub(crate) fn fetch(&self, state: &Arc<FileState>) {
        if state.size <= UNIT {
            if let Some(span) = fetch_small(self, state, &mut self.batch()) {
                let _ = self.events.send(Event::Ask(vec![span]));
            }
            return;
        }
        let fetched = self.find(state).and_then(|found| match found {
            // Another attempt may have finished it since it was looked for.
            None if self.changed_since(state)? => {
                match look(self, state) {
                    Ok(Look::Skip) => self.skip(state),
                    Ok(Look::Compare) => self.task(Task::Compare(state.clone())),
                    Ok(Look::Fetch) => self.fetch_anew(state)?,
                    Err(failure) => self.fail(state, failure),
                }
                Ok(())
            }
            None => self.fetch_anew(state),
            Some((partial, told)) => self.resume(state, &partial, told),
        });
        self.blame(state, fetched);
    }

    /// Asks for all of a file, unless what is at the target may have much of it: `full_checksum` lets both sides compare
    /// every unit of that too. The target stays as it is until the new file is complete.
    fn fetch_anew(&self, state: &Arc<FileState>) -> io::Result<()> {
        let before = state.work().before.filter(|b| b.kind == Kind::File && b.size >= UNIT);
        let (ResumePolicy::FullChecksum, Some(before)) = (self.policies.resume, before) else {
            self.ask(state, std::iter::once(0..state.units()));
            return Ok(());
        };
        let base = self.root.open_file(&state.path)?;
        let _busy = state.busy();
        let folder = self.root.folder(state.path.parent().as_ref())?;
        let partial = Partial::create(&self.names, &self.wish(state, &folder))?;
        if !state.work().attach(&partial) {
            self.names.forget(&partial);
            return Ok(());
        }
        let there = if before.size >= state.size { state.units() } else { before.size / UNIT };
        self.ask(state, std::iter::once(there..state.units()));
        let (mut told, mut buffer) = (Vec::new(), Vec::new());
        for unit in 0..there {
            told.extend(read_unit(&base, state.size, unit, &mut buffer).map(|value| (unit, value)));
            self.meter.worked();
        }
        self.ask(state, units_of(&told).gaps(0..there));
        self.doubt(state, Doubt::Base(base, told));
        Ok(())
    }

    fn blame(&self, state: &Arc<FileState>, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                self.fail(state, Failure::new(ErrorCode::AlreadyExists, "another session is writing this file"));
            }
            Err(e) => self.disk_failed(state, &e),
        }
    }

    /// True if something else is at the target than when it was looked at.
    fn changed_since(&self, state: &FileState) -> io::Result<bool> {
        let folder = self.root.folder(state.path.parent().as_ref())?;
        let now = crate::replace::look(&folder, state.path.name())?;
        Ok(now != state.work().before)
    }

    /// The partial file of an earlier attempt, once nobody else writes it.
    #[allow(clippy::type_complexity)]
    fn find(&self, state: &FileState) -> io::Result<Option<(Arc<Partial>, Option<Vec<(u64, Value)>>)>> {
        let folder = self.root.folder(state.path.parent().as_ref())?;
        let keep = match self.policies.resume {
            _ if state.again => Keep::Any,
            ResumePolicy::None => Keep::Nothing,
            ResumePolicy::Attributes | ResumePolicy::SparseChecksum => Keep::Same,
            ResumePolicy::FullChecksum => Keep::Any,
        };
        let begin = Instant::now();
        let mut heard = (0, begin);
        loop {
            let id = match Partial::find(&self.names, &self.wish(state, &folder), keep)? {
                Found::Nothing => return Ok(None),
                Found::Resumable(partial, told) => return Ok(Some((partial, told))),
                Found::Busy(id) => id,
            };
            if begin.elapsed() > BUSY_WAIT {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            if let Some(holder) = self.holders.who(id) {
                let now = (holder.heard)();
                if now != heard.0 {
                    heard = (now, Instant::now());
                } else if heard.1.elapsed() > QUIET {
                    tracing::info!(path = %state.path, "a silent session gives way");
                    (holder.evict)();
                }
            }
            std::thread::sleep(BUSY_POLL);
            self.meter.worked();
        }
    }

    /// Asks for what the journal does not tell of. What it tells of is kept, or the sender is asked about it first.
    fn resume(
        &self,
        state: &Arc<FileState>,
        partial: &Arc<Partial>,
        told: Option<Vec<(u64, Value)>>,
    ) -> io::Result<()> {
        let _busy = state.busy();
        if !state.work().attach(partial) {
            self.names.forget(partial);
            return Ok(());
        }
        if let Some(told) = told {
            self.ask(state, units_of(&told).gaps(0..state.units()));
            self.doubt(state, Doubt::All(told));
            return Ok(());
        }
        let told = partial.journalled(state.size)?;
        self.ask(state, told.gaps(0..state.units()));
        if self.policies.resume == ResumePolicy::SparseChecksum {
            let samples = samples(&told);
            let samples = partial.values(state.size, &samples)?;
            self.doubt(state, Doubt::Samples(samples, told));
            return Ok(());
        }
        self.keep_journalled(state, partial, &told)
    }

    /// Asks the sender about units, if there are any.
    fn doubt(&self, state: &Arc<FileState>, doubt: Doubt) {
        let units = doubt.units().to_vec();
        if !units.is_empty() {
            state.work().doubt = Some(doubt);
            let _ = self.events.send(Event::Check(state.clone(), units));
        }
    }

    /// The sender's answer about all units it was asked about.
    pub(crate) fn checked(&self, state: &Arc<FileState>, same: &RangeSet) {
        let _busy = state.busy();
        let (partial, doubt) = {
            let mut work = state.work();
            (work.partial.clone(), work.doubt.take())
        };
        // Without them the entry has ended meanwhile.
        let (Some(partial), Some(doubt)) = (partial, doubt) else { return };
        let kept = match doubt {
            Doubt::Samples(samples, told) => {
                if samples.iter().all(|(unit, _)| same.contains(*unit)) {
                    self.keep_journalled(state, &partial, &told)
                } else {
                    tracing::info!(path = %state.path, "the source is another than its time says");
                    partial.values(state.size, &told).map(|told| self.doubt(state, Doubt::All(told)))
                }
            }
            Doubt::All(told) => self.keep_same(state, &partial, None, &told, same),
            Doubt::Base(base, told) => self.keep_same(state, &partial, Some(&base), &told, same),
        };
        self.blame(state, kept);
    }

    /// Keeps what still has the value in the journal, and asks for the rest of what the journal tells of.
    fn keep_journalled(&self, state: &Arc<FileState>, partial: &Arc<Partial>, told: &RangeSet) -> io::Result<()> {
        let sound = partial.verified(state.size, told, |unit, value| {
            self.keep(state, partial, unit, value);
            Ok(())
        })?;
        self.resumed(state, told, &sound);
        Ok(())
    }

    /// Keeps what the sender has too, copied from `base` if that is where it is, and asks for the rest.
    fn keep_same(
        &self,
        state: &Arc<FileState>,
        partial: &Arc<Partial>,
        base: Option<&File>,
        told: &[(u64, Value)],
        same: &RangeSet,
    ) -> io::Result<()> {
        let mut sound = RangeSet::default();
        let mut buffer = Vec::new();
        for (unit, value) in told.iter().filter(|(unit, _)| same.contains(*unit)) {
            let there = match base {
                Some(base) => read_unit(base, state.size, *unit, &mut buffer),
                None => partial.read_unit(state.size, *unit, &mut buffer),
            };
            if there != Some(*value) {
                continue;
            }
            match base {
                Some(_) => partial.write_unit(*unit, value, &buffer)?,
                None => partial.note(*unit, value)?,
            }
            sound.insert(*unit..unit + 1);
            self.keep(state, partial, *unit, *value);
        }
        self.resumed(state, &units_of(told), &sound);
        Ok(())
    }

    fn keep(&self, state: &Arc<FileState>, partial: &Arc<Partial>, unit: u64, value: Value) {
        let len = unit_len(state.size, unit);
        self.meter.worked();
        {
            let mut work = state.work();
            work.resumed += len;
            work.written += len;
        }
        add(&self.meter.bytes_written, len);
        self.stored(state, partial, unit, value);
    }

    fn resumed(&self, state: &Arc<FileState>, told: &RangeSet, sound: &RangeSet) {
        tracing::info!(path = %state.path, bytes = state.work().resumed, "resumed");
        let missing: Vec<_> = told.iter().flat_map(|range| sound.gaps(range)).collect();
        self.ask(state, missing);
    }

    fn ask(&self, state: &Arc<FileState>, units: impl IntoIterator<Item = Range<u64>>) {
        let mut spans = Vec::new();
        for units in units.into_iter().filter(|units| !units.is_empty()) {
            spans.push(state.span(&units));
            state.work().ask(units);
        }
        if !spans.is_empty() {
            self.table().asked(state);
            let _ = self.events.send(Event::Ask(spans));
        }
    }

    /// The source of an entry changed while it was sent. What came of it belongs to no version of the file for certain;
    /// nothing more of it is taken, and its partial file is left for the entry that replaces it.
    pub(crate) fn give_up(&self, old: &Arc<FileState>, new: &FileState) {
        if !old.work().close() {
            // It has ended by itself and was told.
            return;
        }
        // Whoever writes a unit of it now is waited for; whoever comes later finds it closed.
        old.idle();
        let (partial, written) = {
            let mut work = old.work();
            work.doubt = None;
            (work.partial.take(), work.written)
        };
        if let Some(partial) = partial {
            self.names.forget(&partial);
            if new.size <= UNIT {
                partial.discard();
            }
        }
        self.names.release(&old.path);
        self.meter.gave_up(old.size, written);
        self.table().end(old, false);
        let _ = self.events.send(Event::Replaced(old.clone()));
    }
}

fn units_of(told: &[(u64, Value)]) -> RangeSet {
    let mut units = RangeSet::default();
    told.iter().for_each(|(unit, _)| units.insert(*unit..unit + 1));
    units
}

/// A few units, the first and the last among them.
fn samples(told: &RangeSet) -> RangeSet {
    let count: u64 = told.iter().map(|range| range.end - range.start).sum();
    let mut samples = RangeSet::default();
    for sample in 0..SAMPLES.min(count) {
        let mut index = sample * (count - 1) / (SAMPLES.min(count) - 1).max(1);
        for range in told.iter() {
            let len = range.end - range.start;
            if index < len {
                samples.insert(range.start + index..range.start + index + 1);
                break;
            }
            index -= len;
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)] // stretches are meant
    fn samples_are_few_and_hold_the_first_and_the_last() {
        for (ranges, expected) in [
            (vec![], vec![]),
            (vec![5..6], vec![5]),
            (vec![0..2, 9..10], vec![0, 1, 9]),
            (vec![0..8], (0..8).collect()),
            (vec![0..50, 100..150], vec![0, 14, 28, 42, 106, 120, 134, 149]),
        ] {
            let mut told = RangeSet::default();
            ranges.into_iter().for_each(|range: Range<u64>| told.insert(range));
            let found: Vec<u64> = samples(&told).iter().flatten().collect();
            assert_eq!(found, expected);
        }
    }
}
