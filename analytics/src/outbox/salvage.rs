//! What is whole in a damaged outbox, taken over into a fresh one: batch by batch, each with its checksum proved.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::batch::PackedRows;
use super::figures::Size;
use super::open::{self, Open, PackedTables, read_size};
use crate::store::{Salvaged, SetAside};

/// When one end of the batches cannot be found, numbers are tried from the other end on, but not more than this.
const TRIED_BLINDLY: i64 = 10_000_000;
/// After so many numbers without a batch, there are taken to be no more.
const MISSED: u32 = 10_000;
/// So many batches are committed together.
const COMMIT_BATCHES: usize = 64;

/// Numbers that batches may have.
struct Numbers {
    tried: Box<dyn Iterator<Item = i64>>,
    /// Whether there are batches of all of these and of no others.
    are_known: bool,
}

/// One batch as it is in a file.
struct Found {
    seq: i64,
    layout: u32,
    size: Size,
    tables: PackedTables,
}

impl Open {
    /// Copies what can be read of a file that was set aside, and says how much that was.
    pub(super) fn take_over(&mut self, moved: SetAside) -> SetAside {
        let salvaged = self.salvage(&moved.moved_to).unwrap_or_default();
        let set_aside = SetAside { salvaged: Some(salvaged), ..moved };
        tracing::warn!(
            rows = salvaged.rows,
            lost_batches = salvaged.lost_batches,
            "what was whole in the damaged outbox was saved"
        );
        set_aside
    }

    /// `None` when the file tells nothing at all.
    fn salvage(&mut self, path: &Path) -> Option<Salvaged> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let damaged = Connection::open_with_flags(path, flags).ok()?;
        let mut salvaged = Salvaged { rows: 0, lost_batches: Some(0) };
        self.copy_rest(&damaged, "block", "slot, id, first, last, sealed_at");
        self.copy_rest(&damaged, "part", "id, target, from_place, to_place, done");
        self.copy_rest(&damaged, "poisoned", "id, target, layout, at, reason, row");
        let Some(Numbers { tried, are_known }) = numbers(&damaged) else {
            return Some(Salvaged { lost_batches: None, ..salvaged });
        };
        let (mut whole, mut missed) = (Vec::new(), 0);
        for seq in tried {
            if let Ok(Some(found)) = read(&damaged, seq) {
                missed = 0;
                whole.push(found);
            } else {
                // Numbers have no gaps, unless something was lost before.
                missed += 1;
                salvaged.lost_batches = salvaged.lost_batches.map(|lost| lost + 1);
            }
            if whole.len() == COMMIT_BATCHES {
                self.add_found(&mut whole, &mut salvaged);
            }
            if !are_known && missed == MISSED {
                break;
            }
        }
        self.add_found(&mut whole, &mut salvaged);
        self.next = self.last_seq().unwrap_or_default() + 1;
        salvaged.lost_batches = salvaged.lost_batches.filter(|_| are_known);
        Some(salvaged)
    }

    fn add_found(&mut self, found: &mut Vec<Found>, salvaged: &mut Salvaged) {
        match self.try_add_found(found) {
            Ok(()) => salvaged.rows += found.iter().map(|found| found.size.rows).sum::<u64>(),
            Err(_) => salvaged.lost_batches = salvaged.lost_batches.map(|lost| lost + found.len() as u64),
        }
        found.clear();
    }

    fn try_add_found(&mut self, found: &[Found]) -> rusqlite::Result<()> {
        let tx = self.db.transaction()?;
        for found in found {
            open::insert(&tx, found.seq, found.layout, &found.size, &found.tables)?;
        }
        tx.commit()
    }

    /// Copies the rows of a small table one by one, as far as they can be read.
    fn copy_rest(&mut self, damaged: &Connection, table: &str, columns: &str) {
        let marks: Vec<_> = columns.split(", ").enumerate().map(|(n, _)| format!("?{}", n + 1)).collect();
        let insert = format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({})", marks.join(", "));
        let copied =
            copy_rows(damaged, &self.db, &format!("SELECT {columns} FROM {table} LIMIT 100000"), &insert);
        if let Err(error) = copied {
            tracing::warn!(%error, table, "not everything in the damaged outbox could be read");
        }
    }
}

fn copy_rows(from: &Connection, to: &Connection, select: &str, insert: &str) -> rusqlite::Result<()> {
    let (mut select, mut insert) = (from.prepare(select)?, to.prepare(insert)?);
    let columns = select.column_count();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<rusqlite::types::Value> =
            (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
        insert.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}

/// Finds out which numbers batches may have; `None` when there is nothing to go by.
fn numbers(damaged: &Connection) -> Option<Numbers> {
    let find = |sql: &str| damaged.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let up = |first: i64| Numbers { tried: Box::new(first..first + TRIED_BLINDLY), are_known: false };
    let down = |last: i64| Numbers {
        tried: Box::new((1..=last).rev().take(TRIED_BLINDLY as usize)),
        are_known: false,
    };
    match (find("SELECT min(seq) FROM batch"), find("SELECT max(seq) FROM batch")) {
        (Ok(first), Ok(last)) => {
            let tried = Box::new(first.unwrap_or(1)..=last.unwrap_or(0));
            Some(Numbers { tried, are_known: true })
        }
        (Ok(first), Err(_)) => first.map(up),
        (Err(_), Ok(last)) => last.map(down),
        // The block in flight, or the last one that was, tells where they begin.
        (Err(_), Err(_)) => {
            let hint = find("SELECT coalesce(first, last + 1) FROM block WHERE last IS NOT NULL LIMIT 1");
            hint.ok().map(|first| up(first.unwrap_or(1)))
        }
    }
}

/// Reads one batch and proves each of its tables; `Ok(None)` when there is none of this number.
fn read(damaged: &Connection, seq: i64) -> rusqlite::Result<Option<Found>> {
    let mut query = damaged.prepare_cached(
        "SELECT rows, plain_bytes, packed_bytes, committed_at, layout, calls, attempts, bodies, spans, scores
         FROM batch WHERE seq = ?1",
    )?;
    let found = query.query_row(params![seq], |row| {
        let mut tables: PackedTables = [const { None }; 5];
        for (at, packed) in tables.iter_mut().enumerate() {
            *packed = row.get(5 + at)?;
        }
        Ok(Found { seq, layout: row.get(4)?, size: read_size(row)?, tables })
    });
    let Some(found) = found.optional()? else { return Ok(None) };
    for packed in found.tables.iter().flatten() {
        PackedRows::default().add(packed).map_err(|_| rusqlite::Error::InvalidQuery)?;
    }
    Ok(Some(found))
}
