//! Requests of our own windows and of the command line.

use super::clients::Subscription;
use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, Ticket};
use crate::picker::Refusal;
use crate::prompts::is_dialog;
use crate::queue::{Refused, TransferId};
use crate::time::Now;
use godwit_protocol::diagnose;
use godwit_protocol::envelope::codes;
use godwit_protocol::monitor;
use godwit_protocol::prefs::{self, ForgetServer, KnownServer, KnownServers};
use godwit_protocol::ui::{
    FolderListing, FolderQuery, ForgetTrust, GivenUp, MoveTransfer, NewFolder, Notice, Prompt, PromptAnswer, Prompts,
    Status, TransferRef, TransfersSnapshot, kinds,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

impl Core {
    pub(super) fn window_request(
        &mut self,
        conn: ConnId,
        id: u64,
        kind: &str,
        params: Value,
        deadline: Option<Duration>,
        now: Now,
    ) {
        match kind {
            kinds::SUBSCRIBE => self.subscribe(conn, id, now),
            kinds::UNSUBSCRIBE => {
                if let Some(client) = self.clients.get_mut(&conn) {
                    client.subscription = None;
                }
                self.respond(conn, id, json!({}));
            }
            kinds::STOP | kinds::RESUME | kinds::REMOVE | kinds::REVEAL => {
                let Some(TransferRef { uuid }) = self.params(conn, id, params) else { return };
                self.act(conn, id, kind, &TransferId::new(uuid), now);
            }
            kinds::UNLOCK => {
                let Some(TransferRef { uuid }) = self.params(conn, id, params) else { return };
                self.unlock(conn, id, &TransferId::new(uuid));
            }
            kinds::PROMPTS => {
                let open = self.prompts.open(conn).map(|a| a.prompt.clone());
                let open = open.map(|p| Prompt { native: self.natives.contains_key(&p.prompt_id), ..p });
                self.respond_with(conn, id, &Prompts { prompts: open.into_iter().collect() });
            }
            kinds::ANSWER => {
                let Some(answer) = self.params::<PromptAnswer>(conn, id, params) else { return };
                self.prompt_answered(conn, id, answer, now);
            }
            kinds::GIVE_UP => {
                let Some(GivenUp { ids }) = self.params(conn, id, params) else { return };
                self.given_up(conn, id, &ids);
            }
            kinds::DROPPED_PART => {
                let Some(part) = self.params(conn, id, params) else { return };
                self.dropped_part(conn, id, part, deadline);
            }
            kinds::LIST_FOLDER => {
                let Some(mut query) = self.params::<FolderQuery>(conn, id, params) else { return };
                if query.path.is_none() {
                    let start = self.recent_folder.as_ref().unwrap_or(&self.home.user_home);
                    query.path = Some(start.to_string_lossy().into_owned());
                }
                let ticket = self.wait(conn, id, deadline, Wanted::Window);
                let recent = self.recent_folder.clone();
                self.out.push(Output::Job(Job::List { ticket, query, recent }));
            }
            kinds::CREATE_FOLDER => {
                let Some(folder) = self.params::<NewFolder>(conn, id, params) else { return };
                // Only while the user is choosing: no window makes folders otherwise.
                if !self.prompts.open(conn).is_some_and(|a| is_dialog(&a.prompt.question)) {
                    return self.refuse(conn, id, codes::FORBIDDEN, "Folders are made while a file dialog is open.");
                }
                let ticket = self.wait(conn, id, deadline, Wanted::Window);
                self.out.push(Output::Job(Job::Create { ticket, folder }));
            }
            kinds::TRUST => self.respond_with(conn, id, &self.trust.view()),
            kinds::FORGET_TRUST => {
                let Some(wish) = self.params::<ForgetTrust>(conn, id, params) else { return };
                self.forget_trust(conn, id, &wish, now);
            }
            prefs::kinds::SET_TRUST => {
                let Some(wish) = self.params(conn, id, params) else { return };
                self.set_trust(conn, id, &wish, now);
            }
            prefs::kinds::KNOWN_SERVERS => {
                let server = |(server, pin): (&String, &String)| KnownServer {
                    server: server.clone(),
                    fingerprint: pin.clone(),
                };
                let servers = self.pins.iter().map(server).collect();
                self.respond_with(conn, id, &KnownServers { servers });
            }
            prefs::kinds::FORGET_SERVER => {
                let Some(ForgetServer { server }) = self.params(conn, id, params) else { return };
                if self.forget_pin(&server) {
                    self.respond(conn, id, json!({}));
                } else {
                    self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such server.");
                }
            }
            prefs::kinds::PASSWORDS => self.list_passwords(conn, id),
            prefs::kinds::UNLOCK_KEYS => self.unlock_keys(conn, id, deadline),
            prefs::kinds::FORGET_PASSWORD => {
                let Some(wish) = self.params(conn, id, params) else { return };
                self.forget_password(conn, id, &wish);
            }
            prefs::kinds::SETTINGS => {
                let view = self.settings.view();
                self.respond_with(conn, id, &view);
            }
            prefs::kinds::BROWSER_POLICY => self.browser_policy(conn, id, params, now),
            prefs::kinds::CHANGE_SETTINGS => self.change_settings(conn, id, params, now),
            kinds::MOVE => {
                let Some(MoveTransfer { uuid, before }) = self.params(conn, id, params) else { return };
                let before = before.map(TransferId::new);
                let moved = self.queue.reorder(&TransferId::new(uuid), before.as_ref());
                let moved = moved.map(|effects| self.apply(effects, now));
                self.done(conn, id, moved);
            }
            monitor::kinds::HISTORY => {
                let Some(TransferRef { uuid }) = self.params(conn, id, params) else { return };
                self.history(conn, id, &TransferId::new(uuid));
            }
            monitor::kinds::LOG => {
                let Some(TransferRef { uuid }) = self.params(conn, id, params) else { return };
                self.log_excerpt(conn, id, &TransferId::new(uuid), deadline);
            }
            monitor::kinds::SET_RATE => {
                let Some(wish) = self.params(conn, id, params) else { return };
                self.set_rate(conn, id, &wish, now);
            }
            diagnose::kinds::TEST_SERVER => {
                let Some(wish) = self.params(conn, id, params) else { return };
                self.test_server(conn, id, &wish, now);
            }
            kinds::STATUS => self.status(conn, id, now),
            kinds::RESTART => self.restart(conn, id, deadline),
            kinds::SHUTDOWN => {
                self.respond(conn, id, json!({}));
                self.shut_down(false);
            }
            _ => self.refuse(conn, id, codes::UNKNOWN_KIND, "This version of the agent does not know this request."),
        }
    }

    fn act(&mut self, conn: ConnId, id: u64, kind: &str, transfer: &TransferId, now: Now) {
        let done = match kind {
            kinds::STOP => self.stop_transfer(transfer, now),
            kinds::RESUME => {
                self.resumed_by.insert(transfer.clone(), conn);
                self.resume_transfer(transfer, true, now)
            }
            kinds::REMOVE => self.remove_transfer(transfer, now),
            _ => {
                return match self.reveal(conn, transfer) {
                    Ok(()) => self.respond(conn, id, json!({})),
                    Err(why) => self.refuse_word(conn, id, codes::NOT_FOUND, "no-folder", why),
                };
            }
        };
        self.done(conn, id, done);
    }

    fn done(&mut self, conn: ConnId, id: u64, done: Result<(), Refused>) {
        match done {
            Ok(()) => self.respond(conn, id, json!({})),
            Err(why) => {
                let (code, word) = match why {
                    Refused::Unknown => (codes::NOT_FOUND, "gone"),
                    Refused::Completed => (codes::BAD_REQUEST, "completed-already"),
                    Refused::NotWaiting => (codes::BAD_REQUEST, "not-waiting"),
                };
                self.refuse_word(conn, id, code, word, &why.to_string());
            }
        }
    }

    fn subscribe(&mut self, conn: ConnId, id: u64, now: Now) {
        // What does not fit the first frame follows as events.
        let (transfers, rest) = self.newest();
        let snapshot = TransfersSnapshot { seq: 0, transfers };
        if let Some(client) = self.clients.get_mut(&conn) {
            let last_sent = now.mono;
            client.subscription = Some(Subscription { changed: rest, last_sent, ..Subscription::default() });
        }
        self.respond_with(conn, id, &snapshot);
    }

    fn status(&mut self, conn: ConnId, id: u64, now: Now) {
        let (transfers, _) = self.newest();
        let notes: Vec<Notice> = self
            .notices
            .iter()
            .cloned()
            .chain(self.settings.problems().iter().cloned())
            .chain([self.vault.notice()])
            .collect();
        let status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            home: self.home.state.display().to_string(),
            uptime_seconds: now.mono.saturating_sub(self.started.mono).as_secs(),
            counts: self.counts(),
            more: json!({"host": self.clients.get(&conn).map(|client| client.host.clone()), "log": self.home.agent_log(), "downloads": self.downloads(), "clients": self.clients.len(),
                "transfers_total": self.transfers.len(), "notes": notes, "callers": self.callers}),
            transfers,
            notices: notes.iter().map(|note| note.text.clone()).collect(),
        };
        self.respond_with(conn, id, &status);
    }

    pub(super) fn listed(&mut self, ticket: Ticket, result: Result<FolderListing, Refusal>) {
        let Some(waiting) = self.take_waiting(ticket) else { return };
        match result {
            Ok(listing) => self.respond_with(waiting.conn, waiting.id, &listing),
            Err((code, note)) => self.refuse_saying(waiting.conn, waiting.id, code, note),
        }
    }

    pub(super) fn respond_with(&mut self, conn: ConnId, id: u64, result: &impl Serialize) {
        match serde_json::to_value(result) {
            Ok(value) => self.respond(conn, id, value),
            Err(error) => self.refuse(conn, id, codes::INTERNAL, &error.to_string()),
        }
    }
}
