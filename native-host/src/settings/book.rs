//! The settings as they hold now, and the way to change them.

use super::SCHEMA;
use super::browser::{self, BrowserPolicies};
use super::file::SettingsFile;
use super::layers::{Layer, Stack, layer, unknown};
use super::policy::{Policy, TrustPolicy};
use super::sections::Settings;
use godwit_protocol::prefs::{ChangeSettings, SettingsView};
use godwit_protocol::ui::Notice;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io;
use toml_edit::DocumentMut;

/// Why a change was refused. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The value does not fit.
    #[error("{}", .0.text)]
    Value(Notice),
    /// The administrator fixed it.
    #[error("{0} is fixed by this machine's administrator")]
    Locked(String),
    /// The file has a mistake, or is of a newer build; writing it would lose what the user wrote.
    #[error("the settings file {0} is not changed: {1}")]
    File(String, Unwritable),
    /// It could not be written.
    #[error("the settings file {0} could not be written: {1}")]
    Write(String, io::Error),
}

impl ChangeError {
    /// For windows in other languages.
    #[must_use]
    pub fn note(&self) -> Notice {
        let text = self.to_string();
        match self {
            Self::Value(note) => note.clone(),
            Self::Locked(name) => Notice::new("setting-locked", [String::new(), name.clone()], text),
            Self::File(file, Unwritable::Newer) => Notice::new("settings-newer", [file.clone()], text),
            Self::File(file, Unwritable::Mistake(why)) => {
                Notice::new("settings-unchanged", [file.clone(), why.clone()], text)
            }
            Self::Write(file, error) => Notice::new("settings-unwritten", [file.clone(), error.to_string()], text),
        }
    }
}

/// Why the file must not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Its schema is unknown here.
    #[error("it was written by a newer version of Godwit")]
    Newer,
    /// In the parser's words.
    #[error("{0}")]
    Mistake(String),
}

/// The settings with their layers.
pub struct SettingsBook {
    file: Box<dyn SettingsFile>,
    policy: Policy,
    /// Of browsers, the first goes before the others.
    browsers: Vec<Policy>,
    /// What all of them say about sites.
    trust: TrustPolicy,
    /// What none but administrators may change.
    locked: BTreeSet<String>,
    /// What the file held when it was read or written last.
    text: String,
    /// What it held when it could be understood last.
    own: Layer,
    /// Why the file must not be written.
    unwritable: Option<Unwritable>,
    base: Stack,
    now: Stack,
    /// Of the policies alone, and of everything.
    base_problems: Vec<Notice>,
    problems: Vec<Notice>,
}

impl std::fmt::Debug for SettingsBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingsBook").field("now", &self.now.settings).finish_non_exhaustive()
    }
}

impl SettingsBook {
    /// Reads the file.
    #[must_use]
    pub fn open(file: impl SettingsFile + 'static, policy: Policy) -> Self {
        let mut book = Self {
            file: Box::new(file),
            policy,
            browsers: Vec::new(),
            trust: TrustPolicy::default(),
            locked: BTreeSet::new(),
            text: String::new(),
            own: Layer::new(),
            unwritable: None,
            base: Stack::default(),
            now: Stack::default(),
            base_problems: Vec::new(),
            problems: Vec::new(),
        };
        book.take_policies();
        book.take_text();
        book
    }

    /// What the browsers' administrators say now, in place of what they said before; true if anything is different.
    pub fn obey(&mut self, policies: &BrowserPolicies) -> bool {
        let browsers = policies.read();
        if browsers == self.browsers {
            return false;
        }
        self.browsers = browsers;
        self.take_policies();
        self.take_text();
        true
    }

    fn take_policies(&mut self) {
        let names = |layer: &Layer| layer.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<String>>();
        let without = |layer: &Layer, taken: &BTreeSet<String>| -> Layer {
            layer.iter().filter(|(name, _)| !taken.contains(name)).cloned().collect()
        };
        let Policy { set, lock, name, .. } = &self.policy;
        let mut problems = self.policy.problems.clone();
        let mut base = Stack::default();
        // The machine's own first, and each name once: a value of a browser must not keep one of the machine's from fitting.
        base.lay(set, name, &mut problems);
        base.lay(lock, name, &mut problems);
        let machine: BTreeSet<String> = names(set).into_iter().chain(names(lock)).collect();
        let mut taken = machine.clone();
        for browser in &self.browsers {
            problems.extend(browser.problems.iter().cloned());
            taken.extend(base.lay(&without(&browser.set, &taken), &browser.name, &mut problems));
        }
        let (mut taken, mut locked) = (machine, names(lock));
        for browser in &self.browsers {
            let laid = base.lay(&without(&browser.lock, &taken), &browser.name, &mut problems);
            taken.extend(laid.iter().cloned());
            locked.extend(laid);
        }
        // Profiles of one browser mostly have the same policies.
        let mut told = BTreeSet::new();
        problems.retain(|problem| told.insert(problem.text.clone()));
        locked.retain(|name| base.knows(name));
        self.trust = browser::sites(&self.policy.trust, &self.browsers);
        (self.base, self.locked, self.base_problems) = (base, locked, problems);
    }

