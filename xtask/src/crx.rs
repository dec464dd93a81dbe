//! The extension as browsers install it from an administrator's server: CRX3 for Chromium's family, XPI for Firefox's.
//!
//! A CRX is a zip behind a signature; the extension's id follows from the key. The key is the builder's: made on first use
//! (`GODWIT_EXTENSION_KEY` says where, or `~/.local/share/godwit-build/extension-key.pem`), never part of the repository.
//! Whoever loses it gets another id, and browsers take that for another extension.
//! Format: `components/crx_file/crx3.proto` of Chromium.

use crate::{Outcome, files, run};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"Cr24";
const VERSION: u32 = 3;
/// Stands before what is signed.
const CONTEXT: &[u8] = b"CRX3 SignedData\0";
/// Bytes of the public key's SHA-256 that are the id.
const ID: usize = 16;

/// A builder's key.
pub(crate) struct Key {
    path: PathBuf,
    /// The public half, DER.
    public: Vec<u8>,
}

impl Key {
    /// Opens it; makes it if it is not there yet.
    pub(crate) fn open() -> Outcome<Self> {
        let path = match std::env::var_os("GODWIT_EXTENSION_KEY") {
            Some(path) => PathBuf::from(path),
            None => {
                let home = std::env::var_os("HOME").ok_or("HOME is not set: say GODWIT_EXTENSION_KEY=FILE")?;
                Path::new(&home).join(".local/share/godwit-build/extension-key.pem")
            }
        };
        if !path.exists() {
            files::make_folder(path.parent().unwrap_or(Path::new(".")))?;
            // openssl gives it to its owner alone.
            let mut openssl = run::command("openssl");
            openssl.args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
            run::check(openssl.arg(&path))?;
            println!("made the key that fixes the extension's id: keep {}", path.display());
        }
        let der = path.with_extension("pub.der");
        let mut openssl = run::command("openssl");
        run::check(openssl.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&path).arg("-out").arg(&der))?;
        let public = fs::read(&der).map_err(|error| format!("{}: {error}", der.display()))?;
        Ok(Self { path, public })
    }

    /// The id that an extension signed with it has.
    pub(crate) fn id(&self) -> String {
        letters(&id(&self.public))
    }

    /// The public half, as manifests have it.
    pub(crate) fn base64(&self) -> Outcome<String> {
        let der = self.path.with_extension("pub.der");
        Ok(run::capture(run::command("openssl").args(["base64", "-A", "-in"]).arg(der))?.trim().to_owned())
    }

    /// Packs a zip.
    pub(crate) fn pack(&self, zip: &Path, crx: &Path) -> Outcome {
        let content = fs::read(zip).map_err(|error| format!("{}: {error}", zip.display()))?;
        let header = signed_header(&id(&self.public));
        let (data, signature) = (crx.with_extension("to-sign"), crx.with_extension("signature"));
        files::write(&data, &to_sign(&header, &content))?;
        let mut openssl = run::command("openssl");
        openssl.args(["dgst", "-sha256", "-sign"]).arg(&self.path).arg("-out").arg(&signature);
        run::check(openssl.arg(&data))?;
        let signed = fs::read(&signature)?;
        files::write(crx, &assemble(&self.public, &signed, &header, &content))?;
        fs::remove_file(data)?;
        Ok(fs::remove_file(signature)?)
    }
}

fn id(public: &[u8]) -> Vec<u8> {
    Sha256::digest(public).iter().take(ID).copied().collect()
}

/// Hexadecimal digits, written as `a` to `p`.
fn letters(id: &[u8]) -> String {
    id.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b'a' + digit)).collect()
}

/// `SignedData { crx_id = 1 }`.
fn signed_header(id: &[u8]) -> Vec<u8> {
    field(1, id)
}

fn to_sign(header: &[u8], zip: &[u8]) -> Vec<u8> {
    [CONTEXT, &length(header), header, zip].concat()
}

/// `CrxFileHeader { sha256_with_rsa = 2 { public_key = 1, signature = 2 }, signed_header_data = 10000 }` before the zip.
fn assemble(public: &[u8], signature: &[u8], signed: &[u8], zip: &[u8]) -> Vec<u8> {
    let proof = [field(1, public), field(2, signature)].concat();
    let header = [field(2, &proof), field(10_000, signed)].concat();
    [MAGIC, &VERSION.to_le_bytes(), &length(&header), &header, zip].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// A field of bytes in the wire format of protocol buffers.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    const BYTES: u64 = 2;
    let mut field = Vec::new();
    for mut value in [number << 3 | BYTES, bytes.len() as u64] {
        while value > 0x7f {
            field.push(value as u8 & 0x7f | 0x80);
            value >>= 7;
        }
        field.push(value as u8);
    }
    field.extend_from_slice(bytes);
    field
}

/// A zip that is the same for the same files: names in order, no owners, one time.
pub(crate) fn zip(folder: &Path, archive: &Path, epoch: &str) -> Outcome {
    let mut names = run::command("sh");
    let script =
        "find . -exec touch -h -d \"@$1\" {} + && find . -type f | LC_ALL=C sort | TZ=UTC zip -X -q -9 \"$2\" -@";
    names.current_dir(folder).args(["-euc", script, "zip", epoch]).arg(archive);
    run::check(&mut names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_protocol_buffers_want_them() {
        assert_eq!(field(1, b"ab"), [0x0a, 2, b'a', b'b']);
        assert_eq!(field(10_000, &[])[..4], [0x82, 0xf1, 0x04, 0]);
        let long = field(2, &[7; 300]);
        assert_eq!((long[0], long[1], long[2], long.len()), (0x12, 0xac, 0x02, 303));
    }

    #[test]
    fn an_id_is_written_with_the_letters_a_to_p() {
        assert_eq!(letters(&[0x0f, 0xf1, 0x90]), "appbja");
    }

    #[test]
    fn a_crx_is_its_magic_its_header_and_the_zip() {
        let crx = assemble(b"public", b"signed", &signed_header(&[1; ID]), b"PK zip");
        assert_eq!(crx[..8], *b"Cr24\x03\0\0\0");
        let length = u32::from_le_bytes([crx[8], crx[9], crx[10], crx[11]]) as usize;
        assert_eq!(crx[12 + length..], *b"PK zip");
        let signed = to_sign(&[9, 9], b"z");
        assert_eq!(signed, b"CRX3 SignedData\0\x02\0\0\0\x09\x09z");
    }
}
