//! Logging in: with what the page gave, with what the user saved, or by asking.

use super::{ConnId, Core};
use crate::logging::TRANSFER_LOG;
use crate::logins::{Next, Typed, Wanted};
use crate::passwords::{self, Label, Sealed};
use crate::prompts::Purpose;
use crate::queue::{Effect, TransferId};
use crate::store::{Change, Tree};
use crate::time::Now;
use godwit_protocol::envelope::{Role, codes};
use godwit_protocol::prefs::{ForgetPassword, Passwords};
use godwit_protocol::spec::Authentication;
use godwit_protocol::ui::{Decision, Question};
use godwit_protocol::worker::{Credential, Failure};
use godwit_protocol::{ErrorCode, Secret};
use serde_json::json;
use zeroize::Zeroizing;

/// Longest user name, as in a spec.
const MAX_USER: usize = 255;
/// Longest password that a window may give.
const MAX_PASSWORD: usize = 4096;

impl Core {
    /// What a worker logs in with; with the name of the saved password if it is one.
    pub(super) fn login_of(&self, id: &TransferId) -> Result<(Credential, Option<String>), Failure> {
        let failed = |why: &str| Failure::new(ErrorCode::Authentication, why);
        let transfer = self.transfers.get(id).ok_or_else(|| Failure::new(ErrorCode::Internal, "no such transfer"))?;
        let secrets = self.credentials(id).map_err(|why| failed(&why))?;
        match (transfer.order.spec.authentication, secrets.token, secrets.password) {
            (Authentication::Token, Some(token), _) | (Authentication::Password, Some(token), None) => {
                Ok((Credential::Token { token }, None))
            }
            (_, _, Some(password)) => Ok((Credential::Password { password }, None)),
            (Authentication::Token, None, None) => Err(failed("the page gave no token")),
            (Authentication::Password, None, None) => {
                let saved = self.saved_login(id).ok_or_else(|| failed("the page gave no password and no token"))?;
                Ok((Credential::Password { password: saved.1 }, Some(saved.0)))
            }
        }
    }

    /// The saved password that may be used for a transfer without asking.
    fn saved_login(&self, id: &TransferId) -> Option<(String, Secret)> {
        let order = &self.transfers.get(id)?.order;
        let name = passwords::id(&self.server_name(id), &order.spec.remote_user);
        if !self.passwords.usable(&name) {
            return None;
        }
        let sealed = self.unsealed(&name)?;
        sealed.fits(&order.origin, order.spec.fingerprint.as_deref()).then_some((name, sealed.password))
    }

    fn unsealed(&self, name: &str) -> Option<Sealed> {
        let plain = match self.secret(&passwords::secrets_key(name)) {
            Ok(plain) => plain?,
            Err(error) => {
                tracing::warn!(error, "a saved password cannot be opened");
                return None;
            }
        };
        serde_json::from_slice(&plain).ok()
    }

    /// A transfer was turned away by its server, or has nothing to log in with. True if it waits for the user now; the
    /// effects are those on others.
    pub(super) fn turned_away(&mut self, id: &TransferId, tried: bool) -> (bool, Vec<Effect>) {
        let next = match self.wanted_login(id) {
            Some(wanted) => match self.logins.turned_away(id, wanted.clone()) {
                Next::Wait => return (true, Vec::new()),
                Next::Ask if !self.asks_too_much(wanted.conn, &wanted.origin) => Some(wanted),
                Next::Ask | Next::Fail => None,
            },
            None => None,
        };
        match next {
            Some(wanted) => {
                self.ask_login(id, &wanted, tried);
                (true, Vec::new())
            }
            None => {
                let others = self.logins.given_up(id);
                (false, others.iter().flat_map(|other| self.queue.answered(other, false)).collect())
            }
        }
    }

    /// The login to ask for, if the user can and may be asked.
    fn wanted_login(&self, id: &TransferId) -> Option<Wanted> {
        let order = &self.transfers.get(id)?.order;
        let by_token = order.spec.authentication == Authentication::Token
            || self.credentials(id).is_ok_and(|c| c.token.is_some() && c.password.is_none());
        if by_token || !order.settings.allow_dialogs {
            return None;
        }
        let windows = |conn: &ConnId| self.clients.get(conn).is_some_and(|c| c.role == Role::Extension);
        let own = self.clients.iter().find(|(conn, c)| c.session == order.session && windows(conn));
        // The page's browser may be gone, and the user go on from another.
        let conn = own.map(|(conn, _)| *conn).or_else(|| self.resumed_by.get(id).copied().filter(windows))?;
        let (origin, user) = (order.origin.clone(), order.spec.remote_user.clone());
        Some(Wanted { conn, origin, server: self.server_name(id), user })
    }

    fn ask_login(&mut self, id: &TransferId, wanted: &Wanted, wrong: bool) {
        let name = passwords::id(&wanted.server, &wanted.user);
        let fingerprint = self.transfers.get(id).and_then(|t| t.order.spec.fingerprint.clone());
        let sealed = if self.passwords.usable(&name) { self.unsealed(&name) } else { None };
        let fits = |s: Sealed| s.is_for(fingerprint.as_deref()) && !s.sites.contains(&wanted.origin);
        let question = Question::Credentials {
            server: wanted.server.clone(),
            user: wanted.user.clone(),
            wrong,
            can_save: self.settings.now().security.save_passwords,
            saved: sealed.is_some_and(fits),
        };
        self.ask(wanted.conn, &wanted.origin, question, Purpose::Login(id.clone()));
    }

