//! Chat content parts in the vocabulary of `/v1/responses`: `input_text`, `output_text`, `input_image`, `input_file`.

use serde_json::{Map, Value};

use super::MergeError;
use super::items::unsupported;
use crate::chat::{Part, Role};

/// One part as a message of `role` carries it.
pub(super) fn translate(part: &Part, role: Role) -> Result<Value, MergeError> {
    let from_model = role == Role::Assistant;
    match part.kind() {
        "text" if from_model => Ok(renamed(part, "output_text")),
        "text" => Ok(renamed(part, "input_text")),
        "image_url" if !from_model => Ok(image(part)),
        "file" if !from_model => Ok(opened(part, "input_file", "file")),
        "refusal" if from_model => Ok(Value::Object(part.0.clone())),
        // Written for this endpoint already.
        "input_text" | "output_text" | "input_image" | "input_file" => Ok(Value::Object(part.0.clone())),
        kind => {
            let role = role.as_str();
            Err(unsupported(format!("a content part of type `{kind}` in a message of role `{role}`")))
        }
    }
}

/// The part under another type, all else as it is.
fn renamed(part: &Part, kind: &str) -> Value {
    let mut fields = part.0.clone();
    fields.insert("type".into(), kind.into());
    Value::Object(fields)
}

/// `image_url: {url, detail}` becomes `image_url: url, detail`.
fn image(part: &Part) -> Value {
    let Value::Object(mut fields) = opened(part, "input_image", "image_url") else { return Value::Null };
    if let Some(url) = fields.shift_remove("url") {
        fields.insert("image_url".into(), url);
    }
    Value::Object(fields)
}

/// The part under another type, with the members of its inner object beside the type; an inner text stays itself.
fn opened(part: &Part, kind: &str, inner: &str) -> Value {
    let mut fields = Map::new();
    fields.insert("type".into(), kind.into());
    for (key, value) in &part.0 {
        match value {
            Value::Object(members) if key == inner => fields.extend(members.clone()),
            _ if key == "type" => {}
            value => drop(fields.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(fields)
}
