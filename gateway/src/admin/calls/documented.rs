//! Calls as the OpenAPI file describes them. The store writes the JSON itself; a test holds both together.

#![expect(dead_code, reason = "these types document `analytics::found`, which knows nothing of HTTP")]

use serde_json::Value;
use utoipa::ToSchema;

/// A page of calls, newest start first.
#[derive(ToSchema)]
#[schema(example = json!({"data": [], "next_cursor": null, "complete": true}))]
pub(super) struct CallPage {
    /// The calls.
    data: Vec<CallSummary>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
    /// False when time ran out before the page was full.
    complete: bool,
    /// When not complete: every call that started after this was searched.
    #[schema(format = DateTime)]
    searched_to: Option<String>,
}

/// A call without its bodies.
#[derive(ToSchema)]
pub(in crate::admin) struct CallSummary {
    /// How many tries upstream there were.
    attempts: u32,
    #[schema(inline)]
    #[serde(flatten)]
    fields: CallFields,
}

/// A call with everything that is kept of it.
#[derive(ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "project": "default",
    "started_at": "2026-11-30T12:00:00.000000Z",
    "duration_us": 812_345,
    "ttft_us": null,
    "overhead_us": 143,
    "endpoint": "chat_completions",
    "streaming": false,
    "status": 200,
    "outcome": "ok",
    "prompt": "support/reply",
    "prompt_version": 3,
    "prompt_label": "production",
    "input_tokens": 210,
    "output_tokens": 64,
    "cost_nanousd": 180_500,
    "attempts": [{
        "n": 1, "provider": "openai", "model": "gpt-5-mini", "account": null, "status": 200, "failure_class": null,
        "error": null, "started_at": "2026-11-30T12:00:00.000143Z", "duration_us": 811_900, "ttft_us": null,
        "waited_us": null, "upstream_request_id": "req_1", "cost_nanousd": 180_500, "won": true, "reason": "first choice",
    }],
    "request_body": {"model": "prompt:support/reply", "messages": []},
    "response_body": {"id": "chatcmpl-1", "object": "chat.completion"},
}))]
pub(super) struct Call {
    /// Every try upstream, in order.
    attempts: Vec<Attempt>,
    #[schema(inline)]
    #[serde(flatten)]
    fields: CallFields,
    /// What the caller sent: JSON, or a string when it is not JSON; null when it was not kept.
    request_body: Option<Value>,
    /// What the caller got, streams put together.
    response_body: Option<Value>,
    /// What went upstream, when it differs.
    upstream_request_body: Option<Value>,
}

/// The columns of a call.
#[derive(ToSchema)]
struct CallFields {
    /// The call's id, also its `x-request-id`.
    #[schema(format = "uuid")]
    id: String,
    /// The project it belongs to.
    project: String,
    /// When its first byte was read.
    #[schema(format = DateTime)]
    started_at: String,
    /// From first byte read to last byte handed over, µs.
    duration_us: u64,
    /// From first byte read to the first content of the answer, µs.
    ttft_us: Option<u64>,
    /// What Weir itself took of the duration, µs.
    overhead_us: u64,
    /// Which endpoint was called.
    endpoint: String,
    /// Whether the caller asked for a stream.
    streaming: bool,
    /// The HTTP status the caller saw.
    status: u16,
    /// How the call ended: `ok`, `caller_error`, `refused`, `upstream_error`, `timeout`, `cancelled`, `truncated`,
    /// `internal`.
    outcome: String,
    /// The error's code, as the caller saw it.
    error_code: Option<String>,
    /// The error's message, as the caller saw it.
    error_message: Option<String>,
    /// The model as the request named it.
    requested_model: Option<String>,
    /// The provider that answered last.
    provider: Option<String>,
    /// The model name sent to that provider.
    model: Option<String>,
    /// The model name in the provider's answer.
    response_model: Option<String>,
    /// Whether the answer came from the cache: `hit`, `miss`, `off`.
    cache: Option<String>,
    /// The key that called.
    #[schema(format = "uuid")]
    key_id: Option<String>,
    /// The end user, as the caller named them.
    user: Option<String>,
    /// The session, as the caller named it.
    session: Option<String>,
    /// Tags, as given.
    tags: Vec<String>,
    /// The caller's metadata.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// The prompt's name at the time of the call.
    prompt: Option<String>,
    /// The prompt's id, stable through renames.
    #[schema(format = "uuid")]
    prompt_id: Option<String>,
    /// The version's number.
    prompt_version: Option<u32>,
    /// The version's digest.
    prompt_digest: Option<String>,
    /// The label it was reached by; null when pinned.
    prompt_label: Option<String>,
    /// The experiment the call took part in.
    experiment: Option<String>,
    /// The experiment's arm.
    arm: Option<String>,
    /// What it was assigned to the arm by: the experiment's unit, or `none` when the call did not say it.
    arm_unit: Option<String>,
    /// The prompt's variables as sent.
    #[schema(value_type = Option<Object>)]
    variables: Option<Value>,
    /// All input tokens, cached ones included.
    input_tokens: Option<u64>,
    /// Input tokens read from the provider's prompt cache.
    cached_input_tokens: Option<u64>,
    /// Input tokens written to the provider's prompt cache.
    cache_write_tokens: Option<u64>,
    /// All output tokens, reasoning included.
    output_tokens: Option<u64>,
    /// Output tokens spent on reasoning.
    reasoning_tokens: Option<u64>,
    /// Audio tokens on both sides.
    audio_tokens: Option<u64>,
    /// The provider's own usage object.
    #[schema(value_type = Option<Object>)]
    usage_raw: Option<Value>,
    /// Who counted the tokens: `provider`, `counted`, `estimated`, `none`.
    usage_source: String,
    /// What the call cost, in billionths of a dollar; null is unknown, never zero.
    cost_nanousd: Option<i64>,
    /// The price that was applied.
    price_id: Option<String>,
    /// Why the model stopped.
    finish_reason: Option<String>,
    /// Tools the model called.
    tool_names: Vec<String>,
    /// W3C trace id, hex.
    trace_id: String,
    /// The span of this call, hex.
    span_id: String,
    /// The caller's span, hex.
    parent_span_id: Option<String>,
    /// The end of what went upstream, as text.
    request_preview: Option<String>,
    /// The beginning of the answer, as text.
    response_preview: Option<String>,
    /// What was kept of the bodies: `full`, `metadata`, `off`, `shed`, `too_large`, `withheld`, `unreadable`.
    body_state: String,
    /// The node that served it.
    node: String,
}

/// One try upstream.
#[derive(ToSchema)]
struct Attempt {
    /// Its place in order, from 1.
    n: u32,
    /// The provider tried.
    provider: String,
    /// The model name sent to it.
    model: String,
    /// The provider account used.
    account: Option<String>,
    /// The provider's HTTP status, if it answered at all.
    status: Option<u16>,
    /// The class of failure, when it failed.
    failure_class: Option<String>,
    /// What went wrong, for operators.
    error: Option<String>,
    /// When it was sent.
    #[schema(format = DateTime)]
    started_at: String,
    /// How long it took, µs.
    duration_us: u64,
    /// From sending to the first content, µs.
    ttft_us: Option<u64>,
    /// How long was waited before it was sent, µs.
    waited_us: Option<u64>,
    /// The provider's own request id.
    upstream_request_id: Option<String>,
    /// What this try cost.
    cost_nanousd: Option<i64>,
    /// Whether its answer was the one served.
    won: bool,
    /// Why this target was tried.
    reason: String,
}
