//! What an administrator does by command: users, access keys and tokens in the catalogue, and a look at the configuration.
//!
//! A running server needs not be told: it looks into the catalogue at every login.

use crate::access::unix_now;
use crate::account::user_path;
use crate::args::{
    AddKey, AddUser, AdminArgs, EncryptionArgs, IssueArgs, KeyCommand, QuotaArgs, ServeArgs, TokenCommand, UserCommand,
};
use crate::catalogue::{AccessKey, Catalogue, Sqlite, StoredUser, TokenRecord};
use crate::certificate::Identity;
use crate::config::{ConfigFile, ContentProtection, Settings, UserConfig, check_name};
use crate::node_path::NodePath;
use crate::password::Hash;
use crate::quota::ByteCount;
use crate::random_word;
use crate::rights::Rights;
use crate::state::StateDir;
use crate::token::{Grant, TokenKey};
use godwit_protocol::Secret;
use serde_json::json;
use std::error::Error;
use std::io::{BufRead, Read};

/// Result of a command; the error is one line for a person.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Longest password that is read from a pipe, bytes.
const MAX_INPUT: u64 = 64 * 1024;

/// Reads one line from standard input; a terminal is asked for it.
fn password() -> Result<Secret, Box<dyn Error>> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        eprint!("Password: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().take(MAX_INPUT).read_line(&mut line)?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

/// `hash-password`.
pub fn hash_password() -> Outcome {
    println!("{}", Hash::of(&password()?)?.as_str());
    Ok(())
}

/// The settings that a server with this file and state folder has.
fn settings(args: &AdminArgs) -> Result<Settings, Box<dyn Error>> {
    let file = args.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
    let serve = ServeArgs { state: args.state.clone(), config: args.config.clone(), ..ServeArgs::default() };
    Ok(Settings::new(file, &serve)?)
}

fn open(args: &AdminArgs) -> Result<(Settings, StateDir, Sqlite), Box<dyn Error>> {
    let settings = settings(args)?;
    let state = StateDir::open(&settings.state)?;
    if let Some(words) = Sqlite::loss(&state) {
        eprintln!("godwit-server: {words}");
    }
    let catalogue = Sqlite::open(&state)?;
    Ok((settings, state, catalogue))
}

/// `user …`.
pub fn user(command: UserCommand) -> Outcome {
    match command {
        UserCommand::Add(add) => add_user(&add),
        UserCommand::List(args) => {
            let (settings, _, catalogue) = open(&args)?;
            for (name, user) in &settings.users {
                let password = if user.password.is_some() { "password" } else { "tokens only" };
                let limits = limits(user.quota, user.content_protection);
                println!("{name}\t{}\t{password}\tconfiguration{limits}", rights(user.rights));
            }
            for StoredUser { name, config } in catalogue.users()? {
                let password = if config.password_hash.is_some() { "password" } else { "tokens only" };
                let limits = limits(config.quota, config.content_protection);
                let user = settings.user_of(&name, config);
                let rights = user.map_or_else(|error| format!("unusable: {error}"), |user| rights(user.rights));
                println!("{name}\t{rights}\t{password}\tcatalogue{limits}");
            }
            Ok(())
        }
        UserCommand::Remove(one) => {
            let (settings, _, catalogue) = open(&one.admin)?;
            not_configured(&settings, &one.name)?;
            found(catalogue.remove_user(&one.name)?, "user", &one.name)
        }
        UserCommand::Passwd(one) => {
            let (settings, _, catalogue) = open(&one.admin)?;
            not_configured(&settings, &one.name)?;
            let Some(user) = catalogue.user(&one.name)? else { return found(false, "user", &one.name) };
            let password_hash = Some(Hash::of(&password()?)?.as_str().to_owned());
            let config = UserConfig { password_hash, ..user.config };
            Ok(catalogue.put_user(&StoredUser { name: one.name, config }, true)?)
        }
        UserCommand::Quota(QuotaArgs { name, quota, admin }) => {
            let (settings, _, catalogue) = open(&admin)?;
            not_configured(&settings, &name)?;
            let Some(user) = catalogue.user(&name)? else { return found(false, "user", &name) };
            let config = UserConfig { quota: quota.0, ..user.config };
            Ok(catalogue.put_user(&StoredUser { name, config }, true)?)
        }
        UserCommand::Encryption(EncryptionArgs { name, content_protection, admin }) => {
            let (settings, _, catalogue) = open(&admin)?;
            not_configured(&settings, &name)?;
            let Some(user) = catalogue.user(&name)? else { return found(false, "user", &name) };
            let config = UserConfig { content_protection, ..user.config };
            Ok(catalogue.put_user(&StoredUser { name, config }, true)?)
        }
    }
}

fn add_user(add: &AddUser) -> Outcome {
    let (settings, _, catalogue) = open(&add.admin)?;
    check_name(&add.name)?;
    not_configured(&settings, &add.name)?;
    let password_hash = if add.no_password { None } else { Some(Hash::of(&password()?)?.as_str().to_owned()) };
    let config = UserConfig {
        password_hash,
        docroot: add.docroot.clone(),
        read: add.no_read.then_some(false),
        write: add.no_write.then_some(false),
        delete: add.no_delete.then_some(false),
        rate_cap: add.rate_cap,
        max_sessions: add.max_sessions,
        quota: add.quota,
        content_protection: protection(add.require_encryption),
        ..UserConfig::default()
    };
    // What the server would refuse to use is refused here.
    settings.user_of(&add.name, config.clone())?;
    Ok(catalogue.put_user(&StoredUser { name: add.name.clone(), config }, false)?)
}

fn not_configured(settings: &Settings, name: &str) -> Outcome {
    if settings.users.contains_key(name) {
        return Err(format!("'{name}' stands in the configuration file: change it there").into());
    }
    Ok(())
}

fn found(done: bool, what: &str, name: &str) -> Outcome {
    if done { Ok(()) } else { Err(format!("there is no {what} '{name}'").into()) }
}

fn protection(required: bool) -> ContentProtection {
    if required { ContentProtection::Required } else { ContentProtection::Optional }
}

/// Columns more for those who have them.
fn limits(size: Option<ByteCount>, protection: ContentProtection) -> String {
    let protection = if protection.is_required() { "\tencrypted files only" } else { "" };
    format!("{}{protection}", quota(size))
}

fn quota(quota: Option<ByteCount>) -> String {
    quota.map_or_else(String::new, |quota| format!("\tquota {quota}"))
}

fn rights(rights: Rights) -> String {
    let names: Vec<_> = rights.names().collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(",") }
}

