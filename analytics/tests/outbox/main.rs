//! The outbox and the shipper through bad times: real files, and a destination that can be told to fail.

#![expect(clippy::unwrap_used, reason = "a test fails where its own files are wrong")]

mod damage;
mod destination;
mod files;
mod full;
mod model;
mod once;
mod poison;

use std::fs;
use std::path::{Path, PathBuf};

use analytics::outbox::{Batch, Table};
use analytics::shipper;
use analytics::{Outbox, OutboxSettings};
use tempfile::TempDir;
use vocab::{Clock, Time};

use crate::destination::Fake;

const START: Time = Time(1_795_996_800_000_000);
const LAYOUT: u32 = 3;

/// An outbox in a folder of its own, and where it ships to.
struct Bench {
    outbox: Outbox,
    fake: Fake,
    clock: Clock,
    folder: TempDir,
}

fn settings(folder: &Path) -> OutboxSettings {
    OutboxSettings { reserve_bytes: 1 << 20, ..OutboxSettings::at(path(folder)) }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("outbox.sqlite")
}

impl Bench {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(START));
        let (outbox, set_aside) = Outbox::open(&settings(folder.path()), &clock).unwrap();
        assert_eq!(set_aside, None);
        Self { outbox, fake: Fake::new(&clock), clock, folder }
    }

    /// Commits calls with these numbers in one batch, each with two attempts and a body.
    fn commit(&self, numbers: std::ops::Range<u32>) {
        self.outbox.commit(batch(numbers, 40)).unwrap();
    }

    async fn drain(&self) {
        shipper::drain(&self.outbox, &self.fake, &self.clock).await;
    }

    /// What the machine finds after a kill -9 at this moment: the files as they are, and nothing that was in memory.
    fn killed(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal"] {
            let name = format!("outbox.sqlite{suffix}");
            fs::copy(self.folder.path().join(&name), folder.path().join(&name)).unwrap();
        }
        let (outbox, set_aside) = Outbox::open(&settings(folder.path()), &self.clock).unwrap();
        assert_eq!(set_aside, None);
        Self { outbox, folder, fake: self.fake, clock: self.clock }
    }

    /// Closed in good order, and what `open` says next time.
    fn reopened(self) -> (Self, Option<analytics::SetAside>) {
        self.outbox.close();
        drop(self.outbox);
        let (outbox, set_aside) = Outbox::open(&settings(self.folder.path()), &self.clock).unwrap();
        (Self { outbox, folder: self.folder, fake: self.fake, clock: self.clock }, set_aside)
    }
}

fn batch(numbers: std::ops::Range<u32>, body_bytes: usize) -> Batch {
    let mut batch = Batch::new(LAYOUT);
    for n in numbers {
        add(&mut batch, Table::Calls, n, b"call");
        add(&mut batch, Table::Attempts, n, b"first");
        add(&mut batch, Table::Attempts, n, b"second");
        add(&mut batch, Table::Bodies, n, &noise(n, body_bytes));
    }
    batch
}

/// A row is a length, a number and some bytes.
fn add(batch: &mut Batch, table: Table, n: u32, bytes: &[u8]) {
    batch.row(table, |out| {
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend(n.to_le_bytes());
        out.extend(bytes);
    });
}

/// Bytes that do not pack.
fn noise(n: u32, bytes: usize) -> Vec<u8> {
    let mut chance = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// The numbers from `from` to `to`, as many times as rows have them.
fn each(numbers: impl IntoIterator<Item = u32>, times: usize) -> Vec<u32> {
    numbers.into_iter().flat_map(|n| std::iter::repeat_n(n, times)).collect()
}
