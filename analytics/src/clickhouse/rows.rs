//! Stored rows turned back into the columns of the public contract.

use clickhouse::Row;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use vocab::{Id, NanoUsd, Time, UsageSource};

use crate::found::{FoundAttempt, FoundCall, FoundRow, Json, Tries};

/// The columns of [`CallRow`], in order; `started` and `call` have names of their own, because an alias that is
/// also a column's name would change what conditions on that column mean.
pub(super) const CALL: &str = "project, toUnixTimestamp64Micro(started_at) AS started, toUInt128(id) AS call,
    duration_us, ttft_us, overhead_us, endpoint, streaming, status, outcome, error_code, error_message,
    requested_model, provider, model, response_model, attempts, cache, key_id, user, session, tags, metadata,
    prompt, prompt_id, prompt_version, prompt_digest, prompt_label, experiment, arm, arm_unit, variables, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, audio_tokens, usage_raw,
    usage_source, cost_nanousd, price_id, finish_reason, tool_names, trace_id, span_id, parent_span_id,
    request_preview, response_preview, body_state, node";

/// A row of `calls`.
#[derive(Row, Deserialize)]
pub(super) struct CallRow {
    pub(super) project: String,
    pub(super) started: i64,
    pub(super) call: u128,
    pub(super) duration_us: u64,
    ttft_us: Option<u64>,
    overhead_us: u64,
    endpoint: String,
    streaming: bool,
    status: u16,
    outcome: String,
    error_code: String,
    error_message: String,
    requested_model: String,
    provider: String,
    model: String,
    response_model: String,
    attempts: u32,
    cache: String,
    key_id: String,
    user: String,
    session: String,
    tags: Vec<String>,
    metadata: String,
    prompt: String,
    prompt_id: String,
    prompt_version: u32,
    prompt_digest: String,
    prompt_label: String,
    experiment: String,
    arm: String,
    arm_unit: String,
    variables: String,
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    output_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    usage_raw: String,
    usage_source: String,
    cost_nanousd: Option<i64>,
    price_id: String,
    finish_reason: String,
    tool_names: Vec<String>,
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_span_id: [u8; 8],
    request_preview: String,
    response_preview: String,
    body_state: String,
    node: String,
}

impl From<CallRow> for FoundRow {
    fn from(row: CallRow) -> Self {
        Self {
            id: Id::from_bytes(row.call.to_be_bytes()),
            project: row.project,
            started_at: Time(row.started),
            duration_us: row.duration_us,
            ttft_us: row.ttft_us,
            overhead_us: row.overhead_us,
            endpoint: row.endpoint,
            streaming: row.streaming,
            status: row.status,
            outcome: row.outcome,
            error_code: word(row.error_code),
            error_message: word(row.error_message),
            requested_model: word(row.requested_model),
            provider: word(row.provider),
            model: word(row.model),
            response_model: word(row.response_model),
            attempts: Tries::Count(row.attempts),
            cache: word(row.cache),
            key_id: row.key_id.parse().ok(),
            user: word(row.user),
            session: word(row.session),
            tags: row.tags,
            metadata: json(&row.metadata),
            prompt: word(row.prompt),
            prompt_id: row.prompt_id.parse().ok(),
            prompt_version: Some(row.prompt_version).filter(|version| *version != 0),
            prompt_digest: word(row.prompt_digest),
            prompt_label: word(row.prompt_label),
            experiment: word(row.experiment),
            arm: word(row.arm),
            arm_unit: word(row.arm_unit),
            variables: json(&row.variables),
            input_tokens: row.input_tokens,
            cached_input_tokens: row.cached_input_tokens,
            cache_write_tokens: row.cache_write_tokens,
            output_tokens: row.output_tokens,
            reasoning_tokens: row.reasoning_tokens,
            audio_tokens: row.audio_tokens,
            usage_raw: json(&row.usage_raw),
            usage_source: usage_source(&row.usage_source),
            cost_nanousd: row.cost_nanousd.map(NanoUsd),
            price_id: word(row.price_id),
            finish_reason: word(row.finish_reason),
            tool_names: row.tool_names,
            trace_id: hex(&row.trace_id),
            span_id: hex(&row.span_id),
            parent_span_id: span(row.parent_span_id),
            request_preview: word(row.request_preview),
            response_preview: word(row.response_preview),
            body_state: row.body_state,
            node: row.node,
        }
    }
}

