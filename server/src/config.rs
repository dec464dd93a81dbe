//! The server's settings: the configuration file, the command line over it, and the defaults under both.

use crate::args::ServeArgs;
use crate::password::{Hash, PasswordError};
use crate::quota::ByteCount;
use crate::rates::RateConfig;
use crate::rights::Rights;
use crate::state::{StateDir, StateError};
use crate::token::MAX_TTL;
use crate::web_config::{Web, WebConfig};
use godwit_protocol::wire::MAX_CONNECTIONS;
use godwit_protocol::{RateKbps, RelPath, Secret};
use godwit_transport::rules::Rules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest configuration file that is read.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Longest user name, bytes.
const MAX_USER: usize = 128;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {path}: {reason}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A value is wrong; the message names the key.
    #[error("configuration: {key}: {reason}")]
    Value {
        /// The key, such as `users.ann.password_hash`.
        key: String,
        /// Why.
        reason: String,
    },
    /// `--user` without a colon, or with a bad name.
    #[error("--user: {0}")]
    User(String),
    /// A password of `--user` cannot be hashed.
    #[error("--user {0}: {1}")]
    Password(String, PasswordError),
    /// No place for state or files.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Whether files must come encrypted at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ContentProtection {
    /// As their owners like it.
    #[default]
    Optional,
    /// Only files in the age format come in, by names that end in `.age`.
    Required,
}

impl ContentProtection {
    /// Only encrypted files come in.
    #[must_use]
    pub fn is_required(self) -> bool {
        self == Self::Required
    }

    /// Required if one of both wants it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.is_required() { self } else { other }
    }

    /// For records that have no such line.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        !self.is_required()
    }
}

/// The configuration file. Everything is optional; an unknown key is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Folder that users see. Default: `files` in `GODWIT_HOME`, else `godwit/files` in the user's data folder (made
    /// if missing; a folder named here must exist).
    pub docroot: Option<PathBuf>,
    /// Folder for certificate and keys. Default: see [`StateDir::default_path`].
    pub state: Option<PathBuf>,
    /// Address of data and API ports. Default `0.0.0.0`; `::` listens on IPv6 and, where the system does so, IPv4.
    pub bind: Option<IpAddr>,
    /// Address of the plain HTTP port. Default `127.0.0.1`: passwords do not belong on a network in clear.
    pub http_bind: Option<IpAddr>,
    /// UDP port for data, and TCP port that answers port tests. Default 33001; 0 = any.
    pub data_port: Option<u16>,
    /// HTTPS port of the API. Default 9092; 0 = any.
    pub api_port: Option<u16>,
    /// Plain HTTP port of the API. Default 9091; 0 = any.
    pub http_port: Option<u16>,
    /// PEM file with the certificate chain; needs `key`. Default: a self-signed one is made and kept.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub key: Option<PathBuf>,
    /// Data sessions at once. Default 256. Each costs at most about 128 MiB of memory.
    pub max_sessions: Option<usize>,
    /// Of these, from one address (one /64 of IPv6). Default 64.
    pub max_sessions_per_address: Option<usize>,
    /// Connections that one session may have, 1 to 16. Default 8.
    pub max_connections_per_session: Option<u32>,
    /// Seconds from a client's first packet to its accepted request. Default 15.
    pub login_seconds: Option<u64>,
    /// A session in which nothing moves for so many seconds ends with error 40. Default 60.
    pub stall_seconds: Option<u64>,
    /// All sessions of all users together are no faster than this, in each direction by itself.
    pub rate_cap: Option<RateKbps>,
    /// Rates of sessions in which clients send.
    pub upload: RateConfig,
    /// Rates of sessions in which clients receive.
    pub download: RateConfig,
    /// Seconds that running sessions may go on after SIGTERM. Default 30.
    pub drain_seconds: Option<u64>,
    /// Received files get their final names only when the disk has their content. Default true; false is faster and
    /// loses recent files at a power failure, never at a crash of the server.
    pub fsync: Option<bool>,
    /// `required`: everybody's files must come encrypted at rest (`godwit cp --encrypt`, a passphrase in the browser); others
    /// are refused. Default `optional`.
    pub content_protection: ContentProtection,
    /// `/ops/transfers` may call servers at private addresses too. Default false: whoever may start transfers here could
    /// otherwise reach what only this machine can reach.
    pub ops_private: Option<bool>,
    /// Hours that tokens of transfer set-ups live, 1 to 8784. Default 24.
    pub token_hours: Option<u64>,
    /// The web application.
    pub web: WebConfig,
    /// Users by name.
    pub users: BTreeMap<String, UserConfig>,
}

