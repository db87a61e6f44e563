//! Prompts of a Langfuse server, as its API answers them.

use serde_json::Value;

use super::{Found, FoundVersion, NotThat, id, role, text};
use crate::langfuse::row::{self, Type};

/// Reads the rows of one prompt's versions, in any order.
pub fn read(name: &str, mut rows: Vec<Value>) -> Result<Found, NotThat> {
    let mut found = Found::named(name)?;
    rows.sort_by_key(|row| row["version"].as_u64());
    for row in &rows {
        let id = id(&row["version"]).ok_or_else(|| NotThat::new("a row without a `version`"))?;
        let mut notes = Vec::new();
        let labels = found.labels(row["labels"].as_array().into_iter().flatten().filter_map(Value::as_str));
        let read = version(row, &mut notes);
        found.take((&id, labels), read, notes);
    }
    let tags = rows.last().and_then(|row| row["tags"].as_array()).into_iter().flatten();
    found.tags = tags.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(found)
}

fn version(row: &Value, notes: &mut Vec<String>) -> Result<FoundVersion, String> {
    let kind = if row["type"] == "chat" { Type::Chat } else { Type::Text };
    let mut prompt = row["prompt"].clone();
    for item in prompt.as_array_mut().into_iter().flatten() {
        let Some(word) = text(item, "role").map(str::to_owned) else { continue };
        let known = role(&word).ok_or_else(|| format!("role `{}` is not known here", word.escape_debug()))?;
        if known != word {
            notes.push(format!("role `{word}` is `{known}` here"));
            item["role"] = known.into();
        }
    }
    if let Some(composed) = row["resolutionGraph"]["dependencies"].as_object() {
        let parts = composed.values().filter_map(Value::as_array).flatten();
        let parts: Vec<String> =
            parts.filter_map(|part| Some(format!("{}@{}", text(part, "name")?, part["version"]))).collect();
        notes.push(format!("texts of other prompts are written out: {}", parts.join(", ")));
    }
    // Numbers may come to mean other versions here.
    if prompt.to_string().contains(row::COMPOSED) {
        return Err("it holds the text of another prompt that Langfuse did not write out".to_owned());
    }
    let (content, metadata) =
        row::read(kind, &prompt, row["config"].clone()).map_err(|wrong| wrong.message)?;
    let commit_message = text(row, "commitMessage").map(str::to_owned);
    Ok(FoundVersion { content, commit_message, metadata, ..FoundVersion::default() })
}
