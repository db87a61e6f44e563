//! The queue between whoever files and the writer's thread: bounded by bytes, bodies given up first.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Shared;
use crate::record::{Capture, Record};
use crate::score::Score;
use crate::span::Span;

/// This many waiting records wake the writer before its time.
const WAKE_ROWS: usize = 500;
/// Calls are refused, where the operator wants that, when the queue is this full, in parts of four. Those on their
/// way still find room for their bodies.
const REFUSE_QUARTERS: usize = 2;
/// Bodies are given up when the queue is this full, in parts of four; the rest is for narrow rows.
const BODIES_QUARTERS: usize = 3;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) filed: Vec<Filed>,
    /// Of everything filed and not yet written, whether it still stands in `filed` or not.
    pub(super) bytes: usize,
    pub(super) flushes: Vec<oneshot::Sender<()>>,
    pub(super) phase: Phase,
    pub(super) trouble: Option<Arc<str>>,
}

/// Something in the queue, and who waits for it. Dropped without an answer, it was given up.
pub(super) struct Filed {
    pub(super) item: Item,
    pub(super) weight: usize,
    pub(super) done: Option<oneshot::Sender<()>>,
}

pub(super) enum Item {
    Call {
        // Boxed, because it has some eight hundred bytes that need not be moved about.
        record: Box<Record>,
        /// Whether its bodies were given up.
        shed: bool,
    },
    Spans(Vec<Span>),
    Scores(Vec<Score>),
}

impl Item {
    /// Roughly how many bytes it holds in memory.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Call { record, .. } => record.weight(),
            Self::Spans(spans) => spans.iter().map(Span::weight).sum(),
            Self::Scores(scores) => scores.iter().map(Score::weight).sum(),
        }
    }

    /// How many rows it becomes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Call { .. } => 1,
            Self::Spans(spans) => spans.len(),
            Self::Scores(scores) => scores.len(),
        }
    }
}

/// Spans in parts of at most `bytes`, or of one span.
pub(super) fn parts(spans: Vec<Span>, bytes: usize) -> Vec<Vec<Span>> {
    let mut parts: Vec<Vec<Span>> = Vec::new();
    let mut room = 0;
    for span in spans {
        let weight = span.weight();
        match parts.last_mut() {
            Some(part) if weight <= room => {
                room -= weight;
                part.push(span);
            }
            _ => {
                room = bytes.saturating_sub(weight);
                parts.push(vec![span]);
            }
        }
    }
    parts
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Nothing more is taken; what is there is written, however long that takes.
    Closing,
    /// Nothing more is taken; what cannot be written at once is given up.
    Abandoned,
    /// The writer is gone.
    Ended,
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut queue = self.queue();
        queue.phase = queue.phase.max(phase);
        drop(queue);
        self.wake();
    }

    /// Takes one call, with or without its bodies; drops and counts it when not even that has room.
    pub(super) fn file(&self, mut record: Box<Record>, done: Option<oneshot::Sender<()>>) {
        self.tally.filed.fetch_add(1, Ordering::Relaxed);
        let unwanted = if self.keeps_bodies { None } else { Some(take_bodies(&mut record)) };
        let given_up = self.enqueue(record, done);
        // Memory is given back outside the lock.
        drop((unwanted, given_up));
    }

    /// Puts a call in the queue, and returns what there was no room for.
    fn enqueue(&self, mut record: Box<Record>, done: Option<oneshot::Sender<()>>) -> Option<GivenUp> {
        let mut weight = record.weight();
        let mut bodies = None;
        let queue = self.queue();
        if queue.bytes + weight > self.queue_bytes / 4 * BODIES_QUARTERS {
            bodies = Some(take_bodies(&mut record)).filter(|bodies| !bodies.is_empty());
            weight = record.weight();
        }
        let shed = bodies.is_some();
        let refused = self.push_to(queue, Filed { item: Item::Call { record, shed }, weight, done });
        if refused.is_some() {
            self.tally.dropped_calls.fetch_add(1, Ordering::Relaxed);
            return Some(GivenUp { _filed: refused, _bodies: bodies });
        }
        let bodies = bodies?;
        self.tally.dropped_bodies.fetch_add(1, Ordering::Relaxed);
        Some(GivenUp { _filed: None, _bodies: Some(bodies) })
    }

    /// Puts something in the queue; gives it back when there is no room.
    pub(super) fn push(&self, filed: Filed) -> Option<Filed> {
        self.push_to(self.queue(), filed)
    }

    fn push_to(&self, mut queue: MutexGuard<'_, Queue>, filed: Filed) -> Option<Filed> {
        if queue.phase != Phase::Open || queue.bytes + filed.weight > self.queue_bytes {
            return Some(filed);
        }
        queue.bytes += filed.weight;
        queue.filed.push(filed);
        let wake = queue.filed.len() == WAKE_ROWS;
        if queue.bytes > self.crowded_bytes() {
            self.has_room.store(false, Ordering::Relaxed);
        }
        drop(queue);
        if wake {
            self.wake();
        }
        None
    }

    /// With more than this in the queue, calls are refused where the operator wants that.
    pub(super) const fn crowded_bytes(&self) -> usize {
        self.queue_bytes / 4 * REFUSE_QUARTERS
    }
}

/// What the queue had no room for, on its way to being freed.
struct GivenUp {
    _filed: Option<Filed>,
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
