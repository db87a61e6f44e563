//! OpenAI's input parts as values of variables, turned into chat vocabulary.

use dialects::chat::Part;
use serde_json::{Map, Value};

/// A value that is a content part.
#[derive(Debug)]
pub(super) enum InputPart<'a> {
    /// `input_text`: stands for its text.
    Text(&'a str),
    /// An image or a file, as a chat part.
    Media(Part),
}

/// Reads a value that is a content part, of the Responses API (`input_text`, `input_image`, `input_file`) or of chat
/// (`image_url`, `file`). Any other value is none. An error is worded to follow the variable's name.
pub(super) fn read(value: &Value) -> Result<Option<InputPart<'_>>, String> {
    let Value::Object(fields) = value else { return Ok(None) };
    match fields.get("type").and_then(Value::as_str).unwrap_or_default() {
        "input_text" => match fields.get("text") {
            Some(Value::String(text)) => Ok(Some(InputPart::Text(text))),
            _ => Err("is an `input_text` part without a `text`".into()),
        },
        "input_image" => read_image(fields).map(|part| Some(InputPart::Media(part))),
        "input_file" => read_file(fields).map(|part| Some(InputPart::Media(part))),
        kind @ ("image_url" | "file") if fields.get(kind).is_some_and(Value::is_object) => {
            Ok(Some(InputPart::Media(Part(fields.clone()))))
        }
        _ => Ok(None),
    }
}

/// `{"type": "input_image", "image_url" | "file_id", "detail"?}`. Chat has no word for an uploaded image, so that
/// one keeps its `file_id`, for the Responses API to have it back.
fn read_image(fields: &Map<String, Value>) -> Result<Part, String> {
    let mut image = Map::new();
    match (fields.get("image_url"), fields.get("file_id")) {
        (Some(url @ Value::String(_)), _) => image.insert("url".into(), url.clone()),
        (_, Some(id @ Value::String(_))) => image.insert("file_id".into(), id.clone()),
        _ => return Err("is an `input_image` part without an `image_url` or a `file_id`".into()),
    };
    copy_texts(fields, &["detail"], &mut image);
    Ok(part("image_url", image))
}

/// `{"type": "input_file", "file_id" | "file_data" | "file_url", "filename"?}`. Chat has no word for a file's URL
/// either.
fn read_file(fields: &Map<String, Value>) -> Result<Part, String> {
    let mut file = Map::new();
    copy_texts(fields, &["file_id", "file_data", "file_url"], &mut file);
    if file.is_empty() {
        return Err("is an `input_file` part without a `file_id`, `file_data` or `file_url`".into());
    }
    copy_texts(fields, &["filename"], &mut file);
    Ok(part("file", file))
}

fn copy_texts(from: &Map<String, Value>, keys: &[&str], to: &mut Map<String, Value>) {
    for key in keys {
        if let Some(text @ Value::String(_)) = from.get(*key) {
            to.insert((*key).to_owned(), text.clone());
        }
    }
}

fn part(kind: &str, fields: Map<String, Value>) -> Part {
    let mut part = Map::new();
    part.insert("type".into(), kind.into());
    part.insert(kind.into(), Value::Object(fields));
    Part(part)
}
