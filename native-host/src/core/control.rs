//! What can be done to a transfer that exists, by its page, by our windows, or from the command line.

use super::Core;
use super::start::{Credentials, rate_of};
use crate::prompts::Purpose;
use crate::queue::{Effect, Refused, TransferId};
use crate::time::Now;
use crate::transfers::Tombstone;
use godwit_protocol::ErrorCode;
use godwit_protocol::page::PageAnswer;
use godwit_protocol::spec::RateChange;
use godwit_protocol::ui::{TransferError, TransferStatus};
use serde_json::{Value, json};

impl Core {
    pub(super) fn stop_transfer(&mut self, id: &TransferId, now: Now) -> Result<(), Refused> {
        let effects = self.queue.stop(id)?;
        let stopped = effects.iter().any(|e| matches!(e, Effect::Changed { id: changed } if changed == id));
        if stopped && let Some(transfer) = self.transfers.get_mut(id) {
            let code = ErrorCode::UserCancel;
            transfer.standing.error = Some(TransferError { code, message: code.text().into() });
        }
        self.apply(effects, now);
        self.close_questions(id);
        self.login_left(id, now);
        Ok(())
    }

    pub(super) fn resume_transfer(&mut self, id: &TransferId, at_once: bool, now: Now) -> Result<(), Refused> {
        let effects = self.queue.resume(id, at_once)?;
        self.apply(effects, now);
        Ok(())
    }

    pub(super) fn remove_transfer(&mut self, id: &TransferId, now: Now) -> Result<(), Refused> {
        let effects = self.queue.remove(id)?;
        self.close_questions(id);
        self.stop_unlocking(Some(id));
        self.resumed_by.remove(id);
        if let Some(transfer) = self.transfers.remove(id) {
            let tombstone = Tombstone {
                app_id: transfer.order.settings.app_id.clone(),
                origin: transfer.order.origin,
                token: self.news.change(id, transfer.standing.token),
                removed_ms: now.wall_ms,
                settings: transfer.order.settings,
                title: transfer.order.title,
            };
            self.bury(id, tombstone);
            self.histories.forget(id);
            self.transfer_left(id);
            self.spool.transfer_ended();
        }
        self.apply(effects, now);
        self.login_left(id, now);
        Ok(())
    }

    fn close_questions(&mut self, id: &TransferId) {
        let of_it = |purpose: &Purpose| matches!(purpose, Purpose::Certificate(of) | Purpose::Login(of) | Purpose::Passphrase(of) | Purpose::Unlock(of) if of == id);
        let asked = self.prompts.find(|a| of_it(&a.purpose)).map(|a| (a.conn, a.prompt.prompt_id.clone()));
        if let Some((conn, prompt_id)) = asked {
            self.close_prompt(conn, &prompt_id);
        }
    }

    /// A page resumes, perhaps with new credentials.
    pub(super) fn resume_with(&mut self, id: &TransferId, body: &Value, now: Now) -> Result<Value, PageAnswer> {
        let internal = |why: &str| PageAnswer::error(500, why, why);
        let names_credentials =
            ["token", "cookie", "authentication", "remote_user", "remote_password", "content_protection_passphrase"]
                .iter()
                .any(|name| body.get(name).is_some());
        if names_credentials {
            // Old ones that cannot be opened any more are replaced by the new ones.
            let old = self.credentials(id).unwrap_or_default();
            let mut spec = self.transfers.get(id).ok_or_else(|| internal("transfer vanished"))?.order.spec.clone();
            old.put(&mut spec);
            spec.apply_credentials(body).map_err(|e| PageAnswer::error(400, "bad-request", &e.to_string()))?;
            let new = Credentials::take(&mut spec);
            self.keep_credentials(id, &new)?;
            if let Some(transfer) = self.transfers.get_mut(id) {
                transfer.order.spec = spec;
            }
            self.touch_order(id, now);
            // It may be waiting for just these.
            self.close_questions(id);
            self.login_left(id, now);
            let effects = self.queue.answered(id, true);
            self.apply(effects, now);
        }
        self.resume_transfer(id, false, now).map_err(super::page_calls::refused)?;
        let output = self.output(id).ok_or_else(|| internal("transfer vanished"))?;
        Ok(json!({"transfer_spec": output}))
    }

    /// New limits, effective at once.
    pub(super) fn modify(&mut self, id: &TransferId, body: &Value, now: Now) -> Result<Value, PageAnswer> {
        let change = RateChange::from_value(body).map_err(|e| PageAnswer::error(400, "bad-request", &e.to_string()))?;
        let Some(transfer) = self.transfers.get_mut(id) else {
            return Err(PageAnswer::error(404, "no such transfer", "There is no such transfer."));
        };
        transfer.order.spec.apply_rates(&change);
        transfer.order.rate = rate_of(&transfer.order.spec);
        let mut shown = serde_json::Map::new();
        for name in [
            "rate_policy",
            "target_rate_kbps",
            "min_rate_kbps",
            "target_rate_cap_kbps",
            "lock_rate_policy",
            "lock_target_rate",
            "lock_min_rate",
        ] {
            if body.get(name).is_some()
                && let Some(value) = transfer.order.spec.public.get(name)
            {
                shown.insert(name.into(), value.clone());
            }
        }
        self.rates_changed(id, now);
        Ok(shown.into())
    }

    /// Number of transfers in each state.
    pub(super) fn counts(&self) -> std::collections::BTreeMap<String, u64> {
        use TransferStatus::{Cancelled, Completed, Failed, Initiating, Queued, Running, WillRetry};
        let mut counts = std::collections::BTreeMap::new();
        for status in [Initiating, Queued, Running, WillRetry, Completed, Failed, Cancelled] {
            let count = self.queue.count_of(status) as u64;
            let name = serde_json::to_value(status).ok().and_then(|v| v.as_str().map(str::to_owned));
            if count > 0 {
                counts.insert(name.unwrap_or_default(), count);
            }
        }
        counts
    }
}
