//! The recorder's thread: swaps the queue out, makes rows, commits them, tries again while the store is away.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use vocab::Clock;

use super::Shared;
use super::queue::{Filed, Item, Phase};
use crate::Settings;
use crate::policy::Policies;
use crate::recorder::Listener;
use crate::row::Row;
use crate::score::Score;
use crate::span::Span;
use crate::store::{Entry, Sink, Unavailable};

/// How long records wait for company.
const WINDOW: Duration = Duration::from_millis(50);
/// The most filed things one commit takes.
const COMMIT_ROWS: usize = 500;
/// Another commit begins once one has this much in memory.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;
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
            let waited_for = !turn.flushes.is_empty() || filed.iter().any(|filed| filed.done.is_some());
            let paced = !waited_for && turn.phase == Phase::Open && filed.len() <= 2 * COMMIT_ROWS;
            filed = self.write_all(filed, paced);
            self.look_for_room();
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
        while !filed.is_empty() {
            let rest = filed.split_off(batch_len(&filed));
            self.write(&mut filed, paced);
            if rest.is_empty() {
                break;
            }
            filed = rest;
        }
        filed.clear();
        filed.shrink_to(SPARE_ROWS);
        filed
    }

    /// Commits one batch, however often that takes, unless the recorder is abandoned meanwhile.
    fn write(&self, filed: &mut [Filed], paced: bool) {
        let mut wait = FIRST_WAIT;
        let mut seen = 0;
        while let Err(error) = self.append(filed, paced, &mut seen) {
            self.report(&error);
            self.look_for_room();
            if self.shared.queue().phase >= Phase::Abandoned {
                let calls = filed.iter().filter(|filed| matches!(filed.item, Item::Call { .. })).count();
                self.shared.tally.dropped_calls.fetch_add(calls as u64, Ordering::Relaxed);
                return self.release(filed);
            }
            thread::park_timeout(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.recovered();
        self.count(filed);
        self.release(filed);
        answer(filed.iter_mut().filter_map(|filed| filed.done.take()));
    }

    /// Offers a batch to the store, which may stop anywhere. Of what is in it, the listener has seen the first `seen`:
    /// each is seen once, however often the batch is tried.
    fn append(&self, filed: &[Filed], paced: bool, seen: &mut usize) -> Result<u64, Unavailable> {
        let mut resumed = self.clock.monotonic();
        let mut entries = filed.iter().enumerate().flat_map(|(n, filed)| {
            if paced && self.clock.monotonic().saturating_sub(resumed) >= SLICE {
                thread::sleep(SLICE_PAUSE);
                resumed = self.clock.monotonic();
            }
            let listener = self.listener.as_deref().filter(|_| n >= *seen);
            *seen = (*seen).max(n + 1);
            self.entries(&filed.item, listener)
        });
        self.store.append(&mut entries)
    }

    fn entries<'r>(&'r self, item: &'r Item, listener: Option<&dyn Listener>) -> ItemEntries<'r> {
        match item {
            Item::Call { record, shed } => {
                let policy = self.policies.of_project(&record.project);
                let row = Row::new(record, &self.node, policy, *shed);
                if let Some(listener) = listener {
                    listener.saw(&row);
                }
                ItemEntries::Call(Some(Box::new(row)))
            }
            Item::Spans(spans) => ItemEntries::Spans(spans.iter()),
            Item::Scores(scores) => ItemEntries::Scores(scores.iter()),
        }
    }

    fn count(&self, filed: &[Filed]) {
        let tally = &self.shared.tally;
        for filed in filed {
            let count = match &filed.item {
                Item::Call { .. } => &tally.written,
                Item::Spans(_) => &tally.spans,
                Item::Scores(_) => &tally.scores,
            };
            count.fetch_add(filed.item.rows() as u64, Ordering::Relaxed);
        }
    }

    fn release(&self, filed: &[Filed]) {
        let bytes: usize = filed.iter().map(|filed| filed.weight).sum();
        let mut queue = self.shared.queue();
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    /// Finds out whether more calls can be recorded in full.
    fn look_for_room(&self) {
        let store_has_room = self.store.has_room();
        let queue = self.shared.queue();
        let has_room = store_has_room && queue.bytes <= self.shared.crowded_bytes();
        self.shared.has_room.store(has_room, Ordering::Relaxed);
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

/// The entries of one filed thing.
enum ItemEntries<'r> {
    Call(Option<Box<Row<'r>>>),
    Spans(slice::Iter<'r, Span>),
    Scores(slice::Iter<'r, Score>),
}

impl<'r> Iterator for ItemEntries<'r> {
    type Item = Entry<'r>;

    fn next(&mut self) -> Option<Entry<'r>> {
        match self {
            Self::Call(row) => row.take().map(Entry::Call),
            Self::Spans(spans) => spans.next().map(Entry::Span),
            Self::Scores(scores) => scores.next().map(Entry::Score),
        }
    }
}

/// How many of these one commit takes.
fn batch_len(filed: &[Filed]) -> usize {
    let mut bytes = 0;
    let fits = |filed: &&Filed| {
        let begun_below = bytes < COMMIT_BYTES;
        bytes += filed.weight;
        begun_below
    };
    filed.iter().take(COMMIT_ROWS).take_while(fits).count()
}

fn answer(waiting: impl IntoIterator<Item = oneshot::Sender<()>>) {
    for one in waiting {
        // Whoever asked may have gone.
        one.send(()).unwrap_or_default();
    }
}
