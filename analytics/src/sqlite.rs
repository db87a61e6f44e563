//! The embedded store: calls in one SQLite file, written by one connection, read by a few others.
//!
//! ```text
//! recorder's thread ─► append (one connection, one transaction a batch) ─► log ─► checkpoint thread ─► file
//! roller's thread   ─► rollup (closed blocks, a few at a time), purge, compact: the same connection, in turns
//! find, report, …   ─► readers (a few at a time, on threads that may block)
//! ```
//! Readers see the file as of their first look and neither wait for the writer nor make it wait.

mod append;
mod blocks;
mod bodies;
mod columns;
mod compact;
mod count;
mod export;
mod find;
mod grams;
mod groups;
mod held;
mod marks;
mod plan;
mod purge;
mod readers;
mod reading;
mod report;
mod roller;
mod rollup;
mod scan;
mod schema;
mod scores;
mod sessions;
mod sketch;
mod spans;
mod tally;
mod ties;
mod traces;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vocab::id::Call;
use vocab::{Clock, Id, Time};

pub use self::held::held_calls;

use self::append::Appender;
use self::purge::Purge;
use self::readers::Readers;
use self::roller::Roller;
use crate::OpenError;
use crate::file::checkpoint::Checkpointer;
use crate::file::{self, HeldFile};
use crate::filter::Field;
use crate::found::FoundCall;
use crate::report::{Report, Table};
use crate::room::{Room, UNLIMITED};
use crate::store::{
    Answer, Condition, Count, Cursor, Doomed, Entries, FoundPage, QueryError, ScorePage, ScoreSearch, Search,
    SetAside, Shed, Sink, Store, Unavailable, ValueCount,
};
use crate::trace::{FoundTrace, SessionSummary, SummaryPage, TraceSummary};

const CLOSED: &str = "the records file is closed";

/// Calls in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writing: Arc<Turns>,
    room: Arc<Room>,
    shed: Mutex<Shed>,
    set_aside: Mutex<Option<SetAside>>,
    clock: Clock,
    _roller: Roller,
}

/// The writing side of the store.
enum Writing {
    Open(Box<Open>),
    /// A damaged file was set aside, and there is no fresh one yet.
    Without(Arc<HeldFile>),
    Closed,
}

/// Everything that writes. Dropped in this order: the log is brought home when nothing is appended any more,
/// and the file is given up last.
struct Open {
    appender: Appender,
    checkpointer: Checkpointer,
    file: Arc<HeldFile>,
}

/// The writing side, for one at a time and in turns: whoever lets go of a plain lock and takes it again at once mostly
/// gets it, and something long in many steps would keep everybody else waiting for all of them.
struct Turns {
    /// Held by whoever is next.
    next: Mutex<()>,
    writing: Mutex<Writing>,
}

impl Turns {
    const fn new(writing: Writing) -> Self {
        Self { next: Mutex::new(()), writing: Mutex::new(writing) }
    }

    fn take(&self) -> MutexGuard<'_, Writing> {
        let _next = lock(&self.next);
        lock(&self.writing)
    }
}

