//! Blocks: the oldest batches, sealed under an id that is written down before anything is sent.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::{OptionalExtension, TransactionBehavior, params};
use vocab::{Id, Time};

use super::batch::{PackedRows, Rows, Table};
use super::figures::{BLOCK_BYTES, BLOCK_ROWS, Size};
use super::frame::{self, Damaged};
use super::open::{self, Open, read_size};
use super::{BlockId, Outbox, lock};
use crate::store::Unavailable;

/// Bits of a place that say which row of its batch it is.
const ROW_BITS: u32 = 24;

/// What the shipper is to do.
pub(crate) enum Next {
    /// Ship this.
    Block(Box<Block>),
    /// Look again after this long, if nothing is said before.
    Wait(Duration),
    /// There is nothing.
    Empty,
}

/// Batches that are shipped together.
pub(crate) struct Block {
    /// Its id.
    pub(crate) id: BlockId,
    /// Which columns its rows have.
    pub(crate) layout: u32,
    /// Whether it was sealed before this process began: nobody knows whether it was sent.
    pub(crate) resumed: bool,
    sealed: Sealed,
    tables: [PackedRows; 5],
    /// The same unpacked, once a table had to be cut.
    unpacked: [OnceLock<Rows>; 5],
    /// For each batch and table, the batch's number and the index of its first row.
    starts: [Vec<(i64, usize)>; 5],
    parts: Vec<Part>,
}

/// Rows of one table of a block that are sent at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The token they are sent under.
    pub(crate) id: BlockId,
    /// Their table.
    pub(crate) table: Table,
    /// The index of the first row.
    pub(crate) from: usize,
    /// The index after the last row.
    pub(crate) to: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Sealed {
    id: BlockId,
    first: i64,
    last: i64,
    layout: u32,
    size: Size,
}

/// A piece of a block that was cut, as the file has it.
struct Part {
    id: BlockId,
    table: Table,
    from_place: i64,
    to_place: i64,
    done: bool,
}

impl Block {
    /// The rows of a piece in frames.
    pub(crate) fn packed(&self, piece: &Piece) -> Result<Cow<'_, [u8]>, Unavailable> {
        let rows = &self.tables[piece.table as usize];
        if piece.from == 0 && piece.to == rows.ends.len() {
            return Ok(Cow::Borrowed(&rows.frames));
        }
        let mut packed = Vec::new();
        frame::pack(&self.plain(piece)?, &mut packed);
        Ok(Cow::Owned(packed))
    }

    /// The rows of a piece as they were encoded.
    pub(crate) fn plain(&self, piece: &Piece) -> Result<Vec<u8>, Unavailable> {
        let unpacked = &self.unpacked[piece.table as usize];
        if unpacked.get().is_none() {
            let rows = self.tables[piece.table as usize].unpack();
            let rows = rows.map_err(|Damaged| Unavailable("a block does not unpack".to_owned()))?;
            unpacked.get_or_init(|| rows);
        }
        let rows = unpacked.get_or_init(Rows::default);
        Ok(rows.slice(piece.from, piece.to).to_owned())
    }

    /// What of a table is still to be sent.
    pub(crate) fn pieces(&self, table: Table) -> VecDeque<Piece> {
        let parts = || self.parts.iter().filter(|part| part.table == table);
        if parts().next().is_none() {
            let to = self.tables[table as usize].ends.len();
            return Some(Piece { id: self.id, table, from: 0, to }).filter(|_| to > 0).into_iter().collect();
        }
        let index = |place| self.index(table, place);
        let piece = |part: &Part| Piece {
            id: part.id,
            table,
            from: index(part.from_place),
            to: index(part.to_place),
        };
        let mut pieces: Vec<_> = parts().filter(|part| !part.done).map(piece).collect();
        pieces.retain(|piece| piece.from < piece.to);
        pieces.sort_by_key(|piece| piece.from);
        pieces.into()
    }

    /// Whether a piece is a part of a cut table and not a table as it was sealed.
    pub(crate) fn is_part(&self, piece: &Piece) -> bool {
        piece.id != self.id
    }

    /// Where a row is found again, whatever batches before it are lost.
    fn place(&self, table: Table, index: usize) -> i64 {
        let starts = &self.starts[table as usize];
        let after = starts.partition_point(|(_, first)| *first <= index);
        match after.checked_sub(1).and_then(|at| starts.get(at)) {
            Some((seq, first)) => seq << ROW_BITS | (index - first) as i64,
            None => 0,
        }
    }

    /// The row at a place, or the next one when its batch is lost.
    fn index(&self, table: Table, place: i64) -> usize {
        let starts = &self.starts[table as usize];
        let (seq, row) = (place >> ROW_BITS, (place & ((1 << ROW_BITS) - 1)) as usize);
        let at = starts.partition_point(|(other, _)| *other < seq);
        let end = self.tables[table as usize].ends.len();
        let first = |at: usize| starts.get(at).map_or(end, |(_, first)| *first);
        match starts.get(at) {
            Some((other, _)) if *other == seq => (first(at) + row).min(first(at + 1)),
            _ => first(at),
        }
    }
}

