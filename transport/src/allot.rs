//! Limits that hold for many sessions together: the whole server's and each account's. Every session gets its share by
//! weighted max-min ([`godwit_protocol::share`]), and what it does not use goes to the others, several times a second.

use crate::ration::Ration;
use godwit_protocol::RateKbps;
use godwit_protocol::share::{Want, demand, shares, weight};
use godwit_protocol::spec::Direction;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shares are made anew this often.
pub(crate) const ROUND: Duration = Duration::from_millis(200);
/// How much of the rate seen before counts against the newest round.
const MEMORY: f64 = 0.7;
/// A session that is younger is not judged by what it uses.
const SETTLED: Duration = Duration::from_secs(3);
/// Nobody gets less, kbit/s: an empty share would end a session.
const LEAST: u64 = 16;

/// Sessions whose rate has a limit in common.
pub(crate) struct Allotment {
    /// Of the whole server, in each direction.
    total: Option<RateKbps>,
    members: Mutex<Vec<Member>>,
}

struct Member {
    account: String,
    direction: Direction,
    /// Of the account in this direction, all its sessions together.
    cap: Option<RateKbps>,
    ration: Arc<Ration>,
    /// Bytes on the wire so far.
    wire: Box<dyn Fn() -> u64 + Send + Sync>,
    began: Instant,
    seen: (Instant, u64),
    /// Mean of late, and the newest, kbit/s.
    used: (f64, f64),
    share: Option<u64>,
}

/// Membership of one session; ends when dropped.
pub(crate) struct Membership {
    allotment: Arc<Allotment>,
    ration: Arc<Ration>,
}

/// One session, as far as the division is concerned. Rates in kbit/s.
#[derive(Clone, Debug, PartialEq)]
struct Claim {
    account: String,
    direction: Direction,
    cap: Option<u64>,
    want: Want,
}

impl Allotment {
    pub(crate) fn new(total: Option<RateKbps>) -> Self {
        Self { total, members: Mutex::default() }
    }

