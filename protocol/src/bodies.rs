//! The bodies of page calls about files of this machine (`file/…`) and about servers (`info/ports`, `info/authenticate`).
//!
//! **Must not know:** whether the page may: paths are texts here, judged where the user's grants are.

use crate::Secret;
use crate::page::Dropped;
use crate::spec::fields::{Fields, MAX_TEXT, wrong};
use crate::spec::host::normalise_host;
use crate::spec::parse::fingerprint;
use crate::spec::{Authentication, SpecError};
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of one read: the answer is base64 in one piece of memory on every leg.
pub const MAX_READ: u64 = 16 * 1024 * 1024;
/// Port of the vendor's servers, TCP and UDP.
const DEFAULT_PORT: u16 = 33001;
/// Longest path, bytes: what the kernel takes.
const MAX_PATH: usize = 4096;
/// Most files of one drop.
const MAX_DROPPED: usize = 10_000;

/// `file/read-as-array-buffer` and `file/read-chunk-as-array-buffer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// Absolute.
    pub path: String,
    /// From here on; 0 for the whole file.
    pub offset: u64,
    /// So many bytes at most; `None` = all, which is refused if it is more than [`MAX_READ`].
    pub length: Option<u64>,
}

/// `file/checksum`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Absolute.
    pub path: String,
    /// From here on.
    pub offset: u64,
    /// So many bytes; `None` = to the end.
    pub length: Option<u64>,
    /// How.
    pub method: ChecksumMethod,
}

/// `checksumMethod`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumMethod {
    /// The vendor's default.
    #[default]
    Md5,
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

impl ChecksumMethod {
    /// As pages write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// `info/ports`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPorts {
    /// In canonical form.
    pub host: String,
    /// TCP.
    pub port: u16,
    /// 1 to 30.
    pub timeout_seconds: u64,
}

/// `info/authenticate`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// In canonical form.
    pub host: String,
    /// `fasp_port`, UDP; without one that of the vendor's control connection, which pages give here.
    pub port: u16,
    /// `ssh_port`, TCP.
    pub tcp_port: u16,
    /// What the server's certificate must be (`sshfp`): pages pass specs that servers made.
    pub fingerprint: Option<String>,
    /// Login name.
    pub user: String,
    /// Either this…
    pub password: Option<Secret>,
    /// …or this.
    pub token: Option<Secret>,
}

fn fields(body: &Value) -> Result<Fields<'_>, SpecError> {
    Ok(Fields(body.as_object().ok_or_else(|| wrong("body", "must be an object"))?))
}

fn path(f: &Fields<'_>) -> Result<String, SpecError> {
    f.text(&["path"], MAX_PATH)?.ok_or_else(|| wrong("path", "is missing"))
}

fn host(f: &Fields<'_>) -> Result<String, SpecError> {
    let text = f.plain(&["remote_host"], MAX_TEXT)?.ok_or_else(|| wrong("remote_host", "is missing"))?;
    normalise_host(&text).ok_or_else(|| wrong("remote_host", "is not a host name or address"))
}

impl ReadFile {
    /// Of `read-as-array-buffer`.
    pub fn whole(body: &Value) -> Result<Self, SpecError> {
        Ok(Self { path: path(&fields(body)?)?, offset: 0, length: None })
    }

    /// Of `read-chunk-as-array-buffer`.
    pub fn chunk(body: &Value) -> Result<Self, SpecError> {
        let f = fields(body)?;
        let path = path(&f)?;
        let offset = f.number(&["offset"])?.ok_or_else(|| wrong("offset", "is missing"))?;
        let length = f.number(&["chunkSize"])?.ok_or_else(|| wrong("chunkSize", "is missing"))?;
        if length > MAX_READ {
            return Err(wrong("chunkSize", format!("must not be more than {MAX_READ}")));
        }
        Ok(Self { path, offset, length: Some(length) })
    }
}

