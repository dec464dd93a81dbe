//! The one way in for JSON from outside: valid UTF-8, bounded depth, no duplicate keys, then into a type.
//!
//! Two passes: the first looks only at the form and keeps nothing but the keys of open objects; the second builds the
//! value. Duplicate keys are refused because two readers may disagree on which one counts: what one part checked,
//! another would not use. Depth is bounded below serde_json's own limit, and before anything is built.

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// Why a JSON text was refused. The words never repeat a value of the message: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8.
    #[error("the message is not valid UTF-8")]
    Utf8,
    /// Arrays and objects within one another more than [`MAX_DEPTH`] deep.
    #[error("the message is nested more than {MAX_DEPTH} levels deep")]
    Depth,
    /// The same key twice in one object.
    #[error("the key '{0}' appears twice")]
    DuplicateKey(String),
    /// Not JSON, or not the expected shape.
    #[error("the message does not have the expected form: {0}")]
    Shape(String),
}

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 32;

/// Longest piece of an error's words, characters.
const MAX_WORDS: usize = 200;

/// Parses `bytes` into `T`, refusing invalid UTF-8, deep nesting and duplicate keys.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    check(text)?;
    serde_json::from_str(text).map_err(|e| JsonError::Shape(words(&e)))
}

/// The first pass.
fn check(text: &str) -> Result<(), JsonError> {
    let found = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let result = Form { depth: 0, found: &found }.deserialize(&mut reader).and_then(|()| reader.end());
    match (result, found.into_inner()) {
        (_, Some(reason)) => Err(reason),
        (Err(error), None) => Err(JsonError::Shape(words(&error))),
        (Ok(()), None) => Ok(()),
    }
}

/// Walks over one value. `found` carries our own reason past serde_json's error type.
#[derive(Clone, Copy)]
struct Form<'a> {
    depth: usize,
    found: &'a RefCell<Option<JsonError>>,
}

impl Form<'_> {
    /// One level down, or the end of the walk.
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.stop(JsonError::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn stop<E: serde::de::Error>(self, reason: JsonError) -> E {
        self.found.replace(Some(reason));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Form<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        // A sorted set: its worst case does not depend on what a hostile page chooses for keys.
        let mut keys: BTreeSet<String> = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if let Some(key) = keys.replace(key) {
                return Err(self.stop(JsonError::DuplicateKey(shorten(&key))));
            }
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// serde's words for an error, without the text it found (`invalid type: string "hunter2", expected …`).
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cut = text.find("string \"").zip(text.rfind("\", expected"));
    match cut {
        Some((start, end)) if start < end => {
            shorten(&format!("{}string{}", &text[..start], text.get(end + 1..).unwrap_or_default()))
        }
        _ => shorten(&text),
    }
}

/// Bounded, on one line.
fn shorten(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || crate::path::is_bidi_control(c) { '?' } else { c })
        .take(MAX_WORDS)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    fn value(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes())
    }

    #[test]
    fn ordinary_documents_pass_unchanged() {
        for text in [
            "null",
            " [1, -2, 3.5, true, \"a\\u0062\", {}] ",
            r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"__proto__":{"x":1}}"#,
            r#"{"\u0000":"\ud83d\ude00"}"#,
        ] {
            assert_eq!(value(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn a_key_twice_in_one_object_is_refused_also_when_written_differently() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#] {
            assert!(matches!(value(text), Err(JsonError::DuplicateKey(key)) if key == "a"), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_exactly() {
        let arrays = |n: usize| "[".repeat(n) + &"]".repeat(n);
        let objects = |n: usize| "{\"a\":".repeat(n) + "1" + &"}".repeat(n);
        assert!(value(&arrays(MAX_DEPTH)).is_ok());
        assert!(value(&objects(MAX_DEPTH)).is_ok());
        assert!(matches!(value(&arrays(MAX_DEPTH + 1)), Err(JsonError::Depth)));
        assert!(matches!(value(&objects(MAX_DEPTH + 1)), Err(JsonError::Depth)));
        assert!(matches!(value(&"[".repeat(100_000)), Err(JsonError::Depth)));
        assert!(matches!(value(&"[{\"a\":".repeat(100_000)), Err(JsonError::Depth)));
    }

    #[test]
    fn what_is_no_json_or_no_unicode_is_refused() {
        assert!(matches!(parse::<Value>(b"\"\xff\""), Err(JsonError::Utf8)));
        assert!(matches!(parse::<Value>(b"\"\xed\xa0\x80\""), Err(JsonError::Utf8)), "a surrogate in UTF-8");
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{}{}",
            "nul",
            "'a'",
            "NaN",
            "1e999",
            "01",
            "\u{feff}{}",
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            "\"a\u{0}b\"",
            "\u{0}",
            "{\"a\" 1}",
            "{1:2}",
            "{} x",
            "// c\n{}",
        ] {
            assert!(matches!(value(text), Err(JsonError::Shape(_))), "{text:?}");
        }
    }

    #[test]
    fn huge_and_odd_messages_take_no_time_worth_mentioning() {
        // 1 MiB of the worst shapes: the test is that this ends at once, not after minutes.
        let keys: Vec<String> = (0..90_000).map(|i| format!("\"{i:05}\":0")).collect();
        assert!(value(&format!("{{{}}}", keys.join(","))).is_ok());
        assert!(value(&format!("[{}0]", "0,".repeat(500_000))).is_ok());
        assert!(value(&format!("[{}{{}}]", "{},".repeat(300_000))).is_ok());
        assert!(value(&"9".repeat(1_000_000)).is_err());
        assert!(value(&format!("0.{}", "9".repeat(1_000_000))).is_ok());
    }

    #[test]
    fn refusals_do_not_repeat_what_was_sent() {
        let error = parse::<u64>(br#""hunter2\", expected hunter2""#).unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("string"), "{error}");
        let long = format!(r#"{{"{0}":1,"{0}":2}}"#, "k".repeat(10_000));
        assert!(value(&long).unwrap_err().to_string().len() < 300);
    }
}
