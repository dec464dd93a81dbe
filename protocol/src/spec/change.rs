//! Changes to a transfer that exists: new limits (`transfers/modify`) and new credentials (`transfers/resume`).

use super::fields::{Fields, wrong};
use super::parse::{MAX_COOKIE, RATE_POLICIES};
use super::{Authentication, RatePolicy, SpecError, TransferSpec};
use crate::RateKbps;
use serde_json::Value;

/// The body of `transfers/modify`: what is absent stays as it is; a rate of 0 takes a limit away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateChange {
    /// New policy.
    pub rate_policy: Option<RatePolicy>,
    /// New target.
    pub target_rate_kbps: Option<RateKbps>,
    /// New minimum.
    pub min_rate_kbps: Option<RateKbps>,
    /// New upper limit for changes by the user.
    pub target_rate_cap_kbps: Option<RateKbps>,
    /// Lock or unlock the policy.
    pub lock_rate_policy: Option<bool>,
    /// Lock or unlock the target.
    pub lock_target_rate: Option<bool>,
    /// Lock or unlock the minimum.
    pub lock_min_rate: Option<bool>,
}

impl RateChange {
    /// Reads a body; other fields are ignored.
    pub fn from_value(body: &Value) -> Result<Self, SpecError> {
        let f = Fields(body.as_object().ok_or_else(|| wrong("body", "must be an object"))?);
        Ok(Self {
            rate_policy: f.word(&["rate_policy"], RATE_POLICIES)?,
            target_rate_kbps: f.rate(&["target_rate_kbps"])?,
            min_rate_kbps: f.rate(&["min_rate_kbps"])?,
            target_rate_cap_kbps: f.rate(&["target_rate_cap_kbps"])?,
            lock_rate_policy: f.switch(&["lock_rate_policy"])?,
            lock_target_rate: f.switch(&["lock_target_rate", "lock_target_rate_kbps"])?,
            lock_min_rate: f.switch(&["lock_min_rate", "lock_min_rate_kbps"])?,
        })
    }
}

impl TransferSpec {
    /// Takes new limits over, also into [`Self::public`], so that the page reads back what holds now.
    pub fn apply_rates(&mut self, change: &RateChange) {
        let mut show = |name: &str, value: Value| {
            if let Some(object) = self.public.as_object_mut() {
                object.insert(name.to_owned(), value);
            }
        };
        let limit = |rate: RateKbps| Some(rate).filter(|rate| rate.0 > 0);
        if let Some(policy) = change.rate_policy {
            self.rate_policy = policy;
            show("rate_policy", serde_json::to_value(policy).unwrap_or_default());
        }
        if let Some(rate) = change.target_rate_kbps {
            self.target_rate_kbps = limit(rate);
            show("target_rate_kbps", rate.0.into());
        }
        if let Some(rate) = change.min_rate_kbps {
            self.min_rate_kbps = Some(rate);
            show("min_rate_kbps", rate.0.into());
        }
        if let Some(rate) = change.target_rate_cap_kbps {
            self.target_rate_cap_kbps = limit(rate);
            show("target_rate_cap_kbps", rate.0.into());
        }
        if let Some(lock) = change.lock_rate_policy {
            self.lock_rate_policy = lock;
            show("lock_rate_policy", lock.into());
        }
        if let Some(lock) = change.lock_target_rate {
            self.lock_target_rate = lock;
            show("lock_target_rate", lock.into());
        }
        if let Some(lock) = change.lock_min_rate {
            self.lock_min_rate = lock;
            show("lock_min_rate", lock.into());
        }
    }

