//! What the core keeps in the store, and when it is written.

use super::callers::{CALLERS_FORM, CALLERS_KEY};
use super::{Core, Output};
use crate::history::{HISTORY_FORM, Histories, StoredHistory};
use crate::passwords::{LABEL_FORM, Label, PasswordBook};
use crate::queue::TransferId;
use crate::settings::SettingsBook;
use crate::settings::browser::{BrowserPolicies, POLICY_FORM, StoredPolicy};
use crate::store::snapshot::{self, Record};
use crate::store::{Change, Store, StoreError, Tree, decode, encode};
use crate::time::Now;
use crate::transfers::{ORDER_FORM, Order, STATE_FORM, StoredState, TOMBSTONE_FORM, Tombstone, secrets_key};
use crate::trust::{Remembered, TRUST_FORM, TrustBook};
use godwit_protocol::envelope::{Message, Response, codes};
use godwit_protocol::page::PageAnswer;
use godwit_protocol::prefs::TrustList;
use godwit_protocol::ui::{Called, Notice};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// Progress of running transfers is written this often.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// A copy of the database is made this long after the first change since the last copy.
pub(super) const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(600);
/// Tokens are reserved in the store in blocks, so that not every report of a worker is a write.
const TOKEN_BLOCK: u64 = 10_000;
const META_FORM: u32 = 1;
const PIN_FORM: u32 = 1;
const TOKEN_KEY: &str = "iteration-token";

/// What of a transfer must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unsaved {
    State,
    OrderAndState,
}

/// What the store held.
#[derive(Debug, Default)]
pub struct Loaded {
    pub(super) transfers: Vec<(TransferId, Order, StoredState)>,
    pub(super) tombstones: BTreeMap<TransferId, Tombstone>,
    pub(super) trust: TrustBook,
    pub(super) pins: BTreeMap<String, String>,
    pub(super) passwords: PasswordBook,
    pub(super) browser_policies: BrowserPolicies,
    pub(super) callers: Vec<Called>,
    pub(super) histories: Histories,
    /// Histories of transfers that are not in the list any more, or more than there is room for.
    pub(super) outdated: Vec<String>,
    pub(super) token_ceiling: u64,
    pub(super) notices: Vec<Notice>,
}

/// Reads everything. A record that cannot be understood stays where it is and is told; it must not take the others along.
pub(super) fn load(store: &dyn Store) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut unread = Vec::new();
    for (key, bytes) in store.all(Tree::Transfers)? {
        let Some(order) = read::<Order>(ORDER_FORM, &key, &bytes, &mut unread) else { continue };
        let Some(state) = store.get(Tree::States, &key)? else {
            unread.push(key);
            continue;
        };
        let Some(state) = read::<StoredState>(STATE_FORM, &key, &state, &mut unread) else { continue };
        loaded.transfers.push((TransferId::new(key), order, state));
    }
    for (key, bytes) in store.all(Tree::Tombstones)? {
        if let Some(tombstone) = read(TOMBSTONE_FORM, &key, &bytes, &mut unread) {
            loaded.tombstones.insert(TransferId::new(key), tombstone);
        }
    }
    for (key, bytes) in store.all(Tree::Trust)? {
        match (read::<Remembered>(TRUST_FORM, &key, &bytes, &mut unread), key.parse()) {
            (Some(remembered), Ok(pattern)) => loaded.trust.remember(pattern, remembered.list()),
            (Some(_), Err(_)) => unread.push(key),
            (None, _) => {}
        }
    }
    for (key, bytes) in store.all(Tree::Pins)? {
        if let Some(pin) = read(PIN_FORM, &key, &bytes, &mut unread) {
            loaded.pins.insert(key, pin);
        }
    }
    for (key, bytes) in store.all(Tree::Passwords)? {
        if let Some(label) = read::<Label>(LABEL_FORM, &key, &bytes, &mut unread) {
            loaded.passwords.add(key, label);
        }
    }
    loaded.browser_policies = browser_policies(store, &mut unread)?;
    for (key, bytes) in store.all(Tree::Histories)? {
        // Nothing is lost with a curve: what cannot be read goes, and nobody needs to hear of it.
        let listed = loaded.transfers.iter().any(|(id, ..)| id.as_str() == key);
        match decode::<StoredHistory>(HISTORY_FORM, &bytes) {
            Ok(stored) if listed => loaded.histories.restore(TransferId::new(key), stored),
            _ => loaded.outdated.push(key),
        }
    }
    if let Some(bytes) = store.get(Tree::Meta, TOKEN_KEY)? {
        loaded.token_ceiling = read(META_FORM, TOKEN_KEY, &bytes, &mut unread).unwrap_or_default();
    }
    if let Some(bytes) = store.get(Tree::Meta, CALLERS_KEY)? {
        loaded.callers = read(CALLERS_FORM, CALLERS_KEY, &bytes, &mut unread).unwrap_or_default();
    }
    // Should the counter be lost, the records still say how far it had come.
    let tokens = loaded.transfers.iter().map(|(_, _, s)| s.standing.token);
    let highest = tokens.chain(loaded.tombstones.values().map(|t| t.token)).max().unwrap_or_default();
    loaded.token_ceiling = loaded.token_ceiling.max(highest);
    if !unread.is_empty() {
        let count = unread.len().to_string();
        let text = format!("{count} records of the database could not be read; they are kept.");
        loaded.notices.push(Notice::new("records", [count], text));
    }
    Ok(loaded)
}

