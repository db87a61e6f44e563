//! Chat messages as input items of `/v1/responses`: messages, function calls and their outputs.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{MergeError, parts};
use crate::chat::{Content, Message, Role};

/// Turns messages into items, in order; remembers which calls were to custom tools, for their outputs differ.
#[derive(Default)]
pub(super) struct Items {
    custom_calls: HashSet<String>,
}

impl Items {
    /// The items one message becomes: itself, and one for each tool call it makes.
    pub(super) fn translate(&mut self, message: &Message) -> Result<Vec<Value>, MergeError> {
        match message.role {
            Role::Tool => Ok(vec![self.output(message)?]),
            Role::Function => Err(unsupported("a message of role `function`".into())),
            Role::System | Role::Developer | Role::User | Role::Assistant => self.spoken(message),
        }
    }

    fn spoken(&mut self, message: &Message) -> Result<Vec<Value>, MergeError> {
        let mut item = Map::new();
        item.insert("role".into(), message.role.as_str().into());
        item.insert("content".into(), content(&message.content, message.role)?);
        let mut calls = Vec::new();
        for (key, value) in message.rest.iter().filter(|(_, value)| says_something(value)) {
            match (key.as_str(), value) {
                ("tool_calls", Value::Array(given)) => {
                    calls = given.iter().map(|call| self.call(call)).collect::<Result<_, _>>()?;
                }
                ("refusal", refusal) => {
                    item.insert("content".into(), json!([{"type": "refusal", "refusal": refusal}]));
                }
                ("annotations", _) => {}
                ("name" | "function_call" | "audio" | "tool_calls", _) => {
                    return Err(unsupported(format!("`{key}` in a message")));
                }
                _ => drop(item.insert(key.clone(), value.clone())),
            }
        }
        let only_calls =
            !calls.is_empty() && item.get("content").is_some_and(|content| !says_something(content));
        let mut items = if only_calls { Vec::new() } else { vec![Value::Object(item)] };
        items.append(&mut calls);
        Ok(items)
    }

    /// A tool call of an assistant's message as an item of its own.
    fn call(&mut self, call: &Value) -> Result<Value, MergeError> {
        let id = &call["id"];
        if let Value::Object(custom) = &call["custom"] {
            self.custom_calls.extend(id.as_str().map(str::to_owned));
            return Ok(
                json!({"type": "custom_tool_call", "call_id": id, "name": custom.get("name"), "input": custom.get("input")}),
            );
        }
        let Value::Object(function) = &call["function"] else {
            return Err(unsupported("a tool call that is neither of a function nor of a custom tool".into()));
        };
        let (name, arguments) = (function.get("name"), function.get("arguments"));
        Ok(json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}))
    }

    fn output(&self, message: &Message) -> Result<Value, MergeError> {
        let Some(id) = message.rest.get("tool_call_id").and_then(Value::as_str) else {
            return Err(unsupported("a tool message without `tool_call_id`".into()));
        };
        let kind =
            if self.custom_calls.contains(id) { "custom_tool_call_output" } else { "function_call_output" };
        Ok(json!({"type": kind, "call_id": id, "output": content(&message.content, message.role)?}))
    }
}

/// Text stays text, parts are renamed for the role.
fn content(content: &Content, role: Role) -> Result<Value, MergeError> {
    match content {
        Content::Text(text) => Ok(Value::String(text.clone())),
        Content::Parts(parts) => {
            let parts = parts.iter().map(|part| parts::translate(part, role));
            parts.collect::<Result<_, _>>().map(Value::Array)
        }
        Content::Absent => Ok(Value::String(String::new())),
    }
}

/// Whether a value is more than null, an empty text or an empty list.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

/// What the prompt holds and `/v1/responses` has no counterpart for.
pub(super) fn unsupported(what: String) -> MergeError {
    MergeError::NotSupported {
        endpoint: "/v1/responses",
        what,
        instead: "call /v1/chat/completions, or publish a version of the prompt without it",
    }
}
