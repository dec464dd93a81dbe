//! Which sites may use Godwit: the remembered lists, and what holds for one browser session only.

use crate::time::Now;
use godwit_protocol::trust::{TrustLists, Verdict};
use godwit_protocol::ui::TrustView;
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
}

/// All decisions.
#[derive(Debug, Default)]
pub struct TrustBook {
    lists: TrustLists,
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

    /// Takes up a stored decision, or a new one. The contrary one is forgotten.
    pub fn remember(&mut self, pattern: HostPattern, trusted: bool) {
        self.forget(pattern.as_str());
        let list = if trusted { &mut self.lists.trusted } else { &mut self.lists.restricted };
        list.push(pattern);
        list.sort();
    }

    /// Forgets a remembered decision; false if there was none.
    pub fn forget(&mut self, pattern: &str) -> bool {
        let before = self.lists.trusted.len() + self.lists.restricted.len();
        self.lists.trusted.retain(|p| p.as_str() != pattern);
        self.lists.restricted.retain(|p| p.as_str() != pattern);
        self.lists.trusted.len() + self.lists.restricted.len() < before
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
        TrustView { trusted: texts(&self.lists.trusted), restricted: texts(&self.lists.restricted) }
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
        book.remember(HostPattern::exact(&site), false);
        assert_eq!(book.verdict("s", &site, at(0)), Verdict::Deny);
        book.remember(HostPattern::exact(&site), true);
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
}