impl Checksum {
    /// Reads a body.
    pub fn from_body(body: &Value) -> Result<Self, SpecError> {
        let f = fields(body)?;
        Ok(Self {
            path: path(&f)?,
            offset: f.number(&["offset"])?.unwrap_or(0),
            length: f.number(&["chunkSize"])?.filter(|n| *n > 0),
            method: f.word(&["checksumMethod"], "md5, sha1, sha256, sha512")?.unwrap_or_default(),
        })
    }
}

impl TestPorts {
    /// Reads a body.
    pub fn from_body(body: &Value) -> Result<Self, SpecError> {
        let f = fields(body)?;
        Ok(Self {
            host: host(&f)?,
            port: f.port(&["ssh_port"])?.unwrap_or(DEFAULT_PORT),
            timeout_seconds: f.number(&["timeout_sec"])?.unwrap_or(3).clamp(1, 30),
        })
    }
}

impl Authenticate {
    /// Reads a body.
    pub fn from_body(body: &Value) -> Result<Self, SpecError> {
        let f = fields(body)?;
        let (mut password, mut token) = (f.secret(&["remote_password"])?, f.secret(&["token"])?);
        match f.word(&["authentication"], "password, token")? {
            Some(Authentication::Password) => token = None,
            Some(Authentication::Token) => password = None,
            None => {}
        }
        if password.is_none() && token.is_none() {
            return Err(wrong("remote_password", "is missing, and there is no token"));
        }
        let user = f.plain(&["remote_user"], 255)?.unwrap_or_default();
        let tcp_port = f.port(&["ssh_port"])?.unwrap_or(DEFAULT_PORT);
        let port = f.port(&["fasp_port"])?.unwrap_or(tcp_port);
        let fingerprint = fingerprint(&f)?;
        Ok(Self { host: host(&f)?, port, tcp_port, fingerprint, user, password, token })
    }
}

/// The files in the body of `file/dropped-files`, by name and size: what a page says was dropped on it.
pub fn dropped_files(body: &Value) -> Result<Vec<(String, Option<u64>)>, SpecError> {
    let field = "dataTransfer.files";
    let files = body.pointer("/dataTransfer/files").and_then(Value::as_array);
    let files = files.ok_or_else(|| wrong(field, "must be a list"))?;
    if files.is_empty() || files.len() > MAX_DROPPED {
        return Err(wrong(field, format!("must have 1 to {MAX_DROPPED} entries")));
    }
    let one = |file: &Value| {
        let f = Fields(file.as_object().ok_or_else(|| wrong(field, "must be a list of objects"))?);
        let name = f.plain(&["name"], 1024)?.ok_or_else(|| wrong(format!("{field}.name"), "is missing"))?;
        Ok((name, file.get("size").and_then(Value::as_u64)))
    };
    files.iter().map(one).collect()
}

