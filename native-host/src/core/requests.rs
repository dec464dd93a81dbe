//! Requests from their arrival to their answer: who may ask what, how many may wait, and for how long.

use super::{ConnId, Core, Output, Ticket};
use crate::limits::MAX_PENDING;
use crate::time::Now;
use godwit_protocol::Origin;
use godwit_protocol::envelope::{Message, Request, Response, Role, codes};
use godwit_protocol::page::{Endpoint, PageAnswer, PageCall};
use godwit_protocol::ui::{Notice, kinds};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// A request that waits for the user or the disk.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) conn: ConnId,
    /// The request's own id.
    pub(super) id: u64,
    /// When to give up.
    pub(super) deadline: Option<Duration>,
    pub(super) what: Wanted,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Wanted {
    /// A page call; before consent, or in its job or dialog.
    Page { origin: Origin, endpoint: Endpoint, body: String, stage: Stage },
    /// A request of one of our own windows.
    Window,
}

/// What a page call waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The user's consent.
    Consent,
    /// The user's choice in a dialog.
    Dialog { prompt_id: String },
    /// The disk.
    Disk,
    /// A server.
    Server,
}

impl Core {
    pub(super) fn request(&mut self, conn: ConnId, request: Request, now: Now) {
        let Some(client) = self.clients.get(&conn) else { return };
        let (role, pending) = (client.role, client.pending);
        let id = request.id;
        if pending >= MAX_PENDING {
            return self.refuse(conn, id, codes::BUSY, "Too many requests wait already.");
        }
        if self.waiting.values().any(|w| w.conn == conn && w.id == id) {
            return self.refuse(conn, id, codes::BAD_REQUEST, "This id belongs to a request that still waits.");
        }
        match (request.kind.as_str(), request.origin) {
            (kinds::PAGE, Some(origin)) if matches!(role, Role::Extension | Role::LocalHttp) => {
                let deadline = request.deadline_ms;
                match serde_json::from_value::<PageCall>(request.params) {
                    Ok(call) => self.page_call(conn, id, origin, call, deadline, now),
                    Err(error) => self.refuse(conn, id, codes::BAD_REQUEST, &error.to_string()),
                }
            }
            (kinds::PAGE, Some(_)) => self.refuse(conn, id, codes::FORBIDDEN, "Only the extension speaks for pages."),
            (kinds::PAGE, None) => self.refuse(conn, id, codes::BAD_REQUEST, "A page call needs its page's origin."),
            (_, None) if role == Role::LocalHttp => {
                self.refuse(conn, id, codes::FORBIDDEN, "Only the page API is served here.");
            }
            (_, Some(_)) => self.refuse(conn, id, codes::FORBIDDEN, "A web page may not ask this."),
            (kind, None) => {
                let kind = kind.to_owned();
                let deadline = self.deadline(request.deadline_ms, now);
                self.window_request(conn, id, &kind, request.params, deadline, now);
            }
        }
    }

    pub(super) fn deadline(&self, deadline_ms: Option<u64>, now: Now) -> Option<Duration> {
        deadline_ms.map(|ms| now.mono + Duration::from_millis(ms.min(7 * 86_400_000)))
    }

