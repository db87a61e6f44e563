//! Calls to put into a store, and ways of asking for them.

use analytics::record::{Attempt, Capture, Exposure, Outcome, PromptUse};
use analytics::score::{ScoreSource, Target};
use analytics::span::SpanKind;
use analytics::{
    BodyPolicy, Doomed, Entry, FoundPage, FoundRow, Policy, Record, Row, Score, Search, Span, Store, query,
};
use bytes::Bytes;
use dialects::Endpoint;
use serde_json::{Value, json};
use vocab::{Id, Limit, NanoUsd, Time, Usage, UsageSource};

/// When the first sample starts.
pub(crate) const START: Time = Time(1_795_996_800_000_000);

/// A time `seconds` after [`START`].
pub(crate) fn at(seconds: i64) -> Time {
    Time(START.0 + seconds * 1_000_000)
}

/// Everything that started before `time`.
pub(crate) fn before(time: Time) -> Doomed {
    Doomed { before: Some(time), ..Doomed::default() }
}

/// A plain call that started at `seconds` and went well.
pub(crate) fn call(seconds: i64) -> Record {
    let started = at(seconds);
    Record {
        status: 200,
        outcome: Outcome::Ok,
        duration_us: 1_000,
        ..Record::begin(Id::at(started), "default".into(), started, Endpoint::ChatCompletions)
    }
}

/// A call whose user says `asked` and whose model says `answered`.
pub(crate) fn talk(seconds: i64, asked: &str, answered: &str) -> Record {
    Record { request_body: asks(asked), response_body: Capture::Whole(answers(answered)), ..call(seconds) }
}

/// A chat request that says `text`.
pub(crate) fn asks(text: &str) -> Bytes {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}).to_string().into()
}

/// A chat answer that says `text`.
pub(crate) fn answers(text: &str) -> Bytes {
    let message = json!({"role": "assistant", "content": text});
    json!({"id": "chatcmpl-1", "choices": [{"index": 0, "message": message}]}).to_string().into()
}

