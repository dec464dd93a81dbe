//! The last resort for what was dropped on a page and is no file of this machine: its bytes, out of the browser.
//!
//! The extension's relay reads them from the file object of the very drop; a page can send none. It could read them itself, so
//! they are no secret from it: the question is asked because they take room on the user's disk.

use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, Ticket};
use crate::prompts::Purpose;
use crate::queue::TransferId;
use crate::spool::can_be_copied;
use crate::time::Now;
use crate::transfers::Transfer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::envelope::codes;
use godwit_protocol::page::Dropped;
use godwit_protocol::ui::{Decision, DroppedPart, MAX_DROPPED_PART, Question, TransferStatus};
use serde_json::json;
use std::time::{Duration, UNIX_EPOCH};

/// Most names that the question shows.
const MAX_SHOWN: usize = 100;

impl Core {
    /// Offers to copy what the user has not found either; false if that is not to be.
    pub(super) fn offer_copy(&mut self, ticket: Ticket, now: Now) -> bool {
        let limit = self.settings.now().dialogs.copy_limit_mib.saturating_mul(1024 * 1024);
        let Some(call) = self.waiting.get(&ticket).map(|w| w.id) else { return false };
        let Some(dropped) = self.drops.get_mut(&ticket) else { return false };
        if limit == 0 || !dropped.missing || !can_be_copied(&dropped.seen) {
            return false;
        }
        let question = Question::DroppedCopy {
            call,
            names: dropped.seen.iter().take(MAX_SHOWN).map(|d| d.name.clone()).collect(),
            sizes: dropped.seen.iter().map(|d| d.size).collect(),
            limit,
        };
        if total(&dropped.seen) <= limit {
            let id = (self.new_id)();
            self.spool.begin(&id, dropped.seen.clone(), now.mono);
            dropped.copy = Some(id);
        }
        self.ask_for_call(ticket, question);
        true
    }

    /// The copied files, if the answer is yes and all of them are there.
    pub(super) fn copied(&mut self, ticket: Ticket, decision: &Decision) -> Option<Vec<String>> {
        let id = self.drops.get(&ticket)?.copy.as_ref()?;
        if matches!(decision, Decision::Allow { .. }) { self.spool.complete(id) } else { None }
    }

    /// Why this is no answer yet.
    pub(super) fn judge_copy(
        &self,
        purpose: &Purpose,
        question: &Question,
        decision: &Decision,
    ) -> Result<(), &'static str> {
        let Purpose::Dialog(ticket) = purpose else { return Ok(()) };
        if !matches!((question, decision), (Question::DroppedCopy { .. }, Decision::Allow { .. })) {
            return Ok(());
        }
        let copy = self.drops.get(ticket).and_then(|d| d.copy.as_ref());
        if copy.is_some_and(|id| self.spool.complete(id).is_some()) { Ok(()) } else { Err("The copy is not complete.") }
    }

    /// `ui.dropped-part`
    pub(super) fn dropped_part(&mut self, conn: ConnId, id: u64, part: DroppedPart, deadline: Option<Duration>) {
        let open = self.prompts.open(conn).filter(|a| a.prompt.prompt_id == part.prompt_id);
        let copy = match open.map(|a| &a.purpose) {
            Some(Purpose::Dialog(ticket)) => self.drops.get(ticket).and_then(|d| d.copy.clone()),
            _ => None,
        };
        let Some(copy) = copy else {
            return self.refuse(conn, id, codes::NOT_FOUND, "Nothing is being copied for this question.");
        };
        let bytes = match STANDARD.decode(&part.data) {
            Ok(bytes) if bytes.len() <= MAX_DROPPED_PART => bytes,
            _ => return self.refuse(conn, id, codes::BAD_REQUEST, "The part is no base64 of the right length."),
        };
        match self.spool.part(&copy, part.file, part.offset, bytes.len() as u64) {
            Ok(slot) => {
                let ticket = self.wait(conn, id, deadline, Wanted::Window);
                self.parts.insert(ticket, copy);
                self.out.push(Output::Job(Job::Spool { ticket, slot, bytes }));
            }
            Err(why) => self.refuse(conn, id, codes::BAD_REQUEST, why),
        }
    }

    /// A part was written, or its disk is full, or does not answer.
    pub(super) fn part_written(&mut self, ticket: Ticket, result: Result<u64, String>) {
        if let Some(copy) = self.parts.remove(&ticket) {
            self.spool.written(&copy, result.as_ref().ok().copied());
        }
        let Some(waiting) = self.take_waiting(ticket) else { return };
        match result {
            Ok(_) => self.respond(waiting.conn, waiting.id, json!({})),
            Err(why) => self.refuse(waiting.conn, waiting.id, codes::INTERNAL, &why),
        }
    }

    /// The disk did not answer: what it will do with the part yet, nobody knows, so this copy never becomes whole.
    pub(super) fn part_lost(&mut self, ticket: Ticket) {
        if let Some(copy) = self.parts.remove(&ticket) {
            self.spool.drop_unless_given(&copy);
            self.spool.written(&copy, None);
        }
    }

    /// Page calls about drops that are over, with copies that nobody was given.
    pub(super) fn forget_drops(&mut self) {
        let (waiting, spool) = (&self.waiting, &mut self.spool);
        self.drops.retain(|ticket, dropped| {
            let stays = waiting.contains_key(ticket);
            if let Some(copy) = dropped.copy.as_ref().filter(|_| !stays) {
                spool.drop_unless_given(copy);
            }
            stays
        });
    }

    /// At the start: what earlier agents copied goes, but for what transfers in the queue still need.
    pub(super) fn clear_spool(&mut self, now: Now) {
        for (id, status) in self.uses_of_copies() {
            if status != TransferStatus::Completed {
                self.spool.restore(&id, now.mono);
            }
        }
        let keep = self.spool.ids();
        let before = UNIX_EPOCH + Duration::from_millis(now.wall_ms);
        self.out.push(Output::Job(Job::ClearSpool { root: self.spool.root().to_owned(), keep, before }));
    }

    /// Has the copies removed that nobody needs any more.
    pub(super) fn sweep_spool(&mut self, now: Now) {
        if !self.spool.wants_sweep(now.mono) {
            return;
        }
        let gone = self.spool.sweep(now.mono, &self.uses_of_copies());
        if !gone.is_empty() {
            self.out.push(Output::Job(Job::Unspool(gone)));
        }
    }

    fn uses_of_copies(&self) -> Vec<(String, TransferStatus)> {
        let of = |(id, transfer): (&TransferId, &Transfer)| {
            let status = self.queue.place(id)?.status;
            let uses = transfer.order.work.paths.iter().filter_map(|p| self.spool.of_path(&p.source));
            Some(uses.map(|copy| (copy, status)).collect::<Vec<_>>())
        };
        self.transfers.iter().filter_map(of).flatten().collect()
    }
}

/// Bytes of all together.
fn total(files: &[Dropped]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
}
