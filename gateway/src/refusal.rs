//! Why a call or an admin request was not answered: the only error a caller ever sees, and the only place
//! that chooses its status.

mod from;

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use analytics::record::Outcome;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

type Source = Box<dyn Error + Send + Sync>;

/// A refused request: what kind, what the caller reads, and what only the log reads. Boxed, so that results that
/// may be one stay small.
#[derive(Debug)]
pub struct Refusal(Box<What>);

#[derive(Debug)]
struct What {
    kind: Kind,
    message: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    /// What a program may want beside the message, under its own name in the error object.
    detail: Option<(&'static str, Value)>,
    retry_after: Option<Duration>,
    /// For the log, with its chain; never sent.
    source: Option<Source>,
}

/// What kind of refusal it is. Also the `error_code` of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be understood.
    InvalidRequest,
    /// The prompt locks what the caller tried to change.
    ParameterLocked,
    /// Weir knows the field and does not do it.
    NotSupported,
    /// No key, or a wrong, expired or revoked one.
    InvalidApiKey,
    /// The key or token may not do this.
    PermissionDenied,
    /// No such model, or none this key may see.
    ModelNotFound,
    /// No such prompt, version or label.
    PromptNotFound,
    /// No such thing or route.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// The caller took too long to send its request.
    RequestTimeout,
    /// Somebody else changed it first.
    Conflict,
    /// An expected version or parent did not hold.
    Stale,
    /// `If-Match` did not hold.
    PreconditionFailed,
    /// It was there, and is used up or over.
    Gone,
    /// The body is over its limit.
    BodyTooLarge,
    /// The body is of a type, or packed in a way, that is not read here.
    UnsupportedMediaType,
    /// Required variables were not sent.
    MissingVariables,
    /// A variable does not fit its declaration.
    InvalidVariable,
    /// The template failed on these variables.
    TemplateError,
    /// Too many calls or bytes in flight, or shutting down.
    Overloaded,
    /// The provider refuses Weir's own credentials.
    UpstreamCredentials,
    /// The provider failed.
    UpstreamError,
    /// The provider took too long.
    UpstreamTimeout,
    /// A store is away that this request needs.
    Unavailable,
    /// A bug in Weir.
    Internal,
}

impl Kind {
    /// One row per kind: status, code, OpenAI error type, and how the record says the call ended.
    const fn row(self) -> (StatusCode, &'static str, &'static str, Outcome) {
        use Outcome::{CallerError, Refused};
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request", INVALID, CallerError),
            Self::ParameterLocked => (StatusCode::BAD_REQUEST, "parameter_locked", INVALID, CallerError),
            Self::NotSupported => (StatusCode::BAD_REQUEST, "not_supported", INVALID, CallerError),
            Self::InvalidApiKey => (StatusCode::UNAUTHORIZED, "invalid_api_key", INVALID, Refused),
            Self::PermissionDenied => (StatusCode::FORBIDDEN, "permission_denied", INVALID, Refused),
            Self::ModelNotFound => (StatusCode::NOT_FOUND, "model_not_found", INVALID, CallerError),
            Self::PromptNotFound => (StatusCode::NOT_FOUND, "prompt_not_found", INVALID, CallerError),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", INVALID, CallerError),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", INVALID, CallerError)
            }
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout", INVALID, CallerError),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", INVALID, CallerError),
            Self::Stale => (StatusCode::CONFLICT, "stale", INVALID, CallerError),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "stale", INVALID, CallerError),
            Self::Gone => (StatusCode::GONE, "gone", INVALID, CallerError),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", INVALID, CallerError),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", INVALID, CallerError)
            }
            Self::MissingVariables => {
                (StatusCode::UNPROCESSABLE_ENTITY, "missing_variables", INVALID, CallerError)
            }
            Self::InvalidVariable => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_variable", INVALID, CallerError)
            }
            Self::TemplateError => (StatusCode::UNPROCESSABLE_ENTITY, "template_error", INVALID, CallerError),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", SERVER, Refused),
            Self::UpstreamCredentials => {
                (StatusCode::BAD_GATEWAY, "upstream_credentials", SERVER, Outcome::UpstreamError)
            }
            Self::UpstreamError => {
                (StatusCode::BAD_GATEWAY, "upstream_error", SERVER, Outcome::UpstreamError)
            }
            Self::UpstreamTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", SERVER, Outcome::Timeout)
            }
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", SERVER, Refused),
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", SERVER, Outcome::Internal)
            }
        }
    }

    /// Every kind, for the tests and the documents that walk them.
    pub const ALL: [Self; 25] = [
        Self::InvalidRequest,
        Self::ParameterLocked,
        Self::NotSupported,
        Self::InvalidApiKey,
        Self::PermissionDenied,
        Self::ModelNotFound,
        Self::PromptNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::Stale,
        Self::PreconditionFailed,
        Self::Gone,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::MissingVariables,
        Self::InvalidVariable,
        Self::TemplateError,
        Self::Overloaded,
        Self::UpstreamCredentials,
        Self::UpstreamError,
        Self::UpstreamTimeout,
        Self::Unavailable,
        Self::Internal,
    ];
}

