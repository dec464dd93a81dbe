//! Every setting with its meaning, default and limits.

use super::reason::Reason;
use godwit_protocol::RateKbps;
use godwit_protocol::path::is_replacement;
use godwit_protocol::wire::MAX_CONNECTIONS;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `[transfers]`
    pub transfers: Transfers,
    /// `[downloads]`
    pub downloads: Downloads,
    /// `[queue]`
    pub queue: Queue,
    /// `[retry]`
    pub retry: Retry,
    /// `[bandwidth]`
    pub bandwidth: Bandwidth,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[files]`
    pub files: Files,
    /// `[notifications]`
    pub notifications: Notifications,
    /// `[security]`
    pub security: Security,
    /// `[dialogs]`
    pub dialogs: Dialogs,
    /// `[log]`
    pub log: Log,
}

/// `[transfers]`: the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfers {
    /// When transfers that have completed leave the list: `manually` (default) or `automatically`.
    pub remove_finished: RemoveFinished,
}

/// See [`Transfers::remove_finished`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoveFinished {
    /// By hand.
    #[default]
    Manually,
    /// As soon as they have completed.
    Automatically,
}

/// `[downloads]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Downloads {
    /// Absolute path; absent = the desktop's download folder.
    pub folder: Option<PathBuf>,
    /// Ask for the folder at each download that a page starts. Default false.
    pub always_ask: bool,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// False: everything starts at once, up to 100. Default true.
    pub enabled: bool,
    /// Transfers at once, 1 to 100. Default 3.
    pub active: usize,
    /// Downloads at once, up to 100; 0 (default) = only `active` counts.
    pub active_downloads: usize,
    /// Uploads at once, up to 100; 0 (default) = only `active` counts.
    pub active_uploads: usize,
}

/// `[retry]`: after errors that may pass by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// Default true.
    pub enabled: bool,
    /// Attempts in a row without progress before a transfer has failed, 1 to 1000. Default 3.
    pub attempts: u32,
    /// Pause before each, 1 to 86400. Default 30.
    pub interval_seconds: u64,
}

/// `[bandwidth]`: limits over all transfers of a kind together, in kbit/s or as a text such as `"20m"`; 0 (default) = none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bandwidth {
    /// Downloads started by a page or a person.
    pub manual_downloads_kbps: RateKbps,
    /// Uploads started by a page or a person.
    pub manual_uploads_kbps: RateKbps,
    /// Downloads that run by themselves (packages, synchronisation).
    pub background_downloads_kbps: RateKbps,
    /// Uploads that run by themselves.
    pub background_uploads_kbps: RateKbps,
    /// True: for now every transfer counts as one that runs by itself. Default false.
    pub slow_mode: bool,
}

/// `[sessions]`: several connections for one transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sessions {
    /// Default false.
    pub enabled: bool,
    /// How many, 2 to 16. Default 3.
    pub count: u32,
    /// Only for transfers whose target rate is above this. Default 700,000 kbit/s.
    pub above_kbps: RateKbps,
}

/// `[files]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Files {
    /// Suffix of a file on its way: a dot and up to 31 letters, digits, dots, hyphens, underscores. Default `.partial`.
    pub partial_suffix: String,
    /// Suffix of the journal beside it, of the same form. Default `.aspera-ckpt`.
    pub checkpoint_suffix: String,
    /// Wait for the disk before a file gets its final name; without it a power cut may leave empty files. Default true.
    pub fsync: bool,
    /// Stands for characters that a name may not hold on its way (control characters, backslashes); empty: such files fail.
    /// Default `_`.
    pub illegal_replacement: String,
}

/// `[notifications]` of the extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    /// A transfer has completed. Default true.
    pub finished: bool,
    /// A transfer has failed. Default true.
    pub failed: bool,
    /// Something waits for an answer. Default true.
    pub action_needed: bool,
}

/// `[security]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// "Allow once" covers one transfer only, instead of the browser session. Default false.
    pub ask_always: bool,
    /// Passwords may be saved, if the user wants it when asked for one. Default true.
    pub save_passwords: bool,
    /// Where the key for stored passwords is kept: `desktop` (the key ring; a file while there is none), `file`, or `auto`
    /// (default): `desktop`, but `file` with `GODWIT_HOME`, which keeps everything in one folder. Holds from the next start on.
    pub key_store: KeyStoreChoice,
    /// The page API is also served at `http://127.0.0.1:33003` (or the next free port up to 33022), for pages without the
    /// extension and for programs of this machine. Default false.
    pub local_http: bool,
    /// Uploads to these servers are encrypted: a passphrase is asked for. Names or addresses with spaces between them;
    /// `*.example.com` is every name below `example.com`. Default none.
    pub protected_hosts: String,
}

