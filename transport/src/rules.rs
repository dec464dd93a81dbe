//! What a server's administrator says about the rate of a session: caps, defaults and locks, applied to what the client
//! wishes. Pure.

use godwit_protocol::RateKbps;
use godwit_protocol::spec::RatePolicy;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::RateSettings;

/// For one account and one direction. The default has no rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// No session is faster than this, whatever its client wishes.
    pub target_cap: Option<RateKbps>,
    /// For clients that name no target.
    pub target_default: Option<RateKbps>,
    /// Highest minimum a client may ask for; 0 forbids minimums.
    pub minimum_cap: Option<RateKbps>,
    /// For clients that name no minimum.
    pub minimum_default: Option<RateKbps>,
    /// In place of a policy that is not allowed, and of every other if it is locked. Absent: the strongest allowed one
    /// that is no stronger than what the client wishes; if locked, fair.
    pub policy_default: Option<RatePolicy>,
    /// The policies a client may choose; empty: all.
    pub policies: Vec<RatePolicy>,
    /// What the client's wishes cannot change: the defaults above hold (without one: no limit but the cap).
    pub locks: RateLocks,
}

impl Rules {
    /// What is granted. The target is never above the cap, the minimum never above either.
    #[must_use]
    pub fn apply(&self, wish: RateSettings) -> RateSettings {
        let cap = least(wish.cap, self.target_cap);
        let wished = |locked: bool, wish: Option<RateKbps>| wish.filter(|_| !locked);
        let target = wished(self.locks.target, wish.target).or(self.target_default);
        let target = target.map(|target| least(Some(target), cap).unwrap_or(target));
        let minimum = wished(self.locks.minimum, wish.minimum).or(self.minimum_default);
        let bounds = [self.minimum_cap, cap, target];
        let minimum = minimum.map(|minimum| bounds.into_iter().flatten().fold(minimum, RateKbps::min));
        RateSettings { policy: self.policy(wish.policy), target, minimum: minimum.filter(|m| m.0 > 0), cap }
    }

    fn policy(&self, wish: RatePolicy) -> RatePolicy {
        let allowed = |policy: &RatePolicy| self.policies.is_empty() || self.policies.contains(policy);
        if self.locks.policy {
            return self.policy_default.unwrap_or_default();
        }
        if allowed(&wish) {
            return wish;
        }
        let gentler = BY_STRENGTH.iter().skip_while(|policy| **policy != wish).find(|policy| allowed(policy));
        let gentlest = || BY_STRENGTH.iter().rev().find(|policy| allowed(policy));
        self.policy_default.or_else(|| gentler.or_else(gentlest).copied()).unwrap_or_default()
    }
}

const BY_STRENGTH: [RatePolicy; 4] = [RatePolicy::Fixed, RatePolicy::High, RatePolicy::Fair, RatePolicy::Low];

/// The lower of two limits.
pub(crate) fn least(a: Option<RateKbps>, b: Option<RateKbps>) -> Option<RateKbps> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kbps(n: u64) -> Option<RateKbps> {
        Some(RateKbps(n))
    }

    fn wish() -> RateSettings {
        RateSettings { policy: RatePolicy::High, target: kbps(900), minimum: kbps(300), cap: None }
    }

    #[test]
    fn without_rules_a_wish_is_granted() {
        assert_eq!(Rules::default().apply(wish()), wish());
    }

    #[test]
    fn caps_hold_and_defaults_fill_what_is_not_wished() {
        let rules = Rules { target_cap: kbps(500), minimum_cap: kbps(100), ..Rules::default() };
        let granted = rules.apply(wish());
        assert_eq!((granted.target, granted.minimum, granted.cap), (kbps(500), kbps(100), kbps(500)));
        let rules = Rules { target_default: kbps(50), minimum_default: kbps(80), ..Rules::default() };
        let granted = rules.apply(RateSettings::default());
        assert_eq!((granted.target, granted.minimum, granted.cap), (kbps(50), kbps(50), None));
        let rules = Rules { minimum_cap: kbps(0), ..Rules::default() };
        assert_eq!(rules.apply(wish()).minimum, None);
    }

    #[test]
    fn what_is_locked_is_the_administrators() {
        let locks = RateLocks { policy: true, target: true, minimum: true };
        let rules = Rules { target_default: kbps(70), target_cap: kbps(500), locks, ..Rules::default() };
        let granted = rules.apply(wish());
        assert_eq!((granted.policy, granted.target, granted.minimum), (RatePolicy::Fair, kbps(70), None));
        let rules = Rules { policy_default: Some(RatePolicy::Low), target_default: None, ..rules };
        let granted = rules.apply(wish());
        assert_eq!((granted.policy, granted.target, granted.cap), (RatePolicy::Low, None, kbps(500)));
    }

    #[test]
    fn a_policy_that_is_not_allowed_becomes_the_next_gentler_one() {
        let rules = |policies: &[RatePolicy]| Rules { policies: policies.to_vec(), ..Rules::default() };
        let granted = |rules: &Rules, policy| rules.apply(RateSettings { policy, ..RateSettings::default() }).policy;
        let fair = rules(&[RatePolicy::Fair, RatePolicy::Low]);
        assert_eq!(granted(&fair, RatePolicy::Fixed), RatePolicy::Fair);
        assert_eq!(granted(&fair, RatePolicy::Low), RatePolicy::Low);
        assert_eq!(granted(&rules(&[RatePolicy::High]), RatePolicy::Low), RatePolicy::High);
        let named = Rules { policy_default: Some(RatePolicy::Low), ..fair };
        assert_eq!(granted(&named, RatePolicy::High), RatePolicy::Low);
    }

    fn rate() -> impl Strategy<Value = Option<RateKbps>> {
        prop::option::of((0u64..2_000).prop_map(RateKbps))
    }

    proptest! {
        #[test]
        fn no_wish_gets_past_a_cap_or_a_lock(
            caps in (rate(), rate()), defaults in (rate(), rate()), locks in any::<(bool, bool)>(),
            (target, minimum, cap) in (rate(), rate(), rate()),
        ) {
            let rules = Rules {
                target_cap: caps.0, minimum_cap: caps.1, target_default: defaults.0, minimum_default: defaults.1,
                locks: RateLocks { policy: false, target: locks.0, minimum: locks.1 }, ..Rules::default()
            };
            let granted = rules.apply(RateSettings { target, minimum, cap, ..RateSettings::default() });
            if let Some(most) = caps.0 {
                prop_assert!(granted.cap.is_some_and(|cap| cap <= most));
                prop_assert!(granted.target.is_none_or(|target| target <= most));
                prop_assert!(granted.minimum.is_none_or(|minimum| minimum <= most));
            }
            if let Some(most) = caps.1 {
                prop_assert!(granted.minimum.is_none_or(|minimum| minimum <= most));
            }
            let other = rules.apply(RateSettings { target: Some(RateKbps(1)), minimum: None, cap, ..RateSettings::default() });
            prop_assert!(!locks.0 || granted.target == other.target);
            prop_assert!(!(locks.0 && locks.1) || granted.minimum == other.minimum);
        }
    }
}