impl Refusal {
    /// A refusal of this kind with what the caller should read: what is wrong and what to do.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(What { kind, message, param: None, detail: None, retry_after: None, source: None }))
    }

    /// A bug in Weir, under the id its operators find the call by.
    pub fn bug(id: &dyn std::fmt::Display) -> Self {
        let message = format!("something broke inside the gateway: tell its operators the call id {id}");
        Self::new(Kind::Internal, message)
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Adds what a program may want beside the message.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.detail = Some((name, value.into()));
        self
    }

    /// Says when trying again is worthwhile.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same refusal under another kind.
    #[must_use]
    pub fn retyped(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The kind.
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.0.kind.row().0
    }

    /// The closed code clients switch on.
    pub const fn code(&self) -> &'static str {
        self.0.kind.row().1
    }

    /// How the record says the call ended.
    pub const fn outcome(&self) -> Outcome {
        self.0.kind.row().3
    }

    /// The field at fault, when there is one.
    pub fn param_name(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// What the caller reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error body in OpenAI's shape.
    pub fn body(&self) -> Bytes {
        let (_, code, kind, _) = self.0.kind.row();
        let Some((name, value)) = &self.0.detail else {
            return dialects::fault::write_error(&self.0.message, kind, self.0.param.as_deref(), Some(code))
                .into();
        };
        let error = json!({"message": self.0.message, "type": kind, "param": self.0.param, "code": code, *name: value});
        json!({"error": error}).to_string().into()
    }

    /// The headers that belong to this refusal whatever else the answer carries.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.kind == Kind::InvalidApiKey {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers
    }

    /// Logs what the caller is not told. Called once, where the refusal becomes an answer.
    pub fn log(&self, id: &dyn std::fmt::Display) {
        if let Some(source) = &self.0.source {
            let chain = chain(source.as_ref());
            tracing::warn!(call.id = %id, error.code = self.code(), error = %chain, "request refused");
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_answers_in_openais_shape_with_all_four_keys() {
        for kind in Kind::ALL {
            let refusal = Refusal::new(kind, "what is wrong and what to do");
            let body: Value = serde_json::from_slice(&refusal.body()).unwrap();
            let error = body["error"].as_object().unwrap();
            assert_eq!(error.keys().collect::<Vec<_>>(), ["message", "type", "param", "code"], "{kind:?}");
            assert!(error["code"].is_string() && error["type"].is_string(), "{kind:?}");
            assert!(refusal.status().is_client_error() || refusal.status().is_server_error(), "{kind:?}");
        }
    }

    #[test]
    fn a_detail_stands_beside_the_four_keys() {
        let refusal = Refusal::new(Kind::Stale, "look again").detail("current_version", 7);
        let body: Value = serde_json::from_slice(&refusal.body()).unwrap();
        let keys: Vec<_> = body["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "type", "param", "code", "current_version"]);
        assert_eq!(body["error"]["param"], Value::Null);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let refusal = Refusal::new(Kind::Overloaded, "try later").retry_after(Duration::from_millis(1_200));
        assert_eq!(refusal.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn the_cause_is_for_the_log_only() {
        let refusal = Refusal::new(Kind::Internal, "something broke").because("secret detail");
        assert!(!String::from_utf8_lossy(&refusal.body()).contains("secret detail"));
    }
}
