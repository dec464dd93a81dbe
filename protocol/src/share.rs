//! Dividing a capacity among those who want a part of it: weighted max-min fairness. The agent divides its bandwidth
//! limits among workers with it, a server its caps among sessions, a session its own among its connections.
//!
//! Pure: whoever divides measures, and calls again a few times a second. Any unit will do, the same for all numbers.

use crate::spec::RatePolicy;

/// What one participant wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Want {
    /// Parts in relation to the others', see [`weight`]. Not above 0, or not a number: only what nobody else wants.
    pub weight: f64,
    /// More than this would be of no use to it; `None`: everything would.
    pub demand: Option<u64>,
    /// It gets this much, whatever its weight, as long as the capacity holds that for all.
    pub minimum: u64,
}

/// The weight of a policy: high counts as two fair ones, low as next to nothing (but not as nothing: an empty share
/// would end a session). Under a limit that is shared, fixed cannot have its way and counts as high.
#[must_use]
pub fn weight(policy: RatePolicy) -> f64 {
    match policy {
        RatePolicy::Fixed | RatePolicy::High => 2.0,
        RatePolicy::Fair => 1.0,
        RatePolicy::Low => 1.0 / 64.0,
    }
}

/// What a participant would use, judged by what it `used` of what it was `allowed` lately. One that stays well below
/// its share leaves the rest to the others and keeps room to grow by half; one that fills it may want any amount.
#[must_use]
pub fn demand(used: u64, allowed: u64) -> Option<u64> {
    let full = u128::from(used) * 8 >= u128::from(allowed) * 7;
    (!full).then(|| (used.saturating_add(used / 2)).max(allowed / 16))
}

/// The parts of `capacity`, in the order of `wants`: the one level `l` is found at which every part is `l × weight`,
/// but not below the minimum and not above the demand, and all of them together are the capacity. So nobody can have
/// more except by taking from somebody who has less for its weight. The parts never sum to more than the capacity, and
/// to less only when nobody wants the rest. Minimums that together are more than the capacity are divided like demands.
#[must_use]
pub fn shares(capacity: u64, wants: &[Want]) -> Vec<u64> {
    let least: Vec<u64> = wants.iter().map(|want| want.minimum.min(want.demand.unwrap_or(u64::MAX))).collect();
    let most: Vec<u64> = wants.iter().map(|want| want.demand.unwrap_or(u64::MAX)).collect();
    let weights: Vec<f64> = wants.iter().map(|want| sane(want.weight)).collect();
    let floor: u128 = least.iter().map(|n| u128::from(*n)).sum();
    if floor > u128::from(capacity) {
        return fill(capacity, &weights, &vec![0; wants.len()], &least);
    }
    fill(capacity, &weights, &least, &most)
}

/// A weight that can be calculated with. Those who get only what is left over have one that nobody else notices.
fn sane(weight: f64) -> f64 {
    const LEFTOVER: f64 = 1e-9;
    if weight.is_finite() { weight.clamp(LEFTOVER, 1e9) } else { LEFTOVER }
}

