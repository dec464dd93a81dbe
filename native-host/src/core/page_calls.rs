//! The page API: from a call to what it asks, once its site may ask.

use super::clients::no_window;
use super::consent::denied;
use super::{ConnId, Core};
use crate::queue::TransferId;
use crate::time::Now;
use crate::transfers::{removed_info, transfer_info};
use godwit_protocol::Origin;
use godwit_protocol::envelope::codes;
use godwit_protocol::page::{API_VERSION, Endpoint, PageAnswer, PageCall};
use godwit_protocol::start::{BodyError, ConnectSettings, parse_body};
use godwit_protocol::trust::Verdict;
use serde_json::{Value, json};
use std::time::Duration;

impl Core {
    pub(super) fn page_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        call: PageCall,
        deadline_ms: Option<u64>,
        now: Now,
    ) {
        if !self.rate_limit.admit(&origin, now) {
            let answer = PageAnswer::error(429, "rate limit", "The page asks too often. Try again in a moment.");
            return self.answer(conn, id, &answer);
        }
        let endpoint = match Endpoint::route(&call.method, &call.uri) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let answer = PageAnswer::error(error.status(), &error.to_string(), "Invalid request");
                return self.answer(conn, id, &answer);
            }
        };
        let answer = match &endpoint {
            Endpoint::Version => Some(version()),
            Endpoint::Ping => Some(PageAnswer::ok(&json!({}))),
            // There is nothing to prepare, so it needs nobody's consent.
            Endpoint::InitDragDrop => Some(PageAnswer::ok(&json!({}))),
            Endpoint::UpdateRequire => Some(self.update_required(conn, &origin, &call.body, now)),
            _ => None,
        };
        if let Some(answer) = answer {
            return self.answer(conn, id, &answer);
        }
        let mut call = call;
        if endpoint == Endpoint::DroppedFiles {
            call.body = super::drops::with_witness(&call.body, &call.dropped);
        }
        let dialog_ms = call.timeout.filter(|_| is_dialog(&endpoint));
        let wait_ms = [deadline_ms, dialog_ms].into_iter().flatten().min();
        let deadline = self.deadline(wait_ms, now);
        let verdict = self.trust.verdict(&self.session_of(conn), &origin, now);
        // The user is not asked twice about one transfer.
        if endpoint == Endpoint::Start
            && verdict == Verdict::Allow
            && let Some(answer) = self.answered_before(&origin, &call.body)
        {
            return self.answer(conn, id, &answer);
        }
        if endpoint == Endpoint::Start && verdict != Verdict::Deny && self.asks_each_start(&origin) {
            return self.ask_about_start(conn, id, origin, call.body, deadline);
        }
        match verdict {
            Verdict::Allow => self.allowed_call(conn, id, origin, endpoint, call.body, deadline, now),
            // A page may poll before it asks for anything; it must not learn or cause anything by that.
            Verdict::Deny | Verdict::Ask if endpoint == Endpoint::Activity => {
                let nothing = json!({"iteration_token": 0, "result_count": 0, "transfers": []});
                self.answer(conn, id, &PageAnswer::ok(&nothing));
            }
            Verdict::Deny => self.answer(conn, id, &denied(&origin)),
            Verdict::Ask => self.ask_consent(conn, id, origin, endpoint, call.body, deadline),
        }
    }

    /// A call of a site that may use Godwit.
    #[expect(clippy::too_many_arguments, reason = "a call is its parts; they come from two places")]
    pub(super) fn allowed_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: String,
        deadline: Option<Duration>,
        now: Now,
    ) {
        match endpoint {
            Endpoint::Start => return self.start_call(conn, id, origin, body, deadline),
            Endpoint::ReadFile | Endpoint::ReadChunk | Endpoint::Checksum => {
                return self.file_call(conn, id, origin, endpoint, &body, deadline);
            }
            Endpoint::TestPorts | Endpoint::Authenticate => {
                return self.probe_call(conn, id, origin, endpoint, &body, deadline, now);
            }
            Endpoint::DroppedFiles => return self.drop_call(conn, id, origin, &body, deadline),
            Endpoint::SelectFiles | Endpoint::SelectFolders | Endpoint::SelectSave => {
                return self.dialog_call(conn, id, origin, endpoint, body, deadline);
            }
            _ => {}
        }
        let answer = match self.quick_call(conn, &origin, &endpoint, &body, now) {
            Ok(result) => PageAnswer::ok(&result),
            Err(answer) => answer,
        };
        self.answer(conn, id, &answer);
    }

    /// Calls that can be answered at once.
    fn quick_call(
        &mut self,
        conn: ConnId,
        origin: &Origin,
        endpoint: &Endpoint,
        body: &str,
        now: Now,
    ) -> Result<Value, PageAnswer> {
        let body = parse_body(body).map_err(|e| bad_body(&e))?;
        let app_id = || {
            ConnectSettings::from_body(&body)
                .map(|settings| settings.app_id)
                .map_err(|e| PageAnswer::error(400, &e.to_string(), "Invalid request"))
        };
        match endpoint {
            Endpoint::Activity => self.activity(origin, &app_id()?, &body),
            Endpoint::Info(uuid) => {
                let id = self.owned(origin, &app_id()?, uuid)?;
                let info = self.info(&id).ok_or_else(not_found)?;
                Ok(json!({"transfer_info": info}))
            }
            Endpoint::Stop(uuid) => {
                let id = self.owned(origin, &app_id()?, uuid)?;
                self.stop_transfer(&id, now).map_err(refused)?;
                Ok(json!({}))
            }
            Endpoint::Remove(uuid) => {
                let id = self.owned(origin, &app_id()?, uuid)?;
                self.remove_transfer(&id, now).map_err(refused)?;
                Ok(json!({}))
            }
            Endpoint::Resume(uuid) => {
                let id = self.owned(origin, &app_id()?, uuid)?;
                self.resume_with(&id, &body, now)
            }
            Endpoint::Modify(uuid) => {
                let id = self.owned(origin, &app_id()?, uuid)?;
                self.modify(&id, &body, now)
            }
            Endpoint::About => self.show(conn, "about", ""),
            Endpoint::Preferences(page) => self.show(conn, "preferences", page.as_deref().unwrap_or_default()),
            Endpoint::TransferManager => self.show(conn, "activity", ""),
            Endpoint::TransferMonitor(uuid) => {
                let id = self.of_site(origin, uuid)?;
                self.show(conn, "monitor", id.as_str())
            }
            Endpoint::Finder(uuid) => {
                let id = self.of_site(origin, uuid)?;
                self.reveal(conn, &id).map_err(|why| PageAnswer::error(404, why, why))?;
                Ok(json!({}))
            }
            // Answered before they come here.
            _ => Err(PageAnswer::error(500, "misrouted", "An internal error.")),
        }
    }

    /// A page wants a newer version than this. The user hears of it only from a site that may use Godwit; which that is, the
    /// page does not learn from the answer.
    fn update_required(&mut self, conn: ConnId, origin: &Origin, body: &str, now: Now) -> PageAnswer {
        let body = match parse_body(body) {
            Ok(body) => body,
            Err(error) => return bad_body(&error),
        };
        let wanted = body.get("min_version").and_then(Value::as_str).unwrap_or_default();
        let allowed = self.trust.verdict(&self.session_of(conn), origin, now) == Verdict::Allow;
        if allowed
            && is_newer(wanted, API_VERSION)
            && let Some(window) = self.window_of(conn)
        {
            self.open_page(window, "about", "update");
        }
        PageAnswer::ok(&json!({}))
    }

    fn show(&mut self, conn: ConnId, page: &str, argument: &str) -> Result<Value, PageAnswer> {
        let Some(window) = self.window_of(conn) else { return Err(no_window()) };
        self.open_page(window, page, argument);
        Ok(json!({}))
    }

    fn activity(&self, origin: &Origin, app_id: &str, body: &Value) -> Result<Value, PageAnswer> {
        if app_id.is_empty() {
            return Err(PageAnswer::error(404, "no app_id", "Invalid request"));
        }
        let asked = match body.get("iteration_token") {
            None | Some(Value::Null) => 0,
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            Some(value) => value.as_u64().unwrap_or(0),
        };
        // A token from the future comes from a database that was lost.
        let token = self.news.last();
        let since = if asked > token { 0 } else { asked };
        let told = |id: &TransferId| match (self.transfers.get(id), self.tombstones.get(id)) {
            (Some(own), _) if own.belongs_to(origin, app_id) => Some(transfer_info(id, own, self.queue.place(id)?)),
            (None, Some(gone)) if since > 0 && gone.origin == *origin && gone.app_id == app_id => {
                Some(removed_info(id.as_str(), gone))
            }
            _ => None,
        };
        let transfers: Vec<Value> = self.news.since(since).filter_map(told).collect();
        Ok(json!({"iteration_token": token, "result_count": transfers.len(), "transfers": transfers}))
    }

    pub(super) fn info(&self, id: &TransferId) -> Option<Value> {
        Some(transfer_info(id, self.transfers.get(id)?, self.queue.place(id)?))
    }

    /// The transfer, if it is this site's and application's; a stranger's is as good as none.
    fn owned(&self, origin: &Origin, app_id: &str, uuid: &str) -> Result<TransferId, PageAnswer> {
        let id = TransferId::new(uuid);
        let own = self.transfers.get(&id).is_some_and(|t| t.belongs_to(origin, app_id));
        if own { Ok(id) } else { Err(not_found()) }
    }

    /// For calls without a body, which cannot name their application.
    fn of_site(&self, origin: &Origin, uuid: &str) -> Result<TransferId, PageAnswer> {
        let id = TransferId::new(uuid);
        let own = self.transfers.get(&id).is_some_and(|t| t.order.origin == *origin);
        if own { Ok(id) } else { Err(not_found()) }
    }

    /// Opens the folder of a transfer on the caller's screen.
    pub(super) fn reveal(&mut self, conn: ConnId, id: &TransferId) -> Result<(), &'static str> {
        let folder = self.transfers.get(id).and_then(|t| t.order.work.folder.clone());
        let folder = folder.ok_or("This transfer has no folder on this machine.")?;
        let environment = self.clients.get(&conn).map(|c| c.environment.clone()).unwrap_or_default();
        self.out.push(super::Output::OpenFolder(folder, environment));
        Ok(())
    }
}

