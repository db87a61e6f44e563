//! A span's attributes as JSON: looked up by name, taken out, put together from numbered keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::{Map, Value};

/// The deepest a dotted key is put together; the rest of it stays one name.
const DEPTH_MAX: usize = 12;

/// Attributes by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    pub(super) fn of(given: Vec<KeyValue>) -> Self {
        Self(object(given))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Removes the first of these names that holds something, and gives its text; JSON when it is no text.
    pub(super) fn take_text(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.take_one(name))
    }

    fn take_one(&mut self, name: &str) -> Option<String> {
        if self.0.get(name).is_none_or(is_empty) {
            return None;
        }
        self.0.shift_remove(name).map(into_text)
    }

    /// Removes the first of these names that holds a count.
    pub(super) fn take_count(&mut self, names: &[&str]) -> Option<u64> {
        let (name, count) = names.iter().find_map(|name| Some((*name, count(self.0.get(*name)?)?)))?;
        self.0.shift_remove(name);
        Some(count)
    }

    /// Removes `prefix.0.role`, `prefix.0.content` and the like, and puts them together as one value.
    pub(super) fn take_numbered(&mut self, prefix: &str) -> Option<Value> {
        if !self.0.keys().any(|key| numbered(key, prefix).is_some()) {
            return None;
        }
        let (mut tree, mut rest) = (Map::new(), Map::new());
        // All in one go: each removal would move all that stand behind.
        for (key, value) in std::mem::take(&mut self.0) {
            if let Some(path) = numbered(&key, prefix) {
                plant(&mut tree, path, value);
            } else {
                rest.insert(key, value);
            }
        }
        self.0 = rest;
        Some(listed(Value::Object(tree)))
    }

    /// Keeps only what `keep` says.
    pub(super) fn retain(&mut self, keep: impl Fn(&str, &Value) -> bool) {
        self.0.retain(|name, value| keep(name, value));
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.values_mut()
    }

    pub(super) fn into_object(self) -> Map<String, Value> {
        self.0
    }
}

/// What follows `prefix.` when that begins with a number.
fn numbered<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix)?.strip_prefix('.')?;
    rest.starts_with(|first: char| first.is_ascii_digit()).then_some(rest)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A count, however an exporter wrote it.
pub(super) fn count(value: &Value) -> Option<u64> {
    let whole = |number: f64| (0.0..1e15).contains(&number).then_some(number as u64);
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Puts `value` at a dotted path.
fn plant(tree: &mut Map<String, Value>, path: &str, value: Value) {
    let mut names: Vec<&str> = path.splitn(DEPTH_MAX, '.').collect();
    let Some(leaf) = names.pop() else { return };
    let mut at = tree;
    for name in names {
        let below = at.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if !below.is_object() {
            *below = Value::Object(Map::new());
        }
        let Value::Object(below) = below else { return };
        at = below;
    }
    at.insert(leaf.to_owned(), value);
}

/// Objects whose keys are all numbers as lists, in the order of the numbers, at every depth. OpenInference's wrapper
/// of one key around each element (`0.message.role`) goes.
fn listed(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    let numbered = object.keys().map(|key| key.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    let Some(numbers) = numbered else {
        return Value::Object(object.into_iter().map(|(key, value)| (key, listed(value))).collect());
    };
    let mut elements: Vec<_> = numbers.into_iter().zip(object.into_iter().map(|(_, value)| value)).collect();
    elements.sort_by_key(|(number, _)| *number);
    Value::Array(elements.into_iter().map(|(_, value)| listed(unwrapped(value))).collect())
}

fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(mut object) if object.len() == 1 => match object.iter_mut().next() {
            Some((name, inner)) if inner.is_object() && name.parse::<u64>().is_err() => inner.take(),
            _ => Value::Object(object),
        },
        other => other,
    }
}

pub(super) fn object(given: Vec<KeyValue>) -> Map<String, Value> {
    given.into_iter().map(|pair| (pair.key, value_of(pair.value))).collect()
}

fn value_of(any: Option<AnyValue>) -> Value {
    match any.and_then(|any| any.value) {
        None => Value::Null,
        Some(Any::StringValue(text)) => Value::String(text),
        Some(Any::BoolValue(bool)) => Value::Bool(bool),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => serde_json::Number::from_f64(number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        Some(Any::ArrayValue(list)) => list.values.into_iter().map(|value| value_of(Some(value))).collect(),
        Some(Any::KvlistValue(list)) => Value::Object(object(list.values)),
        Some(Any::BytesValue(bytes)) => Value::String(STANDARD.encode(bytes)),
        // An index into a table that only profiles have.
        Some(Any::StringValueStrindex(index)) => index.into(),
    }
}
