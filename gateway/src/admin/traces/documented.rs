//! Traces and sessions as the OpenAPI file describes them. `analytics::trace` writes the JSON itself; a test holds
//! both together.

#![expect(dead_code, reason = "these types document `analytics::trace`, which knows nothing of HTTP")]

use serde_json::Value;
use utoipa::ToSchema;

use crate::admin::calls::documented::CallSummary;

/// A page of traces, newest first.
#[derive(ToSchema)]
#[schema(example = json!({
    "data": [{
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "name": "answer ticket",
        "started_at": "2026-11-30T12:00:00.000000Z", "duration_us": 4_812_000, "calls": 2, "spans": 5, "errors": 0,
        "tokens": 1_240, "cost_nanousd": 610_000, "user": "u-17", "session": "s-4",
    }],
    "next_cursor": null, "complete": true,
}))]
pub(in crate::admin) struct TracePage {
    /// The traces.
    data: Vec<TraceSummary>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
    /// False when time ran out before everything was looked at.
    complete: bool,
}

/// A trace in a list.
#[derive(ToSchema)]
pub(in crate::admin) struct TraceSummary {
    /// W3C trace id, hex.
    trace_id: String,
    /// The name of its root: a span's name, or the endpoint of a call that has no parent.
    name: String,
    /// When its first call or span began.
    #[schema(format = DateTime)]
    started_at: String,
    /// From then to the end of its last, µs.
    duration_us: u64,
    /// How many calls it has.
    calls: u64,
    /// How many reported spans.
    spans: u64,
    /// How many of both failed.
    errors: u64,
    /// Input and output tokens of its calls.
    tokens: u64,
    /// What its calls cost as far as it is known.
    cost_nanousd: i64,
    /// The end user its calls or spans named first.
    user: Option<String>,
    /// The session they named first.
    session: Option<String>,
}

/// A trace as a tree.
#[derive(ToSchema)]
#[schema(example = json!({
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "started_at": "2026-11-30T12:00:00.000000Z",
    "duration_us": 4_812_000, "calls": 1, "spans": 1, "errors": 0, "input_tokens": 210, "output_tokens": 64,
    "cost_nanousd": 180_500, "user": "u-17", "session": "s-4", "truncated": false, "left_out": 0,
    "roots": [{
        "span_id": "00f067aa0ba902b7", "parent_span_id": null, "orphan": false, "kind": "agent",
        "name": "answer ticket", "started_at": "2026-11-30T12:00:00.000000Z", "duration_us": 4_812_000,
        "failed": false, "input_tokens": 210, "output_tokens": 64, "cost_nanousd": 180_500,
        "input": "Where is my order?", "output": "On its way.", "call": null,
        "span": {"service": "shop", "attributes": {}}, "children": [],
    }],
}))]
pub(in crate::admin) struct Trace {
    /// W3C trace id, hex.
    trace_id: String,
    /// When its first call or span began.
    #[schema(format = DateTime)]
    started_at: String,
    /// From then to the end of the last, µs.
    duration_us: u64,
    /// How many calls it has.
    calls: u64,
    /// How many reported spans.
    spans: u64,
    /// How many of both failed.
    errors: u64,
    /// All input tokens.
    input_tokens: u64,
    /// All output tokens.
    output_tokens: u64,
    /// What the calls cost as far as it is known.
    cost_nanousd: i64,
    /// The end user its calls or spans named first.
    user: Option<String>,
    /// The session they named first.
    session: Option<String>,
    /// Whether there were more calls or spans than are shown.
    truncated: bool,
    /// How many inputs, outputs and attributes were left out because there is too much of them.
    left_out: u64,
    /// What has no parent, oldest first; usually one.
    roots: Vec<TraceNode>,
}

