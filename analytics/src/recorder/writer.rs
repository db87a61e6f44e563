//! The recorder's thread: swaps the queue out, makes rows, commits them, tries again while the store is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use vocab::Clock;

use super::{Filed, Phase, Shared};
use crate::Settings;
use crate::policy::Policies;
use crate::recorder::Listener;
use crate::row::Row;
use crate::store::{Entry, Sink, Unavailable};

/// How long records wait for company.
const WINDOW: Duration = Duration::from_millis(50);
/// The most rows one commit takes.
const COMMIT_ROWS: usize = 500;
/// After working this long the writer lets others have the core, so that a burst of writing does not show in
/// the slowest calls.
const SLICE: Duration = Duration::from_millis(1);
/// How long it lets them.
const SLICE_PAUSE: Duration = Duration::from_micros(200);
/// How long is waited after the first failure of the store; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Room kept in the swapped vectors between bursts, in records.
const SPARE_ROWS: usize = 2 * COMMIT_ROWS;

pub(super) struct Writer {
    shared: Arc<Shared>,
    store: Arc<dyn Sink>,
    policies: Policies,
    listener: Option<Arc<dyn Listener>>,
    node: Arc<str>,
    clock: Clock,
}

/// What one look at the queue brought.
struct Turn {
    flushes: Vec<oneshot::Sender<()>>,
    phase: Phase,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, store: Arc<dyn Sink>, settings: &Settings) -> Self {
        let (node, clock) = (Arc::clone(&settings.node), settings.clock.clone());
        let (policies, listener) = (settings.policies.clone(), settings.listener.clone());
        Self { shared, store, policies, listener, node, clock }
    }

    pub(super) fn run(self) {
        let mut filed = Vec::new();
        loop {
            let turn = self.swap(&mut filed);
            // Somebody waits, or much does: no time for pauses.
            let paced =
                turn.flushes.is_empty() && turn.phase == Phase::Open && filed.len() <= 2 * COMMIT_ROWS;
            filed = self.write_all(filed, paced);
            // Nothing is filed once the phase has changed, so this was all.
            if turn.phase != Phase::Open {
                self.store.close();
                self.shared.enter(Phase::Ended);
                answer(turn.flushes);
                return answer(std::mem::take(&mut self.shared.queue().flushes));
            }
            answer(turn.flushes);
            thread::park_timeout(WINDOW);
        }
    }

    fn swap(&self, filed: &mut Vec<Filed>) -> Turn {
        let mut queue = self.shared.queue();
        std::mem::swap(&mut queue.filed, filed);
        Turn { flushes: std::mem::take(&mut queue.flushes), phase: queue.phase }
    }

    /// Writes everything and gives the emptied vector back, so that its room is used again.
    fn write_all(&self, mut filed: Vec<Filed>, paced: bool) -> Vec<Filed> {
        if filed.len() <= COMMIT_ROWS {
            self.write(&filed, paced);
            filed.clear();
            return filed;
        }
        let mut rest = filed.into_iter();
        loop {
            let some: Vec<_> = rest.by_ref().take(COMMIT_ROWS).collect();
            if some.is_empty() {
                return Vec::with_capacity(SPARE_ROWS);
            }
            self.write(&some, paced);
        }
    }

    /// Commits one batch, however often that takes, unless the recorder is abandoned meanwhile.
    fn write(&self, filed: &[Filed], paced: bool) {
        if filed.is_empty() {
            return;
        }
        let mut wait = FIRST_WAIT;
        // Seen once, however often the same batch is tried.
        let mut listener = self.listener.as_deref();
        while let Err(error) = self.append(filed, paced, listener.take()) {
            self.report(&error);
            if self.shared.queue().phase >= Phase::Abandoned {
                self.shared.tally.dropped_calls.fetch_add(filed.len() as u64, Ordering::Relaxed);
                return self.release(filed);
            }
            thread::park_timeout(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.recovered();
        self.shared.tally.written.fetch_add(filed.len() as u64, Ordering::Relaxed);
        self.release(filed);
    }

    fn append(
        &self,
        filed: &[Filed],
        paced: bool,
        listener: Option<&dyn Listener>,
    ) -> Result<u64, Unavailable> {
        let mut resumed = self.clock.monotonic();
        let mut rows = filed.iter().map(|filed| {
            if paced && self.clock.monotonic().saturating_sub(resumed) >= SLICE {
                thread::sleep(SLICE_PAUSE);
                resumed = self.clock.monotonic();
            }
            let policy = self.policies.of_project(&filed.record.project);
            let row = Row::new(&filed.record, &self.node, policy, filed.shed);
            if let Some(listener) = listener {
                listener.saw(&row);
            }
            Entry::Call(Box::new(row))
        });
        self.store.append(&mut rows)
    }

    fn release(&self, filed: &[Filed]) {
        let bytes: usize = filed.iter().map(|filed| filed.weight).sum();
        let mut queue = self.shared.queue();
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    fn report(&self, error: &Unavailable) {
        let mut queue = self.shared.queue();
        if queue.trouble.is_none() {
            tracing::error!(%error, "records cannot be written; they wait in memory and are tried again");
        }
        queue.trouble = Some(error.0.as_str().into());
    }

    fn recovered(&self) {
        if self.shared.queue().trouble.take().is_some() {
            tracing::info!("records are being written again");
        }
    }
}

fn answer(flushes: Vec<oneshot::Sender<()>>) {
    for flush in flushes {
        // Whoever asked may have gone.
        flush.send(()).unwrap_or_default();
    }
}
