//! Rows that the destination refuses for what is in them: kept aside with the reason, until somebody looks.

use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter};
use serde::Serialize;
use vocab::{Id, Time};

use super::batch::{Rows, Table};
use super::block::{Block, Piece};
use super::figures::{Added, Size};
use super::open::{self, Open};
use super::{BlockId, Outbox};
use crate::store::Unavailable;

/// So many rows are kept aside; with more, blocks wait as if the destination were away, because by then it is
/// hardly the rows.
const MOST_ROWS: u64 = 10_000;
/// Of a reason, so many bytes are kept.
const REASON_BYTES: usize = 1_000;

/// A row that the destination refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoisonedRow {
    /// Its number, for retrying or dropping it.
    pub id: i64,
    /// The table it was meant for.
    pub table: Table,
    /// Which columns it has.
    pub layout: u32,
    /// When it was refused.
    pub at: Time,
    /// Why.
    pub reason: String,
    /// The row as it was sent.
    #[serde(skip)]
    pub row: Vec<u8>,
}

/// Which poisoned rows are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// The one with this number.
    One(i64),
}

impl Which {
    fn sql(self) -> (&'static str, Option<i64>) {
        match self {
            Self::All => ("TRUE", None),
            Self::One(id) => ("id = ?1", Some(id)),
        }
    }
}

impl Outbox {
    /// Returns the poisoned rows, the newest first, at most so many.
    pub fn poisoned(&self, limit: u32) -> Result<Vec<PoisonedRow>, Unavailable> {
        self.0.write(|open| list(&open.db, limit))
    }

    /// Sends poisoned rows once more, after whatever was wrong with them or their table was mended; returns how
    /// many that are.
    pub fn retry_poisoned(&self, which: Which) -> Result<u64, Unavailable> {
        let mut retried = 0;
        // Row by row, so that the writer gets its turn and memory has a bound.
        let (mut after, last) = match which {
            Which::All => (0, i64::MAX),
            Which::One(id) => (id - 1, id),
        };
        while let Some(row) = self.0.write(|open| first_after(&open.db, after, last))? {
            after = row.id;
            self.recommit(&row)?;
            retried += 1;
        }
        Ok(retried)
    }

    /// Deletes poisoned rows; returns how many there were.
    pub fn drop_poisoned(&self, which: Which) -> Result<u64, Unavailable> {
        let (condition, id) = which.sql();
        let sql = format!("DELETE FROM poisoned WHERE {condition}");
        let dropped = self.0.write(|open| {
            open.db.execute(&sql, params_from_iter(id.map(Value::Integer))).map(|rows| rows as u64)
        })?;
        let mut figures = self.0.figures();
        figures.poisoned = figures.poisoned.saturating_sub(dropped);
        Ok(dropped)
    }

    /// Sets one row aside. False when too many are there already.
    pub(crate) fn set_poisoned(
        &self,
        block: &Block,
        piece: &Piece,
        reason: &str,
    ) -> Result<bool, Unavailable> {
        if self.0.figures().poisoned >= MOST_ROWS {
            return Ok(false);
        }
        let reason = shortened(reason);
        let row = block.plain(piece)?;
        // A block of one row is no part yet. Tables of a block share its id, and parts do not share theirs.
        let part = if block.is_part(piece) { piece.id } else { Id::new(&self.0.clock) };
        self.0.write(|open| open.set_poisoned(block.layout, (part, piece.table), &row, reason))?;
        self.0.figures().poisoned += 1;
        tracing::error!(
            table = piece.table.as_str(),
            reason,
            "a record was refused by the store and set aside"
        );
        Ok(true)
    }

    fn recommit(&self, row: &PoisonedRow) -> Result<(), Unavailable> {
        let packed = Rows { bytes: row.row.clone(), ends: vec![row.row.len()] }.pack();
        let mut tables = [const { None }; 5];
        let size = Size {
            rows: u64::from(row.table.is_counted()),
            plain_bytes: row.row.len() as u64,
            packed_bytes: packed.len() as u64,
            oldest: Some(self.0.clock.now()),
        };
        tables[row.table as usize] = Some(packed);
        let added = self.0.write(|open| open.recommit(row, &size, &tables))?;
        let mut figures = self.0.figures();
        figures.poisoned = figures.poisoned.saturating_sub(1);
        figures.add(&added, &self.0.clock);
        drop(figures);
        self.0.arrived.notify_one();
        Ok(())
    }
}

impl Open {
    fn set_poisoned(
        &mut self,
        layout: u32,
        (part, table): (BlockId, Table),
        row: &[u8],
        reason: &str,
    ) -> rusqlite::Result<()> {
        let at = self.clock.now();
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached(
            "INSERT INTO poisoned (target, layout, at, reason, row) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![table.as_str(), layout, at.micros(), reason, row])?;
        tx.prepare_cached(
            "INSERT INTO part (id, target, from_place, to_place, done) VALUES (?1, ?2, 0, 0, 1)
             ON CONFLICT (id) DO UPDATE SET done = 1",
        )?
        .execute(params![part.bytes(), table.as_str()])?;
        tx.commit()
    }

    fn recommit(
        &mut self,
        row: &PoisonedRow,
        size: &Size,
        tables: &open::PackedTables,
    ) -> rusqlite::Result<Added> {
        let seq = self.next;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        open::insert(&tx, seq, row.layout, size, tables)?;
        tx.prepare_cached("DELETE FROM poisoned WHERE id = ?1")?.execute([row.id])?;
        tx.commit()?;
        self.next = seq + 1;
        Ok(Added { size: *size, last: seq })
    }
}

/// The poisoned rows of a file, the newest first.
pub(super) fn list(db: &Connection, limit: u32) -> rusqlite::Result<Vec<PoisonedRow>> {
    let sql = "SELECT id, target, layout, at, reason, row FROM poisoned ORDER BY id DESC LIMIT ?1";
    db.prepare_cached(sql)?.query_map([limit], read)?.collect()
}

fn first_after(db: &Connection, after: i64, last: i64) -> rusqlite::Result<Option<PoisonedRow>> {
    let sql = "SELECT id, target, layout, at, reason, row FROM poisoned
               WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1";
    db.prepare_cached(sql)?.query_map([after, last], read)?.next().transpose()
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<PoisonedRow> {
    let target: String = row.get(1)?;
    Ok(PoisonedRow {
        id: row.get(0)?,
        table: Table::from_word(&target).ok_or(rusqlite::Error::InvalidQuery)?,
        layout: row.get(2)?,
        at: Time(row.get(3)?),
        reason: row.get(4)?,
        row: row.get(5)?,
    })
}

/// The beginning of a reason, cut between characters.
fn shortened(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or(reason)
}