impl SqliteStore {
    /// Opens the file, or makes it; a damaged one is set aside first.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        let file = Arc::new(HeldFile::take(path, &schema::FORMAT)?);
        let (open, set_aside) = Open::on(&file, &clock)?;
        let writing = Arc::new(Turns::new(Writing::Open(Box::new(open))));
        let room = Arc::new(Room::new(UNLIMITED, file::beside(path, "-reserve"), clock.clone()));
        let roller = Roller::start(&writing, &room)
            .map_err(|error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self {
            readers: Readers::new(path),
            writing,
            room,
            shed: Mutex::default(),
            set_aside: Mutex::new(set_aside),
            path: path.to_owned(),
            clock,
            _roller: roller,
        })
    }

    /// Has commits wait until they are on the disk itself, so that a power cut loses nothing either.
    pub fn sync_fully(&self) {
        if let Writing::Open(open) = &*self.writing.take() {
            open.file.sync_fully();
            // One that cannot be told is told when the file is next opened.
            open.appender.db.pragma_update(None, "synchronous", "FULL").unwrap_or_default();
        }
    }

    /// Keeps so many bytes of disk beside the file, to be given up when it is full: narrow rows with their cost can then
    /// still be written. They are taken in the background, or by [`SqliteStore::tidy`].
    pub fn keep_reserve(&self, bytes: u64) {
        self.room.keep_reserve(bytes);
    }

    /// Takes the reserve, if there is to be one that is missing and there is room for it.
    pub fn tidy(&self) {
        roller::refill(&self.writing, &self.room);
    }

    /// Lets the file grow to so many pages of 8 KiB and no further, the reserve aside; `None` takes the limit away.
    /// Rows that would make it longer are refused as on a full disk.
    pub fn limit_pages(&self, pages: Option<u32>) {
        self.room.set_bytes(pages.map_or(UNLIMITED, |pages| u64::from(pages) * schema::PAGE_BYTES as u64));
        if let Writing::Open(open) = &*self.writing.take() {
            open.limit(&self.room);
        }
    }

    /// Makes a fresh file when the last one was set aside.
    fn renew(&self, writing: &mut Writing) -> Result<(), OpenError> {
        if let Writing::Without(file) = writing {
            *writing = Writing::Open(Box::new(Open::on(file, &self.clock)?.0));
        }
        Ok(())
    }

    /// Puts a file that turned out to be damaged out of the way. The next rows go into a fresh one.
    fn set_aside(&self, writing: &mut Writing, reason: &str) {
        let Writing::Open(open) = std::mem::replace(writing, Writing::Closed) else { return };
        let file = Arc::clone(&open.file);
        drop(open);
        match file.set_aside(reason.to_owned(), &self.clock) {
            Ok(set_aside) => *lock(&self.set_aside) = Some(set_aside),
            Err(error) => tracing::error!(%error, "the damaged records file cannot be moved"),
        }
        self.readers.renew();
        *writing = Writing::Without(file);
    }
}

impl Open {
    fn on(file: &Arc<HeldFile>, clock: &Clock) -> Result<(Self, Option<SetAside>), OpenError> {
        let unavailable = |reason: String| OpenError::Unavailable { path: file.path.clone(), reason };
        let (db, set_aside) = file.open(clock)?;
        let mut appender = Appender::new(db).map_err(|error| unavailable(error.to_string()))?;
        appender.resume().map_err(|error| unavailable(error.to_string()))?;
        let checkpointer = Checkpointer::start(file).map_err(|error| unavailable(error.to_string()))?;
        Ok((Self { appender, checkpointer, file: Arc::clone(file) }, set_aside))
    }

    /// Lets the file be as long as it may.
    fn limit(&self, room: &Room) {
        let pages = (room.most_bytes() / schema::PAGE_BYTES as u64).min(u64::from(u32::MAX) - 1);
        // A limit that cannot be set is no limit.
        self.appender.db.pragma_update(None, "max_page_count", pages as i64).unwrap_or_default();
    }
}

impl Sink for SqliteStore {
    fn append(&self, entries: Entries<'_, '_>) -> Result<u64, Unavailable> {
        let mut writing = self.writing.take();
        self.renew(&mut writing).map_err(|error| Unavailable(error.to_string()))?;
        let Writing::Open(open) = &mut *writing else { return Err(Unavailable(CLOSED.into())) };
        let error = match open.appender.append(entries, self.room.keep()) {
            Ok((added, shed)) => {
                open.checkpointer.note();
                lock(&self.shed).add(&shed);
                return Ok(added);
            }
            Err(error) => error,
        };
        let reason = error.to_string();
        if file::is_damage(&error) {
            self.set_aside(&mut writing, &reason);
        } else if file::is_full(&error) {
            self.room.was_full();
            open.limit(&self.room);
        }
        Err(Unavailable(reason))
    }

    fn condition(&self) -> Condition {
        Condition {
            set_aside: lock(&self.set_aside).clone(),
            file_bytes: file::bytes(&self.path),
            shed: *lock(&self.shed),
            outbox: None,
        }
    }

