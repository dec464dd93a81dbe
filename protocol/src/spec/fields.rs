//! Reading single fields of an object that a page wrote: any of several names, numbers and switches also as texts.
//!
//! `null` and, for everything but required fields, the empty text mean "not given": servers fill specs from forms.
//! Errors name the field as the page wrote it and never repeat its value, which may be a secret in the wrong place.

use super::SpecError;
use crate::{RateKbps, Secret};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Longest ordinary text, bytes.
pub(crate) const MAX_TEXT: usize = 4096;
/// Longest secret, bytes: transfer tokens hold a list of paths.
pub(crate) const MAX_SECRET: usize = 64 * 1024;
/// Most entries of a list of patterns.
const MAX_PATTERNS: usize = 1_000;

/// An error for `field`.
pub(crate) fn wrong(field: impl Into<String>, reason: impl Into<String>) -> SpecError {
    SpecError { field: field.into(), reason: reason.into() }
}

/// The fields of one object.
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The first of `names` that is given, and the name it has here.
    pub(crate) fn get<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a Value)> {
        names.iter().find_map(|&name| match self.0.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(value) => Some((name, value)),
        })
    }

    /// A text of at most `max` bytes, without NUL.
    pub(crate) fn text(&self, names: &[&str], max: usize) -> Result<Option<String>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        check_text(name, value, max).map(|text| Some(text.to_owned()))
    }

    /// A text that is shown to people or handed to a server as a name: no control characters.
    pub(crate) fn plain(&self, names: &[&str], max: usize) -> Result<Option<String>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let text = check_text(name, value, max)?;
        if text.chars().any(char::is_control) {
            return Err(wrong(name, "must not contain control characters"));
        }
        Ok(Some(text.to_owned()))
    }

    /// A secret text.
    pub(crate) fn secret(&self, names: &[&str]) -> Result<Option<Secret>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        check_text(name, value, MAX_SECRET).map(|text| Some(Secret::new(text)))
    }

    /// A switch: a bool, `yes`/`no`, `true`/`false`, `on`/`off`, 1/0.
    pub(crate) fn switch(&self, names: &[&str]) -> Result<Option<bool>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let word = match value {
            Value::Bool(flag) => return Ok(Some(*flag)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "yes" | "true" | "on" | "1" => Ok(Some(true)),
            "no" | "false" | "off" | "0" => Ok(Some(false)),
            _ => Err(wrong(name, "must be true or false")),
        }
    }

    /// A switch that is off unless given.
    pub(crate) fn flag(&self, names: &[&str]) -> Result<bool, SpecError> {
        Ok(self.switch(names)?.unwrap_or(false))
    }

    /// A whole number, also as text; fractions of a number are cut off, as the predecessor does.
    pub(crate) fn number(&self, names: &[&str]) -> Result<Option<u64>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let number = match value {
            Value::Number(n) => {
                n.as_u64().or_else(|| n.as_f64().filter(|f| (0.0..=9e15).contains(f)).map(|f| f as u64))
            }
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong(name, "must be a whole number, not negative"))
    }

    /// A port from 1 to 65535; 0 is an error.
    pub(crate) fn port(&self, names: &[&str]) -> Result<Option<u16>, SpecError> {
        let Some(number) = self.number(names)? else { return Ok(None) };
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(wrong(self.name(names), "must be a port from 1 to 65535")),
        }
    }

    /// A port of a way that may be switched off: 0 means "not given".
    pub(crate) fn port_or_none(&self, names: &[&str]) -> Result<Option<u16>, SpecError> {
        if self.number(names)? == Some(0) { Ok(None) } else { self.port(names) }
    }

    /// A rate in kbit/s.
    pub(crate) fn rate(&self, names: &[&str]) -> Result<Option<RateKbps>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|_| wrong(name, "must be a rate in kbit/s"))
    }

    /// A rate of which 0 says "no such limit": a transfer that may not move anything makes no sense.
    pub(crate) fn limit(&self, names: &[&str]) -> Result<Option<RateKbps>, SpecError> {
        Ok(self.rate(names)?.filter(|rate| rate.0 > 0))
    }

    /// One of a few words, in upper or lower case.
    pub(crate) fn word<T: DeserializeOwned>(&self, names: &[&str], allowed: &str) -> Result<Option<T>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let error = || wrong(name, format!("must be one of {allowed}"));
        let text = value.as_str().ok_or_else(error)?.trim().to_ascii_lowercase();
        serde_json::from_value(Value::String(text)).map(Some).map_err(|_| error())
    }

    /// A list of texts; a single text is a list of one.
    pub(crate) fn texts(&self, names: &[&str]) -> Result<Vec<String>, SpecError> {
        let Some((name, value)) = self.get(names) else { return Ok(Vec::new()) };
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        if list.len() > MAX_PATTERNS {
            return Err(wrong(name, format!("must not have more than {MAX_PATTERNS} entries")));
        }
        list.iter().map(|item| check_text(name, item, MAX_TEXT).map(str::to_owned)).collect()
    }

    /// The name under which one of `names` is given, for messages.
    fn name<'n>(&self, names: &[&'n str]) -> &'n str {
        self.get(names).map_or_else(|| names.first().copied().unwrap_or_default(), |(name, _)| name)
    }
}

/// `value` as a text of at most `max` bytes, without NUL.
pub(crate) fn check_text<'v>(name: &str, value: &'v Value, max: usize) -> Result<&'v str, SpecError> {
    let text = value.as_str().ok_or_else(|| wrong(name, "must be a text"))?;
    if text.len() > max {
        return Err(wrong(name, format!("must not be longer than {max} bytes")));
    }
    if text.contains('\0') {
        return Err(wrong(name, "must not contain a NUL character"));
    }
    Ok(text)
}
