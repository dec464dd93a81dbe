//! Rates in the configuration: caps, defaults and locks for the whole server and for a user, in each direction.

use crate::config::{ConfigError, value};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::RatePolicy;
use godwit_protocol::wire::RateLocks;
use godwit_transport::rules::Rules;
use serde::{Deserialize, Serialize};

/// The table `upload` or `download`, of the server or of a user. What a user's table says wins over the server's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// No session is faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_cap: Option<RateKbps>,
    /// Target for clients that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_default: Option<RateKbps>,
    /// Clients cannot choose the target: `target_default` holds, or without one `target_cap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_lock: Option<bool>,
    /// Highest minimum that a client may ask for; 0 forbids minimums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_cap: Option<RateKbps>,
    /// Minimum for clients that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_default: Option<RateKbps>,
    /// Clients cannot choose the minimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_lock: Option<bool>,
    /// In place of a policy that is not allowed; with `policy_lock` of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_default: Option<RatePolicy>,
    /// Policies that clients may choose; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_allowed: Option<Vec<RatePolicy>>,
    /// Clients cannot choose the policy: `policy_default` holds, or without one `fair`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_lock: Option<bool>,
}

impl RateConfig {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what makes no sense; `table` is its name in the file.
    pub(crate) fn check(&self, table: &str) -> Result<(), ConfigError> {
        let key = |key: &str| format!("{table}.{key}");
        for (rate, name) in [(self.target_cap, "target_cap"), (self.target_default, "target_default")] {
            if rate == Some(RateKbps(0)) {
                return Err(value(&key(name), "must be more than 0"));
            }
        }
        match (&self.policy_allowed, self.policy_default) {
            (Some(allowed), _) if allowed.is_empty() => Err(value(&key("policy_allowed"), "must name a policy")),
            (Some(allowed), Some(default)) if !allowed.contains(&default) => {
                Err(value(&key("policy_default"), "must be one of policy_allowed"))
            }
            _ => Ok(()),
        }
    }

    /// This table where it says something, `other` where not.
    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            target_cap: self.target_cap.or(other.target_cap),
            target_default: self.target_default.or(other.target_default),
            target_lock: self.target_lock.or(other.target_lock),
            minimum_cap: self.minimum_cap.or(other.minimum_cap),
            minimum_default: self.minimum_default.or(other.minimum_default),
            minimum_lock: self.minimum_lock.or(other.minimum_lock),
            policy_default: self.policy_default.or(other.policy_default),
            policy_allowed: self.policy_allowed.clone().or_else(|| other.policy_allowed.clone()),
            policy_lock: self.policy_lock.or(other.policy_lock),
        }
    }

    /// As the transport applies it. `caps` hold for several sessions together and so for each.
    #[must_use]
    pub(crate) fn rules(&self, caps: [Option<RateKbps>; 2]) -> Rules {
        Rules {
            target_cap: caps.into_iter().chain([self.target_cap]).flatten().min(),
            target_default: self.target_default,
            minimum_cap: self.minimum_cap,
            minimum_default: self.minimum_default,
            policy_default: self.policy_default,
            policies: self.policy_allowed.clone().unwrap_or_default(),
            locks: RateLocks {
                policy: self.policy_lock.unwrap_or(false),
                target: self.target_lock.unwrap_or(false),
                minimum: self.minimum_lock.unwrap_or(false),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(text: &str) -> RateConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_users_table_wins_key_by_key_and_common_caps_always_hold() {
        let server = table("target_cap = '100m'\npolicy_allowed = ['fair', 'low']\ntarget_lock = true");
        let user = table("target_cap = '400m'\ntarget_lock = false\nminimum_cap = 0");
        let rules = user.or(&server).rules([Some(RateKbps(300_000)), None]);
        assert_eq!((rules.target_cap, rules.minimum_cap), (Some(RateKbps(300_000)), Some(RateKbps(0))));
        assert!(!rules.locks.target);
        assert_eq!(rules.policies, [RatePolicy::Fair, RatePolicy::Low]);
        assert_eq!(table("").rules([None, None]), Rules::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (text, key) in [
            ("target_cap = 0", "upload.target_cap"),
            ("policy_allowed = []", "upload.policy_allowed"),
            ("policy_allowed = ['fair']\npolicy_default = 'high'", "upload.policy_default"),
        ] {
            let error = table(text).check("upload").unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        assert!(toml::from_str::<RateConfig>("policy_default = 'greedy'").is_err());
    }
}
