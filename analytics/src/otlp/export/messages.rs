//! What was said in a call, as messages of parts: one form for every endpoint, made from the bodies as they are kept.

use std::borrow::Cow;

use dialects::Endpoint;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cut;
use crate::row::Row;

/// How many messages go into a span: the first, and the last ones.
const MESSAGES_MAX: usize = 100;
/// How much of one text goes into a span.
const TEXT_BYTES: usize = 32 << 10;

/// One message.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) parts: Vec<Part>,
    pub(super) finish_reason: Option<String>,
}

/// A piece of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    Reasoning(String),
    Call { id: String, name: String, arguments: Value },
    Result { id: String, response: Value },
    Media { modality: &'static str, uri: String },
}

/// What went upstream; nothing when the policy kept no bodies.
pub(super) fn asked(row: &Row<'_>) -> Vec<Message> {
    let body = row.bodies.upstream_request.as_deref().or(row.bodies.request.as_deref());
    let Some(body) = body.and_then(object) else { return Vec::new() };
    let mut messages = match row.record.endpoint {
        Endpoint::ChatCompletions => list(&body["messages"]).map(chat).collect(),
        Endpoint::Responses => responses(&body),
        Endpoint::Completions => vec![plain("user", &body["prompt"])],
        Endpoint::Embeddings => vec![plain("user", &body["input"])],
        Endpoint::Passthrough => Vec::new(),
    };
    if messages.len() > MESSAGES_MAX {
        messages.drain(1..=messages.len() - MESSAGES_MAX);
    }
    messages
}

/// What came back.
pub(super) fn answered(row: &Row<'_>) -> Vec<Message> {
    let Some(body) = row.bodies.response.as_deref().and_then(object) else { return Vec::new() };
    match row.record.endpoint {
        Endpoint::ChatCompletions => list(&body["choices"]).map(choice).collect(),
        Endpoint::Responses => {
            let mut message = together("assistant", list(&body["output"]));
            message.finish_reason = row.record.finish_reason.as_deref().map(str::to_owned);
            vec![message]
        }
        Endpoint::Completions => list(&body["choices"])
            .map(|choice| Message {
                finish_reason: text_of(&choice["finish_reason"]),
                ..plain("assistant", &choice["text"])
            })
            .collect(),
        Endpoint::Embeddings | Endpoint::Passthrough => Vec::new(),
    }
}

/// The provider's id of the answer.
pub(super) fn answer_id(row: &Row<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let head: Head<'_> = serde_json::from_slice(row.bodies.response.as_deref()?).ok()?;
    Some(head.id.into_owned())
}

fn object(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(|text| cut(text, TEXT_BYTES))
}

fn choice(choice: &Value) -> Message {
    Message { finish_reason: text_of(&choice["finish_reason"]), ..chat(&choice["message"]) }
}

fn chat(message: &Value) -> Message {
    let role = message["role"].as_str().unwrap_or("assistant").to_owned();
    let mut parts = Vec::new();
    parts.extend(text_of(&message["reasoning_content"]).map(Part::Reasoning));
    if let Some(id) = message["tool_call_id"].as_str() {
        parts.push(Part::Result { id: id.to_owned(), response: message["content"].clone() });
    } else {
        parts.extend(content(&message["content"]));
        parts.extend(text_of(&message["refusal"]).map(Part::Text));
    }
    parts.extend(list(&message["tool_calls"]).map(|call| {
        let function = &call["function"];
        tool_call(&call["id"], &function["name"], &function["arguments"])
    }));
    Message { role, parts, finish_reason: None }
}

/// A text, a list of texts, or numbers, as completions and embeddings take them.
fn plain(role: &str, value: &Value) -> Message {
    let parts = match value {
        Value::Array(values) => {
            values.iter().take(MESSAGES_MAX).filter_map(text_of).map(Part::Text).collect()
        }
        other => text_of(other).map(Part::Text).into_iter().collect(),
    };
    Message { role: role.to_owned(), parts, finish_reason: None }
}

fn content(value: &Value) -> Vec<Part> {
    match value {
        Value::String(_) => text_of(value).map(Part::Text).into_iter().collect(),
        other => list(other).filter_map(part).collect(),
    }
}