/// A user in the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserConfig {
    /// Argon2id in PHC form, from `godwit-server hash-password`. Absent: the user can come with tokens only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// Absolute: this folder, which must exist. Relative: below the main docroot, made when needed. Absent: the main
    /// docroot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docroot: Option<PathBuf>,
    /// May browse and download. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<bool>,
    /// May upload, make folders and rename. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<bool>,
    /// May delete. Default: as `write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<bool>,
    /// Sessions at once. Default: as many as the server takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<usize>,
    /// All sessions of the user together are no faster than this, in each direction by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_cap: Option<RateKbps>,
    /// Uploads end when so many bytes lie in the user's folder, whoever put them there: `10g`. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<ByteCount>,
    /// `required`: the user's files must come encrypted at rest, also where the server as a whole does not ask for it.
    #[serde(skip_serializing_if = "ContentProtection::is_optional")]
    pub content_protection: ContentProtection,
    /// `target_default` for both directions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_default: Option<RateKbps>,
    /// Over the server's table of the same name.
    #[serde(skip_serializing_if = "RateConfig::is_empty")]
    pub upload: RateConfig,
    /// Over the server's table of the same name.
    #[serde(skip_serializing_if = "RateConfig::is_empty")]
    pub download: RateConfig,
}

/// Where a user's root lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRoot {
    /// The main docroot.
    Main,
    /// Below the main docroot.
    Below(RelPath),
    /// A folder of its own.
    Absolute(PathBuf),
}

/// A user, checked.
#[derive(Clone, Debug)]
pub struct User {
    /// Absent: tokens only.
    pub password: Option<Hash>,
    /// See [`UserConfig::docroot`].
    pub root: UserRoot,
    /// What the user may do.
    pub rights: Rights,
    /// See [`UserConfig::max_sessions`].
    pub max_sessions: Option<usize>,
    /// See [`UserConfig::rate_cap`].
    pub rate_cap: Option<RateKbps>,
    /// See [`UserConfig::quota`].
    pub quota: Option<ByteCount>,
    /// What the server and the user's own line ask for.
    pub content_protection: ContentProtection,
    /// For sessions in which the user sends, the server's table and caps included.
    pub upload: Rules,
    /// For sessions in which the user receives.
    pub download: Rules,
}

/// Everything decided and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// See [`ConfigFile`].
    pub docroot: PathBuf,
    /// The docroot is the default one and may be made.
    pub make_docroot: bool,
    /// See [`ConfigFile`].
    pub state: PathBuf,
    /// See [`ConfigFile`].
    pub bind: IpAddr,
    /// See [`ConfigFile`].
    pub http_bind: IpAddr,
    /// See [`ConfigFile`].
    pub data_port: u16,
    /// See [`ConfigFile`].
    pub api_port: u16,
    /// See [`ConfigFile`].
    pub http_port: u16,
    /// Certificate and key files.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// See [`ConfigFile`].
    pub max_sessions: usize,
    /// See [`ConfigFile`].
    pub max_sessions_per_address: usize,
    /// See [`ConfigFile`].
    pub max_connections: u32,
    /// See [`ConfigFile::login_seconds`].
    pub login: Duration,
    /// See [`ConfigFile::stall_seconds`].
    pub stall: Duration,
    /// See [`ConfigFile`].
    pub rate_cap: Option<RateKbps>,
    /// See [`ConfigFile::drain_seconds`].
    pub drain: Duration,
    /// See [`ConfigFile::fsync`].
    pub fsync: bool,
    /// See [`ConfigFile::content_protection`].
    pub content_protection: ContentProtection,
    /// See [`ConfigFile::ops_private`].
    pub ops_private: bool,
    /// See [`ConfigFile::token_hours`].
    pub token_life: Duration,
    /// The web application.
    pub web: Web,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// What holds for users made by command too.
    common: Common,
}

