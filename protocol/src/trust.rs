//! Who may use Godwit: policy > restricted > trusted > this session's decision > ask.

use crate::origin::{HostPattern, Origin};

/// The lists a decision is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustLists {
    /// Set by the administrator; win over everything.
    pub policy_allowed: Vec<HostPattern>,
    /// Set by the administrator; win over everything.
    pub policy_blocked: Vec<HostPattern>,
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
        } else if hit(&self.restricted) {
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
