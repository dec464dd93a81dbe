//! Access keys and the permissions below them.

use super::people::{name_is_taken, read, seconds, write};
use super::records::{AccessKey, FileId, Permission};
use super::{CatalogueError, Result};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

/// Keys of one owner. Whoever needs more makes permissions.
const MAX_KEYS: i64 = 1_000;
/// Permissions of one key: every request with a bearer token reads them.
const MAX_PERMISSIONS: i64 = 10_000;

pub(super) fn key(connection: &Connection, id: &str) -> Result<Option<AccessKey>> {
    let mut statement = connection.prepare_cached("SELECT body FROM keys WHERE id = ?1")?;
    let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
    text.map(|text| read(&text)).transpose()
}

pub(super) fn keys(connection: &Connection, owner: Option<&str>) -> Result<Vec<AccessKey>> {
    let mut statement =
        connection.prepare_cached("SELECT body FROM keys WHERE ?1 IS NULL OR owner = ?1 ORDER BY id")?;
    let rows = statement.query_map([owner], |row| row.get::<_, String>(0))?;
    rows.map(|row| read(&row?)).collect()
}

pub(super) fn put_key(connection: &mut Connection, key: &AccessKey, replace: bool) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !replace {
        if name_is_taken(&transaction, &key.id)? {
            return Err(CatalogueError::Exists(key.id.clone()));
        }
        let have: i64 =
            transaction.query_row("SELECT count(*) FROM keys WHERE owner = ?1", [&key.owner], |r| r.get(0))?;
        if have >= MAX_KEYS {
            return Err(CatalogueError::Full("access keys of this user"));
        }
    }
    let sql = "INSERT INTO keys (id, owner, body) VALUES (?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, body = excluded.body";
    transaction.execute(sql, params![key.id, key.owner, write(key)?])?;
    Ok(transaction.commit()?)
}

pub(super) fn remove_key(connection: &mut Connection, id: &str) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let gone = transaction.execute("DELETE FROM keys WHERE id = ?1", [id])?;
    transaction.execute("DELETE FROM permissions WHERE key = ?1", [id])?;
    transaction.commit()?;
    Ok(gone > 0)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Permission> {
    let levels: String = row.get("levels")?;
    let created: i64 = row.get("created")?;
    Ok(Permission {
        id: row.get("id")?,
        key: row.get("key")?,
        file: FileId(row.get("file")?),
        access_type: row.get("access_type")?,
        access_id: row.get("access_id")?,
        levels: levels.split(' ').filter(|level| !level.is_empty()).map(str::to_owned).collect(),
        created: u64::try_from(created).unwrap_or(0),
    })
}

pub(super) fn put_permission(connection: &mut Connection, new: &Permission) -> Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT count(*) FROM permissions WHERE key = ?1";
    let have: i64 = transaction.query_row(sql, [&new.key], |row| row.get(0))?;
    if new.id == 0 && have >= MAX_PERMISSIONS {
        return Err(CatalogueError::Full("permissions of this access key"));
    }
    // One for each file and person: a second one of the same is the first one changed.
    let sql = "INSERT INTO permissions (id, key, file, access_type, access_id, levels, created) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
               ON CONFLICT (key, file, access_type, access_id) DO UPDATE SET levels = excluded.levels \
               ON CONFLICT (id) DO UPDATE SET levels = excluded.levels RETURNING id";
    let id = (new.id != 0).then_some(new.id);
    let values =
        params![id, new.key, new.file.0, new.access_type, new.access_id, new.levels.join(" "), seconds(new.created)];
    let id = transaction.query_row(sql, values, |row| row.get(0))?;
    transaction.commit()?;
    Ok(id)
}

pub(super) fn permission(connection: &Connection, key: &str, id: i64) -> Result<Option<Permission>> {
    let mut statement = connection.prepare_cached("SELECT * FROM permissions WHERE key = ?1 AND id = ?2")?;
    Ok(statement.query_row(params![key, id], from_row).optional()?)
}

pub(super) fn permissions(connection: &Connection, key: &str) -> Result<Vec<Permission>> {
    let mut statement = connection.prepare_cached("SELECT * FROM permissions WHERE key = ?1 ORDER BY id")?;
    let rows = statement.query_map([key], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn remove_permission(connection: &Connection, key: &str, id: i64) -> Result<bool> {
    Ok(connection.execute("DELETE FROM permissions WHERE key = ?1 AND id = ?2", params![key, id])? > 0)
}