impl Outbox {
    /// The block that is in flight, or the next one, sealed now.
    pub(crate) fn next(&self) -> Result<Next, Unavailable> {
        if let Some(sealed) = self.0.write(|open| open.sealed())? {
            return self.load(sealed, true).map(Next::Block);
        }
        let wait = {
            let figures = self.0.figures();
            if figures.is_empty() {
                return Ok(Next::Empty);
            }
            figures.may_wait(&self.0.clock)
        };
        if wait > Duration::ZERO {
            return Ok(Next::Wait(wait));
        }
        match self.seal()? {
            Some(sealed) => self.load(sealed, false).map(Next::Block),
            None => Ok(Next::Empty),
        }
    }

    fn seal(&self) -> Result<Option<Sealed>, Unavailable> {
        let id = Id::new(&self.0.clock);
        let sealed = self.0.write(|open| {
            let Some((sealed, is_all)) = open.seal(id)? else { return Ok(None) };
            self.0.figures().seal(&sealed.size, is_all, &self.0.clock);
            Ok(Some((sealed, open.log_to_sync())))
        })?;
        let Some((sealed, log)) = sealed else { return Ok(None) };
        // What is sent under this id must be the same after a power cut. Nobody else waits for the disk meanwhile.
        if let Some(log) = log {
            open::sync(&log).map_err(|error| Unavailable(error.to_string()))?;
        }
        Ok(Some(sealed))
    }

    fn load(&self, sealed: Sealed, resumed: bool) -> Result<Box<Block>, Unavailable> {
        let mut block = Block {
            id: sealed.id,
            layout: sealed.layout,
            resumed,
            sealed,
            tables: Default::default(),
            unpacked: Default::default(),
            starts: Default::default(),
            parts: self.0.write(|open| open.parts())?,
        };
        let mut seq = sealed.first;
        // One batch at a time, so that the writer gets its turn.
        while let Some(after) = self.0.write(|open| open.read_batch(seq, &mut block))? {
            seq = after;
        }
        Ok(Box::new(block))
    }

    /// Notes that a part of a cut table has arrived.
    pub(crate) fn note_part(&self, piece: &Piece) -> Result<(), Unavailable> {
        self.0.write(|open| open.note_part(piece.id))
    }

    /// Counts rows that have arrived.
    pub(crate) fn count_shipped(&self, piece: &Piece) {
        if piece.table.is_counted() {
            self.0.figures().add_shipped((piece.to - piece.from) as u64);
        }
    }

    /// Cuts a rejected piece in two, each with an id of its own.
    pub(crate) fn cut(&self, block: &mut Block, piece: &Piece) -> Result<[Piece; 2], Unavailable> {
        let middle = piece.from.midpoint(piece.to);
        let half = |from, to| Piece { id: Id::new(&self.0.clock), table: piece.table, from, to };
        let halves = [half(piece.from, middle), half(middle, piece.to)];
        let places = [piece.from, middle, piece.to].map(|index| block.place(piece.table, index));
        self.0.write(|open| open.cut(piece.id, &halves, places))?;
        Ok(halves)
    }

    /// Deletes a block that has arrived, or is set aside, as a whole.
    pub(crate) fn finish(&self, block: &Block) -> Result<(), Unavailable> {
        let sealed = &block.sealed;
        let oldest = self.0.write(|open| {
            open.finish(sealed.first, sealed.last)?;
            open.oldest()
        })?;
        self.0.figures().finish(&sealed.size, sealed.last, oldest);
        self.0.shipped.notify_waiters();
        Ok(())
    }

    /// Gives back to the disk what is not needed, and takes back the reserve; in small steps.
    pub(crate) fn tidy(&self) -> Result<(), Unavailable> {
        while self.0.write(|open| open.shrink())? {}
        if self.0.room.refill()
            && let super::Writing::Open(open) = &*lock(&self.0.writing)
        {
            open.limit(self.0.room.most_bytes());
        }
        Ok(())
    }
}

impl Open {
    /// The block that was sealed and is not finished.
    fn sealed(&self) -> rusqlite::Result<Option<Sealed>> {
        let mut query =
            self.db.prepare_cached("SELECT id, first, last FROM block WHERE id IS NOT NULL LIMIT 1")?;
        let found = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((id, first, last)) = found else { return Ok(None) };
        let mut query = self.db.prepare_cached(
            "SELECT coalesce(sum(rows), 0), coalesce(sum(plain_bytes), 0), coalesce(sum(packed_bytes), 0),
                    min(committed_at), coalesce(min(layout), 0)
             FROM batch WHERE seq BETWEEN ?1 AND ?2",
        )?;
        let (size, layout) = query.query_row([first, last], |row| Ok((read_size(row)?, row.get(4)?)))?;
        Ok(Some(Sealed { id: Id::from_bytes(id), first, last, layout, size }))
    }

