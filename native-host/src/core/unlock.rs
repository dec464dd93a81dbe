//! Files that stayed encrypted when their download completed: which they are, and the worker that decrypts them when the user
//! wants it.
//!
//! The names stand in a record of their own, which is read only for this: a list of ten thousand transfers stays small in memory.

use super::{ConnId, Core, Output, RunId};
use crate::logging::TRANSFER_LOG;
use crate::prompts::Purpose;
use crate::queue::TransferId;
use crate::store::{Change, Tree, decode};
use crate::supervisor::{Ended, WorkerEvent};
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::spec::Direction;
use godwit_protocol::ui::{Decision, Question, TransferStatus, Unlocking};
use godwit_protocol::worker::{Command, ENCRYPTED_SUFFIX, FileOutcome, FileReport, Report, Unlock, Unlocked};
use godwit_protocol::{ErrorCode, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Form of [`EncryptedFiles`] as it is stored.
const FORM: u32 = 1;
/// Most bytes of names that are remembered for one transfer: as JSON they must fit a worker's line.
const MAX_NAMES: usize = 1024 * 1024;

/// A worker that decrypts.
#[derive(Debug)]
pub(super) struct Run {
    id: TransferId,
    /// Where the passphrase was asked.
    conn: ConnId,
}

/// What arrived encrypted, by its names.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EncryptedFiles {
    /// Relative to the folder of the download.
    paths: Vec<String>,
    /// Further ones, for whose names there is no room.
    more: u64,
    #[serde(skip)]
    bytes: usize,
}

impl EncryptedFiles {
    /// A file has ended.
    pub(super) fn note(&mut self, file: &FileReport) {
        if file.outcome == FileOutcome::Failed || !file.path.ends_with(ENCRYPTED_SUFFIX) {
            return;
        }
        self.bytes = self.bytes.saturating_add(file.path.len());
        if self.bytes > MAX_NAMES {
            self.more += 1;
        } else {
            self.paths.push(file.path.clone());
        }
    }

    fn count(&self) -> u64 {
        self.paths.len() as u64 + self.more
    }
}

impl Core {
    /// A transfer has completed and brought these.
    pub(super) fn keep_encrypted(&mut self, id: &TransferId, files: EncryptedFiles) {
        let Some(transfer) = self.transfers.get_mut(id) else { return };
        if transfer.order.spec.direction != Direction::Receive || files.count() == 0 {
            return;
        }
        // Nobody wanted them decrypted, or what could be decrypted is.
        let unlocked = transfer.standing.unlocked.get_or_insert_with(|| still(files.count()));
        if unlocked.kept > 0 {
            self.put(Tree::Encrypted, id.as_str().to_owned(), FORM, &files);
        }
    }

    fn encrypted(&self, id: &TransferId) -> Option<EncryptedFiles> {
        let failed = |error: &_| tracing::error!(%id, %error, "the names cannot be read");
        let bytes = self.store.get(Tree::Encrypted, id.as_str()).inspect_err(failed).ok().flatten()?;
        decode(FORM, &bytes).inspect_err(|error| tracing::error!(%id, %error, "the names cannot be read")).ok()
    }

    /// `ui.unlock`
    pub(super) fn unlock(&mut self, conn: ConnId, id: u64, of: &TransferId) {
        let status = self.queue.place(of).map(|p| p.status);
        let Some(transfer) = self.transfers.get(of) else {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such transfer.");
        };
        let kept = transfer.standing.unlocked.as_ref().is_some_and(|u| u.kept > 0);
        if status != Some(TransferStatus::Completed) || !kept || self.encrypted(of).is_none() {
            let why = "None of its files is known to be encrypted.";
            return self.refuse_word(conn, id, codes::BAD_REQUEST, "not-encrypted", why);
        }
        if let Some(window) = self.window_of(conn) {
            self.ask_to_unlock(window, of, false);
        }
        self.respond(conn, id, json!({}));
    }

    /// Asks for the passphrase, unless that is asked there already or the files are being decrypted.
    fn ask_to_unlock(&mut self, window: ConnId, id: &TransferId, wrong: bool) {
        let Some(transfer) = self.transfers.get(id) else { return };
        let purpose = Purpose::Unlock(id.clone());
        let asked = self.prompts.find(|a| a.conn == window && a.purpose == purpose).is_some();
        if asked || self.unlocks.values().any(|run| run.id == *id) {
            return;
        }
        let (origin, unlocks) = (transfer.order.origin.clone(), Some(transfer.order.title.clone()));
        let server = self.server_name(id);
        let question = Question::Passphrase { server, creates: false, can_skip: false, unlocks, wrong };
        self.ask(window, &origin, question, purpose);
    }

    pub(super) fn unlock_decided(&mut self, conn: ConnId, id: &TransferId, decision: Decision) {
        let Decision::Passphrase { passphrase } = decision else { return };
        if !self.unlocks.values().any(|run| run.id == *id) {
            self.start_unlocking(conn, id, passphrase);
        }
    }

