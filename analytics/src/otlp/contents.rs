//! What of a span may be kept by a project that keeps no contents, and what was said where events say it.
//!
//! Conventions put what people and models said under ever more names, so those are kept that are known to hold none of
//! it, and no others.

use serde_json::{Map, Value, json};

/// Names that hold no contents, in any convention: who, what kind, which, by which means.
const PLAIN: &[&str] = &[
    "agent.id",
    "agent.name",
    "agent_name",
    "ai.model.id",
    "ai.model.provider",
    "ai.operationid",
    "ai.response.finishreason",
    "ai.response.id",
    "ai.response.model",
    "ai.response.timestamp",
    "ai.telemetry.functionid",
    "ai.toolcall.id",
    "ai.toolcall.name",
    "db.name",
    "db.namespace",
    "db.operation",
    "db.operation.name",
    "db.system",
    "db.system.name",
    "embedding.model_name",
    "finish_reason",
    "gcp.vertex.agent.event_id",
    "gcp.vertex.agent.invocation_id",
    "gcp.vertex.agent.session_id",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.data_source.id",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "gen_ai.operation.name",
    "gen_ai.output.type",
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
    "gen_ai.provider.name",
    "gen_ai.request.encoding_formats",
    "gen_ai.request.model",
    "gen_ai.request.reasoning.level",
    "gen_ai.request.reasoning_effort",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "gen_ai.system",
    "gen_ai.token.type",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
    "gen_ai.workflow.name",
    "graph.node.id",
    "graph.node.name",
    "graph.node.parent_id",
    "http.flavor",
    "http.method",
    "http.request.method",
    "http.route",
    "http.scheme",
    "input.mime_type",
    "langfuse.environment",
    "langfuse.observation.completion_start_time",
    "langfuse.observation.cost_details",
    "langfuse.observation.level",
    "langfuse.observation.model.name",
    "langfuse.observation.prompt.name",
    "langfuse.observation.type",
    "langfuse.observation.usage_details",
    "langfuse.release",
    "langfuse.session.id",
    "langfuse.trace.name",
    "langfuse.trace.tags",
    "langfuse.user.id",
    "langfuse.version",
    "langsmith.span.kind",
    "langsmith.span.tags",
    "langsmith.trace.id",
    "langsmith.trace.name",
    "llm.finish_reason",
    "llm.model_name",
    "llm.prompt_template.version",
    "llm.provider",
    "llm.request.model",
    "llm.request.type",
    "llm.response.finish_reason",
    "llm.response.model",
    "llm.system",
    "llm.vendor",
    "metadata",
    "mlflow.chat.tokenusage",
    "mlflow.experimentid",
    "mlflow.spanfunctionname",
    "mlflow.spantype",
    "mlflow.tracerequestid",
    "model_name",
    "openai.api.type",
    "openai.request.service_tier",
    "openai.response.service_tier",
    "openai.response.system_fingerprint",
    "openinference.span.kind",
    "operation.name",
    "output.mime_type",
    "peer.service",
    "reranker.model_name",
    "resource.name",
    "role",
    "session.id",
    "span.kind",
    "tag.tags",
    "tags",
    "tool.id",
    "tool.name",
    "tool_call.id",
    "traceloop.entity.name",
    "traceloop.entity.path",
    "traceloop.span.kind",
    "traceloop.workflow.name",
    "url.scheme",
    "user.id",
];
/// Nothing below these does either, or it is what calls have as metadata and as errors.
const PLAIN_BELOW: &[&str] = &[
    "ai.settings.",
    "ai.telemetry.metadata.",
    "ai.usage.",
    "client.",
    "code.",
    "enduser.",
    "error.",
    "exception.",
    "faas.",
    "gen_ai.usage.",
    "langfuse.observation.metadata.",
    "langfuse.trace.metadata.",
    "langsmith.metadata.",
    "llm.token_count.",
    "llm.usage.",
    "messaging.system",
    "metadata.",
    "net.",
    "network.",
    "otel.",
    "rpc.",
    "server.",
    "thread.",
    "traceloop.association.properties.",
    "weir.",
];

/// Whether an attribute is known to hold no contents: by its name, or because numbers cannot.
pub(super) fn is_plain(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    let is_known = || PLAIN.contains(&&*name) || PLAIN_BELOW.iter().any(|start| name.starts_with(start));
    value.is_number() || value.is_boolean() || is_known()
}

/// What was said as events of older GenAI conventions, when the attributes say nothing: input, output.
pub(super) fn of_events<'a>(
    events: impl Iterator<Item = (&'a str, &'a Map<String, Value>)>,
) -> (Option<String>, Option<String>) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for (name, attributes) in events {
        match name {
            "gen_ai.system.message" => input.push(message("system", attributes)),
            "gen_ai.user.message" => input.push(message("user", attributes)),
            "gen_ai.assistant.message" => input.push(message("assistant", attributes)),
            "gen_ai.tool.message" => input.push(message("tool", attributes)),
            "gen_ai.choice" => output.push(message("assistant", attributes)),
            _ => {
                let whole = |key: &str| attributes.get(key).and_then(read);
                input.extend(whole("gen_ai.input.messages").or_else(|| whole("gen_ai.prompt")));
                output.extend(whole("gen_ai.output.messages").or_else(|| whole("gen_ai.completion")));
            }
        }
    }
    (text(input), text(output))
}

fn message(role: &str, attributes: &Map<String, Value>) -> Value {
    let mut message = attributes.clone();
    message.shift_remove("gen_ai.system");
    message.entry("role").or_insert_with(|| json!(role));
    Value::Object(message)
}

fn read(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| value.clone())),
        Value::Null => None,
        other => Some(other.clone()),
    }
}

/// One value as it is, several as a list.
fn text(mut values: Vec<Value>) -> Option<String> {
    if values.len() == 1 && values[0].is_array() {
        return values.pop().map(|value| value.to_string());
    }
    (!values.is_empty()).then(|| Value::Array(values).to_string())
}