impl ConfigFile {
    /// Reads `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |reason: String| ConfigError::Read { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
        if size > MAX_FILE {
            return Err(error(format!("larger than {MAX_FILE} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        toml::from_str(&text).map_err(|e| error(e.to_string()))
    }
}

impl Settings {
    /// File under arguments. Hashes the passwords of `--user`: takes some 30 ms for each, so not on an async thread.
    pub fn new(file: ConfigFile, args: &ServeArgs) -> Result<Self, ConfigError> {
        let given_docroot = args.docroot.clone().or(file.docroot);
        let make_docroot = given_docroot.is_none();
        let docroot = given_docroot.map_or_else(default_docroot, Ok)?;
        let state = args.state.clone().or(file.state).map_or_else(StateDir::default_path, Ok)?;
        let certificate = match (file.certificate, file.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(value("key", "missing beside 'certificate'")),
            (None, Some(_)) => return Err(value("certificate", "missing beside 'key'")),
        };
        let max_sessions = at_least_one("max_sessions", file.max_sessions)?.unwrap_or(256);
        let max_sessions_per_address = at_least_one("max_sessions_per_address", file.max_sessions_per_address)?;
        let max_connections = file.max_connections_per_session.unwrap_or(8);
        if !(1..=MAX_CONNECTIONS).contains(&max_connections) {
            return Err(value("max_connections_per_session", format!("must be 1 to {MAX_CONNECTIONS}")));
        }
        let login = at_least_one("login_seconds", file.login_seconds)?.unwrap_or(15);
        let stall = at_least_one("stall_seconds", file.stall_seconds)?.unwrap_or(60);
        let token_hours = at_least_one("token_hours", file.token_hours)?.unwrap_or(24);
        if token_hours > MAX_TTL / 3600 {
            return Err(value("token_hours", format!("must be 1 to {}", MAX_TTL / 3600)));
        }
        if file.rate_cap == Some(RateKbps(0)) {
            return Err(value("rate_cap", "must be more than 0"));
        }
        file.upload.check("upload")?;
        file.download.check("download")?;
        let content_protection = file.content_protection;
        let common =
            Common { rate_cap: file.rate_cap, content_protection, upload: file.upload, download: file.download };
        let mut users = BTreeMap::new();
        for (name, user) in file.users {
            check_name(&name).map_err(|reason| value(&format!("users.{name}"), reason))?;
            let user = check_user(&name, user, &common)?;
            users.insert(name, user);
        }
        for given in &args.users {
            add_given(&mut users, given, &common)?;
        }
        Ok(Self {
            docroot,
            make_docroot,
            state,
            bind: args.bind.or(file.bind).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            http_bind: file.http_bind.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            data_port: args.data_port.or(file.data_port).unwrap_or(33001),
            api_port: args.api_port.or(file.api_port).unwrap_or(9092),
            http_port: args.http_port.or(file.http_port).unwrap_or(9091),
            certificate,
            max_sessions,
            max_sessions_per_address: max_sessions_per_address.unwrap_or(64),
            max_connections,
            login: Duration::from_secs(login),
            stall: Duration::from_secs(stall),
            rate_cap: common.rate_cap,
            drain: Duration::from_secs(file.drain_seconds.unwrap_or(30)),
            fsync: !args.no_fsync && file.fsync.unwrap_or(true),
            content_protection,
            ops_private: file.ops_private.unwrap_or(false),
            token_life: Duration::from_secs(token_hours * 3600),
            web: file.web.check(args.web_sdk.as_deref())?,
            users,
            common,
        })
    }

    /// A user made by command, under the same limits as those of the file.
    pub fn user_of(&self, name: &str, user: UserConfig) -> Result<User, ConfigError> {
        check_user(name, user, &self.common)
    }
}

/// What holds for every user.
#[derive(Clone, Debug)]
struct Common {
    rate_cap: Option<RateKbps>,
    content_protection: ContentProtection,
    upload: RateConfig,
    download: RateConfig,
}

fn at_least_one<T: Default + PartialEq>(key: &str, given: Option<T>) -> Result<Option<T>, ConfigError> {
    match given {
        Some(none) if none == T::default() => Err(value(key, "must be at least 1")),
        given => Ok(given),
    }
}

pub(crate) fn value(key: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), reason: reason.into() }
}

fn default_docroot() -> Result<PathBuf, ConfigError> {
    if let Some(home) = std::env::var_os("GODWIT_HOME").filter(|home| !home.is_empty()) {
        return Ok(PathBuf::from(home).join("files"));
    }
    let dirs = directories::ProjectDirs::from("io", "godwit", "godwit").ok_or(StateError::NoHome)?;
    Ok(dirs.data_local_dir().join("files"))
}

/// Whether this can be the name of a user or access key.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > MAX_USER || name.chars().any(|c| c.is_control() || c == ':') {
        return Err("a user name has 1 to 128 bytes and no colon or control character");
    }
    Ok(())
}

