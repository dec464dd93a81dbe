//! Records carry the version of their form, so that a later build can tell what it reads.

use super::StoreError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Writing<'a, T> {
    v: u32,
    d: &'a T,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
}

#[derive(Deserialize)]
struct Reading<T> {
    d: T,
}

/// The bytes of a record of form `version`.
pub fn encode<T: Serialize>(version: u32, data: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Writing { v: version, d: data }).map_err(|e| StoreError::Record(e.to_string()))
}

/// Reads a record of form `version`. A newer form is an error: half-understood data are worse than none.
pub fn decode<T: DeserializeOwned>(version: u32, bytes: &[u8]) -> Result<T, StoreError> {
    let error = |e: serde_json::Error| StoreError::Record(e.to_string());
    let head: Head = serde_json::from_slice(bytes).map_err(error)?;
    if head.v != version {
        return Err(StoreError::Record(format!("it has form {}, this build reads form {version}", head.v)));
    }
    serde_json::from_slice::<Reading<T>>(bytes).map(|r| r.d).map_err(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn another_form_and_garbage_are_errors_not_guesses() {
        let bytes = encode(2, &vec![1, 2]).unwrap();
        assert_eq!(decode::<Vec<u8>>(2, &bytes).unwrap(), [1, 2]);
        assert!(decode::<Vec<u8>>(3, &bytes).is_err());
        assert!(decode::<Vec<u8>>(2, b"{}").is_err());
        assert!(decode::<Vec<u8>>(2, &[0xff]).is_err());
    }
}
