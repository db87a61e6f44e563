//! How much room a file of records has: by how much of what it may take is used, and by what the disk said last.
//!
//! The less room, the less is kept of each call ([`Keep`]). When even that finds no place, the reserve is given up: a
//! file that was written in better times so that there is something to give up. It is written again when the disk has
//! room, and the file is less than half of what it may be.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vocab::Clock;

use crate::file::private;
use crate::outbox::Keep;

/// Below this part of its size, in hundredths, a file has room for everything; calls that may be refused are.
const CALM_PERCENT: u64 = 75;
/// From these parts on, in hundredths, less and less is kept.
const STEPS: [(u64, Keep); 3] = [(95, Keep::Failures), (90, Keep::Narrow), (80, Keep::NoBodies)];
/// Below this part the reserve is written again.
const REFILL_PERCENT: u64 = 50;
/// How long a full disk is believed to be so; then a little more is tried.
const BELIEVED: Duration = Duration::from_secs(5);
/// How long a disk that had no room for the reserve is believed to have none.
const UNTRIED: Duration = Duration::from_secs(15);

/// A file of any size.
pub(crate) const UNLIMITED: u64 = u64::MAX / 1_000;

pub(crate) struct Room {
    state: Mutex<State>,
    reserve: PathBuf,
    /// Held while the reserve is written.
    refilling: Mutex<()>,
    clock: Clock,
}

struct State {
    used: u64,
    bytes: u64,
    /// What a full disk leaves room for, and since when.
    forced: Keep,
    forced_at: Duration,
    reserve_bytes: u64,
    has_reserve: bool,
    /// The reserve is not tried before.
    refill_at: Duration,
}

impl Room {
    /// For a file that may take so many bytes; without a reserve until one is kept.
    pub(crate) fn new(bytes: u64, reserve: PathBuf, clock: Clock) -> Self {
        let state = State {
            used: 0,
            bytes,
            forced: Keep::Everything,
            forced_at: clock.monotonic(),
            reserve_bytes: 0,
            has_reserve: false,
            refill_at: Duration::ZERO,
        };
        Self { state: Mutex::new(state), reserve, refilling: Mutex::default(), clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Keeps so many bytes in reserve from now on; [`Room::refill`] takes them.
    pub(crate) fn keep_reserve(&self, bytes: u64) {
        self.state().reserve_bytes = bytes;
    }

    /// What there is room for now.
    pub(crate) fn keep(&self) -> Keep {
        let mut state = self.state();
        let now = self.clock.monotonic();
        if state.forced > Keep::Everything && now.saturating_sub(state.forced_at) >= BELIEVED {
            state.forced = if state.forced == Keep::Failures { Keep::Narrow } else { Keep::Everything };
            state.forced_at = now;
        }
        state.forced.max(state.by_use())
    }

    /// Whether there is room for everything, and some to spare for what is on its way.
    pub(crate) fn is_calm(&self) -> bool {
        self.keep() == Keep::Everything && {
            let state = self.state();
            state.percent() < CALM_PERCENT
        }
    }

    pub(crate) fn set_used(&self, used: u64) {
        self.state().used = used;
    }

    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.state().bytes = bytes;
    }

    /// The most the file may take now: more when the reserve was given up.
    pub(crate) fn most_bytes(&self) -> u64 {
        let state = self.state();
        state.bytes + if state.has_reserve { 0 } else { state.reserve_bytes }
    }

    /// The disk was full, or the file. The next rows are to be narrower; when they are as narrow as can be, the
    /// reserve goes.
    pub(crate) fn was_full(&self) {
        let keep = self.keep();
        let mut state = self.state();
        state.forced_at = self.clock.monotonic();
        state.forced = if keep == Keep::Everything { Keep::NoBodies } else { Keep::Failures };
        if state.forced == Keep::Failures && state.has_reserve {
            state.has_reserve = false;
            tracing::warn!("there is no room for records: the reserve is given up");
            if let Err(error) = fs::remove_file(&self.reserve) {
                tracing::error!(%error, "the reserve cannot be given up");
            }
        }
    }

    /// Writes the reserve when it is missing and there is room; true when it was written.
    pub(crate) fn refill(&self) -> bool {
        let _refilling = lock(&self.refilling);
        let now = self.clock.monotonic();
        let Some(bytes) = self.state().missing_reserve(now) else { return false };
        let written = write_reserve(&self.reserve, bytes);
        let mut state = self.state();
        state.has_reserve = written.is_ok();
        if let Err(error) = written {
            // What there is room for is for records.
            state.refill_at = now + UNTRIED;
            tracing::warn!(%error, "there is no room for the reserve of records");
        }
        state.has_reserve
    }
}

impl State {
    fn percent(&self) -> u64 {
        self.used.saturating_mul(100) / self.bytes.max(1)
    }

