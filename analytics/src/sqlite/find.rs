//! The newest calls that match, in the order they started, without an index per field.
//!
//! Calls are stored in the order they ended. Blocks are taken by their newest start, those whose filter rules
//! the search out are passed over, and calls of the others that match by their columns wait in a heap. A call
//! leaves the heap once no block to come can hold a newer one; only then are its texts read, if the search needs
//! them. So a page costs what it takes to fill it, and stopping at any moment leaves an exact place to go on from.

use std::collections::BinaryHeap;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, Row as SqlRow, params};
use vocab::{Clock, Time};

use super::blocks::{self, folded_said};
use super::bodies::Unpacker;
use super::columns::{Column, Fields};
use super::marks::Stored;
use super::plan::Plan;
use super::readers::Reader;
use super::reading;
use crate::store::{Cursor, FoundPage, Search};

/// How long one search may take.
pub(super) const BUDGET: Duration = Duration::from_secs(1);

const BLOCKS: &str = "SELECT first, last, started_max FROM block
                      WHERE started_max >= ?1 AND started_min <= ?2 ORDER BY started_max DESC";
const FILTER: &str = "SELECT filter FROM gram WHERE first = ?1 LIMIT 1";
const CALLS: &str = "SELECT seq, id, fields, metadata, variables FROM call
                     WHERE seq BETWEEN ?1 AND ?2";
const CALL: &str = "SELECT c.seq, c.id, c.fields, c.metadata, c.variables, b.dictionary, b.packed
                    FROM call AS c LEFT JOIN body AS b ON b.seq = c.seq WHERE c.seq = ?1 LIMIT 1";

/// Answers a search.
pub(super) fn find(reader: &mut Reader, search: &Search, clock: &Clock) -> rusqlite::Result<FoundPage> {
    let deadline = clock.monotonic() + BUDGET;
    find_within(reader, search, &|| clock.monotonic() >= deadline)
}

fn find_within(reader: &mut Reader, search: &Search, late: &dyn Fn() -> bool) -> rusqlite::Result<FoundPage> {
    let Reader { db, unpacker, .. } = reader;
    // One transaction, so that blocks and calls are of one moment.
    let tx = db.transaction()?;
    let plan = Plan::new(&search.filter, search.project.clone());
    let hunt = Hunt { plan: &plan, wanted: Wanted::by(search), limit: search.limit.get() as usize };
    let found = hunt.run(&tx, unpacker, late)?;
    let rows = found.seqs.iter().map(|seq| reading::row(&tx, *seq)).collect::<Result<Vec<_>, _>>()?;
    Ok(FoundPage {
        rows: rows.into_iter().flatten().collect(),
        next_cursor: found.next,
        complete: found.searched_to.is_none(),
        searched_to: found.searched_to,
    })
}

/// What is looked for, where, and how much of it.
struct Hunt<'a> {
    plan: &'a Plan,
    wanted: Wanted,
    limit: usize,
}

/// What a hunt brought home.
struct Found {
    seqs: Vec<i64>,
    next: Option<Cursor>,
    /// Where time ran out, if it did.
    searched_to: Option<Time>,
}

/// The stretch of time that is searched.
#[derive(Clone, Copy)]
struct Wanted {
    from: i64,
    before: Cursor,
}

/// A call that matches by its columns. The newest is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    place: Cursor,
    seq: i64,
}

/// Calls next to each other by arrival.
#[derive(Clone, Copy)]
struct Block {
    first: i64,
    last: i64,
    /// No call in it started later.
    started_max: i64,
    open: bool,
}

impl Wanted {
    fn by(search: &Search) -> Self {
        let latest = Cursor { started: i64::MAX, id: 0 };
        let before = search.cursor.unwrap_or(latest).min(search.to.map_or(latest, Cursor::before));
        Self { from: search.from.map_or(i64::MIN, Time::micros), before }
    }

    fn holds(&self, place: Cursor) -> bool {
        place.started >= self.from && place < self.before
    }
}

