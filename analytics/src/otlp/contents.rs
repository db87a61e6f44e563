//! Which attributes hold what people and models said, so that a project which keeps no contents keeps none of them.

use serde_json::{Map, Value, json};

/// Parts of dotted names that hold contents, in any convention. Where in doubt, a part is here.
const CONTENT_PARTS: &[&str] = &[
    "args",
    "arguments",
    "body",
    "completion",
    "completions",
    "content",
    "contents",
    "document",
    "documents",
    "input",
    "input_messages",
    "instructions",
    "messages",
    "object",
    "output",
    "output_messages",
    "prompt",
    "prompts",
    "query",
    "request_data",
    "response_data",
    "result",
    "results",
    "spaninputs",
    "spanoutputs",
    "system_instructions",
    "system_prompt",
    "text",
    "toolcalls",
    "user_input",
    "variables",
];
/// Names with such a part that hold no contents.
const HARMLESS: &[&str] =
    &["gen_ai.prompt.name", "gen_ai.prompt.version", "gen_ai.output.type", "weir.prompt.name"];
/// What a prompt's name and version are called in any convention.
const HARMLESS_ENDS: &[&str] =
    &[".prompt.name", ".prompt.version", ".prompt.id", ".prompt.label", ".mime_type", "_tokens"];
/// Numbers below such names are counts.
const COUNTS: &[&str] = &["llm.token_count.", "llm.usage.", "gen_ai.usage.", "ai.usage."];

/// Whether an attribute of this name may hold contents.
pub(super) fn is_content(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let harmless = HARMLESS.contains(&lower.as_str())
        || HARMLESS_ENDS.iter().any(|end| lower.ends_with(end))
        || COUNTS.iter().any(|start| lower.starts_with(start));
    !harmless && lower.split('.').any(|part| CONTENT_PARTS.contains(&part))
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
