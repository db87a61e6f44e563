//! Calls of one week put into the store, and taken out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use analytics::sqlite::SqliteStore;
use analytics::{Doomed, Entry, Policy, Record, Row, Sink, Store};
use benches::sample;
use rustix::time::{ClockId, clock_gettime};
use vocab::{Clock, Time};

/// When the week begins.
pub(crate) const START: Time = Time(1_795_996_800_000_000);
pub(crate) const WEEK_US: u64 = 7 * 24 * 3_600_000_000;
/// Rows to a batch, as the recorder makes them under load.
const BATCH: u64 = 500;
/// One call in so many says something that hardly any other does.
pub(crate) const RARE: u64 = 1_000;

/// The call of this number out of so many in a week.
pub(crate) fn call(n: u64, of: u64, bytes: usize) -> Record {
    let started = START.plus(Duration::from_micros(WEEK_US / of * n));
    let (model, provider) = [
        ("gpt-4o-mini", "openai"),
        ("gpt-4o", "openai"),
        ("gpt-4o", "azure"),
        ("claude-sonnet-4-5", "openrouter"),
        ("llama-3.3-70b", "groq"),
    ][(n % 5) as usize];
    let plain = sample::record(n, started, bytes);
    let request_body = if n % RARE == 7 { say(&plain, n) } else { plain.request_body.clone() };
    Record {
        request_body,
        model: Some(model.into()),
        provider: Some(provider.into()),
        duration_us: 200_000 + n * 7_919 % 5_000_000,
        ttft_us: Some(50_000 + n * 104_729 % 900_000),
        session: Some(format!("session-{}", n / 20).into()),
        ..plain
    }
}

fn say(record: &Record, n: u64) -> bytes::Bytes {
    let text = String::from_utf8_lossy(&record.request_body);
    let word = if n % (RARE * 100) == 7 { "quagga" } else { "zebra" };
    text.replacen("\"content\":\"", &format!("\"content\":\"the {word} "), 1).into()
}

fn cpu(of: ClockId) -> Duration {
    let spent = clock_gettime(of);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

#[expect(clippy::print_stdout, reason = "a program that measures says what it measured")]
pub(crate) fn fill(store: &SqliteStore, records: u64, bytes: usize, clock: &Clock) -> anyhow::Result<()> {
    let (begun, all) = (clock.monotonic(), cpu(ClockId::ProcessCPUTime));
    let (mut making, mut since, mut stood) = (Duration::ZERO, all, Duration::ZERO);
    for first in (0..records).step_by(BATCH as usize) {
        let made = cpu(ClockId::ThreadCPUTime);
        let batch: Vec<_> = (first..records.min(first + BATCH)).map(|n| call(n, records, bytes)).collect();
        making += cpu(ClockId::ThreadCPUTime).saturating_sub(made);
        append(store, &batch)?;
        if (first + BATCH) % (records / 5).max(BATCH) == 0 {
            let now = cpu(ClockId::ProcessCPUTime);
            let spent = now.saturating_sub(since).saturating_sub(making.saturating_sub(stood));
            println!(
                "{:>9} records: {:>5.1} µs CPU each",
                first + BATCH,
                micros(spent) / (records / 5) as f64
            );
            (since, stood) = (now, making);
        }
    }
    let spent = cpu(ClockId::ProcessCPUTime).saturating_sub(all).saturating_sub(making);
    let file = store.condition().file_bytes / records.max(1);
    println!(
        "in all {:.1} µs CPU a record, {file} bytes each, {:?}",
        micros(spent) / records as f64,
        clock.monotonic().saturating_sub(begun)
    );
    Ok(())
}

fn append(store: &dyn Store, records: &[Record]) -> anyhow::Result<()> {
    let policy = Policy::default();
    let row = |record| Entry::Call(Box::new(Row::new(record, "node-1", &policy, false)));
    store.append(&mut records.iter().map(row))?;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Deletes the older half, gives the room back, and says how long somebody who wrote meanwhile had to wait.
#[expect(clippy::print_stdout, reason = "a program that measures says what it measured")]
pub(crate) fn delete(
    runtime: &tokio::runtime::Runtime,
    store: SqliteStore,
    records: u64,
    bytes: usize,
    clock: &Clock,
) -> anyhow::Result<()> {
    let store = Arc::new(store);
    let before = START.plus(Duration::from_micros(WEEK_US / 2));
    let old = Doomed { before: Some(before), ..Doomed::default() };
    let (deleted, took, waited) =
        beside(runtime, &store, records, bytes, clock, |store| store.purge(old.clone()))?;
    println!("deleted {deleted} calls in {took:?}; the writer waited {waited:?} at most");
    let user = Doomed { user: Some("user-17".into()), ..Doomed::default() };
    let (deleted, took, waited) =
        beside(runtime, &store, records, bytes, clock, |store| store.purge(user.clone()))?;
    println!("deleted {deleted} calls of one person in {took:?}; the writer waited {waited:?} at most");
    let (freed, took, waited) = beside(runtime, &store, records, bytes, clock, |store| store.compact())?;
    println!("gave {} MB back in {took:?}; the writer waited {waited:?} at most", freed >> 20);
    Ok(())
}

/// Does something while another thread appends ten calls at a time.
fn beside(
    runtime: &tokio::runtime::Runtime,
    store: &Arc<SqliteStore>,
    records: u64,
    bytes: usize,
    clock: &Clock,
    work: impl FnOnce(&SqliteStore) -> analytics::store::Answer<'_, u64>,
) -> anyhow::Result<(u64, Duration, Duration)> {
    let done = Arc::new(AtomicBool::new(false));
    let (writer, seen, timer) = (Arc::clone(store), Arc::clone(&done), clock.clone());
    let writing = std::thread::spawn(move || {
        let mut longest = Duration::ZERO;
        while !seen.load(Ordering::SeqCst) {
            let batch: Vec<_> = (0..10).map(|n| call(records - 1 - n, records, bytes)).collect();
            let begun = timer.monotonic();
            if append(&*writer, &batch).is_err() {
                break;
            }
            longest = longest.max(timer.monotonic().saturating_sub(begun));
            std::thread::sleep(Duration::from_millis(5));
        }
        longest
    });
    let begun = clock.monotonic();
    let answer = runtime.block_on(work(store));
    let took = clock.monotonic().saturating_sub(begun);
    done.store(true, Ordering::SeqCst);
    let longest = writing.join().unwrap_or_default();
    Ok((answer?, took, longest))
}
