//! A try in OpenInference's names (<https://github.com/Arize-ai/openinference/tree/main/spec>, seen 2026-10).

use dialects::Endpoint;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::messages::{self, Message, Part};
use super::pairs::Pairs;
use super::{TEXT_BYTES, Try, cut, prompt, spent, usd};

/// Adds everything the convention has a name for.
pub(super) fn describe(pairs: &mut Pairs, tried: &Try<'_>) {
    let record = &*tried.row.record;
    let embeds = record.endpoint == Endpoint::Embeddings;
    pairs.text("openinference.span.kind", if embeds { "EMBEDDING" } else { "LLM" });
    pairs.text_if(if embeds { "embedding.model_name" } else { "llm.model_name" }, model(tried));
    pairs.text("llm.provider", &tried.attempt.provider);
    pairs.some_text("user.id", record.user.as_deref());
    pairs.some_text("session.id", record.session.as_deref());
    pairs.some_text("metadata", tried.row.metadata.as_deref());
    pairs.texts("tag.tags", record.tags.iter().map(AsRef::as_ref));
    pairs.text_if("llm.invocation_parameters", &parameters(&Asked::of(tried.row)));
    prompt(pairs, record);
    if let Some(prompt) = &record.prompt {
        pairs.text("llm.prompt_template.version", &prompt.version.to_string());
    }
    if tried.bodies {
        contents(pairs, tried, embeds);
    }
    if let Some(usage) = record.usage.as_ref().filter(|_| tried.served) {
        pairs.int("llm.token_count.prompt", usage.input);
        pairs.int("llm.token_count.completion", usage.output);
        pairs.int("llm.token_count.total", usage.total());
        pairs.part("llm.token_count.prompt_details.cache_read", usage.cached_input);
        pairs.part("llm.token_count.prompt_details.cache_write", usage.cache_write);
        pairs.part("llm.token_count.prompt_details.audio", usage.audio_input);
        pairs.part("llm.token_count.completion_details.reasoning", usage.reasoning);
        pairs.part("llm.token_count.completion_details.audio", usage.audio_output);
    }
    pairs.some_text("llm.finish_reason", record.finish_reason.as_deref().filter(|_| tried.served));
    if let Some(cost) = tried.attempt.cost {
        pairs.double("llm.cost.total", usd(cost));
        spent(pairs, cost);
    }
}

/// The model that answered, else the one that was asked.
fn model<'a>(tried: &Try<'a>) -> &'a str {
    let answered = tried.row.record.response_model.as_deref().filter(|_| tried.served);
    answered.unwrap_or(&tried.attempt.model)
}

fn parameters(asked: &Asked<'_>) -> String {
    let mut given = Map::new();
    let mut add = |key: &str, value: Option<Value>| given.extend(value.map(|value| (key.to_owned(), value)));
    add("temperature", asked.temperature.map(Value::from));
    add("top_p", asked.top_p.map(Value::from));
    add("max_tokens", asked.max_tokens().map(Value::from));
    add("seed", asked.seed.map(Value::from));
    add("frequency_penalty", asked.frequency_penalty.map(Value::from));
    add("presence_penalty", asked.presence_penalty.map(Value::from));
    add("reasoning_effort", asked.effort().map(Value::from));
    if given.is_empty() { String::new() } else { Value::Object(given).to_string() }
}

fn contents(pairs: &mut Pairs, tried: &Try<'_>, embeds: bool) {
    // What end users typed, mostly.
    let variables = tried.row.variables.as_deref().filter(|_| tried.row.record.prompt.is_some());
    pairs.some_text("llm.prompt_template.variables", variables);
    let asked = messages::asked(tried.row);
    if embeds {
        for (number, part) in asked.iter().flat_map(|message| &message.parts).enumerate() {
            if let Part::Text(text) = part {
                pairs.text(format!("embedding.embeddings.{number}.embedding.text"), text);
            }
        }
    } else {
        listed(pairs, "llm.input_messages", &asked);
    }
    pairs.text_if("input.value", &cut(&tried.row.said.request, TEXT_BYTES));
    pairs.text("input.mime_type", "text/plain");
    if tried.served {
        listed(pairs, "llm.output_messages", &messages::answered(tried.row));
        pairs.text_if("output.value", &cut(&tried.row.said.response, TEXT_BYTES));
        pairs.text("output.mime_type", "text/plain");
    }
}

fn listed(pairs: &mut Pairs, prefix: &str, messages: &[Message]) {
    for (number, message) in messages.iter().enumerate() {
        let at = format!("{prefix}.{number}.message");
        pairs.text(format!("{at}.role"), &message.role);
        pairs.text_if(format!("{at}.content"), &message.text());
        let mut calls = 0;
        for part in &message.parts {
            match part {
                Part::Call { id, name, arguments } => {
                    let at = format!("{at}.tool_calls.{calls}.tool_call");
                    pairs.text_if(format!("{at}.id"), id);
                    pairs.text(format!("{at}.function.name"), name);
                    pairs.text(format!("{at}.function.arguments"), &written(arguments));
                    calls += 1;
                }
                Part::Result { id, .. } => pairs.text_if(format!("{at}.tool_call_id"), id),
                Part::Text(_) | Part::Reasoning(_) | Part::Media { .. } => {}
            }
        }
    }
}

fn written(arguments: &Value) -> String {
    match arguments {
        Value::String(text) => text.clone(),
        Value::Null => json!({}).to_string(),
        other => other.to_string(),
    }
}
