//! What is known of an outbox without looking into its file.

use std::time::Duration;

use vocab::{Clock, Time};

use crate::store::{OutboxCondition, SetAside, Shed};

/// Rows and bytes that a block is sealed at, and how long the oldest row waits at most.
pub(super) const BLOCK_ROWS: u64 = 10_000;
pub(super) const BLOCK_BYTES: u64 = 8 * 1024 * 1024;
pub(super) const BLOCK_AGE: Duration = Duration::from_secs(1);

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Calls, spans and scores.
    pub(super) rows: u64,
    pub(super) plain_bytes: u64,
    pub(super) packed_bytes: u64,
    /// When the oldest was committed.
    pub(super) oldest: Option<Time>,
}

/// What one commit added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    pub(super) size: Size,
    /// The last batch's number.
    pub(super) last: i64,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    waiting: Size,
    shipped_rows: u64,
    pub(super) poisoned: u64,
    pub(super) shed: Shed,
    pub(super) trouble: Option<String>,
    pub(super) set_aside: Option<SetAside>,
    /// The last batch committed; it and all before it up to `shipped` wait.
    pub(super) last: i64,
    shipped: i64,
    /// Up to this one, batches are shipped without waiting for more.
    pub(super) hurry_to: i64,
    /// What has come since the last block was sealed, and when that began by the clock that never jumps.
    unsealed: Size,
    since: Option<Duration>,
    pub(super) closed: bool,
}

impl Figures {
    /// Begins anew with what a file holds: the first and the last batch that wait, and the last number given out. What
    /// waits there has waited long enough; what was lost is not waited for.
    pub(super) fn resume(&mut self, size: Size, waiting: Option<(i64, i64)>, given: i64, poisoned: u64) {
        (self.waiting, self.unsealed, self.poisoned) = (size, size, poisoned);
        (self.shipped, self.last) = waiting.map_or((given, given), |(first, last)| (first - 1, last));
        self.hurry_to = self.last;
        self.since = None;
    }

    /// Counts what was committed; true when the shipper should look.
    pub(super) fn add(&mut self, added: &Added, clock: &Clock) -> bool {
        let was = self.unsealed;
        for size in [&mut self.waiting, &mut self.unsealed] {
            size.rows += added.size.rows;
            size.plain_bytes += added.size.plain_bytes;
            size.packed_bytes += added.size.packed_bytes;
            size.oldest = size.oldest.or(added.size.oldest);
        }
        self.last = added.last;
        let first = self.since.is_none();
        self.since.get_or_insert_with(|| clock.monotonic());
        first || (!is_enough(&was) && is_enough(&self.unsealed))
    }

    /// How long the oldest rows that are in no block may wait for more; zero when they have waited long enough.
    pub(super) fn may_wait(&self, clock: &Clock) -> Duration {
        let hurries = self.hurry_to > self.shipped || self.closed;
        let Some(since) = self.since.filter(|_| !hurries && !is_enough(&self.unsealed)) else {
            return Duration::ZERO;
        };
        BLOCK_AGE.saturating_sub(clock.monotonic().saturating_sub(since))
    }

    /// Notes that so much was sealed, and that there is more or not.
    pub(super) fn seal(&mut self, sealed: &Size, is_all: bool, clock: &Clock) {
        self.unsealed.rows = self.unsealed.rows.saturating_sub(sealed.rows);
        self.unsealed.plain_bytes = self.unsealed.plain_bytes.saturating_sub(sealed.plain_bytes);
        self.since = Some(clock.monotonic());
        if is_all {
            (self.unsealed, self.since) = (Size::default(), None);
        }
    }

    pub(super) const fn add_shipped(&mut self, rows: u64) {
        self.shipped_rows += rows;
    }

    /// Notes that a block is done and gone.
    pub(super) fn finish(&mut self, done: &Size, last: i64, oldest: Option<Time>) {
        self.waiting.rows = self.waiting.rows.saturating_sub(done.rows);
        self.waiting.packed_bytes = self.waiting.packed_bytes.saturating_sub(done.packed_bytes);
        self.waiting.oldest = oldest;
        self.shipped = last;
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.shipped >= self.last
    }

    /// Whether the batch with this number and all before it are done with, or never will be.
    pub(super) fn waits_no_longer(&self, last: i64) -> bool {
        self.shipped >= last.min(self.last) || self.closed
    }

    pub(super) fn condition(&self) -> OutboxCondition {
        OutboxCondition {
            rows: self.waiting.rows,
            bytes: self.waiting.packed_bytes,
            oldest: self.waiting.oldest,
            shipped: self.shipped_rows,
            poisoned: self.poisoned,
            trouble: self.trouble.clone(),
        }
    }
}

/// Whether this is enough for a block.
const fn is_enough(size: &Size) -> bool {
    size.rows >= BLOCK_ROWS || size.plain_bytes >= BLOCK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_795_996_800_000_000);

    fn added(rows: u64, plain_bytes: u64) -> Added {
        Added { size: Size { rows, plain_bytes, ..Size::default() }, last: 1 }
    }

    #[test]
    fn rows_wait_a_second_for_company_whatever_the_wall_clock_does() {
        let clock = Clock::manual(START);
        let mut figures = Figures::default();
        assert!(figures.add(&added(1, 10), &clock), "the first row starts the second");
        clock.advance(Duration::from_millis(400));
        assert!(!figures.add(&added(1, 10), &clock));
        clock.set(Time(1));
        assert_eq!(figures.may_wait(&clock), Duration::from_millis(600));
        clock.set(Time(9_000_000_000_000_000));
        assert_eq!(figures.may_wait(&clock), Duration::from_millis(600));
        clock.advance(Duration::from_millis(600));
        assert_eq!(figures.may_wait(&clock), Duration::ZERO);
        figures.seal(&Size { rows: 1, ..Size::default() }, false, &clock);
        assert_eq!(figures.may_wait(&clock), BLOCK_AGE, "the rest waits anew");
    }

    #[test]
    fn enough_rows_or_bytes_or_somebody_who_waits_seal_at_once() {
        let clock = Clock::manual(START);
        for (rows, bytes) in [(BLOCK_ROWS, 1), (1, BLOCK_BYTES)] {
            let mut figures = Figures::default();
            figures.add(&added(1, 1), &clock);
            assert!(figures.add(&added(rows, bytes), &clock), "the shipper is told");
            assert_eq!(figures.may_wait(&clock), Duration::ZERO);
        }
        let mut figures = Figures::default();
        figures.add(&added(1, 1), &clock);
        figures.hurry_to = 1;
        assert_eq!(figures.may_wait(&clock), Duration::ZERO);
    }
}
