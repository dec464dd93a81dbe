//! What a predecessor's file says, as a flat list: hostile input, read within limits.
//!
//! XML without document types (so without entities of its own), JSON as it is. A file that breaks a limit is refused as a whole:
//! half of somebody's settings is not what they chose.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Largest file. The vendor's own are a few KiB.
pub(super) const MAX_FILE: u64 = 1 << 20;
/// Elements or objects inside one another.
const MAX_DEPTH: usize = 16;
/// Values in a file.
const MAX_ENTRIES: usize = 4_096;
/// Bytes of one value, and of one name.
const MAX_TEXT: usize = 4_096;

/// One value, under its place: the names from the root down, with `/` between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `conf/general/concurrent_transfers`
    pub(super) place: String,
    /// Trimmed; never empty.
    pub(super) value: String,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no ordinary file")]
    Odd,
    #[error("it is larger than {} KiB", MAX_FILE / 1024)]
    Large,
    #[error("it is not UTF-8")]
    Encoding,
    #[error("it is neither XML nor JSON")]
    Neither,
    #[error("it is no well-formed XML: {0}")]
    Xml(String),
    #[error("it is no JSON: {0}")]
    Json(String),
    #[error("it has a document type; those are not read")]
    DocumentType,
    #[error("its values are nested more than {MAX_DEPTH} deep")]
    Deep,
    #[error("it has more than {MAX_ENTRIES} values")]
    Many,
    #[error("a value or name in it is longer than {MAX_TEXT} bytes")]
    Long,
}

/// Reads a file that is there: a file, not a device or a pipe that never ends.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Unusable> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits();
    let file = File::options().read(true).custom_flags(nonblock.cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Unusable::Odd);
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Unusable::Large);
    }
    parse(&bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, Unusable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unusable::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    match text.as_bytes().first() {
        Some(b'<') => xml(text),
        Some(b'{') => json(text),
        _ => Err(Unusable::Neither),
    }
}

/// The list while it grows, and where in the file we are.
#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    place: Vec<String>,
}

impl Found {
    fn enter(&mut self, name: &str) -> Result<(), Unusable> {
        if self.place.len() >= MAX_DEPTH {
            return Err(Unusable::Deep);
        }
        bounded(name)?;
        self.place.push(name.to_owned());
        Ok(())
    }

    fn add(&mut self, value: &str) -> Result<(), Unusable> {
        let value = value.trim();
        // An empty element stands for the default.
        if value.is_empty() {
            return Ok(());
        }
        bounded(value)?;
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Unusable::Many);
        }
        self.entries.push(Entry { place: self.place.join("/"), value: value.to_owned() });
        Ok(())
    }
}

fn bounded(text: &str) -> Result<(), Unusable> {
    if text.len() > MAX_TEXT { Err(Unusable::Long) } else { Ok(()) }
}

