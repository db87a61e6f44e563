//! Langfuse's free `config` against a version: what shapes a call is taken into the content, so that calls through the
//! gateway heed it; the rest is kept beside it for the application that reads it.

use registry::content::{Content, Engine};
use serde_json::{Map, Value, json};

/// The member of a version's metadata that keeps what is left of a config.
pub(super) const KEPT: &str = "langfuse_config";
/// The member of a config that names the engine, where it is not `plain`.
const ENGINE: &str = "weir_engine";
/// Request parameters that are taken out of a config. Any other name may be meant for the application alone, and a
/// provider would refuse it.
pub(crate) const PARAMETERS: [&str; 21] = [
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "top_logprobs",
    "top_p",
    "verbosity",
    "web_search_options",
];

/// Moves what shapes a call into the fields of a content; returns what is left, if anything is.
pub(super) fn take(config: Value, content: &mut Map<String, Value>) -> Option<Value> {
    let mut config = match config {
        Value::Object(config) => config,
        Value::Null => return None,
        other => return Some(other),
    };
    move_if(&mut config, ("model", content), |model| model.as_str().is_some_and(|model| !model.is_empty()));
    move_if(&mut config, ("response_format", content), |format| format["type"].is_string());
    move_if(&mut config, ("tools", content), are_functions);
    if content.contains_key("tools") {
        move_if(&mut config, ("tool_choice", content), |choice| choice.is_string() || choice.is_object());
    }
    if let Some(engine) = config.shift_remove(ENGINE) {
        content.insert("engine".into(), engine);
    }
    let (parameters, kept): (Map<_, _>, Map<_, _>) =
        config.into_iter().partition(|(name, _)| PARAMETERS.contains(&name.as_str()));
    if !parameters.is_empty() {
        content.insert("parameters".into(), parameters.into());
    }
    (!kept.is_empty()).then(|| kept.into())
}

fn move_if(
    config: &mut Map<String, Value>,
    (name, content): (&str, &mut Map<String, Value>),
    fits: impl FnOnce(&Value) -> bool,
) {
    if config.get(name).is_some_and(fits)
        && let Some(value) = config.shift_remove(name)
    {
        content.insert(name.to_owned(), value);
    }
}

/// Whether these are tools as chat completions write them; Langfuse stores other shapes too.
fn are_functions(tools: &Value) -> bool {
    let is_function = |tool: &Value| tool["type"] == "function" && tool["function"]["name"].is_string();
    tools.as_array().is_some_and(|tools| !tools.is_empty() && tools.iter().all(is_function))
}

/// The config of a version: what was kept, and what the content holds under the names [`take`] knows.
pub(super) fn give(content: &Content, metadata: &Map<String, Value>) -> Value {
    let mut config = match metadata.get(KEPT) {
        None => Map::new(),
        Some(Value::Object(kept)) => kept.clone(),
        Some(other) => return other.clone(),
    };
    config.extend(content.parameters.clone());
    let held = [
        ("model", content.model.as_ref().map(|model| json!(model))),
        ("tools", content.tools.as_ref().map(|tools| json!(tools))),
        ("tool_choice", content.tool_choice.clone()),
        ("response_format", content.response_format.clone()),
        (ENGINE, (content.engine != Engine::Plain).then(|| json!(content.engine))),
    ];
    for (name, value) in held {
        config.extend(value.map(|value| (name.to_owned(), value)));
    }
    config.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a config comes to, and what it reads back as.
    fn there_and_back(config: &Value) -> (Map<String, Value>, Option<Value>) {
        let mut fields = Map::from_iter([("text".to_owned(), json!("Hi"))]);
        let kept = take(config.clone(), &mut fields);
        let content: Content = serde_json::from_value(fields.clone().into()).unwrap();
        let metadata = kept.iter().map(|kept| (KEPT.to_owned(), kept.clone())).collect();
        let given = give(&content, &metadata);
        assert_eq!(given, if config.is_null() { json!({}) } else { config.clone() });
        fields.remove("text");
        (fields, kept)
    }

    #[test]
    fn what_shapes_a_call_is_taken_and_the_rest_is_kept() {
        let tool = json!({"type": "function", "function": {"name": "look_up", "parameters": {}}});
        let config = json!({
            "model": "gpt-4o", "temperature": 0.2, "owner": "ann", "stop": null, "weir_engine": "jinja",
            "tools": [tool], "tool_choice": "auto", "response_format": {"type": "json_object"},
        });
        let (fields, kept) = there_and_back(&config);
        assert_eq!(kept, Some(json!({"owner": "ann"})));
        assert_eq!(fields["parameters"], json!({"temperature": 0.2, "stop": null}));
        assert_eq!((&fields["model"], &fields["engine"]), (&json!("gpt-4o"), &json!("jinja")));
        assert_eq!((&fields["tools"][0], &fields["tool_choice"]), (&tool, &json!("auto")));
    }

    #[test]
    fn what_only_looks_like_it_is_kept() {
        for config in [
            json!({"model": {"name": "gpt-4o"}, "tool_choice": "auto"}),
            json!({"tools": [{"name": "look_up", "parameters": {}}], "response_format": "json"}),
            json!(["gpt-4o"]),
            json!("gpt-4o"),
        ] {
            let (fields, kept) = there_and_back(&config);
            assert_eq!((fields.len(), kept), (0, Some(config)));
        }
        assert_eq!(there_and_back(&json!({})), (Map::new(), None));
        assert_eq!(there_and_back(&Value::Null), (Map::new(), None));
    }
}
