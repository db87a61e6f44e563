//! A model to try when a version's own fails, and what is different with it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::read::present;

/// What follows when a version's model, or the fallback before this one, fails. Written as the model's name where
/// nothing else is different.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fallback {
    /// The model.
    pub model: String,
    /// Parameters that are other than the version's; null takes one away.
    pub parameters: Map<String, Value>,
    /// Tools instead of the version's; null for none.
    pub tools: Option<Value>,
    /// Tool choice instead of the version's; null for none.
    pub tool_choice: Option<Value>,
    /// Response format instead of the version's; null for none.
    pub response_format: Option<Value>,
}

/// A fallback that says more than its model.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    model: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    tools: Option<Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
}

impl Fallback {
    fn is_bare(&self) -> bool {
        let same = self.tools.is_none() && self.tool_choice.is_none() && self.response_format.is_none();
        same && self.parameters.is_empty()
    }
}

/// Reads `fallbacks`, with refusals a prompt author understands.
pub(super) fn read(fallbacks: Vec<Value>) -> Result<Vec<Fallback>, String> {
    let fallbacks = fallbacks.into_iter().enumerate();
    let read = fallbacks.map(|(at, it)| read_one(it).map_err(|why| format!("fallbacks[{at}]: {why}")));
    read.collect()
}

fn read_one(value: Value) -> Result<Fallback, String> {
    let whole = match value {
        Value::String(model) => {
            let (parameters, tools, tool_choice, response_format) = (Map::new(), None, None, None);
            Whole { model, parameters, tools, tool_choice, response_format }
        }
        Value::Object(_) => serde_json::from_value(value).map_err(|error| error.to_string())?,
        _ => return Err("a fallback is a model's name, or an object with a `model`".to_owned()),
    };
    let Whole { model, parameters, tools, tool_choice, response_format } = whole;
    if model.trim().is_empty() {
        return Err("`model` must be a text that is not empty".to_owned());
    }
    if tools.as_ref().is_some_and(|tools| !tools.is_array() && !tools.is_null()) {
        return Err("`tools` is a list, or null for none".to_owned());
    }
    Ok(Fallback { model, parameters, tools, tool_choice, response_format })
}

impl Serialize for Fallback {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_bare() {
            return serializer.serialize_str(&self.model);
        }
        let Self { model, parameters, tools, tool_choice, response_format } = self.clone();
        Whole { model, parameters, tools, tool_choice, response_format }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fallback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_one(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fallback_is_a_name_or_a_name_with_what_is_different() {
        let given = json!([
            "gpt-4o",
            {"model": "claude", "parameters": {"temperature": 1, "seed": null}, "response_format": null},
        ]);
        let read: Vec<Fallback> = serde_json::from_value(given.clone()).unwrap();
        assert_eq!((&*read[0].model, read[1].response_format.as_ref()), ("gpt-4o", Some(&Value::Null)));
        assert_eq!(serde_json::to_value(&read).unwrap(), given);
        let bare: Fallback = serde_json::from_value(json!({"model": "gpt-4o", "parameters": {}})).unwrap();
        assert_eq!(serde_json::to_value(bare).unwrap(), "gpt-4o");
    }

    #[test]
    fn what_is_no_fallback_is_refused_by_its_place() {
        for (wrong, says) in [
            (json!(7), "fallbacks[1]: a fallback is a model's name"),
            (json!(" "), "fallbacks[1]: `model` must be a text"),
            (json!({"parameters": {}}), "fallbacks[1]: missing field `model`"),
            (json!({"model": "x", "messages": []}), "fallbacks[1]: unknown field `messages`"),
            (json!({"model": "x", "tools": {}}), "fallbacks[1]: `tools` is a list"),
        ] {
            let told = read(vec![json!("ok"), wrong]).unwrap_err();
            assert!(told.starts_with(says), "{told}");
        }
    }
}
