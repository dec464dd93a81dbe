//! Random ids and secrets of access keys, as texts that stand in addresses, headers and command lines as they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io;

/// Bytes of chance in an id and in a secret.
const ID: usize = 16;
const SECRET: usize = 32;

/// The id of a new access key. It begins with a letter or digit: a command line would take `-…` for an option.
pub(crate) fn id() -> io::Result<String> {
    word(ID)
}

/// The secret of a new access key.
pub(crate) fn secret() -> io::Result<String> {
    word(SECRET)
}

fn word(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    loop {
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let text = URL_SAFE_NO_PAD.encode(&random);
        // One in 32 does not.
        if text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Ok(text);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_word_can_be_taken_for_an_option() {
        for _ in 0..1_000 {
            for word in [id().unwrap(), secret().unwrap()] {
                assert!(word.starts_with(|first: char| first.is_ascii_alphanumeric()), "{word}");
                assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{word}");
            }
        }
    }
}
