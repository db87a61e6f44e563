//! Tools, tool choice and response format in the vocabulary of `/v1/responses`, where nothing is nested under its type.

use serde_json::{Map, Value};

/// `{type: function, function: {name, …}}` becomes `{type: function, name, …}`; other tools likewise or as they are.
pub(super) fn tool(tool: &Value) -> Value {
    let mut flat = flattened(tool);
    if let Value::Object(fields) = &mut flat {
        // Chat completions take a schema as it is unless `strict` is set, this endpoint unless it is unset.
        if fields.get("type").is_some_and(|kind| kind == "function") {
            fields.entry("strict").or_insert(Value::Bool(false));
        }
        if let Some(format) = fields.get_mut("format") {
            *format = flattened(format);
        }
    }
    flat
}

/// `{type: function, function: {name}}` becomes `{type: function, name}`; words stay words.
pub(super) fn choice(choice: &Value) -> Value {
    let mut flat = flattened(choice);
    if let Some(Value::Array(tools)) = flat.get_mut("tools") {
        for tool in tools {
            *tool = flattened(tool);
        }
    }
    flat
}

/// `{type: json_schema, json_schema: {name, schema, …}}` becomes `{type: json_schema, name, schema, …}`.
pub(super) fn format(format: &Value) -> Value {
    flattened(format)
}

/// An object whose members under the name of its type stand beside the type instead.
fn flattened(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    let mut flat = Map::new();
    for (key, field) in fields {
        match field {
            Value::Object(inner) if key == kind => flat.extend(inner.clone()),
            field => drop(flat.insert(key.clone(), field.clone())),
        }
    }
    Value::Object(flat)
}

/// Whether a stored tool choice can go with the caller's own tools: it is a word, or every tool it names is theirs.
pub(super) fn choice_fits(choice: &Value, callers: &Value) -> bool {
    let callers: Vec<&str> = callers.as_array().into_iter().flatten().filter_map(name).collect();
    match choice.pointer("/allowed_tools/tools") {
        Some(allowed) => {
            allowed.as_array().into_iter().flatten().filter_map(name).all(|name| callers.contains(&name))
        }
        None => name(choice).is_none_or(|name| callers.contains(&name)),
    }
}

/// The name of a tool, flat or nested.
fn name(tool: &Value) -> Option<&str> {
    let nested = ["/name", "/function/name", "/custom/name"];
    nested.iter().find_map(|pointer| tool.pointer(pointer)).and_then(Value::as_str)
}
