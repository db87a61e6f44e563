//! Calls on their way out as spans: the recorder's thread leaves them in a queue, a task of its own posts them.
//!
//! Nothing waits for it: a queue that is full takes no more, and what it did not take is counted.

mod sender;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use analytics::otlp;
use analytics::otlp::export::{Envelope, Exporting, Names};
use analytics::{Listener, Row};
use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::app::App;
use sender::Sender;

/// The most spans one request carries.
const BATCH_SPANS: usize = 512;
/// The most bytes one request carries before compression, unless one span alone has more.
const BATCH_BYTES: usize = 4 << 20;

/// Takes calls from the recorder's thread.
pub struct Exporter {
    exporting: Exporting,
    envelope: Envelope,
    queue: Mutex<Queue>,
    queue_bytes: usize,
    /// Told when a whole batch waits.
    full_batch: Notify,
    tally: Tally,
}

#[derive(Default)]
struct Queue {
    spans: VecDeque<Vec<u8>>,
    bytes: usize,
}

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// What became of the spans of all calls since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// The endpoint took them.
    pub sent: u64,
    /// The endpoint took their batch and not them.
    pub rejected: u64,
    /// The endpoint refused their batch, or could not be reached for too long.
    pub failed: u64,
    /// The queue was full.
    pub dropped: u64,
    /// Bytes waiting to be sent.
    pub queue_bytes: u64,
}

impl Exporter {
    /// Prepares for an endpoint; sends nothing yet.
    pub fn new(export: &config::Export) -> Arc<Self> {
        let names = match export.names {
            config::Names::Current => Names::Current,
            config::Names::Next => Names::Next,
            config::Names::OpenInference => Names::OpenInference,
        };
        let resource = export.resource.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Arc::new(Self {
            exporting: Exporting { names, bodies: export.bodies },
            envelope: Envelope::new(encoding(export), env!("CARGO_PKG_VERSION"), resource),
            queue: Mutex::default(),
            queue_bytes: export.queue_bytes,
            full_batch: Notify::new(),
            tally: Tally::default(),
        })
    }

    /// What became of the spans so far.
    pub fn counts(&self) -> ExportCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ExportCounts {
            sent: read(&self.tally.sent),
            rejected: read(&self.tally.rejected),
            failed: read(&self.tally.failed),
            dropped: read(&self.tally.dropped),
            queue_bytes: self.queue().bytes as u64,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All spans of one call, or none.
    fn push(&self, spans: Vec<Vec<u8>>) {
        let bytes: usize = spans.iter().map(Vec::len).sum();
        let mut queue = self.queue();
        if queue.bytes + bytes > self.queue_bytes {
            drop(queue);
            self.tally.dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.spans.extend(spans);
        let full = queue.spans.len() >= BATCH_SPANS;
        drop(queue);
        if full {
            self.full_batch.notify_one();
        }
    }

    /// The next batch's spans; empty when there are none. They count as waiting until [`Self::release`].
    fn take(&self) -> Vec<Vec<u8>> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let fits = queue.spans.iter().take(BATCH_SPANS).take_while(|span| {
            bytes += span.len();
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1).min(queue.spans.len());
        queue.spans.drain(..count).collect()
    }

    fn release(&self, bytes: usize) {
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    /// Gives up what still waits.
    fn abandon(&self) {
        let spans = std::mem::take(&mut self.queue().spans);
        self.tally.dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }
}

impl Listener for Exporter {
    fn saw(&self, row: &Row<'_>) {
        let spans = self.exporting.spans(row);
        self.push(spans.iter().map(|span| self.envelope.span(span)).collect());
    }
}

fn encoding(export: &config::Export) -> otlp::Encoding {
    match export.encoding {
        config::Encoding::Protobuf => otlp::Encoding::Protobuf,
        config::Encoding::Json => otlp::Encoding::Json,
    }
}

/// The task that sends.
pub struct Sending {
    exporter: Arc<Exporter>,
    finish: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sending {
    /// Starts it, if calls are to be exported.
    pub fn start(app: &App) -> anyhow::Result<Option<Self>> {
        let Some((export, exporter)) = app.config.export.as_ref().zip(app.exporter.clone()) else {
            return Ok(None);
        };
        let sender = Sender::new(export, Arc::clone(&exporter), &app.config.limits, app.clock.clone())
            .context("calls cannot be exported")?;
        let (finish, finishing) = watch::channel(false);
        Ok(Some(Self { exporter, finish, task: tokio::spawn(sender.run(finishing)) }))
    }

    /// Sends what waits, and gives up what cannot be sent within `grace`.
    pub async fn finish(mut self, grace: Duration) {
        self.finish.send_replace(true);
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            self.task.abort();
            self.exporter.abandon();
            tracing::warn!("spans that were not exported within the grace time are given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporter(queue_bytes: usize) -> Arc<Exporter> {
        Exporter::new(&config::Export {
            url: "http://127.0.0.1:1/v1/traces".to_owned(),
            headers: Vec::new(),
            names: config::Names::Current,
            bodies: false,
            encoding: config::Encoding::Protobuf,
            resource: Vec::new(),
            queue_bytes,
        })
    }

    #[test]
    fn a_full_queue_takes_no_part_of_a_call_and_counts_it() {
        let exporter = exporter(100);
        exporter.push(vec![vec![0; 60], vec![0; 40]]);
        exporter.push(vec![vec![0; 1], vec![0; 1]]);
        let counts = exporter.counts();
        assert_eq!((counts.dropped, counts.queue_bytes), (2, 100));
        assert_eq!(exporter.take().len(), 2);
        exporter.push(vec![vec![0; 1]]);
        assert_eq!(exporter.counts().dropped, 3, "what is being sent still takes room");
        exporter.release(100);
        exporter.push(vec![vec![0; 1]]);
        assert_eq!((exporter.counts().dropped, exporter.take().len(), exporter.take().len()), (3, 1, 0));
    }

    #[test]
    fn a_batch_is_bounded_in_spans_and_in_bytes_but_never_empty() {
        let exporter = exporter(usize::MAX / 2);
        exporter.push(vec![vec![0; 1]; BATCH_SPANS + 3]);
        assert_eq!((exporter.take().len(), exporter.take().len()), (BATCH_SPANS, 3));
        exporter.push(vec![
            vec![0; BATCH_BYTES + 1],
            vec![0; BATCH_BYTES / 2],
            vec![0; BATCH_BYTES / 2],
            vec![0; 1],
        ]);
        let sizes: Vec<_> = std::iter::repeat_with(|| exporter.take().len()).take(4).collect();
        assert_eq!(sizes, [1, 2, 1, 0]);
    }
}