    fn start_unlocking(&mut self, conn: ConnId, id: &TransferId, passphrase: Secret) {
        let Some(files) = self.encrypted(id) else { return };
        let Some(transfer) = self.transfers.get_mut(id) else { return };
        // As with logins that are tried: no run of the queue has such a number.
        let run = RunId(super::probe::FIRST_PROBE + self.next_ticket);
        self.next_ticket += 1;
        let folder = transfer.order.work.destination_root.clone();
        tracing::info!(target: TRANSFER_LOG, %id, run = run.0, files = files.paths.len(), "decrypting what arrived");
        transfer.unlocking = Some(Unlocking::default());
        self.unlocks.insert(run, Run { id: id.clone(), conn });
        let unlock = Unlock { folder, paths: files.paths, passphrase };
        self.out.push(Output::Unlock { run, unlock: Box::new(unlock) });
        self.transfer_changed(id);
    }

    /// True if the run was one that decrypts.
    pub(super) fn unlock_event(&mut self, run: RunId, event: &WorkerEvent, now: Now) -> bool {
        let Some(Run { id, conn }) = self.unlocks.get(&run) else { return false };
        let (id, conn) = (id.clone(), *conn);
        match event {
            WorkerEvent::Report(Report::Stats(stats)) => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.unlocking = Some(Unlocking { done: stats.bytes_written, total: stats.bytes_expected });
                    self.transfer_changed(&id);
                }
            }
            WorkerEvent::Report(Report::Unlocked(told)) => self.decrypted(&id, told.clone(), now),
            WorkerEvent::Ended(ended) => {
                self.unlocks.remove(&run);
                self.unlocking_ended(&id, ended, now);
                let unlocked = self.transfers.get(&id).and_then(|t| t.standing.unlocked.as_ref());
                let wrong = unlocked.is_some_and(|u| u.kept > 0 && u.wrong_passphrase);
                if wrong && matches!(ended, Ended::Done(_)) && self.clients.contains_key(&conn) {
                    self.ask_to_unlock(conn, &id, true);
                }
            }
            WorkerEvent::Spawned { .. } | WorkerEvent::Report(_) => {}
        }
        true
    }

    fn decrypted(&mut self, id: &TransferId, mut told: Unlocked, now: Now) {
        let more = self.encrypted(id).map_or(0, |files| files.more);
        let Some(transfer) = self.transfers.get_mut(id) else { return };
        tracing::info!(target: TRANSFER_LOG, %id, opened = told.opened, kept = told.kept, why = told.why, "files decrypted");
        if more > 0 {
            told.kept = told.kept.saturating_add(more);
            told.why
                .get_or_insert_with(|| format!("{more} are too many to be remembered; godwit unlock decrypts them"));
        }
        let before = transfer.standing.unlocked.take().unwrap_or_default();
        told.opened = told.opened.saturating_add(before.opened);
        if told.kept == 0 {
            self.changes.push(Change::Delete(Tree::Encrypted, id.as_str().to_owned()));
        }
        transfer.standing.unlocked = Some(told);
        self.touch(id, now);
    }

    fn unlocking_ended(&mut self, id: &TransferId, ended: &Ended, now: Now) {
        let Some(transfer) = self.transfers.get_mut(id) else { return };
        transfer.unlocking = None;
        let why = match ended {
            Ended::Done(_) => None,
            // We did that.
            Ended::Failed(failure) if failure.code == ErrorCode::UserCancel => None,
            Ended::Failed(failure) => Some(failure.message.clone()),
            Ended::Crashed(_) => Some("the process that decrypts has ended".to_owned()),
            Ended::Missing(why) => Some(format!("Godwit is not installed completely: {why}")),
        };
        if let Some(why) = why {
            tracing::error!(target: TRANSFER_LOG, %id, why, "the files could not be decrypted");
            let unlocked = transfer.standing.unlocked.get_or_insert_default();
            (unlocked.why, unlocked.wrong_passphrase) = (Some(why), false);
        }
        self.touch(id, now);
    }

    /// True while they are decrypted, or the passphrase is asked.
    pub(super) fn is_unlocking(&self, id: &TransferId) -> bool {
        self.unlocks.values().any(|run| run.id == *id)
            || self.prompts.find(|a| matches!(&a.purpose, Purpose::Unlock(of) if of == id)).is_some()
    }

    /// Ends the workers of one transfer, or of all.
    pub(super) fn stop_unlocking(&mut self, of: Option<&TransferId>) {
        let theirs = self.unlocks.iter().filter(|(_, run)| of.is_none_or(|id| run.id == *id));
        self.out.extend(theirs.map(|(run, _)| Output::TellWorker { run: *run, command: Command::Stop }));
    }
}

/// Nobody has tried.
fn still(kept: u64) -> Unlocked {
    Unlocked { kept, ..Unlocked::default() }
}
