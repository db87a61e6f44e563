//! OTLP's JSON form, read as exporters write it rather than as the specification says: ids in hex or base64, 64-bit
//! integers as strings or numbers, enums as numbers or names, unknown fields ignored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde::de::{self, Error as _, SeqAccess};
use serde::{Deserialize, Deserializer as _};
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::{Malformed, Reason, Visitor, check_origin};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, alias = "resource_spans", rename = "resourceSpans")]
    resource_spans: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, alias = "scope_spans", rename = "scopeSpans")]
    scope_spans: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Option<&'a RawValue>,
}

/// Walks over every span of a request.
pub(super) fn read(body: &[u8], visitor: &mut dyn Visitor) -> Result<(), Malformed> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    each(request.resource_spans, |resource_spans| {
        let resource_spans: ResourceSpans<'_> = serde_json::from_str(resource_spans.get())?;
        let mut resource = Some(resource_spans.resource.unwrap_or(RawValue::NULL));
        each(resource_spans.scope_spans, |scope_spans| {
            let scope_spans = serde_json::from_str(scope_spans.get())?;
            read_scope(&scope_spans, &mut resource, visitor)
        })
    })
}

/// `resource` is there until it was told.
fn read_scope(
    scope_spans: &ScopeSpans<'_>,
    resource: &mut Option<&RawValue>,
    visitor: &mut dyn Visitor,
) -> Result<(), Malformed> {
    let mut scope = Some(scope_spans.scope.unwrap_or(RawValue::NULL));
    each(scope_spans.spans, |span| {
        if !visitor.admits(span.get().len()) {
            return Ok(());
        }
        if let Some(resource) = resource.take() {
            visitor.resource(resource_of(&origin(resource)?));
        }
        if let Some(scope) = scope.take() {
            visitor.scope(scope_of(&origin(scope)?));
        }
        visitor.span(parse(span).map_err(|error| error.0.into()).and_then(|span| span_of(&span)));
        Ok(())
    })
}

/// Visits the elements of a list one after the other: a list of millions is never in memory.
fn each<'a>(
    list: Option<&'a RawValue>,
    visit: impl FnMut(&'a RawValue) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let Some(list) = list else { return Ok(()) };
    serde_json::Deserializer::from_str(list.get()).deserialize_seq(Elements(visit))?;
    Ok(())
}

struct Elements<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> Result<(), Malformed>> de::Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.0)(element).map_err(|malformed| A::Error::custom(malformed.0))?;
        }
        Ok(())
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

fn parse(raw: &RawValue) -> Result<Value, Malformed> {
    Ok(serde_json::from_str(raw.get())?)
}

fn origin(raw: &RawValue) -> Result<Value, Malformed> {
    check_origin(raw.get().len())?;
    parse(raw)
}

fn resource_of(value: &Value) -> Resource {
    Resource { attributes: attributes(value), ..Resource::default() }
}

fn scope_of(value: &Value) -> InstrumentationScope {
    InstrumentationScope {
        name: text(value, "name"),
        version: text(value, "version"),
        attributes: attributes(value),
        dropped_attributes_count: 0,
    }
}

fn span_of(value: &Value) -> Result<Span, Reason> {
    if !value.is_object() {
        return Err("a span must be an object".into());
    }
    let each = |key| value.get(key).and_then(Value::as_array).into_iter().flatten();
    Ok(Span {
        trace_id: id(value, "traceId", "trace_id")?,
        span_id: id(value, "spanId", "span_id")?,
        parent_span_id: id(value, "parentSpanId", "parent_span_id")?,
        trace_state: text(value, "traceState"),
        name: text(value, "name"),
        kind: kind(value.get("kind")),
        start_time_unix_nano: nanos(value, "startTimeUnixNano", "start_time_unix_nano")?,
        end_time_unix_nano: nanos(value, "endTimeUnixNano", "end_time_unix_nano")?,
        attributes: attributes(value),
        events: each("events").map(event).collect::<Result<_, _>>()?,
        links: each("links").map(link).collect::<Result<_, _>>()?,
        status: value
            .get("status")
            .filter(|status| status.is_object())
            .map(|status| Status { message: text(status, "message"), code: code(status.get("code")) }),
        ..Span::default()
    })
}

