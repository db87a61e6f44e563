//! The caller's metadata and the prompt's variables, held to a size together.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::media;
use crate::redact::Redaction;

/// The most that metadata and variables take together, in bytes of JSON.
pub(super) const GIVEN_BYTES: usize = 16 * 1024;
/// How much of each value is left when all of them together are too long, tried in this order.
const VALUE_BYTES: [usize; 5] = [4_096, 1_024, 256, 64, 16];

type Given<'a> = Option<Cow<'a, str>>;

/// Keeps both within [`GIVEN_BYTES`]: values are shortened first, then keys left out. Metadata, which people
/// filter by, has the first call on the room; neither takes more than the other leaves.
/// What is to be redacted is redacted first, so that no half of it is left at a cut.
pub(super) fn keep<'a>(
    metadata: Option<&'a str>,
    variables: Option<&'a str>,
    redaction: &Redaction,
) -> (Given<'a>, Given<'a>) {
    let safe = |json| redaction.said(without_media(json));
    let metadata = metadata.map(|json| shortened(safe(json), GIVEN_BYTES));
    let room = GIVEN_BYTES - metadata.as_ref().map_or(0, |json| json.len());
    (metadata, variables.map(|json| shortened(safe(json), room)))
}

/// JSON, or any text, with its media replaced by what identifies them.
pub(crate) fn without_media(json: &str) -> Cow<'_, str> {
    match media::replace(Cow::Borrowed(json.as_bytes())) {
        Cow::Borrowed(_) => Cow::Borrowed(json),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A JSON object within `room` bytes: long values are cut first, then keys left out.
pub(crate) fn shortened(json: Cow<'_, str>, room: usize) -> Cow<'_, str> {
    if json.len() <= room {
        return json;
    }
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(&json) else {
        return Cow::Borrowed("{}");
    };
    for value_bytes in VALUE_BYTES {
        let shorter = object.iter().map(|(key, value)| (key.clone(), cut(value, value_bytes))).collect();
        let text = Value::Object(shorter).to_string();
        if text.len() <= room {
            return Cow::Owned(text);
        }
    }
    Cow::Owned(first_keys(&object, room))
}

/// A value as it is when it is short, else the beginning of its text.
fn cut(value: &Value, bytes: usize) -> Value {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Cow::Owned(value.to_string())
        }
    };
    if text.len() <= bytes {
        return value.clone();
    }
    let end = text.floor_char_boundary(bytes);
    Value::String(format!("{}…", text.get(..end).unwrap_or_default()))
}

fn first_keys(object: &Map<String, Value>, room: usize) -> String {
    let mut kept = Map::new();
    let mut bytes = 2;
    for (key, value) in object {
        let value = cut(value, 16);
        // Quotes, colon and comma, and the worst that escaping can do.
        bytes += key.len() * 6 + value.to_string().len() + 4;
        if bytes > room {
            break;
        }
        kept.insert(key.clone(), value);
    }
    Value::Object(kept).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep<'a>(metadata: Option<&'a str>, variables: Option<&'a str>) -> (Given<'a>, Given<'a>) {
        super::keep(metadata, variables, &Redaction::default())
    }

    #[test]
    fn what_fits_is_kept_to_the_byte() {
        let (metadata, variables) = keep(Some(r#"{"tier": "gold"}"#), Some(r#"{ "name":"Zoë" }"#));
        assert_eq!(metadata.as_deref(), Some(r#"{"tier": "gold"}"#));
        assert_eq!(variables.as_deref(), Some(r#"{ "name":"Zoë" }"#));
    }

    #[test]
    fn long_values_are_shortened_and_short_ones_stay() {
        let variables = format!(r#"{{"name":"Zoë","document":"{}"}}"#, "ü".repeat(40_000));
        let (metadata, variables) = keep(Some(r#"{"tier":"gold"}"#), Some(&variables));
        let variables: Value = serde_json::from_str(&variables.unwrap()).unwrap();
        assert_eq!(variables["name"], "Zoë");
        assert!(variables["document"].as_str().unwrap().ends_with("ü…"));
        assert_eq!(metadata.as_deref(), Some(r#"{"tier":"gold"}"#));
    }

    #[test]
    fn together_they_never_exceed_their_room() {
        let many = |n: usize| {
            let map: Map<_, _> =
                (0..n).map(|i| (format!("key {i}\u{1}"), Value::from("x".repeat(100)))).collect();
            Value::Object(map).to_string()
        };
        for (a, b) in [(10, 3_000), (3_000, 10), (300, 300)] {
            let (a, b) = (many(a), many(b));
            let (metadata, variables) = keep(Some(&a), Some(&b));
            let (metadata, variables) = (metadata.unwrap(), variables.unwrap());
            assert!(
                metadata.len() + variables.len() <= GIVEN_BYTES + 2,
                "{} {}",
                metadata.len(),
                variables.len()
            );
            assert!(serde_json::from_str::<Value>(&metadata).unwrap().is_object());
            assert!(serde_json::from_str::<Value>(&variables).unwrap().is_object());
        }
    }
}
