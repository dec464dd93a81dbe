//! The key ring may come back while the agent runs: it is asked again when somebody is there.

use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, Ticket};
use crate::queue::TransferId;
use crate::secrets::{Keys, SecretError, Vault};
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::prefs::KeyPlace;
use std::time::Duration;

/// Between two tries. A key ring that hangs costs a thread for some seconds each time.
const PAUSE: Duration = Duration::from_secs(60);

impl Core {
    /// True if what a transfer logs in with is sealed with a key that the key ring has.
    pub(super) fn key_is_away(&self, id: &TransferId) -> bool {
        self.key_places.desktop.is_some() && self.vault.place() == KeyPlace::File && self.credentials(id).is_err()
    }

    /// Looks for the key ring again, if it is wanted and was not there.
    pub(super) fn look_for_keys(&mut self, now: Now) {
        let wanted = self.key_places.desktop.is_some() && self.vault.place() == KeyPlace::File;
        if wanted && self.keys_sought.is_none_or(|at| now.mono >= at + PAUSE) {
            self.keys_sought = Some(now.mono);
            self.out.push(Output::Job(Job::Keys(self.key_places.clone())));
        }
    }

    /// `ui.unlock-keys`
    pub(super) fn unlock_keys(&mut self, conn: ConnId, id: u64, deadline: Option<Duration>) {
        if self.key_places.desktop.is_none() {
            let words = "The key for stored passwords is kept in a file, as the settings want it.";
            return self.refuse_word(conn, id, codes::BAD_REQUEST, "key-in-file", words);
        }
        if self.vault.place() == KeyPlace::Desktop {
            return self.list_passwords(conn, id);
        }
        if self.unlocking.is_some() {
            let words = "Your desktop asks you for the key ring's password already.";
            return self.refuse_word(conn, id, codes::BUSY, "key-ring-asks", words);
        }
        let ticket = self.wait(conn, id, deadline, Wanted::Window);
        self.unlocking = Some(ticket);
        self.out.push(Output::Job(Job::UnlockKeys { ticket, places: self.key_places.clone() }));
    }

    pub(super) fn keys_unlocked(&mut self, ticket: Ticket, result: Result<Keys, SecretError>) {
        self.unlocking = None;
        let why = match &result {
            Ok(keys) => keys.why.clone(),
            Err(error) => Some(error.to_string()),
        };
        // Also if nobody waits any more.
        self.keys_found(result);
        let Some(waiting) = self.take_waiting(ticket) else { return };
        match why {
            None => self.list_passwords(waiting.conn, waiting.id),
            Some(why) => self.refuse(waiting.conn, waiting.id, codes::INTERNAL, &why),
        }
    }

    pub(super) fn keys_found(&mut self, result: Result<Keys, SecretError>) {
        match result {
            Ok(keys) if keys.place == KeyPlace::Desktop => {
                tracing::info!("the key for stored passwords is in the key ring now");
                self.vault = Vault::new(&keys);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the key ring was not taken into use"),
        }
    }
}