/// A call of which everything is known.
pub(crate) fn full(seconds: i64) -> Record {
    Record {
        ttft_us: Some(120_000),
        overhead_us: 85,
        streaming: true,
        error_code: Some("upstream_error".into()),
        error_message: Some("it said \"no\"\n\u{1}\\".into()),
        requested_model: Some("prompt:support/reply".into()),
        provider: Some("openai".into()),
        model: Some("gpt-4o".into()),
        response_model: Some("gpt-4o-2024-08-06".into()),
        attempts: attempts(seconds),
        key: Some(Id::at(START)),
        user: Some("zoë".into()),
        session: Some("s-1".into()),
        tags: vec!["checkout".into(), "a, \"b\"".into()],
        metadata: Some(r#"{"tier":"gold","seats":5}"#.into()),
        prompt: Some(PromptUse {
            id: Id::at(START),
            name: "support/reply".into(),
            version: 7,
            digest: "0a1b2c3d".into(),
            label: Some("production".into()),
        }),
        exposure: Some(Exposure {
            experiment: "support/reply/production".into(),
            arm: "warm".into(),
            unit: "metadata.tier".into(),
        }),
        variables: Some(r#"{"name":"Ann"}"#.into()),
        usage: Some(Usage {
            input: 100,
            cached_input: 40,
            cache_write: 3,
            audio_input: 1,
            output: 50,
            reasoning: 20,
            audio_output: 2,
            ..Usage::default()
        }),
        usage_raw: Some(r#"{"prompt_tokens":100}"#.into()),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(31_500)),
        price_id: Some("openai/gpt-4o@2026-01".into()),
        finish_reason: Some("tool_calls".into()),
        parent_span_id: Some([0, 1, 2, 3, 4, 5, 6, 255]),
        upstream_request_body: Some(asks("Please help Ann.")),
        ..talk(seconds, "Help!", "Gladly.")
    }
}

fn attempts(seconds: i64) -> Vec<Attempt> {
    let first = Attempt {
        provider: "azure".into(),
        model: "gpt-4o".into(),
        started: at(seconds),
        duration_us: 300,
        ttft_us: None,
        waited_us: 0,
        status: Some(429),
        upstream_request_id: None,
        failure_class: Some("rate_limit"),
        error: Some("slow \"down\"".into()),
        cost: None,
        won: false,
        reason: "first choice",
    };
    let second = Attempt {
        provider: "openai".into(),
        status: Some(200),
        ttft_us: Some(99),
        waited_us: 250,
        upstream_request_id: Some("req_1".into()),
        failure_class: None,
        error: None,
        cost: Some(NanoUsd(31_500)),
        won: true,
        reason: "after a rate limit",
        ..first.clone()
    };
    vec![first, second]
}

/// Appends calls in one batch.
pub(crate) fn append(store: &dyn Store, records: &[Record]) -> u64 {
    append_under(store, records, BodyPolicy::Full)
}

/// Appends calls in one batch, keeping of their bodies what `policy` says.
pub(crate) fn append_under(store: &dyn Store, records: &[Record], bodies: BodyPolicy) -> u64 {
    let policy = Policy { bodies, ..Policy::default() };
    store
        .append(
            &mut records
                .iter()
                .map(|record| Entry::Call(Box::new(Row::new(record, "node-1", &policy, false)))),
        )
        .unwrap()
}

/// Appends spans and scores in one batch.
pub(crate) fn append_entries<'r>(
    store: &dyn Store,
    entries: impl IntoIterator<Item = impl Into<Entry<'r>>>,
) -> u64 {
    store.append(&mut entries.into_iter().map(Into::into)).unwrap()
}

/// A span of a trace that began at `seconds` and took one of them.
pub(crate) fn span(trace: u8, id: u8, parent: Option<u8>, seconds: i64) -> Span {
    Span {
        project: "default".into(),
        trace_id: [trace; 16],
        span_id: [id; 8],
        parent_span_id: parent.map(|id| [id; 8]),
        name: format!("step {id}").into(),
        kind: SpanKind::Chain,
        started: at(seconds),
        duration_us: 1_000_000,
        ..Span::default()
    }
}

/// A call inside a trace.
pub(crate) fn in_trace(trace: u8, parent: Option<u8>, seconds: i64) -> Record {
    Record { trace_id: [trace; 16], parent_span_id: parent.map(|id| [id; 8]), ..call(seconds) }
}

/// A score given at `seconds`.
pub(crate) fn score(target: Target, name: &str, value: f64, seconds: i64) -> Score {
    Score {
        id: Id::at(at(seconds)),
        project: "default".into(),
        at: at(seconds),
        target,
        name: name.into(),
        value,
        comment: None,
        source: ScoreSource::Api,
        author: None,
    }
}

/// A search for `text`.
pub(crate) fn search(text: &str) -> Search {
    Search {
        filter: query::parse(text).unwrap(),
        limit: Limit::new(Limit::MAX).unwrap(),
        ..Search::default()
    }
}

/// All calls that match `text`, newest first.
pub(crate) async fn all(store: &dyn Store, text: &str) -> Vec<FoundRow> {
    let page = store.find(search(text)).await.unwrap();
    assert!(page.complete && page.next_cursor.is_none(), "{text}: more than a page");
    page.rows
}

/// The seconds at which the calls that match `text` started, newest first.
pub(crate) async fn seconds(store: &dyn Store, text: &str) -> Vec<i64> {
    all(store, text).await.iter().map(|row| (row.started_at.0 - START.0) / 1_000_000).collect()
}

/// All pages of a search, `limit` calls to each.
pub(crate) async fn pages(store: &dyn Store, text: &str, limit: u32) -> Vec<FoundPage> {
    let mut pages = Vec::new();
    let mut search = Search { limit: Limit::new(limit).unwrap(), ..search(text) };
    loop {
        let page = store.find(search.clone()).await.unwrap();
        search.cursor = page.next_cursor;
        pages.push(page);
        if search.cursor.is_none() {
            return pages;
        }
    }
}

/// A found thing as the admin API would serve it.
pub(crate) fn served(found: impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap()
}
