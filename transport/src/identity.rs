//! Who the server is: fingerprints of certificates, and the client's check of the one presented.

use crate::TransportError;
use godwit_protocol::worker::{Failure, ServerIdentity};
use godwit_protocol::{ErrorCode, wire};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

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

/// What a client expects of the certificate, and what it saw.
pub(crate) struct Identity {
    /// For the connection.
    pub(crate) tls: rustls::ClientConfig,
    expected: Option<String>,
    seen: Arc<OnceLock<String>>,
    refused: Arc<OnceLock<()>>,
}

impl Identity {
    /// By the fingerprint if one is given; else the pin; else the system's roots (reading them may block).
    pub(crate) fn new(expected: &ServerIdentity) -> Result<Self, Failure> {
        let broken = |e: &dyn std::fmt::Display| Failure::new(ErrorCode::Internal, e.to_string());
        let provider = Arc::new(crate::ciphers::provider());
        let accept = match expected.fingerprint.as_ref().or(expected.pin.as_ref()) {
            Some(text) => {
                Accept::This(parse_fingerprint(text).map_err(|e| Failure::new(ErrorCode::Usage, e.to_string()))?)
            }
            None => Accept::Roots(system_roots(&provider)),
        };
        let expected = match &accept {
            Accept::This(hash) => Some(format_fingerprint(hash)),
            Accept::Roots(_) => None,
        };
        let (seen, refused) = (Arc::default(), Arc::default());
        let verifier =
            Verifier { accept, provider: provider.clone(), seen: Arc::clone(&seen), refused: Arc::clone(&refused) };
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| broken(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        tls.alpn_protocols = vec![wire::ALPN.to_vec()];
        Ok(Self { tls, expected, seen, refused })
    }

    /// The fingerprint of the certificate that was presented.
    pub(crate) fn seen(&self) -> Option<&str> {
        self.seen.get().map(String::as_str)
    }

    /// The failure to report if the certificate was refused. Where one was expected both are told.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.refused.get()?;
        let seen = self.seen.get().cloned();
        let both = self.expected.as_ref().zip(seen.as_ref());
        let detail = both.map_or_else(String::new, |(old, new)| format!("expected {old}, the server shows {new}"));
        Some(Failure { fingerprint: seen, ..Failure::new(ErrorCode::Insecure, detail) })
    }
}

/// TLS settings of a server.
pub(crate) fn server_tls(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<rustls::ServerConfig, TransportError> {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(crate::ciphers::provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    tls.alpn_protocols = vec![wire::ALPN.to_vec()];
    Ok(tls)
}

/// `None` if the system has no usable roots: then nothing is accepted.
fn system_roots(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok()
}

#[derive(Debug)]
enum Accept {
    This([u8; 32]),
    Roots(Option<Arc<WebPkiServerVerifier>>),
}

#[derive(Debug)]
struct Verifier {
    accept: Accept,
    provider: Arc<CryptoProvider>,
    seen: Arc<OnceLock<String>>,
    refused: Arc<OnceLock<()>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let hash: [u8; 32] = Sha256::digest(end_entity).into();
        let _ = self.seen.set(format_fingerprint(&hash));
        let verdict = match &self.accept {
            Accept::This(expected) if *expected == hash => Ok(ServerCertVerified::assertion()),
            Accept::This(_) | Accept::Roots(None) => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            Accept::Roots(Some(roots)) => {
                roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        };
        verdict.inspect_err(|error| {
            tracing::debug!(%error, "certificate refused");
            let _ = self.refused.set(());
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
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
