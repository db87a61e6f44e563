//! The recorder against a store that can be told to fail.

use std::sync::Condvar;

use vocab::{Clock, Id, Time};

use super::*;
use crate::policy::Policies;
use crate::store::{Condition, Entries, Entry, Unavailable};

/// A store that keeps ids, takes rows only while it is up, and can hold its writer.
#[derive(Default)]
struct Scripted {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    down: bool,
    /// While it is down it fails after so many entries, the rest unseen.
    looks_at: Option<usize>,
    held: bool,
    tries: u32,
    kept: Vec<(u128, &'static str)>,
    batches: Vec<usize>,
    closed: bool,
}

impl Scripted {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !holds(state)).unwrap());
    }

    fn kept(&self) -> usize {
        self.state.lock().unwrap().kept.len()
    }
}

impl Sink for Scripted {
    fn append(&self, entries: Entries<'_, '_>) -> Result<u64, Unavailable> {
        let seen = |entry| match entry {
            Entry::Call(row) => Some((u128::from_be_bytes(row.record.id.bytes()), row.body_state.as_str())),
            Entry::Span(_) => Some((0, "span")),
            Entry::Score(_) => Some((0, "score")),
        };
        let looks_at = self.state.lock().unwrap().looks_at.unwrap_or(usize::MAX);
        let rows: Vec<_> = entries.take(looks_at).filter_map(seen).collect();
        let mut state = self.state.lock().unwrap();
        state.tries += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.held).unwrap();
        if state.down {
            return Err(Unavailable("database or disk is full".into()));
        }
        state.batches.push(rows.len());
        state.kept.extend(&rows);
        Ok(rows.len() as u64)
    }

    fn condition(&self) -> Condition {
        Condition::default()
    }

    fn close(&self) {
        self.set(|state| state.closed = true);
    }
}

fn spans(count: usize, bytes: usize) -> Vec<Span> {
    vec![Span { input: Some("x".repeat(bytes).into()), ..Span::default() }; count]
}

fn start(queue_bytes: usize) -> (Recorder, Arc<Scripted>) {
    start_with(queue_bytes, false)
}

fn start_with(queue_bytes: usize, refuse_when_full: bool) -> (Recorder, Arc<Scripted>) {
    start_listened(queue_bytes, refuse_when_full, None)
}

fn start_listened(
    queue_bytes: usize,
    refuse_when_full: bool,
    listener: Option<Arc<dyn Listener>>,
) -> (Recorder, Arc<Scripted>) {
    let store = Arc::new(Scripted::default());
    let settings = Settings {
        url: String::new(),
        queue_bytes,
        policies: Policies::default(),
        listener,
        node: "n".into(),
        clock: Clock::system(),
        cluster: None,
        outbox: crate::OutboxSettings { refuse_when_full, ..crate::OutboxSettings::at("outbox.sqlite") },
    };
    let kept: Arc<dyn Sink> = Arc::clone(&store) as Arc<dyn Sink>;
    (Recorder::start(kept, &settings).unwrap(), store)
}

fn call(body_bytes: usize) -> Record {
    let started = Time(1_795_996_800_000_000);
    Record {
        request_body: vec![b'x'; body_bytes].into(),
        ..Record::begin(Id::at(started), "default".into(), started, dialects::Endpoint::Passthrough)
    }
}

#[tokio::test]
async fn everything_filed_is_written_by_the_time_a_flush_ends() {
    let (recorder, store) = start(1 << 20);
    for n in 1..=300 {
        recorder.file(call(10));
        if n % 100 == 0 {
            recorder.clone().flush().await;
            assert_eq!(store.kept(), n);
        }
    }
    let counts = recorder.counts();
    assert_eq!((counts.filed, counts.written, counts.queue_bytes), (300, 300, 0));
}

