//! Variables and metadata as a record keeps them: JSON objects that never grow past a limit.

use serde_json::{Map, Value};

/// The most bytes a record keeps of variables and metadata together.
pub const RECORD_BYTES: usize = 16 * 1024;

/// Variables and metadata as JSON objects, together at most [`RECORD_BYTES`]; `None` for what is empty. Metadata come
/// first. Of a value that does not fit only its size is kept, of what still does not fit, nothing.
pub fn for_record(
    variables: &Map<String, Value>,
    metadata: &Map<String, Value>,
) -> (Option<Box<str>>, Option<Box<str>>) {
    let metadata = object(metadata, RECORD_BYTES);
    let left = RECORD_BYTES - metadata.as_ref().map_or(0, |kept| kept.len());
    (object(variables, left), metadata)
}

fn object(members: &Map<String, Value>, bytes: usize) -> Option<Box<str>> {
    if members.is_empty() {
        return None;
    }
    let whole = serde_json::to_string(members).unwrap_or_default();
    let kept = if whole.len() <= bytes { whole } else { cut(members, bytes) };
    (kept.len() <= bytes).then(|| kept.into())
}

fn cut(members: &Map<String, Value>, bytes: usize) -> String {
    let mut kept = String::from("{");
    for (key, value) in members {
        let key = Value::from(&**key);
        let json = value.to_string();
        let note = format!("\"[left out: {} bytes]\"", json.len());
        let room = bytes.saturating_sub(kept.len() + 1);
        let fits =
            [json, note].into_iter().map(|value| format!("{key}:{value},")).find(|entry| entry.len() <= room);
        kept.extend(fits);
    }
    kept.truncate(kept.trim_end_matches(',').len());
    kept.push('}');
    kept
}