    /// What holds.
    #[must_use]
    pub fn now(&self) -> &Settings {
        &self.now.settings
    }

    /// The administrator's word about sites.
    #[must_use]
    pub fn trust_policy(&self) -> &TrustPolicy {
        &self.trust
    }

    /// What in the files could not be used.
    #[must_use]
    pub fn problems(&self) -> &[Notice] {
        &self.problems
    }

    /// Reads the file again, which somebody may have changed; true if anything is different.
    pub fn reload(&mut self) -> bool {
        if self.file.read().is_ok_and(|text| text == self.text) {
            return false;
        }
        let before = (self.now.clone(), self.problems.clone());
        self.take_text();
        before != (self.now.clone(), self.problems.clone())
    }

    fn take_text(&mut self) {
        let name = self.file.name();
        let read = self.file.read();
        let mut problems = self.base_problems.clone();
        let parsed = match &read {
            Ok(text) => parse(text),
            Err(error) => Err(error.to_string()),
        };
        self.text = read.unwrap_or_default();
        match parsed {
            Ok((own, newer)) => {
                self.unwritable = newer.then_some(Unwritable::Newer);
                self.own = own;
                self.now = self.stacked(&mut problems);
                if newer {
                    let text = format!("{name} was written by a newer version of Godwit; it is only read");
                    problems.push(Notice::new("settings-newer", [name], text));
                }
            }
            // What held goes on: a slip while editing must not throw every limit away.
            Err(why) => {
                let text = format!("{name} has a mistake and is not used: {why}");
                problems.push(Notice::new("settings-mistake", [name, why.clone()], text));
                self.unwritable = Some(Unwritable::Mistake(why));
                self.now = self.stacked(&mut Vec::new());
            }
        }
        for problem in &problems {
            tracing::warn!("{}", problem.text);
        }
        self.problems = problems;
    }

    fn stacked(&self, problems: &mut Vec<Notice>) -> Stack {
        let mut stack = self.base.clone();
        let own: Layer = self.own.iter().filter(|(name, _)| !self.is_locked(name)).cloned().collect();
        stack.lay(&own, &self.file.name(), problems);
        stack
    }

    fn is_locked(&self, name: &str) -> bool {
        self.locked.contains(name)
    }

    /// Changes some values and writes the file; all or none.
    pub fn change(&mut self, wish: &ChangeSettings) -> Result<(), ChangeError> {
        // Somebody may have edited it a moment ago.
        self.reload();
        if let Some(why) = &self.unwritable {
            return Err(ChangeError::File(self.file.name(), why.clone()));
        }
        let mistake = |why| ChangeError::File(self.file.name(), Unwritable::Mistake(why));
        let mut document: DocumentMut = self.text.parse().map_err(|e: toml_edit::TomlError| mistake(e.to_string()))?;
        let mut stack = self.now.clone();
        for (name, value) in &wish.changes {
            if !self.base.knows(name) {
                return Err(ChangeError::Value(unknown().about("", name)));
            }
            if self.is_locked(name) {
                return Err(ChangeError::Locked(name.clone()));
            }
            write(&mut document, name, value).map_err(mistake)?;
        }
        // In any order: two that only fit together may both be new.
        let mut left: Vec<_> = wish.changes.iter().collect();
        for _ in 0..2 {
            left.retain(|(name, value)| stack.put(name, &self.or_default(name, value)).is_err());
        }
        for (name, value) in left {
            let put = stack.put(name, &self.or_default(name, value));
            put.map_err(|why| ChangeError::Value(why.about("", name)))?;
        }
        document["schema"] = toml_edit::value(SCHEMA);
        let text = document.to_string();
        self.file.write(&text).map_err(|error| ChangeError::Write(self.file.name(), error))?;
        self.take_text();
        Ok(())
    }

    fn or_default(&self, name: &str, value: &Value) -> Value {
        if !value.is_null() {
            return value.clone();
        }
        let (section, key) = name.split_once('.').unwrap_or_default();
        self.base.values[section][key].clone()
    }

