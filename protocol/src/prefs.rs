//! What the preferences window and the command line ask about settings, sites, servers and passwords.
//!
//! As with [`crate::ui`], none of these may carry an origin: pages never reach them.

use crate::ui::Notice;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Request kinds. Unless said otherwise the result is `{}`.
pub mod kinds {
    /// No params; result [`super::SettingsView`].
    pub const SETTINGS: &str = "ui.settings";
    /// Params [`super::ChangeSettings`]; result [`super::SettingsView`]. All changes or none: a value that is refused ends with
    /// `bad-request` and the reason, one that the administrator fixed with `forbidden`.
    pub const CHANGE_SETTINGS: &str = "ui.change-settings";
    /// Params [`super::BrowserPolicy`], from the background of an extension and nobody else: sent before any page call, and when
    /// the browser says that something changed.
    pub const BROWSER_POLICY: &str = "ui.browser-policy";
    /// Params [`super::SetTrust`]; result [`super::TrustSet`]. A text that is no pattern ends with `bad-request` and the reason.
    pub const SET_TRUST: &str = "ui.set-trust";
    /// No params; result [`super::KnownServers`].
    pub const KNOWN_SERVERS: &str = "ui.known-servers";
    /// Params [`super::ForgetServer`]: its certificate is asked about again.
    pub const FORGET_SERVER: &str = "ui.forget-server";
    /// No params; result [`super::Passwords`].
    pub const PASSWORDS: &str = "ui.passwords";
    /// No params; result [`super::Passwords`]. The desktop asks the user to unlock the key ring, and the key moves into it. Ends with
    /// `internal` and the reason if it could not be used after all.
    pub const UNLOCK_KEYS: &str = "ui.unlock-keys";
    /// Params [`super::ForgetPassword`]. Transfers under way go on; the next attempt to log in asks.
    pub const FORGET_PASSWORD: &str = "ui.forget-password";
}

/// Topics of events.
pub mod topics {
    /// [`super::SettingsView`]: after hello to an extension, and whenever a setting changes, by whomever.
    pub const SETTINGS: &str = "settings";
}

/// All settings as they hold now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsView {
    /// Sections with their values, `{"queue": {"active": 3, …}, …}`; every setting is there.
    pub values: Value,
    /// The same without the user's own file: what a setting falls back to.
    pub defaults: Value,
    /// Settings that the administrator fixed, such as `queue.active`.
    pub locked: Vec<String>,
    /// Where the user's file is.
    pub file: String,
    /// What in the files could not be used, and why.
    pub problems: Vec<String>,
    /// The same as notices, for windows in other languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Notice>,
}

/// Params of `ui.change-settings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeSettings {
    /// New values by name (`section.key`); `null` takes the default again.
    pub changes: BTreeMap<String, Value>,
}

/// Params of `ui.browser-policy`: what the browser's own policies say about the extension (`storage.managed`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserPolicy {
    /// Random name of the browser profile; it outlives the browser's sessions. 1 to 64 letters, digits and hyphens.
    pub profile: String,
    /// Everything that holds in this profile now, by name (`lock.queue.active`); it takes the place of all that this profile
    /// said before. Empty: nothing holds any more.
    pub values: Map<String, Value>,
}

/// Params of `ui.set-trust`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTrust {
    /// As a person types it: `example.com`, `https://*.example.com:8443`.
    pub pattern: String,
    /// The list it goes to; it leaves the others.
    pub list: TrustList,
    /// As in [`crate::ui::ForgetTrust`].
    #[serde(default = "yes")]
    pub stop: bool,
}

/// A list of sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustList {
    /// May always.
    Trusted,
    /// May never.
    Restricted,
    /// Is asked about at every transfer.
    Ask,
}

/// Result of `ui.set-trust`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustSet {
    /// The pattern in its one form, as it is listed.
    pub pattern: String,
}

fn yes() -> bool {
    true
}

/// Result of `ui.known-servers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownServers {
    /// By name.
    pub servers: Vec<KnownServer>,
}

/// A server whose certificate the user confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownServer {
    /// `host:port`.
    pub server: String,
    /// `SHA256:…` of the certificate.
    pub fingerprint: String,
}

/// Params of `ui.forget-server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetServer {
    /// As listed.
    pub server: String,
}

/// Result of `ui.passwords`: everything but the secrets themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passwords {
    /// By server, then user.
    pub passwords: Vec<SavedPassword>,
    /// Who keeps the key that they are sealed with.
    #[serde(default)]
    pub key: KeyPlace,
    /// Why the key ring does not keep it although the user wants that; [`kinds::UNLOCK_KEYS`] may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<String>,
}

/// A password that the user saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPassword {
    /// Names it in [`ForgetPassword`].
    pub id: String,
    /// `host:port`.
    pub server: String,
    /// The login.
    pub user: String,
    /// Milliseconds since the Unix epoch when it was saved or last changed.
    pub saved_at: u64,
}

/// Where the key of stored secrets is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPlace {
    /// In a file that only this user may read: whoever reads the user's files can open the passwords.
    #[default]
    File,
    /// In the desktop's key ring (Secret Service).
    Desktop,
}

/// Params of `ui.forget-password`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetPassword {
    /// As listed.
    pub id: String,
}
