//! Which ciphers are offered, the fastest on this machine first; what else is needed of TLS is rustls's own choice.

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, ring};

/// ring's, ordered: AES with 128 bits where the processor computes AES (a third less work than with 256, which rustls
/// would take first), ChaCha20 where it does not.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let order = if computes_aes() {
        [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256]
    } else {
        [CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_AES_128_GCM_SHA256]
    };
    let last = order.len();
    provider.cipher_suites.sort_by_key(|suite| order.iter().position(|wish| *wish == suite.suite()).unwrap_or(last));
    provider
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn computes_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn computes_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn computes_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_ring_has_is_offered_and_the_fastest_comes_first() {
        let (ours, theirs) = (provider().cipher_suites, ring::default_provider().cipher_suites);
        assert_eq!(ours.len(), theirs.len());
        let first = if computes_aes() {
            CipherSuite::TLS13_AES_128_GCM_SHA256
        } else {
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        };
        assert_eq!(ours.first().map(|suite| suite.suite()), Some(first));
    }
}