fn event(value: &Value) -> Result<Event, Reason> {
    Ok(Event {
        time_unix_nano: nanos(value, "timeUnixNano", "time_unix_nano")?,
        name: text(value, "name"),
        attributes: attributes(value),
        dropped_attributes_count: 0,
    })
}

fn link(value: &Value) -> Result<Link, Reason> {
    Ok(Link {
        trace_id: id(value, "traceId", "trace_id")?,
        span_id: id(value, "spanId", "span_id")?,
        attributes: attributes(value),
        ..Link::default()
    })
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An id in hex, or in the base64 that protobuf's usual JSON would have; empty when there is none.
fn id(value: &Value, key: &str, snake: &str) -> Result<Vec<u8>, Reason> {
    let written = value.get(key).or_else(|| value.get(snake)).and_then(Value::as_str).unwrap_or_default();
    let read = match written.len() {
        0 => Some(Vec::new()),
        16 | 32 => hex(written),
        11 | 12 | 22 | 24 => BASE64.decode(written).ok(),
        _ => None,
    };
    read.ok_or_else(|| format!("`{key}` is neither hex nor base64 of an id").into())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

fn nanos(value: &Value, key: &str, snake: &str) -> Result<u64, Reason> {
    match value.get(key).or_else(|| value.get(snake)) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(text)) if text.is_empty() => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(|_| not_nanos(key)),
        Some(other) => other.as_u64().ok_or_else(|| not_nanos(key)),
    }
}

fn not_nanos(key: &str) -> Reason {
    format!("`{key}` is not a number of nanoseconds").into()
}

fn kind(value: Option<&Value>) -> i32 {
    let names = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    enumerated(value, "SPAN_KIND_", &names)
}

fn code(value: Option<&Value>) -> i32 {
    enumerated(value, "STATUS_CODE_", &["UNSET", "OK", "ERROR"])
}

fn enumerated(value: Option<&Value>, prefix: &str, names: &[&str]) -> i32 {
    match value {
        Some(Value::Number(number)) => number.as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        Some(Value::String(name)) => {
            let name = name.strip_prefix(prefix).unwrap_or(name);
            let at = names.iter().position(|known| *known == name);
            at.and_then(|at| i32::try_from(at).ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

fn attributes(value: &Value) -> Vec<KeyValue> {
    let given = value.get("attributes").and_then(Value::as_array);
    given.into_iter().flatten().filter_map(pair).collect()
}

fn pair(value: &Value) -> Option<KeyValue> {
    let key = value.get("key")?.as_str()?.to_owned();
    Some(KeyValue { key, value: value.get("value").map(any), ..KeyValue::default() })
}

fn any(value: &Value) -> AnyValue {
    let held = value.as_object().and_then(|object| object.iter().find_map(|(kind, value)| held(kind, value)));
    AnyValue { value: held }
}

fn held(kind: &str, value: &Value) -> Option<Any> {
    let list = || {
        let values = value.get("values").and_then(Value::as_array);
        values.into_iter().flatten()
    };
    match kind {
        "stringValue" | "string_value" => Some(Any::StringValue(value.as_str()?.to_owned())),
        "boolValue" | "bool_value" => value.as_bool().map(Any::BoolValue),
        "intValue" | "int_value" => integer(value).map(Any::IntValue),
        "doubleValue" | "double_value" => double(value).map(Any::DoubleValue),
        "arrayValue" | "array_value" => {
            Some(Any::ArrayValue(ArrayValue { values: list().map(any).collect() }))
        }
        "kvlistValue" | "kvlist_value" => {
            Some(Any::KvlistValue(KeyValueList { values: list().filter_map(pair).collect() }))
        }
        "bytesValue" | "bytes_value" => BASE64.decode(value.as_str()?).ok().map(Any::BytesValue),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Numbers that JSON does not have come as `"NaN"`, `"Infinity"`, `"-Infinity"`.
fn double(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