    fn has_room(&self) -> bool {
        self.room.is_calm()
    }

    fn close(&self) {
        let writing = std::mem::replace(&mut *self.writing.take(), Writing::Closed);
        self.readers.rest();
        drop(writing);
    }
}

impl Store for SqliteStore {
    fn get(&self, id: Id<Call>) -> Answer<'_, Option<FoundCall>> {
        Box::pin(self.readers.look_up(move |reader| reading::call(reader, id)))
    }

    fn find(&self, search: Search) -> Answer<'_, FoundPage> {
        let clock = self.clock.clone();
        Box::pin(self.readers.search(move |reader| find::find(reader, &search, &clock)))
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn export(&self, search: Search) -> Answer<'_, FoundPage<FoundCall>> {
        let clock = self.clock.clone();
        Box::pin(self.readers.report(move |reader| export::export(reader, &search, &clock)))
    }

    fn behind(&self, started: Time, id: Id<Call>) -> Cursor {
        Cursor { started: started.0, id: u128::from_be_bytes(id.bytes()) }
    }

    fn count(&self, search: Search) -> Answer<'_, Count> {
        let clock = self.clock.clone();
        Box::pin(self.readers.search(move |reader| count::count(reader, &search, &clock)))
    }

    fn values(&self, search: Search, field: Field, starts_with: String) -> Answer<'_, Vec<ValueCount>> {
        let clock = self.clock.clone();
        Box::pin(
            self.readers.search(move |reader| count::values(reader, &search, &field, &starts_with, &clock)),
        )
    }

    fn report(&self, report: Report) -> Answer<'_, Table> {
        let clock = self.clock.clone();
        Box::pin(self.readers.report(move |reader| report::report(reader, &report, &clock)))
    }

    fn trace(&self, project: Arc<str>, trace_id: [u8; 16]) -> Answer<'_, FoundTrace> {
        let clock = self.clock.clone();
        Box::pin(self.readers.search(move |reader| traces::trace(reader, &project, trace_id, &clock)))
    }

    fn traces(&self, search: Search) -> Answer<'_, SummaryPage<TraceSummary>> {
        let clock = self.clock.clone();
        Box::pin(self.readers.search(move |reader| traces::traces(reader, &search, &clock)))
    }

    fn sessions(&self, search: Search) -> Answer<'_, SummaryPage<SessionSummary>> {
        let clock = self.clock.clone();
        Box::pin(self.readers.search(move |reader| sessions::sessions(reader, &search, &clock)))
    }

    fn scores(&self, search: ScoreSearch) -> Answer<'_, ScorePage> {
        Box::pin(self.readers.look_up(move |reader| scores::find(&reader.db, &search)))
    }

    fn purge(&self, doomed: Doomed) -> Answer<'_, u64> {
        let writing = Arc::clone(&self.writing);
        Box::pin(async move {
            let purged = tokio::task::spawn_blocking(move || purge_all(&writing, doomed));
            purged.await.map_err(|error| QueryError::Unavailable(error.to_string()))?
        })
    }

    fn compact(&self) -> Answer<'_, u64> {
        let (writing, clock) = (Arc::clone(&self.writing), self.clock.clone());
        Box::pin(async move {
            let given_back = tokio::task::spawn_blocking(move || compact::all(&writing, &clock));
            given_back.await.map_err(|error| QueryError::Unavailable(error.to_string()))?
        })
    }
}

/// Deletes step by step; the writer gets its turn in between.
fn purge_all(writing: &Turns, doomed: Doomed) -> Result<u64, QueryError> {
    let mut purge = Purge::of(doomed);
    while !purge.is_done() {
        let mut guard = writing.take();
        let Writing::Open(open) = &mut *guard else { return Err(QueryError::Unavailable(CLOSED.into())) };
        purge.step(&mut open.appender).map_err(|error| QueryError::Unavailable(error.to_string()))?;
        open.checkpointer.note();
    }
    Ok(purge.calls)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
