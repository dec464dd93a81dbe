//! Who the server is: fingerprints of certificates, and the client's check of the one presented.

use crate::TransportError;
use sha2::{Digest, Sha256};

/// The name of a certificate: `SHA256:` and 64 lower-case hexadecimal digits of the hash of its DER form.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    format_fingerprint(&Sha256::digest(der).into())
}

fn format_fingerprint(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(7 + 64);
    text.push_str("SHA256:");
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads what people and web applications write: with or without `SHA256:` (any case), hexadecimal digits with or
/// without colons, or base64 with or without padding (as `ssh` prints it), standard or URL alphabet.
pub fn parse_fingerprint(text: &str) -> Result<[u8; 32], TransportError> {
    let error = || TransportError::Fingerprint(text.chars().take(100).collect());
    let bare = text.trim();
    let bare = match bare.get(..7) {
        Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => bare.get(7..).unwrap_or_default(),
        _ => bare,
    };
    let digits: Vec<u8> = bare.bytes().filter(|b| *b != b':').collect();
    let bytes = if digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit) {
        digits
            .chunks_exact(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()))
            .collect::<Option<Vec<u8>>>()
    } else {
        decode_base64(bare.trim_end_matches('='))
    };
    bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()).ok_or_else(error)
}

/// 43 characters hold 32 bytes; the last two bits must be zero.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.len() != 43 {
        return None;
    }
    let mut bytes = Vec::with_capacity(33);
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    (bits & ((1 << held) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_way_to_write_a_fingerprint_is_read() {
        let name = fingerprint(b"certificate");
        assert_eq!(name.len(), 71);
        let hash: [u8; 32] = Sha256::digest(b"certificate").into();
        let hex = name.strip_prefix("SHA256:").unwrap().to_owned();
        let colons = hex.as_bytes().chunks(2).map(|p| std::str::from_utf8(p).unwrap()).collect::<Vec<_>>().join(":");
        let base64 = "A".repeat(42) + "E=";
        let mut last = [0; 32];
        last[31] = 1;
        assert_eq!(parse_fingerprint(&base64).unwrap(), last);
        assert_eq!(parse_fingerprint(&format!("SHA256:{}", base64.trim_end_matches('='))).unwrap(), last);
        for text in [name.clone(), hex.clone(), hex.to_uppercase(), colons, format!("sha256:{hex}")] {
            assert_eq!(parse_fingerprint(&text).unwrap(), hash, "{text}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for text in ["", "SHA256:", "SHA256:12", "zz", &"g".repeat(64), &"é".repeat(40), &"A".repeat(44)] {
            assert!(parse_fingerprint(text).is_err(), "{text}");
        }
    }
}
