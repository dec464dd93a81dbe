//! The agent's mind: everything that happens comes in as an [`Input`], everything it wants done goes out as an [`Output`].
//! Synchronous; time is passed in; the only world it touches is the [`Store`].
//!
//! **Order of things:** an input is handled in memory, then what changed is written and synced, then the outputs leave. So no
//! answer acknowledges what a crash could undo.

mod again;
mod bandwidth;
mod callers;
mod clients;
mod consent;
mod control;
mod copies;
mod credentials;
mod dialogs;
mod drops;
mod events;
pub(crate) mod files;
mod keys;
mod messages;
mod monitor;
mod native;
mod news;
mod page_calls;
pub(crate) mod persist;
mod policies;
pub(crate) mod probe;
mod protection;
mod requests;
mod revoke;
mod running;
mod save_to;
pub(crate) mod server_test;
mod settings;
mod start;
mod tidy;
mod unlock;
mod upgrade;

#[cfg(test)]
mod tests;
mod ui_calls;

pub use crate::queue::RunId;
pub use crate::supervisor::WorkerEvent;
pub use messages::{Chosen, ConnId, Input, Job, JobResult, Output, Ticket};
pub use persist::Loaded;

use crate::agent::Program;
use crate::grants::Grants;
use crate::history::Histories;
use crate::home::Home;
use crate::limits::RateLimit;
use crate::logins::Logins;
use crate::passwords::PasswordBook;
use crate::prompts::PromptBook;
use crate::queue::{Queue, TransferId};
use crate::secrets::{KeyPlaces, Vault};
use crate::settings::SettingsBook;
use crate::settings::browser::BrowserPolicies;
use crate::spool::Spool;
use crate::store::{Change, Store, StoreError};
use crate::time::Now;
use crate::transfers::{Tombstone, Transfer};
use crate::trust::TrustBook;
use clients::Client;
use godwit_protocol::ui::{Badge, Called, Notice};
use news::News;
use requests::Waiting;
use running::Run;
use server_test::ServerTests;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Everything the core is made from.
#[derive(Debug)]
pub struct Parts<S> {
    /// The database.
    pub store: S,
    /// For secrets.
    pub vault: Vault,
    /// Where its keys may be.
    pub key_places: KeyPlaces,
    /// The user's settings.
    pub settings: SettingsBook,
    /// Paths.
    pub home: Home,
    /// What the user should know from the start.
    pub notices: Vec<Notice>,
    /// The agent ends after this long without clients and work.
    pub idle: Duration,
    /// What this process runs.
    pub program: Program,
    /// Makes ids that no page can guess.
    pub new_id: fn() -> String,
}

/// The agent's state.
pub struct Core {
    store: Box<dyn Store>,
    vault: Vault,
    key_places: KeyPlaces,
    /// When the key ring was looked for last.
    keys_sought: Option<Duration>,
    /// The user is being asked to unlock it.
    unlocking: Option<Ticket>,
    settings: SettingsBook,
    /// What the settings obey besides the machine's own policy.
    browser_policies: BrowserPolicies,
    /// Extensions that called lately, newest first.
    callers: Vec<Called>,
    callers_unsaved: bool,
    home: Home,
    notices: Vec<Notice>,
    idle: Duration,
    program: Program,
    new_id: fn() -> String,

    queue: Queue,
    transfers: BTreeMap<TransferId, Transfer>,
    tombstones: BTreeMap<TransferId, Tombstone>,
    trust: TrustBook,
    /// Confirmed certificates by server.
    pins: BTreeMap<String, String>,
    /// Those confirmed for one browser session only.
    session_pins: BTreeMap<(String, String), String>,
    grants: Grants,
    passwords: PasswordBook,
    logins: Logins,
    /// Windows in which the user resumed transfers.
    resumed_by: BTreeMap<TransferId, ConnId>,
    prompts: PromptBook,
    /// Page calls about dropped files that are under way.
    drops: BTreeMap<Ticket, drops::Drop>,
    /// Copies of dropped content.
    spool: Spool,
    /// Parts that are being written, and the copies they belong to.
    parts: BTreeMap<Ticket, String>,
    /// Prompts that a dialog of the desktop asks, and their clients.
    natives: BTreeMap<String, ConnId>,
    rate_limit: RateLimit,

