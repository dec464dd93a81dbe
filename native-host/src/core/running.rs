//! Transfers and their workers: what the queue decides becomes orders, what workers report becomes progress.

use super::bandwidth::Share;
use super::unlock::EncryptedFiles;
use super::{ConnId, Core, Output, RunId};
use crate::logging::TRANSFER_LOG;
use crate::prompts::Purpose;
use crate::queue::{Effect, Outcome, TransferId};
use crate::settings::Settings;
use crate::store::{Change, Tree};
use crate::supervisor::{Ended, WorkerEvent};
use crate::time::Now;
use crate::transfers::{secrets_key, shortage};
use godwit_protocol::envelope::topics;
use godwit_protocol::ui::{Decision, Question, Shortage, TransferError, TransferStatus};
use godwit_protocol::worker::{Command, Failure, Report, ServerAddress, ServerIdentity, Start, Stats, TransferOptions};
use godwit_protocol::{ErrorCode, RateKbps};
use std::collections::VecDeque;
use std::time::Duration;

/// A worker that runs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: TransferId,
    began: Duration,
    /// Time that earlier runs took, ms.
    before_ms: u64,
    /// A certificate had been confirmed before this run began.
    pinned: bool,
    /// A worker was started: the server was asked.
    tried: bool,
    /// The saved password that it logs in with.
    saved: Option<String>,
    /// The user has been warned that the disk is too small.
    warned: bool,
    /// Encrypted files that it brought.
    encrypted: EncryptedFiles,
    /// Of the bandwidth limits.
    pub(super) share: Share,
}

