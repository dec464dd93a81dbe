//! The catalogue on SQLite, in the state folder: opening, checking and migrating it.

use super::schema::{STEPS, VERSION};
use super::{CatalogueError, FILE, Result};
use crate::state::StateDir;
use crate::token;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Another process of ours (a command of the administrator) may hold the database for a moment.
const BUSY: Duration = Duration::from_secs(10);
/// NFS, SMB and CIFS as the kernel names them: shared memory and locks do not do there what SQLite needs.
const NETWORK: [u64; 3] = [0x6969, 0x517b, 0xff53_4d42];

/// The database of one machine.
#[derive(Debug)]
pub struct Sqlite {
    /// Every commit is on the disk when it returns.
    durable: Mutex<Connection>,
    /// Commits survive a kill, not a power cut: for what can be found again.
    quick: Mutex<Connection>,
}

impl Sqlite {
    /// What to tell the administrator before [`Self::open`] makes a new catalogue in a folder that had one.
    #[must_use]
    pub fn loss(state: &StateDir) -> Option<String> {
        let path = state.path().join(FILE);
        let used = state.path().join(token::FILE).exists();
        (used && path.symlink_metadata().is_err()).then(|| {
            format!(
                "{} is gone: a new and empty one is made. Users and keys made by command are lost. To have them back, stop the \
                 server and restore the file from a backup",
                path.display()
            )
        })
    }

    /// Opens the catalogue in the state folder; made on first use, migrated if it is an older one.
    pub fn open(state: &StateDir) -> Result<Self> {
        let path = state.path().join(FILE);
        refuse_network(state.path())?;
        if !path.try_exists().map_err(io_error(&path))? {
            refuse_orphaned_log(&path)?;
            make(state.path(), &path)?;
        }
        check_head(&path)?;
        let mut durable = connect(&path)?;
        migrate(&mut durable, &path)?;
        durable.pragma_update(None, "synchronous", "FULL")?;
        let quick = connect(&path)?;
        quick.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { durable: Mutex::new(durable), quick: Mutex::new(quick) })
    }

    pub(super) fn durable(&self) -> MutexGuard<'_, Connection> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change that opens or closes doors. Afterwards the file itself has it, not its log alone: who loses the log, as by
    /// restoring or copying the one file, must not get back who was removed, or lose who was added.
    pub(super) fn settled<T>(&self, change: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.durable();
        let done = change(&mut connection)?;
        // Waits for nobody; what somebody just reads comes with the next one.
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "a change stays in the catalogue's log for now");
        }
        Ok(done)
    }

    pub(super) fn quick(&self) -> MutexGuard<'_, Connection> {
        self.quick.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CatalogueError + '_ {
    move |source| CatalogueError::Io { path: path.to_owned(), source }
}

fn refuse_network(folder: &Path) -> Result<()> {
    let found = rustix::fs::statfs(folder).map_err(|e| io_error(folder)(e.into()))?;
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // its type and sign differ between targets
    let kind = found.f_type as u64 & 0xffff_ffff;
    if NETWORK.contains(&kind) { Err(CatalogueError::Network(folder.to_owned())) } else { Ok(()) }
}

/// The log of a catalogue that is gone would be played into the new one, page by page.
fn refuse_orphaned_log(path: &Path) -> Result<()> {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    if log.symlink_metadata().is_ok() { Err(CatalogueError::Orphaned { path: path.to_owned(), log }) } else { Ok(()) }
}

/// The file appears under its name only when it is whole, so an empty one is never ours and never taken for a new one.
fn make(folder: &Path, path: &Path) -> Result<()> {
    let random = getrandom::u64().map_err(|e| io_error(path)(io::Error::other(e.to_string())))?;
    let temporary = folder.join(format!(".{FILE}.{random:016x}"));
    let made = (|| {
        let mut connection = Connection::open(&temporary)?;
        apply(&mut connection, 0)?;
        connection.close().map_err(|(_, error)| error)?;
        let file = std::fs::File::open(&temporary).map_err(io_error(&temporary))?;
        file.sync_all().map_err(io_error(&temporary))?;
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        file.set_permissions(mode).map_err(io_error(&temporary))?;
        match std::fs::hard_link(&temporary, path) {
            // Of two servers that start at once one makes the file and both use it.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_error(path)(error)),
            _ => Ok(()),
        }
    })();
    let _ = std::fs::remove_file(&temporary);
    made?;
    std::fs::File::open(folder).and_then(|dir| dir.sync_all()).map_err(io_error(folder))
}

/// SQLite would take an empty file for a new database.
fn check_head(path: &Path) -> Result<()> {
    let mut head = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
    match read {
        Ok(()) if &head == b"SQLite format 3\0" => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(io_error(path)(error)),
        _ => Err(CatalogueError::Damaged { path: path.to_owned(), reason: "not a database".into() }),
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // The state folder may be reached by a link; the file itself may not be one.
    let path = path.parent().and_then(|p| p.canonicalize().ok()).map_or(path.to_owned(), |p| p.join(FILE));
    let connection = Connection::open_with_flags(&path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(|e| damaged(&path, &e))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| damaged(path, &e))?;
    if version > VERSION {
        return Err(CatalogueError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| damaged(path, &e))?;
    if found != "ok" || version < 1 {
        let reason = if version < 1 { "it has no tables".to_owned() } else { found };
        return Err(CatalogueError::Damaged { path: path.to_owned(), reason });
    }
    if version < VERSION {
        let backup = PathBuf::from(format!("{}.version-{version}", path.display()));
        if !backup.exists() {
            back_up(connection, path, &backup)?;
        }
        tracing::info!(from = version, to = VERSION, backup = %backup.display(), "the catalogue gets a newer form");
        apply(connection, version)?;
    }
    Ok(())
}

/// A copy as of now. It has its name only when it is whole; of two processes that make one at once either may win.
fn back_up(connection: &Connection, path: &Path, backup: &Path) -> Result<()> {
    let random = getrandom::u64().map_err(|e| io_error(backup)(io::Error::other(e.to_string())))?;
    let temporary = path.with_file_name(format!(".{FILE}.{random:016x}"));
    let made = (|| {
        connection.execute("VACUUM INTO ?1", [temporary.to_string_lossy()])?;
        let file = std::fs::File::open(&temporary).map_err(io_error(&temporary))?;
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        file.set_permissions(mode).map_err(io_error(&temporary))?;
        file.sync_all().map_err(io_error(&temporary))?;
        std::fs::rename(&temporary, backup).map_err(io_error(backup))
    })();
    let _ = std::fs::remove_file(&temporary);
    made
}

fn damaged(path: &Path, error: &rusqlite::Error) -> CatalogueError {
    CatalogueError::Damaged { path: path.to_owned(), reason: error.to_string() }
}

fn apply(connection: &mut Connection, from: i64) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Another process may have been faster.
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version.max(from)).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}