    /// For windows.
    #[must_use]
    pub fn view(&self) -> SettingsView {
        SettingsView {
            values: self.now.values.clone(),
            defaults: self.base.values.clone(),
            locked: self.locked.iter().cloned().collect(),
            file: self.file.name(),
            problems: self.problems.iter().map(|problem| problem.text.clone()).collect(),
            notes: self.problems.clone(),
        }
    }
}

/// The values of a settings file, and whether a newer build wrote it.
fn parse(text: &str) -> Result<(Layer, bool), String> {
    let table: Map<String, Value> = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    let newer = table.get("schema").is_some_and(|schema| schema.as_i64().is_none_or(|n| n > SCHEMA));
    Ok((layer(&table), newer))
}

/// Writes `section.key` into the document, keeping everything around it.
fn write(document: &mut DocumentMut, name: &str, value: &Value) -> Result<(), String> {
    let (section, key) = name.split_once('.').unwrap_or_default();
    let item = match value {
        Value::Null => {
            if let Some(table) = document.get_mut(section).and_then(|s| s.as_table_like_mut()) {
                table.remove(key);
            }
            return Ok(());
        }
        Value::Bool(on) => toml_edit::value(*on),
        Value::Number(n) if n.is_i64() || n.is_u64() => toml_edit::value(n.as_i64().unwrap_or(i64::MAX)),
        Value::Number(n) => toml_edit::value(n.as_f64().unwrap_or_default()),
        Value::String(text) => toml_edit::value(text.as_str()),
        // No setting is a list or an object: refused when it is tried.
        Value::Array(_) | Value::Object(_) => return Ok(()),
    };
    let table = document.entry(section).or_insert_with(toml_edit::table);
    match table.get_mut(key) {
        // The comment behind the old value stays.
        Some(toml_edit::Item::Value(old)) => {
            let decor = old.decor().clone();
            if let toml_edit::Item::Value(mut new) = item {
                *new.decor_mut() = decor;
                *old = new;
            }
        }
        _ => {
            let table = table.as_table_like_mut().ok_or_else(|| format!("'{section}' in it is no section"))?;
            table.insert(key, item);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::MemoryFile;
    use godwit_protocol::RateKbps;
    use serde_json::json;
    use std::path::Path;

    fn book(text: &str, policy: &str) -> (SettingsBook, MemoryFile) {
        let file = MemoryFile::default();
        file.set(text);
        (SettingsBook::open(file.clone(), Policy::parse(policy, Path::new("policy"))), file)
    }

    fn wish(changes: Value) -> ChangeSettings {
        ChangeSettings { changes: serde_json::from_value(changes).unwrap() }
    }

    #[test]
    fn a_change_keeps_comments_and_names_that_this_build_does_not_know() {
        let text = "# mine\n[queue]\nactive = 5  # enough\nfuture = \"x\"\n\n[proxy]\nurl = \"socks5://h\"\n";
        let (mut book, file) = book(text, "");
        assert_eq!(book.now().queue.active, 5);
        assert_eq!(book.problems().len(), 2, "{:?}", book.problems());
        book.change(&wish(json!({"queue.active": 7, "downloads.folder": "/d", "bandwidth.slow_mode": true}))).unwrap();
        let written = file.read().unwrap();
        for kept in ["# mine", "active = 7  # enough", "future = \"x\"", "socks5://h", "schema = 1"] {
            assert!(written.contains(kept), "{kept} is not in:\n{written}");
        }
        let again = SettingsBook::open(file.clone(), Policy::default());
        assert_eq!(again.now(), book.now());
        assert_eq!(again.now().downloads.folder.as_deref(), Some(Path::new("/d")));
        book.change(&wish(json!({"queue.active": null, "downloads.folder": null}))).unwrap();
        assert_eq!((book.now().queue.active, &book.now().downloads.folder), (3, &None));
        assert!(file.read().unwrap().contains("future"));
    }

    #[test]
    fn a_change_with_one_bad_value_changes_nothing_and_says_which() {
        let (mut book, file) = book("", "");
        for (bad, names) in [
            (json!({"queue.active": 0, "log.level": "debug"}), "queue.active"),
            (json!({"queue.active": "x"}), "queue.active"),
            (json!({"queue.active": -1}), "queue.active"),
            (json!({"queue.active": [1]}), "queue.active"),
            (json!({"downloads.folder": "here"}), "downloads.folder"),
            (json!({"log.level": "loud"}), "log.level"),
            (json!({"files.partial_suffix": "../x"}), "files.partial_suffix"),
            (json!({"files.partial_suffix": ".aspera-ckpt"}), "files.partial_suffix"),
            (json!({"files.illegal_replacement": "/"}), "files.illegal_replacement"),
            (json!({"files.illegal_replacement": "__"}), "files.illegal_replacement"),
            (json!({"security.protected_hosts": "good.example https://bad.example"}), "security.protected_hosts"),
            (json!({"security.protected_hosts": "*"}), "security.protected_hosts"),
            (json!({"bandwidth.manual_uploads_kbps": "fast"}), "bandwidth.manual_uploads_kbps"),
            (json!({"nothing.there": 1}), "nothing.there"),
            (json!({"queue": 1}), "queue"),
        ] {
            let error = book.change(&wish(bad)).unwrap_err().to_string();
            assert!(error.starts_with(names), "{error}");
        }
        assert_eq!((book.now(), file.read().unwrap().as_str()), (&Settings::default(), ""));
    }

    #[test]
    fn two_values_that_only_fit_together_can_be_changed_in_one_change() {
        let (mut book, _) = book("", "");
        let swap = json!({"files.partial_suffix": ".aspera-ckpt", "files.checkpoint_suffix": ".journal"});
        book.change(&wish(swap)).unwrap();
        assert_eq!(book.now().files.partial_suffix, ".aspera-ckpt");
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        let (mut book, _) = book("[bandwidth]\nmanual_downloads_kbps = \"20m\"\n", "");
        assert_eq!(book.now().bandwidth.manual_downloads_kbps, RateKbps(20_000));
        assert_eq!(book.view().values["bandwidth"]["manual_downloads_kbps"], json!(20_000));
        book.change(&wish(json!({"bandwidth.manual_downloads_kbps": "1.5g"}))).unwrap();
        assert_eq!(book.now().bandwidth.manual_downloads_kbps, RateKbps(1_500_000));
    }

    #[test]
    fn one_bad_value_in_the_file_does_not_take_the_others_along() {
        let (book, _) =
            book("[queue]\nactive = 0\nactive_uploads = 1\n[retry]\nattempts = \"x\"\n[log]\nlevel = \"debug\"\n", "");
        assert_eq!((book.now().queue.active, book.now().queue.active_uploads), (3, 1));
        assert_eq!((book.now().retry.attempts, book.now().log.level.as_str()), (3, "debug"));
        assert_eq!(book.problems().len(), 2, "{:?}", book.problems());
    }

    #[test]
    fn a_file_that_is_no_toml_is_left_alone_and_what_held_goes_on() {
        let (mut book, file) = book("[queue]\nactive = 9\n", "");
        file.set("[queue\nactive = 4");
        assert!(book.reload());
        assert_eq!(book.now().queue.active, 9);
        assert!(matches!(book.change(&wish(json!({"queue.active": 2}))), Err(ChangeError::File(..))));
        assert_eq!(file.read().unwrap(), "[queue\nactive = 4");
        file.set("[queue]\nactive = 4");
        assert!(book.reload() && !book.reload());
        assert_eq!((book.now().queue.active, book.problems().len()), (4, 0));
    }

    #[test]
    fn a_file_of_a_newer_build_is_read_and_not_written() {
        let (mut book, file) = book("schema = 2\n[queue]\nactive = 9\n", "");
        assert_eq!(book.now().queue.active, 9);
        assert!(matches!(book.change(&wish(json!({"queue.active": 2}))), Err(ChangeError::File(..))));
        assert!(file.read().unwrap().contains("schema = 2"));
    }

    #[test]
    fn the_administrator_sets_and_locks() {
        let policy = "[set.queue]\nactive = 5\n[lock.bandwidth]\nmanual_downloads_kbps = 1000\n[lock.nothing]\nx = 1\n";
        let (mut book, _) = book("[bandwidth]\nmanual_downloads_kbps = 0\nslow_mode = true\n", policy);
        assert_eq!((book.now().queue.active, book.now().bandwidth.manual_downloads_kbps), (5, RateKbps(1_000)));
        assert!(book.now().bandwidth.slow_mode);
        book.change(&wish(json!({"queue.active": 6}))).unwrap();
        assert_eq!(book.now().queue.active, 6);
        book.change(&wish(json!({"queue.active": null}))).unwrap();
        assert_eq!(book.now().queue.active, 5);
        let locked = book.change(&wish(json!({"bandwidth.manual_downloads_kbps": 9}))).unwrap_err();
        assert!(matches!(locked, ChangeError::Locked(_)));
        let view = book.view();
        assert_eq!(
            (view.locked.as_slice(), view.problems.len()),
            (["bandwidth.manual_downloads_kbps".to_owned()].as_slice(), 1)
        );
    }

    #[test]
    fn a_change_that_could_not_be_written_does_not_hold() {
        let (mut book, file) = book("", "");
        file.fail();
        assert!(matches!(book.change(&wish(json!({"queue.active": 2}))), Err(ChangeError::Write(..))));
        assert_eq!(book.now().queue.active, 3);
    }
}
