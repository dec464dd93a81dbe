//! Users made by command, and what is known of tokens.

use super::records::{StoredUser, TokenRecord};
use super::{CatalogueError, Result};
use crate::config::UserConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record's JSON.
pub(super) fn write<T: Serialize>(record: &T) -> Result<String> {
    serde_json::to_string(record).map_err(|e| CatalogueError::Record(e.to_string()))
}

/// Reads what [`write`] made.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| CatalogueError::Record(e.to_string()))
}

/// Unix seconds as the database keeps numbers.
pub(super) fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// Users and keys share one name space: a token names either.
pub(super) fn name_is_taken(transaction: &Transaction<'_>, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1) OR EXISTS (SELECT 1 FROM keys WHERE id = ?1)";
    Ok(transaction.query_row(sql, [name], |row| row.get(0))?)
}

pub(super) fn user(connection: &Connection, name: &str) -> Result<Option<StoredUser>> {
    let mut statement = connection.prepare_cached("SELECT config FROM users WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    text.map(|text| Ok(StoredUser { name: name.to_owned(), config: read::<UserConfig>(&text)? })).transpose()
}

pub(super) fn users(connection: &Connection) -> Result<Vec<StoredUser>> {
    let mut statement = connection.prepare_cached("SELECT name, config FROM users ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (name, text) = row?;
        Ok(StoredUser { name, config: read(&text)? })
    })
    .collect()
}

pub(super) fn put_user(connection: &mut Connection, user: &StoredUser, replace: bool) -> Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if !replace && name_is_taken(&transaction, &user.name)? {
        return Err(CatalogueError::Exists(user.name.clone()));
    }
    let sql =
        "INSERT INTO users (name, config) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET config = excluded.config";
    transaction.execute(sql, params![user.name, write(&user.config)?])?;
    Ok(transaction.commit()?)
}

pub(super) fn remove_user(connection: &mut Connection, name: &str) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let gone = transaction.execute("DELETE FROM users WHERE name = ?1", [name])?;
    transaction.execute("DELETE FROM permissions WHERE key IN (SELECT id FROM keys WHERE owner = ?1)", [name])?;
    transaction.execute("DELETE FROM keys WHERE owner = ?1", [name])?;
    transaction.commit()?;
    Ok(gone > 0)
}

pub(super) fn put_token(connection: &Connection, token: &TokenRecord) -> Result<()> {
    // Those that have expired are of no more interest to anybody.
    let sql = "INSERT OR REPLACE INTO tokens (id, expires, body) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![token.id, seconds(token.expires), write(token)?])?;
    Ok(())
}

pub(super) fn tokens(connection: &Connection, now: u64) -> Result<Vec<TokenRecord>> {
    let sql = "SELECT body, EXISTS (SELECT 1 FROM revoked WHERE revoked.id = tokens.id) FROM tokens \
               WHERE expires > ?1 ORDER BY expires, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([seconds(now)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?;
    rows.map(|row| {
        let (text, revoked) = row?;
        Ok(TokenRecord { revoked, ..read(&text)? })
    })
    .collect()
}

pub(super) fn revoke(connection: &Connection, id: &str, until: u64) -> Result<()> {
    let sql = "INSERT INTO revoked (id, until) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET until = max(until, ?2)";
    connection.execute(sql, params![id, seconds(until)])?;
    Ok(())
}

pub(super) fn is_revoked(connection: &Connection, id: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM revoked WHERE id = ?1)")?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}
