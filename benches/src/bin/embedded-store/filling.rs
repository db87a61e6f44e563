//! Calls of one week put into the store, and taken out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use analytics::sqlite::SqliteStore;
use analytics::store::Answer;
use analytics::{Doomed, Entry, Policy, Record, Row, Sink, Store};
use benches::sample;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;
use vocab::{Clock, Time};

/// When the week begins.
pub(crate) const START: Time = Time(1_795_996_800_000_000);
pub(crate) const WEEK_US: u64 = 7 * 24 * 3_600_000_000;
/// Rows to a batch, as the recorder makes them under load.
const BATCH: u64 = 500;
/// One call in so many says something that hardly any other does.
const RARE: u64 = 1_000;

/// A week of so many calls, with bodies of so many bytes.
#[derive(Clone)]
pub(crate) struct Week {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
    pub(crate) clock: Clock,
}

impl Week {
    /// The call of this number.
    fn call(&self, n: u64) -> Record {
        let started = START.plus(Duration::from_micros(WEEK_US / self.records * n));
        let (model, provider) = [
            ("gpt-4o-mini", "openai"),
            ("gpt-4o", "openai"),
            ("gpt-4o", "azure"),
            ("claude-sonnet-4-5", "openrouter"),
            ("llama-3.3-70b", "groq"),
        ][(n % 5) as usize];
        let plain = sample::record(n, started, self.bytes);
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

    /// Appends all of it and prints what that cost, a fifth at a time.
    #[expect(clippy::print_stdout, reason = "a program that measures says what it measured")]
    pub(crate) fn fill(&self, store: &SqliteStore) -> anyhow::Result<()> {
        let (begun, records) = (self.clock.monotonic(), self.records);
        let part = (records / 5).max(BATCH).next_multiple_of(BATCH);
        let mut total = Duration::ZERO;
        for first in (0..records).step_by(part as usize) {
            let last = records.min(first + part);
            let spent = self.fill_part(store, first, last)?;
            total += spent;
            println!("{last:>9} records: {:>5.1} µs CPU each", micros(spent) / (last - first) as f64);
        }
        let file = store.condition().file_bytes / records.max(1);
        let took = self.clock.monotonic().saturating_sub(begun);
        let each = micros(total) / records as f64;
        println!("in all {each:.1} µs CPU a record, {file} bytes each, {took:.0?}");
        Ok(())
    }

    /// The CPU time of the process, without what making the records up took.
    fn fill_part(&self, store: &SqliteStore, first: u64, last: u64) -> anyhow::Result<Duration> {
        let (begun, mut making) = (cpu(ClockId::ProcessCPUTime), Duration::ZERO);
        for first in (first..last).step_by(BATCH as usize) {
            let made = cpu(ClockId::ThreadCPUTime);
            let batch: Vec<_> = (first..last.min(first + BATCH)).map(|n| self.call(n)).collect();
            making += cpu(ClockId::ThreadCPUTime).saturating_sub(made);
            append(store, &batch)?;
        }
        Ok(cpu(ClockId::ProcessCPUTime).saturating_sub(begun).saturating_sub(making))
    }

    /// Deletes the older half and one person, gives the room back, and says how long somebody who wrote meanwhile
    /// had to wait.
    #[expect(clippy::print_stdout, reason = "a program that measures says what it measured")]
    pub(crate) fn delete(&self, runtime: &Runtime, store: &Arc<SqliteStore>) -> anyhow::Result<()> {
        let before = START.plus(Duration::from_micros(WEEK_US / 2));
        let old = Doomed { before: Some(before), ..Doomed::default() };
        let person = Doomed { user: Some("user-17".into()), ..Doomed::default() };
        for (whose, doomed) in [("the older half", old), ("one person", person)] {
            let (deleted, times) = self.beside(runtime, store, |store| store.purge(doomed))?;
            println!("deleted {deleted} calls of {whose} {times}");
        }
        let (freed, times) = self.beside(runtime, store, Store::compact)?;
        println!("gave {} MB back {times}", freed >> 20);
        Ok(())
    }

    /// Does something while another thread appends ten calls at a time; says how long that took, and how long the
    /// other had to wait at most.
    fn beside(
        &self,
        runtime: &Runtime,
        store: &Arc<SqliteStore>,
        work: impl FnOnce(&SqliteStore) -> Answer<'_, u64>,
    ) -> anyhow::Result<(u64, String)> {
        let done = Arc::new(AtomicBool::new(false));
        let (writer, seen, week) = (Arc::clone(store), Arc::clone(&done), self.clone());
        let writing = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !seen.load(Ordering::SeqCst) {
                let batch: Vec<_> = (1..11).map(|n| week.call(week.records - n)).collect();
                let begun = week.clock.monotonic();
                if append(&*writer, &batch).is_err() {
                    break;
                }
                longest = longest.max(week.clock.monotonic().saturating_sub(begun));
                std::thread::sleep(Duration::from_millis(5));
            }
            longest
        });
        let begun = self.clock.monotonic();
        let answer = runtime.block_on(work(store));
        let took = self.clock.monotonic().saturating_sub(begun);
        done.store(true, Ordering::SeqCst);
        let longest = writing.join().unwrap_or_default();
        Ok((answer?, format!("in {took:.1?}; the writer waited {longest:.1?} at most")))
    }
}

fn say(record: &Record, n: u64) -> bytes::Bytes {
    let text = String::from_utf8_lossy(&record.request_body);
    let word = if n % (RARE * 100) == 7 { "quagga" } else { "zebra" };
    text.replacen("\"content\":\"", &format!("\"content\":\"the {word} "), 1).into()
}

fn append(store: &dyn Store, records: &[Record]) -> anyhow::Result<()> {
    let policy = Policy::default();
    let row = |record| Entry::Call(Box::new(Row::new(record, "node-1", &policy, false)));
    store.append(&mut records.iter().map(row))?;
    Ok(())
}

pub(crate) fn cpu(of: ClockId) -> Duration {
    let spent = clock_gettime(of);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
