//! Records as a busy gateway makes them, for measuring what recording costs.

use std::path::Path;

use analytics::record::{Attempt, Capture, Outcome, PromptUse};
use analytics::{OutboxSettings, Policies, Record, Settings};
use bytes::Bytes;
use dialects::Endpoint;
use serde_json::json;
use vocab::{Clock, Id, NanoUsd, Time, Usage, UsageSource};

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

/// Settings that keep records at `url`, with the outbox in `folder`.
pub fn settings(url: &str, folder: &Path, queue_bytes: usize, clock: Clock) -> Settings {
    Settings {
        url: url.to_owned(),
        cluster: None,
        queue_bytes,
        policies: Policies::default(),
        listener: None,
        node: "node-1".into(),
        clock,
        outbox: OutboxSettings::at(folder.join("outbox.sqlite")),
    }
}

/// A call with everything a call usually has, and bodies of about `bytes` together.
pub fn record(n: u64, started: Time, bytes: usize) -> Record {
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
