//! Spans in over OTLP: taken from whoever has a key, on record when they are acknowledged, beside the calls of their trace.

use std::io::Write as _;

use analytics::Span;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Harness, ask};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ROUTES: [&str; 3] = ["/v1/traces", "/otlp/v1/traces", "/api/public/otel/v1/traces"];

fn export(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]})
}

fn span(id: u64) -> Value {
    let attributes = json!([{"key": "openinference.span.kind", "value": {"stringValue": "AGENT"}},
        {"key": "input.value", "value": {"stringValue": "Has order 4711-zebra left?"}}]);
    json!({"traceId": TRACE, "spanId": format!("{id:016x}"), "name": "answer a customer",
        "startTimeUnixNano": "1780000000000000000", "endTimeUnixNano": "1780000001000000000", "attributes": attributes})
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A field of a protobuf message that is itself a message or a text.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// An export of one span with these ids, in protobuf.
fn protobuf(trace: &[u8], id: &[u8]) -> Vec<u8> {
    let started = [&[7 << 3 | 1][..], &1_780_000_000_000_000_000_u64.to_le_bytes()].concat();
    let span = [field(1, trace), field(2, id), field(5, b"step"), started].concat();
    field(1, &field(2, &field(2, &span)))
}

fn post(weir: &Harness, path: &str) -> Call {
    weir.call("POST", path)
}

async fn spans(weir: &Harness) -> Vec<(String, String)> {
    weir.app().store.settle().await.unwrap();
    let mut trace = [0; 16];
    for (byte, pair) in trace.iter_mut().zip(TRACE.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    let found = weir.app().store.trace("default".into(), trace).await.unwrap();
    let mut spans: Vec<_> = found.spans.into_iter().map(|span| (span.span_id, span.name)).collect();
    spans.extend(found.calls.into_iter().map(|call| (call.row.id.to_string(), "a call".to_owned())));
    spans
}

fn grpc_status(answer: &Answer) -> (u16, u8) {
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    assert_eq!(answer.body[0], 1 << 3, "a google.rpc.Status begins with its code");
    (answer.status, answer.body[1])
}

#[tokio::test]
async fn a_span_is_on_record_when_it_is_acknowledged_beside_the_calls_of_its_trace() {
    let weir = Harness::start().await;
    let parent = format!("00-{TRACE}-0000000000000001-01");
    let called = weir.call("POST", "/v1/chat/completions").header("traceparent", &parent).json(&ask());
    let call = called.send().await.header("weir-call-id").to_owned();
    weir.record(&call).await;
    let answer = post(&weir, "/otlp/v1/traces").json(&export(&[span(1)])).send().await;
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    let expected =
        [("0000000000000001".to_owned(), "answer a customer".to_owned()), (call, "a call".to_owned())];
    assert_eq!(spans(&weir).await, expected);
}

#[tokio::test]
async fn every_route_takes_both_encodings_packed_or_not_with_the_key_in_any_place() {
    let weir = Harness::start().await;
    let basic = format!("Basic {}", STANDARD.encode(format!("anyone:{}", weir.api_key())));
    for (number, path) in (1..).zip(ROUTES) {
        let body = export(&[span(number)]).to_string();
        let packed = post(&weir, path).header("content-encoding", "gzip").body(gzip(body.as_bytes()));
        assert_eq!(packed.send().await.status, 200, "{path}");
        let keyed = post(&weir, path).without_key().header("x-api-key", weir.api_key()).body(body);
        assert_eq!(keyed.send().await.status, 200, "{path}");
        let binary = post(&weir, path).without_key().header("authorization", &basic);
        let binary = binary
            .header("content-type", "application/x-protobuf")
            .body(protobuf(&[9; 16], &[number as u8; 8]));
        let answer = binary.send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        assert_eq!(answer.header("content-type"), "application/x-protobuf");
    }
    assert_eq!(spans(&weir).await.len(), 3, "the same span again replaces nothing and adds nothing");
}

#[tokio::test]
async fn spans_that_cannot_be_kept_are_told_and_the_others_are_kept() {
    let weir = Harness::start().await;
    let mut bad = span(1);
    bad["traceId"] = json!("");
    let answer = post(&weir, "/v1/traces").json(&export(&[bad, span(2)])).send().await;
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "1");
    assert!(partial["errorMessage"].as_str().unwrap().contains("trace id"), "{partial}");
    assert_eq!(spans(&weir).await.len(), 1);
    weir.app().refresh_gauges();
    let metrics = weir.app().metrics.text();
    assert!(metrics.contains("weir_spans_received_total{result=\"rejected\"} 1"), "{metrics}");
    assert!(metrics.contains("weir_spans_received_total{result=\"kept\"} 1"), "{metrics}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_for_good() {
    let weir = Harness::with(|config| config.limits.body_bytes = 10_000).await;
    let bomb = gzip(&vec![b' '; 10_000_000]);
    assert!(bomb.len() < 10_000 * 8);
    let status = async |call: Call| call.send().await.refusal();
    let invalid = |status: u16, code: &str| (status, code.to_owned(), "invalid_request_error".to_owned());
    let without = post(&weir, "/v1/traces").without_key().json(&export(&[]));
    assert_eq!(status(without).await, invalid(401, "invalid_api_key"));
    assert_eq!(
        status(post(&weir, "/v1/traces").body("{\"resourceSpans\":1}")).await,
        invalid(400, "invalid_request")
    );
    let text = post(&weir, "/v1/traces").header("content-type", "text/plain").body("x");
    assert_eq!(status(text).await, invalid(415, "unsupported_media_type"));
    let packed = post(&weir, "/v1/traces").header("content-encoding", "zstd").body("{}");
    assert_eq!(status(packed).await, invalid(415, "unsupported_media_type"));
    let get = weir.call("GET", "/otlp/v1/traces");
    assert_eq!(status(get).await, invalid(405, "method_not_allowed"));
    let bomb = post(&weir, "/v1/traces")
        .header("content-encoding", "gzip")
        .body(bomb.get(..9_000).unwrap().to_vec());
    assert_eq!(status(bomb).await, invalid(413, "body_too_large"));
}

#[tokio::test]
async fn errors_to_protobuf_are_protobuf() {
    let weir = Harness::start().await;
    let send = async |body: &'static [u8]| {
        let call = post(&weir, "/v1/traces").header("content-type", "application/x-protobuf").body(body);
        grpc_status(&call.send().await)
    };
    assert_eq!(send(b"\xff").await, (400, 3));
}

#[tokio::test]
async fn an_exporter_is_sent_away_for_a_while_when_there_is_no_room() {
    let weir = Harness::with(|config| config.records.queue_bytes = size_of::<Span>() / 2).await;
    let answer = post(&weir, "/v1/traces").json(&export(&[span(1)])).send().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert!(spans(&weir).await.is_empty());
    // Each try would count them again.
    assert!(!weir.app().metrics.text().contains("weir_spans_received_total{result=\"kept\"} 1"));
}

#[tokio::test]
async fn a_project_that_keeps_no_contents_keeps_none_of_its_spans() {
    let weir = Harness::with(|config| config.records.bodies = config::Bodies::Off).await;
    assert_eq!(post(&weir, "/v1/traces").json(&export(&[span(1)])).send().await.status, 200);
    let found = weir.app().store.trace("default".into(), [0x4b; 16]).await.unwrap();
    assert!(found.spans.is_empty());
    assert_eq!(spans(&weir).await.len(), 1);
    let bytes = ["records.sqlite", "records.sqlite-wal"]
        .map(|name| std::fs::read(weir.app().config.data_dir.join(name)).unwrap_or_default());
    assert!(!String::from_utf8_lossy(&bytes.concat()).contains("4711-zebra"));
}