fn xml(text: &str) -> Result<Vec<Entry>, Unusable> {
    let wrong = |error: &dyn std::fmt::Display| Unusable::Xml(error.to_string());
    let mut reader = Reader::from_str(text);
    // Also looks into comments: what does not end well is refused.
    reader.config_mut().check_comments = true;
    let (mut found, mut value, mut roots) = (Found::default(), String::new(), 0);
    loop {
        let event = reader.read_event().map_err(|e| wrong(&e))?;
        match event {
            Event::Start(start) => {
                roots += usize::from(found.place.is_empty());
                found.enter(start.name().as_ref())?;
                value.clear();
            }
            Event::End(_) => {
                found.add(&value)?;
                value.clear();
                found.place.pop();
            }
            Event::Empty(_) => roots += usize::from(found.place.is_empty()),
            Event::Text(text) => push(&mut value, &text.xml10_content())?,
            Event::CData(text) => push(&mut value, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character =
                    predefined(&reference).ok_or_else(|| wrong(&"it uses an entity that XML does not have"))?;
                push(&mut value, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(Unusable::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if !found.place.is_empty() || roots != 1 => return Err(wrong(&"it is not one whole element")),
            Event::Eof => return Ok(found.entries),
        }
    }
}

fn push(value: &mut String, more: &str) -> Result<(), Unusable> {
    value.push_str(more);
    // Spaces around elements count too: a file of spaces is no setting.
    if value.trim().len() > MAX_TEXT { Err(Unusable::Long) } else { Ok(()) }
}

/// The five, and characters by their number.
fn predefined(reference: &BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character);
    }
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn json(text: &str) -> Result<Vec<Entry>, Unusable> {
    let value: Value = serde_json::from_str(text).map_err(|e| Unusable::Json(e.to_string()))?;
    let mut found = Found::default();
    flatten(&value, &mut found)?;
    Ok(found.entries)
}

/// Things in a list stand at the list's place, as repeated elements do in XML.
fn flatten(value: &Value, found: &mut Found) -> Result<(), Unusable> {
    match value {
        Value::Null => Ok(()),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            found.enter(name)?;
            flatten(value, found)?;
            found.place.pop();
            Ok(())
        }),
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, found)),
        Value::String(text) => found.add(text),
        other => found.add(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn entries(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap().into_iter().map(|entry| (entry.place, entry.value)).collect()
    }

    fn pair(place: &str, value: &str) -> (String, String) {
        (place.to_owned(), value.to_owned())
    }

    #[test]
    fn elements_become_values_under_their_place_and_empty_ones_nothing() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<conf version=\"1\"><!-- x --><general>\n <a>5</a><b/><c> </c></general>\
                    <d>R&amp;D &#65;<![CDATA[<x>]]></d></conf>\n";
        assert_eq!(entries(text), [pair("conf/general/a", "5"), pair("conf/d", "R&D A<x>")]);
        let json = r#" {"conf": {"list": [{"a": 5}, {"a": "x"}], "on": true, "none": null, "empty": ""}}"#;
        assert_eq!(entries(json), [pair("conf/list/a", "5"), pair("conf/list/a", "x"), pair("conf/on", "true")]);
    }

    #[test]
    fn what_is_not_whole_or_breaks_a_limit_is_refused() {
        let deep = |n: usize| format!("{}5{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
        let lists = "[".repeat(100_000);
        for (text, reason) in [
            (deep(MAX_DEPTH + 1), "nested"),
            (deep(100_000), "nested"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".into(), "document type"),
            ("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>".into(), "document type"),
            ("<a>&b;</a>".into(), "entity"),
            ("<a>&#xD800;</a>".into(), "entity"),
            ("<a><b></a></b>".into(), "well-formed"),
            ("<a>".into(), "whole"),
            ("<a/><b/>".into(), "whole"),
            (format!("<a>{}</a>", "x".repeat(MAX_TEXT + 1)), "longer"),
            (format!("<{}/>", "a".repeat(3)), ""),
            (format!("<a>{}</a>", "<b>1</b>".repeat(MAX_ENTRIES + 1)), "values"),
            (format!("{{\"a\": {lists}"), "JSON"),
            (format!("{{\"{}\": 1}}", "k".repeat(MAX_TEXT + 1)), "longer"),
            ("[general]\na = 1\n".into(), "neither"),
            (String::new(), "neither"),
        ] {
            match parse(text.as_bytes()) {
                Ok(entries) => assert!(reason.is_empty() && entries.is_empty(), "{entries:?}"),
                Err(error) => assert!(!reason.is_empty() && error.to_string().contains(reason), "{reason}: {error}"),
            }
        }
        assert!(matches!(parse(b"<a>\xff</a>"), Err(Unusable::Encoding)));
    }

    #[test]
    fn only_a_file_that_is_one_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), Err(Unusable::Odd)));
        assert!(matches!(read(Path::new("/dev/zero")), Err(Unusable::Odd)));
        assert!(matches!(read(&dir.path().join("none")), Err(Unusable::Io(_))));
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        assert!(matches!(read(&pipe), Err(Unusable::Odd)), "it does not wait for a writer either");
        let large = dir.path().join("large");
        std::fs::write(&large, vec![b' '; MAX_FILE as usize + 1]).unwrap();
        assert!(matches!(read(&large), Err(Unusable::Large)));
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_the_result_is_bounded(text in "[<>/&;a#x0-9!\\[\\]\"'{}:, -]{0,200}") {
            if let Ok(entries) = parse(text.as_bytes()) {
                prop_assert!(entries.len() <= MAX_ENTRIES);
                prop_assert!(entries.iter().all(|e| !e.value.is_empty() && e.value.len() <= MAX_TEXT));
            }
        }
    }
}
