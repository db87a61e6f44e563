//! Rows in: one connection, prepared statements, one transaction for a batch.

use std::io;

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};

use super::blocks::Tail;
use super::bodies::{self, Packer, Unpacker};
use super::columns::{self, Column, Fields, Packing};
use super::marks::Stored;
use super::{scores, spans};
use crate::outbox::Keep;
use crate::record::Attempt;
use crate::row::Row;
use crate::store::{Entries, Entry, Shed};

const ADD_CALL: &str = "INSERT INTO call (seq, id, fields, metadata, variables) VALUES (?1, ?2, ?3, ?4, ?5)
                        ON CONFLICT (id) DO NOTHING";
const ADD_BODY: &str =
    "INSERT INTO body (seq, request_preview, response_preview, usage_raw, attempts, dictionary,
                        packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The writing side of one records file.
pub(super) struct Appender {
    pub(super) db: Connection,
    /// The block that is still open; read from the file again after a failure.
    pub(super) tail: Option<Tail>,
    room: Room,
}

/// What is used again from row to row.
struct Room {
    packer: Packer,
    fields: String,
    attempts: String,
}

impl Appender {
    pub(super) fn new(db: Connection) -> io::Result<Self> {
        let room = Room { packer: Packer::new()?, fields: String::new(), attempts: String::new() };
        Ok(Self { db, tail: None, room })
    }

    /// Reads the open block back from the file.
    pub(super) fn resume(&mut self) -> rusqlite::Result<()> {
        if self.tail.is_none() {
            let mut unpacker = Unpacker::knowing(&self.db)?;
            self.tail = Some(Tail::read(&self.db, &mut unpacker)?);
        }
        Ok(())
    }

    /// Reads the open block back once calls in it were deleted.
    pub(super) fn resume_after_deletion(&mut self) -> rusqlite::Result<()> {
        if let Some(tail) = self.tail.take() {
            let mut unpacker = Unpacker::knowing(&self.db)?;
            self.tail = Some(tail.read_again(&self.db, &mut unpacker)?);
        }
        Ok(())
    }

    /// Commits all rows or none, as far as there is room to keep them; returns how many were new, and what was left out.
    pub(super) fn append(&mut self, entries: Entries<'_, '_>, keep: Keep) -> rusqlite::Result<(u64, Shed)> {
        self.resume()?;
        let mut shed = Shed::default();
        // Taken, so that a failure leaves none: what it says is then no longer what the file holds.
        let Some(mut tail) = self.tail.take() else { return Ok((0, shed)) };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut added = 0;
        {
            let mut batch = Batch {
                tx: &tx,
                add_call: tx.prepare_cached(ADD_CALL)?,
                add_body: tx.prepare_cached(ADD_BODY)?,
                room: &mut self.room,
            };
            for entry in entries {
                added += u64::from(batch.add(entry, &mut tail, (keep, &mut shed))?);
                if tail.is_full() {
                    tail.close(&tx)?;
                }
            }
        }
        tx.commit()?;
        self.tail = Some(tail);
        Ok((added, shed))
    }
}

/// The statements of one transaction.
struct Batch<'c> {
    tx: &'c Transaction<'c>,
    add_call: CachedStatement<'c>,
    add_body: CachedStatement<'c>,
    room: &'c mut Room,
}

impl Batch<'_> {
    /// Adds one entry, as far as there is room to keep it; false when it is not kept, or there already.
    fn add(
        &mut self,
        entry: Entry<'_>,
        tail: &mut Tail,
        (keep, shed): (Keep, &mut Shed),
    ) -> rusqlite::Result<bool> {
        match entry {
            Entry::Call(mut row) => Ok(keep.trim(&mut row, shed) && self.add_call(&row, tail)?),
            Entry::Span(span) => match keep.trim_span(span, shed) {
                Some(span) => spans::add(self.tx, &span, &mut self.room.packer),
                None => Ok(false),
            },
            Entry::Score(score) => scores::add(self.tx, score),
        }
    }

    fn add_call(&mut self, row: &Row<'_>, tail: &mut Tail) -> rusqlite::Result<bool> {
        let (seq, id) = (tail.next_seq(), row.record.id.bytes());
        let (metadata, variables) = (row.metadata.as_deref(), row.variables.as_deref());
        columns::pack(row, &mut self.room.fields);
        let fields = self.room.fields.as_str();
        if self.add_call.execute(params![seq, id, fields, metadata, variables])? == 0 {
            return Ok(false);
        }
        self.add_body(seq, row)?;
        let fields = Fields::read(&self.room.fields, Column::TraceId);
        tail.add(seq, &Stored { id, fields, metadata, variables }, &row.said);
        Ok(true)
    }

    fn add_body(&mut self, seq: i64, row: &Row<'_>) -> rusqlite::Result<()> {
        let Room { packer, attempts, .. } = &mut *self.room;
        let packed =
            if row.bodies.is_empty() { None } else { Some(packer.pack(&row.bodies).map_err(unpackable)?) };
        self.add_body.execute(params![
            seq,
            row.request_preview,
            row.response_preview,
            row.record.usage_raw.as_deref(),
            pack_attempts(&row.record.attempts, attempts),
            packed.map(|_| bodies::DICTIONARY),
            packed,
        ])?;
        Ok(())
    }
}

fn unpackable(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// The attempts as arrays in the order of [`super::schema::ATTEMPT`].
fn pack_attempts<'a>(attempts: &[Attempt], out: &'a mut String) -> Option<&'a str> {
    if attempts.is_empty() {
        return None;
    }
    out.clear();
    out.push('[');
    for attempt in attempts {
        out.push('[');
        pack_attempt(attempt, &mut Packing(out));
        out.pop();
        out.push_str("],");
    }
    out.pop();
    out.push(']');
    Some(out)
}

fn pack_attempt(attempt: &Attempt, out: &mut Packing<'_>) {
    out.text(&attempt.provider);
    out.text(&attempt.model);
    out.maybe_int(attempt.status.map(i64::from));
    out.maybe(attempt.failure_class);
    out.maybe(attempt.error.as_deref());
    out.int(attempt.started.micros());
    out.count(Some(attempt.duration_us));
    out.count(attempt.ttft_us);
    out.maybe(attempt.upstream_request_id.as_deref());
    out.maybe_int(attempt.cost.map(|cost| cost.0));
    out.flag(attempt.won);
    out.text(attempt.reason);
    out.count(Some(attempt.waited_us));
}
