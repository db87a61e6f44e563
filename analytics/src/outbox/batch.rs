//! Rows on their way into the outbox: encoded for the destination, kept apart by table, packed table by table.
//!
//! A packed table begins with the length of each row, by which a poisoned row can be found and set aside alone; then
//! comes one frame ([`super::frame`]) with the rows.

use cityhash_rs::cityhash_102_128;
use serde::Serialize;

use super::frame::{self, Damaged};
use crate::store::Shed;

/// A part of a batch is packed by itself once it has this many bytes.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Before the lengths: how many rows there are, how many bytes their lengths take, and the lengths' checksum.
const HEAD_BYTES: usize = 16;

/// A table of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// One row per call.
    Calls,
    /// One row per try upstream.
    Attempts,
    /// Requests and answers.
    Bodies,
    /// Spans that applications reported.
    Spans,
    /// Judgements.
    Scores,
}

impl Table {
    /// All of them, in the order they are shipped: what belongs to a call is there before the call is found.
    pub const ALL: [Self; 5] = [Self::Attempts, Self::Bodies, Self::Calls, Self::Spans, Self::Scores];

    /// The table's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Attempts => "attempts",
            Self::Bodies => "bodies",
            Self::Spans => "spans",
            Self::Scores => "scores",
        }
    }

    /// The table of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == word)
    }

    /// Whether its rows are things that were recorded, and not parts of one.
    pub(crate) const fn is_counted(self) -> bool {
        matches!(self, Self::Calls | Self::Spans | Self::Scores)
    }
}

/// Rows that are committed together.
#[derive(Debug)]
pub struct Batch {
    /// Which columns the rows have: the encoder's number, handed back to the destination.
    pub(super) layout: u32,
    /// What was given up on the way; counted once the batch is committed.
    pub shed: Shed,
    pub(super) chunks: Vec<Chunk>,
}

/// A part of a batch that is packed by itself.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    tables: [Rows; 5],
}

/// Rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) bytes: Vec<u8>,
    /// Where each row ends.
    pub(crate) ends: Vec<usize>,
}

impl Batch {
    /// An empty batch whose rows have the columns that the encoder knows by this number.
    pub fn new(layout: u32) -> Self {
        Self { layout, shed: Shed::default(), chunks: Vec::new() }
    }

