//! Whether a value fits the type a variable was declared with.

use serde_json::Value;

use super::media::{self, InputPart};
use crate::content::VariableKind;

/// Says why a value does not fit, worded to follow the variable's name.
pub(super) fn fits(kind: VariableKind, value: &Value) -> Result<(), String> {
    let part = media::read(value)?;
    let (good, wanted) = match kind {
        VariableKind::String => (value.is_string() || matches!(part, Some(InputPart::Text(_))), "a string"),
        VariableKind::Number => (value.is_number(), "a number"),
        VariableKind::Integer => (is_whole(value), "a whole number"),
        VariableKind::Boolean => (value.is_boolean(), "true or false"),
        VariableKind::Array => (value.is_array(), "a list"),
        VariableKind::Object => (value.is_object(), "an object"),
        VariableKind::Messages => (names_messages(value), "a list of messages, each an object with a `role`"),
        VariableKind::Image => (
            is_media(part.as_ref(), "image_url"),
            "an image, such as {\"type\": \"input_image\", \"image_url\": …}",
        ),
        VariableKind::File => {
            (is_media(part.as_ref(), "file"), "a file, such as {\"type\": \"input_file\", \"file_id\": …}")
        }
    };
    match (good, kind) {
        (true, _) => Ok(()),
        // Saying "not a list" of a list would help nobody.
        (false, VariableKind::Messages) if value.is_array() => Err(format!("must be {wanted}")),
        (false, VariableKind::Image | VariableKind::File) if value.is_object() => {
            Err(format!("must be {wanted}"))
        }
        (false, _) => Err(format!("must be {wanted}, not {}", describe(value))),
    }
}

/// Whether a value is a list of messages, as chat (`role`) or the Responses API (`type`) write them.
pub(super) fn names_messages(value: &Value) -> bool {
    let names = |message: &Value| {
        ["role", "type"].into_iter().any(|key| message.get(key).is_some_and(Value::is_string))
    };
    value.as_array().is_some_and(|messages| messages.iter().all(names))
}

/// A whole number may be written `5.0`.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn is_media(part: Option<&InputPart<'_>>, kind: &str) -> bool {
    matches!(part, Some(InputPart::Media(part)) if part.kind() == kind)
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}
