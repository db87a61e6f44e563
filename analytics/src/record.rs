//! One finished call, as the gateway hands it to the recorder: raw captures, nothing folded or compressed yet.

use std::sync::Arc;

use bytes::Bytes;
use dialects::Endpoint;
use serde::Serialize;
use vocab::id::{Call, Key, Prompt};
use vocab::{Id, NanoUsd, Time, Usage, UsageSource};

/// A finished call. Shared words are `Arc<str>`, the caller's own are boxed; bodies are reference-counted
/// captures that the recorder puts together away from the call's path.
#[derive(Clone, Debug)]
pub struct Record {
    /// The call's id, also its `x-request-id`.
    pub id: Id<Call>,
    /// The project it belongs to.
    pub project: Arc<str>,
    /// When its first byte was read.
    pub started: Time,
    /// From first byte read to last byte handed over, µs.
    pub duration_us: u64,
    /// From first byte read to the first content of the answer, µs; `None` when none came.
    pub ttft_us: Option<u64>,
    /// What Weir itself took of the duration, µs.
    pub overhead_us: u64,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// Whether the caller asked for a stream.
    pub streaming: bool,
    /// The HTTP status the caller saw; 499 when the caller left before one was sent.
    pub status: u16,
    /// How the call ended.
    pub outcome: Outcome,
    /// The error's code, as the caller saw it.
    pub error_code: Option<Box<str>>,
    /// The error's message, as the caller saw it.
    pub error_message: Option<Box<str>>,
    /// The model as the request named it.
    pub requested_model: Option<Box<str>>,
    /// The provider that answered last.
    pub provider: Option<Arc<str>>,
    /// The model name sent to that provider.
    pub model: Option<Arc<str>>,
    /// The model name in the provider's answer.
    pub response_model: Option<Box<str>>,
    /// Every try upstream, in order.
    pub attempts: Vec<Attempt>,
    /// What the cache of answers did.
    pub cache: CacheUse,
    /// The key that called; `None` when none was accepted.
    pub key: Option<Id<Key>>,
    /// The end user, as the caller named them.
    pub user: Option<Box<str>>,
    /// The session, as the caller named it.
    pub session: Option<Box<str>>,
    /// Tags, as given.
    pub tags: Vec<Box<str>>,
    /// The caller's metadata: a JSON object, or `None`.
    pub metadata: Option<Box<str>>,
    /// The prompt version that served.
    pub prompt: Option<PromptUse>,
    /// The part it takes in an experiment.
    pub exposure: Option<Exposure>,
    /// The prompt's variables as sent: a JSON object, or `None`.
    pub variables: Option<Box<str>>,
    /// Tokens, when somebody counted them.
    pub usage: Option<Usage>,
    /// The provider's own usage object, JSON.
    pub usage_raw: Option<Box<str>>,
    /// Who counted.
    pub usage_source: UsageSource,
    /// What it cost; `None` is unknown, never zero.
    pub cost: Option<NanoUsd>,
    /// The price that was applied.
    pub price_id: Option<Arc<str>>,
    /// Why the model stopped.
    pub finish_reason: Option<Box<str>>,
    /// W3C trace id; all zero never happens.
    pub trace_id: [u8; 16],
    /// The span of this call.
    pub span_id: [u8; 8],
    /// The caller's span, from `traceparent`.
    pub parent_span_id: Option<[u8; 8]>,
    /// How long the request was, as it went upstream; more than is held where it exceeded the capture limit.
    pub request_bytes: u64,
    /// The request as the caller sent it; empty when it exceeded the capture limit.
    pub request_body: Bytes,
    /// The request as it went upstream, when it differs.
    pub upstream_request_body: Option<Bytes>,
    /// The answer as the caller got it.
    pub response_body: Capture,
}

impl Record {
    /// A call that has just begun, of which nothing more is known. Filed as it is it counts as a bug in Weir:
    /// whoever ends the call says how. Trace and span take their ids from the call's.
    pub fn begin(id: Id<Call>, project: Arc<str>, started: Time, endpoint: Endpoint) -> Self {
        let trace_id = id.bytes();
        let mut span_id = [0; 8];
        span_id.copy_from_slice(&trace_id[8..]);
        Self {
            id,
            project,
            started,
            duration_us: 0,
            ttft_us: None,
            overhead_us: 0,
            endpoint,
            streaming: false,
            status: 500,
            outcome: Outcome::Internal,
            error_code: None,
            error_message: None,
            requested_model: None,
            provider: None,
            model: None,
            response_model: None,
            attempts: Vec::new(),
            cache: CacheUse::Off,
            key: None,
            user: None,
            session: None,
            tags: Vec::new(),
            metadata: None,
            prompt: None,
            exposure: None,
            variables: None,
            usage: None,
            usage_raw: None,
            usage_source: UsageSource::None,
            cost: None,
            price_id: None,
            finish_reason: None,
            trace_id,
            span_id,
            parent_span_id: None,
            request_bytes: 0,
            request_body: Bytes::new(),
            upstream_request_body: None,
            response_body: Capture::Nothing,
        }
    }