/// `key …`.
pub fn key(command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::Add(add) => add_key(&add),
        KeyCommand::List(args) => {
            for key in open(&args)?.2.keys(None)? {
                let limits = limits(key.quota, key.content_protection);
                println!("{}\t{}\t/{}\t{}{limits}", key.id, key.owner, key.path, rights(key.rights));
            }
            Ok(())
        }
        KeyCommand::Quota(QuotaArgs { name, quota, admin }) => {
            let catalogue = open(&admin)?.2;
            let Some(key) = catalogue.key(&name)? else { return found(false, "access key", &name) };
            Ok(catalogue.put_key(&AccessKey { quota: quota.0, ..key }, true)?)
        }
        KeyCommand::Encryption(EncryptionArgs { name, content_protection, admin }) => {
            let catalogue = open(&admin)?.2;
            let Some(key) = catalogue.key(&name)? else { return found(false, "access key", &name) };
            Ok(catalogue.put_key(&AccessKey { content_protection, ..key }, true)?)
        }
        KeyCommand::Remove(one) => found(open(&one.admin)?.2.remove_key(&one.name)?, "access key", &one.name),
    }
}

fn add_key(add: &AddKey) -> Outcome {
    let (settings, _, catalogue) = open(&add.admin)?;
    if !settings.users.contains_key(&add.user) && catalogue.user(&add.user)?.is_none() {
        return found(false, "user", &add.user);
    }
    let id = add.id.clone().map_or_else(random_word::id, Ok)?;
    check_name(&id)?;
    not_configured(&settings, &id)?;
    let secret = random_word::secret()?;
    let key = AccessKey {
        id,
        owner: add.user.clone(),
        secret_hash: Hash::of(&Secret::new(secret.as_str()))?.as_str().to_owned(),
        path: NodePath::parse(&add.path)?.as_str().to_owned(),
        rights: Rights { view: !add.no_read, edit: !add.no_write, delete: !add.no_delete },
        verification_key: None,
        name: String::new(),
        configuration: json!({}),
        quota: add.quota,
        content_protection: protection(add.require_encryption),
        created: unix_now(),
    };
    catalogue.put_key(&key, false)?;
    println!("{}\t{secret}", key.id);
    Ok(())
}

/// `token …`.
pub fn token(command: TokenCommand) -> Outcome {
    match command {
        TokenCommand::Add(issue) => issue_token(&issue),
        TokenCommand::List(args) => {
            for token in open(&args)?.2.tokens(unix_now())? {
                let TokenRecord { id, user, direction, paths, expires, revoked } = token;
                let paths: Vec<_> = paths.iter().map(|path| format!("/{path}")).collect();
                let state = if revoked { "revoked" } else { "good" };
                println!("{id}\t{user}\t{direction}\t{}\t{expires}\t{state}", paths.join(" "));
            }
            Ok(())
        }
        TokenCommand::Remove(one) => {
            let catalogue = open(&one.admin)?.2;
            let known = catalogue.tokens(unix_now())?.into_iter().find(|token| token.id == one.name);
            // Those of set-ups are not written down; the log has their ids.
            let until = known.map_or_else(|| unix_now() + crate::token::MAX_TTL, |token| token.expires);
            Ok(catalogue.revoke(&one.name, until)?)
        }
    }
}

fn issue_token(args: &IssueArgs) -> Outcome {
    let (_, state, catalogue) = open(&args.admin)?;
    let key = TokenKey::load_or_make(&state)?;
    let paths = args.paths.iter().map(|path| user_path(path)).collect::<Result<Vec<_>, _>>()?;
    let direction = args.direction.into();
    let grant = Grant::new(&args.user, direction, &paths, unix_now(), args.ttl)?;
    let token = key.sign(&grant)?;
    catalogue.put_token(&TokenRecord {
        id: grant.id,
        user: grant.user,
        direction: if direction == godwit_protocol::spec::Direction::Send { "send" } else { "receive" }.into(),
        paths: grant.paths,
        expires: grant.expires,
        revoked: false,
    })?;
    println!("{}", token.expose());
    Ok(())
}

/// `check-config`: everything that can be found wrong without opening a port.
pub fn check_config(args: &ServeArgs) -> Outcome {
    let file = args.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
    let settings = Settings::new(file, args)?;
    if !settings.make_docroot && !settings.docroot.is_dir() {
        return Err(format!("docroot {}: is not a folder", settings.docroot.display()).into());
    }
    if let Some((certificate, key)) = &settings.certificate {
        let identity = Identity::from_files(certificate, key)?;
        crate::serve::tls_config(&identity)?;
    }
    println!("the configuration is good: {} users in it", settings.users.len());
    Ok(())
}
