//! What administrators say through the policies of browsers, from a browser's message to what holds.

use super::{ConnId, Core};
use crate::settings::browser::StoredPolicy;
use crate::time::Now;
use godwit_protocol::envelope::{Role, codes};
use godwit_protocol::prefs::BrowserPolicy;
use godwit_protocol::trust::Verdict;
use serde_json::{Value, json};

/// Longest name of a browser profile, bytes.
const MAX_PROFILE: usize = 64;

impl Core {
    /// `ui.browser-policy`
    pub(super) fn browser_policy(&mut self, conn: ConnId, id: u64, params: Value, now: Now) {
        let extension = self.clients.get(&conn).filter(|client| client.role == Role::Extension);
        let Some(host) = extension.map(|client| client.host.clone()) else {
            return self.refuse(conn, id, codes::FORBIDDEN, "Only a browser's extension has policies.");
        };
        let Some(BrowserPolicy { profile, values }) = self.params(conn, id, params) else { return };
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(1..=MAX_PROFILE).contains(&profile.len()) || !profile.chars().all(fits) {
            return self.refuse(conn, id, codes::BAD_REQUEST, "This is no name of a profile.");
        }
        let of = |name: &str| host[name].as_str().unwrap_or_default();
        let key = format!("{}/{}/{profile}", of("browser"), of("extension_id"));
        let policy = StoredPolicy { browser: of("browser").to_owned(), values, seen_ms: now.wall_ms };
        if self.browser_policies.tell(&key, policy) {
            for gone in self.browser_policies.expire(now.wall_ms) {
                self.save_policy(&gone, None);
            }
            let kept = self.browser_policies.get(&key).cloned();
            self.save_policy(&key, kept.as_ref());
            self.obey_browsers(&key, now);
        }
        self.respond(conn, id, json!({}));
    }

    fn obey_browsers(&mut self, key: &str, now: Now) {
        let before = self.settings.now().clone();
        if !self.settings.obey(&self.browser_policies) {
            return;
        }
        tracing::info!(key, "the policies of a browser are different now");
        self.trust.manage(self.settings.trust_policy());
        self.settings_changed(&before, now);
        self.send_trust(None);
        // What runs goes on, as after a change of the machine's own policy.
        let managed = self.trust.managed();
        self.revoked_where(&|origin| managed.decide(origin, None) == Verdict::Deny, false, now);
        // Consent that is being asked for may be given, or refused, by now.
        self.go_on(now);
    }
}
