//! Who may use Godwit: policy > restricted > trusted > this session's decision > ask. Within the policy, blocking wins.
//!
//! **Must not know:** where the lists are kept, or how the user is asked.

use crate::origin::{HostPattern, Origin};

/// The lists a decision is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustLists {
    /// Set by the administrator; win over everything.
    pub policy_allowed: Vec<HostPattern>,
    /// Set by the administrator; win over everything.
    pub policy_blocked: Vec<HostPattern>,
    /// Set by the administrator: sites on neither of the two lists may never.
    pub policy_only: bool,
    /// Remembered denials.
    pub restricted: Vec<HostPattern>,
    /// Remembered permissions.
    pub trusted: Vec<HostPattern>,
}

/// What to do with a site's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Refuse without asking.
    Deny,
    /// Ask the user.
    Ask,
}

impl TrustLists {
    /// Decides for `origin`; `once` is what the user said earlier in this browser session, if anything.
    #[must_use]
    pub fn decide(&self, origin: &Origin, once: Option<bool>) -> Verdict {
        let hit = |list: &[HostPattern]| list.iter().any(|p| p.matches(origin));
        if hit(&self.policy_blocked) {
            Verdict::Deny
        } else if hit(&self.policy_allowed) {
            Verdict::Allow
        } else if self.policy_only || hit(&self.restricted) {
            Verdict::Deny
        } else if hit(&self.trusted) || once == Some(true) {
            Verdict::Allow
        } else if once == Some(false) {
            Verdict::Deny
        } else {
            Verdict::Ask
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Every combination of lists and session decisions, against the rule written as a ranking.
    #[test]
    fn every_combination_follows_the_ranking() {
        let site: Origin = "https://a.example.com".parse().unwrap();
        let hit = |on: bool| if on { vec!["https://*.example.com".parse().unwrap()] } else { vec![] };
        for bits in 0..32_u8 {
            let on = |bit: u8| bits & (1 << bit) != 0;
            let lists = TrustLists {
                policy_blocked: hit(on(0)),
                policy_allowed: hit(on(1)),
                restricted: hit(on(2)),
                trusted: hit(on(3)),
                policy_only: on(4),
            };
            for once in [None, Some(true), Some(false)] {
                let ranking = [
                    on(0).then_some(Verdict::Deny),
                    on(1).then_some(Verdict::Allow),
                    on(4).then_some(Verdict::Deny),
                    on(2).then_some(Verdict::Deny),
                    on(3).then_some(Verdict::Allow),
                    once.map(|yes| if yes { Verdict::Allow } else { Verdict::Deny }),
                    Some(Verdict::Ask),
                ];
                assert_eq!(
                    Some(lists.decide(&site, once)),
                    ranking.into_iter().flatten().next(),
                    "{bits:05b} {once:?}"
                );
            }
        }
    }

    #[test]
    fn a_site_on_no_list_is_asked_about() {
        let lists = TrustLists { trusted: vec!["https://*.example.com".parse().unwrap()], ..TrustLists::default() };
        assert_eq!(lists.decide(&"https://example.com".parse().unwrap(), None), Verdict::Ask);
        assert_eq!(lists.decide(&"https://example.com.evil.example".parse().unwrap(), None), Verdict::Ask);
    }
}
