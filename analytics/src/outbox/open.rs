//! The outbox file while it is open: one connection for everything, and the thread that brings its log home.

use std::fs::File;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use vocab::{Clock, Time};

use super::figures::{Added, Size};
use super::schema::PAGE_BYTES;
use crate::OpenError;
use crate::file::HeldFile;
use crate::file::beside;
use crate::file::checkpoint::Checkpointer;
use crate::store::SetAside;

/// One batch's tables, packed; in the order of [`super::Table`].
pub(super) type PackedTables = [Option<Vec<u8>>; 5];

const ADD: &str = "INSERT INTO batch (seq, layout, committed_at, rows, plain_bytes, packed_bytes,
                                      calls, attempts, bodies, spans, scores)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
/// With more than this many free pages, and more than half of the file free, pages are given back to the disk.
const SPARE_PAGES: i64 = 2_048;
/// So many pages are given back at a time; the writer gets its turn in between.
const STEP_PAGES: i64 = 256;

/// Dropped in this order: the log is brought home when nothing is written any more.
pub(super) struct Open {
    pub(super) db: Connection,
    pub(super) checkpointer: Checkpointer,
    log: PathBuf,
    sync_full: bool,
    pub(super) next: i64,
    pub(super) clock: Clock,
}

impl Open {
    pub(super) fn on(
        file: &HeldFile,
        sync_full: bool,
        clock: &Clock,
    ) -> Result<(Self, Option<SetAside>), OpenError> {
        let unavailable = |reason: String| OpenError::Unavailable { path: file.path.clone(), reason };
        if sync_full {
            file.sync_fully();
        }
        let (db, set_aside) = file.open(clock)?;
        let open = Self::with(db, file, sync_full, clock);
        let mut open = open.map_err(|error| unavailable(error.to_string()))?;
        let set_aside = set_aside.map(|moved| open.take_over(moved));
        Ok((open, set_aside))
    }

    fn with(
        db: Connection,
        file: &HeldFile,
        sync_full: bool,
        clock: &Clock,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut open = Self {
            db,
            checkpointer: Checkpointer::start(file)?,
            log: beside(&file.path, "-wal"),
            sync_full,
            next: 1,
            clock: clock.clone(),
        };
        open.next = open.last_seq()? + 1;
        Ok(open)
    }

    /// Commits batches in one transaction.
    pub(super) fn add(&mut self, layout: u32, batches: &[(Size, PackedTables)]) -> rusqlite::Result<Added> {
        let now = self.clock.now();
        let mut added = Added { size: Size { oldest: Some(now), ..Size::default() }, last: self.next - 1 };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (size, tables) in batches {
            let packed_bytes = tables.iter().flatten().map(|packed| packed.len() as u64).sum();
            added.last += 1;
            added.size.rows += size.rows;
            added.size.plain_bytes += size.plain_bytes;
            added.size.packed_bytes += packed_bytes;
            let size = Size { packed_bytes, oldest: Some(now), ..*size };
            insert(&tx, added.last, layout, &size, tables)?;
        }
        tx.commit()?;
        self.next = added.last + 1;
        Ok(added)
    }

    /// The number of the last batch there ever was, as far as the file knows.
    pub(super) fn last_seq(&self) -> rusqlite::Result<i64> {
        let last = "SELECT max((SELECT coalesce(max(seq), 0) FROM batch), (SELECT coalesce(max(last), 0) FROM block))";
        let last: i64 = self.db.query_row(last, [], |row| row.get(0))?;
        Ok(last.max(self.next - 1))
    }

    /// The numbers of the first and the last batch that wait.
    pub(super) fn waiting(&self) -> rusqlite::Result<Option<(i64, i64)>> {
        let ends = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (first, last) = self.db.query_row("SELECT min(seq), max(seq) FROM batch", [], ends)?;
        Ok(first.zip(last))
    }

    /// Everything that waits.
    pub(super) fn size(&self) -> rusqlite::Result<Size> {
        size(&self.db)
    }

    pub(super) fn poisoned_rows(&self) -> rusqlite::Result<u64> {
        self.db.query_row("SELECT count(*) FROM poisoned", [], |row| row.get::<_, i64>(0)).map(|n| n as u64)
    }

    /// When the oldest batch was committed.
    pub(super) fn oldest(&self) -> rusqlite::Result<Option<Time>> {
        let mut oldest = self.db.prepare_cached("SELECT committed_at FROM batch ORDER BY seq LIMIT 1")?;
        oldest.query_row([], |row| row.get(0).map(Time)).optional()
    }

    /// Bytes in use; what was freed and not given back to the disk does not count.
    pub(super) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let pages = self.count("PRAGMA page_count")? - self.count("PRAGMA freelist_count")?;
        Ok(pages as u64 * PAGE_BYTES)
    }

    /// Sets the most bytes the file may take.
    pub(super) fn limit(&self, bytes: u64) {
        let pages = (bytes / PAGE_BYTES).min(u64::from(u32::MAX) - 1) as i64;
        // A limit that cannot be set is no limit.
        self.db.pragma_update(None, "max_page_count", pages).unwrap_or_default();
    }

    /// The log that must reach the disk before what was committed is safe from a power cut; `None` when it has.
    pub(super) fn log_to_sync(&self) -> Option<PathBuf> {
        (!self.sync_full).then(|| self.log.clone())
    }

    /// Gives some free pages back to the disk; false when there are not enough of them to be worth it.
    pub(super) fn shrink(&self) -> rusqlite::Result<bool> {
        let (pages, free) = (self.count("PRAGMA page_count")?, self.count("PRAGMA freelist_count")?);
        if free <= SPARE_PAGES || free * 2 <= pages {
            return Ok(false);
        }
        let mut vacuum = self.db.prepare(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"))?;
        let mut steps = vacuum.query([])?;
        // It does its work step by step: not stepped to its end, it frees one page.
        while steps.next()?.is_some() {}
        Ok(true)
    }

    fn count(&self, pragma: &str) -> rusqlite::Result<i64> {
        self.db.prepare_cached(pragma)?.query_row([], |row| row.get(0))
    }
}

/// Everything that waits in a file.
pub(super) fn size(db: &Connection) -> rusqlite::Result<Size> {
    let sums = "SELECT coalesce(sum(rows), 0), coalesce(sum(plain_bytes), 0), coalesce(sum(packed_bytes), 0),
                       min(committed_at) FROM batch";
    db.query_row(sums, [], read_size)
}

pub(super) fn read_size(row: &Row<'_>) -> rusqlite::Result<Size> {
    let number = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
    Ok(Size {
        rows: number(0)?,
        plain_bytes: number(1)?,
        packed_bytes: number(2)?,
        oldest: row.get::<_, Option<i64>>(3)?.map(Time),
    })
}

pub(super) fn insert(
    db: &Connection,
    seq: i64,
    layout: u32,
    size: &Size,
    tables: &PackedTables,
) -> rusqlite::Result<()> {
    let [calls, attempts, bodies, spans, scores] = tables;
    db.prepare_cached(ADD)?.execute(params![
        seq,
        layout,
        size.oldest.unwrap_or_default().micros(),
        size.rows as i64,
        size.plain_bytes as i64,
        size.packed_bytes as i64,
        calls,
        attempts,
        bodies,
        spans,
        scores,
    ])?;
    Ok(())
}

/// Waits until the log is on the disk itself.
pub(super) fn sync(log: &std::path::Path) -> std::io::Result<()> {
    File::open(log)?.sync_data()
}
