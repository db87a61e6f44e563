//! Records in: filing one never waits, and costs about a microsecond.
//!
//! Filed records pile up in a vector behind a mutex. One writer thread swaps it for an empty one every 50 ms,
//! or as soon as 500 are there, and commits them to the store; no record wakes a thread by itself. The queue is
//! bounded by bytes. When it is nearly full, bodies are given up first; when it is full, calls are dropped and
//! counted. A store that is away is tried again and again while the queue has room.

mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::record::{Capture, Record};
use crate::row::Row;
use crate::store::Sink;
use crate::{Settings, recorder::writer::Writer};

/// This many waiting records wake the writer before its time.
const WAKE_ROWS: usize = 500;
/// Bodies are given up when the queue is this full, in parts of four; the rest is for narrow rows.
const BODIES_QUARTERS: usize = 3;

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

/// What the writer thread and everyone who files have between them.
struct Shared {
    queue: Mutex<Queue>,
    tally: Tally,
    queue_bytes: usize,
    keeps_bodies: bool,
    writer: OnceLock<Thread>,
}

#[derive(Default)]
struct Queue {
    filed: Vec<Filed>,
    /// Of everything filed and not yet written, whether it still stands in `filed` or not.
    bytes: usize,
    flushes: Vec<oneshot::Sender<()>>,
    phase: Phase,
    trouble: Option<Arc<str>>,
}

/// A record in the queue.
struct Filed {
    // Boxed, because it has some eight hundred bytes that need not be moved about.
    record: Box<Record>,
    weight: usize,
    shed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Open,
    /// Nothing more is taken; what is there is written, however long that takes.
    Closing,
    /// Nothing more is taken; what cannot be written at once is given up.
    Abandoned,
    /// The writer is gone.
    Ended,
}

#[derive(Default)]
struct Tally {
    filed: AtomicU64,
    written: AtomicU64,
    dropped_bodies: AtomicU64,
    dropped_calls: AtomicU64,
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
            writer: OnceLock::new(),
        });
        let writer = Writer::new(Arc::clone(&shared), store, settings);
        let thread = thread::Builder::new().name("weir-records".into()).spawn(move || writer.run())?;
        shared.writer.get_or_init(|| thread.thread().clone());
        Ok(Self { _end: Arc::new(End(Arc::clone(&shared))), shared })
    }

    /// Takes one finished call. Never waits for the store.
    pub fn file(&self, record: impl Into<Box<Record>>) {
        let mut record = record.into();
        self.shared.tally.filed.fetch_add(1, Ordering::Relaxed);
        let bodies = if self.shared.keeps_bodies { None } else { Some(take_bodies(&mut record)) };
        let given_up = self.shared.enqueue(record);
        // Memory is given back outside the lock.
        drop((bodies, given_up));
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

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn enter(&self, phase: Phase) {
        let mut queue = self.queue();
        queue.phase = queue.phase.max(phase);
        drop(queue);
        self.wake();
    }

    /// Puts a record in the queue, and returns what there was no room for.
    fn enqueue(&self, mut record: Box<Record>) -> Option<GivenUp> {
        let mut weight = record.weight();
        let mut bodies = None;
        let mut queue = self.queue();
        if queue.bytes + weight > self.queue_bytes / 4 * BODIES_QUARTERS {
            bodies = Some(take_bodies(&mut record)).filter(|bodies| !bodies.is_empty());
            weight = record.weight();
        }
        if queue.phase != Phase::Open || queue.bytes + weight > self.queue_bytes {
            drop(queue);
            self.tally.dropped_calls.fetch_add(1, Ordering::Relaxed);
            return Some(GivenUp { _record: Some(record), _bodies: bodies });
        }
        queue.bytes += weight;
        queue.filed.push(Filed { record, weight, shed: bodies.is_some() });
        let wake = queue.filed.len() == WAKE_ROWS;
        drop(queue);
        if wake {
            self.wake();
        }
        let bodies = bodies?;
        self.tally.dropped_bodies.fetch_add(1, Ordering::Relaxed);
        Some(GivenUp { _record: None, _bodies: Some(bodies) })
    }
}

/// What the queue had no room for, on its way to being freed.
struct GivenUp {
    _record: Option<Box<Record>>,
    _bodies: Option<TakenBodies>,
}

struct TakenBodies {
    request: bytes::Bytes,
    upstream: Option<bytes::Bytes>,
    response: Capture,
}

impl TakenBodies {
    fn is_empty(&self) -> bool {
        self.request.is_empty() && self.upstream.is_none() && self.response.is_empty()
    }
}

fn take_bodies(record: &mut Record) -> TakenBodies {
    TakenBodies {
        request: std::mem::take(&mut record.request_body),
        upstream: record.upstream_request_body.take(),
        response: std::mem::take(&mut record.response_body),
    }
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
