//! Who is connected.

use super::requests::{Stage, Waiting, Wanted};
use super::{ConnId, Core, Ticket};
use crate::prompts::Purpose;
use crate::queue::TransferId;
use crate::time::Now;
use godwit_protocol::envelope::{Hello, Role};
use godwit_protocol::page::PageAnswer;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Session of the local HTTP door while no browser is there.
const LOCAL_SESSION: &str = "local-http";

/// What a caller of the local HTTP door hears when the user would have to be asked and there is no window for it.
pub(super) fn no_window() -> PageAnswer {
    let words = "Godwit must ask you first. Open a browser that has the Godwit extension, or add this site to the trusted ones \
                 in Godwit's preferences, and try again.";
    PageAnswer::error(403, "nobody can be asked", words)
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) role: Role,
    /// Where its questions are shown: its own browser; of the local HTTP door, the browser that came last, if one is there.
    window: Option<ConnId>,
    /// Browser session: grants and "allow once" live as long as it does.
    pub(super) session: String,
    /// Variables of its screen.
    pub(super) environment: BTreeMap<String, String>,
    /// Of its host, for people who look for a fault.
    pub(super) host: Value,
    /// A dialog of the desktop could not be shown there: our own window asks from then on.
    pub(super) no_dialogs: bool,
    /// Requests that wait.
    pub(super) pending: usize,
    pub(super) next_event: u64,
    pub(super) subscription: Option<Subscription>,
}

/// Follows the list of transfers.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    pub(super) seq: u64,
    pub(super) changed: BTreeSet<TransferId>,
    pub(super) removed: BTreeSet<TransferId>,
    pub(super) last_sent: Duration,
}

impl Core {
    pub(super) fn connected(&mut self, conn: ConnId, hello: &Hello, now: Now) {
        let mut caller = hello.caller.clone().unwrap_or_default();
        let (mut window, mut session) = (Some(conn), hello.session.clone());
        if hello.role == Role::LocalHttp {
            // It speaks for a page or program without a window of ours: what the user says in a browser's window holds in that
            // browser's session, for both.
            let browser = self.clients.iter().rfind(|(_, c)| c.role == Role::Extension);
            window = browser.map(|(conn, _)| *conn);
            session = Some(browser.map_or_else(|| LOCAL_SESSION.to_owned(), |(_, c)| c.session.clone()));
            if let Some((_, browser)) = browser {
                caller.environment.clone_from(&browser.environment);
            }
        }
        tracing::info!(conn, role = ?hello.role, version = hello.version, browser = caller.browser, "client");
        let client = Client {
            role: hello.role,
            window,
            host: json!({"browser": caller.browser, "extension_id": caller.extension_id, "version": caller.host_version,
                "pid": caller.host_pid, "manifest": caller.manifest}),
            // Without a name of its own the session is the connection.
            session: session.unwrap_or_else(|| format!("connection-{conn}")),
            environment: caller.environment,
            no_dialogs: false,
            pending: 0,
            next_event: 1,
            subscription: None,
        };
        self.clients.insert(conn, client);
        self.idle_since = None;
        if hello.role == Role::LocalHttp {
            return;
        }
        self.look_for_upgrade();
        self.send_trust(Some(conn));
        self.send_badge(Some(conn));
        if hello.role == Role::Extension {
            self.called(conn, &hello.version, now);
            self.send_settings(Some(conn));
            self.look_for_keys(now);
        }
    }

    pub(super) fn disconnected(&mut self, conn: ConnId, now: Now) {
        let Some(client) = self.clients.remove(&conn) else { return };
        let window = client.window.filter(|window| *window != conn);
        self.give_up(conn, window);
        for asked in self.prompts.take_all(conn) {
            match asked.purpose {
                Purpose::Certificate(id) => self.certificate_unanswered(&id, now),
                Purpose::Login(id) => self.login_unanswered(&id, now),
                Purpose::Passphrase(id) => self.passphrase_unanswered(&id, now),
                Purpose::Consent | Purpose::Start(_) | Purpose::Dialog(_) | Purpose::Folder(_) | Purpose::Unlock(_) => {
                }
            }
        }
        self.window_gone(conn);
    }

    /// Nobody waits for the calls of `conn` any more; questions of theirs in another client's `window` are closed.
    fn give_up(&mut self, conn: ConnId, window: Option<ConnId>) {
        let tickets: Vec<Ticket> = self.waiting.iter().filter(|(_, w)| w.conn == conn).map(|(t, _)| *t).collect();
        for ticket in tickets {
            let Some(waiting) = self.waiting.remove(&ticket) else { continue };
            let (Some(window), Wanted::Page { origin, stage, .. }) = (window, waiting.what) else { continue };
            let asked = match stage {
                Stage::Dialog { prompt_id } => Some(prompt_id),
                Stage::Consent if !self.waits_for_consent(window, &origin) => {
                    self.prompts.consent(window, &origin).map(|asked| asked.prompt.prompt_id.clone())
                }
                _ => None,
            };
            if let Some(prompt_id) = asked {
                self.close_prompt(window, &prompt_id);
            }
        }
    }

    /// Calls of the local HTTP door whose question was shown in this window.
    fn window_gone(&mut self, window: ConnId) {
        let shown: Vec<ConnId> =
            self.clients.iter().filter(|(_, c)| c.window == Some(window)).map(|(conn, _)| *conn).collect();
        for conn in shown {
            if let Some(client) = self.clients.get_mut(&conn) {
                client.window = None;
            }
            let asks = |w: &Waiting| {
                w.conn == conn && matches!(w.what, Wanted::Page { stage: Stage::Consent | Stage::Dialog { .. }, .. })
            };
            let tickets: Vec<Ticket> = self.waiting.iter().filter(|(_, w)| asks(w)).map(|(t, _)| *t).collect();
            for ticket in tickets {
                if let Some(waiting) = self.take_waiting(ticket) {
                    self.answer(waiting.conn, waiting.id, &no_window());
                }
            }
        }
    }

    /// The connection on which a client's questions are shown.
    pub(super) fn window_of(&self, conn: ConnId) -> Option<ConnId> {
        self.clients.get(&conn).and_then(|c| c.window)
    }

    pub(super) fn session_of(&self, conn: ConnId) -> String {
        self.clients.get(&conn).map(|c| c.session.clone()).unwrap_or_default()
    }
}
