//! Old calls deleted, a block at a time so that nothing else waits long.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use vocab::Time;

const OLD_BLOCK: &str = "SELECT first, last, started_max FROM block WHERE started_min < ?1 LIMIT 1";
const OLD_CALLS: &str = "SELECT seq FROM call WHERE seq BETWEEN ?1 AND ?2 AND fields ->> '$[0]' < ?3";

/// Deletes the old calls of one closed block; `None` when no block has any.
pub(super) fn block(db: &mut Connection, before: Time) -> rusqlite::Result<Option<u64>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let Some((first, last, started_max)) = tx.query_row(OLD_BLOCK, [before.0], old).optional()? else {
        return Ok(None);
    };
    let deleted = delete(&tx, first, last, before)?;
    if started_max < before.0 {
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
    let first = super::blocks::closed_to(&tx)? + 1;
    let deleted = delete(&tx, first, i64::MAX, before)?;
    tx.commit()?;
    Ok(deleted)
}

fn delete(db: &Connection, first: i64, last: i64, before: Time) -> rusqlite::Result<u64> {
    let bodies = format!("DELETE FROM body WHERE seq IN ({OLD_CALLS})");
    db.execute(&bodies, params![first, last, before.0])?;
    let calls = format!("DELETE FROM call WHERE seq IN ({OLD_CALLS})");
    Ok(db.execute(&calls, params![first, last, before.0])? as u64)
}
