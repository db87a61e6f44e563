//! What a record costs: filed on the call's path, made a row of, committed in batches of 500.
//!
//! The call's path and the row are measured in the CPU time of their thread, so that a busy machine shows less.
//! `append` includes making the rows; bringing the log home happens on another thread and adds about a tenth.

use std::hint::black_box;
use std::time::Duration;

use analytics::outbox::{Batch, Table};
use analytics::record::Capture;
use analytics::shipper::{Destination, Shipment, Shipping, drain};
use analytics::sqlite::SqliteStore;
use analytics::{Analytics, ClickHouseStore, Entry, Outbox, Policy, Record, Row, Sink};
use benches::sample::{self, record};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use vocab::{Clock, Time};

const ROWS: u64 = 500;
#[expect(clippy::vec_box, reason = "boxed, as the call's path holds them")]
fn records(from: u64, bytes: usize) -> Vec<Box<Record>> {
    (from..from + ROWS)
        .map(|n| Box::new(record(n, Time(1_795_996_800_000_000 + n as i64 * 500), bytes)))
        .collect()
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

/// Measures `work` on fresh records, `ROWS` at a time; returns the time that `rounds` such batches took.
fn batches(rounds: u64, bytes: usize, from: &mut u64, mut work: impl FnMut(Vec<Box<Record>>)) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let batch = records(*from, bytes);
        *from += ROWS;
        let begun = cpu();
        work(batch);
        spent += cpu().saturating_sub(begun);
    }
    spent
}

fn on_the_calls_path(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the records");
    let url = format!("sqlite:{}", folder.path().join("records.db").display());
    let settings = sample::settings(&url, folder.path(), 256 << 20, Clock::system());
    let analytics = Analytics::open(settings).expect("the folder is fresh");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime to flush on");
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    let mut from = 0;
    group.bench_function("file", |b| {
        b.iter_custom(|rounds| {
            let one_batch = |_| {
                let spent = batches(1, 1_000, &mut from, |batch| {
                    for record in batch {
                        analytics.recorder.file(record);
                    }
                });
                runtime.block_on(analytics.recorder.flush());
                spent
            };
            (0..rounds).map(one_batch).sum()
        });
    });
    group.finish();
    assert_eq!(analytics.recorder.counts().dropped_calls, 0);
}

fn on_the_writers_thread(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    for bytes in [1_000, 2_000, 8_000] {
        let folder = tempfile::tempdir().expect("a folder for the records");
        let store =
            SqliteStore::open(&folder.path().join("records.db"), Clock::system()).expect("it is fresh");
        let (mut from, policy) = (0, Policy::default());
        group.bench_function(BenchmarkId::new("row", bytes), |b| {
            b.iter_custom(|rounds| {
                batches(rounds, bytes, &mut from, |batch| {
                    for record in &batch {
                        black_box(Row::new(record, "node-1", &policy, false));
                    }
                })
            });
        });
        group.bench_function(BenchmarkId::new("append", bytes), |b| {
            b.iter_custom(|rounds| {
                batches(rounds, bytes, &mut from, |batch| {
                    let mut rows = batch
                        .iter()
                        .map(|record| Entry::Call(Box::new(Row::new(record, "node-1", &policy, false))));
                    black_box(store.append(&mut rows).expect("the disk has room"));
                })
            });
        });
    }
    group.finish();
}

/// A destination that takes everything and keeps nothing.
struct Swallowing;

impl Destination for Swallowing {
    fn insert<'a>(&'a self, shipment: Shipment<'a>) -> Shipping<'a, ()> {
        black_box(shipment.packed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn has<'a>(&'a self, _: Shipment<'a>) -> Shipping<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

/// By way of the outbox: rows made, encoded, packed and committed; then sealed, read, handed over and deleted.
fn through_the_outbox(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    let folder = tempfile::tempdir().expect("a folder for the records");
    // Nobody is there, so that the thread that ships has nothing to do.
    let settings = sample::settings("http://127.0.0.1:1/weir", folder.path(), 0, Clock::system());
    let store = ClickHouseStore::open(&settings).expect("the folder is fresh");
    let (mut from, policy) = (0, Policy::default());
    group.bench_function("append", |b| {
        b.iter_custom(|rounds| {
            batches(rounds, 1_000, &mut from, |batch| {
                let mut rows = batch
                    .iter()
                    .map(|record| Entry::Call(Box::new(Row::new(record, "node-1", &policy, false))));
                black_box(store.append(&mut rows).expect("the disk has room"));
            })
        });
    });
    store.close();
    drop(store);
    let clock = Clock::system();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime to ship on");
    let (outbox, _) = Outbox::open(&settings.outbox, &clock).expect("the folder is there");
    runtime.block_on(drain(&outbox, &Swallowing, &clock));
    group.bench_function("ship", |b| {
        b.iter_custom(|rounds| {
            let mut one_round = |_| {
                outbox.commit(encoded(&mut from)).expect("the disk has room");
                let begun = cpu();
                runtime.block_on(drain(&outbox, &Swallowing, &clock));
                cpu().saturating_sub(begun)
            };
            (0..rounds).map(&mut one_round).sum()
        });
    });
    group.finish();
}

/// Rows about as long as those of calls with bodies of a kilobyte.
fn encoded(from: &mut u64) -> Batch {
    let mut batch = Batch::new(1);
    for record in records(*from, 1_000) {
        let answer = match &record.response_body {
            Capture::Whole(body) => &body[..],
            Capture::Nothing | Capture::Stream(_) | Capture::TooLarge { .. } => &[],
        };
        batch.row(Table::Calls, |out| out.extend([&record.id.bytes()[..], &[0; 500]].concat()));
        batch.row(Table::Attempts, |out| out.extend([&record.id.bytes()[..], &[0; 100]].concat()));
        batch.row(Table::Bodies, |out| out.extend([&record.request_body, answer, answer].concat()));
    }
    *from += ROWS;
    batch
}

criterion_group!(benches, on_the_calls_path, on_the_writers_thread, through_the_outbox);
criterion_main!(benches);
