//! Settings as they take effect: at the start, when a window changes them, and when their file was edited.

use super::{ConnId, Core, Output};
use crate::queue::Limits;
use crate::settings::{ChangeError, Settings};
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::prefs::{ChangeSettings, topics};
use serde_json::Value;
use std::time::Duration;

impl Core {
    /// `ui.change-settings`
    pub(super) fn change_settings(&mut self, conn: ConnId, id: u64, params: Value, now: Now) {
        let Some(wish) = self.params::<ChangeSettings>(conn, id, params) else { return };
        let before = self.settings.now().clone();
        match self.settings.change(&wish) {
            Ok(()) => {
                tracing::info!(settings = ?wish.changes.keys().collect::<Vec<_>>(), "settings changed");
                self.settings_changed(&before, now);
                let view = self.settings.view();
                self.respond_with(conn, id, &view);
            }
            Err(error) => {
                let code = match error {
                    ChangeError::Locked(_) => codes::FORBIDDEN,
                    ChangeError::Value(_) => codes::BAD_REQUEST,
                    ChangeError::File(..) | ChangeError::Write(..) => codes::INTERNAL,
                };
                self.refuse_saying(conn, id, code, error.note());
            }
        }
    }

    /// The file may have been edited.
    pub(super) fn settings_touched(&mut self, now: Now) {
        let before = self.settings.now().clone();
        if self.settings.reload() {
            tracing::info!("the settings file was edited");
            self.settings_changed(&before, now);
        }
    }

    pub(super) fn settings_changed(&mut self, before: &Settings, now: Now) {
        let settings = self.settings.now().clone();
        if settings.log != before.log {
            self.out.push(Output::LogLevel(settings.log.level.clone()));
        }
        if settings.security.local_http != before.security.local_http {
            self.out.push(Output::LocalHttp(settings.security.local_http));
        }
        if settings.bandwidth != before.bandwidth {
            self.share_out(None, now);
        }
        if settings.transfers != before.transfers {
            self.tidy_all(now);
        }
        let effects = self.queue.set_limits(queue_limits(&settings));
        self.apply(effects, now);
        self.send_settings(None);
    }

    /// To one client, or to all extensions.
    pub(super) fn send_settings(&mut self, to: Option<ConnId>) {
        let view = self.settings.view();
        for conn in self.extensions(to) {
            self.send_event(conn, topics::SETTINGS, 0, &view);
        }
    }
}

/// Workers at once without a queue: each is a process.
const MOST_ACTIVE: usize = 100;

/// What the queue is told.
pub(super) fn queue_limits(settings: &Settings) -> Limits {
    let (queue, retry) = (&settings.queue, &settings.retry);
    let limit = |n: usize| if n == 0 || !queue.enabled { MOST_ACTIVE } else { n };
    Limits {
        active: limit(queue.active),
        downloads: limit(queue.active_downloads),
        uploads: limit(queue.active_uploads),
        retries: if retry.enabled { retry.attempts } else { 0 },
        interval: Duration::from_secs(retry.interval_seconds),
        ..Limits::default()
    }
}