    /// Seals the oldest batches; also says whether these were all.
    fn seal(&mut self, id: BlockId) -> rusqlite::Result<Option<(Sealed, bool)>> {
        let Some((sealed, is_all)) = self.oldest_batches(id)? else { return Ok(None) };
        self.db
            .prepare_cached("UPDATE block SET id = ?1, first = ?2, last = ?3, sealed_at = ?4 WHERE slot = 1")?
            .execute(params![id.bytes(), sealed.first, sealed.last, self.now().micros()])?;
        Ok(Some((sealed, is_all)))
    }

    /// As many of the oldest batches as make one block: of one layout, and no more than its limits allow.
    fn oldest_batches(&self, id: BlockId) -> rusqlite::Result<Option<(Sealed, bool)>> {
        let mut query = self.db.prepare_cached(
            "SELECT rows, plain_bytes, packed_bytes, committed_at, seq, layout FROM batch ORDER BY seq LIMIT 10000",
        )?;
        let mut batches = query.query([])?;
        let mut sealed: Option<Sealed> = None;
        while let Some(row) = batches.next()? {
            let (size, seq, layout) = (read_size(row)?, row.get(4)?, row.get(5)?);
            let sealed =
                sealed.get_or_insert(Sealed { id, first: seq, last: seq, layout, size: Size::default() });
            let (rows, bytes) = (sealed.size.rows + size.rows, sealed.size.plain_bytes + size.plain_bytes);
            let fits = rows <= BLOCK_ROWS && bytes <= BLOCK_BYTES && layout == sealed.layout;
            if seq != sealed.first && !fits {
                return Ok(Some((*sealed, false)));
            }
            sealed.last = seq;
            (sealed.size.rows, sealed.size.plain_bytes) = (rows, bytes);
            sealed.size.packed_bytes += size.packed_bytes;
        }
        Ok(sealed.map(|sealed| (sealed, true)))
    }

    fn parts(&self) -> rusqlite::Result<Vec<Part>> {
        let mut query =
            self.db.prepare_cached("SELECT id, target, from_place, to_place, done FROM part LIMIT 100000")?;
        let parts = query.query_map([], |row| {
            let target: String = row.get(1)?;
            let table = Table::from_word(&target).ok_or(rusqlite::Error::InvalidQuery)?;
            let id = Id::from_bytes(row.get(0)?);
            Ok(Part { id, table, from_place: row.get(2)?, to_place: row.get(3)?, done: row.get(4)? })
        })?;
        parts.collect()
    }

    /// Reads the first batch from this number on into the block, and says where the next one may be.
    fn read_batch(&self, seq: i64, block: &mut Block) -> rusqlite::Result<Option<i64>> {
        let mut query = self.db.prepare_cached(
            "SELECT seq, calls, attempts, bodies, spans, scores FROM batch
             WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT 1",
        )?;
        let mut found = query.query([seq, block.sealed.last])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let seq: i64 = row.get(0)?;
        for (at, (rows, starts)) in block.tables.iter_mut().zip(&mut block.starts).enumerate() {
            if let Some(packed) = row.get_ref(at + 1)?.as_blob_or_null()? {
                starts.push((seq, rows.ends.len()));
                rows.add(packed).map_err(|Damaged| damaged())?;
            }
        }
        Ok(Some(seq + 1))
    }

    fn note_part(&self, id: BlockId) -> rusqlite::Result<()> {
        self.db.prepare_cached("UPDATE part SET done = 1 WHERE id = ?1")?.execute([id.bytes()])?;
        Ok(())
    }

    fn cut(&mut self, whole: BlockId, halves: &[Piece; 2], places: [i64; 3]) -> rusqlite::Result<()> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached("DELETE FROM part WHERE id = ?1")?.execute([whole.bytes()])?;
        for (half, places) in halves.iter().zip(places.windows(2)) {
            tx.prepare_cached("INSERT INTO part (id, target, from_place, to_place) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![half.id.bytes(), half.table.as_str(), places[0], places[1]])?;
        }
        tx.commit()
    }

    fn finish(&mut self, first: i64, last: i64) -> rusqlite::Result<()> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached("DELETE FROM batch WHERE seq BETWEEN ?1 AND ?2")?.execute([first, last])?;
        tx.prepare_cached("DELETE FROM part")?.execute([])?;
        // `last` stays: numbers are never given out twice.
        tx.prepare_cached("UPDATE block SET id = NULL, first = NULL WHERE slot = 1")?.execute([])?;
        tx.commit()
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

/// What a batch that does not unpack is told as: the same as a file that SQLite finds damaged.
fn damaged() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some("a batch does not match its checksum".to_owned()))
}
