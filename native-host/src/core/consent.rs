//! May this site? Asked once for each site and browser at a time; what the user answers.

use super::clients::no_window;
use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Ticket};
use crate::limits::MAX_PROMPTS_PER_SITE;
use crate::prompts::{Asked, Purpose, is_dialog, is_yes_or_no};
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::prefs::TrustList;
use godwit_protocol::start::StartRequest;
use godwit_protocol::trust::Verdict;
use godwit_protocol::ui::{Decision, Prompt, PromptAnswer, Question};
use godwit_protocol::{HostPattern, Origin};
use serde_json::json;
use std::time::Duration;

impl Core {
    /// Keeps a page call until the user has decided about its site.
    pub(super) fn ask_consent(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: String,
        deadline: Option<Duration>,
    ) {
        let Some(window) = self.window_of(conn) else {
            return self.answer(conn, id, &no_window());
        };
        if self.prompts.consent(window, &origin).is_none() {
            let question = consent_question(&endpoint, &body);
            self.ask(window, &origin, question, Purpose::Consent);
        }
        self.wait(conn, id, deadline, Wanted::Page { origin, endpoint, body, stage: Stage::Consent });
    }

    /// Puts a question to the user, in the window `conn`; returns its id.
    pub(super) fn ask(&mut self, conn: ConnId, origin: &Origin, question: Question, purpose: Purpose) -> String {
        let prompt_id = (self.new_id)();
        let prompt = Prompt { prompt_id: prompt_id.clone(), origin: origin.clone(), native: false, question };
        if let Some(prompt) = self.prompts.add(Asked { conn, prompt, purpose }) {
            self.send_prompt(conn, &prompt);
        }
        prompt_id
    }

    /// True if a site has as many questions waiting as it may.
    pub(super) fn asks_too_much(&self, conn: ConnId, origin: &Origin) -> bool {
        self.prompts.all(|a| a.conn == conn && a.prompt.origin == *origin).count() >= MAX_PROMPTS_PER_SITE
    }

    /// A question needs no answer any more.
    pub(super) fn close_prompt(&mut self, conn: ConnId, prompt_id: &str) {
        let Some((_, was_open, next)) = self.prompts.take(conn, prompt_id) else { return };
        if was_open {
            self.send_prompt_closed(conn, prompt_id);
        }
        if let Some(next) = next {
            self.send_prompt(conn, &next);
        }
    }

    /// `ui.answer`
    pub(super) fn prompt_answered(&mut self, conn: ConnId, id: u64, answer: PromptAnswer, now: Now) {
        let Some(open) = self.prompts.open(conn).filter(|a| a.prompt.prompt_id == answer.prompt_id) else {
            return self.refuse(conn, id, codes::NOT_FOUND, "This question is no longer asked.");
        };
        let fits = match &answer.decision {
            Decision::Cancel => true,
            Decision::Deny { .. } | Decision::Allow { .. } => is_yes_or_no(&open.prompt.question),
            Decision::Credentials { .. } => matches!(open.prompt.question, Question::Credentials { .. }),
            Decision::Passphrase { .. } => matches!(open.prompt.question, Question::Passphrase { .. }),
            Decision::Skip => matches!(open.prompt.question, Question::Passphrase { can_skip: true, .. }),
            Decision::Browse => matches!(open.prompt.question, Question::Dropped { .. }),
            Decision::Chosen { .. } => is_dialog(&open.prompt.question),
        };
        if !fits {
            return self.refuse(conn, id, codes::BAD_REQUEST, "This is no answer to this question.");
        }
        if let (Decision::Chosen { paths }, question) = (&answer.decision, &open.prompt.question)
            && let Err(why) = super::dialogs::judge_choice(question, paths)
        {
            return self.refuse(conn, id, codes::BAD_REQUEST, why);
        }
        if let Err(why) = self.judge_copy(&open.purpose, &open.prompt.question, &answer.decision) {
            return self.refuse(conn, id, codes::BAD_REQUEST, why);
        }
        if let Err(why) = self.judge_login(&open.prompt.question, &answer.decision) {
            return self.refuse(conn, id, codes::BAD_REQUEST, why);
        }
        if let Err(why) = super::protection::judge_passphrase(&answer.decision) {
            return self.refuse(conn, id, codes::BAD_REQUEST, why);
        }
        self.respond(conn, id, json!({}));
        self.decided(conn, &answer.prompt_id, answer.decision, now);
    }