#[tokio::test]
async fn large_backlogs_are_committed_in_batches() {
    let (recorder, store) = start(64 << 20);
    store.set(|state| state.held = true);
    recorder.file(call(0));
    store.wait_until(|state| state.tries == 1);
    (0..1_700).for_each(|_| recorder.file(call(0)));
    store.set(|state| state.held = false);
    recorder.flush().await;
    assert_eq!(store.state.lock().unwrap().batches, [1, 500, 500, 500, 200]);
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_again_and_nothing_is_lost() {
    let (recorder, store) = start(1 << 20);
    store.set(|state| state.down = true);
    (0..50).for_each(|_| recorder.file(call(10)));
    store.wait_until(|state| state.tries >= 3);
    assert_eq!(recorder.trouble().as_deref(), Some("database or disk is full"));
    (0..50).for_each(|_| recorder.file(call(10)));
    assert!(recorder.counts().queue_bytes > 0);
    store.set(|state| state.down = false);
    recorder.flush().await;
    assert_eq!((store.kept(), recorder.counts().dropped_calls, recorder.trouble()), (100, 0, None));
}

#[tokio::test]
async fn when_the_queue_is_full_bodies_go_first_and_then_calls_are_counted() {
    let narrow = call(0).weight();
    let queue_bytes = 40 * (narrow + 1_000);
    let (recorder, store) = start(queue_bytes);
    store.set(|state| state.held = true);
    recorder.file(call(0));
    store.wait_until(|state| state.tries == 1);
    (0..1_000).for_each(|_| recorder.file(call(1_000)));
    let counts = recorder.counts();
    assert!(counts.queue_bytes <= queue_bytes as u64, "the bound holds");
    assert!(counts.dropped_bodies > 0 && counts.dropped_calls > 0, "{counts:?}");
    store.set(|state| state.held = false);
    recorder.flush().await;
    let counts = recorder.counts();
    assert_eq!(counts.filed, counts.written + counts.dropped_calls);
    let state = store.state.lock().unwrap();
    let of = |word: &str| state.kept.iter().filter(|(_, body_state)| *body_state == word).count() as u64;
    assert_eq!((of("shed"), of("full")), (counts.dropped_bodies, counts.written - counts.dropped_bodies));
    assert!(of("full") >= 29, "three quarters of the queue are for bodies");
}

#[tokio::test]
async fn closing_writes_what_is_there_and_takes_no_more() {
    let (recorder, store) = start(1 << 20);
    (0..120).for_each(|_| recorder.file(call(10)));
    let closed = recorder.close(Duration::from_mins(1)).await;
    assert_eq!(closed, Closed { written: 120, dropped: 0 });
    assert!(store.state.lock().unwrap().closed);
    recorder.file(call(10));
    recorder.flush().await;
    assert_eq!(recorder.counts().dropped_calls, 1);
}

#[tokio::test(start_paused = true)]
async fn closing_gives_up_on_a_store_that_stays_away() {
    let (recorder, store) = start(1 << 20);
    store.set(|state| state.down = true);
    (0..7).for_each(|_| recorder.file(call(10)));
    let closed = recorder.close(Duration::from_secs(5)).await;
    assert_eq!(closed, Closed { written: 0, dropped: 7 });
    store.wait_until(|state| state.closed);
    recorder.flush().await;
    assert_eq!(recorder.counts().dropped_calls, 7);
}

#[tokio::test]
async fn the_writer_ends_when_the_last_recorder_is_gone() {
    let (recorder, store) = start(1 << 20);
    recorder.file(call(10));
    drop((recorder.clone(), recorder));
    store.wait_until(|state| state.closed);
    assert_eq!(store.kept(), 1);
}

#[tokio::test]
async fn whoever_waits_for_a_commit_gets_it_and_those_who_wait_together_share_one() {
    let (recorder, store) = start(1 << 20);
    store.set(|state| state.held = true);
    let first = recorder.commit(call(10));
    store.wait_until(|state| state.tries == 1);
    let others: Vec<_> = (0..10).map(|_| recorder.commit(call(10))).collect();
    store.set(|state| state.held = false);
    assert_eq!(first.await, Ok(()));
    for other in others {
        assert_eq!(other.await, Ok(()));
    }
    assert_eq!(store.state.lock().unwrap().batches, [1, 10]);
    assert_eq!(recorder.counts().written, 11);
}

#[tokio::test]
async fn a_call_is_on_record_also_when_nobody_waits_for_its_commit() {
    let (recorder, store) = start(1 << 20);
    drop(recorder.commit(call(10)));
    recorder.flush().await;
    assert_eq!(store.kept(), 1);
}

#[tokio::test]
async fn a_commit_waits_as_long_as_the_store_is_away() {
    let (recorder, store) = start(1 << 20);
    store.set(|state| state.down = true);
    let committed = recorder.commit(call(10));
    store.wait_until(|state| state.tries >= 2);
    store.set(|state| state.down = false);
    assert_eq!((committed.await, store.kept()), (Ok(()), 1));
}

#[tokio::test]
async fn spans_and_scores_are_committed_when_their_answer_comes() {
    let (recorder, store) = start(100_000);
    assert_eq!(recorder.keep(spans(3, 10)).await, Ok(()));
    assert_eq!(recorder.keep(spans(3, 100_000)).await, Err(NotCommitted), "no room for one of them");
    let opinion = Score {
        id: Id::at(Time(0)),
        project: "p".into(),
        at: Time(0),
        target: crate::score::Target::Trace([1; 16]),
        name: "helpful".into(),
        value: 1.0,
        comment: None,
        source: crate::score::ScoreSource::Api,
        author: None,
    };
    assert_eq!(recorder.judge(vec![opinion; 2]).await, Ok(()));
    let kept: Vec<_> = store.state.lock().unwrap().kept.iter().map(|(_, what)| *what).collect();
    assert_eq!(kept, ["span", "span", "span", "score", "score"]);
    let counts = recorder.counts();
    assert_eq!((counts.spans, counts.scores, counts.filed, counts.queue_bytes), (3, 2, 0, 0));
}

// A batch heavier than the queue was refused for ever, and one nearly as heavy took the room of calls' bodies.
#[tokio::test]
async fn many_spans_go_through_the_queue_in_parts() {
    let (recorder, store) = start(100_000);
    assert_eq!(recorder.keep(spans(40, 10_000)).await, Ok(()));
    let state = store.state.lock().unwrap();
    assert_eq!(state.kept.len(), 40);
    assert!(state.batches.iter().all(|spans| *spans <= 2), "{:?}", state.batches);
}

#[tokio::test]
async fn who_waits_is_told_when_the_call_is_given_up() {
    let (recorder, store) = start(call(0).weight() + 10);
    store.set(|state| state.held = true);
    let first = recorder.commit(call(0));
    store.wait_until(|state| state.tries == 1);
    assert_eq!(recorder.commit(call(0)).await, Err(NotCommitted), "the queue is full");
    store.set(|state| (state.held, state.down) = (false, true));
    drop(recorder);
    assert_eq!(first.await, Err(NotCommitted), "the recorder was closed before it could be written");
}

#[tokio::test]
async fn calls_are_refused_while_the_queue_is_half_full_if_the_operator_wants_that() {
    for refuse in [false, true] {
        let narrow = call(0).weight();
        let (recorder, store) = start_with(100 * narrow, refuse);
        store.set(|state| state.down = true);
        (0..49).for_each(|_| recorder.file(call(0)));
        assert!(recorder.has_room());
        (0..10).for_each(|_| recorder.file(call(0)));
        assert_eq!(recorder.has_room(), !refuse);
        store.set(|state| state.down = false);
        recorder.flush().await;
        recorder.flush().await;
        assert!(recorder.has_room());
        assert_eq!(recorder.counts().dropped_bodies, 0);
    }
}

#[derive(Default)]
struct Ears(Mutex<Vec<u128>>);

impl Listener for Ears {
    fn saw(&self, row: &Row<'_>) {
        self.0.lock().unwrap().push(u128::from_be_bytes(row.record.id.bytes()));
    }
}

// Once, a batch whose first try failed before the store had looked at it was never seen.
#[tokio::test]
async fn every_call_is_seen_once_however_far_the_store_gets_before_it_fails() {
    for looks_at in [0, 1, 7, 20] {
        let ears = Arc::new(Ears::default());
        let (recorder, store) = start_listened(1 << 20, false, Some(Arc::clone(&ears) as Arc<dyn Listener>));
        store.set(|state| (state.down, state.looks_at) = (true, Some(looks_at)));
        (0..20).for_each(|_| recorder.file(call(10)));
        store.wait_until(|state| state.tries >= 3);
        store.set(|state| (state.down, state.looks_at) = (false, None));
        recorder.flush().await;
        let kept: Vec<_> = store.state.lock().unwrap().kept.iter().map(|(id, _)| *id).collect();
        assert_eq!(kept.len(), 20);
        assert_eq!(*ears.0.lock().unwrap(), kept, "looked at {looks_at}");
    }
}
