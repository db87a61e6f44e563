//! The newest calls that match, in the order they started, without an index per field.
//!
//! Calls are stored in the order they ended. Blocks are taken by their newest start, those whose filter rules
//! the search out are passed over, and calls of the others that match by their columns wait in a heap. A call
//! leaves the heap once no block to come can hold a newer one; only then are its texts read, if the search needs
//! them. So a page costs what it takes to fill it, and stopping at any moment leaves an exact place to go on from.

use std::collections::BinaryHeap;
use std::time::Duration;

use rusqlite::{Connection, params};
use vocab::{Clock, Time};

use super::bodies::Unpacker;
use super::plan::Plan;
use super::readers::Reader;
use super::scan::{Block, Scan, Texts, Wanted};
use super::{reading, scan};
use crate::store::{Cursor, FoundPage, Search};

/// How long one search may take.
pub(super) const BUDGET: Duration = Duration::from_secs(1);

/// Answers a search.
pub(super) fn find(reader: &mut Reader, search: &Search, clock: &Clock) -> rusqlite::Result<FoundPage> {
    let deadline = clock.monotonic() + BUDGET;
    find_within(reader, search, &|| clock.monotonic() >= deadline)
}

/// Answers a search with the time it has left.
pub(super) fn find_within(
    reader: &mut Reader,
    search: &Search,
    late: &dyn Fn() -> bool,
) -> rusqlite::Result<FoundPage> {
    let Reader { db, unpacker, .. } = reader;
    // One transaction, so that blocks and calls are of one moment.
    let tx = db.transaction()?;
    let plan = Plan::new(&tx, &search.filter, search.project.clone())?;
    let hunt = Hunt { plan: &plan, wanted: Wanted::by(search), limit: search.limit.get() as usize };
    let mut seqs = Vec::new();
    let ended = hunt.run(&tx, unpacker, late, &mut |found| {
        seqs.push(found.seq);
        Ok(true)
    })?;
    let rows = seqs.iter().map(|seq| reading::row(&tx, *seq)).collect::<Result<Vec<_>, _>>()?;
    Ok(FoundPage {
        rows: rows.into_iter().flatten().collect(),
        next_cursor: ended.next,
        complete: ended.searched_to.is_none(),
        searched_to: ended.searched_to,
    })
}

/// What is looked for, where, and how much of it.
pub(super) struct Hunt<'a> {
    pub(super) plan: &'a Plan,
    pub(super) wanted: Wanted,
    pub(super) limit: usize,
}

/// Where a hunt ended.
pub(super) struct Ended {
    /// Where it would go on; `None` when there is nothing more.
    pub(super) next: Option<Cursor>,
    /// Where time ran out, if it did.
    pub(super) searched_to: Option<Time>,
}

/// A call that matches by its columns. The newest is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) place: Cursor,
    pub(super) seq: i64,
}

impl Hunt<'_> {
    /// Gives matching calls to `take`, newest first, until it has taken as many as are wanted.
    pub(super) fn run(
        &self,
        db: &Connection,
        unpacker: &mut Unpacker,
        late: &dyn Fn() -> bool,
        take: &mut dyn FnMut(Candidate) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<Ended> {
        let mut scan = Scan::prepare(db)?;
        let mut texts = Texts::prepare(db)?;
        let mut closed = db.prepare_cached(scan::BLOCKS)?;
        let mut closed = closed.query(params![self.wanted.from, self.wanted.before.started])?;
        let mut next = Some(Block::open(db)?);
        let mut heap = BinaryHeap::new();
        let mut taken = 0;
        loop {
            let top =
                heap.peek().copied().filter(|top: &Candidate| next.is_none_or(|block| block.is_before(top)));
            let newest = top.map(|top| top.place).or(next.map(|block| block.newest()));
            let Some(newest) = newest else { return Ok(Ended { next: None, searched_to: None }) };
            // Everything newer than this was searched.
            let frontier = Cursor::including(newest.started, newest.id).min(self.wanted.before);
            if taken == self.limit {
                return Ok(Ended { next: Some(frontier), searched_to: None });
            }
            // However late it is, every page gets somewhere.
            if frontier < self.wanted.before && late() {
                return Ok(Ended { next: Some(frontier), searched_to: Some(Time(frontier.started)) });
            }
            if let Some(top) = top {
                heap.pop();
                if texts.fit(top.seq, self.plan, unpacker)? && take(top)? {
                    taken += 1;
                }
            } else if let Some(block) = next {
                scan.each(self.plan, self.wanted, block, |seq, place, _| {
                    heap.push(Candidate { place, seq });
                    Ok(())
                })?;
                next = closed.next()?.map(Block::read).transpose()?;
            }
        }
    }
}

impl Block {
    /// Whether nothing in this block, nor in those after it, started as late as `candidate`.
    const fn is_before(&self, candidate: &Candidate) -> bool {
        self.started_max < candidate.place.started
    }

    const fn newest(&self) -> Cursor {
        Cursor { started: self.started_max, id: u128::MAX }
    }
}

#[cfg(test)]
mod tests;
