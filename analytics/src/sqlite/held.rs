//! How many calls a records file holds, asked of the file itself: also while a gateway writes it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::OpenError;

/// Returns about how many calls the records file at `path` holds: what was deleted in between is counted.
pub fn held_calls(path: &Path) -> Result<u64, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Counting rows would read all of a large file.
    let span = "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM call";
    Connection::open_with_flags(path, flags)
        .and_then(|db| db.query_row(span, [], |row| row.get::<_, i64>(0)))
        .map(|calls| u64::try_from(calls).unwrap_or_default())
        .map_err(|error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() })
}