fn is_dialog(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::SelectFiles | Endpoint::SelectFolders | Endpoint::SelectSave)
}

fn version() -> PageAnswer {
    PageAnswer::ok(&json!({
        "version": API_VERSION,
        "system_wide": false,
        "product": "godwit",
        "product_version": env!("CARGO_PKG_VERSION"),
    }))
}

/// As the SDK compares: part by part as numbers, over the common length.
fn is_newer(wanted: &str, present: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> { text.split('.').map(|p| p.parse().unwrap_or(0)).collect() };
    let (wanted, present) = (parts(wanted), parts(present));
    let common = wanted.len().min(present.len());
    wanted.iter().take(common).cmp(present.iter().take(common)).is_gt()
}

/// 400 with the parser's words.
pub(super) fn bad_body(error: &BodyError) -> PageAnswer {
    let status = if matches!(error, BodyError::TooLarge) { 413 } else { 400 };
    let words = error.to_string();
    PageAnswer::error(status, codes::BAD_REQUEST, &words)
}

fn not_found() -> PageAnswer {
    PageAnswer::error(404, "no such transfer", "There is no such transfer.")
}

pub(super) fn refused(why: crate::queue::Refused) -> PageAnswer {
    match why {
        crate::queue::Refused::Unknown => not_found(),
        crate::queue::Refused::NotWaiting => PageAnswer::error(409, "not waiting", &why.to_string()),
        crate::queue::Refused::Completed => PageAnswer::error(409, "completed", "The transfer has completed already."),
    }
}