/// Raises the level until the capacity is used up. `least` fits into it.
fn fill(capacity: u64, weights: &[f64], least: &[u64], most: &[u64]) -> Vec<u64> {
    // At which level each part begins to grow, and at which it is full.
    let mut steps: Vec<(f64, f64)> = Vec::with_capacity(2 * weights.len());
    for ((weight, least), most) in weights.iter().zip(least).zip(most) {
        if most > least {
            steps.push((*least as f64 / weight, *weight));
            steps.push((*most as f64 / weight, -weight));
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left = capacity as f64 - least.iter().map(|n| *n as f64).sum::<f64>();
    let (mut level, mut slope) = (0.0, 0.0f64);
    for (at, change) in steps {
        let need = slope.max(0.0) * (at - level);
        if need >= left {
            break;
        }
        left -= need;
        level = at;
        slope += change;
    }
    if slope > 0.0 {
        level += left.max(0.0) / slope;
    }
    let part = |((weight, least), most): ((&f64, &u64), &u64)| ((level * weight) as u64).clamp(*least, *most);
    let mut parts: Vec<u64> = weights.iter().zip(least).zip(most).map(part).collect();
    settle(capacity, &mut parts, least, most);
    parts
}

/// Makes good what rounding left over or took too much, in order.
fn settle(capacity: u64, parts: &mut [u64], least: &[u64], most: &[u64]) {
    let sum: u128 = parts.iter().map(|n| u128::from(*n)).sum();
    let capacity = u128::from(capacity);
    let mut over = u64::try_from(sum.saturating_sub(capacity)).unwrap_or(u64::MAX);
    let mut under = u64::try_from(capacity.saturating_sub(sum)).unwrap_or(u64::MAX);
    for ((part, least), most) in parts.iter_mut().zip(least).zip(most) {
        let less = over.min(*part - least);
        *part -= less;
        over -= less;
        let more = under.min(most - *part);
        *part += more;
        under -= more;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn want(weight: f64, demand: Option<u64>, minimum: u64) -> Want {
        Want { weight, demand, minimum }
    }

    fn policy(policy: RatePolicy) -> Want {
        want(weight(policy), None, 0)
    }

    #[test]
    fn high_has_two_fair_shares_and_low_next_to_nothing() {
        let parts = shares(3_000_000, &[policy(RatePolicy::High), policy(RatePolicy::Fair)]);
        assert_eq!(parts, [2_000_000, 1_000_000]);
        let parts = shares(1_000_000, &[policy(RatePolicy::Fair), policy(RatePolicy::Low)]);
        assert!(parts[1] > 0 && parts[1] < 20_000, "{parts:?}");
        assert_eq!(shares(1_000_000, &[policy(RatePolicy::Low)]), [1_000_000], "alone it has all");
    }

    #[test]
    fn what_one_does_not_want_the_others_share() {
        assert_eq!(shares(100, &[want(1.0, Some(10), 0), want(1.0, None, 0), want(2.0, None, 0)]), [10, 30, 60]);
        assert_eq!(shares(100, &[want(1.0, Some(10), 0), want(1.0, Some(20), 0)]), [10, 20]);
        assert_eq!(shares(100, &[want(0.0, None, 0), want(1.0, Some(60), 0)]), [40, 60]);
    }

    #[test]
    fn minimums_hold_while_they_fit_and_shrink_together_when_they_do_not() {
        assert_eq!(shares(100, &[want(1.0, None, 70), want(1.0, None, 0)]), [70, 30]);
        assert_eq!(shares(100, &[want(1.0, None, 300), want(1.0, None, 100)]), [50, 50]);
        assert_eq!(shares(100, &[want(1.0, Some(20), 70), want(1.0, None, 0)]), [20, 80]);
    }

    #[test]
    fn one_that_fills_its_share_may_want_more_and_one_that_does_not_keeps_room_to_grow() {
        assert_eq!(demand(900, 1_000), None);
        assert_eq!(demand(400, 1_000), Some(600));
        assert!(demand(0, 1_000).unwrap() > 0, "an idle one can begin again");
        assert_eq!(demand(u64::MAX, u64::MAX), None);
    }

    fn wants() -> impl Strategy<Value = Vec<Want>> {
        let weight = prop_oneof![Just(2.0), Just(1.0), Just(1.0 / 64.0), 0.01f64..10.0, Just(0.0), Just(f64::NAN)];
        let demand = prop_oneof![Just(None), (0u64..2_000_000).prop_map(Some), any::<u64>().prop_map(Some)];
        let minimum = prop_oneof![4 => Just(0u64), 2 => 0u64..500_000, 1 => any::<u64>()];
        let want = (weight, demand, minimum);
        prop::collection::vec(want.prop_map(|(weight, demand, minimum)| Want { weight, demand, minimum }), 0..40)
    }

    proptest! {
        #[test]
        fn no_more_than_there_is_and_no_less_than_is_wanted(capacity in prop_oneof![0u64..10_000_000, any::<u64>()], wants in wants()) {
            let parts = shares(capacity, &wants);
            prop_assert_eq!(parts.len(), wants.len());
            let sum: u128 = parts.iter().map(|n| u128::from(*n)).sum();
            let demanded: u128 = wants.iter().map(|w| u128::from(w.demand.unwrap_or(u64::MAX))).sum();
            prop_assert_eq!(sum, demanded.min(u128::from(capacity)));
            for (part, want) in parts.iter().zip(&wants) {
                prop_assert!(*part <= want.demand.unwrap_or(u64::MAX));
            }
        }

        #[test]
        fn minimums_that_fit_are_kept(capacity in 0u64..10_000_000, wants in wants()) {
            let least = |w: &Want| w.minimum.min(w.demand.unwrap_or(u64::MAX));
            prop_assume!(wants.iter().map(|w| u128::from(least(w))).sum::<u128>() <= u128::from(capacity));
            for (part, want) in shares(capacity, &wants).iter().zip(&wants) {
                prop_assert!(*part >= least(want));
            }
        }

        #[test]
        fn nobody_who_wants_more_has_less_for_its_weight_than_somebody_above_its_minimum(
            capacity in 1_000u64..100_000_000,
            wants in prop::collection::vec((0.01f64..10.0, prop::option::of(0u64..5_000_000), 0u64..1_000), 1..20),
        ) {
            let wants: Vec<Want> = wants.into_iter().map(|(w, d, m)| want(w, d, m)).collect();
            prop_assume!(wants.iter().map(|w| w.minimum).sum::<u64>() <= capacity);
            let parts = shares(capacity, &wants);
            // Units that rounding may move, per participant.
            let slack = wants.len() as f64 + 1.0;
            for (a, wa) in parts.iter().zip(&wants) {
                let hungry = wa.demand.is_none_or(|d| *a < d);
                for (b, wb) in parts.iter().zip(&wants) {
                    if hungry && *b > wb.minimum {
                        let (level_a, level_b) = ((*a as f64 + slack) / wa.weight, (*b as f64 - slack) / wb.weight);
                        prop_assert!(level_a >= level_b * (1.0 - 1e-9), "{parts:?} {wants:?}");
                    }
                }
            }
        }
    }
}