    clients: BTreeMap<ConnId, Client>,
    waiting: BTreeMap<Ticket, Waiting>,
    next_ticket: Ticket,
    runs: BTreeMap<RunId, Run>,
    /// Workers that only try a login.
    probes: BTreeMap<RunId, Ticket>,
    /// Workers that decrypt what completed downloads brought.
    unlocks: BTreeMap<RunId, unlock::Run>,
    server_tests: ServerTests,
    /// When the bandwidth limits were divided last.
    last_shared: Duration,
    last_badge: Badge,
    badge_dirty: bool,
    recent_folder: Option<PathBuf>,
    started: Now,
    idle_since: Option<Duration>,
    closing: bool,

    news: News,
    /// Up to where tokens are reserved in the store.
    token_ceiling: u64,
    /// Transfers whose state, or order too, must be written before anything is answered.
    unsaved: BTreeMap<TransferId, persist::Unsaved>,
    changes: Vec<Change>,
    /// Transfers added while handling the present input.
    fresh: Vec<TransferId>,
    /// Transfers with progress that is not yet written.
    progressed: BTreeSet<TransferId>,
    /// How the last transfers went.
    histories: Histories,
    /// Completed transfers, and when they leave the list.
    leaving: BTreeMap<TransferId, Duration>,
    /// When a copy of the database is made; `None`: nothing has changed since the last.
    snapshot_due: Option<Duration>,
    last_progress_save: Duration,

    out: Vec<Output>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("transfers", &self.transfers.len()).finish_non_exhaustive()
    }
}

