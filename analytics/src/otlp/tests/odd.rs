//! Odd, oversized and broken exports, and random ones.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::given::{self, NOW, exported, json_export, one, request, span, with};
use crate::otlp::wire::{self, Reason, Visitor};
use crate::otlp::{Encoding, SPAN_BYTES_MAX, SPANS_MAX, Taken, ingest};
use crate::policy::Policy;

fn written(encoding: Encoding, request: &ExportTraceServiceRequest) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => request.encode_to_vec(),
        Encoding::Json => serde_json::to_vec(request).unwrap(),
    }
}

fn taken(encoding: Encoding, body: &[u8]) -> Taken {
    ingest(encoding, body, "p", &Policy::default(), NOW).unwrap()
}

#[test]
fn a_span_without_sound_ids_or_times_is_rejected_alone() {
    let day_us = 86_400_000_000;
    for (given, why) in [
        (with(|span| span.trace_id = vec![0; 16]), "trace id"),
        (with(|span| span.trace_id = vec![1; 15]), "trace id"),
        (with(|span| span.span_id.clear()), "span id"),
        (with(|span| span.parent_span_id = vec![1; 9]), "parent"),
        (with(|span| span.start_time_unix_nano = 0), "no start time"),
        (with(|span| span.start_time_unix_nano = u64::MAX), "set the clock"),
        (
            with(|span| span.start_time_unix_nano = (NOW.micros() + day_us + 1) as u64 * 1_000),
            "set the clock",
        ),
        (with(|span| span.name = "x".repeat(SPAN_BYTES_MAX)), "MiB for one span"),
    ] {
        let taken = taken(Encoding::Protobuf, &exported(vec![given, span(&[])]));
        assert_eq!((taken.spans.len(), taken.rejected.spans()), (1, 1), "{why}");
        assert!(taken.rejected.message().contains(why), "{}", taken.rejected.message());
    }
}

#[test]
fn ids_that_are_neither_hex_nor_base64_are_rejected_and_the_rest_is_taken() {
    for id in ["zz0000000000000000000000000000zz", "abc", "!!!!!!!!!!!!!!!!!!!!!!=="] {
        let body =
            json_export(&json!({"traceId": id, "spanId": "00f067aa0ba902b7", "startTimeUnixNano": "1"}));
        assert_eq!(taken(Encoding::Json, &body).rejected.spans(), 1, "{id}");
    }
}

#[test]
fn what_is_no_export_is_malformed() {
    for body in [&b"\xff"[..], b"\x0a\x05a", b"\x0b", b"hello"] {
        assert!(ingest(Encoding::Protobuf, body, "p", &Policy::default(), NOW).is_err(), "{body:?}");
    }
    for body in
        [&b""[..], b"[1]", b"{\"resourceSpans\":1}", b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{"]
    {
        assert!(ingest(Encoding::Json, body, "p", &Policy::default(), NOW).is_err(), "{body:?}");
    }
    assert!(taken(Encoding::Protobuf, b"").spans.is_empty());
    assert!(taken(Encoding::Json, b"{\"resourceSpans\":null}").spans.is_empty());
}

#[test]
fn a_flood_of_tiny_spans_is_counted_and_not_decoded() {
    let empty = vec![Span::default(); 3];
    assert_eq!(taken(Encoding::Protobuf, &exported(empty)).rejected.spans(), 3);
    let flood = taken(Encoding::Protobuf, &exported(vec![span(&[]); SPANS_MAX + 5]));
    assert_eq!((flood.spans.len(), flood.rejected.spans()), (SPANS_MAX, 5));
    assert!(flood.rejected.message().contains("smaller batches"));
}

/// Counts what it is told.
#[derive(Default)]
struct Told {
    resources: u32,
    scopes: u32,
    spans: u32,
}

impl Visitor for Told {
    fn admits(&mut self, bytes: usize) -> bool {
        bytes > 900
    }
    fn resource(&mut self, _: Resource) {
        self.resources += 1;
    }
    fn scope(&mut self, _: InstrumentationScope) {
        self.scopes += 1;
    }
    fn span(&mut self, _: Result<Span, Reason>) {
        self.spans += 1;
    }
}

// Two bytes are an empty scope: each used to cost a copy of the whole resource.
#[test]
fn a_resource_is_read_once_and_a_scope_only_for_spans_that_are_admitted() {
    let long = with(|span| span.name = "x".repeat(1_000));
    let mut request = request(vec![long.clone(), Span::default(), long]);
    let scopes = &mut request.resource_spans[0].scope_spans;
    let with_spans = scopes[0].clone();
    scopes.extend(vec![ScopeSpans { spans: vec![Span::default()], ..with_spans.clone() }; 1_000]);
    scopes.push(with_spans);
    request.resource_spans.push(ResourceSpans::default());
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let mut told = Told::default();
        wire::read(encoding, &written(encoding, &request), &mut told).unwrap();
        assert_eq!((told.resources, told.scopes, told.spans), (1, 2, 4), "{encoding:?}");
    }
}

#[test]
fn a_resource_is_kept_short_beside_each_span_and_refused_when_it_is_huge() {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let mut request = request(vec![span(&[("own", json!("o".repeat(20_000)))]); 3]);
        let resource = request.resource_spans[0].resource.as_mut().unwrap();
        resource.attributes.extend(given::pairs(&[("host.id", json!("r".repeat(100_000)))]));
        let taken = taken(encoding, &written(encoding, &request));
        for kept in taken.spans {
            let rest: Value = serde_json::from_str(&kept.attributes.unwrap()).unwrap();
            assert!(rest["resource"].to_string().len() < 5_000 && rest["resource"]["host.name"] == "h1");
            assert_eq!(
                (rest["own"].as_str().unwrap().len(), kept.service.as_deref()),
                (20_000, Some("shop"))
            );
        }
        let resource = request.resource_spans[0].resource.as_mut().unwrap();
        resource.attributes.extend(given::pairs(&[("more", json!("r".repeat(200_000)))]));
        let refused = ingest(encoding, &written(encoding, &request), "p", &Policy::default(), NOW);
        assert!(refused.unwrap_err().0.contains("the limit is 262144"), "{encoding:?}");
    }
}

