//! The tables of an outbox file, and the settings its connection has.

use std::time::Duration;

use rusqlite::Connection;

use crate::file::Format;

/// What makes a file an outbox.
pub(super) const FORMAT: Format =
    Format { noun: "outbox", table: "batch", version: 1, create, upgrade: |_, _| Ok(()), write_ahead };
/// Marks a file as Weir's outbox: `weio` in ASCII.
const APPLICATION: i64 = 0x7765_696f;
/// Bytes to a page.
pub(super) const PAGE_BYTES: u64 = 8_192;
/// What is left of a log that was brought home.
const LOG_BYTES: i64 = 16 * 1024 * 1024;

/// `block` has one row for ever: what is in flight, or nothing. It is never inserted to, so that sealing needs no
/// room. `part` says how a block that was rejected was cut; its places are `seq << 24 | row`.
const TABLES: &str = "
    CREATE TABLE batch (
        seq INTEGER PRIMARY KEY,
        layout INTEGER NOT NULL,
        committed_at INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        plain_bytes INTEGER NOT NULL,
        packed_bytes INTEGER NOT NULL,
        calls BLOB,
        attempts BLOB,
        bodies BLOB,
        spans BLOB,
        scores BLOB
    ) STRICT;
    CREATE TABLE block (
        slot INTEGER PRIMARY KEY CHECK (slot = 1),
        id BLOB,
        first INTEGER,
        last INTEGER,
        sealed_at INTEGER
    ) STRICT;
    INSERT INTO block (slot) VALUES (1);
    CREATE TABLE part (
        id BLOB PRIMARY KEY,
        target TEXT NOT NULL,
        from_place INTEGER NOT NULL,
        to_place INTEGER NOT NULL,
        done INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE poisoned (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        layout INTEGER NOT NULL,
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        row BLOB NOT NULL
    ) STRICT;
";

/// Makes the tables of a new file. Page size and vacuum are set before the first table, or not at all.
fn create(db: &mut Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    write_ahead(db)?;
    let tx = db.transaction()?;
    tx.execute_batch(TABLES)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", FORMAT.version)?;
    tx.commit()
}

fn write_ahead(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    db.pragma_update(None, "cache_size", -4_096)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(())
}
