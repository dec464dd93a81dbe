//! Ids of files and folders that stay.
//!
//! An id belongs to an object and remembers its path. Moves through the server are told to it ([`moved`]). Moves behind
//! its back are noticed when the object is seen under its new path: device, inode and time of birth are the same, and at
//! the old path it is no more. New content under an old name (an upload replaces files whole) keeps the id of the name.

use super::Result;
use super::records::{FileId, Found, Identity, Placed};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// Numbers of the system fit 64 bits; the database's are signed.
#[allow(clippy::cast_possible_wrap)]
fn bits(number: u64) -> i64 {
    number as i64
}

fn same(identity: &Identity, device: i64, inode: i64, birth: i64) -> bool {
    bits(identity.device) == device && bits(identity.inode) == inode && identity.birth_ns == birth
}

pub(super) fn ids(connection: &mut Connection, tree: &str, found: &[Found]) -> Result<Vec<FileId>> {
    // Reading first: most of the time everything is known, and a reader waits for nobody.
    if let Some(known) = all_known(connection, tree, found)? {
        return Ok(known);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids = found.iter().map(|found| id(&transaction, tree, found)).collect::<Result<_>>()?;
    transaction.commit()?;
    Ok(ids)
}

fn all_known(connection: &Connection, tree: &str, found: &[Found]) -> Result<Option<Vec<FileId>>> {
    let mut ids = Vec::with_capacity(found.len());
    for one in found {
        match at_path(connection, tree, &one.path)? {
            Some((id, device, inode, birth)) if same(&one.identity, device, inode, birth) => ids.push(FileId(id)),
            _ => return Ok(None),
        }
    }
    Ok(Some(ids))
}

fn at_path(connection: &Connection, tree: &str, path: &str) -> Result<Option<(i64, i64, i64, i64)>> {
    let sql = "SELECT id, device, inode, birth FROM files WHERE tree = ?1 AND path = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row([tree, path], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)));
    Ok(row.optional()?)
}

fn id(transaction: &Transaction<'_>, tree: &str, found: &Found) -> Result<FileId> {
    let Found { path, identity } = found;
    let here = at_path(transaction, tree, path)?;
    if let Some((id, device, inode, birth)) = here
        && same(identity, device, inode, birth)
    {
        return Ok(FileId(id));
    }
    // Without a time of birth a deleted file's number may have come back as another file.
    if identity.birth_ns != 0
        && let Some((id, old)) = by_identity(transaction, tree, identity)?
    {
        if let Some((replaced, ..)) = here {
            transaction.execute("DELETE FROM files WHERE id = ?1", [replaced])?;
        }
        rename_rows(transaction, tree, &old, path)?;
        return Ok(FileId(id));
    }
    let values = params![tree, path, bits(identity.device), bits(identity.inode), identity.birth_ns];
    let sql = "INSERT INTO files (tree, path, device, inode, birth) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (tree, path) DO UPDATE SET device = excluded.device, inode = excluded.inode, \
               birth = excluded.birth RETURNING id";
    let mut statement = transaction.prepare_cached(sql)?;
    Ok(FileId(statement.query_row(values, |row| row.get(0))?))
}

/// Where this very object was seen before. Two names of one file (hard links) are two objects here: the caller has just
/// seen this one at another path, and the other is seen again when somebody looks there.
fn by_identity(transaction: &Transaction<'_>, tree: &str, identity: &Identity) -> Result<Option<(i64, String)>> {
    let sql = "SELECT id, path FROM files WHERE tree = ?1 AND inode = ?2 AND birth = ?3 AND device = ?4 LIMIT 1";
    let mut statement = transaction.prepare_cached(sql)?;
    let values = params![tree, bits(identity.inode), identity.birth_ns, bits(identity.device)];
    Ok(statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

pub(super) fn place(connection: &Connection, id: FileId) -> Result<Option<Placed>> {
    let mut statement = connection.prepare_cached("SELECT tree, path FROM files WHERE id = ?1")?;
    Ok(statement.query_row([id.0], |row| Ok(Placed { tree: row.get(0)?, path: row.get(1)? })).optional()?)
}

pub(super) fn moved(connection: &mut Connection, tree: &str, from: &str, to: &str) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    delete_rows(&transaction, tree, to)?;
    rename_rows(&transaction, tree, from, to)?;
    Ok(transaction.commit()?)
}

pub(super) fn removed(connection: &mut Connection, tree: &str, path: &str) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    delete_rows(&transaction, tree, path)?;
    Ok(transaction.commit()?)
}

/// Everything below `path` sorts between `path/` and `path0`: the digit follows the slash.
fn below(path: &str) -> (String, String) {
    if path.is_empty() { (String::new(), "\u{10ffff}".to_owned()) } else { (format!("{path}/"), format!("{path}0")) }
}

fn rename_rows(transaction: &Transaction<'_>, tree: &str, from: &str, to: &str) -> Result<()> {
    let (low, high) = below(from);
    // What the catalogue believed to lie at the new places is not there any more.
    let sql = "UPDATE OR REPLACE files SET path = ?2 || substr(path, length(?1) + 1) \
               WHERE tree = ?3 AND (path = ?1 OR (path >= ?4 AND path < ?5))";
    transaction.execute(sql, params![from, to, tree, low, high])?;
    Ok(())
}

fn delete_rows(transaction: &Transaction<'_>, tree: &str, path: &str) -> Result<()> {
    let (low, high) = below(path);
    let which = "tree = ?1 AND (path = ?2 OR (path >= ?3 AND path < ?4))";
    let values = params![tree, path, low, high];
    let sql = format!("DELETE FROM permissions WHERE file IN (SELECT id FROM files WHERE {which})");
    transaction.execute(&sql, values)?;
    transaction.execute(&format!("DELETE FROM files WHERE {which}"), params![tree, path, low, high])?;
    Ok(())
}
