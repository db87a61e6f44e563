//! Prompts of PromptLayer, as its API answers `GET /prompt-templates` and `GET /prompt-templates/{id}`: in one file or
//! several, one version or all of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::texts::{Format, Texts, in_one_engine};
use super::{Found, FoundVersion, NotThat, items, parameters, read_json, role, text};

/// How PromptLayer reads texts that do not say.
const FORMAT: &str = "f-string";
/// What PromptLayer keeps beside a template or among the model's parameters, and Weir beside the messages.
const BESIDE: [&str; 3] = ["tools", "tool_choice", "response_format"];

/// Reads the prompts of a file.
pub fn read(file: &str) -> Result<Vec<Found>, NotThat> {
    let mut named: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in read_json(file)? {
        for item in items(&value, &["items", "prompt_templates"]) {
            let name = text(&item, "prompt_name").map(str::to_owned);
            let name = name.ok_or_else(|| {
                NotThat::new("it is no answer of PromptLayer's API: a template has a `prompt_name`")
            })?;
            named.entry(name).or_default().push(item);
        }
    }
    named.into_iter().map(|(name, versions)| prompt(&name, versions)).collect()
}

fn number(item: &Value) -> Option<u64> {
    item["version"].as_u64().or_else(|| item["version_number"].as_u64())
}

fn prompt(name: &str, mut items: Vec<Value>) -> Result<Found, NotThat> {
    let mut found = Found::named(name)?;
    items.sort_by_key(number);
    for item in &items {
        let id = number(item).unwrap_or(1).to_string();
        let labels = item["release_labels"].as_array().into_iter().flatten();
        let labels: Vec<&str> =
            labels.filter_map(|label| label.as_str().or_else(|| text(label, "name"))).collect();
        let labels = found.labels(labels);
        let mut notes = Vec::new();
        let read = version(item, &mut notes);
        found.take((&id, labels), read, notes);
    }
    for tag in items.iter().filter_map(|item| item["tags"].as_array()).flatten().filter_map(Value::as_str) {
        if !found.tags.iter().any(|known| known == tag) {
            found.tags.push(tag.to_owned());
        }
    }
    Ok(found)
}

fn version(item: &Value, notes: &mut Vec<String>) -> Result<FoundVersion, String> {
    let template = &item["prompt_template"];
    let (field, body, engine) = match template["type"].as_str() {
        Some("chat") => {
            let (messages, engine, found) = in_one_engine(|texts| messages(template, texts))?;
            notes.extend(found);
            ("messages", json!(messages), engine)
        }
        Some("completion") => {
            let (text, engine, _) = in_one_engine(|texts| completion(template, texts))?;
            ("text", json!(text), engine)
        }
        _ => return Err("it has no `prompt_template` of type chat or completion".to_owned()),
    };
    let mut content = Map::from_iter([(field.to_owned(), body), ("engine".to_owned(), json!(engine))]);
    let metadata = beside(item, &mut content, notes);
    let commit_message = text(item, "commit_message").map(str::to_owned);
    Ok(FoundVersion { content, commit_message, metadata, ..FoundVersion::default() })
}

fn completion(template: &Value, texts: &mut Texts) -> Result<String, String> {
    let format = format(template)?;
    let mut whole = template["content"].as_str().unwrap_or_default().to_owned();
    for part in template["content"].as_array().into_iter().flatten() {
        let text = part["text"].as_str().ok_or("a completion holds more than text")?;
        whole.push_str(text);
    }
    said(texts, format, &whole)
}

fn messages(template: &Value, texts: &mut Texts) -> Result<Vec<Value>, String> {
    let given = template["messages"].as_array().into_iter().flatten();
    given.map(|message| self::message(message, texts)).collect()
}

fn message(message: &Value, texts: &mut Texts) -> Result<Value, String> {
    let word = message["role"].as_str().unwrap_or_default();
    if word == "placeholder" {
        return Ok(json!({"placeholder": text(message, "name").unwrap_or("history")}));
    }
    let role = role(word).ok_or_else(|| format!("role `{}` is not known here", word.escape_debug()))?;
    let format = format(message)?;
    let mut parts = Vec::new();
    for part in message["content"].as_array().into_iter().flatten() {
        parts.push(self::part(part, format, texts)?);
    }
    let content = match parts.as_slice() {
        [] => message["content"]
            .as_str()
            .map_or(Ok(Value::Null), |text| said(texts, format, text).map(Value::from))?,
        [only] if only["type"] == "text" => only["text"].clone(),
        _ => parts.into(),
    };
    let mut written = Map::from_iter([("role".to_owned(), json!(role)), ("content".to_owned(), content)]);
    for field in ["name", "tool_calls", "tool_call_id"] {
        let value = Some(&message[field]).filter(|value| !value.is_null() && **value != json!([]));
        written.extend(value.map(|value| (field.to_owned(), value.clone())));
    }
    if !message["function_call"].is_null() {
        texts.note("a `function_call` is not carried");
    }
    Ok(written.into())
}

fn part(part: &Value, format: Format, texts: &mut Texts) -> Result<Value, String> {
    match part["type"].as_str() {
        Some("text") => Ok(
            json!({"type": "text", "text": said(texts, format, part["text"].as_str().unwrap_or_default())?}),
        ),
        // An image by its variable is that variable alone, in a text of its own.
        Some("image_url") => match text(part, "image_variable") {
            Some(variable) => Ok(json!({"type": "text", "text": texts.image_variable(variable)?})),
            None => Ok(json!({"type": "image_url", "image_url": part["image_url"]})),
        },
        other => Err(format!("content of type `{}` has no form here", other.unwrap_or("?").escape_debug())),
    }
}

fn format(message: &Value) -> Result<Format, String> {
    let word = text(message, "template_format").unwrap_or(FORMAT);
    Format::named(word).ok_or_else(|| format!("template format `{}` is not known here", word.escape_debug()))
}

fn said(texts: &mut Texts, format: Format, text: &str) -> Result<String, String> {
    if text.contains("@@@") {
        return Err("it holds `@@@snippet@@@`: export it with resolve_snippets=true".to_owned());
    }
    texts.text(format, text)
}

/// Model, parameters, tools and response format; what else is said beside the template is kept as metadata.
fn beside(item: &Value, content: &mut Map<String, Value>, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut kept = item["metadata"].as_object().cloned().unwrap_or_default();
    let model = kept.shift_remove("model").unwrap_or_default();
    if let Some(name) = text(&model, "name") {
        content.insert("model".into(), json!(name));
        let provider = text(&model, "provider").filter(|provider| *provider != "openai");
        notes.extend(provider.map(|provider| {
            format!("model `{name}` was called at `{provider}`: a provider that has it is to be configured")
        }));
    }
    let template = &item["prompt_template"];
    for field in BESIDE {
        let places = [&template[field], &model["parameters"][field]];
        let value = places.into_iter().find(|value| !value.is_null() && **value != json!([]));
        content.extend(value.map(|value| (field.to_owned(), value.clone())));
    }
    if !content.contains_key("tools") {
        content.shift_remove("tool_choice");
    }
    if !template["functions"].as_array().is_none_or(Vec::is_empty) {
        notes.push("`functions` are not carried: write them as `tools`".to_owned());
    }
    let mut given = model["parameters"].as_object().cloned().unwrap_or_default();
    given.retain(|name, _| !BESIDE.contains(&name.as_str()));
    let given = parameters(&given, notes);
    if !given.is_empty() {
        content.insert("parameters".into(), given.into());
    }
    kept
}
