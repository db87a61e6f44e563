//! Connections that only read: a few at most, each used for one question at a time, away from async threads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::bodies::Unpacker;
use crate::store::QueryError;

/// The most searches at a time; others wait their turn.
const SEARCHES: usize = 3;
/// The most calls looked up at a time. They take a millisecond and do not wait behind searches.
const LOOKUPS: usize = 2;

/// The most reports and exports at a time. They may take seconds and leave the others their turns.
const REPORTS: usize = 2;

/// The reading side of one records file.
#[derive(Clone)]
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    path: PathBuf,
    searches: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    reports: Arc<Semaphore>,
    idle: Mutex<Vec<Reader>>,
    /// Counts how often the file was replaced by a fresh one; connections to an older one are not used again.
    generation: AtomicU64,
}

/// One connection and what it needs to read bodies.
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) unpacker: Unpacker,
    generation: u64,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(Shared {
            path: path.to_owned(),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            reports: Arc::new(Semaphore::new(REPORTS)),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
        }))
    }

    /// Says that the file at the path is another one now.
    pub(super) fn renew(&self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
        self.0.idle().clear();
    }

    /// Closes the connections that nobody uses at the moment.
    pub(super) fn rest(&self) {
        self.0.idle().clear();
    }

    /// Answers a question that may take its time.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.ask(&self.0.searches, work).await
    }

    /// Answers a question about one call.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.ask(&self.0.lookups, work).await
    }

    /// Answers a question that may take many seconds.
    pub(super) async fn report<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.ask(&self.0.reports, work).await
    }

    /// Runs `work` on a thread that may block, with a connection of its own.
    async fn ask<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueryError> {
        let unavailable = |reason: String| QueryError::Unavailable(reason);
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|error| unavailable(error.to_string()))?;
        let shared = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut reader = shared.take()?;
            let answer = work(&mut reader)?;
            shared.give_back(reader);
            Ok::<T, rusqlite::Error>(answer)
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(stopped) => Err(unavailable(stopped.to_string())),
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> rusqlite::Result<Reader> {
        let generation = self.generation.load(Ordering::SeqCst);
        let idle = self.idle().pop().filter(|reader| reader.generation == generation);
        idle.map_or_else(|| Reader::open(&self.path, generation), Ok)
    }

    fn give_back(&self, reader: Reader) {
        if reader.generation == self.generation.load(Ordering::SeqCst) {
            self.idle().push(reader);
        }
    }
}

impl Reader {
    fn open(path: &Path, generation: u64) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_secs(2))?;
        Self::on(db, generation)
    }

    pub(super) fn on(db: Connection, generation: u64) -> rusqlite::Result<Self> {
        let unpacker = Unpacker::knowing(&db)?;
        Ok(Self { db, unpacker, generation })
    }
}
