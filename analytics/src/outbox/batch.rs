//! Rows on their way into the outbox: encoded for the destination, kept apart by table, packed table by table.
//!
//! A packed table is one zstd frame with a checksum, so that damage is noticed: the rows, then a trailer with each
//! row's length, by which a poisoned row can be found and set aside alone.

use std::io::{self, Cursor};

use serde::Serialize;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::store::Shed;

/// Level 1 is the fastest; higher ones cost the writer more than they save the disk.
const LEVEL: i32 = 1;
/// A part of a batch is packed by itself once it has this many bytes.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// More than this is never packed together, whatever a damaged length says.
const LONGEST_PLAIN_BYTES: usize = 1 << 30;
/// Bytes at the end of a packed table that say how many rows there are and how long the lengths are.
const FOOT_BYTES: usize = 8;

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
}

/// Packs tables.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self(compressor))
    }

    /// Packs each table of the chunk that has rows; in the order of the tables' numbers.
    pub(super) fn pack(&mut self, chunk: &mut Chunk) -> io::Result<[Option<Vec<u8>>; 5]> {
        let mut packed = [const { None }; 5];
        for (rows, packed) in chunk.tables.iter_mut().zip(&mut packed) {
            if !rows.ends.is_empty() {
                *packed = Some(self.pack_rows(rows)?);
            }
        }
        Ok(packed)
    }

    pub(super) fn pack_rows(&mut self, rows: &mut Rows) -> io::Result<Vec<u8>> {
        let plain_bytes = rows.bytes.len();
        add_trailer(rows);
        let packed = self.0.compress(&rows.bytes);
        rows.bytes.truncate(plain_bytes);
        packed
    }
}

/// The lengths as LEB128, then how many rows there are and how many bytes their lengths take.
fn add_trailer(rows: &mut Rows) {
    let begin = rows.bytes.len();
    let mut from = 0;
    for &end in &rows.ends {
        let mut length = end - from;
        from = end;
        while length >= 0x80 {
            rows.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        rows.bytes.push(length as u8);
    }
    let lengths_bytes = (rows.bytes.len() - begin) as u32;
    rows.bytes.extend((rows.ends.len() as u32).to_le_bytes());
    rows.bytes.extend(lengths_bytes.to_le_bytes());
}

/// Unpacks tables.
pub(super) struct Unpacker(Decompressor<'static>);

impl Unpacker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Decompressor::new()?))
    }

    /// Adds what a packed table holds to `rows`. On damage `rows` is as it was.
    pub(super) fn unpack(&mut self, packed: &[u8], rows: &mut Rows) -> Result<(), Damaged> {
        let (bytes_before, rows_before) = (rows.bytes.len(), rows.ends.len());
        let unpacked = self.unpack_onto(packed, rows);
        if unpacked.is_err() {
            rows.bytes.truncate(bytes_before);
            rows.ends.truncate(rows_before);
        }
        unpacked
    }

    fn unpack_onto(&mut self, packed: &[u8], rows: &mut Rows) -> Result<(), Damaged> {
        let plain_bytes = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().ok_or(Damaged)?;
        let plain_bytes = usize::try_from(plain_bytes).map_err(|_| Damaged)?;
        if plain_bytes > LONGEST_PLAIN_BYTES {
            return Err(Damaged);
        }
        let begin = rows.bytes.len();
        rows.bytes.reserve(plain_bytes);
        let mut end = Cursor::new(&mut rows.bytes);
        end.set_position(begin as u64);
        self.0.decompress_to_buffer(packed, &mut end).map_err(|_| Damaged)?;
        take_trailer(rows, begin).ok_or(Damaged)
    }
}

/// A packed table that does not unpack to what it was.
#[derive(Debug)]
pub(super) struct Damaged;

/// Cuts the trailer off and adds the ends it tells; `None` when it does not fit the rows.
fn take_trailer(rows: &mut Rows, begin: usize) -> Option<()> {
    let added = rows.bytes.get(begin..)?;
    let (rest, foot) = added.split_at_checked(added.len().checked_sub(FOOT_BYTES)?)?;
    let (count, lengths_bytes) = foot.split_at(4);
    let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
    let (count, lengths_bytes) = (number(count)?, number(lengths_bytes)?);
    let (plain, mut lengths) = rest.split_at_checked(rest.len().checked_sub(lengths_bytes)?)?;
    let mut end = begin;
    for _ in 0..count {
        end = end.checked_add(take_length(&mut lengths)?)?;
        rows.ends.push(end);
    }
    let fits = end == begin + plain.len() && lengths.is_empty();
    rows.bytes.truncate(end.min(begin + plain.len()));
    fits.then_some(())
}

fn take_length(lengths: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
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
        let mut batch = batch(&[(Table::Bodies, &long), (Table::Bodies, b""), (Table::Bodies, b"abc")]);
        let packed = Packer::new().unwrap().pack(&mut batch.chunks[0]).unwrap();
        let packed = packed[Table::Bodies as usize].as_ref().unwrap();
        let mut rows = Rows::default();
        let mut unpacker = Unpacker::new().unwrap();
        unpacker.unpack(packed, &mut rows).unwrap();
        unpacker.unpack(packed, &mut rows).unwrap();
        assert_eq!(rows.ends, [70_000, 70_000, 70_003, 140_003, 140_003, 140_006]);
        assert_eq!(rows.slice(2, 3), b"abc");
        assert_eq!(rows.slice(0, 3), [&long[..], b"abc"].concat());
        assert_eq!(rows.slice(5, 6), b"abc");
    }

    #[test]
    fn any_damaged_byte_is_noticed_and_leaves_the_rows_before_alone() {
        let mut rows = Rows { bytes: (0..200).collect(), ends: vec![50, 200] };
        let packed = Packer::new().unwrap().pack_rows(&mut rows).unwrap();
        let mut unpacker = Unpacker::new().unwrap();
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            let mut into = rows.clone();
            assert!(unpacker.unpack(&damaged, &mut into).is_err(), "byte {at}");
            assert_eq!(into, rows);
        }
        let mut into = rows.clone();
        assert!(unpacker.unpack(&packed[..packed.len() - 3], &mut into).is_err());
        assert_eq!(into, rows);
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
