//! The tables, version by version. What stands here once is never changed: a later form is another step.

/// Step *n* leads from version *n* to *n* + 1.
pub(super) const STEPS: &[&str] = &[
    "CREATE TABLE users (
        name TEXT PRIMARY KEY,
        config TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        body TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX keys_by_owner ON keys (owner, id);
     CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        expires INTEGER NOT NULL,
        body TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE revoked (
        id TEXT PRIMARY KEY,
        until INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     -- AUTOINCREMENT: a number is never given twice, or permissions would pass to another file.
     CREATE TABLE files (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tree TEXT NOT NULL,
        path TEXT NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        birth INTEGER NOT NULL,
        UNIQUE (tree, path)
     ) STRICT;
     CREATE INDEX files_by_identity ON files (tree, inode, birth, device);
     CREATE TABLE permissions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        file INTEGER NOT NULL,
        access_type TEXT NOT NULL,
        access_id TEXT NOT NULL,
        levels TEXT NOT NULL,
        created INTEGER NOT NULL,
        UNIQUE (key, file, access_type, access_id)
     ) STRICT;
     -- Ids of transfers are their clients' own: one owner's never meet another's.
     CREATE TABLE transfers (
        id TEXT NOT NULL,
        owner TEXT NOT NULL,
        status TEXT NOT NULL,
        start_usec INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (owner, id)
     ) STRICT;
     CREATE INDEX transfers_by_start ON transfers (owner, start_usec, id);
     CREATE INDEX transfers_by_status ON transfers (status);
     CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL
     ) STRICT;
     CREATE INDEX events_by_owner ON events (owner, id);",
    // Users and keys may demand encrypted files. No table changes: the number keeps builds away that would read such a record and
    // let other files in all the same.
    "",
];

/// What this build knows.
pub(super) const VERSION: i64 = STEPS.len() as i64;
