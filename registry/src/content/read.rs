//! Reading a content from JSON (or YAML), with refusals a prompt author understands.
//!
//! `flatten` and `deny_unknown_fields` do not combine in serde, and untagged enums forget why they refused,
//! so the fields are read raw and judged here.

use dialects::chat::{Content as MessageContent, Message, Part, Role};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{Content, Engine, Item, PromptBody, Variable, fallback};

/// The most items a chat prompt has.
const ITEMS: usize = 1_000;

/// Fields that make sense in a message without content.
const CONTENT_SUBSTITUTES: [&str; 4] = ["tool_calls", "function_call", "audio", "refusal"];

/// A content as written: every field may be there, none is judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContent {
    messages: Option<Vec<Value>>,
    text: Option<String>,
    #[serde(default)]
    engine: Engine,
    #[serde(default)]
    variables: IndexMap<String, Value>,
    model: Option<String>,
    #[serde(default)]
    fallbacks: Vec<Value>,
    #[serde(default)]
    parameters: Map<String, Value>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    #[serde(default)]
    locked: Vec<String>,
}

impl TryFrom<RawContent> for Content {
    type Error = String;

    fn try_from(raw: RawContent) -> Result<Self, String> {
        let body = match (raw.messages, raw.text) {
            (Some(messages), None) => PromptBody::Messages(read_items(messages)?),
            (None, Some(text)) => PromptBody::Text(text),
            (Some(_), Some(_)) => {
                return Err("a prompt has `messages` or `text`, not both: remove one of them".into());
            }
            (None, None) => {
                return Err("a prompt needs `messages` (a chat prompt) or `text` (a text prompt)".into());
            }
        };
        Ok(Self {
            body,
            engine: raw.engine,
            variables: read_variables(raw.variables)?,
            model: raw.model,
            fallbacks: fallback::read(raw.fallbacks)?,
            parameters: raw.parameters,
            tools: raw.tools,
            tool_choice: raw.tool_choice,
            response_format: raw.response_format,
            locked: raw.locked,
        })
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_item(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Reads a field that is there, so that `null` is told from absent.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn read_items(messages: Vec<Value>) -> Result<Vec<Item>, String> {
    if messages.len() > ITEMS {
        return Err(format!("`messages` has {} items: the limit is {ITEMS}", messages.len()));
    }
    let items = messages.into_iter().enumerate();
    items.map(|(index, item)| read_item(item).map_err(|why| format!("messages[{index}]: {why}"))).collect()
}

fn read_variables(variables: IndexMap<String, Value>) -> Result<IndexMap<String, Variable>, String> {
    let read = |(name, declared): (String, Value)| match serde_json::from_value(declared) {
        Ok(variable) => Ok((name, variable)),
        Err(error) => Err(format!("variables.{name}: {error}")),
    };
    variables.into_iter().map(read).collect()
}

fn read_item(item: Value) -> Result<Item, String> {
    let Value::Object(mut fields) = item else {
        return Err(
            "must be an object: a message with `role` and `content`, a `placeholder` or an `include`".into(),
        );
    };
    if let Some(placeholder) = fields.remove("placeholder") {
        refuse_others(&fields, "a placeholder")?;
        return Ok(Item::Placeholder { placeholder: read_word(placeholder, "placeholder")? });
    }
    if let Some(include) = fields.remove("include") {
        let role = fields.remove("role").filter(|role| !role.is_null()).map(read_role).transpose()?;
        refuse_others(&fields, "an include")?;
        return Ok(Item::Include { include: read_word(include, "include")?, role });
    }
    read_message(fields).map(Item::Message)
}

fn read_message(mut fields: Map<String, Value>) -> Result<Message, String> {
    let Some(role) = fields.shift_remove("role") else {
        return Err("needs a `role`, such as \"system\" or \"user\"".into());
    };
    let role = read_role(role)?;
    let content = read_message_content(fields.shift_remove("content").unwrap_or_default())?;
    let has = |key: &str| fields.get(key).is_some_and(|value| !value.is_null());
    if content == MessageContent::Absent && !CONTENT_SUBSTITUTES.into_iter().any(has) {
        return Err("needs `content`: a text or a list of content parts".into());
    }
    Ok(Message { role, content, rest: fields })
}

fn read_role(role: Value) -> Result<Role, String> {
    let shown = role.to_string();
    serde_json::from_value(role).map_err(|_| {
        format!("`role` must be system, developer, user, assistant, tool or function, not {shown}")
    })
}

fn read_message_content(content: Value) -> Result<MessageContent, String> {
    match content {
        Value::Null => Ok(MessageContent::Absent),
        Value::String(text) => Ok(MessageContent::Text(text)),
        Value::Array(parts) => {
            let parts = parts.into_iter().enumerate();
            let read = parts.map(|(n, part)| read_part(part).map_err(|why| format!("content[{n}]: {why}")));
            read.collect::<Result<_, _>>().map(MessageContent::Parts)
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            Err("`content` must be a text or a list of content parts".into())
        }
    }
}

fn read_part(part: Value) -> Result<Part, String> {
    match part {
        Value::Object(fields) if fields.get("type").is_some_and(Value::is_string) => Ok(Part(fields)),
        _ => Err("a content part is an object with a `type`, such as \"text\" or \"image_url\"".into()),
    }
}

fn read_word(value: Value, field: &str) -> Result<String, String> {
    match value {
        Value::String(word) if !word.trim().is_empty() => Ok(word),
        _ => Err(format!("`{field}` must be a text that is not empty")),
    }
}

fn refuse_others(fields: &Map<String, Value>, what: &str) -> Result<(), String> {
    match fields.keys().next() {
        None => Ok(()),
        Some(field) => Err(format!("{what} has no field `{field}`: remove it")),
    }
}
