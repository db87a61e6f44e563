//! Chunks of chat completions and of legacy completions put together.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::delta::{grow, grow_value, replace};

/// Members of a chunk that mean nothing in a whole answer.
const PADDING: [&str; 2] = ["obfuscation", "type"];

type Choices = BTreeMap<u64, Map<String, Value>>;

pub(super) fn fold(
    chunks: impl Iterator<Item = Map<String, Value>>,
    object: &str,
) -> Option<Map<String, Value>> {
    let mut answer = Map::new();
    let mut choices = Choices::new();
    for chunk in chunks {
        for (key, value) in chunk {
            match (key.as_str(), value) {
                ("choices", Value::Array(items)) => {
                    answer.entry(key).or_insert(Value::Null);
                    for choice in items {
                        take_choice(&mut choices, choice);
                    }
                }
                (padding, _) if PADDING.contains(&padding) => {}
                (_, value) => replace(answer.entry(key).or_insert(Value::Null), value),
            }
        }
    }
    if answer.contains_key("choices") {
        answer.insert("object".to_owned(), object.into());
        answer.insert("choices".to_owned(), choices.into_values().map(finish).collect());
    }
    (!answer.is_empty()).then_some(answer)
}

fn take_choice(choices: &mut Choices, choice: Value) {
    let Value::Object(members) = choice else { return };
    let index = members.get("index").and_then(Value::as_u64).unwrap_or(0);
    let there = choices.entry(index).or_default();
    there.entry("index").or_insert(index.into());
    for (key, value) in members {
        match (key.as_str(), value) {
            ("index", _) => {}
            ("delta", Value::Object(delta)) => grow_message(there, delta),
            ("text" | "logprobs", value) => grow_value(there.entry(key).or_insert(Value::Null), value),
            (_, value) => replace(there.entry(key).or_insert(Value::Null), value),
        }
    }
}

fn grow_message(choice: &mut Map<String, Value>, delta: Map<String, Value>) {
    let message = choice.entry("message").or_insert_with(|| json!({"role": "assistant", "content": null}));
    if let Value::Object(message) = message {
        grow(message, delta);
    }
}

/// A choice as whole answers have it. The index of a tool call only served to put its pieces together.
fn finish(mut choice: Map<String, Value>) -> Value {
    choice.entry("finish_reason").or_insert(Value::Null);
    let calls = choice.get_mut("message").and_then(|message| message.get_mut("tool_calls"));
    for call in calls.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(call) = call {
            call.shift_remove("index");
        }
    }
    Value::Object(choice)
}
