//! Closed blocks rolled up, on a thread of its own.
//!
//! Twice a second it rolls up what was closed meanwhile, a few blocks at a time so that nobody who writes waits
//! long. A file of an older version is caught up with in the same way. Between times it takes the reserve back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Turns, Writing, rollup};
use crate::room::Room;

const EVERY: Duration = Duration::from_millis(500);
/// How long others may write between two steps.
const PAUSE: Duration = Duration::from_millis(2);
/// Blocks to a step: some thousand calls, a few milliseconds.
const STEP: usize = 8;

/// The thread, until it is dropped.
pub(super) struct Roller {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Roller {
    pub(super) fn start(writing: &Arc<Turns>, room: &Arc<Room>) -> std::io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let (seen, writing, room) = (Arc::clone(&ending), Arc::clone(writing), Arc::clone(room));
        let thread = thread::Builder::new()
            .name("weir-records-sums".into())
            .spawn(move || run(&writing, &room, &seen))?;
        Ok(Self { ending, thread: Some(thread) })
    }
}

impl Drop for Roller {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot have anything to say that matters now.
            thread.join().unwrap_or_default();
        }
    }
}

fn run(writing: &Turns, room: &Room, ending: &AtomicBool) {
    let mut failing = false;
    while !ending.load(Ordering::Acquire) {
        let outcome = step(writing, STEP);
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(%error, "records cannot be rolled up; reports read them one by one until they can");
        }
        failing = outcome.is_err();
        refill(writing, room);
        thread::park_timeout(if outcome.is_ok_and(|rolled| rolled == STEP) { PAUSE } else { EVERY });
    }
}

/// Takes the reserve back when there is room for it.
pub(super) fn refill(writing: &Turns, room: &Room) {
    if room.refill()
        && let Writing::Open(open) = &*writing.take()
    {
        open.limit(room);
    }
}

/// Rolls up so many blocks while nobody else writes; returns how many there were.
pub(super) fn step(writing: &Turns, blocks: usize) -> rusqlite::Result<usize> {
    let mut writing = writing.take();
    let Writing::Open(open) = &mut *writing else { return Ok(0) };
    let rolled = rollup::some(&mut open.appender.db, blocks)?;
    if rolled > 0 {
        open.checkpointer.note();
    }
    Ok(rolled)
}