    /// A session begins. `wire` counts its bytes.
    pub(crate) fn enter(
        self: &Arc<Self>,
        account: &str,
        direction: Direction,
        cap: Option<RateKbps>,
        ration: &Arc<Ration>,
        wire: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Membership {
        let now = Instant::now();
        let seen = (now, wire());
        self.members().push(Member {
            account: account.to_owned(),
            direction,
            cap,
            ration: ration.clone(),
            wire: Box::new(wire),
            began: now,
            seen,
            used: (0.0, 0.0),
            share: None,
        });
        // The newcomer takes what is its own at once, and not only after it has taken more.
        self.round(now);
        Membership { allotment: self.clone(), ration: ration.clone() }
    }

    /// Divides anew.
    pub(crate) fn round(&self, now: Instant) {
        let mut members = self.members();
        if members.iter().all(|member| member.cap.is_none() && self.total.is_none()) {
            return;
        }
        let claims: Vec<Claim> = members.iter_mut().map(|member| member.claim(now)).collect();
        for (member, share) in members.iter_mut().zip(divide(self.total.map(|rate| rate.0), &claims)) {
            member.share = share;
            member.ration.share(share.map(|share| RateKbps(share.max(LEAST))));
        }
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.allotment.members().retain(|member| !Arc::ptr_eq(&member.ration, &self.ration));
        self.allotment.round(Instant::now());
    }
}

impl Member {
    fn claim(&mut self, now: Instant) -> Claim {
        let wire = (self.wire)();
        let seconds = now.saturating_duration_since(self.seen.0).as_secs_f64();
        // Rounds out of turn are too short to measure.
        if seconds >= ROUND.as_secs_f64() / 2.0 {
            let rate = wire.saturating_sub(self.seen.1) as f64 / 125.0 / seconds;
            self.used = (self.used.0 * MEMORY + rate * (1.0 - MEMORY), rate);
            self.seen = (now, wire);
        }
        let granted = self.ration.granted();
        let most = crate::rules::least(granted.target, granted.cap).map(|rate| rate.0);
        let settled = now.saturating_duration_since(self.began) >= SETTLED;
        let used = self.used.0.max(self.used.1) as u64;
        let share = self.share.filter(|_| settled);
        let lately = share.and_then(|share| demand(used, share.min(most.unwrap_or(u64::MAX))));
        Claim {
            account: self.account.clone(),
            direction: self.direction,
            cap: self.cap.map(|rate| rate.0),
            want: Want {
                weight: weight(granted.policy),
                demand: most.map_or(lately, |most| Some(lately.map_or(most, |lately| lately.min(most)))),
                minimum: granted.minimum.map_or(0, |rate| rate.0),
            },
        }
    }
}

/// The share of each claim; `None`: nothing limits it but itself. First each account divides its own cap, then the server
/// divides the total among what that leaves.
fn divide(total: Option<u64>, claims: &[Claim]) -> Vec<Option<u64>> {
    let mut result = vec![None; claims.len()];
    let mut accounts: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
    for (n, claim) in claims.iter().enumerate().filter(|(_, claim)| claim.cap.is_some()) {
        accounts.entry((claim.account.as_str(), claim.direction == Direction::Send)).or_default().push(n);
    }
    let mut give = |members: &[usize], capacity: u64, bound: bool| {
        let want = |n: &usize| {
            let want = claims.get(*n).map(|claim| claim.want)?;
            let before = if bound { result.get(*n).copied().flatten() } else { None };
            let demand = match (want.demand, before) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            Some(Want { demand, ..want })
        };
        let wants: Vec<Want> = members.iter().filter_map(want).collect();
        // What nobody wants now is not held back: whoever begins to want it finds it there.
        let idle = capacity.saturating_sub(shares(capacity, &wants).iter().sum());
        for (n, share) in members.iter().zip(shares(capacity, &wants)) {
            if let Some(place) = result.get_mut(*n) {
                let most = place.filter(|_| bound).unwrap_or(u64::MAX);
                *place = Some(share.saturating_add(idle / members.len() as u64).min(most));
            }
        }
    };
    for members in accounts.values() {
        let cap = members.first().and_then(|n| claims.get(*n)?.cap);
        give(members, cap.unwrap_or(u64::MAX), false);
    }
    if let Some(total) = total {
        for direction in [Direction::Send, Direction::Receive] {
            let way = |(_, claim): &(usize, &Claim)| claim.direction == direction;
            let members: Vec<usize> = claims.iter().enumerate().filter(way).map(|(n, _)| n).collect();
            if !members.is_empty() {
                give(&members, total, true);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn claim(account: &str, cap: Option<u64>, weight: f64, demand: Option<u64>) -> Claim {
        let want = Want { weight, demand, minimum: 0 };
        Claim { account: account.into(), direction: Direction::Send, cap, want }
    }

    #[test]
    fn without_a_common_limit_nobody_is_limited() {
        assert_eq!(divide(None, &[claim("a", None, 1.0, None)]), [None]);
    }

    #[test]
    fn an_accounts_sessions_share_its_cap_and_all_share_the_total() {
        let two = [claim("a", Some(100), 1.0, None), claim("a", Some(100), 1.0, None), claim("b", None, 2.0, None)];
        assert_eq!(divide(None, &two), [Some(50), Some(50), None]);
        assert_eq!(divide(Some(1_000), &two), [Some(50), Some(50), Some(900)]);
        assert_eq!(divide(Some(80), &two), [Some(20), Some(20), Some(40)]);
    }

    #[test]
    fn each_direction_has_the_total_for_itself() {
        let mut both = [claim("a", None, 1.0, None), claim("a", None, 1.0, None)];
        both[1].direction = Direction::Receive;
        assert_eq!(divide(Some(80), &both), [Some(80), Some(80)]);
    }

    #[test]
    fn one_that_does_not_use_its_share_leaves_it_to_the_others() {
        let claims = [claim("a", None, 1.0, Some(100)), claim("b", None, 1.0, None)];
        assert_eq!(divide(Some(1_000), &claims), [Some(100), Some(900)]);
        let idle = [claim("a", None, 1.0, Some(100)), claim("b", None, 1.0, Some(100))];
        assert_eq!(divide(Some(1_000), &idle), [Some(500), Some(500)], "nobody is held to what he used lately");
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_exceeded(
            total in prop::option::of(1_000u64..10_000_000),
            claims in prop::collection::vec((0usize..4, 0usize..3, prop::option::of(0u64..3_000_000), 0u64..100_000), 0..30),
        ) {
            let caps = [None, Some(500_000u64), Some(20_000), Some(7)];
            let weights = [2.0, 1.0, 1.0 / 64.0];
            let claims: Vec<Claim> = claims.into_iter().map(|(account, weight, demand, minimum)| Claim {
                want: Want { minimum, ..claim("", None, weights[weight], demand).want },
                ..claim(&account.to_string(), caps[account], 1.0, None)
            }).collect();
            let given = divide(total, &claims);
            if let Some(total) = total {
                prop_assert!(given.iter().map(|share| share.unwrap()).sum::<u64>() <= total);
            }
            for (account, cap) in caps.iter().enumerate() {
                let account = account.to_string();
                let own = claims.iter().zip(&given).filter(|(claim, _)| claim.account == account);
                if let Some(cap) = cap {
                    prop_assert!(own.map(|(_, share)| share.unwrap()).sum::<u64>() <= *cap);
                }
            }
        }
    }
}
