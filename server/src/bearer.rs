//! Bearer tokens of web applications: signed with their own RSA key, whose public half is stored with the access key.
//!
//! Form: base64 of a zlib stream of `JSON`, a separator line, and base64 of the RSA signature (PKCS #1, SHA-512) over the
//! JSON text. Nothing in the JSON is read before the signature fits. Pure: time is a parameter.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{GeneralPurposeConfig, STANDARD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey};
use serde::Deserialize;
use std::io::Read;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Longest token, bytes of base64.
const MAX_TOKEN: usize = 32 * 1024;
/// Most bytes that it may unpack to.
const MAX_UNPACKED: u64 = 64 * 1024;
/// Between the JSON and its signature.
const SEPARATOR: &str = "\n==SIGNATURE==\n";
/// Longest public key, bytes of PEM.
const MAX_KEY: usize = 16 * 1024;
/// Another machine has written the time of its end: so much may its clock be behind ours.
const LEEWAY: Duration = Duration::seconds(60);

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The web application's id of the user.
    pub user_id: String,
    /// `node.<access key>:user:all` or `node.<access key>:admin:all`.
    scope: String,
    /// Always `access_key`.
    auth_type: String,
    /// RFC 3339.
    expires_at: String,
    /// The user's groups.
    #[serde(default)]
    pub group_ids: Vec<String>,
}

impl Claims {
    /// The access key of the scope, and whether all of its rights are meant.
    #[must_use]
    pub fn scope(&self) -> Option<(&str, bool)> {
        let rest = self.scope.strip_prefix("node.")?;
        match (rest.strip_suffix(":user:all"), rest.strip_suffix(":admin:all")) {
            (Some(key), _) => Some((key, false)),
            (_, Some(key)) => Some((key, true)),
            _ => None,
        }
    }
}

/// A token taken apart, its signature not yet looked at.
pub struct Sealed {
    json: String,
    signature: Vec<u8>,
    /// The access key that it claims to be for.
    pub key: String,
}

/// Line ends and missing padding are forgiven, as the predecessor's clients differ.
fn decode(text: &str) -> Option<Vec<u8>> {
    let engine = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    engine.decode(text).ok()
}

/// Unpacks a token.
#[must_use]
pub fn open(token: &str) -> Option<Sealed> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let packed = decode(token)?;
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).take(MAX_UNPACKED).read_to_string(&mut text).ok()?;
    let (json, signature) = text.split_once(SEPARATOR)?;
    let claims: Claims = serde_json::from_str(json).ok()?;
    let (key, _) = claims.scope()?;
    Some(Sealed { key: key.to_owned(), signature: decode(signature)?, json: json.to_owned() })
}

impl Sealed {
    /// What it says, if `pem` verifies it and its time is not over by more than [`LEEWAY`].
    #[must_use]
    pub fn verify(&self, pem: &str, now: OffsetDateTime) -> Option<Claims> {
        let key = public_key(pem)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, key).verify(self.json.as_bytes(), &self.signature).ok()?;
        let claims: Claims = serde_json::from_str(&self.json).ok()?;
        let expires = OffsetDateTime::parse(&claims.expires_at, &Rfc3339).ok()?;
        let good =
            claims.auth_type == "access_key" && !claims.user_id.is_empty() && now < expires.saturating_add(LEEWAY);
        good.then_some(claims)
    }
}

/// The PKCS #1 form of a PEM `PUBLIC KEY`, which is what the verifier wants. `None`: not an RSA key in that form.
#[must_use]
pub fn public_key(pem: &str) -> Option<Vec<u8>> {
    if pem.len() > MAX_KEY {
        return None;
    }
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.strip_suffix("-----END PUBLIC KEY-----")?;
    let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
    let rsa = info.algorithm.algorithm.to_id_string() == "1.2.840.113549.1.1.1";
    rsa.then(|| info.subject_public_key.data.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    const PUBLIC_KEY: &str = include_str!("../tests/common/bearer-test-key.pub.pem");
    const PRIVATE_KEY: &[u8] = include_bytes!("../tests/common/bearer-test-key.der");

    fn ending(at: &str) -> Sealed {
        let claims =
            format!(r#"{{"user_id":"7","scope":"node.k:user:all","auth_type":"access_key","expires_at":"{at}"}}"#);
        let pair = ring::signature::RsaKeyPair::from_pkcs8(PRIVATE_KEY).unwrap();
        let mut signature = vec![0; pair.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        pair.sign(&ring::signature::RSA_PKCS1_SHA512, &random, claims.as_bytes(), &mut signature).unwrap();
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(format!("{claims}{SEPARATOR}{}", STANDARD.encode(signature)).as_bytes()).unwrap();
        open(&STANDARD.encode(packer.finish().unwrap())).unwrap()
    }

    #[test]
    fn t08_the_clock_of_the_web_application_may_be_a_minute_behind_and_no_more() {
        let good = |at: &str, now: i64| {
            let now = OffsetDateTime::from_unix_timestamp(now).unwrap();
            ending(at).verify(PUBLIC_KEY, now).is_some()
        };
        // The last second of 2016 was followed by a leap second, which clocks of Unix do not count.
        let end = 1_483_228_800;
        for (at, end) in [("2017-01-01T00:00:00Z", end), ("2016-12-31T23:59:60Z", end)] {
            for (now, expected) in
                [(0, true), (end - 3_600, true), (end + 58, true), (end + 60, false), (1 << 37, false)]
            {
                assert_eq!(good(at, now), expected, "{at} at {now}");
            }
        }
        // The last time there can be does not overflow.
        assert!(good("9999-12-31T23:59:59Z", end));
        for nonsense in ["2017-01-01", "", "2017-13-01T00:00:00Z", "-1", "99999999999999999999"] {
            assert!(!good(nonsense, 0), "{nonsense}");
        }
    }
}
