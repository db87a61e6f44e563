//! What a project's policy leaves of spans.

use serde_json::{Value, json};

use super::given::{self, NOW, exported, span};
use crate::otlp::{Encoding, ingest};
use crate::policy::{BodyPolicy, Policy, Sample};
use crate::redact::{Known, Redaction, Rule};
use crate::span::Span;

/// Under these names conventions and instrumentations put what was said.
const SAYING: &[&str] = &[
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.request.stop_sequences",
    "gen_ai.prompt",
    "gen_ai.completion.0.content",
    "llm.input_messages.0.message.content",
    "llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.function_call",
    "llm.prompt_template.template",
    "llm.prompt_template.variables",
    "llm.invocation_parameters",
    "retrieval.documents.0.document.metadata",
    "embedding.embeddings.0.embedding.text",
    "input.value",
    "output.value",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.response.text",
    "ai.response.reasoning",
    "ai.value",
    "ai.values",
    "ai.toolCall.args",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.tool_response",
    "all_messages_events",
    "pydantic_ai.all_messages",
    "final_result",
    "tool_arguments",
    "tool_response",
    "events",
    "logfire.msg",
    "langfuse.observation.input",
    "langfuse.trace.output",
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "message",
    "content",
    "tool_calls",
    "db.statement",
    "url.full",
    "http.url",
    "an.app.s.own",
];
/// Those that say how a span came about.
const PLAIN: &[(&str, &str)] = &[
    ("gen_ai.response.id", "chatcmpl-1"),
    ("langfuse.trace.tags", "checkout"),
    ("ai.telemetry.metadata.tier", "gold"),
    ("metadata", "{}"),
    ("http.request.method", "POST"),
    ("server.address", "h1"),
    ("error.type", "timeout"),
    ("weir.call.id", "019aa2d8"),
];

fn kept(bodies: BodyPolicy, redaction: Redaction) -> Span {
    let mut attributes = vec![("gen_ai.request.model", json!("m")), ("gen_ai.usage.output_tokens", json!(3))];
    attributes.extend([("gen_ai.request.temperature", json!(0.5)), ("own.number", json!(7))]);
    attributes.extend(SAYING.iter().map(|name| (*name, json!("what zebra said"))));
    attributes.push(("a.list", json!(["zebra", "zebra"])));
    attributes.extend(PLAIN.iter().map(|(name, value)| (*name, json!(value))));
    let mut given = span(&attributes);
    given
        .events
        .push(given::event("gen_ai.user.message", &[("content", json!("zebra")), ("role", json!("user"))]));
    given
        .events
        .push(given::event("gen_ai.choice", &[("message", json!("zebra")), ("tool_calls", json!("zebra"))]));
    given.links.push(given::link(&[("said", json!("zebra")), ("weight", json!(2))]));
    let policy = Policy { bodies, redaction, ..Policy::default() };
    ingest(Encoding::Protobuf, &exported(vec![given]), "p", &policy, NOW).unwrap().spans.remove(0)
}

#[test]
fn a_project_that_keeps_no_contents_keeps_none_of_a_span() {
    for bodies in [BodyPolicy::Metadata, BodyPolicy::Sampled(Sample::of(0.0)), BodyPolicy::Off] {
        let span = kept(bodies, Redaction::default());
        assert!(!format!("{span:?}").contains("zebra"), "{span:?}");
        assert_eq!((span.model.as_deref(), span.output_tokens), (Some("m"), Some(3)));
        let there = (span.attributes.is_some(), span.events.is_some());
        assert_eq!(there, (bodies != BodyPolicy::Off, bodies != BodyPolicy::Off));
    }
}

#[test]
fn it_keeps_how_a_span_came_about_and_what_is_a_number() {
    let span = kept(BodyPolicy::Metadata, Redaction::default());
    let rest: Value = serde_json::from_str(&span.attributes.unwrap()).unwrap();
    for (name, value) in PLAIN {
        assert_eq!(rest[name], *value, "{name}");
    }
    assert_eq!((&rest["gen_ai.request.temperature"], &rest["own.number"]), (&json!(0.5), &json!(7)));
    assert_eq!(rest["links"][0]["attributes"], json!({"weight": 2}));
    let events: Value = serde_json::from_str(&span.events.unwrap()).unwrap();
    assert_eq!(
        (&events[0]["name"], &events[0]["attributes"]),
        (&json!("gen_ai.user.message"), &json!({"role": "user"}))
    );
}

#[test]
fn what_is_redacted_is_so_in_every_text_and_before_it_is_cut() {
    let redaction = Redaction::new(vec![Rule::Known(Known::Email), Rule::Known(Known::Card)]);
    let long = format!("{} ann@example.com", "x".repeat(240));
    let mut given = span(&[
        ("user.id", json!(format!("{}+ann@example.com", "u".repeat(50)))),
        ("gen_ai.request.model", json!(long)),
        ("paid.with", json!(4_111_111_111_111_111.0)),
        ("input.value", json!("from ann@example.com")),
    ]);
    given.name = long.clone();
    given.events.push(given::event("mailed ann@example.com", &[]));
    given.status = Some(given::failed("no such ann@example.com"));
    let policy = Policy { redaction, ..Policy::default() };
    let mut request = given::request(vec![given]);
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes = given::pairs(&[("service.name", json!(long)), ("owner", json!("ann@example.com"))]);
    let body = prost::Message::encode_to_vec(&request);
    let kept = format!("{:?}", ingest(Encoding::Protobuf, &body, "p", &policy, NOW).unwrap().spans[0]);
    for secret in ["ann@", "411111"] {
        assert!(!kept.contains(secret), "{kept}");
    }
    assert_eq!(kept.matches("[email]").count(), 8, "{kept}");
    assert!(kept.contains("[card]"), "{kept}");
}
