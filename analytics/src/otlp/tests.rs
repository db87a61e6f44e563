//! What is taken from exports and what is not. How exporters really write them is tested with their own packages, in
//! `gateway/tests/sdk`.

mod given;
mod kept;
mod odd;

use serde_json::{Value, json};

use self::given::{NOW, exported, json_export, one, span, with};
use super::{Encoding, Rejected, answer, ingest};
use crate::policy::Policy;
use crate::span::SpanKind;

fn object(text: Option<&str>) -> Value {
    serde_json::from_str(text.unwrap()).unwrap()
}

#[test]
fn the_current_names_of_opentelemetry_say_what_a_model_call_was() {
    let kept = one(span(&[
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("gpt-5.1")),
        ("gen_ai.response.model", json!("gpt-5.1-2026-01-01")),
        ("gen_ai.usage.input_tokens", json!(12)),
        ("gen_ai.usage.output_tokens", json!(3)),
        ("gen_ai.conversation.id", json!("s-1")),
        ("user.id", json!("ada")),
        ("gen_ai.input.messages", json!(r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#)),
        ("gen_ai.output.messages", json!(r#"[{"role":"assistant","parts":[]}]"#)),
    ]));
    assert_eq!((kept.kind, kept.model.as_deref()), (SpanKind::Llm, Some("gpt-5.1")));
    assert_eq!((kept.provider.as_deref(), kept.user.as_deref()), (Some("openai"), Some("ada")));
    assert_eq!((kept.session.as_deref(), kept.service.as_deref()), (Some("s-1"), Some("shop")));
    assert_eq!((kept.input_tokens, kept.output_tokens), (Some(12), Some(3)));
    assert_eq!(object(kept.input.as_deref())[0]["parts"][0]["content"], "Hi");
    assert_eq!(object(kept.output.as_deref())[0]["role"], "assistant");
    let rest = object(kept.attributes.as_deref());
    assert_eq!(rest["gen_ai.response.model"], "gpt-5.1-2026-01-01");
    assert_eq!(rest["resource"], json!({"host.name": "h1"}));
    assert_eq!(rest["scope"], json!({"name": "lib", "version": "2"}));
    assert_eq!(rest["otel.kind"], "client");
}

#[test]
fn older_names_and_messages_as_events_are_read_too() {
    let mut given = span(&[("gen_ai.system", json!("anthropic")), ("gen_ai.usage.prompt_tokens", json!(7))]);
    given.events.push(given::event("gen_ai.user.message", &[("content", json!("Hi"))]));
    given.events.push(given::event("gen_ai.choice", &[("message", json!("Hello")), ("index", json!(0))]));
    let kept = one(given);
    assert_eq!((kept.provider.as_deref(), kept.input_tokens), (Some("anthropic"), Some(7)));
    assert_eq!(object(kept.input.as_deref()), json!([{"content": "Hi", "role": "user"}]));
    assert_eq!(object(kept.output.as_deref())[0]["message"], "Hello");
    assert_eq!(object(kept.events.as_deref())[0]["name"], "gen_ai.user.message");
}

#[test]
fn numbered_messages_of_openinference_become_a_list() {
    let kept = one(span(&[
        ("openinference.span.kind", json!("LLM")),
        ("llm.model_name", json!("m")),
        ("llm.token_count.prompt", json!(5.0)),
        ("llm.token_count.completion", json!("6")),
        ("llm.input_messages.1.message.role", json!("user")),
        ("llm.input_messages.1.message.content", json!("Hi")),
        ("llm.input_messages.0.message.role", json!("system")),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", json!("look")),
    ]));
    assert_eq!((kept.kind, kept.input_tokens, kept.output_tokens), (SpanKind::Llm, Some(5), Some(6)));
    let expected = json!([{"role": "system"}, {"role": "user", "content": "Hi"}]);
    assert_eq!(object(kept.input.as_deref()), expected);
    assert_eq!(object(kept.output.as_deref()), json!([{"tool_calls": [{"function": {"name": "look"}}]}]));
}

#[test]
fn langfuses_own_names_come_first() {
    let kept = one(span(&[
        ("langfuse.observation.type", json!("generation")),
        ("langfuse.observation.model.name", json!("m-1")),
        ("langfuse.observation.input", json!("in")),
        ("input.value", json!("other")),
        ("langfuse.observation.usage_details", json!(r#"{"input":4,"output":2}"#)),
        ("langfuse.observation.prompt.name", json!("support/reply")),
        ("langfuse.observation.prompt.version", json!(7)),
        ("langfuse.observation.level", json!("ERROR")),
        ("langfuse.observation.status_message", json!("no answer")),
        ("langfuse.trace.tags", json!(["a", "b"])),
    ]));
    assert_eq!((kept.kind, kept.model.as_deref()), (SpanKind::Llm, Some("m-1")));
    assert_eq!((kept.input.as_deref(), kept.output.as_deref()), (Some("in"), None));
    assert_eq!((kept.input_tokens, kept.output_tokens), (Some(4), Some(2)));
    assert_eq!(kept.prompt, Some(("support/reply".into(), Some(7))));
    assert_eq!((kept.failed, kept.status_message.as_deref()), (true, Some("no answer")));
    assert_eq!(object(kept.attributes.as_deref())["langfuse.trace.tags"], json!(["a", "b"]));
}

#[test]
fn what_a_span_does_is_said_in_many_words() {
    let kind = |name: &str, value: &str| one(span(&[(name, json!(value))])).kind;
    assert_eq!(kind("openinference.span.kind", "RETRIEVER"), SpanKind::Retriever);
    assert_eq!(kind("gen_ai.operation.name", "execute_tool"), SpanKind::Tool);
    assert_eq!(kind("traceloop.span.kind", "workflow"), SpanKind::Chain);
    assert_eq!(kind("mlflow.spanType", "\"CHAT_MODEL\""), SpanKind::Llm);
    assert_eq!(kind("ai.operationId", "ai.generateText"), SpanKind::Chain);
    assert_eq!(kind("langfuse.observation.type", "span"), SpanKind::Other);
    assert_eq!(kind("gen_ai.request.model", "m"), SpanKind::Llm);
}

#[test]
fn a_failure_says_why_by_its_status_or_its_exception() {
    let mut given = span(&[]);
    given.status = Some(given::failed(""));
    given.events.push(given::event("exception", &[("exception.message", json!("boom"))]));
    let kept = one(given);
    assert_eq!((kept.failed, kept.status_message.as_deref()), (true, Some("boom")));
    assert_eq!((kept.duration_us, kept.started), (1_500, NOW));
}

#[test]
fn pictures_are_replaced_in_json_and_in_text() {
    let picture = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![7; 3_000]);
    let url = format!("data:image/png;base64,{picture}");
    for input in [format!("Look: {url}"), json!([{"content": url}]).to_string()] {
        let kept = one(span(&[("input.value", json!(input))]));
        let input = kept.input.unwrap();
        assert!(input.contains("weir-media:image/png;bytes=3000;") && input.len() < 300, "{input}");
        assert!(input.starts_with("Look: ") || input.starts_with('['), "{input}");
    }
}

#[test]
fn json_is_read_as_exporters_write_it() {
    let body = json_export(&json!({
        "traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "00F067AA0BA902B7", "parentSpanId": null,
        "name": "ask", "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": "1780000000000000000", "endTimeUnixNano": 1_780_000_000_002_000_000_u64,
        "attributes": [
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 3, "newKind": {}}},
            {"key": "odd", "value": {"doubleValue": "NaN"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": true}, {}]}}},
        ],
        "status": {"code": "STATUS_CODE_ERROR"}, "flags": 257, "unknown": [1],
    }));
    let kept = ingest(Encoding::Json, &body, "p", &Policy::default(), NOW).unwrap().spans.remove(0);
    assert_eq!((kept.trace_id[0], kept.trace_id[15], kept.span_id[7]), (0x4b, 0x36, 0xb7));
    assert_eq!((kept.parent_span_id, kept.duration_us, kept.failed), (None, 2_000, true));
    assert_eq!((kept.input_tokens, kept.output_tokens), (Some(12), Some(3)));
    let rest = object(kept.attributes.as_deref());
    assert_eq!((&rest["odd"], &rest["list"]), (&json!("NaN"), &json!([true, null])));
}

#[test]
fn answers_say_how_many_spans_were_not_taken_and_why() {
    let given = vec![
        span(&[]),
        with(|s| s.trace_id.clear()),
        with(|s| s.trace_id.clear()),
        with(|s| s.span_id[0] = 9),
    ];
    let taken = ingest(Encoding::Protobuf, &exported(given), "p", &Policy::default(), NOW).unwrap();
    assert_eq!((taken.spans.len(), taken.rejected.spans()), (2, 2));
    let written: Value = serde_json::from_slice(&answer(Encoding::Json, &taken.rejected)).unwrap();
    assert_eq!(written["partialSuccess"]["rejectedSpans"], "2");
    let said = written["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert_eq!(said, "2 × its trace id is not 16 bytes that are not all zero");
    assert_eq!(answer(Encoding::Json, &Rejected::default()), b"{}");
    assert_eq!(answer(Encoding::Protobuf, &Rejected::default()), b"");
    assert!(answer(Encoding::Protobuf, &taken.rejected).starts_with(b"\x0a"));
}