impl Core {
    /// Carries out what the queue decided.
    pub(super) fn apply(&mut self, effects: Vec<Effect>, now: Now) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Changed { id } => self.status_changed(&id, now),
                Effect::Stop { run } => self.out.push(Output::TellWorker { run, command: Command::Stop }),
                Effect::Start { id, run, attempt } => {
                    let before_ms = self.transfers.get(&id).map_or(0, |t| t.standing.elapsed_ms);
                    let share = Share::default();
                    let begun = Run {
                        id: id.clone(),
                        began: now.mono,
                        before_ms,
                        pinned: false,
                        tried: false,
                        saved: None,
                        warned: false,
                        encrypted: EncryptedFiles::default(),
                        share,
                    };
                    self.runs.insert(run, begun);
                    match self.orders(&id, attempt) {
                        Ok((mut start, saved)) => {
                            if let Some(worker) = self.runs.get_mut(&run) {
                                worker.pinned = start.server.identity.pin.is_some();
                                worker.tried = true;
                                worker.saved = saved;
                            }
                            start.rate = self.widest_rate(run);
                            tracing::info!(target: TRANSFER_LOG, %id, attempt, run = run.0, "worker starts");
                            let runs = |id: &TransferId| self.queue.run(id).is_some();
                            if let Some(gone) = self.histories.began(&id, now.wall_ms, runs) {
                                self.drop_history(gone.as_str());
                            }
                            self.out.push(Output::StartWorker { run, start: Box::new(start) });
                            self.tell_share(run, now);
                        }
                        Err(failure) => effects.extend(self.run_ended(run, Ended::Failed(failure), now)),
                    }
                }
            }
        }
    }

    fn status_changed(&mut self, id: &TransferId, now: Now) {
        let Some(status) = self.queue.place(id).map(|p| p.status) else { return };
        if let Some(transfer) = self.transfers.get_mut(id) {
            let standing = &mut transfer.standing;
            let ended =
                matches!(status, TransferStatus::Completed | TransferStatus::Failed | TransferStatus::Cancelled);
            standing.ended_ms = if ended { now.wall_ms } else { 0 };
            if matches!(status, TransferStatus::Initiating | TransferStatus::Running) && standing.started_ms == 0 {
                standing.started_ms = now.wall_ms;
            }
            if matches!(status, TransferStatus::Running | TransferStatus::Completed | TransferStatus::Queued) {
                standing.error = None;
            }
            if status == TransferStatus::Completed {
                // Never needed again.
                self.changes.push(Change::Delete(Tree::Secrets, secrets_key(id)));
                self.tidy_later(id, now);
            }
            self.touch(id, now);
        }
        if matches!(status, TransferStatus::Completed | TransferStatus::Failed) {
            self.send_about(id, topics::ENDED);
            self.spool.transfer_ended();
        }
    }

    /// What a worker is told, and the saved password in it; or why none can be started.
    fn orders(&self, id: &TransferId, attempt: u32) -> Result<(Start, Option<String>), Failure> {
        let transfer = self.transfers.get(id).ok_or_else(|| Failure::new(ErrorCode::Internal, "no such transfer"))?;
        let (order, spec) = (&transfer.order, &transfer.order.spec);
        let (credential, saved) = self.login_of(id)?;
        let settings = self.settings.now();
        let fingerprint = spec.fingerprint.clone();
        let pin = if fingerprint.is_some() { None } else { self.pin(&order.session, &self.server_name(id)) };
        let start = Start {
            transfer_id: id.as_str().into(),
            attempt,
            direction: spec.direction,
            server: ServerAddress {
                host: spec.remote_host.clone(),
                data_port: spec.fasp_port,
                tcp_port: spec.ssh_port,
                user: spec.remote_user.clone(),
                credential,
                identity: ServerIdentity { fingerprint, pin },
            },
            paths: order.work.paths.clone(),
            destination_root: order.work.destination_root.clone(),
            create_dir: order.work.create_dir,
            options: TransferOptions {
                resume: spec.resume,
                overwrite: spec.overwrite,
                save_before_overwrite: spec.save_before_overwrite,
                preserve_times: spec.preserve_times,
                partial_suffix: settings.files.partial_suffix.clone(),
                checkpoint_suffix: settings.files.checkpoint_suffix.clone(),
                fsync: settings.files.fsync,
                replace_illegal: settings.files.replacement(),
            },
            rate: order.rate,
            sessions: sessions(settings, order.rate.target),
            cookie: spec.cookie.clone().unwrap_or_default(),
            root_id: spec.root_id(),
            protection: self.protection_of(id)?,
        };
        Ok((start, saved))
    }

    pub(super) fn server_name(&self, id: &TransferId) -> String {
        let spec = self.transfers.get(id).map(|t| &t.order.spec);
        spec.map(|s| format!("{}:{}", s.remote_host, s.fasp_port)).unwrap_or_default()
    }

    pub(super) fn pin(&self, session: &str, server: &str) -> Option<String> {
        let once = self.session_pins.get(&(session.to_owned(), server.to_owned()));
        self.pins.get(server).or(once).cloned()
    }

    pub(super) fn worker(&mut self, run: RunId, event: WorkerEvent, now: Now) {
        if self.probe_event(run, &event) || self.unlock_event(run, &event, now) {
            return;
        }
        let Some(id) = self.runs.get(&run).map(|r| r.id.clone()) else { return };
        match event {
            WorkerEvent::Spawned { pid } => tracing::debug!(target: TRANSFER_LOG, %id, run = run.0, pid, "worker runs"),
            WorkerEvent::Report(Report::Session { transport, server_version, granted, locks, .. }) => {
                tracing::info!(target: TRANSFER_LOG, %id, run = run.0, transport, server_version, "session");
                self.histories.accepted(&id, &transport, &server_version, granted, locks);
                self.limits_changed(&id);
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.standing.transport = transport;
                }
                if let Some(worker) = self.runs.get_mut(&run) {
                    worker.share.session = Some(now.mono);
                }
                self.tell_share(run, now);
                let effects = self.queue.session_began(&id, run);
                self.apply(effects, now);
                self.let_in(&id, now);
            }
            WorkerEvent::Report(Report::Stats(stats)) => {
                let short = shortage(&stats);
                self.progress(&id, run, stats, now);
                self.touch_progress(&id, now);
                if let Some(short) = short {
                    self.warn_of_shortage(&id, run, short);
                }
            }
            WorkerEvent::Report(Report::File(report)) => {
                if let Some(failure) = &report.error {
                    tracing::warn!(target: TRANSFER_LOG, %id, path = report.path, error = failure.message, "a file failed");
                }
                if let Some(worker) = self.runs.get_mut(&run) {
                    worker.encrypted.note(&report);
                }
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    transfer.file_ended(report);
                }
                self.touch_progress(&id, now);
            }
            WorkerEvent::Report(Report::Unlocked(unlocked)) => self.unlocked(&id, unlocked, now),
            // The supervisor keeps these back for the end.
            WorkerEvent::Report(Report::Done(_) | Report::Error(_)) => {}
            WorkerEvent::Ended(ended) => {
                let effects = self.run_ended(run, ended, now);
                self.apply(effects, now);
            }
        }
    }

    fn progress(&mut self, id: &TransferId, run: RunId, stats: Stats, now: Now) {
        let Some(worker) = self.runs.get_mut(&run) else { return };
        worker.share.used = stats.rate_kbps;
        let Some(transfer) = self.transfers.get_mut(id) else { return };
        let standing = &mut transfer.standing;
        let took = now.mono.saturating_sub(worker.began).as_millis();
        standing.elapsed_ms = worker.before_ms.saturating_add(u64::try_from(took).unwrap_or(u64::MAX));
        if stats.bytes_written > standing.high_water {
            standing.high_water = stats.bytes_written;
            self.queue.progressed(id, run);
        }
        standing.stats = stats;
        self.histories.progress(id, standing);
    }

    /// Once for each run: who reads it can free some space, and if not, error 25 keeps what has arrived.
    fn warn_of_shortage(&mut self, id: &TransferId, run: RunId, short: Shortage) {
        let Some(worker) = self.runs.get_mut(&run).filter(|worker| !worker.warned) else { return };
        worker.warned = true;
        tracing::warn!(target: TRANSFER_LOG, %id, needed = short.needed, free = short.free, "little room on the disk");
        self.send_about(id, topics::SHORTAGE);
    }

    fn run_ended(&mut self, run: RunId, ended: Ended, now: Now) -> Vec<Effect> {
        let Some(worker) = self.runs.get(&run) else { return Vec::new() };
        let id = worker.id.clone();
        let mut effects = Vec::new();
        let (outcome, error) = match ended {
            Ended::Done(stats) => {
                tracing::info!(target: TRANSFER_LOG, %id, bytes = stats.bytes_written, files = stats.files_completed, "transfer completed");
                self.progress(&id, run, stats, now);
                let encrypted = self.runs.get_mut(&run).map(|run| std::mem::take(&mut run.encrypted));
                self.keep_encrypted(&id, encrypted.unwrap_or_default());
                (Outcome::Done, None)
            }
            Ended::Failed(failure) => {
                tracing::warn!(target: TRANSFER_LOG, %id, code = failure.code.number(), error = failure.message, "session failed");
                self.session_failed(run, &id, failure, now, &mut effects)
            }
            Ended::Crashed(how) => {
                tracing::error!(target: TRANSFER_LOG, %id, run = run.0, how, "the worker crashed");
                (Outcome::Crashed, Some(Failure::new(ErrorCode::ConnectionLost, "the transfer process ended")))
            }
            Ended::Missing(why) => {
                let failure = Failure::new(ErrorCode::Internal, format!("Godwit is not installed completely: {why}"));
                (Outcome::Failed { retryable: false }, Some(failure))
            }
        };
        self.runs.remove(&run);
        self.histories.ended(&id, now.wall_ms, error.clone());
        self.save_history(&id);
        self.share_out(None, now);
        effects.extend(self.queue.ended(&id, run, outcome, now.mono));
        let status = self.queue.place(&id).map(|p| p.status);
        if matches!(status, None | Some(TransferStatus::Failed | TransferStatus::Completed)) {
            self.login_left(&id, now);
        }
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.standing.stats.rate_kbps = 0;
            if matches!(status, Some(TransferStatus::Failed | TransferStatus::WillRetry | TransferStatus::Initiating)) {
                transfer.standing.error = error.map(|e| TransferError { code: e.code, message: e.message });
            }
        }
        effects
    }

    fn session_failed(
        &mut self,
        run: RunId,
        id: &TransferId,
        failure: Failure,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> (Outcome, Option<Failure>) {
        let (pinned, tried, saved) =
            self.runs.get_mut(&run).map_or_else(Default::default, |r| (r.pinned, r.tried, r.saved.take()));
        let status = self.queue.place(id).map(|p| p.status);
        let wanted = matches!(status, Some(TransferStatus::Initiating | TransferStatus::Running));
        let outcome = match (failure.code, &failure.fingerprint) {
            // Told to stop by somebody else than us: as if it had died.
            (ErrorCode::UserCancel, _) if wanted && !self.closing => Outcome::Crashed,
            (ErrorCode::Insecure, Some(fingerprint)) if wanted && !pinned && self.ask_certificate(id, fingerprint) => {
                Outcome::NeedsAnswer
            }
            (ErrorCode::Authentication, _) if wanted => {
                if let Some(saved) = saved {
                    self.passwords.refused(&saved);
                }
                let (waits, on_others) = self.turned_away(id, tried);
                effects.extend(on_others);
                // The key ring may be unlocked any moment, as after the user has logged in.
                let retryable = !tried && self.key_is_away(id);
                if retryable {
                    self.look_for_keys(now);
                }
                if waits { Outcome::NeedsAnswer } else { Outcome::Failed { retryable } }
            }
            (ErrorCode::FileEncryption, _) if wanted && self.ask_passphrase(id) => Outcome::NeedsAnswer,
            (code, _) => Outcome::Failed { retryable: code.is_retryable() },
        };
        (outcome, Some(failure))
    }

    /// Asks about an unknown certificate, if the user can be asked and the page did not say what it must be.
    fn ask_certificate(&mut self, id: &TransferId, fingerprint: &str) -> bool {
        let Some(transfer) = self.transfers.get(id) else { return false };
        if transfer.order.spec.fingerprint.is_some() {
            return false;
        }
        let (origin, session) = (transfer.order.origin.clone(), transfer.order.session.clone());
        let of_session = self.clients.iter().filter(|(_, c)| c.session == session);
        let Some(window) = of_session.filter_map(|(conn, _)| self.window_of(*conn)).next() else { return false };
        let question = Question::ServerCertificate { server: self.server_name(id), fingerprint: fingerprint.into() };
        self.ask(window, &origin, question, Purpose::Certificate(id.clone()));
        true
    }

    pub(super) fn certificate_answered(
        &mut self,
        conn: ConnId,
        id: &TransferId,
        question: &Question,
        decision: &Decision,
        now: Now,
    ) {
        let Question::ServerCertificate { server, fingerprint } = question else { return };
        match decision {
            Decision::Allow { remember: true } => self.save_pin(server, fingerprint),
            Decision::Allow { remember: false } => {
                let session = self.session_of(conn);
                self.session_pins.insert((session, server.clone()), fingerprint.clone());
            }
            _ => return self.certificate_unanswered(id, now),
        }
        tracing::info!(target: TRANSFER_LOG, %id, server, fingerprint, "certificate confirmed by the user");
        self.error_forgotten(id);
        let effects = self.queue.answered(id, true);
        self.apply(effects, now);
        self.answer_alike(server, fingerprint, now);
    }

    /// Several transfers to one server ask the same; the answer to one is the answer to all.
    fn answer_alike(&mut self, server: &str, fingerprint: &str, now: Now) {
        let same = Question::ServerCertificate { server: server.to_owned(), fingerprint: fingerprint.to_owned() };
        let alike: Vec<_> = self
            .prompts
            .all(|a| a.prompt.question == same)
            .filter(|a| self.pin(&self.session_of(a.conn), server).as_deref() == Some(fingerprint))
            .filter_map(|a| match &a.purpose {
                Purpose::Certificate(id) => Some((a.conn, a.prompt.prompt_id.clone(), id.clone())),
                _ => None,
            })
            .collect();
        for (conn, prompt_id, id) in alike {
            self.close_prompt(conn, &prompt_id);
            self.error_forgotten(&id);
            let effects = self.queue.answered(&id, true);
            self.apply(effects, now);
        }
    }

    pub(super) fn error_forgotten(&mut self, id: &TransferId) {
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.standing.error = None;
        }
    }

    pub(super) fn certificate_unanswered(&mut self, id: &TransferId, now: Now) {
        let effects = self.queue.answered(id, false);
        self.apply(effects, now);
    }
}

/// Connections for one transfer: several only for those that want to be faster than one may be.
fn sessions(settings: &Settings, target: Option<RateKbps>) -> u32 {
    let sessions = &settings.sessions;
    let fast = target.is_some_and(|target| target > sessions.above_kbps);
    if sessions.enabled && fast { sessions.count } else { 1 }
}
