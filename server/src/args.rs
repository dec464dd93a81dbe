//! The command line of `godwit-server`.

use crate::config::ContentProtection;
use crate::quota::ByteCount;
use clap::{Parser, Subcommand, ValueEnum};
use godwit_protocol::spec::Direction;
use godwit_protocol::{RateKbps, Secret};
use std::net::IpAddr;
use std::path::PathBuf;

/// Godwit's transfer server.
///
/// Runs with defaults alone: makes and keeps a self-signed certificate, prints one line `ready … fingerprint=SHA256:…`
/// when it accepts connections, logs to standard error (RUST_LOG or GODWIT_LOG), drains on SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "godwit-server", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings for serving.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What there is besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Users who do not stand in the configuration file
    #[command(subcommand)]
    User(UserCommand),
    /// Access keys of web applications
    #[command(subcommand)]
    Key(KeyCommand),
    /// Transfer tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read a password from standard input and print its hash for the configuration file
    HashPassword,
    /// Say whether a server would start with this configuration, without opening a port
    CheckConfig(ServeArgs),
}

/// Where the catalogue lies.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AdminArgs {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE", env = "GODWIT_SERVER_CONFIG")]
    pub config: Option<PathBuf>,
    /// State folder of the server
    #[arg(long, value_name = "DIR", env = "GODWIT_SERVER_STATE")]
    pub state: Option<PathBuf>,
}

/// One thing by its name.
#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// Its name or id
    #[arg(allow_hyphen_values = true)]
    pub name: String,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// What there is to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a user; the password is read from standard input
    Add(AddUser),
    /// Print name, rights, way of login and origin of each user
    List(AdminArgs),
    /// Remove a user and all access keys of the user
    Remove(OneArgs),
    /// Change a password; it is read from standard input
    Passwd(OneArgs),
    /// Change how many bytes may lie in the user's folder
    Quota(QuotaArgs),
    /// Change whether the user's files must come encrypted
    Encryption(EncryptionArgs),
}

