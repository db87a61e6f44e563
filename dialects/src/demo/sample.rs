//! A value that fits a JSON Schema: the demo provider's tool arguments and structured answers.

use serde_json::{Map, Value, json};

/// Deeper schemas get `null`.
const DEPTH_MAX: u8 = 12;

/// Makes the simplest value that fits the schema; `text` stands for every string.
pub(super) fn sample(schema: &Value, text: &str) -> Value {
    of_schema(schema, schema, text, DEPTH_MAX)
}

fn of_schema(schema: &Value, root: &Value, text: &str, depth: u8) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let given = ["const", "default"].iter().find_map(|key| schema.get(*key));
    if let Some(given) = given.or_else(|| schema["enum"].get(0)).or_else(|| schema["examples"].get(0)) {
        return given.clone();
    }
    let inner = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].get(0));
    let referred = schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?));
    if let Some(inner) = referred.or(inner) {
        return of_schema(inner, root, text, depth - 1);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("string") => text.into(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => true.into(),
        Some("array") if schema["items"].is_object() => {
            Value::Array(vec![of_schema(&schema["items"], root, text, depth - 1)])
        }
        Some("array") => json!([]),
        Some("object") => of_properties(&schema["properties"], root, text, depth),
        _ if schema["properties"].is_object() => of_properties(&schema["properties"], root, text, depth),
        _ => Value::Null,
    }
}

fn of_properties(properties: &Value, root: &Value, text: &str, depth: u8) -> Value {
    let fields = properties.as_object().into_iter().flatten();
    let sampled: Map<String, Value> =
        fields.map(|(name, schema)| (name.clone(), of_schema(schema, root, text, depth - 1))).collect();
    Value::Object(sampled)
}