/// A call or a reported span, with what happened under it.
#[derive(ToSchema)]
pub(in crate::admin) struct TraceNode {
    /// Its span id, hex.
    span_id: String,
    /// The parent it names, hex; where it stands may be elsewhere.
    parent_span_id: Option<String>,
    /// Whether the parent it names is not part of the trace, or stands under it itself.
    orphan: bool,
    /// `call`, or what the span does: `llm`, `embedding`, `retriever`, `reranker`, `tool`, `agent`, `chain`, `guardrail`,
    /// `evaluator`, `other`.
    kind: String,
    /// The span's name; of a call its endpoint.
    name: String,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long it took, µs.
    duration_us: u64,
    /// Whether it failed.
    failed: bool,
    /// Input tokens of it and everything under it. What a span reports counts where nothing under it counted it.
    input_tokens: u64,
    /// Output tokens likewise.
    output_tokens: u64,
    /// What the calls in it cost as far as it is known.
    cost_nanousd: i64,
    /// What went in: JSON, or a string; of a call its request body.
    input: Option<Value>,
    /// What came out; of a call its response body.
    output: Option<Value>,
    /// The call, with each of its `attempts`; null for a span.
    call: Option<CallSummary>,
    /// What else the span said; null for a call.
    span: Option<TraceSpan>,
    /// What happened under it, oldest first.
    #[schema(no_recursion)]
    children: Vec<TraceNode>,
}

/// What a reported span says beside what every node has.
#[derive(ToSchema)]
pub(in crate::admin) struct TraceSpan {
    /// What it said about its end.
    status_message: Option<String>,
    /// The reporting service.
    service: Option<String>,
    /// The end user.
    user: Option<String>,
    /// The session.
    session: Option<String>,
    /// The model it asked.
    model: Option<String>,
    /// The provider it asked.
    provider: Option<String>,
    /// The registered prompt it used.
    prompt: Option<String>,
    /// The version of it.
    prompt_version: Option<u32>,
    /// Every other attribute.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Value>,
    /// Events with their times and attributes.
    #[schema(value_type = Option<Vec<Object>>)]
    events: Option<Value>,
}

/// A page of sessions, newest first.
#[derive(ToSchema)]
#[schema(example = json!({
    "data": [{
        "id": "s-4", "started_at": "2026-11-30T12:00:00.000000Z", "last_at": "2026-11-30T12:04:10.000000Z", "calls": 6,
        "traces": 3, "errors": 0, "tokens": 4_210, "cost_nanousd": 2_610_000, "user": "u-17",
    }],
    "next_cursor": null, "complete": true,
}))]
pub(in crate::admin) struct SessionPage {
    /// The sessions.
    data: Vec<SessionSummary>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
    /// False when time ran out before everything was looked at.
    complete: bool,
}

/// A session in a list.
#[derive(ToSchema)]
pub(in crate::admin) struct SessionSummary {
    /// The session, as callers named it.
    id: String,
    /// When its first call in the searched time began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When its last one began.
    #[schema(format = DateTime)]
    last_at: String,
    /// How many calls.
    calls: u64,
    /// How many traces they belong to.
    traces: u64,
    /// How many calls failed.
    errors: u64,
    /// Input and output tokens.
    tokens: u64,
    /// What they cost as far as it is known.
    cost_nanousd: i64,
    /// The end user named last.
    user: Option<String>,
}

/// A session with its calls.
#[derive(ToSchema)]
#[schema(example = json!({
    "id": "s-4", "started_at": "2026-11-30T12:00:00.000000Z", "last_at": "2026-11-30T12:04:10.000000Z", "calls": 6,
    "traces": 3, "errors": 0, "tokens": 4_210, "cost_nanousd": 2_610_000, "user": "u-17", "data": [],
    "page_traces": ["4bf92f3577b34da6a3ce929d0e0e4736"], "next_cursor": null, "complete": true,
}))]
pub(in crate::admin) struct Session {
    #[schema(inline)]
    #[serde(flatten)]
    summary: SessionSummary,
    /// The newest calls of the session, in the order they began.
    data: Vec<CallSummary>,
    /// The traces these calls belong to, in the order they began.
    page_traces: Vec<String>,
    /// What to send as `cursor` for the calls before these; null when these are the first.
    next_cursor: Option<String>,
    /// False when time ran out before the page was full.
    complete: bool,
}
