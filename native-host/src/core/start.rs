//! `transfers/start`: from a page's spec to a place in the queue.

use super::again::accepted;
use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Job, Ticket};
use crate::limits::MAX_TRANSFERS;
use crate::logging::TRANSFER_LOG;
use crate::queue::{Lane, TransferId};
use crate::store::{Change, Tree};
use crate::time::Now;
use crate::transfers::{Order, PlanError, Transfer, TransferOutput, Work, secrets_key};
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::spec::{ContentProtection, Direction, TransferSpec};
use godwit_protocol::start::StartRequest;
use godwit_protocol::worker::RateSettings;
use godwit_protocol::{Origin, Secret};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// The secrets of one transfer as they are sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passphrase: Option<Secret>,
}

impl Credentials {
    /// Takes them out of `spec`, which can be stored and shown then.
    pub(super) fn take(spec: &mut TransferSpec) -> Self {
        Self {
            password: spec.remote_password.take(),
            token: spec.token.take(),
            passphrase: spec.content_protection_passphrase.take(),
        }
    }

    /// Puts them back.
    pub(super) fn put(self, spec: &mut TransferSpec) {
        spec.remote_password = self.password;
        spec.token = self.token;
        spec.content_protection_passphrase = self.passphrase;
    }
}

impl Core {
    pub(super) fn start_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        body: String,
        deadline: Option<Duration>,
    ) {
        let request = match StartRequest::from_body(&body) {
            Ok(request) => Box::new(request),
            Err(error) => return self.answer(conn, id, &super::page_calls::bad_body(&error)),
        };
        if let Some(output) = self.started_before(&origin, &request.settings) {
            return self.answer(conn, id, &accepted(output));
        }
        if let Err(answer) = self.judge_start(&request) {
            return self.answer(conn, id, &answer);
        }
        if self.asks_where(&request) {
            return self.ask_where(conn, id, origin, &request, body, deadline);
        }
        let downloads = self.downloads();
        self.plan_start(conn, id, origin, request, downloads, deadline);
    }

    /// Has the disk asked; relative downloads go below `downloads`.
    pub(super) fn plan_start(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        request: Box<StartRequest>,
        downloads: PathBuf,
        deadline: Option<Duration>,
    ) {
        let grants = self.grants.of(&self.session_of(conn), &origin);
        let wanted = Wanted::Page { origin, endpoint: Endpoint::Start, body: String::new(), stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        self.out.push(super::Output::Job(Job::Plan { ticket, request, grants, downloads }));
    }

    fn judge_start(&self, request: &StartRequest) -> Result<(), PageAnswer> {
        if self.closing {
            return Err(PageAnswer::error(503, "the agent ends", "Godwit is being closed. Try again in a moment."));
        }
        if request.settings.app_id.is_empty() {
            return Err(PageAnswer::error(400, "app_id is missing", "Invalid request"));
        }
        if self.transfers.len() >= MAX_TRANSFERS {
            let words = "The list of transfers is full. Remove some that have ended.";
            return Err(PageAnswer::error(507, "too many transfers", words));
        }
        super::protection::judge(request)
    }

    pub(super) fn downloads(&self) -> PathBuf {
        self.settings.now().downloads.folder.clone().unwrap_or_else(|| self.home.downloads.clone())
    }

    pub(super) fn planned(&mut self, ticket: Ticket, request: StartRequest, result: Result<Work, PlanError>, now: Now) {
        // Given up meanwhile: then nobody would know of the transfer.
        let Some(waiting) = self.take_waiting(ticket) else { return };
        let Wanted::Page { origin, .. } = waiting.what else { return };
        let answer = match result {
            Ok(work) => self.add_transfer(waiting.conn, &origin, request, work, now),
            Err(error) => Err(plan_refused(&error)),
        };
        let answer = answer.map_or_else(|error| error, accepted);
        self.answer(waiting.conn, waiting.id, &answer);
    }

    fn add_transfer(
        &mut self,
        conn: ConnId,
        origin: &Origin,
        request: StartRequest,
        work: Work,
        now: Now,
    ) -> Result<TransferOutput, PageAnswer> {
        // Again: others may have been added while the disk was asked, this one among them.
        if let Some(output) = self.started_before(origin, &request.settings) {
            return Ok(output);
        }
        self.judge_start(&request)?;
        let StartRequest { mut spec, settings } = request;
        let copied = work.paths.first().is_some_and(|p| self.spool.of_path(&p.source).is_some());
        // Nothing to open: a copy goes with its transfer.
        let work = if copied { Work { folder: None, ..work } } else { work };
        let credentials = Credentials::take(&mut spec);
        let id = TransferId::new((self.new_id)());
        self.keep_credentials(&id, &credentials)?;
        let rate = rate_of(&spec);
        let title = title(&spec, &work);
        let lane = lane(spec.direction);
        tracing::info!(target: TRANSFER_LOG, %id, %origin, direction = ?spec.direction, host = spec.remote_host, "transfer added");
        let protected_by_user = self.protects(&spec);
        if protected_by_user {
            spec.content_protection = Some(ContentProtection::Encrypt);
        }
        let order = Order {
            origin: origin.clone(),
            session: self.session_of(conn),
            settings,
            spec,
            work,
            rate,
            title,
            added_ms: now.wall_ms,
            protected_by_user,
        };
        self.transfers.insert(id.clone(), Transfer::new(order));
        self.fresh.push(id.clone());
        let effects = self.queue.add(id.clone(), lane);
        self.touch_order(&id, now);
        self.apply(effects, now);
        self.output(&id).ok_or_else(|| PageAnswer::error(500, "transfer vanished", "An internal error."))
    }

    pub(super) fn output(&self, id: &TransferId) -> Option<TransferOutput> {
        let attempts = self.queue.place(id)?.attempts;
        Some(TransferOutput::new(id, self.transfers.get(id)?, attempts))
    }

    /// Seals the credentials for the next [`Core::save`].
    pub(super) fn keep_credentials(&mut self, id: &TransferId, secrets: &Credentials) -> Result<(), PageAnswer> {
        let key = secrets_key(id);
        if *secrets == Credentials::default() {
            self.changes.push(Change::Delete(Tree::Secrets, key));
            return Ok(());
        }
        let sealed = serde_json::to_vec(secrets).map_err(|e| e.to_string()).and_then(|plain| {
            let plain = Zeroizing::new(plain);
            self.vault.seal(&key, &plain).map_err(|e| e.to_string())
        });
        match sealed {
            Ok(bytes) => {
                self.changes.push(Change::Put(Tree::Secrets, key, bytes));
                Ok(())
            }
            Err(error) => {
                tracing::error!(target: TRANSFER_LOG, %id, error, "credentials could not be sealed");
                Err(PageAnswer::error(500, &error, "The password could not be kept safely, so nothing was started."))
            }
        }
    }

    /// The credentials of a transfer; the error is for the user.
    pub(super) fn credentials(&self, id: &TransferId) -> Result<Credentials, String> {
        let Some(plain) = self.secret(&secrets_key(id))? else { return Ok(Credentials::default()) };
        serde_json::from_slice(&plain).map_err(|_| "a stored password cannot be read".to_owned())
    }

    /// A sealed record, opened; the error is for the user.
    pub(super) fn secret(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let pending = self.changes.iter().rev().find_map(|change| match change {
            Change::Put(Tree::Secrets, k, bytes) if k == key => Some(Some(bytes.clone())),
            Change::Delete(Tree::Secrets, k) if k == key => Some(None),
            _ => None,
        });
        let sealed = match pending {
            Some(sealed) => sealed,
            None => self.store.get(Tree::Secrets, key).map_err(|e| e.to_string())?,
        };
        let Some(sealed) = sealed else { return Ok(None) };
        self.vault.unseal(key, &sealed).map(Some).map_err(|e| e.to_string())
    }
}

