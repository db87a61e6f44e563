//! Room that deletions left, given back to the disk.
//!
//! Deleted rows leave empty pages, which new rows fill again; a file shrinks only when it is asked to. Pages are
//! moved from its end into the holes a few at a time, and the writer gets its turn in between. Files that version 1
//! began cannot be shrunk piece by piece: they are written anew once, in one go, which also makes them shrink piece
//! by piece from then on. Meanwhile records wait in memory, so that is only done to files of some size.

use std::time::Duration;

use rusqlite::Connection;
use vocab::Clock;

use super::{CLOSED, Open, Turns, Writing};
use crate::store::QueryError;

/// How long one step should take; steps grow and shrink to come near it.
const STEP_TIME: Duration = Duration::from_millis(20);
/// Pages moved in the first step.
const FIRST_PAGES: i64 = 32;
/// Pages moved in the longest.
const MOST_PAGES: i64 = 256;
/// A file begun by version 1 that is longer than this is not written anew.
const ANEW_BYTES: i64 = 1024 * 1024 * 1024;

/// Pages of a file.
struct Pages {
    /// Bytes to each.
    bytes: i64,
    all: i64,
    free: i64,
}

impl Pages {
    fn of(db: &Connection) -> rusqlite::Result<Self> {
        let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(Self { bytes: number("page_size")?, all: number("page_count")?, free: number("freelist_count")? })
    }
}

/// Gives back what is free and says how many bytes that was.
pub(super) fn all(writing: &Turns, clock: &Clock) -> Result<u64, QueryError> {
    let mut freed = 0;
    let mut pages = FIRST_PAGES;
    loop {
        let mut guard = writing.take();
        let Writing::Open(open) = &mut *guard else { return Err(QueryError::Unavailable(CLOSED.into())) };
        let begun = clock.monotonic();
        let step = step(open, pages)?;
        freed += step.unwrap_or_default();
        if step.is_none_or(|bytes| bytes == 0) {
            return Ok(freed);
        }
        let took = clock.monotonic().saturating_sub(begun);
        pages = if took > STEP_TIME { (pages / 2).max(1) } else { (pages + FIRST_PAGES).min(MOST_PAGES) };
    }
}

/// Gives back so many pages, or all of them in a file that shrinks in one go only; `None` when that was all.
fn step(open: &Open, pages: i64) -> Result<Option<u64>, QueryError> {
    let unavailable = |error: rusqlite::Error| QueryError::Unavailable(error.to_string());
    let db = &open.appender.db;
    let before = Pages::of(db).map_err(unavailable)?;
    if before.free == 0 {
        return Ok(None);
    }
    let piecewise: i64 = db.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).map_err(unavailable)?;
    if piecewise == 0 {
        anew(db, &before)?;
    } else {
        give_back(db, pages).map_err(unavailable)?;
    }
    open.checkpointer.note();
    let after = Pages::of(db).map_err(unavailable)?;
    Ok(Some(((before.all - after.all) * before.bytes).max(0) as u64))
}

/// Moves so many pages; the statement gives one row for each and has to be read to its end.
fn give_back(db: &Connection, pages: i64) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Writes a file anew.
fn anew(db: &Connection, pages: &Pages) -> Result<(), QueryError> {
    if pages.all * pages.bytes > ANEW_BYTES {
        let words = "this file was begun by an older weir and is too long to be written anew while it serves: stop \
                     weir and run `PRAGMA auto_vacuum = INCREMENTAL; VACUUM;` on it with sqlite3";
        return Err(QueryError::Unavailable(words.to_owned()));
    }
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
        .map_err(|error| QueryError::Unavailable(error.to_string()))
}
