//! Transfers and events.

use super::Result;
use super::people::{read, seconds, write};
use super::records::{Event, TransferQuery, TransferRecord};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde_json::{Value, json};

/// Events kept of all owners together; the oldest go first.
const MAX_EVENTS: i64 = 100_000;
/// Ended transfers kept of all owners together.
const MAX_TRANSFERS: i64 = 100_000;
/// The surplus is looked for once in so many.
const TRIM_EVERY: i64 = 1_000;

fn from_row(row: &Row<'_>) -> rusqlite::Result<(TransferRecord, String)> {
    let record = TransferRecord {
        id: row.get("id")?,
        owner: row.get("owner")?,
        status: row.get("status")?,
        start_usec: row.get("start_usec")?,
        body: Value::Null,
    };
    Ok((record, row.get("body")?))
}

fn whole((record, body): (TransferRecord, String)) -> Result<TransferRecord> {
    Ok(TransferRecord { body: read(&body)?, ..record })
}

pub(super) fn put_transfer(connection: &Connection, transfer: &TransferRecord) -> Result<()> {
    let sql = "INSERT INTO transfers (id, owner, status, start_usec, body) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (owner, id) DO UPDATE SET status = excluded.status, body = excluded.body";
    let mut statement = connection.prepare_cached(sql)?;
    let TransferRecord { id, owner, status, start_usec, body } = transfer;
    statement.execute(params![id, owner, status, start_usec, write(body)?])?;
    let count: i64 = connection.query_row("SELECT count(*) FROM transfers", [], |row| row.get(0))?;
    if count > MAX_TRANSFERS && count % TRIM_EVERY == 0 {
        let sql = "DELETE FROM transfers WHERE rowid IN (SELECT rowid FROM transfers WHERE status NOT IN ('waiting', 'running') \
                   ORDER BY start_usec LIMIT ?1)";
        connection.execute(sql, [count - MAX_TRANSFERS])?;
    }
    Ok(())
}

pub(super) fn transfer(connection: &Connection, owner: &str, id: &str) -> Result<Option<TransferRecord>> {
    let mut statement = connection.prepare_cached("SELECT * FROM transfers WHERE owner = ?1 AND id = ?2")?;
    statement.query_row([owner, id], from_row).optional()?.map(whole).transpose()
}

pub(super) fn transfers(connection: &Connection, query: &TransferQuery) -> Result<Vec<TransferRecord>> {
    let (usec, id) = query.before.clone().map_or((i64::MAX, String::new()), |(usec, id)| (usec, id));
    let sql = "SELECT * FROM transfers WHERE owner = ?1 AND (start_usec < ?2 OR (start_usec = ?2 AND id < ?3)) \
               AND (NOT ?4 OR status IN ('waiting', 'running')) ORDER BY start_usec DESC, id DESC LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let count = i64::try_from(query.count).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![query.owner, usec, id, query.active_only, count], from_row)?;
    rows.map(|row| whole(row?)).collect()
}

pub(super) fn close_transfers(connection: &mut Connection, now_usec: i64, why: &str) -> Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let open: Vec<_> = {
        let mut statement = transaction.prepare("SELECT * FROM transfers WHERE status IN ('waiting', 'running')")?;
        let rows = statement.query_map([], from_row)?;
        rows.map(|row| whole(row?)).collect::<Result<_>>()?
    };
    for TransferRecord { id, owner, mut body, .. } in open.iter().cloned() {
        if let Value::Object(fields) = &mut body {
            fields.insert("status".into(), json!("failed"));
            fields.insert("error_code".into(), json!(39));
            fields.insert("error_desc".into(), json!(why));
            fields.insert("end_time_usec".into(), json!(now_usec));
        }
        let sql = "UPDATE transfers SET status = 'failed', body = ?3 WHERE owner = ?1 AND id = ?2";
        transaction.execute(sql, params![owner, id, write(&body)?])?;
    }
    transaction.commit()?;
    Ok(open.len())
}

pub(super) fn add_event(connection: &Connection, event: &Event) -> Result<()> {
    let sql = "INSERT INTO events (owner, at, kind, body) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![event.owner, seconds(event.at), event.kind, write(&event.body)?])?;
    let last = connection.last_insert_rowid();
    if last % TRIM_EVERY == 0 {
        connection.execute("DELETE FROM events WHERE id <= ?1", [last - MAX_EVENTS])?;
    }
    Ok(())
}

pub(super) fn events(connection: &Connection, owner: &str, after: i64, count: usize) -> Result<Vec<Event>> {
    let sql = "SELECT id, at, kind, body FROM events WHERE owner = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![owner, after, count], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    })?;
    rows.map(|row| {
        let (id, at, kind, body) = row?;
        let at = u64::try_from(at).unwrap_or(0);
        Ok(Event { id, owner: owner.to_owned(), at, kind, body: read(&body)? })
    })
    .collect()
}
