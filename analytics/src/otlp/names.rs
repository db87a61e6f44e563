//! Which attribute says what, in the conventions that exporters use: OpenTelemetry's GenAI names (current, next and
//! older), OpenInference, Langfuse, OpenLLMetry, Vercel's AI SDK, MLflow. The first name of a list that is there wins.

use serde_json::Value;

use super::attributes::{Attributes, count};
use crate::span::SpanKind;

pub(super) const MODEL: &[&str] = &[
    "langfuse.observation.model.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "ai.model.id",
    "llm.request.model",
];
pub(super) const PROVIDER: &[&str] = &[
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "llm.vendor",
];
pub(super) const USER: &[&str] = &[
    "user.id",
    "langfuse.user.id",
    "enduser.id",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
];
pub(super) const SESSION: &[&str] = &[
    "session.id",
    "langfuse.session.id",
    "gen_ai.conversation.id",
    "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId",
];
pub(super) const PROMPT: &[&str] =
    &["weir.prompt.name", "langfuse.observation.prompt.name", "gen_ai.prompt.name"];
pub(super) const PROMPT_VERSION: &[&str] =
    &["weir.prompt.version", "langfuse.observation.prompt.version", "gen_ai.prompt.version"];
pub(super) const INPUT_TOKENS: &[&str] = &[
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
];
pub(super) const OUTPUT_TOKENS: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
];
pub(super) const INPUT: &[&str] = &[
    "langfuse.observation.input",
    "gen_ai.input.messages",
    "input.value",
    "gen_ai.tool.call.arguments",
    "traceloop.entity.input",
    "ai.prompt.messages",
    "ai.prompt",
    "ai.toolCall.args",
    "mlflow.spanInputs",
    "gen_ai.prompt",
    "lk.user_input",
    "input",
];
pub(super) const OUTPUT: &[&str] = &[
    "langfuse.observation.output",
    "gen_ai.output.messages",
    "output.value",
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
    "ai.toolCall.result",
    "mlflow.spanOutputs",
    "gen_ai.completion",
    "lk.response.text",
    "output",
];
/// Where messages come as numbered attributes.
pub(super) const NUMBERED_INPUT: &[&str] = &["llm.input_messages", "gen_ai.prompt", "llm.prompts"];
/// Likewise, of answers and of documents found.
pub(super) const NUMBERED_OUTPUT: &[&str] = &[
    "llm.output_messages",
    "gen_ai.completion",
    "llm.completions",
    "retrieval.documents",
    "reranker.output_documents",
];

/// The attributes that say what a span does.
const KINDS: &[&str] = &[
    "openinference.span.kind",
    "gen_ai.operation.name",
    "langfuse.observation.type",
    "traceloop.span.kind",
    "langsmith.span.kind",
    "llm.request.type",
    "mlflow.spanType",
    "ai.operationId",
];
/// What they say, in lower case. Only words that mean one thing in all conventions that have them.
const KIND_WORDS: &[(&str, SpanKind)] = &[
    ("llm", SpanKind::Llm),
    ("chat", SpanKind::Llm),
    ("chat_model", SpanKind::Llm),
    ("completion", SpanKind::Llm),
    ("generate_content", SpanKind::Llm),
    ("generation", SpanKind::Llm),
    ("response", SpanKind::Llm),
    ("text_completion", SpanKind::Llm),
    ("ai.generatetext.dogenerate", SpanKind::Llm),
    ("ai.streamtext.dostream", SpanKind::Llm),
    ("ai.generateobject.dogenerate", SpanKind::Llm),
    ("ai.streamobject.dostream", SpanKind::Llm),
    ("embedding", SpanKind::Embedding),
    ("embeddings", SpanKind::Embedding),
    ("ai.embed.doembed", SpanKind::Embedding),
    ("ai.embedmany.doembed", SpanKind::Embedding),
    ("retriever", SpanKind::Retriever),
    ("retrieval", SpanKind::Retriever),
    ("rerank", SpanKind::Reranker),
    ("reranker", SpanKind::Reranker),
    ("tool", SpanKind::Tool),
    ("execute_tool", SpanKind::Tool),
    ("ai.toolcall", SpanKind::Tool),
    ("agent", SpanKind::Agent),
    ("create_agent", SpanKind::Agent),
    ("invoke_agent", SpanKind::Agent),
    ("chain", SpanKind::Chain),
    ("workflow", SpanKind::Chain),
    ("invoke_workflow", SpanKind::Chain),
    ("task", SpanKind::Chain),
    ("ai.generatetext", SpanKind::Chain),
    ("ai.streamtext", SpanKind::Chain),
    ("ai.generateobject", SpanKind::Chain),
    ("ai.streamobject", SpanKind::Chain),
    ("guardrail", SpanKind::Guardrail),
    ("evaluator", SpanKind::Evaluator),
];

/// What the span does: as it says itself, else a model call when it names a model.
pub(super) fn kind(attributes: &Attributes) -> SpanKind {
    let said = KINDS.iter().filter_map(|name| attributes.get(name)?.as_str()).find_map(kind_of_word);
    said.unwrap_or_else(|| {
        let asks = MODEL.iter().any(|name| attributes.get(name).is_some());
        if asks { SpanKind::Llm } else { SpanKind::Other }
    })
}

fn kind_of_word(word: &str) -> Option<SpanKind> {
    // MLflow writes its words as JSON.
    let word = word.trim_matches('"').to_ascii_lowercase();
    KIND_WORDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
}

/// Input and output tokens as Langfuse's own SDK writes them: one object as JSON.
pub(super) fn langfuse_usage(attributes: &Attributes) -> (Option<u64>, Option<u64>) {
    let usage = attributes.get("langfuse.observation.usage_details").and_then(Value::as_str);
    let Some(Value::Object(usage)) = usage.and_then(|text| serde_json::from_str(text).ok()) else {
        return (None, None);
    };
    let one_of = |names: [&str; 3]| names.iter().find_map(|name| count(usage.get(*name)?));
    (
        one_of(["input", "input_tokens", "prompt_tokens"]),
        one_of(["output", "output_tokens", "completion_tokens"]),
    )
}