    /// Refuses answers that no window of ours gives.
    pub(super) fn judge_login(&self, question: &Question, decision: &Decision) -> Result<(), &'static str> {
        let (Question::Credentials { server, saved, .. }, Decision::Credentials { user, password, .. }) =
            (question, decision)
        else {
            return Ok(());
        };
        if user.is_empty() || user.len() > MAX_USER || user.chars().any(char::is_control) {
            return Err("A user name is 1 to 255 characters long.");
        }
        if password.expose().len() > MAX_PASSWORD {
            return Err("The password is too long.");
        }
        if password.is_empty() && !(*saved && self.passwords.usable(&passwords::id(server, user))) {
            return Err("The password is missing.");
        }
        Ok(())
    }

    /// The user answered the question for a login.
    pub(super) fn login_answered(&mut self, id: &TransferId, question: &Question, decision: Decision, now: Now) {
        let (Question::Credentials { server, .. }, Decision::Credentials { user, password, save }) =
            (question, decision)
        else {
            return self.login_unanswered(id, now);
        };
        let saved = || self.unsealed(&passwords::id(server, &user)).map(|s| s.password);
        let password = if password.is_empty() { saved() } else { Some(password) };
        let Some(password) = password else { return self.login_unanswered(id, now) };
        let typed = Typed { user, password, save };
        if !self.use_login(id, &typed, now) {
            return self.login_unanswered(id, now);
        }
        self.logins.answered(id, typed);
    }

    /// A transfer goes on with this login; false if it could not be kept safely.
    fn use_login(&mut self, id: &TransferId, typed: &Typed, now: Now) -> bool {
        let mut credentials = self.credentials(id).unwrap_or_default();
        credentials.password = Some(typed.password.clone());
        if self.keep_credentials(id, &credentials).is_err() {
            return false;
        }
        if let Some(transfer) = self.transfers.get_mut(id) {
            // It is a text of a form that was judged before.
            let _ = transfer.order.spec.apply_credentials(&json!({"remote_user": typed.user}));
        }
        self.touch_order(id, now);
        self.error_forgotten(id);
        let effects = self.queue.answered(id, true);
        self.apply(effects, now);
        true
    }

    /// The window was closed, or its browser: all that wait for this login have failed.
    pub(super) fn login_unanswered(&mut self, id: &TransferId, now: Now) {
        for id in self.logins.given_up(id).iter().chain([id]) {
            let effects = self.queue.answered(id, false);
            self.apply(effects, now);
        }
    }

    /// The server has let a transfer in.
    pub(super) fn let_in(&mut self, id: &TransferId, now: Now) {
        let Some((typed, others)) = self.logins.let_in(id) else { return };
        if typed.save && self.settings.now().security.save_passwords {
            self.save_password(id, &typed, now);
        }
        for other in others {
            if !self.use_login(&other, &typed, now) {
                let effects = self.queue.answered(&other, false);
                self.apply(effects, now);
            }
        }
    }

    fn save_password(&mut self, id: &TransferId, typed: &Typed, now: Now) {
        let server = self.server_name(id);
        let Some(order) = self.transfers.get(id).map(|t| &t.order) else { return };
        let (origin, fingerprint) = (order.origin.clone(), order.spec.fingerprint.clone());
        let name = passwords::id(&server, &typed.user);
        let mut sites = self.unsealed(&name).map(|s| s.sites).unwrap_or_default();
        sites.insert(origin);
        let sealed = Sealed { password: typed.password.clone(), sites, fingerprint };
        let key = passwords::secrets_key(&name);
        let bytes = serde_json::to_vec(&sealed).map_err(|e| e.to_string()).and_then(|plain| {
            let plain = Zeroizing::new(plain);
            self.vault.seal(&key, &plain).map_err(|e| e.to_string())
        });
        match bytes {
            Ok(bytes) => {
                tracing::info!(target: TRANSFER_LOG, server, "a password was saved");
                let label = Label { server, user: typed.user.clone(), saved_ms: now.wall_ms };
                self.changes.push(Change::Put(Tree::Secrets, key, bytes));
                self.save_label(&name, &label);
                self.passwords.add(name, label);
            }
            Err(error) => tracing::error!(error, "a password could not be saved"),
        }
    }

    /// A transfer has gone its own way: its question is closed, and the next one that wants the same login asks.
    pub(super) fn login_left(&mut self, id: &TransferId, now: Now) {
        let Some((next, mut wanted)) = self.logins.left(id).asks else { return };
        if let Some(own) = self.wanted_login(&next)
            && !self.asks_too_much(own.conn, &own.origin)
        {
            wanted.conn = own.conn;
            self.ask_login(&next, &wanted, false);
        } else {
            self.login_unanswered(&next, now);
        }
    }

    /// `ui.passwords`
    pub(super) fn list_passwords(&mut self, conn: ConnId, id: u64) {
        let (passwords, key, away) = (self.passwords.list(), self.vault.place(), self.vault.why().map(str::to_owned));
        self.respond_with(conn, id, &Passwords { passwords, key, away });
    }

    /// `ui.forget-password`
    pub(super) fn forget_password(&mut self, conn: ConnId, id: u64, wish: &ForgetPassword) {
        if !self.passwords.remove(&wish.id) {
            return self.refuse_word(conn, id, codes::NOT_FOUND, "gone", "There is no such password.");
        }
        self.changes.push(Change::Delete(Tree::Secrets, passwords::secrets_key(&wish.id)));
        self.changes.push(Change::Delete(Tree::Passwords, wish.id.clone()));
        self.respond(conn, id, json!({}));
    }
}
