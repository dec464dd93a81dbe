//! Limits over all transfers of a kind together: each running worker is told its share, again whenever a transfer starts, ends or
//! changes its wishes, and every second by what the workers really use. What one cannot use, the others get.
//!
//! Shares are caps and never sum to more than the limit, so no worker has to know of the others. The smaller shares are told
//! before the larger ones.

use super::{Core, Output, RunId};
use crate::queue::Lane;
use crate::settings::Bandwidth;
use crate::time::Now;
use godwit_protocol::RateKbps;
use godwit_protocol::share::{Want, demand, shares, weight};
use godwit_protocol::worker::{Command, RateSettings};
use std::time::Duration;

/// Shares are looked at again this often while several workers share one limit.
const INTERVAL: Duration = Duration::from_secs(1);
/// A worker this young has not shown yet what it can use: it counts as wanting everything.
const YOUNG: Duration = Duration::from_secs(3);
/// Changes of less than one part in this many are not worth a message.
const NOTABLE: u64 = 64;

/// What a worker has to do with limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// What it was told last; `None`: no limit.
    pub(super) allowed: Option<u64>,
    /// What it said last that it uses.
    pub(super) used: u64,
    /// When its session began.
    pub(super) session: Option<Duration>,
}

impl Core {
    /// Divides every limit anew. `asked` is told in any case: its own wishes changed.
    pub(super) fn share_out(&mut self, asked: Option<RunId>, now: Now) {
        self.last_shared = now.mono;
        let mut told: Vec<(RunId, Option<u64>)> = Vec::new();
        for lane in [Lane::Download, Lane::Upload] {
            let runs = self.runs_in(lane);
            let parts = match limit(&self.settings.now().bandwidth, lane) {
                Some(limit) => self.divide(limit, &runs, now).into_iter().map(Some).collect(),
                None => vec![None; runs.len()],
            };
            told.extend(runs.into_iter().zip(parts));
        }
        told.retain(|(run, part)| {
            let before = self.runs.get(run).and_then(|r| r.share.allowed);
            asked == Some(*run) || is_notable(before, *part)
        });
        told.sort_by_key(|(run, part)| {
            let before = self.runs.get(run).and_then(|r| r.share.allowed).unwrap_or(u64::MAX);
            part.unwrap_or(u64::MAX) > before
        });
        for (run, part) in told {
            let Some(worker) = self.runs.get_mut(&run) else { continue };
            worker.share.allowed = part;
            let id = worker.id.clone();
            self.limits_changed(&id);
            let rate = self.rate_for(run);
            self.out.push(Output::TellWorker { run, command: Command::SetRate(rate) });
        }
    }

    /// Tells a worker its share if there is a limit: after its orders, and again when its session has begun, because what the
    /// server hears in between may not have reached it.
    pub(super) fn tell_share(&mut self, run: RunId, now: Now) {
        let lane = self.lane_of(run);
        if lane.is_some_and(|lane| limit(&self.settings.now().bandwidth, lane).is_some()) {
            self.share_out(Some(run), now);
        }
    }

    /// What stands in a worker's orders: the whole limit. A server may take the cap that a session begins with for the most it
    /// can ever have, and the others' shares will be free one day.
    pub(super) fn widest_rate(&self, run: RunId) -> RateSettings {
        let limit = self.lane_of(run).and_then(|lane| limit(&self.settings.now().bandwidth, lane));
        self.capped(run, limit)
    }

    fn lane_of(&self, run: RunId) -> Option<Lane> {
        let transfer = self.transfers.get(&self.runs.get(&run)?.id)?;
        Some(super::start::lane(transfer.order.spec.direction))
    }

    /// Looks at the shares again if it is time.
    pub(super) fn reshare(&mut self, now: Now) {
        if self.next_share().is_some_and(|at| at <= now.mono) {
            self.share_out(None, now);
        }
    }

    /// When that is.
    pub(super) fn next_share(&self) -> Option<Duration> {
        let bandwidth = &self.settings.now().bandwidth;
        let contested = |lane| limit(bandwidth, lane).is_some() && self.runs_in(lane).len() > 1;
        (contested(Lane::Download) || contested(Lane::Upload)).then(|| self.last_shared + INTERVAL)
    }

    /// A transfer's own wishes under its worker's share.
    pub(super) fn rate_for(&self, run: RunId) -> RateSettings {
        self.capped(run, self.runs.get(&run).and_then(|worker| worker.share.allowed))
    }

    fn capped(&self, run: RunId, cap: Option<u64>) -> RateSettings {
        let Some(worker) = self.runs.get(&run) else { return RateSettings::default() };
        let wishes = self.transfers.get(&worker.id).map(|t| t.order.rate).unwrap_or_default();
        let Some(share) = cap else { return wishes };
        let share = RateKbps(share);
        RateSettings {
            cap: Some(wishes.cap.map_or(share, |cap| cap.min(share))),
            minimum: wishes.minimum.map(|minimum| minimum.min(share)),
            ..wishes
        }
    }

    fn runs_in(&self, lane: Lane) -> Vec<RunId> {
        self.runs.keys().copied().filter(|run| self.lane_of(*run) == Some(lane)).collect()
    }

    fn divide(&self, limit: u64, runs: &[RunId], now: Now) -> Vec<u64> {
        let wants: Vec<Want> = runs.iter().map(|run| self.want(*run, now)).collect();
        let mut parts = shares(limit, &wants);
        // What nobody seems to want now is divided too: who can use more suddenly need not wait for the next look.
        let left = limit - parts.iter().sum::<u64>().min(limit);
        let open: Vec<Want> = wants.iter().map(|want| Want { demand: None, minimum: 0, ..*want }).collect();
        for (part, more) in parts.iter_mut().zip(shares(left, &open)) {
            // A share of nothing would end a session.
            *part = (*part + more).max(1);
        }
        parts
    }

    fn want(&self, run: RunId, now: Now) -> Want {
        let nothing = Want { weight: 0.0, demand: Some(0), minimum: 0 };
        let Some(worker) = self.runs.get(&run) else { return nothing };
        let wishes = self.transfers.get(&worker.id).map(|t| t.order.rate).unwrap_or_default();
        let share = &worker.share;
        let young = share.session.is_none_or(|since| now.mono < since + YOUNG);
        let able = share.allowed.filter(|_| !young).and_then(|allowed| demand(share.used, allowed));
        let most = [able, wishes.target.map(|r| r.0), wishes.cap.map(|r| r.0)].into_iter().flatten().min();
        Want { weight: weight(wishes.policy), demand: most, minimum: wishes.minimum.map_or(0, |r| r.0) }
    }
}

/// The limit that holds for a lane now, kbit/s.
fn limit(settings: &Bandwidth, lane: Lane) -> Option<u64> {
    // Today every transfer is started by a page; those that start by themselves will always have the background's limits.
    let limit = match (lane, settings.slow_mode) {
        (Lane::Download, false) => settings.manual_downloads_kbps,
        (Lane::Upload, false) => settings.manual_uploads_kbps,
        (Lane::Download, true) => settings.background_downloads_kbps,
        (Lane::Upload, true) => settings.background_uploads_kbps,
    };
    (limit.0 > 0).then_some(limit.0)
}

fn is_notable(before: Option<u64>, now: Option<u64>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.abs_diff(now) > before / NOTABLE,
        (before, now) => before != now,
    }
}
