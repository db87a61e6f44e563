//! Records in: filing one never waits, and costs about a microsecond.
//!
//! Filed records pile up in a vector behind a mutex. One writer thread swaps it for an empty one every 50 ms,
//! or as soon as 500 are there, and commits them to the store; no record wakes a thread by itself. Only whoever
//! waits for a commit wakes the writer at once; those who wait at the same time share one commit. The queue is
//! bounded by bytes. When it is nearly full, bodies are given up first; when it is full, calls are dropped and
//! counted. A store that is away is tried again and again while the queue has room.

mod queue;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use self::queue::{Filed, Item, Phase, Queue};
use crate::record::Record;
use crate::row::Row;
use crate::score::Score;
use crate::span::Span;
use crate::store::Sink;
use crate::{Settings, recorder::writer::Writer};

/// The most spans that are queued together, in bytes; less where the queue is small.
const PART_BYTES: usize = 1 << 20;

/// Sees every call once, as it goes to the store, on the recorder's thread: it must not wait.
pub trait Listener: Send + Sync {
    /// Looks at one call.
    fn saw(&self, row: &Row<'_>);
}

/// Takes records and sees that they are written. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    _end: Arc<End>,
}

/// What was handed over for good was not: the queue was full, or the recorder was closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the records queue is full or closed")]
pub struct NotCommitted;

/// What the writer thread and everyone who files have between them.
struct Shared {
    queue: Mutex<Queue>,
    tally: Tally,
    queue_bytes: usize,
    keeps_bodies: bool,
    refuse_when_full: bool,
    /// Whether both the queue and the store have room for everything about more calls.
    has_room: AtomicBool,
    writer: OnceLock<Thread>,
}

#[derive(Default)]
struct Tally {
    filed: AtomicU64,
    written: AtomicU64,
    dropped_bodies: AtomicU64,
    dropped_calls: AtomicU64,
    spans: AtomicU64,
    scores: AtomicU64,
}

/// How many records came and what became of them. `filed` = written + dropped calls + those still waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls handed to the recorder.
    pub filed: u64,
    /// Calls committed to the store.
    pub written: u64,
    /// Calls whose bodies were given up because the queue was nearly full; the calls themselves are kept.
    pub dropped_bodies: u64,
    /// Calls lost because the queue was full.
    pub dropped_calls: u64,
    /// Spans committed to the store.
    pub spans: u64,
    /// Scores committed to the store.
    pub scores: u64,
    /// Bytes waiting to be written.
    pub queue_bytes: u64,
}

/// What a recorder had done when it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Calls committed since the start.
    pub written: u64,
    /// Calls lost since the start, those that could not be written in time included.
    pub dropped: u64,
}

impl Recorder {
    /// Starts the writer thread.
    pub(crate) fn start(store: Arc<dyn Sink>, settings: &Settings) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            tally: Tally::default(),
            queue_bytes: settings.queue_bytes,
            keeps_bodies: settings.policies.keep_bodies(),
            refuse_when_full: settings.outbox.refuse_when_full,
            has_room: AtomicBool::new(true),
            writer: OnceLock::new(),
        });
        let writer = Writer::new(Arc::clone(&shared), store, settings);
        let thread = thread::Builder::new().name("weir-records".into()).spawn(move || writer.run())?;
        shared.writer.get_or_init(|| thread.thread().clone());
        Ok(Self { _end: Arc::new(End(Arc::clone(&shared))), shared })
    }

    /// Takes one finished call. Never waits for the store.
    pub fn file(&self, record: impl Into<Box<Record>>) {
        self.shared.file(record.into(), None);
    }

    /// Takes one finished call at once, whether the answer is awaited or not; the answer comes when the call is
    /// committed. With a store that is away that takes as long as it is away: put a limit on it.
    pub fn commit<R: Into<Box<Record>>>(
        &self,
        record: R,
    ) -> impl Future<Output = Result<(), NotCommitted>> + Send + use<R> {
        let (done, committed) = oneshot::channel();
        self.shared.file(record.into(), Some(done));
        self.shared.wake();
        answer(committed)
    }

    /// Takes spans, one part after the other, so that many of them leave the queue to calls; the answer comes when all
    /// are committed, or as soon as there is no room for a part. Those before it are kept.
    pub fn keep(&self, spans: Vec<Span>) -> impl Future<Output = Result<(), NotCommitted>> + Send + use<> {
        let recorder = self.clone();
        async move {
            for part in queue::parts(spans, (recorder.shared.queue_bytes / 4).min(PART_BYTES)) {
                recorder.commit_item(Item::Spans(part)).await?;
            }
            Ok(())
        }
    }

    /// Takes scores, all or none; the answer comes when they are committed, or at once when there is no room.
    pub fn judge(&self, scores: Vec<Score>) -> impl Future<Output = Result<(), NotCommitted>> + Send + use<> {
        self.commit_item(Item::Scores(scores))
    }

    fn commit_item(&self, item: Item) -> impl Future<Output = Result<(), NotCommitted>> + Send + use<> {
        let (done, committed) = oneshot::channel();
        let weight = item.weight();
        if self.shared.push(Filed { item, weight, done: Some(done) }).is_none() {
            self.shared.wake();
        }
        answer(committed)
    }

    /// Whether calls may go on: false while there is no room to record everything about them, and the operator
    /// wants them refused then.
    pub fn has_room(&self) -> bool {
        !self.shared.refuse_when_full || self.shared.has_room.load(Ordering::Relaxed)
    }

    /// Waits until everything filed before this call is written or dropped. With a store that is away, that
    /// takes as long as it is away: put a limit on it.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.phase == Phase::Ended {
                return;
            }
            queue.flushes.push(done);
        }
        self.shared.wake();
        // An error means that the writer has ended, and with it everything there was to wait for.
        written.await.unwrap_or_default();
    }

    /// Returns how many records came and what became of them.
    pub fn counts(&self) -> Counts {
        let queue_bytes = self.shared.queue().bytes as u64;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let tally = &self.shared.tally;
        Counts {
            filed: read(&tally.filed),
            written: read(&tally.written),
            dropped_bodies: read(&tally.dropped_bodies),
            dropped_calls: read(&tally.dropped_calls),
            spans: read(&tally.spans),
            scores: read(&tally.scores),
            queue_bytes,
        }
    }

    /// Returns why the store takes no rows at present; `None` while all is well.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.shared.queue().trouble.clone()
    }

    /// Takes no more records, writes those it has, and closes the store; what is not written within `grace`
    /// is given up and counted.
    pub async fn close(&self, grace: Duration) -> Closed {
        self.shared.enter(Phase::Closing);
        if tokio::time::timeout(grace, self.flush()).await.is_err() {
            self.shared.enter(Phase::Abandoned);
        }
        let counts = self.counts();
        Closed { written: counts.written, dropped: counts.filed.saturating_sub(counts.written) }
    }
}

async fn answer(committed: oneshot::Receiver<()>) -> Result<(), NotCommitted> {
    // What is dropped drops the sender.
    committed.await.map_err(|_| NotCommitted)
}

/// Ends the writer thread when the last recorder is gone, closed or not.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.enter(Phase::Abandoned);
    }
}

#[cfg(test)]
mod tests;
