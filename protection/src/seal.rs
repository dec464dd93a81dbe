//! The encrypted form of a file, at any offset.

use crate::{CHUNK, NONCE, TAG, WORK};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead as _, AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use godwit_protocol::Secret;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::io;
use zeroize::Zeroizing;

/// Seals the files of one transfer.
pub struct Sealer {
    header: Vec<u8>,
    file_key: Zeroizing<[u8; 16]>,
    nonce_key: Zeroizing<[u8; 32]>,
}

impl Sealer {
    /// Derives the keys; takes a third of a second, and 128 MiB for that time.
    ///
    /// `scope` is the same in each attempt of one transfer, and of no other: with the same passphrase it leads to the same keys.
    #[must_use]
    pub fn new(passphrase: &Secret, scope: &str) -> Self {
        Self::with_work(passphrase, scope, WORK)
    }

    fn with_work(passphrase: &Secret, scope: &str, work: u8) -> Self {
        let salt = blake3::derive_key("godwit 2026 age salt", scope.as_bytes());
        let salt = salt.first_chunk::<16>().copied().unwrap_or_default();
        let mut salted = b"age-encryption.org/v1/scrypt".to_vec();
        salted.extend_from_slice(&salt);
        let mut wrap = Zeroizing::new([0u8; 32]);
        // Only senseless parameters fail, and these are constants.
        let derived = scrypt::Params::new(work, 8, 1, 32).map_err(|e| e.to_string()).and_then(|p| {
            scrypt::scrypt(passphrase.expose().as_bytes(), &salted, &p, &mut *wrap).map_err(|e| e.to_string())
        });
        debug_assert_eq!(derived, Ok(()));
        let own = |context| Zeroizing::new(blake3::derive_key(context, &*wrap));
        let file_key = Zeroizing::new(own("godwit 2026 age file key").first_chunk::<16>().copied().unwrap_or_default());
        let nonce_key = own("godwit 2026 age nonces");
        let stanza = ChaCha20Poly1305::new(Key::from_slice(&*wrap))
            .encrypt(Nonce::from_slice(&[0; 12]), &file_key[..])
            .unwrap_or_default();
        let mut header =
            format!("age-encryption.org/v1\n-> scrypt {} {work}\n{}\n---", BASE64.encode(salt), BASE64.encode(stanza));
        let mac_key = hkdf(&[], &*file_key, b"header");
        let mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*mac_key)
            .map(|mac| mac.chain_update(header.as_bytes()).finalize());
        header.push(' ');
        header.push_str(&mac.map(|mac| BASE64.encode(mac.into_bytes())).unwrap_or_default());
        header.push('\n');
        Self { header: header.into_bytes(), file_key, nonce_key }
    }

    /// Bytes of the encrypted form of a file of `plain` bytes; `None` if there is no such number.
    #[must_use]
    pub fn sealed_len(&self, plain: u64) -> Option<u64> {
        let tags = plain.div_ceil(CHUNK as u64).max(1).checked_mul(TAG as u64)?;
        plain.checked_add(tags)?.checked_add((self.header.len() + NONCE) as u64)
    }

    /// The encrypted form of a file of `plain` bytes. `identity` tells it from every other file, and from what it was before
    /// it changed.
    #[must_use]
    pub fn seal(&self, identity: &[u8], plain: u64) -> Sealed {
        let nonce = blake3::keyed_hash(&self.nonce_key, identity);
        let nonce = nonce.as_bytes().first_chunk::<NONCE>().copied().unwrap_or_default();
        let mut prefix = Vec::with_capacity(self.header.len() + NONCE);
        prefix.extend_from_slice(&self.header);
        prefix.extend_from_slice(&nonce);
        let key = hkdf(&nonce, &*self.file_key, b"payload");
        Sealed { prefix, cipher: ChaCha20Poly1305::new(Key::from_slice(&*key)), plain }
    }
}

fn hkdf(salt: &[u8], key: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(Some(salt), key).expand(label, &mut *out);
    debug_assert!(expanded.is_ok(), "32 bytes are never too many");
    out
}

/// The encrypted form of one file; see the crate.
pub struct Sealed {
    prefix: Vec<u8>,
    cipher: ChaCha20Poly1305,
    plain: u64,
}

impl Sealed {
    /// Fills `out` with the encrypted form from `offset` on; `read` gives content of the file at an offset, all that is asked for.
    ///
    /// # Errors
    ///
    /// Those of `read`; `UnexpectedEof` if the range goes beyond the end.
    pub fn read_exact_at(
        &self,
        out: &mut [u8],
        offset: u64,
        mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let beyond = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (mut out, mut offset) = (out, offset);
        if let Some(rest) = usize::try_from(offset).ok().and_then(|at| self.prefix.get(at..)) {
            let len = rest.len().min(out.len());
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(rest.get(..len).unwrap_or_default());
            (out, offset) = (later, offset + len as u64);
        }
        let full = (CHUNK + TAG) as u64;
        let mut chunk = Vec::new();
        while !out.is_empty() {
            let at = offset.checked_sub(self.prefix.len() as u64).ok_or_else(beyond)?;
            let (number, inside) = (at / full, (at % full) as usize);
            self.chunk(number, &mut chunk, &mut read)?;
            let rest = chunk.get(inside..).filter(|rest| !rest.is_empty()).ok_or_else(beyond)?;
            let len = rest.len().min(out.len());
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(rest.get(..len).unwrap_or_default());
            (out, offset) = (later, offset + len as u64);
        }
        Ok(())
    }