    /// Keeps a request until something else happens.
    pub(super) fn wait(&mut self, conn: ConnId, id: u64, deadline: Option<Duration>, what: Wanted) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(client) = self.clients.get_mut(&conn) {
            client.pending += 1;
        }
        self.waiting.insert(ticket, Waiting { conn, id, deadline, what });
        ticket
    }

    /// Takes a request up again; `None` if it was given up or its client has gone.
    pub(super) fn take_waiting(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        if let Some(client) = self.clients.get_mut(&waiting.conn) {
            client.pending = client.pending.saturating_sub(1);
        }
        Some(waiting)
    }

    /// Gives up requests whose time is over, and closes windows that nobody waits for any more.
    pub(super) fn expire_requests(&mut self, now: Now) {
        let late = |w: &Waiting| w.deadline.is_some_and(|at| at <= now.mono);
        let tickets: Vec<Ticket> = self.waiting.iter().filter(|(_, w)| late(w)).map(|(t, _)| *t).collect();
        for ticket in tickets {
            self.end_waiting(ticket, codes::TIMED_OUT, "The time for this request is over.");
        }
    }

    /// `ui.give-up`: the documents that asked are gone. A transfer about which nothing is asked any more goes on, and so do the
    /// questions about those that were accepted.
    pub(super) fn given_up(&mut self, conn: ConnId, id: u64, ids: &[u64]) {
        let asks = |what: &Wanted| match what {
            Wanted::Page { endpoint: Endpoint::Start, stage: Stage::Disk, .. } | Wanted::Window => false,
            Wanted::Page { .. } => true,
        };
        let theirs = |w: &Waiting| w.conn == conn && ids.contains(&w.id) && asks(&w.what);
        let tickets: Vec<Ticket> = self.waiting.iter().filter(|(_, w)| theirs(w)).map(|(t, _)| *t).collect();
        for ticket in tickets {
            self.end_waiting(ticket, codes::GIVEN_UP, "Nobody waits for this request any more.");
        }
        self.respond(conn, id, json!({}));
    }

    /// Ends a request without a result, and closes the window that asked for its sake.
    fn end_waiting(&mut self, ticket: Ticket, code: &str, why: &str) {
        let Some(waiting) = self.take_waiting(ticket) else { return };
        self.refuse(waiting.conn, waiting.id, code, why);
        let Wanted::Page { origin, stage, .. } = waiting.what else {
            return self.test_given_up(ticket);
        };
        let window = self.window_of(waiting.conn).unwrap_or(waiting.conn);
        match stage {
            Stage::Dialog { prompt_id } => self.close_prompt(window, &prompt_id),
            Stage::Consent if !self.waits_for_consent(window, &origin) => {
                let asked = self.prompts.consent(window, &origin);
                if let Some(prompt_id) = asked.map(|a| a.prompt.prompt_id.clone()) {
                    self.close_prompt(window, &prompt_id);
                }
            }
            Stage::Server => self.stop_probe(ticket),
            Stage::Consent | Stage::Disk => {}
        }
    }

    pub(super) fn waits_for_consent(&self, window: ConnId, origin: &Origin) -> bool {
        self.waiting.values().any(|w| {
            let same = |o: &Origin, s: &Stage| o == origin && *s == Stage::Consent;
            self.window_of(w.conn) == Some(window)
                && matches!(&w.what, Wanted::Page { origin, stage, .. } if same(origin, stage))
        })
    }

    /// The disk did not answer: every request has an end all the same.
    pub(super) fn job_lost(&mut self, ticket: Ticket) {
        self.unlocking = self.unlocking.filter(|unlocking| *unlocking != ticket);
        let Some(waiting) = self.take_waiting(ticket) else { return };
        let words = "The disk does not answer. Is it a network folder that cannot be reached?";
        match waiting.what {
            Wanted::Page { .. } => {
                self.answer(waiting.conn, waiting.id, &PageAnswer::error(504, "the disk does not answer", words));
            }
            Wanted::Window => {
                self.test_given_up(ticket);
                self.refuse(waiting.conn, waiting.id, codes::TIMED_OUT, words);
            }
        }
    }

    /// Ends a request with an error.
    pub(super) fn refuse(&mut self, conn: ConnId, id: u64, code: &str, why: &str) {
        self.out.push(Output::Send { conn, message: Message::Response(Response::err(id, code, why)) });
    }

    /// Ends a request with an error that a person may read in another language.
    pub(super) fn refuse_saying(&mut self, conn: ConnId, id: u64, code: &str, note: Notice) {
        self.out.push(Output::Send { conn, message: Message::Response(Response::err_saying(id, code, note)) });
    }

    /// Ends a request with an error that is a word and a sentence.
    pub(super) fn refuse_word(&mut self, conn: ConnId, id: u64, code: &str, word: &str, text: &str) {
        self.refuse_saying(conn, id, code, Notice::new(word, [], text));
    }

    /// Ends a request of a window.
    pub(super) fn respond(&mut self, conn: ConnId, id: u64, result: Value) {
        self.out.push(Output::Send { conn, message: Message::Response(Response::ok(id, result)) });
    }

    /// Ends a page call.
    pub(super) fn answer(&mut self, conn: ConnId, id: u64, answer: &PageAnswer) {
        let messages = Message::page_answer(id, answer);
        self.out.extend(messages.into_iter().map(|message| Output::Send { conn, message }));
    }

    /// Parameters of a window's request; answers for itself if they are wrong.
    pub(super) fn params<T: DeserializeOwned>(&mut self, conn: ConnId, id: u64, params: Value) -> Option<T> {
        let params = if params.is_null() { json!({}) } else { params };
        match serde_json::from_value(params) {
            Ok(params) => Some(params),
            Err(error) => {
                self.refuse(conn, id, codes::BAD_REQUEST, &error.to_string());
                None
            }
        }
    }
}
