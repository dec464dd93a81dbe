//! What an administrator sets through the policies of a browser: `storage.managed` of the extension.
//!
//! For those who can push nothing but browser policies (Google Admin, Intune, group policies). The names are the paths of
//! [`super::policy`]'s file in one word, each a policy of its own, so that a browser which checks them against the extension's
//! schema throws away one that is wrong and not its neighbours:
//!
//! ```json
//! {"set.queue.active": 5, "lock.bandwidth.manual_downloads_kbps": 100000, "trust.trusted": ["https://*.example.com"]}
//! ```
//! **No border against the user**: what comes through a browser comes as a message of this user. It can lock, and it can
//! trust sites where the machine's own file does not say who may; it never loosens that file.

use super::policy::{Policy, TrustPolicy, patterns};
use godwit_protocol::ui::Notice;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Form of the stored records.
pub const POLICY_FORM: u32 = 1;
/// Profiles whose policies are kept; the one that was not seen for the longest time makes room.
const MAX_PROFILES: usize = 50;
/// A profile that was not seen for this long is taken for deleted.
const LIFE: Duration = Duration::from_secs(90 * 86_400);
/// That a profile is still there is written this often.
const SEEN_STEP: Duration = Duration::from_secs(86_400);

/// What one browser profile said last, as it said it: a newer build may understand more of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredPolicy {
    /// `chromium` or `firefox`.
    pub browser: String,
    /// By name.
    pub values: Map<String, Value>,
    /// When it said so, milliseconds since the Unix epoch.
    pub seen_ms: u64,
}

/// All profiles with policies, by browser, extension and profile: the order in which they go before one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrowserPolicies(BTreeMap<String, StoredPolicy>);

impl BrowserPolicies {
    /// Takes a stored record up.
    pub fn restore(&mut self, key: String, policy: StoredPolicy) {
        self.0.insert(key, policy);
    }

    /// A profile says what holds there now. Empty: nothing any more. True if there is something new to write and to obey.
    pub fn tell(&mut self, key: &str, policy: StoredPolicy) -> bool {
        if policy.values.is_empty() {
            return self.0.remove(key).is_some();
        }
        let step = u64::try_from(SEEN_STEP.as_millis()).unwrap_or(u64::MAX);
        let old = self.0.get(key);
        if old.is_some_and(|old| old.values == policy.values && policy.seen_ms.abs_diff(old.seen_ms) < step) {
            return false;
        }
        self.0.insert(key.to_owned(), policy);
        true
    }

    /// Forgets profiles that seem to be gone, and what is too much; returns their keys.
    pub fn expire(&mut self, wall_ms: u64) -> Vec<String> {
        let life = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        let mut by_age: Vec<_> = self.0.iter().map(|(key, policy)| (policy.seen_ms, key.clone())).collect();
        by_age.sort();
        let excess = by_age.len().saturating_sub(MAX_PROFILES);
        let gone = by_age.into_iter().enumerate();
        let gone = gone.filter(|(n, (seen, _))| *n < excess || seen.saturating_add(life) < wall_ms);
        let gone: Vec<String> = gone.map(|(_, (_, key))| key).collect();
        self.0.retain(|key, _| !gone.contains(key));
        gone
    }

    /// What a profile said last.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&StoredPolicy> {
        self.0.get(key)
    }

    /// As they are obeyed.
    pub(super) fn read(&self) -> Vec<Policy> {
        self.0.values().map(|policy| read(&policy.browser, &policy.values)).collect()
    }
}

/// A profile's policies. What cannot be used is told, and does not take the others along.
fn read(browser: &str, values: &Map<String, Value>) -> Policy {
    let mut policy = Policy { name: format!("policy of {browser}"), ..Policy::default() };
    for (name, value) in values {
        match name.split_once('.') {
            Some(("set", setting)) => policy.set.push((setting.to_owned(), value.clone())),
            Some(("lock", setting)) => policy.lock.push((setting.to_owned(), value.clone())),
            Some(("trust", list)) => read_sites(&mut policy, name, list, value),
            _ => policy.problems.push(super::layers::unknown().about(&policy.name, name)),
        }
    }
    policy
}