    /// What the reserve is to have and has not; `None` while there is no room for it.
    fn missing_reserve(&self, now: Duration) -> Option<u64> {
        let is_calm = self.forced == Keep::Everything && self.percent() < REFILL_PERCENT;
        let has_room = is_calm && now >= self.refill_at;
        Some(self.reserve_bytes).filter(|bytes| *bytes > 0 && !self.has_reserve && has_room)
    }

    fn by_use(&self) -> Keep {
        let percent = self.percent();
        STEPS.into_iter().find(|(from, _)| percent >= *from).map_or(Keep::Everything, |(_, keep)| keep)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes so many bytes: only what is written has its place on the disk.
fn write_reserve(path: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == bytes) {
        return Ok(());
    }
    let written = private().open(path).and_then(|mut file| {
        file.set_len(0)?;
        let zeros = [0; 8 * 1024];
        let mut left = bytes;
        while left > 0 {
            let some = left.min(zeros.len() as u64);
            file.write_all(&zeros[..some as usize])?;
            left -= some;
        }
        file.sync_all()
    });
    if written.is_err() {
        // Half a reserve would only be in the way.
        fs::remove_file(path).unwrap_or_default();
    }
    written
}

#[cfg(test)]
mod tests {
    use vocab::Time;

    use super::*;

    const RESERVE: u64 = 100_000;

    fn room(folder: &Path, clock: &Clock) -> Room {
        room_beside(folder.join("reserve"), clock)
    }

    fn room_beside(reserve: PathBuf, clock: &Clock) -> Room {
        let room = Room::new(1_000, reserve, clock.clone());
        room.keep_reserve(RESERVE);
        room.refill();
        room
    }

    #[test]
    fn the_fuller_the_file_the_less_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let room = room(folder.path(), &Clock::system());
        let at = |used| {
            room.set_used(used);
            (room.keep(), room.is_calm())
        };
        assert_eq!(at(749), (Keep::Everything, true));
        assert_eq!(at(750), (Keep::Everything, false));
        assert_eq!(at(800), (Keep::NoBodies, false));
        assert_eq!(at(900), (Keep::Narrow, false));
        assert_eq!(at(950), (Keep::Failures, false));
        assert_eq!(at(10), (Keep::Everything, true));
    }

    #[test]
    fn a_full_disk_narrows_rows_first_and_then_costs_the_reserve() {
        let folder = tempfile::tempdir().unwrap();
        let (room, reserve) = (room(folder.path(), &Clock::system()), folder.path().join("reserve"));
        assert_eq!((fs::metadata(&reserve).unwrap().len(), room.most_bytes()), (RESERVE, 1_000));
        room.was_full();
        assert_eq!((room.keep(), reserve.exists()), (Keep::NoBodies, true));
        room.was_full();
        assert_eq!(
            (room.keep(), reserve.exists(), room.most_bytes()),
            (Keep::Failures, false, 1_000 + RESERVE)
        );
    }

    #[test]
    fn after_a_while_more_is_tried_and_the_reserve_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Time(0));
        let room = room(folder.path(), &clock);
        room.was_full();
        room.was_full();
        assert!(!room.refill(), "the disk is believed to be full");
        clock.advance(BELIEVED);
        assert_eq!(room.keep(), Keep::Narrow);
        clock.advance(BELIEVED);
        assert_eq!(room.keep(), Keep::Everything);
        assert!(room.refill());
        assert_eq!(fs::metadata(folder.path().join("reserve")).unwrap().len(), RESERVE);
    }

    #[test]
    fn a_reserve_that_finds_no_place_is_missing_and_that_is_all() {
        let folder = tempfile::tempdir().unwrap();
        let room = room_beside(folder.path().join("no/such/folder"), &Clock::system());
        assert_eq!((room.keep(), room.most_bytes()), (Keep::Everything, 1_000 + RESERVE));
    }
}