impl Core {
    /// Loads the state from the store.
    pub fn new<S: Store + 'static>(mut parts: Parts<S>, now: Now) -> Result<Self, StoreError> {
        let mut loaded = persist::load(&parts.store)?;
        let gone = loaded.browser_policies.expire(now.wall_ms);
        parts.settings.obey(&loaded.browser_policies);
        let limits = settings::queue_limits(parts.settings.now());
        let spool = Spool::new(parts.home.dropped());
        let mut core = Self {
            store: Box::new(parts.store),
            vault: parts.vault,
            key_places: parts.key_places,
            keys_sought: None,
            unlocking: None,
            settings: parts.settings,
            browser_policies: loaded.browser_policies,
            callers: loaded.callers,
            callers_unsaved: false,
            home: parts.home,
            notices: parts.notices,
            idle: parts.idle,
            program: parts.program,
            new_id: parts.new_id,
            queue: Queue::new(limits),
            transfers: BTreeMap::new(),
            tombstones: loaded.tombstones,
            trust: loaded.trust,
            pins: loaded.pins,
            session_pins: BTreeMap::new(),
            grants: Grants::default(),
            passwords: loaded.passwords,
            logins: Logins::default(),
            resumed_by: BTreeMap::new(),
            prompts: PromptBook::default(),
            drops: BTreeMap::new(),
            spool,
            parts: BTreeMap::new(),
            natives: BTreeMap::new(),
            rate_limit: RateLimit::default(),
            clients: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_ticket: 1,
            runs: BTreeMap::new(),
            probes: BTreeMap::new(),
            unlocks: BTreeMap::new(),
            server_tests: ServerTests::default(),
            last_shared: now.mono,
            last_badge: Badge::default(),
            badge_dirty: false,
            recent_folder: None,
            started: now,
            idle_since: Some(now.mono),
            closing: false,
            news: News::new(loaded.token_ceiling),
            token_ceiling: loaded.token_ceiling,
            unsaved: BTreeMap::new(),
            changes: Vec::new(),
            fresh: Vec::new(),
            progressed: BTreeSet::new(),
            histories: loaded.histories,
            leaving: BTreeMap::new(),
            snapshot_due: None,
            last_progress_save: now.mono,
            out: Vec::new(),
        };
        core.trust.manage(core.settings.trust_policy());
        core.notices.extend(loaded.notices);
        for (id, tombstone) in &core.tombstones {
            core.news.restore(id, tombstone.token);
        }
        core.expire_tombstones(now);
        for key in &gone {
            core.save_policy(key, None);
        }
        for key in &loaded.outdated {
            core.drop_history(key);
        }
        for (id, order, state) in loaded.transfers {
            let lane = start::lane(order.spec.direction);
            let mut transfer = Transfer::new(order);
            transfer.standing = state.standing;
            core.news.restore(&id, transfer.standing.token);
            core.transfers.insert(id.clone(), transfer);
            if core.queue.restore(id.clone(), lane, state.place) {
                core.touch(&id, now);
            }
        }
        Ok(core)
    }

    /// Starts what was waiting when the last agent ended.
    pub fn start(&mut self, now: Now) -> Vec<Output> {
        self.tidy_all(now);
        self.clear_spool(now);
        if self.settings.now().security.local_http {
            self.out.push(Output::LocalHttp(true));
        }
        let effects = self.queue.pump();
        self.apply(effects, now);
        self.finish(now)
    }

    /// Handles one input.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        match input {
            Input::Connected { conn, hello } => self.connected(conn, &hello, now),
            Input::Disconnected { conn } => self.disconnected(conn, now),
            Input::Request { conn, request } => self.request(conn, request, now),
            Input::Worker { run, event } => self.worker(run, event, now),
            Input::JobDone(result) => self.job_done(result, now),
            Input::DialogDone { prompt_id, outcome } => self.dialog_done(&prompt_id, outcome, now),
            Input::SettingsTouched => self.settings_touched(now),
            Input::Tick => {}
            Input::Shutdown => self.shut_down(false),
        }
        self.tick(now);
        self.finish(now)
    }

    /// When [`Input::Tick`] is wanted, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.values().filter_map(|w| w.deadline).min();
        let progress = (!self.progressed.is_empty()).then(|| self.last_progress_save + persist::PROGRESS_INTERVAL);
        let idle = self.idle_since.map(|since| since + self.idle).filter(|_| !self.closing);
        [
            self.queue.next_due(),
            waiting,
            progress,
            idle,
            self.next_event_due(),
            self.next_share(),
            self.next_tidy(),
            self.spool.next_sweep(),
            self.snapshot_due,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Last words: what is in memory only is written.
    pub fn close(&mut self) {
        self.save_progress();
        if let Err(error) = self.store.sync() {
            tracing::error!(%error, "the database could not be synced");
        }
    }

    fn job_done(&mut self, result: JobResult, now: Now) {
        match result {
            JobResult::Planned { ticket, request, result } => self.planned(ticket, *request, result, now),
            JobResult::Inspected { ticket, chosen } => self.inspected(ticket, &chosen),
            JobResult::Listed { ticket, result } => self.listed(ticket, result),
            JobResult::Found { ticket, found } => self.found(ticket, found),
            JobResult::Spooled { ticket, result } => self.part_written(ticket, result),
            JobResult::Done => {}
            JobResult::Answer { ticket, answer } => self.answered_by_job(ticket, &answer),
            JobResult::LogRead { ticket, lines } => self.log_read(ticket, lines),
            JobResult::TcpTried { ticket, result } => self.tcp_tried(ticket, result),
            JobResult::Keys(result) => self.keys_found(result),
            JobResult::UnlockedKeys { ticket, result } => self.keys_unlocked(ticket, result),
            JobResult::TriedProgram { ticket, result } => self.program_tried(ticket, result),
            JobResult::Lost { ticket } => {
                self.part_lost(ticket);
                self.job_lost(ticket);
            }
        }
    }

    fn tick(&mut self, now: Now) {
        let effects = self.queue.tick(now.mono);
        self.apply(effects, now);
        self.expire_requests(now);
        self.reshare(now);
        if now.mono >= self.last_progress_save + persist::PROGRESS_INTERVAL {
            self.last_progress_save = now.mono;
            self.save_progress();
        }
        self.tidy(now);
        self.take_snapshot(now);
        // Nobody starts an agent by knocking at a port.
        let served = self.settings.now().security.local_http;
        let busy = !self.clients.is_empty() || self.queue.has_work() || !self.unlocks.is_empty() || served;
        match self.idle_since {
            _ if busy => self.idle_since = None,
            None => self.idle_since = Some(now.mono),
            Some(since) if now.mono >= since + self.idle && !self.closing => {
                tracing::info!("nothing to do for a while");
                self.shut_down(false);
            }
            Some(_) => {}
        }
    }

    fn shut_down(&mut self, again: bool) {
        if !self.closing {
            self.closing = true;
            let now = self.started;
            let effects = self.queue.close();
            self.apply(effects, now);
            self.stop_unlocking(None);
            self.out.push(Output::Exit { again });
        }
    }

    /// Writes what changed, then lets the outputs go.
    fn finish(&mut self, now: Now) -> Vec<Output> {
        self.forget_drops();
        self.sweep_spool(now);
        self.close_stale_dialogs();
        self.send_events(now);
        if let Err(error) = self.save(now) {
            self.saving_failed(&error, now);
        }
        self.fresh.clear();
        std::mem::take(&mut self.out)
    }
}