fn check_user(name: &str, user: UserConfig, common: &Common) -> Result<User, ConfigError> {
    let key = |key: &str| format!("users.{name}.{key}");
    let password = user
        .password_hash
        .as_deref()
        .map(Hash::parse)
        .transpose()
        .map_err(|e| value(&key("password_hash"), e.to_string()))?;
    let root = match user.docroot {
        None => UserRoot::Main,
        Some(path) if path.is_absolute() => {
            if !path.is_dir() {
                return Err(value(&key("docroot"), format!("{} is no folder", path.display())));
            }
            UserRoot::Absolute(path)
        }
        Some(path) => {
            let text = path.to_str().unwrap_or_default();
            let path = text.trim_end_matches('/').parse();
            UserRoot::Below(path.map_err(|e| value(&key("docroot"), format!("{text}: {e}")))?)
        }
    };
    for (rate, name) in [(user.rate_cap, "rate_cap"), (user.rate_default, "rate_default")] {
        if rate == Some(RateKbps(0)) {
            return Err(value(&key(name), "must be more than 0"));
        }
    }
    at_least_one(&key("max_sessions"), user.max_sessions)?;
    let rules = |table: &str, own: &RateConfig, all: &RateConfig| {
        own.check(&key(table))?;
        let default = RateConfig { target_default: user.rate_default, ..RateConfig::default() };
        let merged = own.or(&default).or(all);
        merged.check(&key(table))?;
        Ok::<Rules, ConfigError>(merged.rules([user.rate_cap, common.rate_cap]))
    };
    Ok(User {
        password,
        root,
        rights: Rights {
            view: user.read.unwrap_or(true),
            edit: user.write.unwrap_or(true),
            delete: user.delete.or(user.write).unwrap_or(true),
        },
        max_sessions: user.max_sessions,
        rate_cap: user.rate_cap,
        quota: user.quota,
        content_protection: user.content_protection.and(common.content_protection),
        upload: rules("upload", &user.upload, &common.upload)?,
        download: rules("download", &user.download, &common.download)?,
    })
}