/// The columns of [`AttemptRow`], in order.
pub(super) const ATTEMPT: &str =
    "toUInt128(id) AS call, n, provider, model, account, status, failure_class, error,
    toUnixTimestamp64Micro(started_at) AS started, duration_us, ttft_us, waited_us, upstream_request_id,
    cost_nanousd, won, reason";

/// A row of `attempts`.
#[derive(Row, Deserialize)]
pub(super) struct AttemptRow {
    pub(super) call: u128,
    pub(super) n: u32,
    provider: String,
    model: String,
    account: String,
    status: Option<u16>,
    failure_class: String,
    error: String,
    started: i64,
    duration_us: u64,
    ttft_us: Option<u64>,
    waited_us: Option<u64>,
    upstream_request_id: String,
    cost_nanousd: Option<i64>,
    won: bool,
    reason: String,
}

impl From<AttemptRow> for FoundAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            n: row.n,
            provider: row.provider,
            model: row.model,
            account: word(row.account),
            status: row.status,
            failure_class: word(row.failure_class),
            error: word(row.error),
            started_at: Time(row.started),
            duration_us: row.duration_us,
            ttft_us: row.ttft_us,
            waited_us: row.waited_us,
            upstream_request_id: word(row.upstream_request_id),
            cost_nanousd: row.cost_nanousd.map(NanoUsd),
            won: row.won,
            reason: row.reason,
        }
    }
}

/// The columns of [`BodyRow`], in order.
pub(super) const BODY: &str = "toUInt128(id) AS call, request_body, response_body, upstream_request_body";

/// A row of `bodies`.
#[derive(Row, Deserialize)]
pub(super) struct BodyRow {
    pub(super) call: u128,
    request_body: Bytes,
    response_body: Bytes,
    upstream_request_body: Bytes,
}

impl BodyRow {
    /// Gives the bodies to the call they belong to.
    pub(super) fn give(&self, call: &mut FoundCall) {
        call.request_body = body(&self.request_body.0);
        call.response_body = body(&self.response_body.0);
        call.upstream_request_body = body(&self.upstream_request_body.0);
    }
}

/// A string of the engine, which need not be text.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Octets)
    }
}

struct Octets;

impl Visitor<'_> for Octets {
    type Value = Bytes;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }
}

/// A body as JSON when it is JSON, else as a JSON string.
fn body(bytes: &[u8]) -> Option<Json> {
    if bytes.is_empty() {
        return None;
    }
    text(&String::from_utf8_lossy(bytes))
}

/// A text as JSON when it is JSON, else as a JSON string; an empty one is absent.
pub(super) fn text(text: &str) -> Option<Json> {
    if text.is_empty() {
        return None;
    }
    json(text).or_else(|| serde_json::value::to_raw_value(text).ok())
}

/// JSON; whatever is none is absent.
pub(super) fn json(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

/// A word; an empty one is absent.
pub(super) fn word(word: String) -> Option<String> {
    Some(word).filter(|word| !word.is_empty())
}

/// A span's id in hex; zeros are none.
pub(super) fn span(id: [u8; 8]) -> Option<String> {
    if id == [0; 8] { None } else { Some(hex(&id)) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
        hex
    })
}

fn usage_source(word: &str) -> UsageSource {
    [UsageSource::Provider, UsageSource::Counted, UsageSource::Estimated]
        .into_iter()
        .find(|source| source.as_str() == word)
        .unwrap_or_default()
}
