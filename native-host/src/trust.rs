//! Which sites may use Godwit: the remembered lists, and what holds for one browser session only.

use crate::settings::policy::TrustPolicy;
use crate::time::Now;
use godwit_protocol::origin::PatternError;
use godwit_protocol::prefs::TrustList;
use godwit_protocol::trust::{TrustLists, Verdict};
use godwit_protocol::ui::{Notice, TrustView};
use godwit_protocol::{HostPattern, Origin};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After a refusal a site is refused this long without asking again: a page in a loop must not fill the screen.
const QUIET: Duration = Duration::from_secs(2);

/// Form of the stored records.
pub const TRUST_FORM: u32 = 1;

/// A remembered decision, stored under its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Trusted or restricted.
    pub trusted: bool,
    /// Asked about at every transfer; `trusted` is false then, so that an older build refuses rather than allows.
    #[serde(default)]
    pub ask: bool,
}

impl Remembered {
    /// For a list.
    #[must_use]
    pub fn on(list: TrustList) -> Self {
        Self { trusted: list == TrustList::Trusted, ask: list == TrustList::Ask }
    }

    /// The list it stands for.
    #[must_use]
    pub fn list(self) -> TrustList {
        match self {
            Self { ask: true, .. } => TrustList::Ask,
            Self { trusted: true, .. } => TrustList::Trusted,
            Self { .. } => TrustList::Restricted,
        }
    }
}

/// Why a text is no site pattern for a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternRefused {
    /// Its form.
    #[error(transparent)]
    Form(#[from] PatternError),
    /// It would cover everybody's sites.
    #[error("'{0}' would cover the sites of strangers: anybody can have a name below '{1}'")]
    Public(String, String),
}

impl PatternRefused {
    /// For windows in other languages.
    #[must_use]
    pub fn note(&self) -> Notice {
        let (word, args) = match self {
            Self::Form(PatternError(text)) => ("site-form", vec![text.clone()]),
            Self::Public(pattern, below) => ("site-public", vec![pattern.clone(), below.clone()]),
        };
        Notice::new(word, args, self.to_string())
    }
}

/// Reads a pattern as a person types it; a wildcard directly below a public suffix (`*.com`, `*.github.io`) is refused by the
/// Public Suffix List.
pub fn parse_pattern(text: &str) -> Result<HostPattern, PatternRefused> {
    let pattern = HostPattern::typed(text)?;
    if let Some((_, host)) = pattern.as_str().split_once("://*.") {
        let host = host.split(':').next().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        // Also where every name below is one (`*.kawasaki.jp` is a rule of the list).
        let is_public = |name: &str| psl::suffix(name.as_bytes()).is_none_or(|s| s.as_bytes() == name.as_bytes());
        if is_public(host) || is_public(&format!("a.{host}")) {
            return Err(PatternRefused::Public(pattern.as_str().to_owned(), host.to_owned()));
        }
    }
    Ok(pattern)
}

/// All decisions.
#[derive(Debug, Default)]
pub struct TrustBook {
    lists: TrustLists,
    /// Asked about at every transfer.
    ask: Vec<HostPattern>,
    once: BTreeSet<(String, Origin)>,
    refused: BTreeMap<(String, Origin), Duration>,
}

impl TrustBook {
    /// May `origin` in browser session `session` go on?
    #[must_use]
    pub fn verdict(&self, session: &str, origin: &Origin, now: Now) -> Verdict {
        let key = (session.to_owned(), origin.clone());
        let once = self.once.contains(&key).then_some(true);
        match self.lists.decide(origin, once) {
            Verdict::Ask if self.refused.get(&key).is_some_and(|at| now.mono < *at + QUIET) => Verdict::Deny,
            verdict => verdict,
        }
    }

    /// Puts the administrator's lists over all others.
    pub fn manage(&mut self, policy: &TrustPolicy) {
        self.lists.policy_allowed.clone_from(&policy.trusted);
        self.lists.policy_blocked.clone_from(&policy.restricted);
        self.lists.policy_only = policy.only_listed;
    }

    /// The administrator's lists alone; every other site is asked about.
    #[must_use]
    pub fn managed(&self) -> TrustLists {
        let TrustLists { policy_allowed, policy_blocked, policy_only, .. } = self.lists.clone();
        TrustLists { policy_allowed, policy_blocked, policy_only, ..TrustLists::default() }
    }

    /// True if every transfer of `origin` is asked about; `otherwise` holds for sites that nobody has decided about for good.
    #[must_use]
    pub fn asks_each(&self, origin: &Origin, otherwise: bool) -> bool {
        let hit = |list: &[HostPattern]| list.iter().any(|p| p.matches(origin));
        let for_good = hit(&self.lists.policy_allowed) || hit(&self.lists.trusted);
        !hit(&self.lists.policy_allowed) && (hit(&self.ask) || (otherwise && !for_good))
    }

    /// Takes up a stored decision, or a new one. The contrary one is forgotten.
    pub fn remember(&mut self, pattern: HostPattern, list: TrustList) {
        self.forget(pattern.as_str());
        let list = match list {
            TrustList::Trusted => &mut self.lists.trusted,
            TrustList::Restricted => &mut self.lists.restricted,
            TrustList::Ask => &mut self.ask,
        };
        list.push(pattern);
        list.sort();
    }

