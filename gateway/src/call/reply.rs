//! An answer on its way to the caller, and the headers that say how it came about.

use bytes::Bytes;
use dialects::fault::{self, FailureClass, Fault};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::admission::Permit;
use super::entry::Entry;
use super::prompt::Shape;
use crate::refusal::{Kind, Refusal};
use crate::upstream::{Answer, Failure};

/// Names of the headers Weir adds, made once: they are set on every answer.
pub(crate) mod name {
    use http::HeaderName;

    pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    pub(crate) const WEIR_CALL_ID: HeaderName = HeaderName::from_static("weir-call-id");
    pub(crate) const WEIR_PROVIDER: HeaderName = HeaderName::from_static("weir-provider");
    pub(crate) const WEIR_MODEL: HeaderName = HeaderName::from_static("weir-model");
    pub(crate) const WEIR_ATTEMPTS: HeaderName = HeaderName::from_static("weir-attempts");
    pub(crate) const WEIR_CACHE: HeaderName = HeaderName::from_static("weir-cache");
    pub(crate) const WEIR_PROMPT: HeaderName = HeaderName::from_static("weir-prompt");
    pub(crate) const WEIR_PROMPT_LABEL: HeaderName = HeaderName::from_static("weir-prompt-label");
    pub(crate) const WEIR_EXPERIMENT: HeaderName = HeaderName::from_static("weir-experiment");
    pub(crate) const WEIR_OVERHEAD_US: HeaderName = HeaderName::from_static("weir-overhead-us");
    pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
    pub(crate) const WEIR_COST_USD: HeaderName = HeaderName::from_static("weir-cost-usd");
    pub(crate) const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
    pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
    pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
}

/// What the last step of a call hands to the relay.
pub enum Reply {
    /// A provider answered.
    Fresh(Box<Fresh>),
    /// No provider did: the failure becomes the caller's error.
    Failed {
        /// The last failure.
        failure: Box<Failure>,
        /// The call's room, until the error is written.
        permit: Permit,
    },
}

/// An answer with a success status.
pub struct Fresh {
    /// The answer.
    pub answer: Answer,
    /// What the caller asked for.
    pub shape: Shape,
    /// The call's room, until the answer has been relayed.
    pub permit: Permit,
}

impl Reply {
    /// An answer to relay.
    pub fn new(answer: Answer, shape: Shape, mut permit: Permit) -> Self {
        if let Answer::Whole { bytes, .. } = &answer {
            permit.hold(bytes.len());
        }
        Self::Fresh(Box::new(Fresh { answer, shape, permit }))
    }

    /// No answer: `failure` was the last of the tries.
    pub fn failed(failure: Box<Failure>, permit: Permit) -> Self {
        Self::Failed { failure, permit }
    }
}

/// What of a provider's headers a caller gets to see.
pub fn copy_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        let passes = *name == header::CONTENT_TYPE
            || *name == header::RETRY_AFTER
            || text.starts_with("x-ratelimit-")
            || text.starts_with("openai-")
            || text == "retry-after-ms";
        if passes {
            to.append(name.clone(), value.clone());
        }
    }
    if let Some(id) = upstream_request_id(from) {
        to.insert(name::X_UPSTREAM_REQUEST_ID, id.clone());
    }
}

/// The provider's own id of the request.
pub fn upstream_request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    ["x-request-id", "request-id", "apim-request-id"].into_iter().find_map(|name| headers.get(name))
}

/// The headers every answer carries: ids, route, prompt, timing.
pub fn describe(entry: &Entry, headers: &mut HeaderMap) {
    let record = entry.record();
    let id = entry.id_header();
    headers.insert(name::X_REQUEST_ID, id.clone());
    headers.insert(name::WEIR_CALL_ID, id);
    if let Some(route) = entry.route() {
        headers.insert(name::WEIR_PROVIDER, route.provider.name_header());
        headers.insert(name::WEIR_MODEL, route.model_header.clone());
    }
    headers.insert(name::WEIR_ATTEMPTS, HeaderValue::from(record.attempts.len()));
    headers.insert(name::WEIR_CACHE, HeaderValue::from_static("off"));
    if let Some(prompt) = &record.prompt {
        headers.insert(name::WEIR_PROMPT, text(&format!("{}@{}", prompt.name, prompt.version)));
        if let Some(label) = &prompt.label {
            headers.insert(name::WEIR_PROMPT_LABEL, text(label));
        }
    }
    if let Some(exposure) = &record.exposure {
        headers.insert(name::WEIR_EXPERIMENT, text(&format!("{}={}", exposure.experiment, exposure.arm)));
    }
    let (overhead, upstream) = entry.split_time();
    headers.insert(name::WEIR_OVERHEAD_US, HeaderValue::from(overhead));
    headers.insert(
        name::SERVER_TIMING,
        text(&format!("weir;dur={}, upstream;dur={}", Millis(overhead), Millis(upstream))),
    );
}

/// A header value of `text`; prompt names may hold letters headers cannot, which are percent-encoded.
pub(crate) fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).ok().filter(|_| text.is_ascii()).unwrap_or_else(|| {
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::CONTROLS).to_string();
        HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static("?"))
    })
}

/// Microseconds printed as milliseconds with three decimals.
struct Millis(u64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// What the caller sees of a failed call.
pub enum Shown {
    /// The provider's own error: its status and its body.
    Relayed {
        /// The provider's status.
        status: StatusCode,
        /// The provider's body, or one in OpenAI's shape that says the same.
        body: Bytes,
    },
    /// An error of Weir's.
    Refused(Refusal),
}

/// What a provider said in a shape of its own, in OpenAI's.
fn error_body(fault: &Fault) -> Bytes {
    let (kind, code) = match fault.class {
        FailureClass::RateLimit => ("rate_limit_error", "rate_limit_exceeded"),
        FailureClass::Quota => ("insufficient_quota", "insufficient_quota"),
        class => ("invalid_request_error", class.as_str()),
    };
    let code = fault.code.as_deref().unwrap_or(code);
    fault::write_error(&fault.message, fault.kind.as_deref().unwrap_or(kind), None, Some(code)).into()
}

/// Decides what a failure looks like from outside.
pub fn show(failure: &Failure) -> Shown {
    let fault = &failure.fault;
    let status = failure.status.map_or(0, |status| status.as_u16());
    match status {
        // The caller's own doing: it reads what the provider says of it.
        400 | 404 | 409 | 413 | 422 | 429 => Shown::Relayed {
            status: failure.status.unwrap_or(StatusCode::BAD_REQUEST),
            body: failure.body.clone().unwrap_or_else(|| error_body(fault)),
        },
        401..=403 => Shown::Refused(Refusal::new(
            Kind::UpstreamCredentials,
            "the provider refuses this gateway's own credentials: its operator must mend the provider's API key or account",
        )),
        _ => Shown::Refused(match fault.class {
            FailureClass::Timeout => Refusal::new(
                Kind::UpstreamTimeout,
                format!("{}: try again, or allow more time", fault.message),
            ),
            FailureClass::CallerFault | FailureClass::ContextLength | FailureClass::ContentFilter => {
                Refusal::new(
                    Kind::InvalidRequest,
                    format!("the provider refuses the request: {}", fault.message),
                )
            }
            FailureClass::Transient
            | FailureClass::RateLimit
            | FailureClass::Quota
            | FailureClass::Credential
            | FailureClass::ModelGone
            | FailureClass::Garbled
            | FailureClass::Unreachable => Refusal::new(
                Kind::UpstreamError,
                format!("the provider failed: {}; try again later", fault.message),
            ),
        }),
    }
}
