//! Stored calls read block by block and held against a plan: what every question about many calls is made of.

use rusqlite::{CachedStatement, Connection, Row as SqlRow, params};
use vocab::Time;

use super::blocks::{self, folded_said};
use super::bodies::Unpacker;
use super::columns::{Column, Fields};
use super::marks::Stored;
use super::plan::Plan;
use crate::store::{Cursor, Search};

/// Blocks that overlap a time, newest first.
pub(super) const BLOCKS: &str = "SELECT first, last, started_max FROM block
                                 WHERE started_max >= ?1 AND started_min <= ?2 ORDER BY started_max DESC";
/// Those of them that are in the roll-ups.
const ROLLED: &str = "SELECT first, last, started_max FROM block
                      WHERE started_max >= ?1 AND started_min <= ?2 AND rolled = 1 ORDER BY started_max DESC";
/// Those that are not, in any order.
const UNROLLED: &str = "SELECT first, last, started_max FROM block INDEXED BY block_unrolled
                        WHERE rolled = 0 AND started_max >= ?1 AND started_min <= ?2";
const FILTER: &str = "SELECT filter FROM gram WHERE first = ?1 LIMIT 1";
const CALLS: &str = "SELECT seq, id, fields, metadata, variables FROM call
                     WHERE seq BETWEEN ?1 AND ?2";
const CALL: &str = "SELECT c.seq, c.id, c.fields, c.metadata, c.variables, b.dictionary, b.packed
                    FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq WHERE c.seq = ?1 LIMIT 1";

/// The stretch of time that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) from: i64,
    pub(super) before: Cursor,
}

impl Wanted {
    /// What a search leaves to look at.
    pub(super) fn by(search: &Search) -> Self {
        let all = Self::without_cursor(search);
        Self { before: search.cursor.map_or(all.before, |cursor| cursor.min(all.before)), ..all }
    }

    /// All that a search is about, pages already seen included.
    pub(super) fn without_cursor(search: &Search) -> Self {
        Self::between(search.from.map_or(i64::MIN, Time::micros), search.to.map_or(i64::MAX, Time::micros))
    }

    /// From a time, itself included, to another, itself excluded.
    pub(super) const fn between(from: i64, to: i64) -> Self {
        Self { from, before: Cursor { started: to, id: 0 } }
    }

    pub(super) fn holds(&self, place: Cursor) -> bool {
        place.started >= self.from && place < self.before
    }
}

/// Calls next to each other by arrival.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) first: i64,
    pub(super) last: i64,
    /// No call in it started later.
    pub(super) started_max: i64,
    pub(super) open: bool,
}

impl Block {
    pub(super) fn open(db: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { first: blocks::closed_to(db)? + 1, last: i64::MAX, started_max: i64::MAX, open: true })
    }

    /// Reads a closed block; rows begin with `first, last, started_max`.
    pub(super) fn read(row: &SqlRow<'_>) -> rusqlite::Result<Self> {
        Ok(Self { first: row.get(0)?, last: row.get(1)?, started_max: row.get(2)?, open: false })
    }
}

/// Reads the calls of blocks.
pub(super) struct Scan<'c> {
    filter: CachedStatement<'c>,
    calls: CachedStatement<'c>,
}

impl<'c> Scan<'c> {
    pub(super) fn prepare(db: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self { filter: db.prepare_cached(FILTER)?, calls: db.prepare_cached(CALLS)? })
    }

    /// Gives every call of a block that is wanted and matches by its columns to `see`, with its number and place.
    pub(super) fn each(
        &mut self,
        plan: &Plan,
        wanted: Wanted,
        block: Block,
        mut see: impl FnMut(i64, Cursor, &Stored<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        if !block.open && plan.sees_blocks() && !self.may_match(block, plan)? {
            return Ok(());
        }
        let mut rows = self.calls.query(params![block.first, block.last])?;
        while let Some(row) = rows.next()? {
            // A row that cannot be read is no reason to find nothing.
            let Ok(text) = row.get_ref(2)?.as_str() else { continue };
            let fields = Fields::read(text, plan.last);
            let id: [u8; 16] = row.get(1)?;
            let started = fields.int(Column::StartedAt).unwrap_or_default();
            let place = Cursor { started, id: u128::from_be_bytes(id) };
            if !wanted.holds(place) {
                continue;
            }
            let given = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
            let (metadata, variables) = if plan.needs_given { (given(3), given(4)) } else { (None, None) };
            let call = Stored { id, fields, metadata, variables };
            if plan.matches_columns(&call) {
                see(row.get(0)?, place, &call)?;
            }
        }
        Ok(())
    }

    /// Whether a closed block's filter leaves the search possible; a block without one may hold anything.
    fn may_match(&mut self, block: Block, plan: &Plan) -> rusqlite::Result<bool> {
        let mut rows = self.filter.query([block.first])?;
        let Some(row) = rows.next()? else { return Ok(true) };
        Ok(plan.may_match_block(row.get_ref(0)?.as_blob().unwrap_or_default()))
    }
}

/// Reads what was said in calls.
pub(super) struct Texts<'c>(CachedStatement<'c>);

impl<'c> Texts<'c> {
    pub(super) fn prepare(db: &'c Connection) -> rusqlite::Result<Self> {
        db.prepare_cached(CALL).map(Self)
    }

    /// Whether a call's texts are what is sought, if any are.
    pub(super) fn fit(&mut self, seq: i64, plan: &Plan, unpacker: &mut Unpacker) -> rusqlite::Result<bool> {
        if !plan.needs_texts() {
            return Ok(true);
        }
        let mut rows = self.0.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let fields = Fields::read(row.get_ref(2)?.as_str().unwrap_or_default(), Column::Endpoint);
        Ok(plan.matches_texts(&folded_said(row, &fields, unpacker)?))
    }
}

/// Which blocks are walked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Closed blocks that are in the roll-ups.
    Rolled,
    /// All others, the open block included.
    Unrolled,
}

/// A walk over matching calls in no particular order, newest blocks first.
pub(super) struct Walk<'a> {
    pub(super) plan: &'a Plan,
    pub(super) wanted: Wanted,
    pub(super) which: Which,
}

impl Walk<'_> {
    /// Gives each matching call to `see`; false when time ran out before all were seen.
    pub(super) fn run(
        &self,
        db: &Connection,
        unpacker: &mut Unpacker,
        late: &dyn Fn() -> bool,
        mut see: impl FnMut(&Stored<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<bool> {
        let mut scan = Scan::prepare(db)?;
        let mut texts = Texts::prepare(db)?;
        let mut closed = db.prepare_cached(match self.which {
            Which::All => BLOCKS,
            Which::Rolled => ROLLED,
            Which::Unrolled => UNROLLED,
        })?;
        let mut closed = closed.query(params![self.wanted.from, self.wanted.before.started])?;
        let mut open = if self.which == Which::Rolled { None } else { Some(Block::open(db)?) };
        loop {
            let next = match open.take() {
                Some(block) => Some(block),
                None => closed.next()?.map(Block::read).transpose()?,
            };
            let Some(block) = next else { return Ok(true) };
            scan.each(self.plan, self.wanted, block, |seq, _, call| {
                if texts.fit(seq, self.plan, unpacker)? { see(call) } else { Ok(()) }
            })?;
            if late() {
                return Ok(false);
            }
        }
    }
}