fn part(value: &Value) -> Option<Part> {
    match value["type"].as_str()? {
        "text" | "input_text" | "output_text" | "summary_text" => text_of(&value["text"]).map(Part::Text),
        "refusal" => text_of(&value["refusal"]).map(Part::Text),
        "image_url" => media("image", value["image_url"].get("url").unwrap_or(&value["image_url"])),
        "input_image" => media("image", &value["image_url"]),
        "input_audio" => media("audio", &value["input_audio"]["data"]),
        "file" => media("file", &value["file"]["file_data"]),
        "input_file" => media("file", value.get("file_url").unwrap_or(&value["file_data"])),
        _ => None,
    }
}

fn media(modality: &'static str, uri: &Value) -> Option<Part> {
    uri.as_str().map(|uri| Part::Media { modality, uri: cut(uri, 1_024) })
}

fn responses(body: &Value) -> Vec<Message> {
    let mut messages = Vec::new();
    if body["instructions"].is_string() {
        messages.push(plain("system", &body["instructions"]));
    }
    if body["input"].is_string() {
        messages.push(plain("user", &body["input"]));
    }
    messages.extend(list(&body["input"]).map(item));
    messages
}

fn item(item: &Value) -> Message {
    let role = match item["type"].as_str() {
        Some("function_call_output") => "tool",
        Some("function_call" | "reasoning") => "assistant",
        _ => item["role"].as_str().unwrap_or("user"),
    };
    together(role, std::iter::once(item))
}

/// Several items of the Responses API as one message.
fn together<'v>(role: &str, items: impl Iterator<Item = &'v Value>) -> Message {
    let mut parts = Vec::new();
    for item in items {
        match item["type"].as_str() {
            Some("function_call") => {
                parts.push(tool_call(&item["call_id"], &item["name"], &item["arguments"]));
            }
            Some("function_call_output") => parts.push(Part::Result {
                id: item["call_id"].as_str().unwrap_or_default().to_owned(),
                response: item["output"].clone(),
            }),
            Some("reasoning") => parts.extend(content(&item["summary"]).into_iter().filter_map(reasoning)),
            _ => parts.extend(content(&item["content"])),
        }
    }
    Message { role: role.to_owned(), parts, finish_reason: None }
}

fn reasoning(part: Part) -> Option<Part> {
    match part {
        Part::Text(text) => Some(Part::Reasoning(text)),
        Part::Reasoning(_) | Part::Call { .. } | Part::Result { .. } | Part::Media { .. } => None,
    }
}

fn tool_call(id: &Value, name: &Value, arguments: &Value) -> Part {
    let arguments = match arguments {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| arguments.clone()),
        other => other.clone(),
    };
    Part::Call {
        id: id.as_str().unwrap_or_default().to_owned(),
        name: name.as_str().unwrap_or_default().to_owned(),
        arguments,
    }
}

impl Message {
    /// Whether it belongs to the system's instructions rather than to the talk.
    pub(super) fn is_instruction(&self) -> bool {
        matches!(self.role.as_str(), "system" | "developer")
    }

    /// Its texts, joined.
    pub(super) fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) | Part::Result { response: Value::String(text), .. } => {
                Some(Cow::Borrowed(text.as_str()))
            }
            Part::Result { response, .. } => Some(Cow::Owned(response.to_string())),
            Part::Reasoning(_) | Part::Call { .. } | Part::Media { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// As the GenAI conventions write it.
    pub(super) fn genai(&self) -> Value {
        let mut message = json!({"role": self.role, "parts": self.genai_parts().collect::<Value>()});
        if let Some(reason) = &self.finish_reason {
            // The conventions have it in the singular.
            let reason = if reason == "tool_calls" { "tool_call" } else { reason };
            message["finish_reason"] = reason.into();
        }
        message
    }

    pub(super) fn genai_parts(&self) -> impl Iterator<Item = Value> {
        self.parts.iter().map(|part| match part {
            Part::Text(text) => json!({"type": "text", "content": text}),
            Part::Reasoning(text) => json!({"type": "reasoning", "content": text}),
            Part::Call { id, name, arguments } => {
                json!({"type": "tool_call", "id": id, "name": name, "arguments": arguments})
            }
            Part::Result { id, response } => {
                json!({"type": "tool_call_response", "id": id, "response": response})
            }
            Part::Media { modality, uri } => json!({"type": "uri", "modality": modality, "uri": uri}),
        })
    }
}
