//! LangChain's serialized prompts: read as plain data, never as constructors.

use serde_json::{Map, Value, json};

use super::texts::{Format, Texts, in_one_engine};
use super::{role, text};
use crate::langfuse::PARAMETERS;

/// What LangChain's models call `model`, in the order they are looked for.
const MODEL_NAMES: [&str; 4] = ["model", "model_name", "modelName", "deployment_name"];
/// Settings of LangChain's models that say nothing about an answer.
const SILENT: [&str; 13] = [
    "max_retries",
    "maxRetries",
    "streaming",
    "verbose",
    "timeout",
    "request_timeout",
    "disable_streaming",
    "stream_usage",
    "output_version",
    "use_responses_api",
    "extra_headers",
    "cache",
    "ls_structured_output_format",
];

/// The fields of a content, from a prompt or a sequence of a prompt and a model.
pub(super) fn read(manifest: &Value, notes: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    if kind(manifest) != "RunnableSequence" {
        return prompt(manifest, notes);
    }
    let steps = &manifest["kwargs"];
    let mut content = prompt(&steps["first"], notes)?;
    let middle = steps["middle"].as_array().into_iter().flatten();
    for step in middle.chain([&steps["last"]]).filter(|step| !step.is_null()) {
        self::step(step, &mut content, notes);
    }
    Ok(content)
}

/// The name of a serialized class.
fn kind(value: &Value) -> &str {
    value["id"].as_array().and_then(|id| id.last()).and_then(Value::as_str).unwrap_or_default()
}

fn prompt(manifest: &Value, notes: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    let kwargs = &manifest["kwargs"];
    let (field, body, engine) = match kind(manifest) {
        "ChatPromptTemplate" | "StructuredPrompt" => {
            let (messages, engine, found) = in_one_engine(|texts| messages(&kwargs["messages"], texts))?;
            notes.extend(found);
            ("messages", json!(messages), engine)
        }
        "PromptTemplate" => {
            let (text, engine, _) = in_one_engine(|texts| template(manifest, texts))?;
            ("text", json!(text), engine)
        }
        "" => return Err("it is no serialized LangChain object: it has no `id`".to_owned()),
        other => return Err(format!("a `{}` is no prompt that has a form here", other.escape_debug())),
    };
    let mut content = Map::from_iter([(field.to_owned(), body), ("engine".to_owned(), json!(engine))]);
    let schema = [&kwargs["schema_"], &kwargs["schema"]].into_iter().find(|schema| schema.is_object());
    if let Some(schema) = schema {
        let name = text(schema, "title").unwrap_or("answer");
        let format = json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema}});
        content.insert("response_format".into(), format);
    }
    let defaults = defaults(&kwargs["partial_variables"], notes);
    if !defaults.is_empty() {
        content.insert("variables".into(), defaults.into());
    }
    Ok(content)
}

/// Variables that were filled in beforehand, as declared ones with a default.
fn defaults(given: &Value, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut variables = Map::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                variables.insert(name.clone(), json!({"default": value}));
            }
            // An optional place for messages stands empty by itself.
            Value::Array(empty) if empty.is_empty() => {}
            _ => notes.push(format!("the value of the partial variable `{name}` is not carried")),
        }
    }
    variables
}

fn messages(given: &Value, texts: &mut Texts) -> Result<Vec<Value>, String> {
    given.as_array().into_iter().flatten().map(|message| self::message(message, texts)).collect()
}

fn message(given: &Value, texts: &mut Texts) -> Result<Value, String> {
    let kwargs = &given["kwargs"];
    let class = kind(given);
    if class == "MessagesPlaceholder" {
        let name = text(kwargs, "variable_name").ok_or("a MessagesPlaceholder has no `variable_name`")?;
        return Ok(json!({"placeholder": name}));
    }
    let speaker =
        class.trim_end_matches("PromptTemplate").trim_end_matches("MessageChunk").trim_end_matches("Message");
    let speaker = if speaker == "Chat" {
        text(kwargs, "role").unwrap_or_default().to_owned()
    } else {
        speaker.to_lowercase()
    };
    let role = role(&speaker).ok_or_else(|| format!("a `{}` has no form here", class.escape_debug()))?;
    if class.ends_with("PromptTemplate") {
        let prompt = if kwargs["prompt"].is_null() { &kwargs["content"] } else { &kwargs["prompt"] };
        return Ok(json!({"role": role, "content": templates(prompt, texts)?}));
    }
    fixed(kwargs, role, texts)
}

