//! The transfer monitor's requests: how a transfer went, and new limits while it runs.

use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, Ticket};
use crate::queue::TransferId;
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::monitor::{History, Limits, LogExcerpt, SetRate};
use godwit_protocol::spec::RateChange;
use godwit_protocol::ui::Notice;
use godwit_protocol::wire::RateLocks;
use serde_json::Value;
use std::time::Duration;

/// Ended files that the monitor lists.
const MAX_FILES: usize = 200;
/// Bytes of a spec that is shown.
const MAX_SPEC: usize = 32 * 1024;

impl Core {
    /// `ui.history`
    pub(super) fn history(&mut self, conn: ConnId, id: u64, transfer: &TransferId) {
        let Some(known) = self.transfers.get(transfer) else {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such transfer.");
        };
        let history = self.histories.get(transfer).cloned().unwrap_or_default();
        let older = known.files.len().saturating_sub(MAX_FILES);
        let answer = History {
            samples: history.curve.samples().to_vec(),
            step_ms: history.curve.step_ms(),
            sessions: history.sessions.into(),
            files: known.files.iter().skip(older).cloned().collect(),
            limits: self.limits(transfer),
            spec: shown(known.order.spec.without_paths()),
        };
        self.respond_with(conn, id, &answer);
    }

    /// `ui.log`
    pub(super) fn log_excerpt(&mut self, conn: ConnId, id: u64, transfer: &TransferId, deadline: Option<Duration>) {
        if !self.transfers.contains_key(transfer) {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such transfer.");
        }
        let ticket = self.wait(conn, id, deadline, Wanted::Window);
        let (file, word) = (self.home.transfer_log(), transfer.as_str().to_owned());
        self.out.push(Output::Job(Job::Log { ticket, file, word }));
    }

    /// The result of [`Job::Log`].
    pub(super) fn log_read(&mut self, ticket: Ticket, lines: Vec<String>) {
        if let Some(waiting) = self.take_waiting(ticket) {
            self.respond_with(waiting.conn, waiting.id, &LogExcerpt { lines });
        }
    }

    /// `ui.set-rate`
    pub(super) fn set_rate(&mut self, conn: ConnId, id: u64, wish: &SetRate, now: Now) {
        let transfer = TransferId::new(wish.uuid.clone());
        if !self.transfers.contains_key(&transfer) {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such transfer.");
        }
        let limits = self.limits(&transfer);
        for (changed, locked, what) in [
            (wish.rate_policy.is_some(), locks(&limits, |l| l.policy), "policy"),
            (wish.target_rate_kbps.is_some(), locks(&limits, |l| l.target), "target rate"),
            (wish.min_rate_kbps.is_some(), locks(&limits, |l| l.minimum), "minimum rate"),
        ] {
            if let (true, Some(who)) = (changed, locked) {
                let text = format!("The {what} is locked by the {who}.");
                return self.refuse_word(conn, id, codes::FORBIDDEN, &format!("locked-by-{who}"), &text);
            }
        }
        if let (Some(target), Some(cap)) = (wish.target_rate_kbps, limits.wished.cap)
            && target > cap
        {
            let note = Notice::new("rate-cap", [cap.to_string()], format!("The site allows at most {cap}."));
            return self.refuse_saying(conn, id, codes::FORBIDDEN, note);
        }
        let change = RateChange {
            rate_policy: wish.rate_policy,
            target_rate_kbps: wish.target_rate_kbps,
            min_rate_kbps: wish.min_rate_kbps,
            ..RateChange::default()
        };
        if let Some(known) = self.transfers.get_mut(&transfer) {
            known.order.spec.apply_rates(&change);
            known.order.rate = super::start::rate_of(&known.order.spec);
        }
        // A window that wishes nothing only wants to know.
        if change != RateChange::default() {
            self.rates_changed(&transfer, now);
        }
        let limits = self.limits(&transfer);
        self.respond_with(conn, id, &limits);
    }

    /// A transfer's own wishes are others: written, told to its worker and to windows.
    pub(super) fn rates_changed(&mut self, id: &TransferId, now: Now) {
        self.touch_order(id, now);
        self.limits_changed(id);
        if let Some(run) = self.queue.run(id) {
            self.share_out(Some(run), now);
        }
    }

    /// Windows that show the limits ask again when they see another number.
    pub(super) fn limits_changed(&mut self, id: &TransferId) {
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.limits_version = transfer.limits_version.wrapping_add(1);
        }
    }

    fn limits(&self, id: &TransferId) -> Limits {
        let Some(transfer) = self.transfers.get(id) else { return Limits::default() };
        let spec = &transfer.order.spec;
        let history = self.histories.get(id);
        let run = self.queue.run(id).and_then(|run| self.runs.get(&run));
        Limits {
            wished: transfer.order.rate,
            granted: history.map(|h| h.granted).unwrap_or_default(),
            locked_by_site: RateLocks {
                policy: spec.lock_rate_policy,
                target: spec.lock_target_rate,
                minimum: spec.lock_min_rate,
            },
            locked_by_server: history.map(|h| h.locks).unwrap_or_default(),
            share: run.and_then(|run| run.share.allowed).map(godwit_protocol::RateKbps),
        }
    }
}

/// A spec as the user may see it. The page's own tags may hold anything, and as much as they like.
fn shown(mut spec: Value) -> Value {
    if let Value::Object(fields) = &mut spec {
        fields.remove("tags");
    }
    if spec.to_string().len() > MAX_SPEC { Value::Null } else { spec }
}

fn locks(limits: &Limits, which: impl Fn(&RateLocks) -> bool) -> Option<&'static str> {
    if which(&limits.locked_by_site) {
        Some("site")
    } else if which(&limits.locked_by_server) {
        Some("server")
    } else {
        None
    }
}
