//! What reading and watching a stream costs: a chat answer of 32 events, in the chunks a socket would give.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dialects::Endpoint;
use dialects::sse::EventReader;
use dialects::watch::{StreamWatch, read_whole};

const EVENTS: usize = 32;

fn chunk(delta: &str, finish_reason: &str, usage: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\
         \"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
         \"finish_reason\":{finish_reason}}}]{usage}}}\n\n"
    )
}

/// A stream of 32 events: role, 28 deltas of some 200 bytes, finish, usage, `[DONE]`.
fn stream() -> Vec<String> {
    let mut events = vec![chunk("{\"role\":\"assistant\",\"content\":\"\"}", "null", "")];
    events.extend((0..EVENTS - 4).map(|_| chunk("{\"content\":\" water\"}", "null", "")));
    events.push(chunk("{}", "\"stop\"", ""));
    events.push(chunk(
        "{}",
        "null",
        ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":28,\"total_tokens\":37}",
    ));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn read(chunks: &[Bytes]) -> usize {
    let mut reader = EventReader::new();
    let mut events = 0;
    for chunk in chunks {
        reader.push(chunk.clone());
        while let Some(event) = reader.next_event() {
            events += usize::from(black_box(event).is_ok());
        }
    }
    events
}

fn read_and_watch(chunks: &[Bytes]) -> usize {
    let mut reader = EventReader::new();
    let mut watch = StreamWatch::new(Endpoint::ChatCompletions);
    let mut events = 0;
    for chunk in chunks {
        reader.push(chunk.clone());
        while let Some(Ok(event)) = reader.next_event() {
            black_box(watch.event(&event));
            events += 1;
        }
    }
    assert!(watch.finished());
    events
}

fn sse(criterion: &mut Criterion) {
    let events = stream();
    let one_by_one: Vec<Bytes> = events.iter().map(|event| Bytes::from(event.clone())).collect();
    let whole = vec![Bytes::from(events.concat())];
    let cut: Vec<Bytes> = whole[0].chunks(100).map(|chunk| whole[0].slice_ref(chunk)).collect();
    assert_eq!((read(&one_by_one), read(&whole), read(&cut)), (EVENTS, EVENTS, EVENTS));

    let mut group = criterion.benchmark_group("sse");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("read, an event a chunk", |bench| bench.iter(|| read(black_box(&one_by_one))));
    group.bench_function("read, one chunk", |bench| bench.iter(|| read(black_box(&whole))));
    group.bench_function("read, 100-byte chunks", |bench| bench.iter(|| read(black_box(&cut))));
    group.bench_function("read and watch, an event a chunk", |bench| {
        bench.iter(|| read_and_watch(black_box(&one_by_one)));
    });
    group.finish();
}

/// Whole answers: some words of chat, and an embedding of 1,536 numbers.
fn whole(criterion: &mut Criterion) {
    let words = "Water boils at 100 degrees at sea level. ".repeat(12);
    let chat = format!(
        "{{\"id\":\"chatcmpl-B9M\",\"object\":\"chat.completion\",\"created\":1741570283,\"model\":\"gpt-4o\",\"choices\":\
         [{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{words}\",\"refusal\":null}},\"logprobs\":null,\
         \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":120,\"total_tokens\":129}}}}"
    );
    let numbers = vec!["-0.012345678"; 1536].join(",");
    let embedding = format!(
        "{{\"object\":\"list\",\"data\":[{{\"object\":\"embedding\",\"index\":0,\"embedding\":[{numbers}]}}],\
         \"model\":\"text-embedding-3-small\",\"usage\":{{\"prompt_tokens\":8,\"total_tokens\":8}}}}"
    );
    let mut group = criterion.benchmark_group("whole");
    for (name, endpoint, body) in
        [("chat", Endpoint::ChatCompletions, &chat), ("embedding", Endpoint::Embeddings, &embedding)]
    {
        assert!(read_whole(endpoint, body.as_bytes()).is_ok_and(|facts| facts.usage.is_some()));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| read_whole(endpoint, black_box(body.as_bytes()))));
    }
    group.finish();
}

criterion_group!(benches, sse, whole);
criterion_main!(benches);