/// One template, or several that make the parts of one message.
fn templates(prompt: &Value, texts: &mut Texts) -> Result<Value, String> {
    let Some(parts) = prompt.as_array() else { return template(prompt, texts).map(Value::from) };
    let mut written = Vec::with_capacity(parts.len());
    for part in parts {
        written.push(match kind(part) {
            "PromptTemplate" => json!({"type": "text", "text": template(part, texts)?}),
            "ImagePromptTemplate" => image(&part["kwargs"], texts)?,
            other => return Err(format!("a `{}` has no form here", other.escape_debug())),
        });
    }
    Ok(written.into())
}

fn image(kwargs: &Value, texts: &mut Texts) -> Result<Value, String> {
    let mut image = kwargs["template"].as_object().cloned().unwrap_or_default();
    let url = image.get("url").and_then(Value::as_str).ok_or("an image without a `url` has no form here")?;
    let url = texts.text(format(kwargs)?, url)?;
    image.insert("url".into(), url.into());
    Ok(json!({"type": "image_url", "image_url": image}))
}

fn template(prompt: &Value, texts: &mut Texts) -> Result<String, String> {
    let kwargs = &prompt["kwargs"];
    let template = kwargs["template"].as_str().ok_or("a template has no text")?;
    texts.text(format(kwargs)?, template)
}

fn format(kwargs: &Value) -> Result<Format, String> {
    let word = text(kwargs, "template_format").unwrap_or("f-string");
    Format::named(word).ok_or_else(|| format!("template format `{}` is not known here", word.escape_debug()))
}

/// A message that is no template.
fn fixed(kwargs: &Value, role: &str, texts: &mut Texts) -> Result<Value, String> {
    let content = match &kwargs["content"] {
        Value::String(text) => Value::from(texts.text(Format::Fixed, text)?),
        Value::Array(parts) => fixed_parts(parts, texts)?,
        _ => Value::Null,
    };
    let mut message = Map::from_iter([("role".to_owned(), json!(role)), ("content".to_owned(), content)]);
    let calls = kwargs["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let function = json!({"name": call["name"], "arguments": call["args"].to_string()});
        json!({"id": call["id"], "type": "function", "function": function})
    });
    let calls: Vec<Value> = calls.collect();
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    for field in ["name", "tool_call_id"] {
        message.extend(text(kwargs, field).map(|value| (field.to_owned(), json!(value))));
    }
    Ok(message.into())
}

fn fixed_parts(parts: &[Value], texts: &mut Texts) -> Result<Value, String> {
    let mut written = parts.to_vec();
    for part in &mut written {
        if let Some(text) = part["text"].as_str() {
            part["text"] = texts.text(Format::Fixed, text)?.into();
        }
    }
    Ok(written.into())
}

/// What comes after the prompt: a model, with or without settings bound to it.
fn step(step: &Value, content: &mut Map<String, Value>, notes: &mut Vec<String>) {
    let class = kind(step);
    if class == "RunnableBinding" {
        self::step(&step["kwargs"]["bound"], content, notes);
        let bound = step["kwargs"]["kwargs"].as_object().cloned().unwrap_or_default();
        return take_settings(bound, content, notes);
    }
    let kwargs = &step["kwargs"];
    let Some(model) = MODEL_NAMES.into_iter().find_map(|name| text(kwargs, name)) else {
        notes.push(format!("the step `{}` after the prompt is not carried", class.escape_debug()));
        return;
    };
    content.insert("model".into(), json!(model));
    let mut given = kwargs.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(more)) = given.shift_remove("model_kwargs") {
        given.extend(more);
    }
    take_settings(given, content, notes);
}

fn take_settings(given: Map<String, Value>, content: &mut Map<String, Value>, notes: &mut Vec<String>) {
    for (name, value) in given {
        let is_secret = value["type"] == "secret";
        if value.is_null()
            || is_secret
            || MODEL_NAMES.contains(&name.as_str())
            || SILENT.contains(&name.as_str())
        {
            continue;
        }
        if matches!(name.as_str(), "tools" | "tool_choice" | "response_format") {
            content.insert(name, value);
        } else if PARAMETERS.contains(&name.as_str()) {
            let parameters = content.entry("parameters").or_insert_with(|| json!({}));
            parameters[name] = value;
        } else if value != json!({}) && value != json!([]) {
            notes.push(format!("the model's setting `{name}` is not carried"));
        }
    }
}
