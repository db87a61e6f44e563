//! Where records wait for a store that is elsewhere: a SQLite file of packed batches.
//!
//! ```text
//! recorder's thread ─► commit (one transaction) ─► batch, batch, batch … ─► block (sealed) ─► shipper ─► store
//! ```
//! Batches are committed in the order they come. The oldest of them become a block: which ones, and under which
//! id, is written down before the block is first sent, so that whatever crashes, the same block is sent again
//! under the same id, and the store tells it apart. Only when it has arrived are its batches deleted. One block is
//! in flight at a time. What a store refuses for what is in it is set aside row by row.

mod batch;
mod block;
mod figures;
pub(crate) mod frame;
mod keep;
mod open;
mod poison;
mod salvage;
mod schema;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use vocab::{Clock, Id};

pub use self::batch::{Batch, Table};
pub(crate) use self::block::{Block, Next, Piece};
pub use self::keep::Keep;
pub use self::poison::{PoisonedRow, Which};
pub use self::status::status;

use self::batch::Chunk;
use self::figures::{Figures, Size};
use self::open::Open;
use crate::OpenError;
use crate::file::{self, HeldFile, beside};
use crate::room::{Room, UNLIMITED};
use crate::store::{OutboxCondition, SetAside, Shed, Unavailable};

const CLOSED: &str = "the outbox is closed";

/// What a sealed block is identified by: the token by which the destination tells it from others.
pub enum BlockOf {}

/// A block's id.
pub type BlockId = Id<BlockOf>;

/// Where records wait, and how safely.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// The file.
    pub path: PathBuf,
    /// The most it may take on disk; what happens when that is used up is told in `docs/RECORDS.md`.
    pub bytes: u64,
    /// What is kept free beside it for the narrowest rows.
    pub reserve_bytes: u64,
    /// Whether a commit waits until it is on the disk itself, so that a power cut loses nothing either.
    pub sync_full: bool,
    /// Whether calls are to be refused while there is no room to record everything about them.
    pub refuse_when_full: bool,
}

impl OutboxSettings {
    /// The usual: at most 10 GiB at this place, 64 MiB in reserve, safe from crashes, serving when full.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            bytes: 10 << 30,
            reserve_bytes: 64 << 20,
            sync_full: false,
            refuse_when_full: false,
        }
    }
}

/// An outbox. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    file: HeldFile,
    sync_full: bool,
    clock: Clock,
    writing: Mutex<Writing>,
    room: Room,
    figures: Mutex<Figures>,
    /// Tells the shipper that there may be something to do.
    arrived: Notify,
    /// Tells those who wait that something was shipped.
    shipped: Notify,
}

enum Writing {
    Open(Box<Open>),
    /// A damaged file was set aside, and there is no fresh one yet.
    Without(Option<SetAside>),
    Closed,
}

impl Outbox {
    /// Opens the outbox, or makes it. From a damaged one, what is whole is taken over into a fresh one, and the
    /// damaged file is set aside.
    pub fn open(settings: &OutboxSettings, clock: &Clock) -> Result<(Self, Option<SetAside>), OpenError> {
        let file = HeldFile::take(&settings.path, &schema::FORMAT)?;
        let unavailable = |reason: String| OpenError::Unavailable { path: settings.path.clone(), reason };
        let (open, set_aside) = Open::on(&file, settings.sync_full, clock)?;
        let room = Room::new(settings.bytes, beside(&settings.path, "-reserve"), clock.clone());
        room.keep_reserve(settings.reserve_bytes);
        room.refill();
        let mut figures = Figures::default();
        figures.set_aside.clone_from(&set_aside);
        let shared = Shared {
            sync_full: settings.sync_full,
            clock: clock.clone(),
            writing: Mutex::new(Writing::Closed),
            figures: Mutex::new(figures),
            arrived: Notify::new(),
            shipped: Notify::new(),
            file,
            room,
        };
        shared.resume(&open).map_err(|error| unavailable(error.to_string()))?;
        open.limit(shared.room.most_bytes());
        *lock(&shared.writing) = Writing::Open(Box::new(open));
        Ok((Self(Arc::new(shared)), set_aside))
    }

    /// How much of each call there is room for now.
    pub fn keep(&self) -> Keep {
        self.0.room.keep()
    }

    /// Whether there is room for everything about more calls.
    pub fn has_room(&self) -> bool {
        self.0.room.is_calm()
    }

    /// Commits all rows or none. On an error the same rows may be offered again, made as [`Outbox::keep`] says
    /// then: after a full disk they are to be narrower.
    #[expect(clippy::needless_pass_by_value, reason = "a batch is committed once")]
    pub fn commit(&self, batch: Batch) -> Result<(), Unavailable> {
        let pack = |chunk: &Chunk| {
            let (rows, plain_bytes) = (chunk.counted_rows(), chunk.plain_bytes() as u64);
            (Size { rows, plain_bytes, ..Size::default() }, chunk.pack())
        };
        let packed: Vec<_> = batch.chunks.iter().map(pack).collect();
        let added = self.0.write(|open| open.add(batch.layout, &packed))?;
        let mut figures = self.0.figures();
        figures.shed.add(&batch.shed);
        let wake = figures.add(&added, &self.0.clock);
        drop(figures);
        if wake {
            self.0.arrived.notify_one();
        }
        Ok(())
    }

