//! What a record costs: filed on the call's path, made a row of, committed in batches of 500.
//!
//! The call's path and the row are measured in the CPU time of their thread, so that a busy machine shows less.
//! `append` includes making the rows; bringing the log home happens on another thread and adds about a tenth.

use std::hint::black_box;
use std::time::Duration;

use analytics::record::{Attempt, Capture, Outcome, PromptUse};
use analytics::sqlite::SqliteStore;
use analytics::{Analytics, Entry, OutboxSettings, Policies, Policy, Record, Row, Settings, Sink};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dialects::Endpoint;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use vocab::{Clock, Id, NanoUsd, Time, Usage, UsageSource};

const ROWS: u64 = 500;
const WORDS: &str = "the order was shipped on monday and should arrive within three days please check the status of \
                     your account or contact our support team if you have any other question about the refund policy \
                     for items that were returned with this invoice we will answer as soon as possible thank you";

/// Text of so many bytes that is different for each `n`.
fn text(n: u64, bytes: usize) -> String {
    let words: Vec<_> = WORDS.split(' ').filter(|word| !word.is_empty()).collect();
    let mut chance = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < bytes {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        text.push_str(words[(chance % words.len() as u64) as usize]);
        text.push(' ');
    }
    text
}

/// A call with everything a call usually has, and bodies of about `bytes` together.
fn record(n: u64, bytes: usize) -> Record {
    let started = Time(1_795_996_800_000_000 + n as i64 * 500);
    let said = bytes.saturating_sub(600) / 2;
    let request = json!({"model": "gpt-4o-mini", "temperature": 0.2, "messages": [{"role": "user", "content": text(n, said)}]});
    let usage =
        json!({"prompt_tokens": n % 900, "completion_tokens": n % 300, "total_tokens": n % 900 + n % 300});
    let answer = json!({
        "id": format!("chatcmpl-{n:024x}"), "object": "chat.completion", "created": 1_795_996_800 + n, "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text(!n, said), "refusal": null},
        "logprobs": null, "finish_reason": "stop"}], "usage": usage, "system_fingerprint": "fp_44709d6fcb"
    });
    Record {
        request_body: Bytes::from(request.to_string()),
        response_body: Capture::Whole(Bytes::from(answer.to_string())),
        usage_raw: Some(usage.to_string().into()),
        ..narrow(n, started)
    }
}

fn narrow(n: u64, started: Time) -> Record {
    let id = Id::at(started);
    let attempt = Attempt {
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        started,
        duration_us: 800_000,
        ttft_us: None,
        waited_us: 0,
        status: Some(200),
        upstream_request_id: Some(format!("req_{n:024x}").into()),
        failure_class: None,
        error: None,
        cost: Some(NanoUsd(31_500)),
        won: true,
        reason: "first choice",
    };
    Record {
        status: 200,
        outcome: Outcome::Ok,
        duration_us: 800_000 + n % 1_000,
        requested_model: Some("gpt-4o-mini".into()),
        provider: Some("openai".into()),
        model: Some("gpt-4o-mini".into()),
        response_model: Some("gpt-4o-mini-2024-07-18".into()),
        key: Some(Id::from_bytes([7; 16])),
        user: Some(format!("user-{}", n % 5_000).into()),
        metadata: Some(r#"{"tier":"gold"}"#.into()),
        prompt: Some(PromptUse {
            id: Id::from_bytes([9; 16]),
            name: "support/reply".into(),
            version: 7,
            digest: "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069".into(),
            label: Some("production".into()),
        }),
        variables: Some(r#"{"name":"Ann","topic":"refunds"}"#.into()),
        usage: Some(Usage { input: n % 900, output: n % 300, ..Usage::default() }),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(31_500)),
        price_id: Some("openai/gpt-4o-mini".into()),
        finish_reason: Some("stop".into()),
        attempts: vec![attempt],
        ..Record::begin(id, "default".into(), started, Endpoint::ChatCompletions)
    }
}

#[expect(clippy::vec_box, reason = "boxed, as the call's path holds them")]
fn records(from: u64, bytes: usize) -> Vec<Box<Record>> {
    (from..from + ROWS).map(|n| Box::new(record(n, bytes))).collect()
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
    let settings = Settings {
        url: format!("sqlite:{}", folder.path().join("records.db").display()),
        queue_bytes: 256 << 20,
        policies: Policies::default(),
        listener: None,
        node: "node-1".into(),
        clock: Clock::system(),
        cluster: None,
        outbox: OutboxSettings::at(folder.path().join("outbox.sqlite")),
    };
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

criterion_group!(benches, on_the_calls_path, on_the_writers_thread);
criterion_main!(benches);
