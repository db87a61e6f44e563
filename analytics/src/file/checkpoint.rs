//! The write-ahead log brought home into the file, on a thread of its own.
//!
//! Commits append to the log and never wait for the disk; now and then what is new is copied into the file. A log that keeps growing because somebody is always writing is begun anew once it is too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::HeldFile;

const EVERY: Duration = Duration::from_millis(500);
/// A log longer than this is begun anew.
const LOG_BYTES: i64 = 64 * 1024 * 1024;

/// So much is brought home while others wait; more is brought home first.
const LITTLE_BYTES: i64 = 1024 * 1024;
/// How often that is tried.
const PASSES: usize = 4;
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// How long beginning the log anew may wait for those who still read the old one: everybody who writes waits
/// meanwhile. It is tried again after the next commit.
const ANEW_WAIT: Duration = Duration::from_millis(20);
/// How long everything else may wait.
const WAIT: Duration = Duration::from_secs(10);

/// The thread, until it is dropped.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Whether anything was committed since the last look.
    behind: AtomicBool,
    ending: AtomicBool,
}

impl Checkpointer {
    pub(crate) fn start(file: &HeldFile) -> Result<Self, Box<dyn std::error::Error>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&file.path, flags)?;
        (file.format.write_ahead)(&db)?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new().name("weir-records-log".into()).spawn(move || run(&db, &seen))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that something was committed.
    pub(crate) fn note(&self) {
        self.shared.behind.store(true, Ordering::Release);
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot have anything to say that matters now.
            thread.join().unwrap_or_default();
        }
    }
}

fn run(db: &Connection, shared: &Shared) {
    let page_bytes = db.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap_or(4_096);
    let mut failing = false;
    while !shared.ending.load(Ordering::Acquire) {
        thread::park_timeout(EVERY);
        if !shared.behind.swap(false, Ordering::AcqRel) {
            continue;
        }
        let outcome = bring_home(db, page_bytes);
        if let Err(error) = &outcome {
            shared.behind.store(true, Ordering::Release);
            if !failing {
                tracing::warn!(%error, "the records file's log cannot be brought home; it grows until it can");
            }
        }
        failing = outcome.is_err();
    }
    if let Err(error) = checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(%error, "the records file's log stays beside it and is read at the next start");
    }
}

fn bring_home(db: &Connection, page_bytes: i64) -> rusqlite::Result<()> {
    let (mut log_pages, mut home_pages) = checkpoint(db, PASSIVE)?;
    if log_pages * page_bytes > LOG_BYTES {
        // Beginning anew makes everybody wait for what is not home yet: let that be little.
        for _ in 0..PASSES {
            if (log_pages - home_pages) * page_bytes <= LITTLE_BYTES {
                break;
            }
            (log_pages, home_pages) = checkpoint(db, PASSIVE)?;
        }
        db.busy_timeout(ANEW_WAIT)?;
        let begun = checkpoint(db, "PRAGMA wal_checkpoint(RESTART)");
        db.busy_timeout(WAIT)?;
        begun?;
    }
    Ok(())
}

/// Runs a checkpoint and returns how many pages the log holds, and how many of them are home.
fn checkpoint(db: &Connection, sql: &str) -> rusqlite::Result<(i64, i64)> {
    db.query_row(sql, [], |row| Ok((row.get(1)?, row.get(2)?)))
}