/// Another quota.
#[derive(Debug, clap::Args)]
pub struct QuotaArgs {
    /// Its name or id
    #[arg(allow_hyphen_values = true)]
    pub name: String,
    /// 500m, 10g, 2t, or 'none'
    #[arg(value_name = "SIZE", value_parser = quota)]
    pub quota: NewQuota,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// Another requirement.
#[derive(Debug, clap::Args)]
pub struct EncryptionArgs {
    /// Its name or id
    #[arg(allow_hyphen_values = true)]
    pub name: String,
    /// Files that are not encrypted at rest are refused, or not
    #[arg(value_enum)]
    pub content_protection: ContentProtection,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// A quota, or none.
#[derive(Clone, Copy, Debug)]
pub struct NewQuota(pub Option<ByteCount>);

fn quota(text: &str) -> Result<NewQuota, String> {
    if text == "none" { Ok(NewQuota(None)) } else { text.parse().map(|bytes| NewQuota(Some(bytes))) }
}

/// A new user.
#[derive(Debug, clap::Args)]
pub struct AddUser {
    /// Name
    pub name: String,
    /// Absolute: this folder, which must exist. Relative: below the main docroot, made when needed [default: the main
    /// docroot]
    #[arg(long, value_name = "DIR")]
    pub docroot: Option<PathBuf>,
    /// May not browse and download
    #[arg(long)]
    pub no_read: bool,
    /// May not upload, make folders, rename; nor delete
    #[arg(long)]
    pub no_write: bool,
    /// May not delete
    #[arg(long)]
    pub no_delete: bool,
    /// All sessions of the user together are no faster than this: kbit/s, or with k, m, g
    #[arg(long, value_name = "RATE")]
    pub rate_cap: Option<RateKbps>,
    /// Sessions at once
    #[arg(long, value_name = "N")]
    pub max_sessions: Option<usize>,
    /// Uploads end when so many bytes lie in the user's folder: 500m, 10g, 2t
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<ByteCount>,
    /// The user's files must come encrypted at rest; others are refused
    #[arg(long)]
    pub require_encryption: bool,
    /// The user comes with tokens only
    #[arg(long)]
    pub no_password: bool,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// What there is to do with access keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make an access key and print its id and secret; the secret is not shown again
    Add(AddKey),
    /// Print id, owner, folder and rights of each key
    List(AdminArgs),
    /// Remove a key and its permissions
    Remove(OneArgs),
    /// Change how many bytes may lie in the key's folder
    Quota(QuotaArgs),
    /// Change whether files must come encrypted with this key
    Encryption(EncryptionArgs),
}

/// A new access key.
#[derive(Debug, clap::Args)]
pub struct AddKey {
    /// The user it belongs to, whose docroot and limits hold
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// Folder in the user's root that is the key's root
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub path: String,
    /// Id [default: a random one]
    #[arg(long)]
    pub id: Option<String>,
    /// May not browse and download
    #[arg(long)]
    pub no_read: bool,
    /// May not upload, make folders, rename
    #[arg(long)]
    pub no_write: bool,
    /// May not delete
    #[arg(long)]
    pub no_delete: bool,
    /// Uploads end when so many bytes lie in the key's folder: 500m, 10g, 2t; the user's own quota holds too
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<ByteCount>,
    /// Files must come encrypted at rest with this key; others are refused
    #[arg(long)]
    pub require_encryption: bool,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// Settings for serving; each wins over the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "GODWIT_SERVER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder that users see [default: $GODWIT_HOME/files, else godwit/files in the user's data folder]
    #[arg(long, value_name = "DIR", env = "GODWIT_SERVER_DOCROOT")]
    pub docroot: Option<PathBuf>,
    /// A user with every right on the docroot; may be repeated. Others on this machine can read arguments: for
    /// lasting users write a hash into the configuration file instead
    #[arg(long = "user", value_name = "NAME:PASSWORD", value_parser = secret)]
    pub users: Vec<Secret>,
    /// Address of the data and API ports [default: 0.0.0.0]; plain HTTP stays on this machine
    #[arg(long, value_name = "ADDR", env = "GODWIT_SERVER_BIND")]
    pub bind: Option<IpAddr>,
    /// UDP port for data and TCP port that answers port tests [default: 33001]; 0 = any
    #[arg(long, value_name = "PORT", env = "GODWIT_SERVER_DATA_PORT")]
    pub data_port: Option<u16>,
    /// HTTPS port of the API [default: 9092]; 0 = any
    #[arg(long, value_name = "PORT", env = "GODWIT_SERVER_API_PORT")]
    pub api_port: Option<u16>,
    /// Plain HTTP port of the API [default: 9091]; 0 = any
    #[arg(long, value_name = "PORT", env = "GODWIT_SERVER_HTTP_PORT")]
    pub http_port: Option<u16>,
    /// The vendor's Connect SDK (connect-sdk.js), or its folder, for the web application at "/"
    #[arg(long, value_name = "PATH", env = "GODWIT_SERVER_WEB_SDK")]
    pub web_sdk: Option<PathBuf>,
    /// Do not wait for the disk before a received file gets its name: faster, but a power cut may lose files that were
    /// reported as complete
    #[arg(long)]
    pub no_fsync: bool,
    /// Folder for certificate and keys [default: $GODWIT_HOME/server, else godwit/server in the user's data folder]
    #[arg(long, value_name = "DIR", env = "GODWIT_SERVER_STATE")]
    pub state: Option<PathBuf>,
}

/// What there is to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print a token that allows one user one direction on certain paths for a time
    #[command(alias = "issue")]
    Add(IssueArgs),
    /// Print id, user, direction, paths, end (unix seconds) and state of each token made by 'add' that has not expired
    List(AdminArgs),
    /// Make a token worthless before its time, by its id
    Remove(OneArgs),
}

/// What a token shall allow.
#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    /// On whose behalf
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// Seen from the client: send = upload, receive = download
    #[arg(long)]
    pub direction: DirectionArg,
    /// File or folder (with everything below) in the user's root; "/" = the whole root
    #[arg(long = "path", value_name = "PATH", required = true, num_args = 1..)]
    pub paths: Vec<String>,
    /// How long it lives: a number with s, m, h or d
    #[arg(long, default_value = "1d", value_parser = seconds)]
    pub ttl: u64,
    /// Where the catalogue lies
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// A direction as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DirectionArg {
    /// Upload
    Send,
    /// Download
    Receive,
}

impl From<DirectionArg> for Direction {
    fn from(direction: DirectionArg) -> Self {
        match direction {
            DirectionArg::Send => Self::Send,
            DirectionArg::Receive => Self::Receive,
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // the shape that clap wants
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Reads `90`, `90s`, `15m`, `12h`, `7d`.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| "write a number with s, m, h or d, such as 12h".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_secrets_do_not_print() {
        Args::command().debug_assert();
        let args = Args::parse_from(["godwit-server", "--user", "ann:hunter2", "--data-port", "0"]);
        assert!(!format!("{args:?}").contains("hunter2"));
        assert_eq!(args.serve.users.first().unwrap().expose(), "ann:hunter2");
    }

    #[test]
    fn durations_are_read() {
        for (text, expected) in [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for bad in ["", "d", "-1", "1w", "1.5h", "99999999999999999999d", "999999999999999999d", "5µ"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
