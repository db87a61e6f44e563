//! Records filed at a rate, without a gateway around them: what recording costs in CPU and memory.
//!
//! ```text
//! record-load --url sqlite:FILE|http://HOST:PORT/DATABASE [--folder DIR] [--count N] [--rate R] [--bytes B]
//! ```
//!
//! Records are made outside what is measured. It prints one JSON object: `own_us`, the CPU of the thread that files, per
//! record; `all_us`, the CPU of the whole process per record, writing and shipping included; resident memory when a tenth
//! was filed and at the end; what was dropped, and what still waited for shipping.
#![expect(clippy::print_stdout, reason = "the report is this program's output")]

use std::path::PathBuf;
use std::time::Duration;

use analytics::{Analytics, Record};
use anyhow::{Context, ensure};
use benches::{Arguments, sample};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use vocab::Clock;

/// Records made, then filed, at a time.
const BATCH: u64 = 100;
/// How full the queue may be before filing waits, as a part of its limit: nothing is to be dropped here.
const QUEUE_BYTES: usize = 256 << 20;
const QUEUE_HALF: u64 = QUEUE_BYTES as u64 / 2;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::of_process(&["url", "folder", "count", "rate", "bytes"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = runtime.block_on(load(&arguments))?;
    println!("{report}");
    Ok(())
}

async fn load(arguments: &Arguments) -> anyhow::Result<serde_json::Value> {
    let clock = Clock::system();
    let folder = PathBuf::from(arguments.text("folder", "."));
    let url = arguments.all("url").last().context("--url is missing")?;
    let settings = sample::settings(url, &folder, QUEUE_BYTES, clock.clone());
    let analytics = Analytics::open(settings)?;
    let (count, rate): (u64, f64) = (arguments.number("count", 100_000)?, arguments.number("rate", 0.0)?);
    let bytes: usize = arguments.number("bytes", 1_000)?;

    let mut spent = Spent::default();
    let (started, began) = (clock.monotonic(), cpu(ClockId::ProcessCPUTime));
    let mut early_memory = None;
    for first in (0..count).step_by(BATCH as usize) {
        let batch = spent.making(|| make(&clock, first, bytes));
        spent.filing(|| batch.into_iter().for_each(|record| analytics.recorder.file(record)));
        while analytics.recorder.counts().queue_bytes > QUEUE_HALF {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if rate > 0.0 {
            let due = Duration::from_secs_f64((first + BATCH) as f64 / rate);
            tokio::time::sleep(due.saturating_sub(clock.monotonic().saturating_sub(started))).await;
        }
        if first >= count / 10 {
            early_memory.get_or_insert(memory_mib()?);
        }
    }
    let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    let waiting = analytics.store.condition().outbox.map(|outbox| outbox.rows);
    analytics.recorder.flush().await;
    analytics.store.settle().await?;
    let all = cpu(ClockId::ProcessCPUTime).saturating_sub(began).saturating_sub(spent.making);
    let late_memory = memory_mib()?;
    let counts = analytics.recorder.counts();
    ensure!(counts.filed == count, "{} of {count} records were filed", counts.filed);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    Ok(json!({
        "records": count, "seconds": seconds, "rate": count as f64 / seconds,
        "own_us": each(spent.filing), "all_us": each(all),
        "memory_mib": [early_memory, late_memory],
        "dropped": counts.dropped_calls, "bodies_dropped": counts.dropped_bodies, "waiting_rows": waiting,
    }))
}

#[expect(clippy::vec_box, reason = "boxed, as the call's path holds them")]
fn make(clock: &Clock, first: u64, bytes: usize) -> Vec<Box<Record>> {
    (first..first + BATCH).map(|n| Box::new(sample::record(n, clock.now(), bytes))).collect()
}

/// CPU time of the loading thread, by what it was spent on.
#[derive(Default)]
struct Spent {
    making: Duration,
    filing: Duration,
}

impl Spent {
    fn making<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = cpu(ClockId::ThreadCPUTime);
        let made = work();
        self.making += cpu(ClockId::ThreadCPUTime).saturating_sub(began);
        made
    }

    fn filing(&mut self, work: impl FnOnce()) {
        let began = cpu(ClockId::ThreadCPUTime);
        work();
        self.filing += cpu(ClockId::ThreadCPUTime).saturating_sub(began);
    }
}

fn cpu(clock: ClockId) -> Duration {
    let spent = clock_gettime(clock);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

/// Resident memory; Linux only.
fn memory_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