    /// Roughly how many bytes this record holds in memory: what the recorder's queue is bounded by.
    pub fn weight(&self) -> usize {
        let upstream = self.upstream_request_body.as_ref().map_or(0, Bytes::len);
        let texts = [&self.variables, &self.metadata, &self.usage_raw, &self.error_message];
        let said = texts.into_iter().flatten().map(|text| text.len()).sum::<usize>();
        let attempts = self.attempts.len() * size_of::<Attempt>();
        size_of::<Self>() + said + attempts + self.request_body.len() + upstream + self.response_body.len()
    }
}

/// The prompt version a call used.
#[derive(Clone, Debug)]
pub struct PromptUse {
    /// The prompt's id, stable through renames.
    pub id: Id<Prompt>,
    /// The prompt's name at the time of the call.
    pub name: Arc<str>,
    /// The version's number.
    pub version: u32,
    /// The version's SHA-256 digest, hex.
    pub digest: Arc<str>,
    /// The label it was reached by; `None` when pinned.
    pub label: Option<Arc<str>>,
}

/// The part a call takes in an experiment.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The experiment.
    pub experiment: Arc<str>,
    /// The arm that served.
    pub arm: Arc<str>,
    /// What the call was assigned by; `none` when it did not say the experiment's unit.
    pub unit: Box<str>,
}

/// One try upstream.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The provider tried.
    pub provider: Arc<str>,
    /// The model name sent to it.
    pub model: Arc<str>,
    /// When it was sent.
    pub started: Time,
    /// How long it took, µs.
    pub duration_us: u64,
    /// From sending to the first content, µs.
    pub ttft_us: Option<u64>,
    /// How long was waited before it was sent, µs; 0 for the first.
    pub waited_us: u64,
    /// The provider's HTTP status, if it answered at all.
    pub status: Option<u16>,
    /// The provider's own request id.
    pub upstream_request_id: Option<Box<str>>,
    /// The class of failure, when it failed.
    pub failure_class: Option<&'static str>,
    /// What went wrong, for operators.
    pub error: Option<Box<str>>,
    /// What this try cost.
    pub cost: Option<NanoUsd>,
    /// Whether its answer was the one served.
    pub won: bool,
    /// Why this target was tried.
    pub reason: &'static str,
}

/// An answer as it was handed to the caller.
#[derive(Clone, Debug, Default)]
pub enum Capture {
    /// Nothing was sent.
    #[default]
    Nothing,
    /// A whole body.
    Whole(Bytes),
    /// The bytes of an event stream, in pieces, exactly as sent.
    Stream(Vec<Bytes>),
    /// More than the capture limit: only the size is known.
    TooLarge {
        /// Bytes handed to the caller.
        bytes: u64,
    },
}

impl Capture {
    /// Bytes held.
    pub fn len(&self) -> usize {
        match self {
            Self::Nothing | Self::TooLarge { .. } => 0,
            Self::Whole(bytes) => bytes.len(),
            Self::Stream(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the cache of answers did for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheUse {
    /// It answered.
    Hit,
    /// It was asked and had nothing.
    Miss,
    /// It was not asked.
    #[default]
    Off,
}

impl CacheUse {
    /// The word used in records, headers and search.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Off => "off",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered in full.
    Ok,
    /// The caller's request was at fault.
    CallerError,
    /// Weir would not: key, permission, limit, overload.
    Refused,
    /// The provider failed.
    UpstreamError,
    /// The provider was too slow.
    Timeout,
    /// The caller left.
    Cancelled,
    /// The answer broke off after it had begun.
    Truncated,
    /// A bug in Weir.
    Internal,
}

impl Outcome {
    /// The word used in records, metrics and search.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::CallerError => "caller_error",
            Self::Refused => "refused",
            Self::UpstreamError => "upstream_error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Truncated => "truncated",
            Self::Internal => "internal",
        }
    }
}
