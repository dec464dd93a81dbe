//! The part of a spec that may be shown, stored in clear and given back to the page.

use serde_json::{Map, Value};

/// Names of keys that hold a secret, compared in lower case without punctuation: `remote_password`, `apiKey`,
/// `X-Auth-Token`. The list covers more than the spec's own fields, because servers put their own into specs.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "authorization",
    "authorisation",
    "sshkey",
];
/// The page's own opaque object: kept as it is, the page reads it back.
const OPAQUE: &str = "tags";

/// A copy of `object` without secrets, at every level outside `tags`.
pub(crate) fn strip(object: &Map<String, Value>) -> Value {
    let kept = object.iter().filter(|(key, _)| !names_secret(key));
    Value::Object(
        kept.map(|(key, value)| (key.clone(), if key == OPAQUE { value.clone() } else { strip_any(value) })).collect(),
    )
}

/// As [`strip`], below the top level: nothing is opaque there.
fn strip_any(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(key, _)| !names_secret(key));
            Value::Object(kept.map(|(key, value)| (key.clone(), strip_any(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(strip_any).collect()),
        other => other.clone(),
    }
}

/// True if a key of this name holds a secret.
pub(crate) fn names_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// Longest title, characters.
const MAX_TITLE: usize = 255;

/// A text of a page as it may stand in our own windows: one line, without invisible direction changes, bounded.
pub(crate) fn displayable(text: &str) -> String {
    text.chars().filter(|&c| !c.is_control() && !crate::path::is_bidi_control(c)).take(MAX_TITLE).collect()
}
