//! Prompts pasted from OpenAI's dashboard, which has no export: the request body it shows for a prompt, with the prompt's
//! id and version, or nothing but its text.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Found, FoundVersion, NotThat, id, items, parameters, read_json, role, text};

/// What is known of a pasted prompt beside what the paste says.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What to call it here.
    pub name: Option<String>,
    /// Its id, `pmpt_…`.
    pub id: Option<String>,
    /// The version that was pasted.
    pub version: Option<String>,
}

/// Fields of a paste that are no parameters.
const NOT_PARAMETERS: [&str; 22] = [
    "created_at",
    "default",
    "description",
    "id",
    "input",
    "instructions",
    "is_default",
    "messages",
    "metadata",
    "model",
    "name",
    "object",
    "prompt",
    "prompt_id",
    "reasoning",
    "response_format",
    "stream",
    "text",
    "tool_choice",
    "tools",
    "variables",
    "version",
];

/// Reads the prompts of a file; versions of one prompt may stand in one file, oldest first or not.
pub fn read(file: &str, known: &Known) -> Result<Vec<Found>, NotThat> {
    let pasted = match file.trim_start().chars().next() {
        Some('{' | '[') => {
            read_json(file)?.iter().flat_map(|value| items(value, &["data", "versions"])).collect()
        }
        Some(_) => vec![json!({"instructions": file.trim_end()})],
        None => return Err(NotThat::new("it is empty")),
    };
    let mut by_id: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for paste in pasted {
        let id =
            ["id", "prompt_id"].into_iter().find_map(|field| text(&paste, field)).or(known.id.as_deref());
        let id = id.ok_or_else(|| NotThat::new("it does not say its id: name it with --id pmpt_…"))?;
        by_id.entry(id.to_owned()).or_default().push(paste);
    }
    by_id.into_iter().map(|(id, versions)| prompt(&id, versions, known)).collect()
}

fn prompt(id: &str, mut pasted: Vec<Value>, known: &Known) -> Result<Found, NotThat> {
    let said = pasted.iter().find_map(|paste| text(paste, "name"));
    let name = known.name.as_deref().or(said).map_or_else(|| format!("openai/{id}"), str::to_owned);
    let mut found = Found::named(&name)?;
    found.alias = Some(id.to_owned());
    found.description = pasted.iter().find_map(|paste| text(paste, "description")).map(str::to_owned);
    let number = |paste: &Value| {
        super::id(&paste["version"]).or_else(|| known.version.clone()).unwrap_or_else(|| "1".to_owned())
    };
    pasted.sort_by_key(|paste| number(paste).parse::<u64>().unwrap_or(u64::MAX));
    for paste in &pasted {
        let mut notes = Vec::new();
        let version = number(paste);
        let is_default = paste["is_default"] == true || paste["default"] == true;
        let read = content(paste, &mut notes).map(|content| FoundVersion {
            content,
            is_default,
            ..FoundVersion::default()
        });
        found.take((&version, Vec::new()), read, notes);
    }
    // OpenAI serves the default version; when the paste does not tell, that is the newest.
    if !found.versions.iter().any(|version| version.is_default)
        && let Some(newest) = found.versions.last_mut()
    {
        newest.is_default = true;
    }
    Ok(found)
}

fn content(paste: &Value, notes: &mut Vec<String>) -> Result<Map<String, Value>, String> {
    let mut messages = Vec::new();
    if let Some(instructions) = text(paste, "instructions") {
        messages.push(json!({"role": "developer", "content": instructions}));
    }
    for field in ["messages", "input", "prompt"] {
        match &paste[field] {
            Value::String(said) => messages.push(json!({"role": "user", "content": said})),
            Value::Array(items) => {
                for item in items {
                    messages.push(message(item)?);
                }
            }
            _ => {}
        }
    }
    if messages.is_empty() {
        return Err("it has no `instructions`, `messages` or `input`".to_owned());
    }
    let mut content = Map::from_iter([("messages".to_owned(), json!(messages))]);
    content.extend(text(paste, "model").map(|model| ("model".to_owned(), json!(model))));
    let tools: Vec<Value> = paste["tools"].as_array().into_iter().flatten().map(nested).collect();
    if !tools.is_empty() {
        content.insert("tools".into(), tools.into());
        let choice = Some(&paste["tool_choice"]).filter(|choice| !choice.is_null());
        content.extend(choice.map(|choice| ("tool_choice".to_owned(), nested(choice))));
    }
    let format =
        [&paste["text"]["format"], &paste["response_format"]].into_iter().find(|format| format.is_object());
    if let Some(format) = format.filter(|format| format["type"] != "text") {
        content.insert("response_format".into(), nested(format));
    }
    let settings = settings(paste, notes);
    if !settings.is_empty() {
        content.insert("parameters".into(), settings.into());
    }
    Ok(content)
}

/// Parameters by their names in chat completions, where the Responses API keeps them elsewhere.
fn settings(paste: &Value, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut given = paste.as_object().cloned().unwrap_or_default();
    given.retain(|name, _| !NOT_PARAMETERS.contains(&name.as_str()));
    let moved =
        [("reasoning_effort", &paste["reasoning"]["effort"]), ("verbosity", &paste["text"]["verbosity"])];
    for (name, value) in moved.into_iter().filter(|(_, value)| !value.is_null()) {
        given.insert(name.to_owned(), value.clone());
    }
    if !paste["reasoning"]["summary"].is_null() {
        notes.push("`reasoning.summary` is not carried: send it with the call".to_owned());
    }
    parameters(&given, notes)
}

fn message(item: &Value) -> Result<Value, String> {
    let word = item["role"].as_str().unwrap_or_default();
    let role = role(word).ok_or_else(|| {
        format!("an item of type `{}` is no message", id(&item["type"]).unwrap_or_default())
    })?;
    let content = match &item["content"] {
        Value::Array(parts) => parts.iter().map(part).collect::<Result<Value, _>>()?,
        other => other.clone(),
    };
    let only_text = content.as_array().filter(|parts| parts.len() == 1 && parts[0]["type"] == "text");
    let content = only_text.map_or(content.clone(), |parts| parts[0]["text"].clone());
    Ok(json!({"role": role, "content": content}))
}

/// A part as chat completions write it.
fn part(part: &Value) -> Result<Value, String> {
    match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => Ok(json!({"type": "text", "text": part["text"]})),
        Some("input_image") if part["image_url"].is_string() => {
            let detail = text(part, "detail").unwrap_or("auto");
            Ok(json!({"type": "image_url", "image_url": {"url": part["image_url"], "detail": detail}}))
        }
        Some("image_url") => Ok(part.clone()),
        Some("input_file") => {
            let mut file = part.as_object().cloned().unwrap_or_default();
            file.shift_remove("type");
            Ok(json!({"type": "file", "file": file}))
        }
        other => Err(format!("content of type `{}` has no form here", other.unwrap_or("?").escape_debug())),
    }
}

/// `{type: function, name, …}` as chat completions nest it; what is nested, or of no such type, stays.
fn nested(value: &Value) -> Value {
    let Some(fields) = value.as_object() else { return value.clone() };
    let kind = text(value, "type").unwrap_or_default();
    if !matches!(kind, "function" | "custom" | "json_schema") || fields.contains_key(kind) {
        return value.clone();
    }
    let mut inner = fields.clone();
    inner.shift_remove("type");
    json!({"type": kind, kind: inner})
}
