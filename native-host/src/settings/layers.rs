//! One layer of settings over another, value by value.

use super::reason::Reason;
use super::sections::Settings;
use godwit_protocol::ui::Notice;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Values by `section.key`.
pub(super) type Layer = Vec<(String, Value)>;

/// Settings with the values they were made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stack {
    pub(super) settings: Settings,
    /// The same as JSON: every known name is in it.
    pub(super) values: Value,
}

impl Default for Stack {
    fn default() -> Self {
        let settings = Settings::default();
        let values = serde_json::to_value(&settings).unwrap_or_default();
        Self { settings, values }
    }
}

impl Stack {
    /// True if there is such a setting.
    pub(super) fn knows(&self, name: &str) -> bool {
        let known = name.split_once('.').and_then(|(section, key)| self.values.get(section)?.get(key));
        known.is_some()
    }

    /// Puts one value; if it cannot be used, nothing changes and the reason comes back.
    pub(super) fn put(&mut self, name: &str, value: &Value) -> Result<(), Reason> {
        if !self.knows(name) {
            return Err(unknown());
        }
        let (section, key) = name.split_once('.').unwrap_or_default();
        let mut values = self.values.clone();
        if let Some(place) = values.get_mut(section).and_then(|s| s.get_mut(key)) {
            *place = value.clone();
        }
        let settings: Settings = serde_json::from_value(values).map_err(|_| wrong_kind(&self.values[section][key]))?;
        settings.check()?;
        // Written again from what was understood, so that windows see one form ("20m" is 20000).
        self.values = serde_json::to_value(&settings).unwrap_or_default();
        self.settings = settings;
        Ok(())
    }

    /// Puts a layer; what cannot be used is named in `problems`. Values that only fit together are tried once more after the
    /// others. Returns the names of those that hold.
    pub(super) fn lay(&mut self, layer: &Layer, place: &str, problems: &mut Vec<Notice>) -> BTreeSet<String> {
        let mut laid: BTreeSet<String> = BTreeSet::new();
        let mut again = Vec::new();
        for (name, value) in layer {
            match self.put(name, value) {
                Ok(()) => _ = laid.insert(name.clone()),
                Err(_) => again.push((name, value)),
            }
        }
        for (name, value) in again {
            match self.put(name, value) {
                Ok(()) => _ = laid.insert(name.clone()),
                Err(why) => problems.push(why.about(place, name)),
            }
        }
        laid
    }
}

/// The values of a TOML text, `schema` left out.
pub(super) fn layer(table: &Map<String, Value>) -> Layer {
    let mut layer = Vec::new();
    for (section, keys) in table {
        match keys {
            Value::Object(keys) => {
                layer.extend(keys.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone())));
            }
            _ if section == "schema" => {}
            value => layer.push((section.clone(), value.clone())),
        }
    }
    layer
}

/// Why a name is none.
pub(super) fn unknown() -> Reason {
    Reason::new("unknown", "there is no such setting")
}

fn wrong_kind(present: &Value) -> Reason {
    match present {
        Value::Bool(_) => Reason::new("boolean", "it must be true or false"),
        Value::Number(_) => Reason::new("number", "it must be a number that is not negative"),
        _ => Reason::new("form", "it has the wrong form"),
    }
}