/// The limits that a spec asks for.
pub(super) fn rate_of(spec: &TransferSpec) -> RateSettings {
    RateSettings {
        policy: spec.rate_policy,
        target: spec.target_rate_kbps,
        minimum: spec.min_rate_kbps,
        cap: spec.target_rate_cap_kbps,
    }
}

/// Which of the queue's lanes a direction is.
pub(super) fn lane(direction: Direction) -> Lane {
    match direction {
        Direction::Receive => Lane::Download,
        Direction::Send => Lane::Upload,
    }
}

fn title(spec: &TransferSpec, work: &Work) -> String {
    if let Some(title) = spec.title.as_ref().filter(|t| !t.is_empty()) {
        return title.clone();
    }
    let first = work.paths.first();
    let path = first.map(|p| p.destination.as_deref().unwrap_or(&p.source)).unwrap_or_default();
    let name = Path::new(path).file_name().map(|n| n.to_string_lossy().into_owned());
    name.unwrap_or_else(|| spec.remote_host.clone())
}

fn plan_refused(error: &PlanError) -> PageAnswer {
    let words = error.to_string();
    match error {
        PlanError::NotChosen(_) => PageAnswer::error(406, "not chosen by the user", &words),
        PlanError::Spec(_) | PlanError::Name(_) => PageAnswer::error(400, "bad-request", &words),
        PlanError::Downloads(..) => PageAnswer::error(500, "download folder", &words),
    }
}
