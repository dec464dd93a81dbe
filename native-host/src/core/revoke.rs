//! Decisions about sites that are made beforehand or taken back, and sites of which every transfer is asked about.

use super::clients::no_window;
use super::consent::{consent_question, denied};
use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Ticket};
use crate::prompts::Purpose;
use crate::queue::{TransferId, is_active};
use crate::time::Now;
use crate::trust::parse_pattern;
use godwit_protocol::envelope::codes;
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::prefs::{SetTrust, TrustList, TrustSet};
use godwit_protocol::trust::Verdict;
use godwit_protocol::ui::{Decision, ForgetTrust};
use godwit_protocol::{HostPattern, Origin};
use serde_json::json;
use std::time::Duration;

impl Core {
    /// `ui.set-trust`
    pub(super) fn set_trust(&mut self, conn: ConnId, id: u64, wish: &SetTrust, now: Now) {
        let pattern = match parse_pattern(&wish.pattern) {
            Ok(pattern) => pattern,
            Err(error) => return self.refuse_saying(conn, id, codes::BAD_REQUEST, error.note()),
        };
        tracing::info!(pattern = pattern.as_str(), list = ?wish.list, "a site was put on a list");
        self.trust.forget_once(pattern.as_str());
        self.save_trust(pattern.as_str(), Some(wish.list));
        self.trust.remember(pattern.clone(), wish.list);
        self.respond_with(conn, id, &TrustSet { pattern: pattern.as_str().to_owned() });
        self.send_trust(None);
        if wish.list == TrustList::Restricted {
            self.revoked(&pattern, wish.stop, now);
        }
        self.go_on(now);
    }

    /// `ui.forget-trust`
    pub(super) fn forget_trust(&mut self, conn: ConnId, id: u64, wish: &ForgetTrust, now: Now) {
        if !self.trust.forget(&wish.pattern) {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such decision.");
        }
        self.trust.forget_once(&wish.pattern);
        self.save_trust(&wish.pattern, None);
        self.respond(conn, id, json!({}));
        self.send_trust(None);
        if let Ok(pattern) = wish.pattern.parse() {
            self.revoked(&pattern, wish.stop, now);
        }
    }

    /// Sites that `pattern` covers and that may no longer use Godwit: what they wait for is refused, what was chosen for them is
    /// forgotten, and, if wanted, what they have under way is stopped.
    pub(super) fn revoked(&mut self, pattern: &HostPattern, stop: bool, now: Now) {
        self.revoked_where(&|origin| pattern.matches(origin), stop, now);
    }

    /// As [`Self::revoked`], for sites of which `covers` is true.
    pub(super) fn revoked_where(&mut self, covers: &dyn Fn(&Origin) -> bool, stop: bool, now: Now) {
        let gone = |core: &Self, session: &str, origin: &Origin| {
            covers(origin) && core.trust.verdict(session, origin, now) != Verdict::Allow
        };
        let refused: Vec<Ticket> = self
            .waiting
            .iter()
            .filter(|(_, w)| match &w.what {
                Wanted::Page { origin, stage, .. } => {
                    *stage != Stage::Consent && gone(self, &self.session_of(w.conn), origin)
                }
                Wanted::Window => false,
            })
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in refused {
            let Some(waiting) = self.take_waiting(ticket) else { continue };
            let Wanted::Page { origin, stage, .. } = waiting.what else { continue };
            match stage {
                Stage::Dialog { prompt_id } => {
                    let window = self.window_of(waiting.conn).unwrap_or(waiting.conn);
                    self.close_prompt(window, &prompt_id);
                }
                Stage::Server => self.stop_probe(ticket),
                Stage::Disk | Stage::Consent => {}
            }
            self.answer(waiting.conn, waiting.id, &denied(&origin));
        }
        let trust = &self.trust;
        let not_allowed = |session: &str, origin: &Origin| trust.verdict(session, origin, now) != Verdict::Allow;
        self.grants.forget_sites(|session, origin| covers(origin) && not_allowed(session, origin));
        if !stop {
            return;
        }
        let running: Vec<TransferId> = self
            .transfers
            .iter()
            .filter(|(id, t)| {
                self.queue.place(id).is_some_and(|p| is_active(p.status))
                    && gone(self, &t.order.session, &t.order.origin)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in running {
            tracing::info!(%id, "stopped: its site may no longer use Godwit");
            // It is under way, so it can be stopped.
            let _ = self.stop_transfer(&id, now);
        }
    }

    /// True if a start of this site is asked about although the site may use Godwit.
    pub(super) fn asks_each_start(&self, origin: &Origin) -> bool {
        self.trust.asks_each(origin, self.settings.now().security.ask_always)
    }

    /// Asks about one transfer.
    pub(super) fn ask_about_start(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        body: String,
        deadline: Option<Duration>,
    ) {
        let Some(window) = self.window_of(conn) else {
            return self.answer(conn, id, &no_window());
        };
        if self.asks_too_much(window, &origin) {
            let answer = PageAnswer::error(429, "too many questions", "Questions about this site wait already.");
            return self.answer(conn, id, &answer);
        }
        let question = consent_question(&Endpoint::Start, &body);
        let endpoint = Endpoint::Start;
        let wanted = Wanted::Page { origin: origin.clone(), endpoint, body, stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        let prompt_id = self.ask(window, &origin, question, Purpose::Start(ticket));
        if let Some(Wanted::Page { stage, .. }) = self.waiting.get_mut(&ticket).map(|w| &mut w.what) {
            *stage = Stage::Dialog { prompt_id };
        }
    }

    /// The user answered about one transfer.
    pub(super) fn start_decided(
        &mut self,
        conn: ConnId,
        ticket: Ticket,
        origin: &Origin,
        decision: &Decision,
        now: Now,
    ) {
        let waiting = self.take_waiting(ticket);
        let allowed = match decision {
            Decision::Allow { remember } => {
                if *remember {
                    self.remember_trust(origin, true);
                }
                let session = self.session_of(conn);
                self.trust.allow_once(&session, origin);
                true
            }
            Decision::Deny { remember: true } => {
                self.remember_trust(origin, false);
                self.revoked(&HostPattern::exact(origin), true, now);
                false
            }
            _ => false,
        };
        let Some(waiting) = waiting else { return };
        match waiting.what {
            Wanted::Page { origin, body, .. } if allowed => {
                self.start_call(waiting.conn, waiting.id, origin, body, waiting.deadline);
            }
            _ => self.answer(waiting.conn, waiting.id, &denied(origin)),
        }
    }
}
