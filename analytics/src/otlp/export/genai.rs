//! A try in OpenTelemetry's GenAI names
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>, seen 2026-10).

use serde_json::Value;
use vocab::{Usage, UsageSource};

use super::asked::Asked;
use super::messages;
use super::pairs::Pairs;
use super::{Names, Try, operation, prompt, spent, usd};

/// Providers whose well-known name is another than the one they are usually configured by.
const PROVIDERS: &[(&str, &str)] = &[
    ("azure", "azure.ai.openai"),
    ("bedrock", "aws.bedrock"),
    ("gemini", "gcp.gemini"),
    ("google", "gcp.gemini"),
    ("mistral", "mistral_ai"),
    ("moonshot", "moonshot_ai"),
    ("vertex", "gcp.vertex_ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("xai", "x_ai"),
];

/// Adds everything the conventions have a name for.
pub(super) fn describe(pairs: &mut Pairs, tried: &Try<'_>, names: Names) {
    let record = &*tried.row.record;
    pairs.some_text("gen_ai.operation.name", operation(record.endpoint));
    pairs.text("gen_ai.provider.name", provider(&tried.attempt.provider));
    pairs.text_if("gen_ai.request.model", &tried.attempt.model);
    pairs.some_text("gen_ai.conversation.id", record.session.as_deref());
    pairs.some_text("user.id", record.user.as_deref());
    pairs.some_text("session.id", record.session.as_deref());
    let asked = Asked::of(tried.row);
    parameters(pairs, &asked, record.streaming);
    if let Some(prompt) = &record.prompt {
        pairs.text("gen_ai.prompt.name", &prompt.name);
        if names == Names::Next {
            pairs.text("gen_ai.prompt.version", &prompt.version.to_string());
        }
    }
    if names == Names::Next {
        pairs.some_text("gen_ai.request.reasoning.level", asked.effort());
        pairs.some_text("gen_ai.request.previous_response.id", asked.previous_response_id());
    }
    prompt(pairs, record);
    if tried.bodies {
        contents(pairs, tried, &asked);
    }
    if tried.served {
        answer(pairs, tried, names);
    }
    if let Some(cost) = tried.attempt.cost {
        // No convention has a name for it; Langfuse and others read this one.
        pairs.double("gen_ai.usage.cost", usd(cost));
        spent(pairs, cost);
    }
}

fn provider(name: &str) -> &str {
    PROVIDERS.iter().find(|(known, _)| *known == name).map_or(name, |(_, well_known)| well_known)
}

fn parameters(pairs: &mut Pairs, asked: &Asked<'_>, streaming: bool) {
    pairs.some_double("gen_ai.request.temperature", asked.temperature);
    pairs.some_double("gen_ai.request.top_p", asked.top_p);
    pairs.some_double("gen_ai.request.frequency_penalty", asked.frequency_penalty);
    pairs.some_double("gen_ai.request.presence_penalty", asked.presence_penalty);
    let mut count = |key: &str, value: Option<u64>| value.into_iter().for_each(|value| pairs.int(key, value));
    count("gen_ai.request.max_tokens", asked.max_tokens());
    count("gen_ai.request.seed", asked.seed.and_then(|seed| u64::try_from(seed).ok()));
    count("gen_ai.request.choice.count", asked.n.filter(|choices| *choices != 1));
    pairs.texts("gen_ai.request.stop_sequences", asked.stops());
    pairs.texts("gen_ai.request.encoding_formats", asked.encoding_format().into_iter());
    pairs.some_text("gen_ai.output.type", asked.output_type());
    pairs.some_text("openai.request.service_tier", asked.service_tier());
    if streaming {
        pairs.flag("gen_ai.request.stream", true);
    }
}

/// Messages and tools, as JSON texts: spans have no structured attributes.
fn contents(pairs: &mut Pairs, tried: &Try<'_>, asked: &Asked<'_>) {
    let said = messages::asked(tried.row);
    let (system, input): (Vec<_>, Vec<_>) = said.into_iter().partition(messages::Message::is_instruction);
    let instructions: Vec<Value> = system.iter().flat_map(messages::Message::genai_parts).collect();
    if !instructions.is_empty() {
        pairs.text("gen_ai.system_instructions", &Value::Array(instructions).to_string());
    }
    let written = |messages: &[messages::Message]| -> String {
        messages.iter().map(messages::Message::genai).collect::<Value>().to_string()
    };
    if !input.is_empty() {
        pairs.text("gen_ai.input.messages", &written(&input));
    }
    if let Some(tools) = asked.tools.filter(|_| tried.row.bodies.request.is_some()) {
        pairs.text("gen_ai.tool.definitions", &super::cut(tools.get(), super::TEXT_BYTES));
    }
    let output = if tried.served { messages::answered(tried.row) } else { Vec::new() };
    if !output.is_empty() {
        pairs.text("gen_ai.output.messages", &written(&output));
    }
}

fn answer(pairs: &mut Pairs, tried: &Try<'_>, names: Names) {
    let record = &*tried.row.record;
    pairs.some_text("gen_ai.response.model", record.response_model.as_deref());
    pairs.some_text("gen_ai.response.id", messages::answer_id(tried.row).as_deref());
    pairs.texts("gen_ai.response.finish_reasons", record.finish_reason.as_deref().into_iter());
    pairs.some_double("gen_ai.response.time_to_first_chunk", tried.first_content_seconds());
    if let Some(usage) = &record.usage {
        tokens(pairs, usage, names);
        if record.usage_source != UsageSource::Provider {
            pairs.text("weir.usage.source", record.usage_source.as_str());
        }
    }
}

/// Both totals include their parts, in OpenAI's arithmetic.
fn tokens(pairs: &mut Pairs, usage: &Usage, names: Names) {
    pairs.int("gen_ai.usage.input_tokens", usage.input);
    pairs.int("gen_ai.usage.output_tokens", usage.output);
    pairs.part("gen_ai.usage.cache_read.input_tokens", usage.cached_input);
    let written = match names {
        Names::Next => "gen_ai.usage.cache_write.input_tokens",
        Names::Current | Names::OpenInference => "gen_ai.usage.cache_creation.input_tokens",
    };
    pairs.part(written, usage.cache_write);
    pairs.part("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
    if names == Names::Next {
        pairs.part("gen_ai.usage.audio.input_tokens", usage.audio_input);
        pairs.part("gen_ai.usage.audio.output_tokens", usage.audio_output);
    }
}