    /// Forgets a remembered decision; false if there was none.
    pub fn forget(&mut self, pattern: &str) -> bool {
        let lists = [&mut self.lists.trusted, &mut self.lists.restricted, &mut self.ask];
        let mut found = false;
        for list in lists {
            let before = list.len();
            list.retain(|p| p.as_str() != pattern);
            found |= list.len() < before;
        }
        found
    }

    /// Allows for this browser session.
    pub fn allow_once(&mut self, session: &str, origin: &Origin) {
        self.once.insert((session.to_owned(), origin.clone()));
    }

    /// Notes a refusal that is not remembered.
    pub fn refuse_once(&mut self, session: &str, origin: &Origin, now: Now) {
        self.refused.retain(|_, at| now.mono < *at + QUIET);
        self.refused.insert((session.to_owned(), origin.clone()), now.mono);
    }

    /// Takes back what holds for sessions only, for sites that `pattern` covers.
    pub fn forget_once(&mut self, pattern: &str) {
        let Ok(pattern) = pattern.parse::<HostPattern>() else { return };
        self.once.retain(|(_, origin)| !pattern.matches(origin));
    }

    /// The browser session has ended.
    pub fn forget_session(&mut self, session: &str) {
        self.once.retain(|(s, _)| s != session);
        self.refused.retain(|(s, _), _| s != session);
    }

    /// The remembered lists, for windows and for the extension's pre-check.
    #[must_use]
    pub fn view(&self) -> TrustView {
        let texts = |list: &[HostPattern]| list.iter().map(|p| p.as_str().to_owned()).collect();
        TrustView {
            trusted: texts(&self.lists.trusted),
            restricted: texts(&self.lists.restricted),
            ask: texts(&self.ask),
            managed_trusted: texts(&self.lists.policy_allowed),
            managed_restricted: texts(&self.lists.policy_blocked),
            managed_only: self.lists.policy_only,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall_ms: 0 }
    }

    #[test]
    fn once_is_for_one_session_and_remembered_is_for_all() {
        let site: Origin = "https://a.example".parse().unwrap();
        let mut book = TrustBook::default();
        assert_eq!(book.verdict("s", &site, at(0)), Verdict::Ask);
        book.allow_once("s", &site);
        assert_eq!(book.verdict("s", &site, at(0)), Verdict::Allow);
        assert_eq!(book.verdict("t", &site, at(0)), Verdict::Ask);
        book.remember(HostPattern::exact(&site), TrustList::Restricted);
        assert_eq!(book.verdict("s", &site, at(0)), Verdict::Deny);
        book.remember(HostPattern::exact(&site), TrustList::Trusted);
        assert_eq!(book.verdict("t", &site, at(0)), Verdict::Allow);
        assert_eq!(book.view().restricted, Vec::<String>::new());
        assert!(book.forget("https://a.example") && !book.forget("https://a.example"));
        book.forget_session("s");
        assert_eq!(book.verdict("s", &site, at(0)), Verdict::Ask);
    }

    #[test]
    fn a_refused_site_is_not_asked_about_again_at_once() {
        let site: Origin = "https://a.example".parse().unwrap();
        let mut book = TrustBook::default();
        book.refuse_once("s", &site, at(10));
        assert_eq!(book.verdict("s", &site, at(11)), Verdict::Deny);
        assert_eq!(book.verdict("s", &site, at(12)), Verdict::Ask);
        assert_eq!(book.verdict("t", &site, at(11)), Verdict::Ask);
    }

    #[test]
    fn a_wildcard_covers_one_label_and_never_the_sites_of_strangers() {
        let covers = |pattern: &str, site: &str| parse_pattern(pattern).unwrap().matches(&site.parse().unwrap());
        assert!(covers("*.Example.com", "https://a.example.com"));
        assert!(!covers("*.example.com", "https://example.com"));
        assert!(!covers("*.example.com", "https://a.b.example.com"));
        assert!(!covers("*.example.com", "https://a.example.com:8443"));
        assert!(covers("*.example.com:8443", "https://a.example.com:8443"));
        assert!(covers("*.bücher.example", "https://a.xn--bcher-kva.example"));
        for public in [
            "*.com",
            "*.co.uk",
            "*.github.io",
            "*.s3.amazonaws.com",
            "*.kawasaki.jp",
            "*.de",
            "*.blogspot.com",
            "https://*.gov.uk:8443",
            "*.compute.amazonaws.com",
        ] {
            assert!(parse_pattern(public).is_err(), "{public}");
        }
        assert!(parse_pattern("*.city.kawasaki.jp").is_ok(), "an exception of the list");
    }

    #[test]
    fn an_older_build_reads_a_site_to_be_asked_about_as_one_to_be_refused() {
        let stored = serde_json::to_value(Remembered::on(TrustList::Ask)).unwrap();
        assert_eq!(stored["trusted"], serde_json::json!(false));
        for list in [TrustList::Trusted, TrustList::Restricted, TrustList::Ask] {
            assert_eq!(Remembered::on(list).list(), list);
        }
        let old: Remembered = serde_json::from_str("{\"trusted\": true}").unwrap();
        assert_eq!(old.list(), TrustList::Trusted);
    }
}