    /// Takes the credentials in the body of `transfers/resume` over; what is absent stays. Nothing else of the body
    /// counts: a resumed transfer cannot get another server, other files or another target. If the body is wrong,
    /// nothing changes.
    pub fn apply_credentials(&mut self, body: &Value) -> Result<(), SpecError> {
        let f = Fields(body.as_object().ok_or_else(|| wrong("body", "must be an object"))?);
        let (token, password) = (f.secret(&["token"])?, f.secret(&["remote_password"])?);
        let passphrase = f.secret(&["content_protection_passphrase", "content_protection_password"])?;
        let user = f.plain(&["remote_user"], 255)?;
        let cookie = f.text(&["cookie"], MAX_COOKIE)?;
        let method: Option<Authentication> = f.word(&["authentication"], "password, token")?;
        let implied = match (&token, &password) {
            (Some(_), None) => Some(Authentication::Token),
            (None, Some(_)) => Some(Authentication::Password),
            _ => None,
        };
        self.authentication = method.or(implied).unwrap_or(self.authentication);
        self.token = token.or_else(|| self.token.take());
        self.remote_password = password.or_else(|| self.remote_password.take());
        self.content_protection_passphrase = passphrase.or_else(|| self.content_protection_passphrase.take());
        let object = self.public.as_object_mut();
        if let Some((object, user)) = object.zip(user.as_ref()) {
            object.insert("remote_user".to_owned(), user.as_str().into());
        }
        self.remote_user = user.unwrap_or_else(|| std::mem::take(&mut self.remote_user));
        self.cookie = cookie.or_else(|| self.cookie.take());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Secret;
    use serde_json::json;

    fn spec() -> TransferSpec {
        let value = json!({"direction": "send", "remote_host": "a", "paths": [{"source": "/x"}], "token": "old",
            "min_rate_kbps": 5, "target_rate_kbps": 7});
        TransferSpec::from_value(&value).unwrap()
    }

    #[test]
    fn new_limits_are_taken_over_and_shown_and_the_rest_stays() {
        let mut spec = spec();
        let body =
            json!({"target_rate_kbps": "5000", "rate_policy": "low", "lock_min_rate": "yes", "remote_host": "evil"});
        spec.apply_rates(&RateChange::from_value(&body).unwrap());
        assert_eq!((spec.target_rate_kbps, spec.min_rate_kbps), (Some(RateKbps(5000)), Some(RateKbps(5))));
        assert_eq!((spec.rate_policy, spec.lock_min_rate), (RatePolicy::Low, true));
        assert_eq!(spec.public["target_rate_kbps"], 5000);
        assert_eq!(spec.public["rate_policy"], "low");
        assert_eq!(spec.remote_host, "a");
        spec.apply_rates(&RateChange::from_value(&json!({"target_rate_kbps": 0})).unwrap());
        assert_eq!(spec.target_rate_kbps, None);
        assert_eq!(RateChange::from_value(&json!({"target_rate_kbps": "fast"})).unwrap_err().field, "target_rate_kbps");
    }

    #[test]
    fn a_resume_brings_credentials_and_nothing_else() {
        let mut spec = spec();
        let body = json!({"token": "new", "remote_host": "evil", "paths": [{"source": "/etc/passwd"}], "destination_root": "/e"});
        spec.apply_credentials(&body).unwrap();
        assert_eq!(spec.token, Some(Secret::new("new")));
        assert_eq!((spec.remote_host.as_str(), spec.paths.len(), spec.paths[0].source.as_str()), ("a", 1, "/x"));
        assert_eq!(spec.destination_root, "");
        assert!(!spec.public.to_string().contains("new"));

        let before = spec.clone();
        assert_eq!(spec.apply_credentials(&json!({"token": "x", "remote_user": 5})).unwrap_err().field, "remote_user");
        assert!(spec == before);
        spec.apply_credentials(&json!({})).unwrap();
        assert!(spec == before);
        spec.apply_credentials(&json!({"remote_password": "p", "remote_user": "me"})).unwrap();
        assert_eq!(spec.authentication, Authentication::Password);
        assert_eq!((spec.remote_user.as_str(), &spec.public["remote_user"]), ("me", &json!("me")));
    }
}
