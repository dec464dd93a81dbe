//! Completed transfers leave the list by themselves, if the user wants that.

use super::Core;
use crate::queue::TransferId;
use crate::settings::RemoveFinished;
use crate::time::Now;
use godwit_protocol::ui::TransferStatus;
use std::time::Duration;

/// A page that asks every few seconds must have seen that a transfer completed before it hears that it is gone.
const SHOWN: Duration = Duration::from_secs(60);

impl Core {
    /// A transfer has completed.
    pub(super) fn tidy_later(&mut self, id: &TransferId, now: Now) {
        if self.settings.now().transfers.remove_finished == RemoveFinished::Automatically {
            self.leaving.entry(id.clone()).or_insert(now.mono + SHOWN);
        }
    }

    /// At the start, and when the setting has changed.
    pub(super) fn tidy_all(&mut self, now: Now) {
        self.leaving.clear();
        let done = |id: &TransferId| self.queue.place(id).is_some_and(|p| p.status == TransferStatus::Completed);
        let completed: Vec<TransferId> = self.transfers.keys().filter(|id| done(id)).cloned().collect();
        for id in completed {
            self.tidy_later(&id, now);
        }
    }

    /// Takes off what has been shown long enough.
    pub(super) fn tidy(&mut self, now: Now) {
        let due: Vec<TransferId> =
            self.leaving.iter().filter(|(_, at)| **at <= now.mono).map(|(id, _)| id.clone()).collect();
        for id in due {
            // Not while the user has its files decrypted.
            if self.is_unlocking(&id) {
                self.leaving.insert(id, now.mono + SHOWN);
                continue;
            }
            self.leaving.remove(&id);
            // Somebody may have removed it meanwhile.
            let _ = self.remove_transfer(&id, now);
        }
    }

    /// When that is next.
    pub(super) fn next_tidy(&self) -> Option<Duration> {
        self.leaving.values().min().copied()
    }
}
