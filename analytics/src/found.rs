//! Calls as they come out of a store: the columns of the public contract, ready to be served as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use vocab::id::{Call, Key, Prompt};
use vocab::{Id, NanoUsd, Time, UsageSource};

/// JSON text kept exactly as it came in.
pub type Json = Box<RawValue>;

/// One call without its bodies, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct FoundRow {
    /// The call's id, also its `x-request-id`.
    pub id: Id<Call>,
    /// The project it belongs to.
    pub project: String,
    /// When its first byte was read.
    pub started_at: Time,
    /// From first byte read to last byte handed over, µs.
    pub duration_us: u64,
    /// From first byte read to the first content of the answer, µs.
    pub ttft_us: Option<u64>,
    /// What Weir itself took of the duration, µs.
    pub overhead_us: u64,
    /// Which endpoint was called.
    pub endpoint: String,
    /// Whether the caller asked for a stream.
    pub streaming: bool,
    /// The HTTP status the caller saw.
    pub status: u16,
    /// How the call ended.
    pub outcome: String,
    /// The error's code, as the caller saw it.
    pub error_code: Option<String>,
    /// The error's message, as the caller saw it.
    pub error_message: Option<String>,
    /// The model as the request named it.
    pub requested_model: Option<String>,
    /// The provider that answered last.
    pub provider: Option<String>,
    /// The model name sent to that provider.
    pub model: Option<String>,
    /// The model name in the provider's answer.
    pub response_model: Option<String>,
    /// Tries upstream: their number in lists, themselves when one call was asked for.
    pub attempts: Tries,
    /// Whether the answer came from the cache: `hit`, `miss`, `off`.
    pub cache: Option<String>,
    /// The key that called.
    pub key_id: Option<Id<Key>>,
    /// The end user, as the caller named them.
    pub user: Option<String>,
    /// The session, as the caller named it.
    pub session: Option<String>,
    /// Tags, as given.
    pub tags: Vec<String>,
    /// The caller's metadata: a JSON object.
    pub metadata: Option<Json>,
    /// The prompt's name at the time of the call.
    pub prompt: Option<String>,
    /// The prompt's id, stable through renames.
    pub prompt_id: Option<Id<Prompt>>,
    /// The version's number.
    pub prompt_version: Option<u32>,
    /// The version's digest.
    pub prompt_digest: Option<String>,
    /// The label it was reached by; absent when pinned.
    pub prompt_label: Option<String>,
    /// The experiment the call took part in.
    pub experiment: Option<String>,
    /// The experiment's arm.
    pub arm: Option<String>,
    /// What the call was assigned to it by; `none` when it did not say the experiment's unit.
    pub arm_unit: Option<String>,
    /// The prompt's variables as sent: a JSON object.
    pub variables: Option<Json>,
    /// All input tokens, cached ones included.
    pub input_tokens: Option<u64>,
    /// Input tokens read from the provider's prompt cache.
    pub cached_input_tokens: Option<u64>,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write_tokens: Option<u64>,
    /// All output tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Audio tokens on both sides.
    pub audio_tokens: Option<u64>,
    /// The provider's own usage object.
    pub usage_raw: Option<Json>,
    /// Who counted the tokens.
    pub usage_source: UsageSource,
    /// What the call cost, in billionths of a dollar; null is unknown, never zero.
    pub cost_nanousd: Option<NanoUsd>,
    /// The price that was applied.
    pub price_id: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Tools the model called.
    pub tool_names: Vec<String>,
    /// W3C trace id, hex.
    pub trace_id: String,
    /// The span of this call, hex.
    pub span_id: String,
    /// The caller's span, hex.
    pub parent_span_id: Option<String>,
    /// The end of what went upstream, as text.
    pub request_preview: Option<String>,
    /// The beginning of the answer, as text.
    pub response_preview: Option<String>,
    /// What was kept of the bodies: `full`, `metadata`, `off`, `shed`, `too_large`, `withheld`, `unreadable`.
    pub body_state: String,
    /// The node that served it.
    pub node: String,
}

/// Tries upstream.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Tries {
    /// How many there were.
    Count(u32),
    /// Each of them, in order.
    All(Vec<FoundAttempt>),
}

/// One call with everything that is kept of it.
#[derive(Clone, Debug, Serialize)]
pub struct FoundCall {
    /// The call; its `attempts` are all there.
    #[serde(flatten)]
    pub row: FoundRow,
    /// What the caller sent: JSON, or a string when it is not JSON.
    pub request_body: Option<Json>,
    /// What the caller got, streams put together.
    pub response_body: Option<Json>,
    /// What went upstream, when it differs.
    pub upstream_request_body: Option<Json>,
}

/// One try upstream.
#[derive(Clone, Debug, Serialize)]
pub struct FoundAttempt {
    /// Its place in order, from 1.
    pub n: u32,
    /// The provider tried.
    pub provider: String,
    /// The model name sent to it.
    pub model: String,
    /// The provider account used.
    pub account: Option<String>,
    /// The provider's HTTP status, if it answered at all.
    pub status: Option<u16>,
    /// The class of failure, when it failed.
    pub failure_class: Option<String>,
    /// What went wrong, for operators.
    pub error: Option<String>,
    /// When it was sent.
    pub started_at: Time,
    /// How long it took, µs.
    pub duration_us: u64,
    /// From sending to the first content, µs.
    pub ttft_us: Option<u64>,
    /// How long was waited before it was sent, µs.
    pub waited_us: Option<u64>,
    /// The provider's own request id.
    pub upstream_request_id: Option<String>,
    /// What this try cost.
    pub cost_nanousd: Option<NanoUsd>,
    /// Whether its answer was the one served.
    pub won: bool,
    /// Why this target was tried.
    pub reason: String,
}
