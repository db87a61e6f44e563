//! Exports to read, made with the message types of the OpenTelemetry project.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message as _;
use serde_json::{Value, json};
use vocab::Time;

use crate::otlp::{Encoding, ingest};
use crate::policy::Policy;

pub(super) const NOW: Time = Time(1_780_000_000_000_000);

/// A span with these attributes.
pub(super) fn span(attributes: &[(&str, Value)]) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "ask".to_owned(),
        kind: span::SpanKind::Client.into(),
        start_time_unix_nano: NOW.micros() as u64 * 1_000,
        end_time_unix_nano: NOW.micros() as u64 * 1_000 + 1_500_000,
        attributes: pairs(attributes),
        ..Span::default()
    }
}

/// A span with something else about it.
pub(super) fn with(change: impl FnOnce(&mut Span)) -> Span {
    let mut span = span(&[]);
    change(&mut span);
    span
}

pub(super) fn event(name: &str, attributes: &[(&str, Value)]) -> span::Event {
    let time_unix_nano = NOW.micros() as u64 * 1_000;
    span::Event { time_unix_nano, name: name.to_owned(), attributes: pairs(attributes), ..Default::default() }
}

pub(super) fn link(attributes: &[(&str, Value)]) -> span::Link {
    span::Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        attributes: pairs(attributes),
        ..Default::default()
    }
}

pub(super) fn failed(message: &str) -> Status {
    Status { code: 2, message: message.to_owned() }
}

pub(super) fn pairs(attributes: &[(&str, Value)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, Value)| KeyValue {
        key: (*key).to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    };
    attributes.iter().map(pair).collect()
}

pub(super) fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(bool) => Some(Any::BoolValue(*bool)),
        Value::Number(number) => {
            Some(number.as_i64().map_or_else(|| Any::DoubleValue(number.as_f64().unwrap()), Any::IntValue))
        }
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.iter().map(any).collect() }))
        }
        Value::Null | Value::Object(_) => None,
    };
    AnyValue { value }
}

/// The export of these spans by one service.
pub(super) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope =
        InstrumentationScope { name: "lib".to_owned(), version: "2".to_owned(), ..Default::default() };
    let resource = Resource {
        attributes: pairs(&[("service.name", json!("shop")), ("host.name", json!("h1"))]),
        ..Resource::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// The same in protobuf.
pub(super) fn exported(spans: Vec<Span>) -> Vec<u8> {
    request(spans).encode_to_vec()
}

/// One span in JSON as it is written here.
pub(super) fn json_export(span: &Value) -> Vec<u8> {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string().into_bytes()
}

/// What is kept of one span.
pub(super) fn one(span: Span) -> crate::Span {
    let mut taken = ingest(Encoding::Protobuf, &exported(vec![span]), "p", &Policy::default(), NOW).unwrap();
    assert_eq!((taken.spans.len(), taken.rejected.spans()), (1, 0), "{}", taken.rejected.message());
    taken.spans.remove(0)
}
