//! Spans on their way out: each is encoded alone, when its call ends, and batches are put together from the bytes.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::pairs::Pairs;
use crate::otlp::Encoding;

/// Field numbers of OTLP's messages: every one of them here is a message.
const RESOURCE_SPANS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SCOPE: u32 = 1;
const SPANS: u32 = 2;

/// What all batches of one sender have in common: the encoding, and who sends.
pub struct Envelope {
    encoding: Encoding,
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Envelope {
    /// For a sender with these resource attributes; `service.name` is `weir` unless they say otherwise.
    pub fn new<'a>(
        encoding: Encoding,
        version: &str,
        resource: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut given: Vec<_> = resource.collect();
        for (key, value) in [("service.name", "weir"), ("service.version", version)] {
            if !given.iter().any(|(known, _)| *known == key) {
                given.push((key, value));
            }
        }
        let mut pairs = Pairs::default();
        for (key, value) in given {
            pairs.text(key, value);
        }
        let resource = Resource { attributes: pairs.into(), ..Resource::default() };
        let scope = InstrumentationScope {
            name: "weir".to_owned(),
            version: version.to_owned(),
            ..InstrumentationScope::default()
        };
        match encoding {
            Encoding::Protobuf => {
                Self { encoding, resource: resource.encode_to_vec(), scope: scope.encode_to_vec() }
            }
            Encoding::Json => Self { encoding, resource: json(&resource), scope: json(&scope) },
        }
    }

    /// One span, encoded.
    pub fn span(&self, span: &Span) -> Vec<u8> {
        match self.encoding {
            Encoding::Protobuf => span.encode_to_vec(),
            Encoding::Json => json(span),
        }
    }

    /// A whole export of encoded spans.
    pub fn batch<S: AsRef<[u8]>>(&self, spans: &[S]) -> Vec<u8> {
        match self.encoding {
            Encoding::Protobuf => self.protobuf(spans),
            Encoding::Json => self.json(spans),
        }
    }

    fn protobuf<S: AsRef<[u8]>>(&self, spans: &[S]) -> Vec<u8> {
        let spans_bytes: usize = spans.iter().map(|span| field_bytes(span.as_ref().len())).sum();
        let scope_spans_bytes = field_bytes(self.scope.len()) + spans_bytes;
        let resource_spans_bytes = field_bytes(self.resource.len()) + field_bytes(scope_spans_bytes);
        let mut out = Vec::with_capacity(field_bytes(resource_spans_bytes));
        begin(&mut out, RESOURCE_SPANS, resource_spans_bytes);
        put(&mut out, RESOURCE, &self.resource);
        begin(&mut out, SCOPE_SPANS, scope_spans_bytes);
        put(&mut out, SCOPE, &self.scope);
        for span in spans {
            put(&mut out, SPANS, span.as_ref());
        }
        out
    }

    fn json<S: AsRef<[u8]>>(&self, spans: &[S]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut add = |piece: &[u8]| out.extend_from_slice(piece);
        add(b"{\"resourceSpans\":[{\"resource\":");
        add(&self.resource);
        add(b",\"scopeSpans\":[{\"scope\":");
        add(&self.scope);
        add(b",\"spans\":[");
        for (number, span) in spans.iter().enumerate() {
            if number > 0 {
                add(b",");
            }
            add(span.as_ref());
        }
        add(b"]}]}]}");
        out
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Message types hold nothing that JSON cannot: numbers without a JSON form are never put in.
    serde_json::to_vec(value).unwrap_or_default()
}

/// How long a message of so many bytes is with its key and length; all numbers here are below 16, so keys take a byte.
const fn field_bytes(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

fn begin(out: &mut Vec<u8>, number: u32, bytes: usize) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes as u64, out);
}

fn put(out: &mut Vec<u8>, number: u32, message: &[u8]) {
    begin(out, number, message.len());
    out.extend_from_slice(message);
}
