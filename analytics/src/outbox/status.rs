//! What waits in an outbox file, read from the file itself: also while a gateway writes it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{open, poison, schema};
use crate::OpenError;
use crate::outbox::PoisonedRow;
use crate::store::OutboxCondition;

/// Returns what waits in the outbox file at `path`, and the newest of its poisoned rows, at most so many. What only
/// the gateway's process knows (rows shipped, trouble) is left empty.
pub fn status(path: &Path, poisoned: u32) -> Result<(OutboxCondition, Vec<PoisonedRow>), OpenError> {
    let unavailable =
        |error: rusqlite::Error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    look_over(&db, path)?;
    read(&db, poisoned).map_err(unavailable)
}

fn look_over(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let unavailable =
        |error: rusqlite::Error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() };
    let is_ours = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
    let tables: i64 = db.query_row(is_ours, [schema::FORMAT.table], |row| row.get(0)).map_err(unavailable)?;
    if tables == 0 {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unavailable)?;
    if found > schema::FORMAT.version {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::FORMAT.version });
    }
    Ok(())
}

fn read(db: &Connection, poisoned: u32) -> rusqlite::Result<(OutboxCondition, Vec<PoisonedRow>)> {
    let size = open::size(db)?;
    let count = db.query_row("SELECT count(*) FROM poisoned", [], |row| row.get::<_, i64>(0))?;
    let condition = OutboxCondition {
        rows: size.rows,
        bytes: size.packed_bytes,
        oldest: size.oldest,
        poisoned: count as u64,
        ..OutboxCondition::default()
    };
    Ok((condition, poison::list(db, poisoned)?))
}
