//! The browsers that can run a native messaging host, and where they look for its manifest.
//!
//! Sources: the manuals of Chrome and Firefox; the tables of KeePassXC, gopass and Bitwarden; Chromium 156 and Firefox ESR
//! observed.

use serde::Serialize;
use std::path::{Path, PathBuf};

/// What kind of manifest a browser reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `allowed_origins` with the extension's id.
    Chromium,
    /// `allowed_extensions` with the add-on's id.
    Firefox,
}

/// Where a per-user path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The home folder.
    Home,
    /// `XDG_CONFIG_HOME`, or `.config` in the home folder.
    Config,
}

/// A browser.
#[derive(Clone, Copy, Debug)]
pub struct Browser {
    /// One word, for `--browsers`.
    pub id: &'static str,
    /// As people know it.
    pub name: &'static str,
    /// Its manifest.
    pub family: Family,
    base: Base,
    /// The folder that it makes when it is first used, below the base.
    own: &'static str,
    /// The manifests' folder below `own`.
    user: &'static str,
    /// The folders of the whole machine.
    pub system: &'static [&'static str],
    /// What its program is called.
    pub programs: &'static [&'static str],
    /// Where its administrator's policy is: a folder of JSON files (Chromium's family), or files (Firefox's).
    pub policies: &'static [&'static str],
    /// In a sandbox: its folder is only there with it, and a manifest alone does not let it out.
    pub sandboxed: bool,
}

const CHROMIUM_HOSTS: &str = "NativeMessagingHosts";
const FIREFOX_HOSTS: &str = "native-messaging-hosts";
const MOZILLA: &[&str] = &["/usr/lib/mozilla/native-messaging-hosts", "/usr/lib64/mozilla/native-messaging-hosts"];

const FIREFOX_POLICIES: &[&str] = &[
    "/etc/firefox/policies/policies.json",
    "/usr/lib/firefox/distribution/policies.json",
    "/usr/lib/firefox-esr/distribution/policies.json",
];

const fn chromium(
    id: &'static str,
    name: &'static str,
    own: &'static str,
    programs: &'static [&'static str],
) -> Browser {
    let (family, base, user) = (Family::Chromium, Base::Config, CHROMIUM_HOSTS);
    Browser { id, name, family, base, own, user, system: &[], programs, policies: &[], sandboxed: false }
}

const fn firefox(
    id: &'static str,
    name: &'static str,
    own: &'static str,
    programs: &'static [&'static str],
) -> Browser {
    let (family, base, user) = (Family::Firefox, Base::Home, FIREFOX_HOSTS);
    Browser { id, name, family, base, own, user, system: &[], programs, policies: &[], sandboxed: false }
}

const fn flatpak(
    id: &'static str,
    name: &'static str,
    family: Family,
    own: &'static str,
    user: &'static str,
) -> Browser {
    Browser {
        id,
        name,
        family,
        base: Base::Home,
        own,
        user,
        system: &[],
        programs: &[],
        policies: &[],
        sandboxed: true,
    }
}

impl Browser {
    const fn for_all(mut self, system: &'static [&'static str], policies: &'static [&'static str]) -> Self {
        self.system = system;
        self.policies = policies;
        self
    }
}

/// All that are known.
pub const BROWSERS: &[Browser] = &[
    chromium("chrome", "Google Chrome", "google-chrome", &["google-chrome", "google-chrome-stable"])
        .for_all(&["/etc/opt/chrome/native-messaging-hosts"], &["/etc/opt/chrome/policies/managed"]),
    chromium("chrome-beta", "Google Chrome Beta", "google-chrome-beta", &["google-chrome-beta"]),
    chromium("chrome-unstable", "Google Chrome Dev", "google-chrome-unstable", &["google-chrome-unstable"]),
    chromium("chromium", "Chromium", "chromium", &["chromium", "chromium-browser"])
        .for_all(&["/etc/chromium/native-messaging-hosts"], &["/etc/chromium/policies/managed"]),
    chromium("edge", "Microsoft Edge", "microsoft-edge", &["microsoft-edge", "microsoft-edge-stable"])
        .for_all(&["/etc/opt/edge/native-messaging-hosts"], &["/etc/opt/edge/policies/managed"]),
    chromium("brave", "Brave", "BraveSoftware/Brave-Browser", &["brave-browser", "brave"])
        .for_all(&[], &["/etc/brave/policies/managed"]),
    chromium("vivaldi", "Vivaldi", "vivaldi", &["vivaldi", "vivaldi-stable"])
        .for_all(&["/etc/opt/vivaldi/native-messaging-hosts"], &[]),
    chromium("opera", "Opera", "opera", &["opera"]),
    firefox("firefox", "Firefox", ".mozilla", &["firefox", "firefox-esr"]).for_all(MOZILLA, FIREFOX_POLICIES),
    firefox("librewolf", "LibreWolf", ".librewolf", &["librewolf"]),
    firefox("floorp", "Floorp", ".floorp", &["floorp"]),
    firefox("waterfox", "Waterfox", ".waterfox", &["waterfox"]),
    flatpak(
        "firefox-flatpak",
        "Firefox (Flatpak)",
        Family::Firefox,
        ".var/app/org.mozilla.firefox",
        ".mozilla/native-messaging-hosts",
    ),
    flatpak(
        "chrome-flatpak",
        "Google Chrome (Flatpak)",
        Family::Chromium,
        ".var/app/com.google.Chrome",
        "config/google-chrome/NativeMessagingHosts",
    ),
    flatpak(
        "chromium-flatpak",
        "Chromium (Flatpak)",
        Family::Chromium,
        ".var/app/org.chromium.Chromium",
        "config/chromium/NativeMessagingHosts",
    ),
    flatpak(
        "edge-flatpak",
        "Microsoft Edge (Flatpak)",
        Family::Chromium,
        ".var/app/com.microsoft.Edge",
        "config/microsoft-edge/NativeMessagingHosts",
    ),
];

impl Browser {
    /// By its id.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        BROWSERS.iter().find(|browser| browser.id == id)
    }

    /// The folder that the browser itself makes for this user: it is there if the browser was used.
    #[must_use]
    pub fn own_folder(&self, home: &Path, config: &Path) -> PathBuf {
        let base = if self.base == Base::Home { home } else { config };
        base.join(self.own)
    }

    /// Where it looks for this user's host manifests.
    #[must_use]
    pub fn user_folder(&self, home: &Path, config: &Path) -> PathBuf {
        self.own_folder(home, config).join(self.user)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn manifests_go_where_the_browsers_look() {
        let folder = |id: &str| {
            let browser = Browser::find(id).unwrap();
            browser.user_folder(Path::new("/h"), Path::new("/c")).display().to_string()
        };
        assert_eq!(folder("chrome"), "/c/google-chrome/NativeMessagingHosts");
        assert_eq!(folder("brave"), "/c/BraveSoftware/Brave-Browser/NativeMessagingHosts");
        assert_eq!(folder("firefox"), "/h/.mozilla/native-messaging-hosts");
        assert_eq!(folder("firefox-flatpak"), "/h/.var/app/org.mozilla.firefox/.mozilla/native-messaging-hosts");
        let edge = "/h/.var/app/com.microsoft.Edge/config/microsoft-edge/NativeMessagingHosts";
        assert_eq!(folder("edge-flatpak"), edge);
    }

    #[test]
    fn no_two_browsers_share_a_name() {
        let ids: BTreeSet<_> = BROWSERS.iter().map(|browser| browser.id).collect();
        assert_eq!(ids.len(), BROWSERS.len());
        assert!(Browser::find("netscape").is_none());
    }
}
