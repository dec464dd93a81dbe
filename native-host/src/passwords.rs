//! Passwords that the user saved: which there are, and for whom one may be used.
//!
//! A saved password belongs to a server and a user. It is used without asking only for a site that the user has typed or
//! confirmed it for, and only toward the server that it was saved for: a site that names another certificate for the same
//! host does not get it sent there. **Must not know** how secrets are sealed or stored.

use godwit_protocol::prefs::SavedPassword;
use godwit_protocol::{Origin, Secret};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Form of [`Label`] in the store.
pub const LABEL_FORM: u32 = 1;

/// What is known of a saved password without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// `host:port`.
    pub server: String,
    /// The login.
    pub user: String,
    /// When it was saved, ms since the Unix epoch.
    pub saved_ms: u64,
}

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The password.
    pub password: Secret,
    /// Sites that may have it used.
    pub sites: BTreeSet<Origin>,
    /// The certificate that the page named, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Sealed {
    /// True if `site` may have it used toward a server with the certificate that it names.
    #[must_use]
    pub fn fits(&self, site: &Origin, fingerprint: Option<&str>) -> bool {
        self.sites.contains(site) && self.is_for(fingerprint)
    }

    /// True if it is for a server with the certificate that the page names. A page that names none leaves the judgement to
    /// the system and the user's own confirmations.
    #[must_use]
    pub fn is_for(&self, fingerprint: Option<&str>) -> bool {
        fingerprint.is_none() || fingerprint == self.fingerprint.as_deref()
    }
}

/// Names a saved password. No `host:port` holds a slash, so that two logins never share a name.
#[must_use]
pub fn id(server: &str, user: &str) -> String {
    format!("{server}/{user}")
}

/// Name of the sealed record, which is also what it is bound to: a ciphertext does not open as another server's.
#[must_use]
pub fn secrets_key(id: &str) -> String {
    format!("password/{id}")
}

/// All saved passwords, without the secrets.
#[derive(Clone, Debug, Default)]
pub struct PasswordBook {
    labels: BTreeMap<String, Label>,
    /// Refused by their servers since the agent started: not tried again before they are changed.
    refused: BTreeSet<String>,
}

impl PasswordBook {
    /// Notes one; an older one for the same login is replaced.
    pub fn add(&mut self, id: String, label: Label) {
        self.refused.remove(&id);
        self.labels.insert(id, label);
    }

    /// Takes one off; false if there is none.
    pub fn remove(&mut self, id: &str) -> bool {
        self.refused.remove(id);
        self.labels.remove(id).is_some()
    }

    /// True if there is one that may still be right.
    #[must_use]
    pub fn usable(&self, id: &str) -> bool {
        self.labels.contains_key(id) && !self.refused.contains(id)
    }

    /// The server did not take it.
    pub fn refused(&mut self, id: &str) {
        if self.labels.contains_key(id) {
            self.refused.insert(id.to_owned());
        }
    }

    /// For the preferences window.
    #[must_use]
    pub fn list(&self) -> Vec<SavedPassword> {
        let view = |(id, label): (&String, &Label)| SavedPassword {
            id: id.clone(),
            server: label.server.clone(),
            user: label.user.clone(),
            saved_at: label.saved_ms,
        };
        let mut list: Vec<SavedPassword> = self.labels.iter().map(view).collect();
        list.sort_by(|a, b| (&a.server, &a.user).cmp(&(&b.server, &b.user)));
        list
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn label(server: &str, user: &str) -> Label {
        Label { server: server.into(), user: user.into(), saved_ms: 7 }
    }

    #[test]
    fn a_password_is_used_only_for_its_sites_and_toward_its_own_server() {
        let site: Origin = "https://a.example".parse().unwrap();
        let other: Origin = "https://b.example".parse().unwrap();
        let sites = BTreeSet::from([site.clone()]);
        let plain = Sealed { password: Secret::new("p"), sites: sites.clone(), fingerprint: None };
        assert!(plain.fits(&site, None));
        assert!(!plain.fits(&other, None));
        assert!(!plain.fits(&site, Some("SHA256:evil")), "the page names another server");
        let pinned = Sealed { fingerprint: Some("SHA256:good".into()), ..plain };
        assert!(pinned.fits(&site, Some("SHA256:good")) && pinned.fits(&site, None));
        assert!(!pinned.fits(&site, Some("SHA256:evil")));
    }

    #[test]
    fn one_that_was_refused_is_not_tried_again_before_it_is_changed_and_is_listed_all_the_same() {
        let mut book = PasswordBook::default();
        let one = id("h:33001", "ann");
        book.add(one.clone(), label("h:33001", "ann"));
        book.add(id("a:1", "z"), label("a:1", "z"));
        assert!(book.usable(&one) && !book.usable("nobody"));
        book.refused(&one);
        assert!(!book.usable(&one));
        assert_eq!(book.list().iter().map(|p| p.server.as_str()).collect::<Vec<_>>(), ["a:1", "h:33001"]);
        book.add(one.clone(), label("h:33001", "ann"));
        assert!(book.usable(&one));
        assert!(book.remove(&one) && !book.remove(&one));
    }
}
