//! What reading a request costs: finding its members, changing some, and merging a prompt in.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dialects::Endpoint;
use dialects::body::{Body, Edit};
use dialects::chat::{Content, Message, Role};
use dialects::merge::{Contribution, RenderedItem, merge};
use dialects::prices::Catalogue;
use dialects::{extras, naming};
use serde_json::{Map, Value, json};
use vocab::{Time, Usage};

const CATALOGUE: &str = include_str!("../../config/prices.json");

/// A chat request of about this many bytes, in messages of a usual length.
fn request(bytes: usize) -> String {
    let text = "Please tell me what \"refund policy\" means for order 4711.\nThanks! ".repeat(3);
    let mut messages = vec![json!({"role": "system", "content": "You are the support desk of a shop."})];
    let mut body = Value::Null;
    while body.to_string().len() < bytes {
        messages.push(json!({"role": "user", "content": text}));
        body = json!({
            "model": "gpt-4.1", "messages": messages, "temperature": 0.2, "stream": true,
            "stream_options": {"include_usage": true}, "user": "user-4711", "metadata": {"tier": "gold"},
        });
    }
    body.to_string()
}

fn scanning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for (name, bytes) in [("0.5 KB", 400), ("8 KB", 8 * 1024), ("100 KB", 100 * 1024)] {
        let request = request(bytes);
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_with_input(BenchmarkId::new("members", name), &request, |bencher, request| {
            bencher.iter(|| Body::scan(black_box(request.as_bytes())));
        });
        group.bench_with_input(BenchmarkId::new("edit", name), &request, |bencher, request| {
            let body = Body::scan(request.as_bytes()).expect("it is an object");
            bencher.iter(|| {
                let mut edit = Edit::new();
                edit.set("model", "\"gpt-4.1-mini\"");
                edit.remove("weir");
                edit.write(black_box(&body))
            });
        });
    }
    group.finish();
}

/// The parts of reading a request that come after the scan.
fn reading(criterion: &mut Criterion) {
    let request = request(400);
    let body = Body::scan(request.as_bytes()).expect("it is an object");
    let headers = [
        ("host", "weir"),
        ("content-type", "application/json"),
        ("weir-user", "user-1"),
        ("x-stainless-os", ""),
    ];
    criterion.bench_function("read extras", |bencher| {
        bencher.iter(|| extras::read(black_box(&body), headers.into_iter()));
    });
    criterion.bench_function("read naming, none", |bencher| {
        bencher.iter(|| naming::read(black_box(&body), None, None, None));
    });
    let named = r#"{"prompt":{"id":"support/reply","version":"production","variables":{"name":"Ann","order":"4711"}}}"#;
    let named = Body::scan(named.as_bytes()).expect("it is an object");
    criterion.bench_function("read naming, object", |bencher| {
        bencher.iter(|| naming::read(black_box(&named), None, None, None));
    });
}

fn message(role: Role, text: String) -> RenderedItem {
    RenderedItem::Message(Message { role, content: Content::Text(text), rest: Map::new() })
}

/// A prompt of 2 KB and a request of 0.5 KB that fills its place.
fn merging(criterion: &mut Criterion) {
    let request = request(400);
    let body = Body::scan(request.as_bytes()).expect("it is an object");
    let parameters = json!({"temperature": 0.3, "max_tokens": 500, "top_p": 0.9});
    let parameters = parameters.as_object().expect("it is an object");
    let rules = "Answer briefly, in the caller's language, and never promise a \"refund\".\n".repeat(26);
    let contribution = Contribution {
        items: vec![
            message(Role::System, rules),
            RenderedItem::Placeholder { name: "history".into(), fill: None },
            message(Role::User, "The customer is Ann, the order 4711.".into()),
        ],
        text: false,
        model: Some("gpt-4.1"),
        parameters,
        tools: None,
        tool_choice: None,
        response_format: None,
        locked: &[],
    };
    for (name, endpoint) in [("chat", Endpoint::ChatCompletions), ("responses", Endpoint::Responses)] {
        criterion.bench_function(&format!("merge 2 KB, {name}"), |bencher| {
            bencher.iter(|| {
                let mut edit = Edit::new();
                merge(endpoint, black_box(&body), &contribution, &mut edit).expect("it merges");
                edit.write(&body)
            });
        });
    }
}

fn pricing(criterion: &mut Criterion) {
    criterion.bench_function("read the catalogue", |bencher| {
        bencher.iter(|| Catalogue::parse(black_box(CATALOGUE)));
    });
    let catalogue = Catalogue::parse(CATALOGUE).expect("it is well-formed");
    let usage = Usage { input: 1_200, cached_input: 900, output: 300, reasoning: 80, ..Usage::default() };
    let at = Time(1_795_996_800_000_000);
    for model in ["gpt-4.1", "gpt-4o-realtime-preview-2026-01-01"] {
        criterion.bench_function(&format!("price {model}"), |bencher| {
            bencher.iter(|| catalogue.find("openai", black_box(model), at)?.cost(&usage));
        });
    }
}

criterion_group!(benches, scanning, reading, merging, pricing);
criterion_main!(benches);