    /// The user has decided, in whatever window.
    pub(super) fn decided(&mut self, conn: ConnId, prompt_id: &str, decision: Decision, now: Now) {
        let Some((asked, _, next)) = self.prompts.take(conn, prompt_id) else { return };
        if let Some(next) = next {
            self.send_prompt(conn, &next);
        }
        match asked.purpose {
            Purpose::Start(ticket) => self.start_decided(conn, ticket, &asked.prompt.origin, &decision, now),
            Purpose::Folder(ticket) => self.folder_decided(ticket, &decision),
            Purpose::Consent => self.consent_decided(conn, &asked.prompt.origin, &decision, now),
            Purpose::Dialog(ticket) => self.dialog_answered(ticket, &asked.prompt.question, decision, now),
            Purpose::Certificate(transfer) => {
                self.certificate_answered(conn, &transfer, &asked.prompt.question, &decision, now);
            }
            Purpose::Passphrase(transfer) => self.passphrase_answered(&transfer, decision, now),
            Purpose::Unlock(transfer) => self.unlock_decided(conn, &transfer, decision),
            Purpose::Login(transfer) => {
                self.login_answered(&transfer, &asked.prompt.question, decision, now);
            }
        }
    }

    fn consent_decided(&mut self, conn: ConnId, origin: &Origin, decision: &Decision, now: Now) {
        let session = self.session_of(conn);
        let (allowed, remember) = match decision {
            Decision::Allow { remember } => (true, *remember),
            Decision::Deny { remember } => (false, *remember),
            _ => (false, false),
        };
        tracing::info!(%origin, allowed, remember, "the user decided about a site");
        match (allowed, remember) {
            (_, true) => {
                self.remember_trust(origin, allowed);
                self.revoked(&HostPattern::exact(origin), true, now);
            }
            (true, false) => self.trust.allow_once(&session, origin),
            (false, false) => self.trust.refuse_once(&session, origin, now),
        }
        self.go_on(now);
    }

    pub(super) fn remember_trust(&mut self, origin: &Origin, trusted: bool) {
        let pattern = HostPattern::exact(origin);
        if !trusted {
            self.trust.forget_once(pattern.as_str());
        }
        let list = if trusted { TrustList::Trusted } else { TrustList::Restricted };
        self.save_trust(pattern.as_str(), Some(list));
        self.trust.remember(pattern, list);
        self.send_trust(None);
    }

    /// Takes up page calls whose site has been decided about, in any browser, in the order in which they came.
    pub(super) fn go_on(&mut self, now: Now) {
        let decided: Vec<(Ticket, Verdict)> = self
            .waiting
            .iter()
            .filter_map(|(ticket, w)| match &w.what {
                Wanted::Page { origin, stage: Stage::Consent, .. } => {
                    let verdict = self.trust.verdict(&self.session_of(w.conn), origin, now);
                    (verdict != Verdict::Ask).then_some((*ticket, verdict))
                }
                _ => None,
            })
            .collect();
        for (ticket, verdict) in decided {
            let Some(waiting) = self.take_waiting(ticket) else { continue };
            let Wanted::Page { origin, endpoint, body, .. } = waiting.what else { continue };
            // Another browser may be showing the same question.
            let window = self.window_of(waiting.conn).unwrap_or(waiting.conn);
            let shown = self.prompts.consent(window, &origin);
            if let Some(prompt_id) = shown.map(|a| a.prompt.prompt_id.clone()) {
                self.close_prompt(window, &prompt_id);
            }
            if verdict == Verdict::Allow {
                self.allowed_call(waiting.conn, waiting.id, origin, endpoint, body, waiting.deadline, now);
            } else {
                self.answer(waiting.conn, waiting.id, &denied(&origin));
            }
        }
    }
}

/// What a site hears that the user does not want.
pub(super) fn denied(origin: &Origin) -> PageAnswer {
    let user = format!("You have not allowed {} to use Godwit.", origin.as_str());
    PageAnswer::error(403, "the user did not allow this site", &user)
}

pub(super) fn consent_question(endpoint: &Endpoint, body: &str) -> Question {
    let start = matches!(endpoint, Endpoint::Start).then(|| StartRequest::from_body(body).ok()).flatten();
    match start {
        Some(start) => {
            let purpose = match start.spec.direction {
                godwit_protocol::spec::Direction::Send => "send",
                godwit_protocol::spec::Direction::Receive => "receive",
            };
            Question::Consent { purpose: purpose.into(), remote_host: Some(start.spec.remote_host) }
        }
        None => Question::Consent { purpose: "files".into(), remote_host: None },
    }
}