fn browser_policies(store: &dyn Store, unread: &mut Vec<String>) -> Result<BrowserPolicies, StoreError> {
    let mut policies = BrowserPolicies::default();
    for (key, bytes) in store.all(Tree::Policies)? {
        if let Some(policy) = read(POLICY_FORM, &key, &bytes, unread) {
            policies.restore(key, policy);
        }
    }
    Ok(policies)
}

/// The settings with what the policies of browsers said last, for what must be known before there is a [`Core`].
pub(crate) fn obey_stored(settings: &mut SettingsBook, store: &dyn Store) -> Result<(), StoreError> {
    settings.obey(&browser_policies(store, &mut Vec::new())?);
    Ok(())
}

fn read<T: DeserializeOwned>(form: u32, key: &str, bytes: &[u8], unread: &mut Vec<String>) -> Option<T> {
    match decode(form, bytes) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::error!(key, %error, "a record could not be read");
            unread.push(key.to_owned());
            None
        }
    }
}

impl Core {
    /// A visible change: gets the next token and must be written.
    pub(super) fn touch(&mut self, id: &TransferId, now: Now) {
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.standing.token = self.news.change(id, transfer.standing.token);
            transfer.standing.modified_ms = now.wall_ms;
            self.unsaved.entry(id.clone()).or_insert(Unsaved::State);
            self.transfer_changed(id);
        }
    }

    /// As [`Self::touch`], and the order changed as well.
    pub(super) fn touch_order(&mut self, id: &TransferId, now: Now) {
        self.touch(id, now);
        self.unsaved.insert(id.clone(), Unsaved::OrderAndState);
    }

    /// A visible change that may be lost in a crash: progress.
    pub(super) fn touch_progress(&mut self, id: &TransferId, now: Now) {
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.standing.token = self.news.change(id, transfer.standing.token);
            transfer.standing.modified_ms = now.wall_ms;
            self.progressed.insert(id.clone());
            self.transfer_changed(id);
        }
    }

    /// Takes a transfer and its secrets off the store, and leaves a tombstone.
    pub(super) fn bury(&mut self, id: &TransferId, tombstone: Tombstone) {
        let key = id.as_str().to_owned();
        self.unsaved.remove(id);
        self.progressed.remove(id);
        for tree in [Tree::Transfers, Tree::States, Tree::Histories, Tree::Encrypted] {
            self.changes.push(Change::Delete(tree, key.clone()));
        }
        self.changes.push(Change::Delete(Tree::Secrets, secrets_key(id)));
        self.put(Tree::Tombstones, key, TOMBSTONE_FORM, &tombstone);
        self.tombstones.insert(id.clone(), tombstone);
        self.prune_tombstones();
    }

    fn prune_tombstones(&mut self) {
        // Removals come in heaps; looking at all tombstones at each would make a long list slow.
        if self.tombstones.len() > crate::limits::MAX_TOMBSTONES + crate::limits::MAX_TOMBSTONES / 10 {
            let excess = self.tombstones.len() - crate::limits::MAX_TOMBSTONES;
            let mut by_age: Vec<_> = self.tombstones.iter().map(|(id, t)| (t.token, id.clone())).collect();
            by_age.sort();
            for (_, id) in by_age.into_iter().take(excess) {
                self.drop_tombstone(&id);
            }
        }
    }

    /// Forgets removals that every page has had time to hear of.
    pub(super) fn expire_tombstones(&mut self, now: Now) {
        let life = u64::try_from(crate::limits::TOMBSTONE_LIFE.as_millis()).unwrap_or(u64::MAX);
        let old = |t: &Tombstone| t.removed_ms.saturating_add(life) < now.wall_ms;
        let expired: Vec<_> = self.tombstones.iter().filter(|(_, t)| old(t)).map(|(id, _)| id.clone()).collect();
        for id in expired {
            self.drop_tombstone(&id);
        }
    }

    fn drop_tombstone(&mut self, id: &TransferId) {
        if let Some(tombstone) = self.tombstones.remove(id) {
            self.news.forget(id, tombstone.token);
        }
        self.changes.push(Change::Delete(Tree::Tombstones, id.as_str().to_owned()));
    }

    /// How a transfer went so far, at the end of a worker's run; the time between is not worth a write.
    pub(super) fn save_history(&mut self, id: &TransferId) {
        let Some(stored) = self.histories.get(id).map(StoredHistory::from) else { return };
        self.put(Tree::Histories, id.as_str().to_owned(), HISTORY_FORM, &stored);
    }

    pub(super) fn drop_history(&mut self, key: &str) {
        self.changes.push(Change::Delete(Tree::Histories, key.to_owned()));
    }

    pub(super) fn save_trust(&mut self, pattern: &str, list: Option<TrustList>) {
        match list {
            Some(list) => self.put(Tree::Trust, pattern.to_owned(), TRUST_FORM, &Remembered::on(list)),
            None => self.changes.push(Change::Delete(Tree::Trust, pattern.to_owned())),
        }
    }

    pub(super) fn save_pin(&mut self, server: &str, fingerprint: &str) {
        self.pins.insert(server.to_owned(), fingerprint.to_owned());
        self.put(Tree::Pins, server.to_owned(), PIN_FORM, &fingerprint);
    }

    pub(super) fn save_label(&mut self, name: &str, label: &Label) {
        self.put(Tree::Passwords, name.to_owned(), LABEL_FORM, label);
    }

    pub(super) fn save_policy(&mut self, key: &str, policy: Option<&StoredPolicy>) {
        match policy {
            Some(policy) => self.put(Tree::Policies, key.to_owned(), POLICY_FORM, policy),
            None => self.changes.push(Change::Delete(Tree::Policies, key.to_owned())),
        }
    }

    /// `ui.forget-server`
    pub(super) fn forget_pin(&mut self, server: &str) -> bool {
        self.session_pins.retain(|(_, s), _| s != server);
        self.changes.push(Change::Delete(Tree::Pins, server.to_owned()));
        self.pins.remove(server).is_some()
    }

    pub(super) fn put<T: serde::Serialize>(&mut self, tree: Tree, key: String, form: u32, data: &T) {
        match encode(form, data) {
            Ok(bytes) => self.changes.push(Change::Put(tree, key, bytes)),
            Err(error) => tracing::error!(key, %error, "a record could not be made"),
        }
    }

    fn record(&mut self, id: &TransferId, what: Unsaved) {
        let Some(transfer) = self.transfers.get(id) else { return };
        let Some(place) = self.queue.place(id) else { return };
        let state = StoredState { place: place.clone(), standing: transfer.standing.clone() };
        let order = (what == Unsaved::OrderAndState).then(|| encode(ORDER_FORM, &transfer.order));
        match order {
            Some(Ok(bytes)) => self.changes.push(Change::Put(Tree::Transfers, id.as_str().into(), bytes)),
            Some(Err(error)) => tracing::error!(%id, %error, "a record could not be made"),
            None => {}
        }
        self.put(Tree::States, id.as_str().into(), STATE_FORM, &state);
    }

    /// Writes everything that must be safe before an answer leaves.
    pub(super) fn save(&mut self, now: Now) -> Result<(), StoreError> {
        if self.news.last() > self.token_ceiling {
            let ceiling = self.news.last() + TOKEN_BLOCK;
            self.put(Tree::Meta, TOKEN_KEY.into(), META_FORM, &ceiling);
            self.token_ceiling = ceiling;
        }
        let unsaved: Vec<_> = self.unsaved.iter().map(|(id, what)| (id.clone(), *what)).collect();
        let before = self.changes.len();
        for (id, what) in unsaved {
            self.record(&id, what);
        }
        if self.changes.is_empty() {
            return Ok(());
        }
        self.save_callers();
        let result = self.store.apply(&self.changes).and_then(|()| self.store.sync());
        match result {
            Ok(()) => {
                self.changes.clear();
                self.unsaved.clear();
                self.snapshot_due = self.snapshot_due.or(Some(now.mono + SNAPSHOT_INTERVAL));
                Ok(())
            }
            Err(error) => {
                // The next change tries again; records of transfers are made anew then.
                self.changes.truncate(before);
                Err(error)
            }
        }
    }

    /// A copy of the database, some time after something changed.
    pub(super) fn take_snapshot(&mut self, now: Now) {
        if self.snapshot_due.is_some_and(|due| due <= now.mono) {
            self.snapshot_due = None;
            match snapshot::records(self.store.as_ref()) {
                Ok(records) => self.out.push(Output::Snapshot(records)),
                Err(error) => tracing::error!(%error, "no copy of the database could be made"),
            }
        }
    }

    /// The last copy, for the end; `None` if there is one of the present state.
    pub fn last_snapshot(&mut self) -> Option<Vec<Record>> {
        self.snapshot_due.take()?;
        snapshot::records(self.store.as_ref()).ok()
    }

    /// Writes progress. Not synced: after a power cut the worker's journal knows better anyway.
    pub(super) fn save_progress(&mut self) {
        let mut batch = Vec::new();
        for id in std::mem::take(&mut self.progressed) {
            if let (Some(transfer), Some(place)) = (self.transfers.get(&id), self.queue.place(&id)) {
                let state = StoredState { place: place.clone(), standing: transfer.standing.clone() };
                if let Ok(bytes) = encode(STATE_FORM, &state) {
                    batch.push(Change::Put(Tree::States, id.as_str().into(), bytes));
                }
            }
        }
        if !batch.is_empty()
            && let Err(error) = self.store.apply(&batch)
        {
            tracing::error!(%error, "progress could not be written");
        }
    }

    /// Nothing that was answered may be lost: good answers of this turn become errors, and what was added by it goes away.
    pub(super) fn saving_failed(&mut self, error: &StoreError, now: Now) {
        tracing::error!(%error, "a change could not be written");
        let why = format!("The change could not be written to disk ({error}).");
        let notice = Notice::new("unwritten", [error.to_string()], why.clone());
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        for output in &mut self.out {
            let Output::Send { message: Message::Response(response), .. } = output else { continue };
            let Some(result) = &response.result else { continue };
            *response = if result.get("status").is_some() && result.get("body").is_some() {
                let answer = PageAnswer::error(500, &error.to_string(), &why);
                Response::ok(response.id, serde_json::to_value(answer).unwrap_or_default())
            } else {
                Response::err(response.id, codes::INTERNAL, why.clone())
            };
        }
        for id in std::mem::take(&mut self.fresh) {
            if let Some(run) = self.queue.run(&id) {
                self.out.retain(|o| !matches!(o, Output::StartWorker { run: r, .. } if *r == run));
                self.runs.remove(&run);
                let failed = crate::queue::Outcome::Failed { retryable: false };
                let effects = self.queue.ended(&id, run, failed, now.mono);
                self.apply(effects, now);
            }
            let effects = self.queue.remove(&id).unwrap_or_default();
            self.apply(effects, now);
            if let Some(transfer) = self.transfers.remove(&id) {
                self.news.forget(&id, transfer.standing.token);
            }
            self.unsaved.remove(&id);
            self.changes.retain(|c| !matches!(c, Change::Put(Tree::Secrets, key, _) if *key == secrets_key(&id)));
        }
    }
}
