//! What the mock answers, built once, and what it counts.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// Everything the connections share.
pub(crate) struct Mock {
    pub(crate) chunks: AtomicU64,
    pub(crate) chunk_us: AtomicU64,
    pub(crate) first_us: AtomicU64,
    pub(crate) latency_us: AtomicU64,
    pub(crate) completions: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) completion: Bytes,
    pub(crate) models: Bytes,
    pub(crate) events: Events,
}

/// The events of a stream.
pub(crate) struct Events {
    pub(crate) first: Bytes,
    pub(crate) middle: Bytes,
    pub(crate) last: Bytes,
    pub(crate) usage: Bytes,
    pub(crate) done: Bytes,
}

const WORDS: &str = "The quick answer is that a gateway should add as little as it can to every call \
that goes through it, because the caller is already waiting on a model that takes hundreds of milliseconds. \
In practice the cost has three parts: reading the request and choosing where it goes, copying the bytes of the \
answer back as they arrive, and writing down what happened. The first two can be made very small; the third is \
best taken off the path of the request entirely, with a bounded queue and a background writer that sends rows in \
batches. If the queue is full the record is dropped and counted, never the request.";

const CHUNK: &str = r#""id":"chatcmpl-Bx7Kq2mPz0nYwT4cLrVdGhJ9sEaQf","object":"chat.completion.chunk","created":1760000000,"model":"mock-model","service_tier":"default","system_fingerprint":"fp_44709d6fcb""#;

impl Mock {
    pub(crate) fn new() -> Self {
        Self {
            chunks: AtomicU64::new(32),
            chunk_us: AtomicU64::new(0),
            first_us: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
            completions: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            completion: completion(),
            models: Bytes::from_static(
                br#"{"object":"list","data":[{"id":"mock-model","object":"model","created":1760000000,"owned_by":"mock"}]}"#,
            ),
            events: Events::new(),
        }
    }

    /// The counts as JSON.
    pub(crate) fn stats(&self) -> Bytes {
        let completions = self.completions.load(Ordering::Relaxed);
        let streams = self.streams.load(Ordering::Relaxed);
        Bytes::from(format!(r#"{{"completions":{completions},"streams":{streams}}}"#))
    }

    /// Changes delays and sizes from a query such as `chunks=32&first_us=20000`.
    pub(crate) fn set(&self, query: &str) {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let Ok(value) = value.parse() else { continue };
            match name {
                "chunks" => self.chunks.store(value, Ordering::Relaxed),
                "chunk_us" => self.chunk_us.store(value, Ordering::Relaxed),
                "first_us" => self.first_us.store(value, Ordering::Relaxed),
                "latency_us" => self.latency_us.store(value, Ordering::Relaxed),
                _ => {}
            }
        }
    }
}

impl Events {
    fn new() -> Self {
        let choice = |delta: &str, finish: &str| {
            event(&format!(
                r#"{{{CHUNK},"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]}}"#
            ))
        };
        Self {
            first: choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
            middle: choice(r#"{"content":" gateway"}"#, "null"),
            last: choice("{}", r#""stop""#),
            usage: event(&format!(
                r#"{{{CHUNK},"choices":[],"usage":{{"prompt_tokens":57,"completion_tokens":30,"total_tokens":87}}}}"#
            )),
            done: event("[DONE]"),
        }
    }
}

fn event(data: &str) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn completion() -> Bytes {
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-Bx7Kq2mPz0nYwT4cLrVdGhJ9sEaQf","object":"chat.completion","created":1760000000,"model":"mock-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{WORDS}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":57,"completion_tokens":118,"total_tokens":175,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}}"#
    ))
}
