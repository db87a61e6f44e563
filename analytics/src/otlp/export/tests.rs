//! What calls look like outside.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Map, Value, json};
use vocab::{Id, NanoUsd, Time, Usage, UsageSource};

use super::*;
use crate::otlp::attributes::object;
use crate::otlp::{Encoding, ingest};
use crate::policy::BodyPolicy;
use crate::policy::Policy;
use crate::record::{Capture, PromptUse};

const NOW: Time = Time(1_780_000_000_000_000);

fn attempt(number: i64, failure: Option<&'static str>) -> Attempt {
    Attempt {
        provider: if failure.is_some() { "azure".into() } else { "openai".into() },
        model: "gpt-5.1".into(),
        started: Time(NOW.micros() + 1_000 * number),
        duration_us: 500,
        ttft_us: None,
        waited_us: 0,
        status: Some(if failure.is_some() { 500 } else { 200 }),
        upstream_request_id: Some("req_1".into()),
        failure_class: failure,
        error: failure.map(|_| "it broke".into()),
        cost: failure.is_none().then_some(NanoUsd(2_500_000)),
        won: failure.is_none(),
        reason: "first",
    }
}

fn call() -> Record {
    let asked = json!({"model": "gpt-5.1", "temperature": 0.5, "max_completion_tokens": 64, "stop": "END",
        "messages": [{"role": "system", "content": "Be brief"},
            {"role": "user", "content": [{"type": "text", "text": "Where is it?"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"}],
        "tools": [{"type": "function", "function": {"name": "look"}}]});
    let answer = json!({"id": "chatcmpl-1", "choices": [{"index": 0, "finish_reason": "tool_calls", "message":
        {"role": "assistant", "content": "There.", "tool_calls": [
            {"id": "c2", "function": {"name": "look", "arguments": "{\"at\":1}"}}]}}]});
    Record {
        duration_us: 9_000,
        ttft_us: Some(4_000),
        streaming: true,
        status: 200,
        outcome: Outcome::Ok,
        requested_model: Some("fast".into()),
        response_model: Some("gpt-5.1-2026-01-01".into()),
        attempts: vec![attempt(1, Some("transient")), attempt(3, None)],
        user: Some("ada".into()),
        session: Some("s-1".into()),
        tags: vec!["checkout".into()],
        metadata: Some(r#"{"tier":"gold"}"#.into()),
        prompt: Some(PromptUse {
            id: Id::at(NOW),
            name: "support/reply".into(),
            version: 7,
            digest: "d".into(),
            label: Some("production".into()),
        }),
        usage: Some(Usage {
            input: 20,
            cached_input: 8,
            cache_write: 2,
            output: 5,
            reasoning: 1,
            ..Usage::default()
        }),
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd(2_500_000)),
        finish_reason: Some("tool_calls".into()),
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_span_id: Some([3; 8]),
        request_body: asked.to_string().into(),
        response_body: Capture::Whole(answer.to_string().into()),
        ..Record::begin(Id::at(NOW), Arc::from("p"), NOW, Endpoint::ChatCompletions)
    }
}

fn spans(record: &Record, exporting: Exporting) -> Vec<(Span, Map<String, Value>)> {
    let row = Row::new(record, "n", &Policy::default(), false);
    let spans = exporting.spans(&row);
    spans.into_iter().map(|span| (span.clone(), object(span.attributes))).collect()
}

fn with(names: Names) -> Exporting {
    Exporting { names, bodies: true }
}

fn inner(attributes: &Map<String, Value>, name: &str) -> Value {
    serde_json::from_str(attributes[name].as_str().unwrap()).unwrap()
}

#[test]
fn a_call_is_a_server_span_with_a_client_span_for_every_try() {
    let spans = spans(&call(), Exporting::default());
    let names: Vec<_> = spans.iter().map(|(span, _)| span.name.as_str()).collect();
    assert_eq!(names, ["POST /v1/chat/completions", "chat gpt-5.1", "chat gpt-5.1"]);
    let (server, first, second) = (&spans[0], &spans[1], &spans[2]);
    assert_eq!((server.0.kind, first.0.kind), (2, 3));
    assert_eq!((&server.0.span_id, &server.0.parent_span_id), (&vec![2; 8], &vec![3; 8]));
    for (client, _) in [first, second] {
        assert_eq!((&client.trace_id, &client.parent_span_id), (&vec![1; 16], &vec![2; 8]));
    }
    assert_ne!(first.0.span_id, second.0.span_id);
    assert_eq!(
        (&first.1["error.type"], &first.0.status.as_ref().unwrap().message),
        (&json!("transient"), &"it broke".to_owned())
    );
    assert!(second.0.status.is_none() && !second.1.contains_key("error.type"));
    // A stream's try lasts as long as its stream.
    assert_eq!(second.0.end_time_unix_nano, server.0.end_time_unix_nano);
    assert_eq!(first.0.end_time_unix_nano - first.0.start_time_unix_nano, 500_000);
    assert_eq!(server.1["weir.prompt.name"], "support/reply");
    assert_eq!(server.1["http.response.status_code"], 200);
}

#[test]
fn the_current_names_are_those_of_the_released_conventions() {
    let served = spans(&call(), with(Names::Current)).remove(2).1;
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("gpt-5.1")),
        ("gen_ai.response.model", json!("gpt-5.1-2026-01-01")),
        ("gen_ai.response.id", json!("chatcmpl-1")),
        ("gen_ai.response.finish_reasons", json!(["tool_calls"])),
        ("gen_ai.response.time_to_first_chunk", json!(0.001)),
        ("gen_ai.request.temperature", json!(0.5)),
        ("gen_ai.request.max_tokens", json!(64)),
        ("gen_ai.request.stop_sequences", json!(["END"])),
        ("gen_ai.usage.input_tokens", json!(20)),
        ("gen_ai.usage.output_tokens", json!(5)),
        ("gen_ai.usage.cache_read.input_tokens", json!(8)),
        ("gen_ai.usage.cache_creation.input_tokens", json!(2)),
        ("gen_ai.usage.reasoning.output_tokens", json!(1)),
        ("gen_ai.usage.cost", json!(0.0025)),
        ("mlflow.llm.cost", json!(r#"{"total_cost":0.0025}"#)),
        ("gen_ai.prompt.name", json!("support/reply")),
        ("gen_ai.conversation.id", json!("s-1")),
    ] {
        assert_eq!(served.get(name), Some(&value), "{name}");
    }
    assert!(!served.contains_key("gen_ai.prompt.version"));
    let system = inner(&served, "gen_ai.system_instructions");
    assert_eq!(system, json!([{"type": "text", "content": "Be brief"}]));
    let input = inner(&served, "gen_ai.input.messages");
    assert_eq!(input[0], json!({"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}));
    assert_eq!(input[1]["parts"][0], json!({"type": "tool_call_response", "id": "c1", "response": "42"}));
    let output = inner(&served, "gen_ai.output.messages");
    assert_eq!(output[0]["finish_reason"], "tool_call");
    assert_eq!(
        output[0]["parts"][1],
        json!({"type": "tool_call", "id": "c2", "name": "look", "arguments": {"at": 1}})
    );
}

#[test]
fn the_next_names_differ_where_the_conventions_will() {
    let served = spans(&call(), with(Names::Next)).remove(2).1;
    assert_eq!(served["gen_ai.usage.cache_write.input_tokens"], 2);
    assert_eq!(served["gen_ai.prompt.version"], "7");
    assert!(!served.contains_key("gen_ai.usage.cache_creation.input_tokens"));
}

#[test]
fn openinference_numbers_its_messages() {
    let spans = spans(&call(), with(Names::OpenInference));
    assert_eq!(spans[0].1["openinference.span.kind"], "CHAIN");
    let served = &spans[2].1;
    for (name, value) in [
        ("openinference.span.kind", json!("LLM")),
        ("llm.model_name", json!("gpt-5.1-2026-01-01")),
        ("llm.token_count.total", json!(25)),
        ("llm.token_count.prompt_details.cache_read", json!(8)),
        ("llm.cost.total", json!(0.0025)),
        ("llm.input_messages.0.message.content", json!("Be brief")),
        ("llm.input_messages.2.message.tool_call_id", json!("c1")),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", json!(r#"{"at":1}"#)),
        ("tag.tags", json!(["checkout"])),
        ("metadata", json!(r#"{"tier":"gold"}"#)),
    ] {
        assert_eq!(served.get(name), Some(&value), "{name}");
    }
    assert!(!served.keys().any(|name| name.starts_with("gen_ai.")));
}

#[test]
fn messages_of_the_responses_api_and_of_embeddings_are_read_too() {
    let asked = json!({"instructions": "Be brief", "text": {"format": {"type": "json_schema"}}, "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": "https://a/b.png"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "42"}]});
    let answer = json!({"id": "resp_1", "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]});
    let record = Record {
        endpoint: Endpoint::Responses,
        request_body: asked.to_string().into(),
        response_body: Capture::Whole(answer.to_string().into()),
        ..call()
    };
    let served = spans(&record, with(Names::Current)).remove(2).1;
    let input = inner(&served, "gen_ai.input.messages");
    assert_eq!(input[0]["parts"][1], json!({"type": "uri", "modality": "image", "uri": "https://a/b.png"}));
    assert_eq!(input[1]["role"], "tool");
    let output = inner(&served, "gen_ai.output.messages");
    assert_eq!(output[0]["parts"][0], json!({"type": "reasoning", "content": "Hm"}));
    assert_eq!(
        (&served["gen_ai.output.type"], &served["gen_ai.response.id"]),
        (&json!("json"), &json!("resp_1"))
    );

    let asked = json!({"model": "e", "input": ["one", "two"]});
    let record = Record { endpoint: Endpoint::Embeddings, request_body: asked.to_string().into(), ..call() };
    let served = spans(&record, with(Names::OpenInference)).remove(2).1;
    assert_eq!(served["openinference.span.kind"], "EMBEDDING");
    assert_eq!(served["embedding.embeddings.1.embedding.text"], "two");
}

#[test]
fn contents_leave_only_when_asked_for_and_kept() {
    let record = Record { variables: Some(r#"{"question": "typed by ann"}"#.into()), ..call() };
    let policy = Policy { bodies: BodyPolicy::Metadata, ..Policy::default() };
    let kept_less = Row::new(&record, "n", &policy, false);
    let everything = Row::new(&record, "n", &Policy::default(), false);
    for names in [Names::Current, Names::Next, Names::OpenInference] {
        for (row, bodies) in [(&kept_less, true), (&everything, false)] {
            let text = format!("{:?}", Exporting { names, bodies }.spans(row));
            let variables = if bodies { "no such text" } else { "typed by ann" };
            for secret in ["Be brief", "Where is it?", "There.", "look", variables] {
                assert!(!text.contains(secret), "{names:?} {secret}");
            }
        }
    }
    let whole = format!("{:?}", with(Names::OpenInference).spans(&everything));
    assert!(whole.contains("typed by ann"));
}

#[test]
fn of_a_request_that_was_not_kept_only_numbers_are_told() {
    let asked = json!({"temperature": 0.5, "stop": ["ann@example.com"], "service_tier": "tier-ann",
        "reasoning_effort": "effort-ann", "reasoning": {"effort": "effort-ann"}, "encoding_format": "format-ann",
        "previous_response_id": "resp-ann", "seed": 7, "response_format": {"type": "json_object"}});
    let record = Record { request_body: asked.to_string().into(), ..call() };
    for names in [Names::Current, Names::Next, Names::OpenInference] {
        for bodies in [BodyPolicy::Metadata, BodyPolicy::Off] {
            let policy = Policy { bodies, ..Policy::default() };
            let text = format!("{:?}", with(names).spans(&Row::new(&record, "n", &policy, false)));
            assert!(!text.contains("ann") && text.contains("0.5"), "{names:?} {text}");
        }
    }
}

#[test]
fn long_texts_among_the_parameters_are_cut() {
    let asked = json!({"stop": vec!["s".repeat(5_000); 100], "service_tier": "t".repeat(5_000)});
    let record = Record { request_body: asked.to_string().into(), ..call() };
    let served = spans(&record, Exporting::default()).remove(2).1;
    assert_eq!(served["openai.request.service_tier"], "t".repeat(256));
    assert_eq!(served["gen_ai.request.stop_sequences"], json!(vec!["s".repeat(256); 16]));
}

#[test]
fn a_call_that_was_refused_is_one_failed_span() {
    let refused = Record {
        attempts: Vec::new(),
        status: 429,
        outcome: Outcome::Refused,
        error_code: Some("rate_limit_exceeded".into()),
        error_message: Some("too many".into()),
        ..call()
    };
    let mut spans = spans(&refused, Exporting::default());
    let (span, attributes) = spans.remove(0);
    assert!(spans.is_empty());
    assert_eq!(
        (attributes["error.type"].as_str(), span.status.unwrap().code),
        (Some("rate_limit_exceeded"), 2)
    );
    let left = Record { outcome: Outcome::Cancelled, attempts: Vec::new(), ..call() };
    assert!(Exporting::default().spans(&Row::new(&left, "n", &Policy::default(), false))[0].status.is_none());
}

#[test]
fn a_batch_in_protobuf_is_what_the_projects_own_types_read() {
    let record = call();
    let row = Row::new(&record, "n", &Policy::default(), false);
    let spans = with(Names::Current).spans(&row);
    let resource = [("service.name", "gateway-eu"), ("wandb.project", "p")];
    let envelope = Envelope::new(Encoding::Protobuf, "1.2.3", resource.into_iter());
    let encoded: Vec<_> = spans.iter().map(|span| envelope.span(span)).collect();
    let read = ExportTraceServiceRequest::decode(&*envelope.batch(&encoded)).unwrap();
    assert_eq!(read.resource_spans[0].scope_spans[0].spans, spans);
    let resource = object(read.resource_spans[0].resource.clone().unwrap().attributes);
    let expected = json!({"service.name": "gateway-eu", "wandb.project": "p", "service.version": "1.2.3"});
    assert_eq!(Value::Object(resource), expected);
    let none: [Vec<u8>; 0] = [];
    assert!(ExportTraceServiceRequest::decode(&*envelope.batch(&none)).is_ok());
}

proptest! {
    #[test]
    fn what_goes_out_comes_in_again(
        text in "\\PC{0,60}", input in any::<u32>(), failed in any::<bool>(), names in 0..3_usize, json in any::<bool>(),
    ) {
        let names = [Names::Current, Names::Next, Names::OpenInference][names];
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let asked = json!({"messages": [{"role": "user", "content": text}]});
        let record = Record {
            usage: Some(Usage { input: input.into(), ..Usage::default() }),
            user: Some(text.as_str().into()),
            response_model: None,
            attempts: vec![attempt(1, failed.then_some("transient"))],
            request_body: asked.to_string().into(),
            ..call()
        };
        let row = Row::new(&record, "n", &Policy::default(), false);
        let envelope = Envelope::new(encoding, "1", std::iter::empty());
        let encoded: Vec<_> = with(names).spans(&row).iter().map(|span| envelope.span(span)).collect();
        let taken = ingest(encoding, &envelope.batch(&encoded), "p", &Policy::default(), NOW).unwrap();
        prop_assert_eq!((taken.spans.len(), taken.rejected.spans()), (2, 0));
        let (server, client) = (&taken.spans[0], &taken.spans[1]);
        prop_assert_eq!((server.trace_id, server.span_id), (record.trace_id, record.span_id));
        prop_assert_eq!((client.model.as_deref(), client.failed), (Some("gpt-5.1"), failed));
        prop_assert_eq!(client.kind, crate::span::SpanKind::Llm);
        prop_assert_eq!(client.user.as_deref().unwrap_or_default(), text.as_str());
        prop_assert_eq!(client.input_tokens, (!failed).then_some(input.into()));
        prop_assert_eq!(&client.prompt, &Some(("support/reply".into(), Some(7))));
        prop_assert_eq!(client.service.as_deref(), Some("weir"));
    }
}
