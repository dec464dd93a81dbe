//! Transfers that this server makes as the client of another one, on somebody's order.

use super::far;
use super::object::Progress;
use crate::access::Access;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::{Command, Failure, RateSettings, Report, Start, Stats};
use godwit_transport::root::Root;
use godwit_transport::rules::Rules;
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Transfers at once, of all.
const MOST: usize = 64;
/// Transfers at once, of one user or key.
const MOST_EACH: usize = 8;

/// Why a transfer is not begun.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// Too many at once.
    #[error("too many transfers run at the moment; try again when some have ended")]
    Full,
    /// A server that may not be called from here.
    #[error(
        "this server may not call '{0}': it lies in a private network. The administrator can allow it (ops_private)"
    )]
    Private(String),
    /// A name that leads nowhere.
    #[error("'{0}' cannot be found")]
    Unknown(String),
}

/// What shall be done.
pub struct Order {
    /// For whom.
    pub owner: String,
    /// What the API shows of it.
    pub public: Value,
    /// What the transport needs.
    pub start: Start,
    /// Sources lie beneath it, or files land there.
    pub root: Root,
    /// Limits of the one who orders, now and when rates change.
    pub rules: Rules,
}

struct Running {
    progress: Progress,
    orders: mpsc::Sender<Command>,
    rules: Rules,
}

/// Runs transfers. Cheap to clone.
#[derive(Clone)]
pub struct Ops {
    access: Access,
    running: Arc<Mutex<HashMap<String, Running>>>,
}

/// Now in µs since the Unix epoch.
pub(crate) fn now_usec() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

impl Ops {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self { access, running: Arc::default() }
    }

    /// The address to call for `host`, if this server may call it.
    pub async fn resolve(&self, host: &str, port: u16, own_port: u16) -> Result<IpAddr, OpsError> {
        let private = self.access.directory().settings().ops_private;
        match far::resolve(host, port, private, own_port).await {
            Ok(Some(address)) => Ok(address),
            Ok(None) => Err(OpsError::Private(host.to_owned())),
            Err(_) => Err(OpsError::Unknown(host.to_owned())),
        }
    }

    /// Begins a transfer; it is written down before it runs.
    pub async fn start(&self, order: Order) -> Result<Progress, OpsError> {
        let Order { owner, public, mut start, root, rules } = order;
        start.rate = rules.apply(start.rate);
        let (orders, incoming) = mpsc::channel(8);
        let id = start.transfer_id.clone();
        let mut progress = Progress::new(id.clone(), owner.clone(), public, start.server.host.clone(), now_usec());
        progress.rate = start.rate;
        {
            let mut running = self.running();
            if running.len() >= MOST || running.values().filter(|r| r.progress.owner == owner).count() >= MOST_EACH {
                return Err(OpsError::Full);
            }
            running.insert(id.clone(), Running { progress: progress.clone(), orders, rules });
        }
        self.write(&progress).await;
        let this = self.clone();
        tokio::spawn(async move {
            let result = this.run(&id, &start, &root, incoming).await;
            let ended = this.running().remove(&id).map(|running| running.progress);
            if let Some(progress) = ended {
                this.write(&finished(progress, result)).await;
            }
        });
        Ok(progress)
    }

    async fn run(
        &self,
        id: &str,
        start: &Start,
        root: &Root,
        orders: mpsc::Receiver<Command>,
    ) -> Result<Stats, Failure> {
        let (sender, mut reports) = mpsc::channel(64);
        let session = godwit_transport::client::run_beneath(start, root, sender, orders);
        let mut session = std::pin::pin!(session);
        let result = loop {
            tokio::select! {
                result = &mut session => break result,
                Some(report) = reports.recv() => self.report(id, report),
            }
        };
        while let Ok(report) = reports.try_recv() {
            self.report(id, report);
        }
        result
    }

    fn report(&self, id: &str, report: Report) {
        let mut running = self.running();
        let Some(Running { progress, .. }) = running.get_mut(id) else { return };
        match report {
            Report::Session { granted, .. } => progress.rate = granted,
            Report::Stats(stats) => progress.stats = stats,
            Report::File(file) => progress.file(file),
            Report::Unlocked(_) | Report::Done(_) | Report::Error(_) => {}
        }
    }

    /// A transfer that runs now.
    #[must_use]
    pub fn get(&self, owner: &str, id: &str) -> Option<Progress> {
        self.running().get(id).filter(|r| r.progress.owner == owner).map(|r| r.progress.clone())
    }

    /// Other limits from now on; false if it does not run.
    pub async fn set_rate(&self, owner: &str, id: &str, rate: RateSettings) -> bool {
        let rate = {
            let mut running = self.running();
            let Some(running) = running.get_mut(id).filter(|r| r.progress.owner == owner) else { return false };
            running.progress.rate = running.rules.apply(rate);
            running.progress.rate
        };
        self.order(owner, id, Command::SetRate(rate)).await
    }

    /// Ends it; what arrived stays for a later attempt. False if it does not run.
    pub async fn stop(&self, owner: &str, id: &str) -> bool {
        self.order(owner, id, Command::Stop).await
    }

    async fn order(&self, owner: &str, id: &str, order: Command) -> bool {
        let orders = self.running().get(id).filter(|r| r.progress.owner == owner).map(|r| r.orders.clone());
        match orders {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        }
    }

    async fn write(&self, progress: &Progress) {
        let record = progress.record(now_usec());
        let written = self.access.blocking(move |a| a.directory().catalogue().put_transfer(&record, true)).await;
        if let Err(error) = written {
            tracing::error!(%error, id = progress.id, "a transfer could not be written down");
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last state of a transfer.
pub(crate) fn finished(mut progress: Progress, result: Result<Stats, Failure>) -> Progress {
    progress.end_usec = Some(now_usec());
    match result {
        Ok(stats) => {
            progress.stats = stats;
            progress.status = "completed";
        }
        Err(failure) => {
            let some = failure.code == ErrorCode::SomeFilesFailed && progress.stats.files_completed > 0;
            progress.status = if some { "partially_completed" } else { "failed" };
            progress.error = (failure.code.number(), failure.message);
        }
    }
    progress
}
