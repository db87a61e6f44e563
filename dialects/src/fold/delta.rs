//! Deltas put together: strings grow, lists grow, objects grow member by member.

use serde_json::{Map, Value};

/// Members that are said whole; a provider that repeats them means the same again.
const SAID_ONCE: [&str; 8] = ["role", "id", "type", "index", "name", "format", "call_id", "status"];

/// Adds a delta's members to what is there.
pub(super) fn grow(whole: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (key, value) in delta {
        let said_once = SAID_ONCE.contains(&key.as_str());
        let there = whole.entry(key).or_insert(Value::Null);
        if said_once {
            replace(there, value);
        } else {
            grow_value(there, value);
        }
    }
}

/// Adds a value to what is there: `null` adds nothing.
pub(super) fn grow_value(there: &mut Value, more: Value) {
    match (there, more) {
        (_, Value::Null) => {}
        (Value::String(there), Value::String(more)) => there.push_str(&more),
        (Value::Object(there), Value::Object(more)) => grow(there, more),
        (Value::Array(there), Value::Array(more)) => grow_list(there, more),
        (there @ Value::Null, Value::Array(more)) => {
            let mut list = Vec::new();
            grow_list(&mut list, more);
            *there = Value::Array(list);
        }
        (there, more) => *there = more,
    }
}

/// Puts a value in the place of what is there, unless it says nothing.
pub(super) fn replace(there: &mut Value, value: Value) {
    let says_nothing = value.is_null() || (value.as_str() == Some("") && !there.is_null());
    if !says_nothing {
        *there = value;
    }
}

/// Adds items to a list: each to the item it continues, else as a new one.
fn grow_list(list: &mut Vec<Value>, items: Vec<Value>) {
    for item in items {
        let indexed = item.get("index").is_some_and(|index| !index.is_null());
        let there = if indexed {
            list.iter_mut().rev().find(|there| is_same_item(there, &item))
        } else {
            list.last_mut().filter(|last| is_more_text(last, &item))
        };
        match (there, item) {
            (Some(Value::Object(there)), Value::Object(more)) => grow(there, more),
            (_, item) => list.push(item),
        }
    }
}

/// Whether two pieces are of one item: the same index and no other id (Ollama gives every call index 0).
fn is_same_item(there: &Value, item: &Value) -> bool {
    let id = item["id"].as_str().unwrap_or_default();
    let known_id = there["id"].as_str().unwrap_or_default();
    there["index"] == item["index"] && (id.is_empty() || known_id.is_empty() || id == known_id)
}

/// Whether an item without an index is text after text of the same kind, as in Mistral's content lists.
fn is_more_text(last: &Value, item: &Value) -> bool {
    let is_text = |value: &Value| value["text"].is_string() || value["thinking"].is_array();
    is_text(last) && is_text(item) && last["type"] == item["type"]
}
