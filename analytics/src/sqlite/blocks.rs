//! Calls in blocks of 128 or so by arrival: when those of a block started, and what may be found in them.
//!
//! The last block is open. Its filter is in memory only, and is made again from the stored calls when the file
//! is opened, so a search always reads the calls of the open block.

use rusqlite::{Connection, Row as SqlRow, Transaction, params};

use super::bodies::Unpacker;
use super::columns::{self, Column, Fields};
use super::grams::Grams;
use super::marks::{self, Stored};
use crate::folding;
use crate::row::Said;

/// The most calls in a block.
const BLOCK_CALLS: u32 = 128;
/// Room kept for folded text from one call to the next.
const FOLDED_BYTES: usize = 64 * 1024;

const CLOSED_TO: &str = "SELECT last FROM block ORDER BY first DESC LIMIT 1";
const LAST_CALL: &str = "SELECT seq FROM call ORDER BY seq DESC LIMIT 1";
const CALLS: &str = "SELECT c.seq, c.id, c.fields, c.metadata, c.variables, b.dictionary, b.packed
                          FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq
                          WHERE c.seq BETWEEN ?1 AND ?2 ORDER BY c.seq LIMIT 100000";
const ADD_BLOCK: &str = "INSERT INTO block (first, last, started_min, started_max) VALUES (?1, ?2, ?3, ?4)";
const ADD_GRAM: &str = "INSERT INTO gram (first, filter) VALUES (?1, ?2)";

/// The open block.
pub(super) struct Tail {
    /// The last call in a closed block.
    closed_to: i64,
    last: i64,
    calls: u32,
    started_min: i64,
    started_max: i64,
    grams: Grams,
    folded: Vec<u8>,
}

/// The last call in a closed block; 0 when there is none.
pub(super) fn closed_to(db: &Connection) -> rusqlite::Result<i64> {
    last_or_zero(db, CLOSED_TO)
}

fn last_or_zero(db: &Connection, sql: &str) -> rusqlite::Result<i64> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    rows.next()?.map_or(Ok(0), |row| row.get(0))
}

impl Tail {
    fn after(closed_to: i64) -> Self {
        Self {
            closed_to,
            last: closed_to,
            calls: 0,
            started_min: i64::MAX,
            started_max: i64::MIN,
            grams: Grams::new(),
            folded: Vec::new(),
        }
    }

    /// Makes the open block again from the calls in the file.
    pub(super) fn read(db: &Connection, unpacker: &mut Unpacker) -> rusqlite::Result<Self> {
        let closed_to = closed_to(db)?;
        let mut tail = Self::between(db, unpacker, closed_to + 1, i64::MAX)?;
        // Deleting calls must never make a number be used twice.
        tail.last = tail.last.max(last_or_zero(db, LAST_CALL)?);
        Ok(tail)
    }

    /// Makes a block of some of the calls in the file.
    fn between(db: &Connection, unpacker: &mut Unpacker, first: i64, last: i64) -> rusqlite::Result<Self> {
        let mut tail = Self::after(first - 1);
        let mut calls = db.prepare_cached(CALLS)?;
        let mut rows = calls.query([first, last])?;
        while let Some(row) = rows.next()? {
            let stored = stored(row)?;
            let said = said(row, &stored.fields, unpacker)?;
            tail.add(row.get(0)?, &stored, &said);
        }
        Ok(tail)
    }

    /// Makes the block anew, now that calls in it were deleted.
    pub(super) fn read_again(&self, db: &Connection, unpacker: &mut Unpacker) -> rusqlite::Result<Self> {
        let tail = Self::read(db, unpacker)?;
        Ok(Self { last: tail.last.max(self.last), ..tail })
    }

    /// The number the next call gets.
    pub(super) const fn next_seq(&self) -> i64 {
        self.last + 1
    }

    /// Whether the block should be closed.
    pub(super) const fn is_full(&self) -> bool {
        self.calls >= BLOCK_CALLS || self.grams.is_full()
    }

    /// Takes in one call.
    pub(super) fn add(&mut self, seq: i64, call: &Stored<'_>, said: &Said) {
        let started = call.fields.int(Column::StartedAt).unwrap_or_default();
        self.last = seq;
        self.calls += 1;
        self.started_min = self.started_min.min(started);
        self.started_max = self.started_max.max(started);
        marks::leave(call, |mark| self.grams.add_word(mark));
        self.folded.clear();
        self.folded.shrink_to(FOLDED_BYTES);
        fold_said(said, &mut self.folded);
        self.grams.add_text(&self.folded);
    }

    /// Closes the block and begins the next.
    pub(super) fn close(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let first = self.closed_to + 1;
        tx.prepare_cached(ADD_BLOCK)?.execute(params![
            first,
            self.last,
            self.started_min,
            self.started_max
        ])?;
        tx.prepare_cached(ADD_GRAM)?.execute(params![first, self.grams.to_bytes()])?;
        *self = Self::after(self.last);
        Ok(())
    }
}

/// Makes the filter of a closed block anew, so that nothing of calls that were deleted is left in it.
pub(super) fn filter_again(
    tx: &Transaction<'_>,
    unpacker: &mut Unpacker,
    first: i64,
    last: i64,
) -> rusqlite::Result<()> {
    let filter = Tail::between(tx, unpacker, first, last)?.grams.to_bytes();
    tx.prepare_cached("UPDATE gram SET filter = ?2 WHERE first = ?1")?.execute(params![first, filter])?;
    Ok(())
}

fn fold_said(said: &Said, out: &mut Vec<u8>) {
    folding::fold_into(&said.request, out);
    out.push(folding::BETWEEN);
    folding::fold_into(&said.response, out);
}

/// What was said in a stored call, folded: the request, then the answer. Rows begin with the columns of [`CALLS`].
pub(super) fn folded_said(
    row: &SqlRow<'_>,
    fields: &Fields<'_>,
    unpacker: &mut Unpacker,
) -> rusqlite::Result<Vec<u8>> {
    let mut folded = Vec::new();
    fold_said(&said(row, fields, unpacker)?, &mut folded);
    Ok(folded)
}

fn said(row: &SqlRow<'_>, fields: &Fields<'_>, unpacker: &mut Unpacker) -> rusqlite::Result<Said> {
    let dictionary: Option<i64> = row.get(5)?;
    let (Some(dictionary), Some(packed)) = (dictionary, row.get_ref(6)?.as_blob_or_null()?) else {
        return Ok(Said::default());
    };
    let bodies = unpacker.unpack(dictionary, packed).unwrap_or_default();
    Ok(bodies.said(columns::endpoint(fields)))
}

/// A stored call; rows begin with `seq, id, fields, metadata, variables`.
pub(super) fn stored<'r>(row: &'r SqlRow<'_>) -> rusqlite::Result<Stored<'r>> {
    Ok(Stored {
        id: row.get(1)?,
        fields: Fields::read_all(row.get_ref(2)?.as_str()?),
        metadata: row.get_ref(3)?.as_str_or_null()?,
        variables: row.get_ref(4)?.as_str_or_null()?,
    })
}