/// One of the policies about sites. One that would keep sites out and cannot be read keeps all out, as in the file.
fn read_sites(policy: &mut Policy, name: &str, list: &str, value: &Value) {
    let texts = || {
        let items = value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned));
        items.collect::<Option<Vec<String>>>()
    };
    let (place, problems) = (policy.name.clone(), &mut policy.problems);
    let TrustPolicy { trusted, restricted, only_listed } = &mut policy.trust;
    match (list, value, texts()) {
        ("trusted", _, Some(texts)) => (*trusted, _) = patterns(texts, &place, problems),
        ("restricted", _, Some(texts)) => {
            let all_read;
            (*restricted, all_read) = patterns(texts, &place, problems);
            *only_listed |= !all_read;
        }
        ("only_listed", Value::Bool(only), _) => *only_listed |= only,
        _ => {
            *only_listed |= list != "trusted";
            let why = format!("{name} cannot be read");
            let text = format!("{place}: {why}");
            problems.push(Notice::new("policy-site", [place, why], text));
        }
    }
}

/// What the administrator says about sites, wherever it is said: what forbids is added up. A machine's file that allows only
/// the sites on its list is not made longer by a browser.
pub(super) fn sites(file: &TrustPolicy, browsers: &[Policy]) -> TrustPolicy {
    let mut all = file.clone();
    for TrustPolicy { trusted, restricted, only_listed } in browsers.iter().map(|browser| &browser.trust) {
        if !file.only_listed {
            all.trusted.extend(trusted.iter().cloned());
        }
        all.restricted.extend(restricted.iter().cloned());
        all.only_listed |= only_listed;
    }
    for list in [&mut all.trusted, &mut all.restricted] {
        list.sort();
        list.dedup();
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn values(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn stored(value: Value, seen_ms: u64) -> StoredPolicy {
        StoredPolicy { browser: "chromium".into(), values: values(value), seen_ms }
    }

    #[test]
    fn a_policy_about_sites_that_cannot_be_read_closes_if_it_would_have_kept_sites_out() {
        for (bad, closes) in [
            (json!({"trust.trusted": "https://a.example"}), false),
            (json!({"trust.trusted": ["https://*.com", "https://a.example"]}), false),
            (json!({"trust.restricted": "https://a.example"}), true),
            (json!({"trust.restricted": ["x y"]}), true),
            (json!({"trust.restricted": [1]}), true),
            (json!({"trust.only_listed": "yes"}), true),
            (json!({"trust.restrcted": []}), true),
            (json!({"trsut.restricted": []}), false),
            (json!({"queue.active": 5}), false),
        ] {
            let policy = read("chromium", &values(bad.clone()));
            assert_eq!((policy.trust.only_listed, policy.problems.len()), (closes, 1), "{bad}");
        }
        let fine = read("firefox", &values(json!({"trust.trusted": ["*.a.example"], "trust.only_listed": false})));
        assert_eq!((fine.trust.trusted.len(), fine.trust.only_listed, fine.problems.len()), (1, false, 0));
    }

    #[test]
    fn the_same_again_is_nothing_new_before_a_day_and_nothing_is_the_end() {
        let mut all = BrowserPolicies::default();
        let day = 86_400_000;
        assert!(!all.tell("a", stored(json!({}), 0)));
        assert!(all.tell("a", stored(json!({"set.queue.active": 5}), 0)));
        assert!(!all.tell("a", stored(json!({"set.queue.active": 5}), day - 1)));
        assert!(all.tell("a", stored(json!({"set.queue.active": 5}), day)));
        assert!(all.tell("a", stored(json!({"set.queue.active": 6}), day)));
        assert!(all.tell("a", stored(json!({}), day)));
        assert_eq!(all, BrowserPolicies::default());
    }

    #[test]
    fn profiles_that_are_gone_for_long_and_too_many_of_them_are_forgotten() {
        let mut all = BrowserPolicies::default();
        all.tell("old", stored(json!({"set.queue.active": 5}), 0));
        for n in 0..u64::try_from(MAX_PROFILES).unwrap() {
            all.tell(&format!("p{n:02}"), stored(json!({"set.queue.active": 5}), 1_000 + n));
        }
        assert_eq!(all.expire(1_000), ["old"], "more than there is room for");
        let life = u64::try_from(LIFE.as_millis()).unwrap();
        assert_eq!(all.expire(1_002 + life), ["p00", "p01"], "older than they live");
        assert_eq!(all.expire(1_002 + life), Vec::<String>::new());
    }
}
