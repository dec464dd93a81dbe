//! Who is connected.

use super::{ConnId, Core};
use crate::prompts::Purpose;
use crate::queue::TransferId;
use crate::time::Now;
use godwit_protocol::envelope::{Hello, Role};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) role: Role,
    /// Browser session: grants and "allow once" live as long as it does.
    pub(super) session: String,
    /// Variables of its screen.
    pub(super) environment: BTreeMap<String, String>,
    /// Of its host, for people who look for a fault.
    pub(super) host: Value,
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
        let caller = hello.caller.clone().unwrap_or_default();
        tracing::info!(conn, role = ?hello.role, version = hello.version, browser = caller.browser, "client");
        let client = Client {
            role: hello.role,
            // Without a name of its own the session is the connection.
            session: hello.session.clone().unwrap_or_else(|| format!("connection-{conn}")),
            host: json!({"browser": caller.browser, "extension_id": caller.extension_id, "version": caller.host_version,
                "pid": caller.host_pid, "manifest": caller.manifest}),
            environment: caller.environment,
            pending: 0,
            next_event: 1,
            subscription: None,
        };
        self.clients.insert(conn, client);
        self.idle_since = None;
        self.send_trust(Some(conn));
        self.send_badge(Some(conn));
        if hello.role == Role::Extension {
            self.send_settings(Some(conn));
            self.look_for_keys(now);
        }
    }

    pub(super) fn disconnected(&mut self, conn: ConnId, now: Now) {
        if self.clients.remove(&conn).is_none() {
            return;
        }
        self.waiting.retain(|_, w| w.conn != conn);
        for asked in self.prompts.take_all(conn) {
            match asked.purpose {
                Purpose::Certificate(id) => self.certificate_unanswered(&id, now),
                Purpose::Login(id) => self.login_unanswered(&id, now),
                Purpose::Consent | Purpose::Start(_) | Purpose::Dialog(_) | Purpose::Folder(_) => {}
            }
        }
    }

    pub(super) fn session_of(&self, conn: ConnId) -> String {
        self.clients.get(&conn).map(|c| c.session.clone()).unwrap_or_default()
    }
}
