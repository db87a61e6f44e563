//! Old calls deleted, a block at a time so that nothing else waits long.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use vocab::Time;

use super::blocks::closed_to;

const OLD_BLOCK: &str = "SELECT first, last, started_max < ?1 FROM block WHERE started_min < ?1 LIMIT 1";
/// Calls that started before `?3`, or any when that is null.
const OLD_BODIES: &str = "DELETE FROM body WHERE seq IN (SELECT seq FROM call WHERE seq BETWEEN ?1 AND ?2
                          AND (?3 IS NULL OR fields ->> '$[0]' < ?3))";
const OLD_CALLS: &str = "DELETE FROM call WHERE seq BETWEEN ?1 AND ?2
                         AND (?3 IS NULL OR fields ->> '$[0]' < ?3)";

/// Deletes the old calls of one closed block; `None` when no block has any.
pub(super) fn block(db: &mut Connection, before: Time) -> rusqlite::Result<Option<u64>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?));
    let Some((first, last, whole)) = tx.query_row(OLD_BLOCK, [before.0], old).optional()? else {
        return Ok(None);
    };
    let deleted = delete(&tx, first, last, (!whole).then_some(before))?;
    if whole {
        tx.execute("DELETE FROM block WHERE first = ?1", [first])?;
        tx.execute("DELETE FROM gram WHERE first = ?1", [first])?;
    } else {
        tx.execute("UPDATE block SET started_min = ?2 WHERE first = ?1", params![first, before.0])?;
    }
    tx.commit()?;
    Ok(Some(deleted))
}

/// Deletes the old calls that are in no closed block yet.
pub(super) fn open_block(db: &mut Connection, before: Time) -> rusqlite::Result<u64> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let deleted = delete(&tx, closed_to(&tx)? + 1, i64::MAX, Some(before))?;
    tx.commit()?;
    Ok(deleted)
}

fn delete(db: &Connection, first: i64, last: i64, before: Option<Time>) -> rusqlite::Result<u64> {
    let which = params![first, last, before.map(Time::micros)];
    db.prepare_cached(OLD_BODIES)?.execute(which)?;
    Ok(db.prepare_cached(OLD_CALLS)?.execute(which)? as u64)
}