/// See [`Security::key_store`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStoreChoice {
    /// By the circumstances.
    #[default]
    Auto,
    /// The key ring.
    Desktop,
    /// A file.
    File,
}

/// `[dialogs]`: who asks for files and folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialogs {
    /// `auto` (default), `native` or `built-in`.
    pub kind: DialogKind,
    /// What is dropped on a page and is no file of this machine may be copied out of the browser up to this size, MiB, 0 (never)
    /// to 1024. Default 64.
    pub copy_limit_mib: u64,
}

/// See [`Dialogs::kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialogKind {
    /// The desktop's dialog where there is a desktop session, else our own window.
    #[default]
    Auto,
    /// The desktop's dialog and no other: without one, the page's call fails.
    Native,
    /// Our own window, always.
    BuiltIn,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `error`, `warn`, `info` (default), `debug` or `trace`.
    pub level: String,
}

impl Default for Queue {
    fn default() -> Self {
        Self { enabled: true, active: 3, active_downloads: 0, active_uploads: 0 }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { enabled: true, attempts: 3, interval_seconds: 30 }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { enabled: false, count: 3, above_kbps: RateKbps(700_000) }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self {
            partial_suffix: ".partial".into(),
            checkpoint_suffix: ".aspera-ckpt".into(),
            fsync: true,
            illegal_replacement: "_".into(),
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self { finished: true, failed: true, action_needed: true }
    }
}

impl Default for Security {
    fn default() -> Self {
        Self {
            ask_always: false,
            save_passwords: true,
            key_store: KeyStoreChoice::default(),
            local_http: false,
            protected_hosts: String::new(),
        }
    }
}

impl Default for Dialogs {
    fn default() -> Self {
        Self { kind: DialogKind::default(), copy_limit_mib: 64 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

impl Settings {
    /// What is wrong with them, for the user.
    pub(super) fn check(&self) -> Result<(), Reason> {
        let range = |value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(Reason::range(value, least, most)) }
        };
        range(self.queue.active as u64, 1, 100)?;
        range(self.queue.active_downloads as u64, 0, 100)?;
        range(self.queue.active_uploads as u64, 0, 100)?;
        range(self.retry.attempts.into(), 1, 1_000)?;
        range(self.retry.interval_seconds, 1, 86_400)?;
        range(self.sessions.count.into(), 2, u64::from(MAX_CONNECTIONS))?;
        range(self.dialogs.copy_limit_mib, 0, 1_024)?;
        let refuse = |word, text| Err(Reason::new(word, text));
        if self.downloads.folder.as_ref().is_some_and(|f| !f.is_absolute()) {
            return refuse("folder", "the folder must be an absolute path");
        }
        for suffix in [&self.files.partial_suffix, &self.files.checkpoint_suffix] {
            if !is_suffix(suffix) {
                let words = "a suffix is a dot and 1 to 31 letters, digits, dots, hyphens or underscores";
                return refuse("suffix", words);
            }
        }
        if self.files.partial_suffix == self.files.checkpoint_suffix {
            return refuse("suffix", "the two suffixes must differ");
        }
        if !self.files.illegal_replacement.is_empty() && self.files.replacement().is_none() {
            let words = "the replacement is one character other than a slash, a backslash, a dot or a space";
            return refuse("replacement", words);
        }
        if let Some(wrong) = self.security.protected_hosts().find(|host| !is_host(host)) {
            return refuse("hosts", &format!("{wrong} is no name or address of a server, and no *.example.com"));
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()) {
            return refuse("level", "the level must be error, warn, info, debug or trace");
        }
        Ok(())
    }
}

impl Files {
    /// The character of [`Self::illegal_replacement`].
    #[must_use]
    pub fn replacement(&self) -> Option<char> {
        let mut characters = self.illegal_replacement.chars();
        characters.next().filter(|c| characters.next().is_none() && is_replacement(*c))
    }
}

impl Security {
    /// The servers of [`Self::protected_hosts`].
    pub fn protected_hosts(&self) -> impl Iterator<Item = &str> {
        self.protected_hosts.split([' ', ',', ';', '\t', '\n']).filter(|host| !host.is_empty())
    }
}

/// A name, an address, or `*.` before a name.
fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        let fits = label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        fits && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_name = name.len() <= 253 && name.trim_end_matches('.').split('.').all(label);
    is_name || (!text.starts_with('*') && text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_suffix(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let rest = text.strip_prefix('.').unwrap_or_default();
    (1..=31).contains(&rest.len()) && rest.bytes().all(allowed) && !rest.ends_with('.')
}