    /// One chunk in its encrypted form.
    fn chunk(
        &self,
        number: u64,
        chunk: &mut Vec<u8>,
        read: &mut impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let last = self.plain.div_ceil(CHUNK as u64).max(1) - 1;
        if number > last {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let start = number * CHUNK as u64;
        chunk.resize((self.plain - start).min(CHUNK as u64) as usize, 0);
        if !chunk.is_empty() {
            read(chunk, start)?;
        }
        let mut nonce = [0; 12];
        if let Some(counter) = nonce.get_mut(3..11) {
            counter.copy_from_slice(&number.to_be_bytes());
        }
        if let Some(end) = nonce.last_mut() {
            *end = u8::from(number == last);
        }
        let tag = self.cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", chunk);
        chunk.extend_from_slice(&tag.map_err(|_| io::Error::other("a chunk could not be encrypted"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{OpenError, Opener};
    use proptest::prelude::*;

    const LIGHT: u8 = 4;

    fn sealer() -> Sealer {
        Sealer::with_work(&Secret::new("swordfish"), "transfer 1", LIGHT)
    }

    fn content(len: usize) -> Vec<u8> {
        let mut content = vec![0; len];
        blake3::Hasher::new().update(b"content").finalize_xof().fill(&mut content);
        content
    }

    fn whole(sealer: &Sealer, identity: &[u8], plain: &[u8]) -> Vec<u8> {
        let len = sealer.sealed_len(plain.len() as u64).unwrap() as usize;
        let mut out = vec![0; len];
        part(&sealer.seal(identity, plain.len() as u64), plain, &mut out, 0).unwrap();
        out
    }

    fn part(sealed: &Sealed, plain: &[u8], out: &mut [u8], offset: u64) -> io::Result<()> {
        sealed.read_exact_at(out, offset, |target, at| {
            let at = at as usize;
            target.copy_from_slice(&plain[at..at + target.len()]);
            Ok(())
        })
    }

    fn opened(passphrase: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut out = Vec::new();
        Opener::new(&Secret::new(passphrase)).open(sealed, &mut out).map(|_| out)
    }

    #[test]
    fn the_age_library_opens_files_of_every_size_around_the_borders_of_chunks() {
        let sealer = sealer();
        for len in [0, 1, 15, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 1_000_000] {
            let plain = content(len);
            let sealed = whole(&sealer, b"a", &plain);
            assert_eq!(opened("swordfish", &sealed).unwrap(), plain, "{len}");
        }
    }

    #[test]
    fn a_later_attempt_continues_the_same_encrypted_file_and_a_changed_one_shares_nothing_with_it() {
        let plain = content(200_000);
        let first = whole(&sealer(), b"film, written at 1", &plain);
        assert_eq!(first, whole(&sealer(), b"film, written at 1", &plain));
        let later = whole(&sealer(), b"film, written at 2", &plain);
        let header = sealer().header.len();
        assert_eq!(first[..header], later[..header]);
        let same = first[header..].iter().zip(&later[header..]).filter(|(a, b)| a == b).count();
        assert!(same < first.len() / 100, "{same} bytes are the same");
        let other = Sealer::with_work(&Secret::new("swordfish"), "transfer 2", LIGHT);
        assert_ne!(other.header, sealer().header);
        assert_ne!(*other.file_key, *sealer().file_key);
    }

    #[test]
    fn a_wrong_passphrase_damage_and_cut_ends_are_told_apart() {
        let sealed = whole(&sealer(), b"a", &content(200_000));
        assert!(matches!(opened("sawfish", &sealed), Err(OpenError::WrongPassphrase)));
        assert!(matches!(opened("swordfish", b"just a text"), Err(OpenError::NotEncrypted)));
        assert!(matches!(opened("swordfish", b""), Err(OpenError::NotEncrypted)));
        let mut flipped = sealed.clone();
        flipped[100_000] ^= 1;
        assert!(matches!(opened("swordfish", &flipped), Err(OpenError::Damaged)));
        // At the border of a chunk too, where nothing but the mark of the last chunk tells.
        let border = sealer().header.len() + NONCE + CHUNK + TAG;
        for len in [sealed.len() - 1, border, border + 1] {
            assert!(matches!(opened("swordfish", &sealed[..len]), Err(OpenError::Damaged)), "{len}");
        }
    }

    #[test]
    fn what_a_read_says_comes_through_and_nothing_is_beyond_the_end() {
        let sealer = sealer();
        let sealed = sealer.seal(b"a", 100_000);
        let mut out = vec![0; 1000];
        let refused = sealed.read_exact_at(&mut out, 90_000, |_, _| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let end = sealer.sealed_len(100_000).unwrap();
        for offset in [end - 999, end, end + 1, u64::MAX] {
            let beyond = part(&sealed, &content(100_000), &mut out, offset);
            assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{offset}");
        }
        part(&sealed, &content(100_000), &mut out, end - 1000).unwrap();
        assert_eq!(sealer.sealed_len(u64::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_part_is_what_the_whole_has_there(len in 0usize..300_000, offset in 0usize..300_400, size in 0usize..150_000) {
            let plain = content(len);
            let sealer = sealer();
            let all = whole(&sealer, b"x", &plain);
            let offset = offset.min(all.len());
            let size = size.min(all.len() - offset);
            let mut out = vec![0; size];
            part(&sealer.seal(b"x", len as u64), &plain, &mut out, offset as u64).unwrap();
            prop_assert_eq!(&out[..], &all[offset..offset + size]);
        }
    }
}