/// Of what the browser dropped, that which the page speaks of; `None` if the page speaks of anything that was not dropped.
#[must_use]
pub fn witnessed(claimed: &[(String, Option<u64>)], dropped: &[Dropped]) -> Option<Vec<Dropped>> {
    let mut left: Vec<&Dropped> = dropped.iter().collect();
    let take = |(name, size): &(String, Option<u64>)| {
        let at = left.iter().position(|d| d.name == *name && (d.folder || size.is_none_or(|size| size == d.size)))?;
        Some(left.remove(at).clone())
    };
    claimed.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_come_as_texts_and_what_is_missing_is_named() {
        let read = ReadFile::chunk(&json!({"path": "/a", "offset": "5", "chunkSize": 7.0})).unwrap();
        assert_eq!(read, ReadFile { path: "/a".into(), offset: 5, length: Some(7) });
        for (body, field) in [
            (json!({"offset": 1, "chunkSize": 1}), "path"),
            (json!({"path": "/a", "chunkSize": 1}), "offset"),
            (json!({"path": "/a", "offset": 1}), "chunkSize"),
            (json!({"path": "/a", "offset": -1, "chunkSize": 1}), "offset"),
            (json!({"path": "/a", "offset": 0, "chunkSize": MAX_READ + 1}), "chunkSize"),
            (json!({"path": "/a\u{0}", "offset": 0, "chunkSize": 1}), "path"),
            (json!([]), "body"),
        ] {
            assert_eq!(ReadFile::chunk(&body).unwrap_err().field, field, "{body}");
        }
    }

    #[test]
    fn a_checksum_is_md5_of_everything_unless_said_otherwise() {
        let plain = Checksum::from_body(&json!({"path": "/a", "offset": 0, "chunkSize": 0})).unwrap();
        assert_eq!((plain.method, plain.offset, plain.length), (ChecksumMethod::Md5, 0, None));
        let sha = Checksum::from_body(&json!({"path": "/a", "chunkSize": 9, "checksumMethod": "SHA256"})).unwrap();
        assert_eq!((sha.method.name(), sha.length), ("sha256", Some(9)));
        let error = Checksum::from_body(&json!({"path": "/a", "checksumMethod": "crc"})).unwrap_err();
        assert_eq!(error.field, "checksumMethod");
    }

    #[test]
    fn a_login_to_try_needs_a_host_and_a_secret() {
        let login = Authenticate::from_body(&json!({"remote_host": "Example.COM", "remote_user": "u",
            "remote_password": "p", "token": "t", "authentication": "password"}))
        .unwrap();
        assert_eq!((login.host.as_str(), login.port, login.token), ("example.com", 33001, None));
        let spec = json!({"remote_host": "a", "remote_password": "p", "ssh_port": 22, "fasp_port": 33002, "sshfp": "SHA256:x"});
        let login = Authenticate::from_body(&spec).unwrap();
        assert_eq!((login.tcp_port, login.port, login.fingerprint.as_deref()), (22, 33002, Some("SHA256:x")));
        for (body, field) in [
            (json!({"remote_host": "a b", "remote_password": "p"}), "remote_host"),
            (json!({"remote_password": "p"}), "remote_host"),
            (json!({"remote_host": "a"}), "remote_password"),
            (json!({"remote_host": "a", "token": "t", "ssh_port": 70_000}), "ssh_port"),
        ] {
            let error = Authenticate::from_body(&body).unwrap_err();
            assert_eq!(error.field, field, "{body}");
        }
        assert_eq!(TestPorts::from_body(&json!({"remote_host": "a", "timeout_sec": 900})).unwrap().timeout_seconds, 30);
    }

    #[test]
    fn a_drop_has_files_with_names() {
        let body = json!({"dataTransfer": {"files": [{"name": "a.mov", "size": 5, "type": ""}, {"name": "b"}]}});
        assert_eq!(dropped_files(&body).unwrap(), [("a.mov".to_owned(), Some(5)), ("b".to_owned(), None)]);
        for body in
            [json!({}), json!({"dataTransfer": {"files": []}}), json!({"dataTransfer": {"files": [{"size": 1}]}})]
        {
            assert!(dropped_files(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_page_speaks_only_of_what_was_dropped_on_it_and_of_each_only_once() {
        let dropped = |name: &str, size| Dropped { name: name.into(), size, modified_ms: 7, folder: false };
        let seen = [dropped("a", 1), dropped("b", 2), Dropped { folder: true, ..dropped("c", 4096) }];
        let claim = |list: &[(&str, Option<u64>)]| list.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect::<Vec<_>>();
        let found = witnessed(&claim(&[("b", Some(2)), ("a", None), ("c", Some(0))]), &seen).unwrap();
        assert_eq!(found.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
        for lie in [&[("a", Some(2))][..], &[("a", Some(1)), ("a", Some(1))], &[("passwords", None)]] {
            assert_eq!(witnessed(&claim(lie), &seen), None, "{lie:?}");
        }
        assert_eq!(witnessed(&claim(&[("a", Some(1))]), &[]), None);
    }
}
