//! Encryption at rest: which transfers have it, the question for a passphrase, and what came of it.

use super::Core;
use crate::logging::TRANSFER_LOG;
use crate::prompts::Purpose;
use crate::queue::TransferId;
use crate::time::Now;
use godwit_protocol::ErrorCode;
use godwit_protocol::page::PageAnswer;
use godwit_protocol::spec::{ContentProtection, Direction, TransferSpec};
use godwit_protocol::start::StartRequest;
use godwit_protocol::ui::{Decision, Question};
use godwit_protocol::worker::{Failure, MAX_PASSPHRASE, Protection, Unlocked};

/// Refuses what could not be done at any later time.
pub(super) fn judge(request: &StartRequest) -> Result<(), PageAnswer> {
    let spec = &request.spec;
    let Some(mode) = spec.content_protection else { return Ok(()) };
    let wrong = |why: &str, user: &str| Err(PageAnswer::error(400, why, user));
    if (mode == ContentProtection::Encrypt) != (spec.direction == Direction::Send) {
        return wrong(
            "content_protection does not fit direction",
            "Uploads can be encrypted, and downloads decrypted.",
        );
    }
    let given = spec.content_protection_passphrase.as_ref();
    if given.is_some_and(|p| p.is_empty() || p.expose().len() > MAX_PASSPHRASE) {
        return wrong("content_protection_passphrase has 1 to 4096 bytes", "The passphrase is empty or too long.");
    }
    if given.is_none() && !request.settings.allow_dialogs {
        return wrong("content_protection_passphrase is missing", "The site gave no passphrase for the files.");
    }
    Ok(())
}

/// Refuses answers that no window of ours gives.
pub(super) fn judge_passphrase(decision: &Decision) -> Result<(), &'static str> {
    match decision {
        Decision::Passphrase { passphrase } if passphrase.is_empty() => Err("The passphrase is missing."),
        Decision::Passphrase { passphrase } if passphrase.expose().len() > MAX_PASSPHRASE => {
            Err("The passphrase is too long.")
        }
        _ => Ok(()),
    }
}

/// Is the server one of those in the user's list?
fn is_listed<'a>(mut list: impl Iterator<Item = &'a str>, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.any(|listed| {
        let listed = listed.trim_end_matches('.').to_ascii_lowercase();
        match listed.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => host == listed,
        }
    })
}

impl Core {
    /// True if the user, not the page, wants this upload encrypted.
    pub(super) fn protects(&self, spec: &TransferSpec) -> bool {
        let list = self.settings.now().security.protected_hosts();
        spec.content_protection.is_none() && spec.direction == Direction::Send && is_listed(list, &spec.remote_host)
    }

    /// What a worker is told; an error if a passphrase is missing.
    pub(super) fn protection_of(&self, id: &TransferId) -> Result<Option<Protection>, Failure> {
        let Some(transfer) = self.transfers.get(id) else { return Ok(None) };
        let Some(mode) = transfer.order.spec.content_protection else { return Ok(None) };
        let failed = |why: &str| Failure::new(ErrorCode::FileEncryption, why);
        let passphrase = self.credentials(id).map_err(|why| failed(&why))?.passphrase;
        let passphrase = passphrase.ok_or_else(|| failed("no passphrase was given"))?;
        Ok(Some(Protection { mode, passphrase, scope: id.as_str().into() }))
    }

    /// Asks for a passphrase, if the user can be asked.
    pub(super) fn ask_passphrase(&mut self, id: &TransferId) -> bool {
        let Some(order) = self.transfers.get(id).map(|t| &t.order) else { return false };
        let Some(mode) = order.spec.content_protection else { return false };
        let by_user = order.protected_by_user;
        // Not a passphrase that is there and cannot be opened.
        if !order.settings.allow_dialogs || self.credentials(id).is_ok_and(|c| c.passphrase.is_some()) {
            return false;
        }
        let (origin, session) = (order.origin.clone(), order.session.clone());
        let of_session = self.clients.iter().filter(|(_, c)| c.session == session);
        let window = of_session.filter_map(|(conn, _)| self.window_of(*conn)).next();
        let Some(window) = window.or_else(|| self.resumed_by.get(id).and_then(|conn| self.window_of(*conn))) else {
            return false;
        };
        if self.asks_too_much(window, &origin) {
            return false;
        }
        let creates = mode == ContentProtection::Encrypt;
        // What the page wants encrypted is not the user's to send in clear.
        let (server, can_skip) = (self.server_name(id), by_user || !creates);
        let question = Question::Passphrase { server, creates, can_skip, unlocks: None, wrong: false };
        self.ask(window, &origin, question, Purpose::Passphrase(id.clone()));
        true
    }

    pub(super) fn passphrase_answered(&mut self, id: &TransferId, decision: Decision, now: Now) {
        match decision {
            Decision::Passphrase { passphrase } => {
                let mut credentials = self.credentials(id).unwrap_or_default();
                credentials.passphrase = Some(passphrase);
                if self.keep_credentials(id, &credentials).is_err() {
                    return self.passphrase_unanswered(id, now);
                }
            }
            Decision::Skip => {
                tracing::info!(target: TRANSFER_LOG, %id, "the user wants the files as they are");
                if let Some(transfer) = self.transfers.get_mut(id) {
                    transfer.order.spec.content_protection = None;
                }
            }
            _ => return self.passphrase_unanswered(id, now),
        }
        self.touch_order(id, now);
        self.error_forgotten(id);
        let effects = self.queue.answered(id, true);
        self.apply(effects, now);
    }

    /// The window was closed, or its browser.
    pub(super) fn passphrase_unanswered(&mut self, id: &TransferId, now: Now) {
        let effects = self.queue.answered(id, false);
        self.apply(effects, now);
    }

    /// A worker has decrypted what it could.
    pub(super) fn unlocked(&mut self, id: &TransferId, unlocked: Unlocked, now: Now) {
        let why = unlocked.why.as_deref().unwrap_or_default();
        tracing::info!(target: TRANSFER_LOG, %id, opened = unlocked.opened, kept = unlocked.kept, why, "files decrypted");
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.standing.unlocked = Some(unlocked);
        }
        self.touch(id, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_list_holds_names_and_all_names_below_a_domain() {
        let listed =
            |host| is_listed(["store.example", "*.film.example", "Other.Example.", "192.0.2.7"].into_iter(), host);
        for host in
            ["store.example", "STORE.example.", "a.film.example", "a.b.film.example", "other.example", "192.0.2.7"]
        {
            assert!(listed(host), "{host}");
        }
        for host in ["a.store.example", "film.example", ".film.example", "xfilm.example", "example", "", "192.0.2.70"] {
            assert!(!listed(host), "{host}");
        }
    }
}