#[test]
fn what_one_request_puts_into_memory_has_a_limit() {
    let taken =
        taken(Encoding::Protobuf, &exported(vec![span(&[("input.value", json!("x".repeat(1 << 20)))]); 40]));
    assert_eq!((taken.spans.len(), taken.rejected.spans()), (31, 9));
    assert!(taken.bytes <= 32 << 20 && taken.rejected.message().contains("32 MiB"), "{}", taken.bytes);
}

#[test]
fn long_attributes_and_events_are_shortened_and_stay_json() {
    let long = "ü".repeat(100_000);
    let mut given =
        span(&[("long", json!(long)), ("short", json!("s")), ("input.value", json!(long.repeat(6)))]);
    given.name = long.clone();
    given.events = vec![given::event("e", &[("long", json!("ü".repeat(5_000)))]); 200];
    let kept = one(given);
    let rest: Value = serde_json::from_str(&kept.attributes.unwrap()).unwrap();
    assert!(rest["long"].as_str().unwrap().ends_with("ü…") && rest["short"] == "s");
    let events: Value = serde_json::from_str(kept.events.as_deref().unwrap()).unwrap();
    assert!(kept.events.unwrap().len() <= 64 << 10 && events[0]["name"] == "e");
    assert!(kept.name.len() < 300 && kept.input.unwrap().len() <= (1 << 20) + 3);
}

#[test]
fn deep_and_odd_keys_do_not_hurt() {
    let deep = format!("llm.input_messages.0{}", ".a".repeat(20_000));
    let kept = one(span(&[(&deep, json!("x")), ("llm.input_messages.0", json!("y")), ("", json!(1))]));
    assert!(kept.input.is_some());
    let nested = format!("{}1{}", r#"{"arrayValue":{"values":["#.repeat(500), "]}}".repeat(500));
    let body =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{nested}]}}]}}]}}]}}"#);
    assert_eq!(taken(Encoding::Json, body.as_bytes()).rejected.spans(), 1);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e12..1e12).prop_map(|number: f64| json!(number)),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| vec(inner, 0..4).prop_map(Value::Array))
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let names = prop_oneof![
        "[a-z.0-9]{0,20}",
        Just("gen_ai.usage.input_tokens".to_owned()),
        Just("llm.input_messages.0.message.content".to_owned()),
        Just("input.value".to_owned()),
        Just("session.id".to_owned()),
    ];
    let one = (any::<[u8; 16]>(), any::<[u8; 8]>(), "\\PC{0,20}", 0..6_i32, vec((names, value()), 0..6));
    let one = one.prop_map(|(trace, id, name, kind, attributes)| Span {
        trace_id: trace.to_vec(),
        span_id: id.to_vec(),
        parent_span_id: if kind > 2 { vec![3; 8] } else { Vec::new() },
        name,
        kind,
        events: attributes.iter().map(|(name, value)| given::event(name, &[(name, value.clone())])).collect(),
        ..span(&attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
    });
    vec(one, 0..5)
}

proptest! {
    #[test]
    fn no_bytes_break_the_reading(body in vec(any::<u8>(), 0..400)) {
        drop(ingest(Encoding::Protobuf, &body, "p", &Policy::default(), NOW));
        drop(ingest(Encoding::Json, &body, "p", &Policy::default(), NOW));
    }

    #[test]
    fn no_damage_to_an_export_breaks_the_reading(spans in spans(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (encoding, mut body) in [
            (Encoding::Protobuf, exported(spans.clone())),
            (Encoding::Json, serde_json::to_vec(&request(spans.clone())).unwrap()),
        ] {
            let at = at.index(body.len());
            body[at] = byte;
            drop(ingest(encoding, &body, "p", &Policy::default(), NOW));
            drop(ingest(encoding, &body[..at], "p", &Policy::default(), NOW));
        }
    }

    #[test]
    fn both_encodings_of_an_export_say_the_same(spans in spans()) {
        let (protobuf, json) = (exported(spans.clone()), serde_json::to_vec(&request(spans.clone())).unwrap());
        let (one, other) = (taken(Encoding::Protobuf, &protobuf), taken(Encoding::Json, &json));
        prop_assert_eq!(&one.spans, &other.spans);
        prop_assert_eq!(one.rejected, other.rejected);
        prop_assert_eq!(one.spans.len(), spans.len());
        for (kept, given) in one.spans.iter().zip(&spans) {
            prop_assert_eq!(&kept.trace_id[..], &given.trace_id[..]);
            prop_assert_eq!(&*kept.name, &*given.name);
        }
    }
}