/// `NAME:PASSWORD`: a new user with every right, or another password for a configured one.
fn add_given(users: &mut BTreeMap<String, User>, given: &Secret, common: &Common) -> Result<(), ConfigError> {
    let form = || ConfigError::User("write NAME:PASSWORD".into());
    let (name, password) = given.expose().split_once(':').ok_or_else(form)?;
    check_name(name).map_err(|reason| ConfigError::User(reason.into()))?;
    let hash = Hash::of(&Secret::new(password)).map_err(|e| ConfigError::Password(name.to_owned(), e))?;
    match users.get_mut(name) {
        Some(user) => user.password = Some(hash),
        None => {
            let user = check_user(name, UserConfig::default(), common)?;
            let user = User { password: Some(hash), ..user };
            users.insert(name.to_owned(), user);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(text: &str, users: &[&str]) -> Result<Settings, String> {
        let file: ConfigFile = toml::from_str(text).map_err(|e| e.to_string())?;
        let args = ServeArgs {
            docroot: Some("/tmp".into()),
            state: Some("/tmp/state".into()),
            users: users.iter().map(|u| Secret::new(*u)).collect(),
            ..ServeArgs::default()
        };
        Settings::new(file, &args).map_err(|e| e.to_string())
    }

    #[test]
    fn nothing_configured_gives_the_documented_defaults() {
        let settings = settings("", &[]).unwrap();
        assert_eq!((settings.data_port, settings.api_port, settings.http_port), (33001, 9092, 9091));
        assert!(settings.bind.is_unspecified() && settings.http_bind.is_loopback() && settings.users.is_empty());
        assert_eq!((settings.drain, settings.max_sessions), (Duration::from_secs(30), 256));
    }

    #[test]
    fn files_wait_for_the_disk_unless_somebody_says_otherwise() {
        assert!(settings("", &[]).unwrap().fsync);
        assert!(!settings("fsync = false", &[]).unwrap().fsync);
        let args = ServeArgs {
            docroot: Some("/tmp".into()),
            state: Some("/tmp/state".into()),
            no_fsync: true,
            ..ServeArgs::default()
        };
        assert!(!Settings::new(toml::from_str("fsync = true").unwrap(), &args).unwrap().fsync);
    }

    #[test]
    fn the_example_is_valid_with_every_line_turned_on() {
        let example = include_str!("../example.toml");
        settings(example, &[]).unwrap();
        let on: String = example
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .filter(|line| !line.starts_with("certificate") && !line.starts_with("key"))
            .fold(String::new(), |all, line| all + line + "\n");
        let settings = settings(&on, &[]).unwrap();
        assert_eq!((settings.users.len(), settings.drain), (2, Duration::from_secs(30)));
    }

    #[test]
    fn a_wrong_value_is_told_with_its_key() {
        for (text, key) in [
            ("colour = 1", "colour"),
            ("[users.ann]\npasword_hash = 'x'", "pasword_hash"),
            ("[users.ann]\npassword_hash = 'plain'", "users.ann.password_hash"),
            ("[users.ann]\ndocroot = '../up'", "users.ann.docroot"),
            ("[users.ann]\ndocroot = '/no/such/folder'", "users.ann.docroot"),
            ("[users.ann]\nrate_cap = 0", "users.ann.rate_cap"),
            ("[users.ann]\nrate_cap = 'fast'", "rate_cap"),
            ("[users.'a:b']", "users.a:b"),
            ("data_port = 70000", "data_port"),
            ("certificate = '/x'", "key"),
            ("max_sessions = 0", "max_sessions"),
            ("max_sessions_per_address = 0", "max_sessions_per_address"),
            ("stall_seconds = 0", "stall_seconds"),
            ("max_connections_per_session = 17", "max_connections_per_session"),
            ("rate_cap = 0", "rate_cap"),
            ("[upload]\ntarget_cap = 0", "upload.target_cap"),
            ("[download]\ntarget_cpa = 1", "target_cpa"),
            ("[users.ann]\nmax_sessions = 0", "users.ann.max_sessions"),
            ("[users.ann.download]\npolicy_allowed = []", "users.ann.download.policy_allowed"),
        ] {
            let error = settings(text, &[]).unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
    }

    #[test]
    fn what_the_server_asks_for_no_user_is_spared() {
        let optional = settings("[users.ann]\ncontent_protection = 'required'\n[users.bob]", &[]).unwrap();
        let required = |settings: &Settings, name: &str| settings.users[name].content_protection.is_required();
        assert!(required(&optional, "ann") && !required(&optional, "bob"));
        let all = "content_protection = 'required'\n[users.ann]\ncontent_protection = 'optional'";
        let all = settings(all, &["bob:pw"]).unwrap();
        assert!(required(&all, "ann") && required(&all, "bob"));
        assert!(all.user_of("eve", UserConfig::default()).unwrap().content_protection.is_required());
        assert!(settings("content_protection = 'yes'", &[]).unwrap_err().contains("content_protection"));
    }

    #[test]
    fn the_command_line_adds_users_and_changes_passwords_but_not_rights() {
        let settings = settings("[users.ann]\nwrite = false\nrate_cap = '10m'", &["ann:a:b", "bob:c"]).unwrap();
        let ann = settings.users.get("ann").unwrap();
        assert!(ann.password.is_some() && !ann.rights.edit && ann.rate_cap == Some(RateKbps(10_000)));
        assert!(settings.users.get("bob").unwrap().rights.edit);
        assert!(self::settings("", &["nobody"]).unwrap_err().contains("NAME:PASSWORD"));
        assert!(self::settings("", &["ann:"]).unwrap_err().contains("--user ann"));
    }
}