impl Hunt<'_> {
    fn run(
        &self,
        db: &Connection,
        unpacker: &mut Unpacker,
        late: &dyn Fn() -> bool,
    ) -> rusqlite::Result<Found> {
        let mut statements = Statements::prepare(db)?;
        let mut closed = db.prepare_cached(BLOCKS)?;
        let mut closed = closed.query(params![self.wanted.from, self.wanted.before.started])?;
        let mut next = Some(Block::open(db)?);
        let mut heap = BinaryHeap::new();
        let mut seqs = Vec::new();
        loop {
            let top =
                heap.peek().copied().filter(|top: &Candidate| next.is_none_or(|block| block.is_before(top)));
            let newest = top.map(|top| top.place).or(next.map(|block| block.newest()));
            let Some(newest) = newest else { return Ok(Found { seqs, next: None, searched_to: None }) };
            // Everything newer than this was searched.
            let frontier = Cursor::including(newest.started, newest.id).min(self.wanted.before);
            if seqs.len() == self.limit {
                return Ok(Found { seqs, next: Some(frontier), searched_to: None });
            }
            // However late it is, every page gets somewhere.
            if frontier < self.wanted.before && late() {
                return Ok(Found { seqs, next: Some(frontier), searched_to: Some(Time(frontier.started)) });
            }
            if let Some(top) = top {
                heap.pop();
                if !self.plan.needs_texts() || statements.says(top.seq, self.plan, unpacker)? {
                    seqs.push(top.seq);
                }
            } else if let Some(block) = next {
                statements.gather(self, block, &mut heap)?;
                next = closed.next()?.map(Block::read).transpose()?;
            }
        }
    }
}

impl Block {
    fn open(db: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { first: blocks::closed_to(db)? + 1, last: i64::MAX, started_max: i64::MAX, open: true })
    }

    fn read(row: &SqlRow<'_>) -> rusqlite::Result<Self> {
        Ok(Self { first: row.get(0)?, last: row.get(1)?, started_max: row.get(2)?, open: false })
    }

    /// Whether nothing in this block, nor in those after it, started as late as `candidate`.
    const fn is_before(&self, candidate: &Candidate) -> bool {
        self.started_max < candidate.place.started
    }

    const fn newest(&self) -> Cursor {
        Cursor { started: self.started_max, id: u128::MAX }
    }
}

/// The statements of one search.
struct Statements<'c> {
    filter: CachedStatement<'c>,
    calls: CachedStatement<'c>,
    call: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(db: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            filter: db.prepare_cached(FILTER)?,
            calls: db.prepare_cached(CALLS)?,
            call: db.prepare_cached(CALL)?,
        })
    }

    /// Puts the calls of a block that match by their columns into the heap.
    fn gather(
        &mut self,
        hunt: &Hunt<'_>,
        block: Block,
        heap: &mut BinaryHeap<Candidate>,
    ) -> rusqlite::Result<()> {
        if !block.open && hunt.plan.sees_blocks() && !self.may_match(block, hunt.plan)? {
            return Ok(());
        }
        let mut rows = self.calls.query(params![block.first, block.last])?;
        while let Some(row) = rows.next()? {
            // A row that cannot be read is no reason to find nothing.
            let Ok(text) = row.get_ref(2)?.as_str() else { continue };
            let fields = Fields::read(text, hunt.plan.last);
            let id: [u8; 16] = row.get(1)?;
            let started = fields.int(Column::StartedAt).unwrap_or_default();
            let candidate =
                Candidate { place: Cursor { started, id: u128::from_be_bytes(id) }, seq: row.get(0)? };
            if !hunt.wanted.holds(candidate.place) {
                continue;
            }
            let given = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
            let (metadata, variables) =
                if hunt.plan.needs_given { (given(3), given(4)) } else { (None, None) };
            if hunt.plan.matches_columns(&Stored { id, fields, metadata, variables }) {
                heap.push(candidate);
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

    /// Whether a call's texts are what is sought.
    fn says(&mut self, seq: i64, plan: &Plan, unpacker: &mut Unpacker) -> rusqlite::Result<bool> {
        let mut rows = self.call.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let fields = Fields::read(row.get_ref(2)?.as_str().unwrap_or_default(), Column::Endpoint);
        Ok(plan.matches_texts(&folded_said(row, &fields, unpacker)?))
    }
}

#[cfg(test)]
mod tests;