    /// Adds one row; `write` appends its bytes. What belongs to a call follows the call's own row.
    pub fn row(&mut self, table: Table, write: impl FnOnce(&mut Vec<u8>)) {
        let rows = self.chunk(table).rows_mut(table);
        write(&mut rows.bytes);
        rows.ends.push(rows.bytes.len());
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The part that the next row goes to. A call is never cut in two.
    fn chunk(&mut self, table: Table) -> &mut Chunk {
        let full = |chunk: &Chunk| table.is_counted() && chunk.plain_bytes() >= CHUNK_BYTES;
        if self.chunks.last().is_none_or(full) {
            self.chunks.push(Chunk::default());
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }
}

impl Chunk {
    pub(super) fn rows_mut(&mut self, table: Table) -> &mut Rows {
        &mut self.tables[table as usize]
    }

    pub(super) fn plain_bytes(&self) -> usize {
        self.tables.iter().map(|rows| rows.bytes.len()).sum()
    }

    /// Calls, spans and scores in it.
    pub(super) fn counted_rows(&self) -> u64 {
        let counted = Table::ALL.into_iter().filter(|table| table.is_counted());
        counted.map(|table| self.tables[table as usize].ends.len() as u64).sum()
    }
}

impl Rows {
    /// The bytes of the rows from the one with this index up to, not including, that one.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &[u8] {
        let end = |rows: usize| rows.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.bytes[end(from)..end(to)]
    }

    /// Packs the rows.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut packed = vec![0; HEAD_BYTES];
        let mut from = 0;
        for &end in &self.ends {
            add_length(end - from, &mut packed);
            from = end;
        }
        let lengths = &packed[HEAD_BYTES..];
        let (lengths_bytes, checksum) = (lengths.len() as u32, cityhash_102_128(lengths) as u64);
        packed[..4].copy_from_slice(&(self.ends.len() as u32).to_le_bytes());
        packed[4..8].copy_from_slice(&lengths_bytes.to_le_bytes());
        packed[8..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
        frame::pack(&self.bytes, &mut packed);
        packed
    }
}

impl Chunk {
    /// Packs each table that has rows; in the order of the tables' numbers.
    pub(super) fn pack(&self) -> [Option<Vec<u8>>; 5] {
        self.tables.each_ref().map(|rows| (!rows.ends.is_empty()).then(|| rows.pack()))
    }
}

/// Rows of one table, packed: frames as they are shipped, and where each row ends once they are unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PackedRows {
    pub(super) frames: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl PackedRows {
    /// Adds what a packed table holds, proved by its checksums. On damage nothing is added.
    pub(super) fn add(&mut self, packed: &[u8]) -> Result<(), Damaged> {
        let rows_before = self.ends.len();
        let added = self.try_add(packed);
        if added.is_err() {
            self.ends.truncate(rows_before);
        }
        added
    }

    fn try_add(&mut self, packed: &[u8]) -> Result<(), Damaged> {
        let (head, rest) = packed.split_first_chunk::<HEAD_BYTES>().ok_or(Damaged)?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (mut lengths, frame) = rest.split_at_checked(number(4)).ok_or(Damaged)?;
        if (cityhash_102_128(lengths) as u64).to_le_bytes() != head[8..] {
            return Err(Damaged);
        }
        let begin = self.ends.last().copied().unwrap_or_default();
        let mut end = begin;
        for _ in 0..number(0) {
            end += take_length(&mut lengths).ok_or(Damaged)?;
            self.ends.push(end);
        }
        if end != begin + frame::check(frame)? || !lengths.is_empty() {
            return Err(Damaged);
        }
        self.frames.extend_from_slice(frame);
        Ok(())
    }

    /// The rows, unpacked.
    pub(super) fn unpack(&self) -> Result<Rows, Damaged> {
        let mut bytes = Vec::with_capacity(self.ends.last().copied().unwrap_or_default());
        frame::unpack(&self.frames, &mut bytes)?;
        Ok(Rows { bytes, ends: self.ends.clone() })
    }
}

/// Adds a number as LEB128.
fn add_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn take_length(lengths: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    // Rows have no more than 4 GiB.
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = lengths.split_first()?;
        *lengths = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[(Table, &[u8])]) -> Batch {
        let mut batch = Batch::new(1);
        for (table, row) in rows {
            batch.row(*table, |out| out.extend_from_slice(row));
        }
        batch
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_rows_one_after_the_other() {
        let long = vec![b'x'; 70_000];
        let batch = batch(&[(Table::Bodies, &long), (Table::Bodies, b""), (Table::Bodies, b"abc")]);
        let packed = batch.chunks[0].pack();
        let packed = packed[Table::Bodies as usize].as_ref().unwrap();
        let mut both = PackedRows::default();
        both.add(packed).unwrap();
        both.add(packed).unwrap();
        let rows = both.unpack().unwrap();
        assert_eq!(rows.ends, [70_000, 70_000, 70_003, 140_003, 140_003, 140_006]);
        assert_eq!(rows.slice(2, 3), b"abc");
        assert_eq!(rows.slice(0, 3), [&long[..], b"abc"].concat());
        assert_eq!(rows.slice(5, 6), b"abc");
    }

    #[test]
    fn any_damaged_byte_is_noticed_and_adds_nothing() {
        let packed = Rows { bytes: (0..200).collect(), ends: vec![50, 200] }.pack();
        let mut into = PackedRows::default();
        into.add(&packed).unwrap();
        let before = into.clone();
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            assert!(into.add(&damaged).is_err(), "byte {at}");
            assert_eq!(into, before);
        }
        assert!(into.add(&packed[..packed.len() - 3]).is_err());
        assert!(into.add(b"short").is_err());
        assert_eq!(into, before);
    }

    #[test]
    fn large_batches_are_cut_between_calls() {
        let long = vec![7; CHUNK_BYTES];
        let batch = batch(&[
            (Table::Calls, b"1"),
            (Table::Bodies, &long),
            (Table::Attempts, b"1"),
            (Table::Calls, b"2"),
            (Table::Bodies, b"2"),
        ]);
        let counts: Vec<_> =
            batch.chunks.iter().map(|chunk| chunk.tables.each_ref().map(|rows| rows.ends.len())).collect();
        assert_eq!(counts, [[1, 1, 1, 0, 0], [1, 0, 1, 0, 0]]);
    }
}
