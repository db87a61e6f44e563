//! What ties calls together: which traces, sessions and projects the calls of a block belong to.
//!
//! An index on the trace would cost every call some 12 µs once the file is large, because traces come in no order.
//! Instead each block has four bytes for each trace and each session in it. Finding one means reading them all:
//! a few megabytes for a million calls, next to each other.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction, params};

use super::columns::{Column, Fields};
use super::scan::Block;

const ADD: &str = "INSERT OR REPLACE INTO tie (first, ties, projects) VALUES (?1, ?2, ?3)";
/// Of blocks in which a call started at some time or later.
const ALL: &str = "SELECT first, ties FROM tie
                   WHERE first >= (SELECT min(first) FROM block WHERE started_max >= ?1)";
const BLOCK: &str = "SELECT first, last, started_max FROM block WHERE first = ?1 LIMIT 1";
const UNROLLED: &str =
    "SELECT first, last, started_max FROM block INDEXED BY block_unrolled WHERE rolled = 0";
/// Bytes of a tie.
const TIE_BYTES: usize = 4;

/// What ties calls together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    Trace,
    Session,
}

impl Tie {
    /// Where calls name it.
    pub(super) const fn column(self) -> Column {
        match self {
            Self::Trace => Column::TraceId,
            Self::Session => Column::Session,
        }
    }

    /// The four bytes that stand for a trace or session of this name.
    fn hash(self, name: &str) -> [u8; TIE_BYTES] {
        hash(self as u8, name)
    }
}

/// FNV-1a, folded: the same from build to build, as what is stored must be.
fn hash(kind: u8, name: &str) -> [u8; TIE_BYTES] {
    let hash = std::iter::once(kind).chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((hash >> 32) as u32 ^ hash as u32).to_le_bytes()
}

/// The ties of one block's calls.
#[derive(Default)]
pub(super) struct Ties {
    ties: HashSet<[u8; TIE_BYTES]>,
    projects: HashSet<[u8; TIE_BYTES]>,
}

impl Ties {
    pub(super) fn add(&mut self, fields: &Fields<'_>) {
        for tie in [Tie::Trace, Tie::Session] {
            self.ties.extend(fields.text(tie.column()).map(|name| tie.hash(&name)));
        }
        self.projects.extend(fields.text(Column::Project).map(|name| hash_of_project(&name)));
    }

    pub(super) fn write(&self, tx: &Transaction<'_>, first: i64) -> rusqlite::Result<()> {
        let bytes = |ties: &HashSet<[u8; TIE_BYTES]>| ties.iter().flatten().copied().collect::<Vec<_>>();
        tx.prepare_cached(ADD)?.execute(params![first, bytes(&self.ties), bytes(&self.projects)])?;
        Ok(())
    }
}

/// The four bytes that stand for a project.
fn hash_of_project(name: &str) -> [u8; TIE_BYTES] {
    hash(u8::MAX, name)
}

/// Whether a block's stored projects leave it possible that a call in it is of `only`, and not all are of `except`.
pub(super) fn may_hold(projects: &[u8], only: Option<&str>, except: &[std::sync::Arc<str>]) -> bool {
    let except: Vec<_> = except.iter().map(|name| hash_of_project(name)).collect();
    let only = only.map(hash_of_project);
    hold(projects, |project| only.is_none_or(|only| only == project) && !except.contains(&project))
}

/// Whether stored ties hold one of `sought`.
pub(super) fn hold(stored: &[u8], mut sought: impl FnMut([u8; TIE_BYTES]) -> bool) -> bool {
    stored.chunks_exact(TIE_BYTES).any(|tie| sought([tie[0], tie[1], tie[2], tie[3]]))
}

/// The blocks that may hold calls of the named traces or sessions that started at `from` or later: all that are not
/// in the roll-ups yet, the open one, and those whose ties say so.
pub(super) fn blocks<'n>(
    db: &Connection,
    tie: Tie,
    names: impl IntoIterator<Item = &'n str>,
    from: i64,
) -> rusqlite::Result<Vec<Block>> {
    let sought: HashSet<_> = names.into_iter().map(|name| tie.hash(name)).collect();
    let mut blocks = vec![Block::open(db)?];
    let mut unrolled = db.prepare_cached(UNROLLED)?;
    let mut unrolled = unrolled.query([])?;
    while let Some(row) = unrolled.next()? {
        blocks.push(Block::read(row)?);
    }
    for first in tied(db, &sought, from)? {
        let mut block = db.prepare_cached(BLOCK)?;
        let mut block = block.query([first])?;
        blocks.extend(block.next()?.map(Block::read).transpose()?);
    }
    blocks.retain(|block| block.started_max >= from);
    Ok(blocks)
}

fn tied(db: &Connection, sought: &HashSet<[u8; TIE_BYTES]>, from: i64) -> rusqlite::Result<Vec<i64>> {
    // One name, and comparing is all there is to it.
    let only = sought.iter().next().filter(|_| sought.len() == 1).copied();
    let mut firsts = Vec::new();
    let mut all = db.prepare_cached(ALL)?;
    let mut all = all.query([from])?;
    while let Some(row) = all.next()? {
        let ties = row.get_ref(1)?.as_blob()?;
        let held = match only {
            Some(only) => hold(ties, |tie| tie == only),
            None => hold(ties, |tie| sought.contains(&tie)),
        };
        if held {
            firsts.push(row.get(0)?);
        }
    }
    Ok(firsts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_of_different_kinds_are_different() {
        assert_ne!(Tie::Trace.hash("a"), Tie::Session.hash("a"));
        assert_ne!(Tie::Session.hash("a"), hash_of_project("a"));
        assert_ne!(Tie::Session.hash("a"), Tie::Session.hash("b"));
    }

    #[test]
    fn stored_ties_hold_what_was_put_in_and_nothing_that_only_overlaps() {
        let stored: Vec<u8> = [[1, 2, 3, 4], [5, 6, 7, 8]].concat();
        assert!(hold(&stored, |tie| tie == [5, 6, 7, 8]));
        assert!(!hold(&stored, |tie| tie == [3, 4, 5, 6]));
        assert!(!hold(&[], |_| true));
    }
}
