//! What the administrators of browsers allow: as far as it can keep the host or the extension away.

use crate::browsers::{Browser, Family};
use crate::manifest::{FIREFOX_ID, HOST_NAME, chromium_id};
use crate::place::under;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What the policy of one browser says about us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The host may not be started, by this file.
    pub host_blocked: Option<PathBuf>,
    /// Manifests in home folders do not count, by this file.
    pub user_hosts_off: Option<PathBuf>,
    /// The extension may not be installed, by this file.
    pub extension_blocked: Option<PathBuf>,
    /// Files that cannot be read as policy; the browser ignores them.
    pub unreadable: Vec<PathBuf>,
}

impl Policy {
    /// Reads the policy of a browser; `prefix` stands before all paths. `packed`: ids that the extension has beside its own, in
    /// Chromium's family.
    #[must_use]
    pub fn of(browser: &Browser, prefix: &Path, packed: &[String]) -> Self {
        let mut policy = Self::default();
        let mut all = Vec::new();
        for file in browser.policies.iter().flat_map(|place| files(&under(prefix, Path::new(place)))) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => all.push((file, value)),
                Err(_) => policy.unreadable.push(file),
            }
        }
        match browser.family {
            Family::Chromium => policy.chromium(&all, packed),
            Family::Firefox => policy.firefox(&all),
        }
        policy
    }

    fn chromium(&mut self, all: &[(PathBuf, Value)], packed: &[String]) {
        let listed = |name: &str, what: &str| {
            all.iter().find(|(_, value)| strings(&value[name]).any(|item| item == what)).map(|(file, _)| file.clone())
        };
        let either = |name: &str, what: &str| listed(name, "*").or_else(|| listed(name, what));
        if listed("NativeMessagingAllowlist", HOST_NAME).is_none() {
            self.host_blocked = either("NativeMessagingBlocklist", HOST_NAME);
        }
        let off = all.iter().find(|(_, value)| value["NativeMessagingUserLevelHosts"] == Value::Bool(false));
        self.user_hosts_off = off.map(|(file, _)| file.clone());
        let blocked = |id: &str| {
            let forced = all.iter().any(|(_, value)| {
                strings(&value["ExtensionInstallForcelist"]).any(|item| item.split(';').next() == Some(id))
            });
            if forced || listed("ExtensionInstallAllowlist", id).is_some() || allowed_by_settings(all, id) {
                return None;
            }
            either("ExtensionInstallBlocklist", id).or_else(|| blocked_by_settings(all, id, &[]))
        };
        // One that may be installed is enough.
        let ids = std::iter::once(chromium_id()).chain(packed.iter().map(String::as_str));
        let files: Option<Vec<PathBuf>> = ids.map(blocked).collect();
        self.extension_blocked = files.and_then(|files| files.into_iter().next());
    }

    fn firefox(&mut self, all: &[(PathBuf, Value)]) {
        self.extension_blocked = blocked_by_settings(all, FIREFOX_ID, &["policies"]);
    }
}

/// `ExtensionSettings` has the same shape in both families: what is said of an extension comes before what is said of all.
fn blocked_by_settings(all: &[(PathBuf, Value)], id: &str, below: &[&str]) -> Option<PathBuf> {
    all.iter().find_map(|(file, value)| {
        let settings = &below.iter().fold(value, |value, name| &value[*name])["ExtensionSettings"];
        let mode = |id: &str| settings[id]["installation_mode"].as_str();
        (mode(id).or_else(|| mode("*")) == Some("blocked")).then(|| file.clone())
    })
}

/// It says something of this extension, and not that it is blocked.
fn allowed_by_settings(all: &[(PathBuf, Value)], id: &str) -> bool {
    all.iter().any(|(_, value)| {
        let mode = value["ExtensionSettings"][id]["installation_mode"].as_str();
        mode.is_some_and(|mode| mode != "blocked" && mode != "removed")
    })
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The file itself, or the JSON files in a folder, in order.
fn files(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place) else { return vec![place.to_owned()] };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}
