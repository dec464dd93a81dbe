//! What clients hear without asking.

use super::{ConnId, Core, Output};
use crate::queue::TransferId;
use crate::time::Now;
use crate::transfers::transfer_view;
use godwit_protocol::envelope::{Event, Message, Role, topics};
use godwit_protocol::ui::{Badge, OpenPage, Prompt, PromptClosed, TransferStatus, TransferView, TransfersChanged};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Subscribers hear of changes at most this often.
const EVENT_INTERVAL: Duration = Duration::from_millis(250);
/// Most bytes of views in one frame; a frame of 1 MiB would break the browser's port.
pub(super) const MAX_LIST_BYTES: usize = 600 * 1024;

impl Core {
    pub(super) fn send_event(&mut self, conn: ConnId, topic: &str, seq: u64, data: &impl Serialize) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let data = match serde_json::to_value(data) {
            Ok(data) => data,
            Err(error) => {
                tracing::error!(topic, %error, "an event could not be made");
                return;
            }
        };
        let id = client.next_event;
        client.next_event += 1;
        let message = Message::Event(Event { id, topic: topic.into(), seq, data });
        self.out.push(Output::Send { conn, message });
    }

    /// To one client, or to all extensions.
    pub(super) fn send_trust(&mut self, to: Option<ConnId>) {
        let view = self.trust.view();
        for conn in self.extensions(to) {
            self.send_event(conn, topics::TRUST, 0, &view);
        }
    }

    /// To the browser that started it, or to another: one notification is enough.
    pub(super) fn send_about(&mut self, id: &TransferId, topic: &str) {
        let (Some(view), Some(transfer)) = (self.view(id), self.transfers.get(id)) else { return };
        let session = &transfer.order.session;
        let extensions = self.clients.iter().filter(|(_, client)| client.role == Role::Extension);
        // False sorts first.
        let to = extensions.min_by_key(|(_, client)| client.session != *session).map(|(conn, _)| *conn);
        if let Some(conn) = to {
            self.send_event(conn, topic, 0, &view);
        }
    }

    pub(super) fn send_badge(&mut self, to: Option<ConnId>) {
        let badge = self.badge();
        for conn in self.extensions(to) {
            self.send_event(conn, topics::BADGE, 0, &badge);
        }
    }

    pub(super) fn extensions(&self, to: Option<ConnId>) -> Vec<ConnId> {
        match to {
            Some(conn) => vec![conn],
            None => self.clients.iter().filter(|(_, c)| c.role == Role::Extension).map(|(conn, _)| *conn).collect(),
        }
    }

    /// A question has become the open one of its client.
    pub(super) fn send_prompt(&mut self, conn: ConnId, prompt: &Prompt) {
        let native = self.ask_desktop(conn, prompt);
        self.send_event(conn, topics::PROMPT, 0, &Prompt { native, ..prompt.clone() });
    }

    pub(super) fn send_prompt_closed(&mut self, conn: ConnId, prompt_id: &str) {
        self.send_event(conn, topics::PROMPT_CLOSED, 0, &PromptClosed { prompt_id: prompt_id.into() });
    }

    pub(super) fn open_page(&mut self, conn: ConnId, page: &str, argument: &str) {
        self.send_event(conn, topics::OPEN_PAGE, 0, &OpenPage { page: page.into(), argument: argument.into() });
    }

    fn badge(&self) -> Badge {
        let count = |status| u32::try_from(self.queue.count_of(status)).unwrap_or(u32::MAX);
        let active = [TransferStatus::Initiating, TransferStatus::Running, TransferStatus::WillRetry];
        Badge { active: active.into_iter().map(count).sum(), failed: count(TransferStatus::Failed) }
    }

    /// Notes for subscribers that a transfer changed.
    pub(super) fn transfer_changed(&mut self, id: &TransferId) {
        self.badge_dirty = true;
        for subscription in self.clients.values_mut().filter_map(|c| c.subscription.as_mut()) {
            subscription.changed.insert(id.clone());
        }
    }

    /// Notes for subscribers that a transfer left the list.
    pub(super) fn transfer_left(&mut self, id: &TransferId) {
        self.badge_dirty = true;
        for subscription in self.clients.values_mut().filter_map(|c| c.subscription.as_mut()) {
            subscription.changed.remove(id);
            subscription.removed.insert(id.clone());
        }
    }

    pub(super) fn next_event_due(&self) -> Option<Duration> {
        let subscriptions = self.clients.values().filter_map(|c| c.subscription.as_ref());
        let owing = subscriptions.filter(|s| !s.changed.is_empty() || !s.removed.is_empty());
        owing.map(|s| s.last_sent + EVENT_INTERVAL).min()
    }

    /// Sends what is owed to subscribers whose interval is over, and the badge if it changed.
    pub(super) fn send_events(&mut self, now: Now) {
        if self.badge_dirty {
            self.badge_dirty = false;
            let badge = self.badge();
            if badge != self.last_badge {
                self.last_badge = badge;
                self.send_badge(None);
            }
        }
        let due: Vec<ConnId> = self
            .clients
            .iter()
            .filter(|(_, c)| {
                c.subscription.as_ref().is_some_and(|s| {
                    (!s.changed.is_empty() || !s.removed.is_empty()) && now.mono >= s.last_sent + EVENT_INTERVAL
                })
            })
            .map(|(conn, _)| *conn)
            .collect();
        for conn in due {
            self.send_changes(conn, now);
        }
    }

    fn send_changes(&mut self, conn: ConnId, now: Now) {
        let Some(subscription) = self.clients.get_mut(&conn).and_then(|c| c.subscription.as_mut()) else { return };
        subscription.last_sent = now.mono;
        let changed = std::mem::take(&mut subscription.changed);
        let removed = std::mem::take(&mut subscription.removed);
        let mut removed: Vec<String> = removed.into_iter().map(|id| id.as_str().to_owned()).collect();
        let views: Vec<TransferView> = changed.iter().filter_map(|id| self.view(id)).collect();
        for changed in in_frames(views) {
            let event = TransfersChanged { changed, removed: std::mem::take(&mut removed) };
            let Some(subscription) = self.clients.get_mut(&conn).and_then(|c| c.subscription.as_mut()) else { return };
            subscription.seq += 1;
            let seq = subscription.seq;
            self.send_event(conn, topics::TRANSFERS, seq, &event);
        }
    }

    pub(super) fn view(&self, id: &TransferId) -> Option<TransferView> {
        Some(transfer_view(id, self.transfers.get(id)?, self.queue.place(id)?))
    }

    /// The newest transfers, newest first, as many as fit a frame; and the ids of the others.
    pub(super) fn newest(&self) -> (Vec<TransferView>, BTreeSet<TransferId>) {
        let mut ids: Vec<_> = self.transfers.keys().filter_map(|id| Some((self.queue.place(id)?.order, id))).collect();
        ids.sort_by(|a, b| b.cmp(a));
        let mut ids = ids.into_iter().map(|(_, id)| id);
        let (mut views, mut bytes) = (Vec::new(), 0);
        let mut rest = BTreeSet::new();
        for id in ids.by_ref() {
            let Some(view) = self.view(id) else { continue };
            bytes += size_of_view(&view);
            if bytes > MAX_LIST_BYTES && !views.is_empty() {
                rest.insert(id.clone());
                break;
            }
            views.push(view);
        }
        rest.extend(ids.cloned());
        (views, rest)
    }
}

fn size_of_view(view: &TransferView) -> usize {
    serde_json::to_vec(view).map_or(0, |v| v.len())
}

/// Cuts a list so that each piece fits a frame; at least one piece, perhaps empty.
fn in_frames(views: Vec<TransferView>) -> Vec<Vec<TransferView>> {
    let mut pieces = vec![Vec::new()];
    let mut bytes = 0;
    for view in views {
        let size = size_of_view(&view);
        if bytes + size > MAX_LIST_BYTES && bytes > 0 {
            pieces.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(piece) = pieces.last_mut() {
            piece.push(view);
        }
    }
    pieces
}
