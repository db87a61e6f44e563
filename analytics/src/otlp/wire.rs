//! OTLP's two encodings of a trace export: requests read span by span, answers written.
//!
//! A request is walked, never decoded whole: two bytes of protobuf can stand for a span of hundreds of bytes in
//! memory, so each span is decoded alone, after its size and its number have been checked.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message;

use super::json;
use super::scan::Fields;

/// The largest resource or scope, as it is encoded.
const ORIGIN_BYTES_MAX: usize = 256 << 10;

/// How OTLP messages are written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP's own JSON mapping of it.
    Json,
}

impl Encoding {
    /// The encoding a `Content-Type` names; parameters do not matter.
    pub fn of_content_type(value: &str) -> Option<Self> {
        let kind = value.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is("application/x-protobuf") || is("application/protobuf") {
            return Some(Self::Protobuf);
        }
        is("application/json").then_some(Self::Json)
    }

    /// The `Content-Type` that names it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// A request that cannot be read as a trace export: sending it again does not help.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not an OTLP trace export: {0}")]
pub struct Malformed(pub String);

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Self(error.to_string())
    }
}

/// Why one span is not taken.
pub(super) type Reason = Cow<'static, str>;

/// Takes the spans of a request one after the other; an odd one comes as the reason why it cannot be read.
pub(super) trait Visitor {
    /// Whether a span of so many bytes should be decoded at all.
    fn admits(&mut self, bytes: usize) -> bool;
    /// Called before the first span of a resource that was admitted. Those without any are not decoded: there may be
    /// millions.
    fn resource(&mut self, resource: Resource);
    /// Likewise for each scope of a resource.
    fn scope(&mut self, scope: InstrumentationScope);
    /// Called for each span that was admitted.
    fn span(&mut self, span: Result<proto::Span, Reason>);
}

/// Walks over every span of a request.
pub(super) fn read(encoding: Encoding, body: &[u8], visitor: &mut dyn Visitor) -> Result<(), Malformed> {
    match encoding {
        Encoding::Protobuf => read_protobuf(body, visitor),
        Encoding::Json => json::read(body, visitor),
    }
}

fn read_protobuf(body: &[u8], visitor: &mut dyn Visitor) -> Result<(), Malformed> {
    for resource_spans in Fields::of(body).messages(1) {
        let resource_spans = resource_spans?;
        let mut resource = Some(last(resource_spans, 1)?.unwrap_or_default());
        for scope_spans in Fields::of(resource_spans).messages(2) {
            read_scope(scope_spans?, &mut resource, visitor)?;
        }
    }
    Ok(())
}

/// `resource` is there until it was told.
fn read_scope(
    scope_spans: &[u8],
    resource: &mut Option<&[u8]>,
    visitor: &mut dyn Visitor,
) -> Result<(), Malformed> {
    let mut scope = Some(last(scope_spans, 1)?.unwrap_or_default());
    for span in Fields::of(scope_spans).messages(2) {
        let span = span?;
        if !visitor.admits(span.len()) {
            continue;
        }
        if let Some(resource) = resource.take() {
            check_origin(resource.len())?;
            visitor.resource(Resource::decode(resource)?);
        }
        if let Some(scope) = scope.take() {
            check_origin(scope.len())?;
            visitor.scope(InstrumentationScope::decode(scope)?);
        }
        visitor.span(proto::Span::decode(span).map_err(|error| Reason::from(error.to_string())));
    }
    Ok(())
}

/// Refuses a resource or a scope that would fill the memory once it is decoded.
pub(super) fn check_origin(bytes: usize) -> Result<(), Malformed> {
    if bytes <= ORIGIN_BYTES_MAX {
        return Ok(());
    }
    Err(Malformed(format!("a resource or scope has {bytes} bytes, the limit is {ORIGIN_BYTES_MAX}")))
}

/// The last message in field `number`: as protobuf has it, the last one counts.
fn last(message: &[u8], number: u32) -> Result<Option<&[u8]>, Malformed> {
    Fields::of(message).messages(number).last().transpose()
}

/// How many spans were not taken, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    spans: u64,
    reasons: Vec<(Reason, u64)>,
}

impl Rejected {
    /// Reasons that are told apart; further ones are only counted.
    const REASONS_MAX: usize = 8;

    pub(super) fn add(&mut self, reason: Reason) {
        self.spans += 1;
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            *count += 1;
        } else if self.reasons.len() < Self::REASONS_MAX {
            self.reasons.push((reason, 1));
        }
    }

    /// How many spans.
    pub const fn spans(&self) -> u64 {
        self.spans
    }

    /// What the reporter should read; empty when nothing was rejected.
    pub fn message(&self) -> String {
        let told: Vec<_> = self.reasons.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        told.join("; ")
    }
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Writes the answer to a request that was understood.
pub fn answer(encoding: Encoding, rejected: &Rejected) -> Vec<u8> {
    let partial = (rejected.spans > 0).then(|| PartialSuccess {
        rejected_spans: i64::try_from(rejected.spans).unwrap_or(i64::MAX),
        error_message: rejected.message(),
    });
    match (encoding, partial) {
        (Encoding::Protobuf, partial_success) => Answer { partial_success }.encode_to_vec(),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Json, Some(partial)) => serde_json::json!({"partialSuccess": {
            "rejectedSpans": partial.rejected_spans.to_string(),
            "errorMessage": partial.error_message,
        }})
        .to_string()
        .into_bytes(),
    }
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Writes an error as exporters of protobuf expect it: a `google.rpc.Status`.
pub fn status(code: i32, message: &str) -> Vec<u8> {
    Status { code, message: message.to_owned() }.encode_to_vec()
}

/// How many spans of a batch a receiver says it did not take; none when its answer is not OTLP's.
pub fn rejected_spans(encoding: Encoding, answer: &[u8]) -> u64 {
    let rejected = match encoding {
        Encoding::Protobuf => {
            Answer::decode(answer).ok().and_then(|answer| Some(answer.partial_success?.rejected_spans))
        }
        Encoding::Json => serde_json::from_slice::<serde_json::Value>(answer).ok().and_then(|answer| {
            let rejected = &answer["partialSuccess"]["rejectedSpans"];
            rejected.as_i64().or_else(|| rejected.as_str()?.parse().ok())
        }),
    };
    rejected.and_then(|rejected| u64::try_from(rejected).ok()).unwrap_or(0)
}
