//! The state machine of the queue.

use super::line::{GAP, Line};
use super::{Effect, Lane, Limits, Outcome, Place, Refused, RunId, TransferId, is_active};
use godwit_protocol::ui::TransferStatus as Status;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All transfers that have a place, and the workers that run.
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    entries: BTreeMap<TransferId, Entry>,
    /// Those in `Queued`.
    waiting: Line,
    /// Those in `WillRetry`, by when they try again.
    retrying: BTreeSet<(Duration, TransferId)>,
    /// How many are in each state.
    counts: BTreeMap<Status, usize>,
    running: usize,
    running_downloads: usize,
    next_order: u64,
    next_run: u64,
    closing: bool,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    lane: Lane,
    /// The worker, until it has really ended, whatever the status says meanwhile.
    run: Option<RunId>,
    /// When to try again, in `WillRetry`.
    due: Option<Duration>,
    /// Waits for an answer of the user, in `Initiating` without a worker.
    asking: bool,
    crashes: u32,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            waiting: Line::default(),
            retrying: BTreeSet::new(),
            counts: BTreeMap::new(),
            running: 0,
            running_downloads: 0,
            next_order: GAP,
            next_run: 1,
            closing: false,
        }
    }

    /// New limits. What runs goes on even if it is more than may run now.
    pub fn set_limits(&mut self, limits: Limits) -> Vec<Effect> {
        self.limits = limits;
        self.pump()
    }

    /// Takes up what was stored: what was under way waits for its turn again, in the old order. Call [`Self::pump`] after
    /// the last one.
    pub fn restore(&mut self, id: TransferId, lane: Lane, mut place: Place) -> bool {
        self.next_order = self.next_order.max(place.order.saturating_add(GAP));
        let mut changed = false;
        if is_active(place.status) {
            if place.status != Status::Queued {
                place.previous = Some(place.status);
                place.status = Status::Queued;
                changed = true;
            }
            // A new agent is a new start: old failures were those of a machine that has been restarted since.
            place.failures = 0;
        }
        self.insert(id, lane, place);
        changed
    }

    /// Adds a new transfer at the end.
    pub fn add(&mut self, id: TransferId, lane: Lane) -> Vec<Effect> {
        let order = self.next_order;
        self.next_order = self.next_order.saturating_add(GAP);
        let place = Place { order, status: Status::Queued, previous: None, attempts: 0, failures: 0 };
        self.insert(id.clone(), lane, place);
        self.then_pump(vec![Effect::Changed { id }])
    }

    fn insert(&mut self, id: TransferId, lane: Lane, place: Place) {
        if place.status == Status::Queued {
            self.waiting.insert(lane, place.order, id.clone());
        }
        *self.counts.entry(place.status).or_default() += 1;
        self.entries.insert(id, Entry { place, lane, run: None, due: None, asking: false, crashes: 0 });
    }

    /// The user stops it. A transfer that is not under way stays as it is.
    pub fn stop(&mut self, id: &TransferId) -> Result<Vec<Effect>, Refused> {
        let entry = self.entries.get_mut(id).ok_or(Refused::Unknown)?;
        match entry.place.status {
            Status::Removed => return Err(Refused::Unknown),
            Status::Completed => return Err(Refused::Completed),
            Status::Failed | Status::Cancelled => return Ok(Vec::new()),
            _ => {}
        }
        let mut effects: Vec<Effect> = entry.run.map(|run| Effect::Stop { run }).into_iter().collect();
        self.set(id, Status::Cancelled);
        effects.push(Effect::Changed { id: id.clone() });
        Ok(self.then_pump(effects))
    }

    /// The user wants it to run: after a stop or a failure, instead of waiting for the retry, or (`at_once`) before its
    /// turn.
    pub fn resume(&mut self, id: &TransferId, at_once: bool) -> Result<Vec<Effect>, Refused> {
        let entry = self.entries.get_mut(id).ok_or(Refused::Unknown)?;
        match entry.place.status {
            Status::Removed => return Err(Refused::Unknown),
            Status::Completed => return Err(Refused::Completed),
            Status::Initiating | Status::Running => return Ok(Vec::new()),
            Status::Queued => {}
            Status::Failed | Status::Cancelled | Status::WillRetry => {
                entry.place.failures = 0;
                entry.crashes = 0;
                self.set(id, Status::Queued);
            }
        }
        let mut effects = vec![Effect::Changed { id: id.clone() }];
        if at_once && !self.closing {
            self.start(id, &mut effects);
        }
        Ok(self.then_pump(effects))
    }

    /// Puts one that waits directly before another that waits, or at the end.
    pub fn reorder(&mut self, id: &TransferId, before: Option<&TransferId>) -> Result<Vec<Effect>, Refused> {
        let waits = |id: &TransferId| {
            let entry = self.entries.get(id).ok_or(Refused::Unknown)?;
            if entry.place.status == Status::Queued { Ok(entry.place.order) } else { Err(Refused::NotWaiting) }
        };
        waits(id)?;
        let order = match before {
            Some(other) if other == id => return Ok(Vec::new()),
            Some(other) => {
                let target = waits(other)?;
                self.gap_before(target, id)
            }
            None => {
                self.next_order = self.next_order.saturating_add(GAP);
                Some(self.next_order - GAP)
            }
        };
        let Some(order) = order else {
            let effects = self.spread(id, before);
            return Ok(self.then_pump(effects));
        };
        self.place_at(id, order);
        Ok(self.then_pump(vec![Effect::Changed { id: id.clone() }]))
    }

    /// An order directly before `order` that nobody has, after all with a smaller one; `None` without a gap.
    ///
    /// Stopped and failed transfers count too: they keep their order and come back with it.
    fn gap_before(&self, order: u64, moving: &TransferId) -> Option<u64> {
        let earlier = |(id, entry): &(&TransferId, &Entry)| *id != moving && entry.place.order < order;
        let lower = self.entries.iter().filter(earlier).map(|(_, e)| e.place.order).max().unwrap_or(0);
        let middle = lower + (order - lower) / 2;
        (middle > lower).then_some(middle)
    }

    /// No gap is left where one is needed: all that wait get new orders.
    fn spread(&mut self, moving: &TransferId, before: Option<&TransferId>) -> Vec<Effect> {
        let mut ids: Vec<TransferId> =
            self.waiting.all().into_iter().map(|(_, id)| id).filter(|i| i != moving).collect();
        let at = before.and_then(|b| ids.iter().position(|id| id == b)).unwrap_or(ids.len());
        ids.insert(at, moving.clone());
        let mut effects = Vec::new();
        for id in ids {
            let order = self.next_order;
            self.next_order = self.next_order.saturating_add(GAP);
            self.place_at(&id, order);
            effects.push(Effect::Changed { id });
        }
        effects
    }

    fn place_at(&mut self, id: &TransferId, order: u64) {
        if let Some(entry) = self.entries.get_mut(id) {
            self.waiting.remove(entry.lane, entry.place.order, id);
            entry.place.order = order;
            self.waiting.insert(entry.lane, order, id.clone());
        }
    }

    /// Takes it off the list; a worker of it is stopped and its slot stays taken until it has ended.
    pub fn remove(&mut self, id: &TransferId) -> Result<Vec<Effect>, Refused> {
        let entry = self.entries.get_mut(id).filter(|e| e.place.status != Status::Removed).ok_or(Refused::Unknown)?;
        let run = entry.run;
        let mut effects = Vec::new();
        self.set(id, Status::Removed);
        match run {
            Some(run) => effects.push(Effect::Stop { run }),
            None => self.forget(id),
        }
        effects.push(Effect::Changed { id: id.clone() });
        Ok(self.then_pump(effects))
    }

    fn forget(&mut self, id: &TransferId) {
        if let Some(entry) = self.entries.remove(id) {
            self.count(entry.place.status, None);
        }
    }

    /// The worker has been let in by the server.
    pub fn session_began(&mut self, id: &TransferId, run: RunId) -> Vec<Effect> {
        match self.current(id, run) {
            Some(entry) if entry.place.status == Status::Initiating => {
                self.set(id, Status::Running);
                vec![Effect::Changed { id: id.clone() }]
            }
            _ => Vec::new(),
        }
    }

    /// Verified bytes were added: earlier failures do not count any more.
    pub fn progressed(&mut self, id: &TransferId, run: RunId) {
        if let Some(entry) = self.current(id, run) {
            entry.place.failures = 0;
        }
    }

    /// The worker's process has ended.
    pub fn ended(&mut self, id: &TransferId, run: RunId, outcome: Outcome, now: Duration) -> Vec<Effect> {
        let limits = self.limits;
        let closing = self.closing;
        let Some(entry) = self.current(id, run) else { return Vec::new() };
        entry.run = None;
        let (status, lane) = (entry.place.status, entry.lane);
        let mut retry_after = None;
        let next = match (status, outcome) {
            (Status::Removed, _) => Status::Removed,
            // Even if the user said stop a moment ago: it is a fact that everything arrived.
            (_, Outcome::Done) => Status::Completed,
            // Stopped, and perhaps wanted again since (then it waits as `Queued`): the wish stands, not the worker's word.
            (Status::Cancelled | Status::Queued, _) => status,
            // Not the transfer's fault; it goes on in the next agent's life.
            _ if closing => status,
            (_, Outcome::NeedsAnswer) => Status::Initiating,
            (_, Outcome::Failed { retryable: false }) => Status::Failed,
            (_, Outcome::Failed { .. } | Outcome::Crashed) => {
                entry.place.failures += 1;
                let first_crash = outcome == Outcome::Crashed && entry.crashes == 0;
                entry.crashes += u32::from(outcome == Outcome::Crashed);
                if entry.place.failures > limits.retries {
                    Status::Failed
                } else {
                    retry_after = Some(if first_crash { limits.crash_delay } else { limits.interval });
                    Status::WillRetry
                }
            }
        };
        self.running -= 1;
        self.running_downloads -= usize::from(lane == Lane::Download);
        if next == Status::Removed {
            self.forget(id);
            return self.then_pump(Vec::new());
        }
        if next != status {
            self.set(id, next);
        }
        if let Some(entry) = self.entries.get_mut(id) {
            entry.asking = outcome == Outcome::NeedsAnswer && next == Status::Initiating;
            if let Some(pause) = retry_after {
                let due = now.saturating_add(pause);
                entry.due = Some(due);
                self.retrying.insert((due, id.clone()));
            }
        }
        self.then_pump(vec![Effect::Changed { id: id.clone() }])
    }

    /// The user answered what a transfer waited for: it goes on, or has failed.
    pub fn answered(&mut self, id: &TransferId, go_on: bool) -> Vec<Effect> {
        let Some(entry) = self.entries.get_mut(id).filter(|e| e.asking) else { return Vec::new() };
        entry.asking = false;
        self.set(id, if go_on { Status::Queued } else { Status::Failed });
        self.then_pump(vec![Effect::Changed { id: id.clone() }])
    }

    /// Retries that are due wait for a slot from now on.
    pub fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let due: Vec<TransferId> =
            self.retrying.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect();
        let mut effects = Vec::new();
        for id in due {
            self.set(&id, Status::Queued);
            effects.push(Effect::Changed { id });
        }
        self.then_pump(effects)
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.retrying.first().map(|(at, _)| *at)
    }

    /// The agent ends: workers stop, nothing new starts, states stay for the next agent to take up.
    pub fn close(&mut self) -> Vec<Effect> {
        self.closing = true;
        self.entries.values().filter_map(|e| e.run).map(|run| Effect::Stop { run }).collect()
    }

    /// Starts waiting transfers while there are free slots.
    pub fn pump(&mut self) -> Vec<Effect> {
        self.then_pump(Vec::new())
    }

    /// The place of a transfer.
    #[must_use]
    pub fn place(&self, id: &TransferId) -> Option<&Place> {
        self.entries.get(id).map(|e| &e.place)
    }

    /// The worker of a transfer.
    #[must_use]
    pub fn run(&self, id: &TransferId) -> Option<RunId> {
        self.entries.get(id).and_then(|e| e.run)
    }

    /// How many transfers are in a state.
    #[must_use]
    pub fn count_of(&self, status: Status) -> usize {
        self.counts.get(&status).copied().unwrap_or_default()
    }

    /// True if a transfer is under way or waits for its turn.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.running > 0 || self.counts.iter().any(|(status, n)| *n > 0 && is_active(*status))
    }

    /// Number of transfers with a place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn current(&mut self, id: &TransferId, run: RunId) -> Option<&mut Entry> {
        self.entries.get_mut(id).filter(|e| e.run == Some(run))
    }

    fn count(&mut self, old: Status, new: Option<Status>) {
        if let Some(n) = self.counts.get_mut(&old) {
            *n = n.saturating_sub(1);
        }
        if let Some(new) = new {
            *self.counts.entry(new).or_default() += 1;
        }
    }

    /// The one place where a status changes.
    fn set(&mut self, id: &TransferId, status: Status) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.waiting.remove(entry.lane, entry.place.order, id);
        if status == Status::Queued {
            self.waiting.insert(entry.lane, entry.place.order, id.clone());
        }
        if let Some(due) = entry.due.take() {
            self.retrying.remove(&(due, id.clone()));
        }
        if status != Status::Initiating {
            entry.asking = false;
        }
        let old = entry.place.status;
        if old != status {
            entry.place.previous = Some(old);
            entry.place.status = status;
            self.count(old, Some(status));
        }
    }

    /// Starts one that is `Queued`, unless its last worker has not ended yet.
    fn start(&mut self, id: &TransferId, effects: &mut Vec<Effect>) {
        let run = RunId(self.next_run);
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.place.status != Status::Queued || entry.run.is_some() {
            return;
        }
        self.next_run += 1;
        self.running += 1;
        self.running_downloads += usize::from(entry.lane == Lane::Download);
        entry.run = Some(run);
        entry.place.attempts = entry.place.attempts.saturating_add(1);
        let attempt = entry.place.attempts;
        self.set(id, Status::Initiating);
        effects.push(Effect::Changed { id: id.clone() });
        effects.push(Effect::Start { id: id.clone(), run, attempt });
    }

    fn then_pump(&mut self, mut effects: Vec<Effect>) -> Vec<Effect> {
        while !self.closing && self.running < self.limits.active && !self.waiting.is_empty() {
            let uploads = self.running - self.running_downloads;
            let open =
                [self.running_downloads < self.limits.of(Lane::Download), uploads < self.limits.of(Lane::Upload)];
            // Those whose last worker is still ending are passed over; there are at most as many as slots.
            let ready = |id: &TransferId| self.entries.get(id).is_some_and(|e| e.run.is_none());
            let Some(id) = self.waiting.first(open, ready) else { break };
            self.start(&id, &mut effects);
        }
        effects
    }
}