    /// What was given up since the start because there was no room for it.
    pub fn shed(&self) -> Shed {
        self.0.figures().shed
    }

    /// What waits, and how shipping goes.
    pub fn condition(&self) -> OutboxCondition {
        self.0.figures().condition()
    }

    /// A damaged file that was set aside since this process started.
    pub fn set_aside(&self) -> Option<SetAside> {
        self.0.figures().set_aside.clone()
    }

    /// Bytes the outbox takes on disk.
    pub fn file_bytes(&self) -> u64 {
        file::bytes(&self.0.file.path)
    }

    /// Returns once everything committed before has been shipped or set aside; it is shipped without waiting for
    /// more. A destination that is away makes this wait: put a limit on it.
    pub async fn settled(&self) {
        let upto = self.hurry();
        self.0.arrived.notify_one();
        loop {
            let shipped = self.0.shipped.notified();
            tokio::pin!(shipped);
            shipped.as_mut().enable();
            if self.0.figures().waits_no_longer(upto) {
                return;
            }
            shipped.await;
        }
    }

    /// Brings everything to rest on disk; nothing is taken or given afterwards.
    pub fn close(&self) {
        let writing = std::mem::replace(&mut *lock(&self.0.writing), Writing::Closed);
        drop(writing);
        self.0.figures().closed = true;
        self.0.arrived.notify_one();
        self.0.shipped.notify_waiters();
    }

    /// Lets the file grow to so many pages of 8 KiB and no further, the reserve aside; `None` takes the limit away.
    /// Rows that would make it longer are refused as on a full disk.
    pub fn limit_pages(&self, pages: Option<u32>) {
        let bytes = pages.map_or(UNLIMITED, |pages| u64::from(pages) * schema::PAGE_BYTES);
        self.0.room.set_bytes(bytes);
        if let Writing::Open(open) = &*lock(&self.0.writing) {
            open.limit(self.0.room.most_bytes());
        }
    }

    /// Waits until there may be something to do, but no longer than this.
    pub(crate) async fn wait(&self, at_most: Duration) {
        // Whether it was told or the time is up: whoever waits looks again.
        tokio::time::timeout(at_most, self.0.arrived.notified()).await.unwrap_or_default();
    }

    /// Has what was committed so far shipped without waiting for more; returns the number of the last batch.
    pub(crate) fn hurry(&self) -> i64 {
        let mut figures = self.0.figures();
        figures.hurry_to = figures.last;
        figures.last
    }

    /// Says why shipping does not work; `None` when it does.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        self.0.figures().trouble = trouble;
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.figures().closed
    }
}

impl Shared {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        lock(&self.figures)
    }

    /// Does something with the file. A full disk and a damaged file are seen to; whoever asked may ask again.
    fn write<T>(&self, work: impl FnOnce(&mut Open) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        let mut writing = lock(&self.writing);
        self.renew(&mut writing)?;
        let Writing::Open(open) = &mut *writing else { return Err(Unavailable(CLOSED.to_owned())) };
        let error = match work(open) {
            Ok(done) => {
                open.checkpointer.note();
                self.room.set_used(open.used_bytes().unwrap_or_default());
                return Ok(done);
            }
            Err(error) => error,
        };
        let reason = error.to_string();
        if file::is_damage(&error) {
            self.put_aside(&mut writing, &reason);
        } else if file::is_full(&error) {
            self.room.was_full();
            open.limit(self.room.most_bytes());
        }
        Err(Unavailable(reason))
    }

    /// Puts a file that turned out to be damaged out of the way.
    fn put_aside(&self, writing: &mut Writing, reason: &str) {
        // Closed first: whatever is still open would be moved away under it.
        drop(std::mem::replace(writing, Writing::Closed));
        *writing = match self.file.set_aside(reason.to_owned(), &self.clock) {
            Ok(set_aside) => Writing::Without(Some(set_aside)),
            Err(error) => {
                tracing::error!(%error, "the damaged outbox cannot be moved");
                Writing::Without(None)
            }
        };
    }

    /// Makes a fresh file when the last one was set aside, with what was whole in that.
    fn renew(&self, writing: &mut Writing) -> Result<(), Unavailable> {
        let Writing::Without(moved) = writing else { return Ok(()) };
        let unavailable = |error: &dyn std::fmt::Display| Unavailable(error.to_string());
        let (mut open, set_aside) =
            Open::on(&self.file, self.sync_full, &self.clock).map_err(|error| unavailable(&error))?;
        let set_aside = moved.take().map(|moved| open.take_over(moved)).or(set_aside);
        // Numbers of batches that were lost are not given again: a block in memory may still be made of them.
        open.next = open.next.max(self.figures().last + 1);
        open.limit(self.room.most_bytes());
        self.resume(&open).map_err(|error| unavailable(&error))?;
        self.figures().set_aside = set_aside;
        *writing = Writing::Open(Box::new(open));
        Ok(())
    }

    /// Reads the figures from a file that was just opened.
    fn resume(&self, open: &Open) -> rusqlite::Result<()> {
        let size = open.size()?;
        let (waiting, poisoned) = (open.waiting()?, open.poisoned_rows()?);
        self.room.set_used(open.used_bytes()?);
        self.figures().resume(size, waiting, open.next - 1, poisoned);
        self.arrived.notify_one();
        // What somebody waits for may be lost.
        self.shipped.notify_waiters();
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
